"""`zkml imo finalize`: the fresh proof that releases an offering, and what it releases."""

from pathlib import Path
from typing import Any

import click

from zkml.cli.imo_session import check_offering, find_offering
from zkml.cli.imo_steps import describe_timed
from zkml.cli.imo_times import describe_span
from zkml.cli.market_session import account_of, open_market_of
from zkml.cli.options import Session, sending_command
from zkml.errors import BindingError, ConfigError


@click.command()
@click.argument("offering")
@click.option("--bundle", type=click.Path(path_type=Path), help="The model's circuit bundle: proves it here.")
@click.option(
    "--proof", "proof_file", type=click.Path(path_type=Path), help="A proof of the release's input instead."
)
@sending_command
def finalize(
    session: Session, offering: str, bundle: Path | None, proof_file: Path | None, dry_run: bool
) -> None:
    """Release OFFERING by a fresh proof, once lock and challenge time are over. Anyone may.

    The input is what the chain drew at the soft lock and the reveal. The proof is made from the bundle and
    verified here, and kept in the home until it is sent: an interrupted run proves nothing twice. A given
    proof is tried by the chain before it is sent; with --bundle, here as well.

    Example: zkml imo finalize 1 --bundle bundles/digits
    """
    from marketplace.offering_plans import OfferingPlans
    from zkml.core.offering_machine import OfferingOutcome
    from zkml.core.records import from_hex

    if bundle is None and proof_file is None:
        raise ConfigError(
            "expected --bundle or --proof, found neither", hint="the bundle that the model was published from"
        )
    market = open_market_of(session)
    account = account_of(session, "publisher", market)
    facts = find_offering(market, offering)
    if facts.outcome is OfferingOutcome.TRADING:
        _finish(session, market, facts, None, "it was released before")
        return
    check_offering(market, facts, "finalize")
    packed = market.offerings.release_input(facts.offering_id)
    proof = _proof(session, market, facts, packed, bundle, proof_file)
    released, text = describe_release(facts, market.token.show)
    said = (facts.offering_id, from_hex(proof.output), from_hex(proof.proof))
    if dry_run:
        plan = OfferingPlans(market.offerings).finalize(account.address, *said)
        value, lines = describe_timed([plan], market.token.show)
        session.console.result({**value, "releases": released}, f"{lines}\n{text}")
        return
    session.console.note(text)
    receipt = market.offerings.finalize(account, *said)
    _kept(session, market, facts.offering_id).unlink(missing_ok=True)
    _finish(session, market, facts, receipt, "released", releases=released)


def describe_release(facts: Any, show: Any) -> tuple[dict[str, Any], str]:
    """Return what a release moves, as JSON and as text.

    Args:
        facts: of the offering.
        show: writes an amount for people; see `PaymentToken.show`.
    """
    from zkml.core.offering_money import SHARE, seed_of, show_shares

    seed = seed_of(facts.public_shares, facts.price, facts.seed_ppm)
    rest = facts.creator_shares * SHARE - seed.shares
    value = {
        "public_shares": facts.public_shares,
        "seed_money": show(seed.money),
        "seed_shares": show_shares(seed.shares),
        "vesting_money": show(facts.raise_total - seed.money),
        "vesting_shares": show_shares(rest),
        "bond": show(facts.bond),
    }
    lines = [
        f"free         {facts.public_shares} shares of the holders",
        (
            f"pool         {value['seed_money']} and {value['seed_shares']} shares, liquidity locked for "
            f"{describe_span(facts.lp_lock_seconds)}"
        ),
        (
            f"vesting      {value['vesting_money']} and {value['vesting_shares']} shares to {facts.creator} "
            f"over {describe_span(facts.vesting_seconds)}"
        ),
        f"bond         {value['bond']} credited to {facts.creator}",
    ]
    return value, "\n".join(lines)


def _kept(session: Session, market: Any, number: int) -> Path:
    """Return where the proof of a release lies until it is sent."""
    folder: Path = session.home.publisher
    return folder / f"release-{market.chain.chain_id}-{market.offerings.address}-{number}.proof.json"


def _proof(
    session: Session, market: Any, facts: Any, packed: bytes, bundle: Path | None, proof_file: Path | None
) -> Any:
    """Return the proof to send: given, kept by a run before, or made now; verified if there is a bundle."""
    from circuits.proof_binding import check_context
    from circuits.proof_files import read_proof_file
    from circuits.verification import verify_proof
    from zkml.core.records import NO_CONTEXT, to_hex

    opened = None if bundle is None else _opened(market, facts, bundle)
    kept = _kept(session, market, facts.offering_id)
    if proof_file is not None:
        proof = read_proof_file(proof_file)
    elif kept.exists() and _is_of(found := read_proof_file(kept), facts, packed):
        session.console.note(f"note: a proof that was made before is used: {kept}")
        proof = found
    else:
        proof = _made(session, facts, opened, packed, kept)
    if proof.input != to_hex(packed):
        raise BindingError(
            f"expected a proof of the input {to_hex(packed):.70}..., found one of {proof.input:.70}...",
            hint="the chain draws it at the soft lock and the reveal: prove it with --bundle",
        )
    if proof.context != NO_CONTEXT:
        check_context(proof, facts.seed)
    if opened is not None:
        verify_proof(opened, proof, context=facts.seed)
    return proof


def _is_of(proof: Any, facts: Any, packed: bytes) -> bool:
    """Say whether a proof is of this release, as far as it says itself."""
    from zkml.core.records import NO_CONTEXT, to_hex

    return proof.input == to_hex(packed) and proof.context in (NO_CONTEXT, to_hex(facts.seed))


def _opened(market: Any, facts: Any, bundle: Path) -> Any:
    """Open a bundle, and check that it is the one that the model was published from."""
    from circuits.bundle import Bundle
    from zkml.core.digests import digest_bytes

    opened = Bundle.open(bundle)
    commitment = market.registry.commitment_of(facts.model_id)
    if digest_bytes(opened.manifest_digest) != commitment.manifest_digest:
        raise BindingError(
            f"expected the bundle of model {facts.model_id:#x}, found another one in {bundle}",
            hint="its manifest's digest stands on chain: zkml registry show",
        )
    return opened


def _made(session: Session, facts: Any, opened: Any, packed: bytes, kept: Path) -> Any:
    from circuits.single_proof import prove_input
    from zkml.adapters.atomic_write import write_atomically
    from zkml.cli.proving_system import open_proving_system

    system = open_proving_system(session, opened.manifest.system)
    witness = kept.with_suffix(".witness.json")
    with session.console.progress() as progress:
        proof = prove_input(opened, system, packed, witness, context=facts.seed, progress=progress)
    write_atomically(kept, proof.to_bytes())
    return proof


def _finish(session: Session, market: Any, facts: Any, receipt: Any, said: str, **more: Any) -> None:
    from zkml.core.offering_money import show_shares

    number = facts.offering_id
    pool = market.offerings.pool_of(facts)
    reserves = pool.reserves()
    value = {
        "offering": number,
        "status": market.offerings.status(number).name,
        "pool": pool.address,
        "pool_money": market.token.show(reserves.money),
        "pool_shares": show_shares(reserves.shares),
        "transaction": receipt.transaction if receipt else None,
        **more,
    }
    text = f"{said}: the pool {pool.address} has {value['pool_money']} and {value['pool_shares']} shares"
    session.console.result(value, text)
