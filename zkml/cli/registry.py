"""`zkml registry`: models on chain."""

from pathlib import Path
from typing import Any

import click

from zkml.cli.console import table
from zkml.cli.identifiers import parse_address, parse_model
from zkml.cli.listing_options import ListingFlags, listing_options, read_listing
from zkml.cli.market_session import account_of, open_market_of
from zkml.cli.options import Session, chain_command, sending_command
from zkml.core.pricing import PPM


@click.group("registry")
def command() -> None:
    """Register models, look them up, and set what their owners may set.

    Example: zkml registry list
    """


@command.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--batch",
    "batches",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A bundle that proves several inputs of the model at once; up to three times.",
)
@click.option(
    "--seal",
    "is_sealed",
    is_flag=True,
    help="Encrypt the ONNX file to be sold, and close the model; its key is kept in the home.",
)
@listing_options
@sending_command
def register(
    session: Session,
    bundle: Path,
    batches: tuple[Path, ...],
    is_sealed: bool,
    flags: ListingFlags,
    dry_run: bool,
) -> None:
    """Publish a circuit bundle: verifier, registration and genesis proof. Prints the model's id.

    Interrupted, it goes on where it stopped; done, it does nothing twice. With --seal the model can be
    offered later (`zkml imo open`): back the key up, for without it the offering's bond is lost.

    Example: zkml registry register bundles/digits --model-fee 0.5
    """
    from circuits.bundle import Bundle
    from circuits.verifier_source import check_chain_verifier
    from zkml.cli.proving_system import open_proving_system
    from zkml.cli.sealing import Sealing
    from zkml.publish.publication import publish
    from zkml.wiring import open_store

    if is_sealed and flags.closed:
        raise click.UsageError("--seal makes a key of its own: leave --closed out")
    opened = Bundle.open(bundle)
    check_chain_verifier(opened)  # before a key is made or a file sealed
    others = [Bundle.open(path) for path in batches]
    market = open_market_of(session)
    listing = read_listing(flags, market.token)
    account = account_of(session, "publisher", market)
    sealing = Sealing.of(session, market, account.address, opened) if is_sealed else None
    if dry_run:
        session.console.result(*_plan(session, market, account, opened, others, listing, sealing))
        return
    system = open_proving_system(session, opened.manifest.system)
    if sealing is not None:
        listing = sealing.seal(session, listing)
    with session.console.progress() as progress:
        published = publish(
            market,
            account,
            opened,
            system,
            open_store(session.home),
            cache_dir=session.home.verifiers,
            scratch=session.home.publisher,
            listing=listing,
            batches=others,
            progress=progress,
        )
    model = f"{published.model_id:#066x}"
    if not published.is_new:
        session.console.note("note: it was registered before; `zkml registry show` prints its terms")
    value = {
        "model_id": model,
        "circuit_id": "0x" + published.circuit.circuit_id.hex(),
        "circuit_ids": ["0x" + circuit.circuit_id.hex() for circuit in published.circuits],
        "verifier": published.circuit.verifier,
        "adapter": published.circuit.spec.adapter,
        "manifest_cid": published.manifest_cid,
        "registered_now": published.is_new,
        "genesis_transaction": published.genesis_transaction,
        "genesis_transactions": list(published.genesis_transactions),
        "sealed": None if sealing is None else sealing.as_json(),
    }
    session.console.result(value, model)


def _plan(
    session: Session, market: Any, account: Any, bundle: Any, batches: list[Any], listing: Any, sealing: Any
) -> tuple[dict[str, Any], str]:
    from zkml.cli.model_description import describe_terms, text_of
    from zkml.cli.plans import describe_plan
    from zkml.publish.plan import plan_publication

    if sealing is not None:
        listing = sealing.planned(listing)
    planned, pending = plan_publication(
        market,
        account.address,
        bundle,
        cache_dir=session.home.verifiers,
        listing=listing,
        batches=batches,
    )
    value, text = describe_plan(planned)
    pending = [*([] if sealing is None else sealing.steps()), *pending]
    value["then"] = list(pending)
    value["asked_for"] = {
        "name": bundle.manifest.name,
        "licence": listing.licence,
        "closed": any(listing.key_commitment),
        **describe_terms(listing.fees, listing.derivatives, listing.parents, market.token.show),
    }
    lines = [f"then {step}" for step in pending]
    return value, "\n".join([text, *lines, "asked for:", text_of(value["asked_for"])])


@command.command()
@click.argument("model")
@chain_command
def show(session: Session, model: str) -> None:
    """Print what a model committed to, its status and terms, and what its verifiers are worth.

    Example: zkml registry show 0x1f...
    """
    from zkml.cli.model_description import describe_model

    market = open_market_of(session)
    session.console.result(*describe_model(market, parse_model(model)))


@command.command(name="list")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="Newest models.")
@chain_command
def list_(session: Session, limit: int) -> None:
    """List the registered models, oldest first.

    Example: zkml registry list --json
    """
    from zkml.cli.model_description import printable

    market = open_market_of(session)
    found = list(market.registry.registrations(from_block=market.deployment.block))[-limit:]
    models = [
        {
            "model_id": f"{entry.model_id:#066x}",
            "name": printable(entry.name),
            "status": market.registry.status_of(entry.model_id).name,
            "publisher": entry.publisher,
        }
        for entry in found
    ]
    rows = [[model["name"], model["status"], model["model_id"], model["publisher"]] for model in models]
    session.console.result({"models": models}, table(["name", "status", "model", "publisher"], rows))


@command.command(name="set-fee")
@click.argument("model")
@click.option("--model-fee", help="What each output costs, in whole tokens.")
@click.option("--min-model-fee", help="What it will never cost less than; this can only rise.")
@click.option(
    "--min-model-fee-part",
    type=click.IntRange(0, PPM // 2),
    help="Least model fee as a part of the price, in millionths; this can only rise.",
)
@sending_command
def set_fee(
    session: Session,
    model: str,
    model_fee: str | None,
    min_model_fee: str | None,
    min_model_fee_part: int | None,
    dry_run: bool,
) -> None:
    """Set what a model asks of jobs and tabs that open from now on; what is not given stays.

    Example: zkml registry set-fee 0x1f... --model-fee 0.25
    """
    number = parse_model(model)
    market = open_market_of(session)
    terms = market.registry.fee_terms_of(number)
    given = {
        "model_fee": None if model_fee is None else market.token.parse(model_fee),
        "min_model_fee": None if min_model_fee is None else market.token.parse(min_model_fee),
        "min_model_fee_ppm": min_model_fee_part,
    }
    changed = terms._replace(**{name: found for name, found in given.items() if found is not None})
    _move(session, market, number, dry_run, "setFeeTerms", (number, tuple(changed)))


@command.command(name="set-derivatives")
@click.argument("model")
@click.option("--allow/--refuse", default=None, help="Whether models may declare this one as their parent.")
@click.option("--rate", type=click.IntRange(0, PPM // 2), help="Least part of income, in millionths.")
@click.option("--min-fee", help="Least model fee of a derivative, in whole tokens.")
@click.option(
    "--min-fee-part", type=click.IntRange(0, PPM // 2), help="As a part of the price, in millionths."
)
@sending_command
def set_derivatives(
    session: Session,
    model: str,
    allow: bool | None,
    rate: int | None,
    min_fee: str | None,
    min_fee_part: int | None,
    dry_run: bool,
) -> None:
    """Set what derivatives declared from now on owe; what is not given stays.

    Example: zkml registry set-derivatives 0x1f... --rate 50000
    """
    number = parse_model(model)
    market = open_market_of(session)
    terms = market.registry.derivative_terms_of(number)
    given = {
        "derivatives_allowed": allow,
        "min_rate_ppm": rate,
        "min_model_fee": None if min_fee is None else market.token.parse(min_fee),
        "min_model_fee_ppm": min_fee_part,
    }
    changed = terms._replace(**{name: found for name, found in given.items() if found is not None})
    _move(session, market, number, dry_run, "setDerivativeTerms", (number, tuple(changed)))


@command.command()
@click.argument("model")
@click.argument("prover")
@click.option("--revoke", is_flag=True, help="Take the access back.")
@sending_command
def grant(session: Session, model: str, prover: str, revoke: bool, dry_run: bool) -> None:
    """Let a prover prove a closed model, or no longer.

    Example: zkml registry grant 0x1f... 0x70997970C51812dc3A010C7d01b50e0d17dc79C8
    """
    number = parse_model(model)
    account = parse_address(prover, "a prover")
    market = open_market_of(session)
    _move(session, market, number, dry_run, "setAccess", (number, account, not revoke))


@command.command(name="open")
@click.argument("model")
@sending_command
def open_(session: Session, model: str, dry_run: bool) -> None:
    """Open a closed model to every prover, for ever.

    Example: zkml registry open 0x1f...
    """
    number = parse_model(model)
    _move(session, open_market_of(session), number, dry_run, "openModel", (number,))


@command.command()
@click.argument("model")
@sending_command
def retire(session: Session, model: str, dry_run: bool) -> None:
    """Retire a PROVEN model, for ever: no new jobs, no claims; what is claimed still settles.

    Example: zkml registry retire 0x1f... --dry-run
    """
    number = parse_model(model)
    _move(session, open_market_of(session), number, dry_run, "retire", (number,))


def _move(
    session: Session, market: Any, model: int, dry_run: bool, function: str, arguments: tuple[Any, ...]
) -> None:
    """Make one of the owner's moves, or show what it would do."""
    from zkml.cli.plans import show_preview

    account = account_of(session, "publisher", market)
    registry = market.registry.contract
    if dry_run:
        show_preview(session, market, account.address, registry, function, *arguments)
        return
    receipt = registry.transact(account, function, *arguments)
    value = {
        "model_id": f"{model:#066x}",
        "status": market.registry.status_of(model).name,
        "transaction": receipt.transaction,
    }
    session.console.result(value, f"{function} of {value['model_id']}: transaction {receipt.transaction}")
