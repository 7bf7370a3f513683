"""`zkml infer`: pay a prover node for one output, and verify it before it is shown."""

from pathlib import Path
from typing import Any

import click

from zkml.cli.identifiers import parse_model
from zkml.cli.inputs import read_tensor, write_json, write_tensor
from zkml.cli.market_session import account_of, open_market_of
from zkml.cli.options import Session, sending_command

PUBLIC_FOR_EVER = "input and output become public on chain, for ever, when they are settled"
INSECURE_SRS = "insecure SRS: no security"


@click.command("infer")
@click.argument("model", metavar="DID|MODEL")
@click.option(
    "--input", "input_file", required=True, type=click.Path(path_type=Path), help=".json or .npy file."
)
@click.option("--max-fee", required=True, help="The most that the answer may cost in all, in whole tokens.")
@click.option("--node", metavar="URL", help="The node to ask [client.node, or the best registered one].")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=0.0,
    help="Longest wait for the answer in seconds [until the signed request expires].",
)
@click.option("--no-wait", is_flag=True, help="Do not wait until the answer is settled.")
@click.option(
    "--fresh", is_flag=True, help="Sign anew even if an earlier request has no answer; both may be paid."
)
@click.option("--output", type=click.Path(path_type=Path), help="Where to write the output, .json or .npy.")
@click.option("--proof", type=click.Path(path_type=Path), help="Where to write the proof.")
@sending_command
def command(
    session: Session,
    model: str,
    input_file: Path,
    max_fee: str,
    node: str | None,
    timeout: float,
    no_wait: bool,
    fresh: bool,
    output: Path | None,
    proof: Path | None,
    dry_run: bool,
) -> None:
    """Have a node prove the output of DID on an input, and verify it here before it is shown.

    Opens a tab for the node's prover, or uses one that has enough left, and signs one request. Call it again
    after an interruption: the same request is asked for, and nothing is paid twice.

    Example: zkml infer did:ethr:0x7a69:0x7099... --input input.json --max-fee 3
    """
    from zkml.client.inference import WAIT_SECONDS
    from zkml.client.model import Model
    from zkml.client.requester import open_requester

    values = read_tensor(input_file)
    market = open_market_of(session)
    requester = open_requester(
        session.settings,
        session.home,
        {},
        market=market,
        account=account_of(session, "requester", market),
    )
    asked = Model(
        model if model.startswith("did:") else f"{parse_model(model):#x}",
        max_fee=max_fee,
        node=node or "",
        wait_seconds=0.0 if no_wait else WAIT_SECONDS,
        timeout_seconds=timeout,
        requester=requester,
    )
    if dry_run:
        session.console.result(*_plan(asked, values))
        return
    with session.console.progress() as progress:
        found = asked.predict(values, fresh=fresh, progress=progress)
    if output is not None:
        write_tensor(output, found.output)
    if proof is not None:
        write_json(proof, found.proof.to_bytes())
    for warning in _warnings(market, found):
        session.console.note(f"note: {warning}")
    session.console.result(*_describe(asked, found, output, proof))


def _warnings(market: Any, found: Any) -> list[str]:
    from zkml.core.identifiers import VerifierClass
    from zkml.core.records import from_hex

    warnings = [PUBLIC_FOR_EVER]
    if market.router.circuit(from_hex(found.request.circuit_id)).verifier_class == VerifierClass.LOCAL:
        warnings.append(INSECURE_SRS)
    if found.is_resumed:
        warnings.append("an earlier request for this input was taken up: nothing new was signed")
    return warnings


def _describe(asked: Any, found: Any, output: Path | None, proof: Path | None) -> tuple[dict[str, Any], str]:
    receipt, show = found.receipt, asked.requester.market.token.show
    kept = asked.requester.answers / f"{receipt.request_id}.json"
    value = {
        "did": asked.did,
        "verified": True,
        "output": found.output.tolist(),
        "output_integers": found.integers.tolist(),
        "output_file": None if output is None else str(output),
        "proof_file": str(kept if proof is None else proof),
        "circuit_id": found.request.circuit_id,
        "resumed": found.is_resumed,
        "receipt": describe_receipt(receipt, show),
    }
    paid = f"{show(receipt.price)}, of it {show(receipt.prover_fee)} to {receipt.prover}"
    shown = [round(number, 4) for number in found.output.ravel().tolist()]
    lines = [f"output       {shown}", f"{'paid' if receipt.transaction else 'signed':<12} {paid}"]
    lines.append(f"tab          {receipt.tab_id}")
    settled = receipt.transaction or f"none yet: the prover has until {receipt.expiry} to settle"
    lines.append(f"transaction  {settled}")
    return value, "\n".join(lines)


def describe_receipt(receipt: Any, show: Any) -> dict[str, Any]:
    """Return a receipt as JSON, amounts as people read them."""
    return {
        "request": receipt.request_id,
        "tab_id": receipt.tab_id,
        "prover": receipt.prover,
        "price": show(receipt.price),
        "prover_fee": show(receipt.prover_fee),
        "revenue": show(receipt.revenue),
        "platform": show(receipt.platform_amount),
        "expiry": receipt.expiry,
        "opening_transaction": receipt.opening_transaction or None,
        "transaction": receipt.transaction or None,
        "block": receipt.block,
    }


def _plan(asked: Any, values: Any) -> tuple[dict[str, Any], str]:
    """Say what would be signed and sent; the node is asked for its price, and nothing is signed."""
    priced, tab, pays = asked.plan(values)
    market, offer = asked.requester.market, priced.offer
    show = market.token.show
    value = {
        "dry_run": True,
        "transactions": [] if tab else ["LocalPaymentToken.approve", "JobManager.openTab"],
        "did": asked.did,
        "node": priced.node.api.endpoint,
        "prover": offer.prover,
        "circuit_id": "0x" + offer.circuit.circuit_id.hex(),
        "price": show(pays),
        "prover_fee": show(offer.prover_fee),
        "tab_id": tab or None,
        "expected_seconds": offer.expected_seconds if offer.expected_seconds < 1e9 else None,
    }
    first = f"would sign {value['price']} for {offer.prover} at {value['node']}"
    second = f"on tab {tab}" if tab else "on a new tab, by a signature or by JobManager.openTab"
    return value, f"dry run: nothing was signed\n{first}\n{second}"
