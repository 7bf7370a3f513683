"""`zkml registry`: models on chain."""

import os
from pathlib import Path
from typing import Any

import click

from zkml.cli.console import table
from zkml.cli.options import Session, chain_command, sending_command
from zkml.errors import ConfigError


@click.group("registry")
def command() -> None:
    """Register models and look them up.

    Example: zkml registry list
    """


def parse_model(text: str) -> int:
    """Read a model id: decimal, or hexadecimal with 0x.

    Raises:
        ConfigError: neither.
    """
    try:
        number = int(text, 16) if text.startswith("0x") else int(text)
    except ValueError as error:
        raise ConfigError(
            f"expected a model id (0x... or decimal), found {text!r:.80}",
            hint="list them: zkml registry list",
        ) from error
    if not 0 <= number < 1 << 256:
        raise ConfigError(f"expected a model id of at most 256 bits, found {text!r:.100}")
    return number


def open_market_of(session: Session) -> Any:
    """Connect to the chain and bind its deployment."""
    from zkml.wiring import open_chain, open_market

    return open_market(session.home, open_chain(session.settings, session.home))


def account_of(session: Session, role: str, market: Any) -> Any:
    """Load the account of a role."""
    from zkml.wiring import account_for

    is_local = market.chain.is_local
    return account_for(role, session.settings, session.home, is_local=is_local, environment=os.environ)


@command.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@sending_command
def register(session: Session, bundle: Path, dry_run: bool) -> None:
    """Publish a circuit bundle: verifier, registration and genesis proof. Prints the model's id.

    Interrupted, it goes on where it stopped; done, it does nothing twice.

    Example: zkml registry register bundles/digits
    """
    from circuits.bundle import Bundle
    from zkml.cli.circuit import open_proving_system
    from zkml.publish.publication import publish
    from zkml.wiring import open_store

    opened = Bundle.open(bundle)
    market = open_market_of(session)
    account = account_of(session, "publisher", market)
    if dry_run:
        session.console.result(*_plan(market, account, opened, session))
        return
    system = open_proving_system(session, opened.manifest.system)
    with session.console.progress() as progress:
        published = publish(
            market,
            account,
            opened,
            system,
            open_store(session.home),
            cache_dir=session.home.verifiers,
            scratch=session.home.publisher,
            progress=progress,
        )
    model = f"{published.model_id:#066x}"
    value = {
        "model_id": model,
        "circuit_id": "0x" + published.circuit.circuit_id.hex(),
        "verifier": published.circuit.verifier,
        "adapter": published.circuit.spec.adapter,
        "manifest_cid": published.manifest_cid,
        "registered_now": published.is_new,
        "genesis_transaction": published.genesis_transaction,
    }
    session.console.result(value, model)


def _plan(market: Any, account: Any, bundle: Any, session: Session) -> tuple[dict[str, Any], str]:
    from zkml.cli.plans import describe_plan
    from zkml.publish.publication import plan_publication

    planned, pending = plan_publication(market, account.address, bundle, cache_dir=session.home.verifiers)
    value, text = describe_plan(planned)
    value["then"] = list(pending)
    return value, text + "".join(f"\nthen {step}" for step in pending)


def _class_name(number: int) -> str:
    from zkml.core.identifiers import VerifierClass

    return VerifierClass.NAMES[number]


@command.command()
@click.argument("model")
@chain_command
def show(session: Session, model: str) -> None:
    """Print what a model committed to, its status and what its verifier is worth.

    Example: zkml registry show 0x1f...
    """
    market = open_market_of(session)
    number = parse_model(model)
    commitment = market.registry.commitment_of(number)
    spec = market.router.circuit(commitment.circuit_id)
    value = {
        "model_id": f"{number:#066x}",
        "name": _printable(commitment.name),
        "status": market.registry.status_of(number).name,
        "owner": market.registry.owner_of(number),
        "circuit_id": "0x" + commitment.circuit_id.hex(),
        "class": _class_name(spec.verifier_class),
        "onnx": "sha256:" + commitment.onnx_digest.hex(),
        "settings": "sha256:" + commitment.settings_digest.hex(),
        "manifest": "sha256:" + commitment.manifest_digest.hex(),
        "manifest_cid": _printable(commitment.manifest_cid, 128),
        "verifying_key": "sha256:" + spec.verifying_key_digest.hex(),
        "adapter": spec.adapter,
        "adapter_code_hash": "0x" + spec.adapter_code_hash.hex(),
        "input": {"count": spec.layout.input_count, "min": spec.domain.minimum, "max": spec.domain.maximum},
        "output": {"count": spec.layout.output_count},
        "gas_limit": spec.gas_limit,
    }
    session.console.result(value, "\n".join(f"{name:<18} {found}" for name, found in value.items()))


@command.command(name="list")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="Newest models.")
@chain_command
def list_(session: Session, limit: int) -> None:
    """List the registered models, oldest first.

    Example: zkml registry list --json
    """
    market = open_market_of(session)
    found = list(market.registry.registrations(from_block=market.deployment.block))[-limit:]
    models = [
        {
            "model_id": f"{entry.model_id:#066x}",
            "name": _printable(entry.name),
            "status": market.registry.status_of(entry.model_id).name,
            "publisher": entry.publisher,
        }
        for entry in found
    ]
    rows = [[model["name"], model["status"], model["model_id"], model["publisher"]] for model in models]
    session.console.result({"models": models}, table(["name", "status", "model", "publisher"], rows))


def _printable(text: str, longest: int = 64) -> str:
    """Strangers choose names; what moves a terminal's cursor is left out."""
    return "".join(letter for letter in text if letter.isprintable())[:longest]
