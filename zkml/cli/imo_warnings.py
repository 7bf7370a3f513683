"""What is doubtful about an offering, as far as the chain and this home show: said before anybody pays."""

from typing import Any

from zkml.cli.options import Session
from zkml.core.pricing import PPM

_GAS_OF_INPUT = 160
_GAS_BESIDES = 1_000_000


def warn_buyer(session: Session, market: Any, facts: Any) -> None:
    """Say on stderr what somebody who buys must know."""
    for warning in [*warnings_of_offering(market, facts), *_missing(session, market, facts.model_id)]:
        session.console.note(f"warning: {warning}")


def warnings_of_offering(market: Any, facts: Any) -> list[str]:
    """Return what is doubtful about an offering that is not decided; see `warnings_of`."""
    fixed = facts.fixed_weights and not facts.revealed_at
    return warnings_of(market, facts.creator, facts.guardian, facts.model_id, fixed=fixed)


def warnings_of(market: Any, creator: str, guardian: str, model: int, *, fixed: bool) -> list[str]:
    """Return what is doubtful about an offering, judged by the chain alone.

    Args:
        market: chain and contracts.
        creator: who offers.
        guardian: of the offering.
        model: what is offered.
        fixed: whether the verifying key binds the weights, and nobody has seen them yet.
    """
    from zkml.adapters.evm.gas import MAX_TRANSACTION_GAS
    from zkml.core.revenue import holders_ppm

    warnings = []
    if fixed:
        warnings.append(
            "fixed weights: nobody outside can rebuild the verifying key before the reveal, so until then "
            "buyers rely on the bond alone"
        )
    part = holders_ppm(market.ledger.split_of(model))
    if part < PPM // 2:
        warnings.append(
            f"only {percent(part)} of the model's income are its holders': parents and others have the rest"
        )
    if _release_gas(market, model) > MAX_TRANSACTION_GAS:
        warnings.append(
            "the release may need more gas than a transaction can have: then nobody can finalize, and the "
            "bond is lost"
        )
    relation = _relation(market, creator, guardian, model)
    if relation:
        warnings.append(f"the guardian {guardian} {relation}: it may not act against the creator")
    elif market.chain.balance_wei(guardian) == 0:
        warnings.append(f"the guardian {guardian} has no ether: as it is, it cannot send its word")
    for found in _self_styled(market, model):
        warnings.append(
            f"model {found:#066x} calls itself the next version of this one, and owes its holders nothing"
        )
    return warnings


def percent(ppm: int) -> str:
    """Write millionths as a percentage."""
    return f"{ppm * 100 / PPM:g} %"


def unclaimed_lineage(market: Any, model: int) -> int:
    """Return what a model has earned by its descendants that nobody has moved to it."""
    return sum(
        market.ledger.lineage_due(declared.child_id, model)
        for declared in market.lineage.declarations()
        if any(share.model_id == model for share in declared.shares)
    )


def _release_gas(market: Any, model: int) -> int:
    """Return what finalizing costs at most: verifying, drawing the input, and everything besides."""
    circuit = market.router.circuit(market.registry.commitment_of(model).circuit_id)
    return int(circuit.gas_limit + _GAS_OF_INPUT * circuit.layout.input_count + _GAS_BESIDES)


def _relation(market: Any, creator: str, guardian: str, model: int) -> str:
    """Return how a guardian belongs to the creator, as far as the chain shows; else nothing."""
    if guardian == creator:
        return "is the creator"
    if guardian == market.registry.publisher_of(model):
        return "is the model's publisher"
    if guardian == market.registry.account_of(model):
        return "is the model's own account"
    if any(creator == found.terms.guardian for found in market.offerings.events.offerings(creator=guardian)):
        return "offers a model whose guardian is this creator"
    return ""


def _self_styled(market: Any, model: int) -> list[int]:
    """Return the models that name this one as their predecessor, but not as a parent."""
    return [
        found.model_id
        for found in market.registry.registrations(from_block=market.deployment.block)
        if found.commitment.predecessor == model
        and not any(parent.model_id == model for parent in market.lineage.parents_of(found.model_id))
    ]


def _missing(session: Session, market: Any, model: int) -> list[str]:
    """Return what is not here that a rebuild of the verifying key will need."""
    from circuits.bundle import VERIFYING_ROLES
    from circuits.srs import SrsStore
    from zkml.audit.offchain import find_srs
    from zkml.client import fetch_manifest
    from zkml.errors import ArtifactError, ZkmlError
    from zkml.wiring import open_store

    store = open_store(session.home)
    try:
        manifest = fetch_manifest(market.registry.commitment_of(model), store)
    except ArtifactError:
        return ["the model's manifest is not in this home, and needed to judge the reveal: zkml model fetch"]
    files = {role: manifest.files.get(role) for role in VERIFYING_ROLES}
    absent = [str(role) for role, entry in files.items() if entry is None or not store.has(entry.cid)]
    try:
        find_srs(manifest, store, SrsStore(session.home.srs))
    except ZkmlError:
        absent.append("srs")
    if not absent:
        return []
    return [f"not in this home: {', '.join(absent)}, to rebuild the verifying key with: zkml model fetch"]
