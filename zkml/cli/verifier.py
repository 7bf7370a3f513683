"""`zkml verifier`: the verifiers that circuits are pinned to, and what is said of them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zkml.cli.identifiers import parse_digest
from zkml.cli.market_session import account_of, officer_of, open_market_of
from zkml.cli.options import Session, chain_command, sending_command

if TYPE_CHECKING:
    from circuits.verifier_source import VerifierChoice


@click.group("verifier")
def command() -> None:
    """Add, show, attest and tombstone the verifiers of circuits.

    Example: zkml verifier show 0x3d...
    """


@command.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--kind",
    type=click.Choice(["generated", "shared"]),
    default=None,
    help="A verifier of the circuit's own, or the chain's shared one with the circuit's key. EZKL has both, "
    "and by default generated; OCTET has the shared one.",
)
@sending_command
def add(session: Session, bundle: Path, kind: "VerifierChoice | None", dry_run: bool) -> None:
    """Deploy a bundle's verifier and pin its circuit to it. Prints the circuit's id.

    Done before, it does nothing twice.

    Example: zkml verifier add bundles/digits
    """
    from circuits.bundle import Bundle
    from circuits.verifier_source import choose_verifier
    from zkml.cli.proving_system import open_proving_system
    from zkml.publish.verifiers import pin_circuit, warn_of_few_inputs

    opened = Bundle.open(bundle)
    warning = warn_of_few_inputs(opened.manifest)
    if warning:
        session.console.note(f"warning: {warning}")
    market = open_market_of(session)
    account = account_of(session, "publisher", market)
    if dry_run:
        planned, text = _plan(session, market, account, opened, kind)
        session.console.result(planned | {"warning": warning or None}, text)
        return
    system = open_proving_system(session, opened.manifest.system)
    with session.console.progress() as progress:
        pinned = pin_circuit(
            market,
            account,
            opened,
            system,
            kind,
            cache_dir=session.home.verifiers,
            scratch=session.home.publisher,
            progress=progress,
        )
    circuit = "0x" + pinned.circuit_id.hex()
    value = {
        "circuit_id": circuit,
        "kind": choose_verifier(opened.manifest, kind),
        "verifier": pinned.verifier,
        "added_now": pinned.is_new,
        "warning": warning or None,
        **_pins(pinned.spec),
    }
    session.console.result(value, circuit)


def _plan(
    session: Session, market: Any, account: Any, bundle: Any, kind: "VerifierChoice | None"
) -> tuple[dict[str, Any], str]:
    from zkml.cli.plans import describe_plan
    from zkml.publish.plan import plan_circuit

    planned, pending = plan_circuit(market, account.address, bundle, kind, cache_dir=session.home.verifiers)
    value, text = describe_plan(planned)
    value["then"] = pending
    return value, text + "".join(f"\nthen {step}" for step in pending)


@command.command()
@click.argument("circuit")
@chain_command
def show(session: Session, circuit: str) -> None:
    """Print what a circuit is pinned to, its class, who vouches for it, and whether it is tombstoned.

    Example: zkml verifier show 0x3d...
    """
    from verifier_contracts.deployed_verifier import DeployedVerifier

    circuit_id = parse_digest(circuit, "circuit id")
    market = open_market_of(session)
    spec = market.router.circuit(circuit_id)
    block = market.deployment.block
    deployed = DeployedVerifier(spec, market.chain.code, chain_id=market.chain.chain_id)
    model = market.registry.proven_model_of(circuit_id)
    value = {
        "circuit_id": "0x" + circuit_id.hex(),
        "kind": deployed.kind,
        "verifier": deployed.verifier_address,
        **_pins(spec),
        "model_id": None if model is None else f"{model:#066x}",
        "tombstoned": market.router.is_tombstoned(circuit_id),
        "tombstone_reason": market.router.tombstone_reason(circuit_id, from_block=block),
        "attestations": [
            {
                "attester": found.attester,
                "verdict": found.verdict.name.lower(),
                "attested_at": found.attested_at,
                "report": "sha256:" + found.report_digest.hex(),
                "report_uri": found.report_uri,
            }
            for found in market.router.attestations(circuit_id, from_block=block)
        ],
    }
    session.console.result(value, _text(value))


def _pins(spec: Any) -> dict[str, Any]:
    from zkml.core.verifier_classes import class_name

    return {
        "class": class_name(spec.verifier_class),
        "adapter": spec.adapter,
        "adapter_code_hash": "0x" + spec.adapter_code_hash.hex(),
        "verifying_key": "0x" + spec.verifying_key_digest.hex(),
        "weight_commitment": "0x" + spec.weight_commitment.hex() if any(spec.weight_commitment) else None,
        "proof_system": "0x" + spec.proof_system_id.hex(),
        "input": {
            "count": spec.layout.input_count,
            "bytes": spec.layout.input_bytes,
            "min": spec.domain.minimum,
            "max": spec.domain.maximum,
        },
        "output": {"count": spec.layout.output_count, "bytes": spec.layout.output_bytes},
        "gas_limit": spec.gas_limit,
    }


def _text(value: dict[str, Any]) -> str:
    lines = [
        f"{name:<18} {_inline(found)}"
        for name, found in value.items()
        if name != "attestations" and found is not None
    ]
    if not value["attestations"]:
        lines.append(f"{'attestations':<18} none")
    lines += [
        f"{'attestation':<18} {said['verdict']} by {said['attester']}  {said['report']} {said['report_uri']}"
        for said in value["attestations"]
    ]
    return "\n".join(lines)


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {found}" for name, found in value.items())
    return str(value)


@command.command()
@click.argument("circuit")
@click.option("--reason", required=True, help="Why, up to 256 bytes; public for ever.")
@sending_command
def tombstone(session: Session, circuit: str, reason: str, dry_run: bool) -> None:
    """Mark a circuit as unsafe, for ever: none of its proofs counts any more. The guardian may.

    The key is that of the role guardian; on a local chain the deployer's.

    Example: zkml verifier tombstone 0x3d... --reason "verifying key does not match the model"
    """
    circuit_id = parse_digest(circuit, "circuit id")
    market = open_market_of(session)
    account = officer_of(session, "guardian", market)
    if dry_run:
        from zkml.cli.plans import show_preview

        router = market.router.contract
        show_preview(session, market, account.address, router, "tombstone", circuit_id, reason)
        return
    receipt = market.router.tombstone(account, circuit_id, reason)
    value = {
        "circuit_id": "0x" + circuit_id.hex(),
        "tombstoned": True,
        "reason": reason,
        "transaction": receipt.transaction,
    }
    text = f"tombstoned {value['circuit_id']}: transaction {receipt.transaction}"
    session.console.result(value, text)


@command.command()
@click.argument("circuit")
@click.option(
    "--verdict",
    required=True,
    type=click.Choice(["rebuilt", "refuted"]),
    help="Whether the published files give exactly the pinned key.",
)
@click.option(
    "--report", required=True, type=click.Path(path_type=Path), help="Your report; its SHA-256 is attested."
)
@click.option("--report-uri", default="", help="Where the report is published.")
@sending_command
def attest(
    session: Session, circuit: str, verdict: str, report: Path, report_uri: str, dry_run: bool
) -> None:
    """Say in public what you found when you rebuilt a circuit's key; a later word replaces it.

    The key is that of the role attester; on a local chain the deployer's.

    Example: zkml verifier attest 0x3d... --verdict rebuilt --report report.json
    """
    from circuits.file_identity import digest_file
    from verifier_contracts.router import Verdict
    from zkml.core.digests import digest_bytes

    circuit_id = parse_digest(circuit, "circuit id")
    digest = digest_bytes(digest_file(report))
    number = Verdict[verdict.upper()]
    market = open_market_of(session)
    account = officer_of(session, "attester", market)
    if dry_run:
        from zkml.cli.plans import show_preview

        said = (circuit_id, int(number), digest, report_uri)
        show_preview(session, market, account.address, market.router.contract, "attest", *said)
        return
    receipt = market.router.attest(account, circuit_id, number, digest, report_uri)
    value = {
        "circuit_id": "0x" + circuit_id.hex(),
        "attester": account.address,
        "verdict": verdict,
        "report": "sha256:" + digest.hex(),
        "transaction": receipt.transaction,
    }
    session.console.result(value, f"{verdict} by {account.address}: transaction {receipt.transaction}")
