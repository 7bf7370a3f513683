"""`zkml tab sign`, `verify` and `settle`: signed requests and their answers, as files."""

from pathlib import Path
from typing import Any

import click

from zkml.cli.identifiers import parse_digest
from zkml.cli.inputs import read_file, write_json
from zkml.cli.job_open import packed_input_of, trusted_classes
from zkml.cli.market_session import account_of, open_market_of
from zkml.cli.options import Session, chain_command, sending_command
from zkml.errors import ProofRejectedError

_REQUEST = click.argument("request", type=click.Path(path_type=Path))
_PROOF = click.argument("proof", type=click.Path(path_type=Path))


def parse_tab(text: str) -> bytes:
    """Read a tab id: 0x and 64 hexadecimal digits.

    Raises:
        ConfigError: something else.
    """
    return parse_digest(text, "tab id")


@click.command()
@click.argument("tab")
@click.option(
    "--input", "input_file", required=True, type=click.Path(path_type=Path), help=".json or .npy file."
)
@click.option("--fee", required=True, help="What the prover earns, in whole tokens, e.g. 0.5.")
@click.option("--model-fee", help="What the model gets, in whole tokens; default: the least.")
@click.option("--max-total", help="The most that may be drawn from the tab; default: the price as it is.")
@click.option(
    "--within", type=click.IntRange(min=1), default=900, show_default=True, help="Seconds it may be settled."
)
@click.option("--circuit", metavar="ID", help="One of the model's circuits [its first].")
@click.option("--out", type=click.Path(path_type=Path), help="Where to write the request [printed].")
@sending_command
def sign(
    session: Session,
    tab: str,
    input_file: Path,
    fee: str,
    model_fee: str | None,
    max_total: str | None,
    within: int,
    circuit: str | None,
    out: Path | None,
    dry_run: bool,
) -> None:
    """Sign a request on TAB, for its prover to answer. Sends nothing; no nonce is ever signed twice.

    Whoever has the file and a proof can have it paid. A proof of OCTET has to be bound to the `context`
    that --json shows: zkml circuit prove --context.

    Example: zkml tab sign 0x5c... --input input.json --fee 0.5 --out request.json
    """
    from zkml.client import RequestJournal, checked_tab, sign_request
    from zkml.client.answers import read_request
    from zkml.core.pricing import least_model_fee, signed_payment
    from zkml.core.records import to_hex

    market = open_market_of(session)
    account = account_of(session, "requester", market)
    tab_id = parse_tab(tab)
    facts = checked_tab(market, tab_id)
    units = market.token.parse(fee)
    to_model = least_model_fee(facts.quote, units) if model_fee is None else market.token.parse(model_fee)
    price = signed_payment(facts.quote, to_model, units).price
    asked = {
        "tab_id": tab_id,
        "packed_input": packed_input_of(session, market, facts.model_id, input_file),
        "prover_fee": units,
        "max_total": price if max_total is None else market.token.parse(max_total),
        "expiry": min(market.chain.now() + within, facts.expiry),
        "accepted_classes": trusted_classes(session, market),
        "model_fee": to_model,
        "circuit_id": None if circuit is None else parse_digest(circuit, "circuit id"),
    }
    if dry_run:
        session.console.result(*_plan_sign(market, account.address, asked, price))
        return
    record = sign_request(market, account, RequestJournal(session.home.client / "tabs"), **asked)
    if out is not None:
        write_json(out, record.to_bytes())
    value = {
        "request": record.model_dump(mode="json"),
        "price": market.token.show(price),
        "context": to_hex(market.tabs.context_of(read_request(market, record), facts.prover)),
        "file": None if out is None else str(out),
    }
    text = record.to_bytes().decode() if out is None else f"{out}  nonce {record.nonce}, {value['price']}"
    session.console.result(value, text)


def _plan_sign(market: Any, signer: str, asked: dict[str, Any], price: int) -> tuple[dict[str, Any], str]:
    value = {
        "dry_run": True,
        "transactions": [],
        "tab_id": "0x" + asked["tab_id"].hex(),
        "signer": signer,
        "price": market.token.show(price),
        "expiry": asked["expiry"],
    }
    return value, f"dry run: nothing was signed\nwould sign {value['price']} from {value['tab_id']}"


@click.command()
@_REQUEST
@_PROOF
@chain_command
def verify(session: Session, request: Path, proof: Path) -> None:
    """Verify a prover's answer here, and print the proved output.

    REQUEST is what `tab sign` wrote, PROOF what `circuit prove` writes.

    Example: zkml tab verify request.json proof.json
    """
    market = open_market_of(session)
    answer, _ = _verified(session, market, request, _read(proof))
    value = {
        "verified": True,
        "request": "0x" + answer.digest.hex(),
        "output_integers": list(answer.elements),
        "output": None if answer.values is None else list(answer.values),
        "prover": answer.prover,
        "price": market.token.show(answer.payment.price),
    }
    shown = answer.elements if answer.values is None else [round(found, 4) for found in answer.values]
    session.console.result(value, f"output       {list(shown)}\nprice        {value['price']}")


@click.command()
@_REQUEST
@_PROOF
@sending_command
def settle(session: Session, request: Path, proof: Path, dry_run: bool) -> None:
    """Have an answer paid: the tab's prover is credited, whoever sends it.

    The proof is verified here first. What it shows is public on chain, for ever.

    Example: zkml tab settle request.json proof.json --dry-run
    """
    from marketplace.tab_plans import TabPlans
    from zkml.cli.plans import describe_moves
    from zkml.core.records import from_hex

    market = open_market_of(session)
    account = account_of(session, "prover", market)
    found = _read(proof)
    answer, record = _verified(session, market, request, found)
    given = (answer.request, from_hex(record.signature), tuple(_proved(found)))
    if dry_run:
        plan = TabPlans(market.tabs).settle_signed(account.address, *given)
        session.console.result(*describe_moves([plan], market.token.show))
        return
    receipt = market.tabs.settle_signed(account, *given)
    value = {
        "request": "0x" + answer.digest.hex(),
        "prover": answer.prover,
        "prover_fee": market.token.show(answer.payment.prover_fee),
        "price": market.token.show(answer.payment.price),
        "transaction": receipt.transaction,
    }
    session.console.result(value, f"{value['prover_fee']} credited to {answer.prover}")


def _read(path: Path) -> Any:
    from zkml.core.records import ProofFile

    return ProofFile.from_bytes(read_file(path), where=str(path))


def _proved(found: Any) -> Any:
    """Return input, output and proof of a proof file."""
    from zkml.client import Proved
    from zkml.core.records import from_hex

    return Proved(from_hex(found.input), from_hex(found.output), from_hex(found.proof))


def _verified(session: Session, market: Any, request: Path, proof: Any) -> tuple[Any, Any]:
    from circuits.proof_binding import check_context
    from zkml.client import verify_answer
    from zkml.client.answers import read_request
    from zkml.core.records import NO_CONTEXT, SignedRequestRecord, to_hex
    from zkml.wiring import open_store

    record = SignedRequestRecord.from_bytes(read_file(request), where=str(request))
    asked = read_request(market, record)
    context = market.tabs.context_of(asked, market.tabs.facts(asked.tab_id).prover)
    if proof.context != NO_CONTEXT:
        check_context(proof, context)
    try:
        answer = verify_answer(
            market,
            record,
            _proved(proof),
            accepted_classes=trusted_classes(session, market),
            store=open_store(session.home),
        )
    except ProofRejectedError as error:
        hint = f"OCTET proves for one request, this one with: zkml circuit prove --context {to_hex(context)}"
        raise ProofRejectedError(error.message, hint=hint) from error
    return answer, record
