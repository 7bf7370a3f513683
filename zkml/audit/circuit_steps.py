"""Steps 0 and 2 of every audit: the contracts are the ones we know, the circuit is pinned and alive."""

from verifier_contracts.artifacts import load_artifact
from zkml.audit.chain_reader import CONTRACTS, ChainReader
from zkml.audit.policy import INSECURE_SRS
from zkml.audit.proof_case import ProofCase
from zkml.core.identifiers import VerifierClass
from zkml.core.records import to_hex
from zkml.core.verifier_classes import class_name
from zkml.errors import (
    BindingError,
    EvidenceUnavailableError,
    UnsuitableCircuitError,
    VerifierMismatchError,
)

_NAMED_BY = {
    "manager": ("registry", "router", "ledger", "provers", "admin"),
    "ledger": ("registry", "lineage", "admin", "token"),
    "provers": ("token", "admin"),
    "lineage": ("registry",),
    "router": ("admin",),
}
"""Which contracts name which others: they must be one deployment."""


def check_contracts(reader: ChainReader) -> None:
    """Check that the deployment's contracts run the code shipped with zkml, and name each other.

    Raises:
        VerifierMismatchError: other code.
        BindingError: they are not one deployment.
    """
    contracts = reader.contracts
    for part, artifact in CONTRACTS.items():
        address = getattr(contracts, part)
        load_artifact(artifact).verify_code(reader.chain.code(address), where=address)
    for part, others in _NAMED_BY.items():
        for name in others:
            (found,) = reader.view(part, name)
            expected = getattr(contracts, name)
            if found != expected:
                raise BindingError(f"expected the {part}'s {name} at {expected}, found {found}")


def circuit_is_pinned(case: ProofCase) -> str:
    """Step 2: circuit id re-derived, class within policy, code on chain as pinned, no tombstone before."""
    spec, chain_id = case.spec, case.reader.chain.chain_id
    try:
        case.policy.check_class(spec.verifier_class, chain_id)
    except UnsuitableCircuitError as error:
        raise VerifierMismatchError(error.message, hint=error.hint) from error
    if not case.verifier.is_shipped_adapter:
        case.notes.append("the circuit's adapter is not the one that comes with this version of zkml")
    check_tombstone(case, case.circuit_id)
    if spec.verifier_class == VerifierClass.LOCAL:
        case.notes.append(INSECURE_SRS)
        return f"class local: {INSECURE_SRS}"
    return f"class {class_name(spec.verifier_class)}"


def check_tombstone(case: ProofCase, circuit_id: bytes) -> None:
    """Note a circuit that was tombstoned after its proof was paid.

    Raises:
        BindingError: it was tombstoned before: the router accepts no proof of it any more.
        EvidenceUnavailableError: event and answer of the endpoint contradict each other.
    """
    tombstone = case.tombstone(circuit_id)
    if case.reader.is_tombstoned(circuit_id) is not (tombstone is not None):
        raise EvidenceUnavailableError(
            f"expected the router to agree with its events on circuit {to_hex(circuit_id)}, found that "
            "only one of them calls it tombstoned",
            hint="the endpoint contradicts itself, or keeps logs back: ask another",
        )
    if tombstone is None:
        return
    reason = tombstone.arguments["reason"]
    if case.was_settled_after(tombstone):
        raise BindingError(
            f"expected no settlement of a tombstoned circuit, found one in {case.ending.log.transaction}"
        )
    case.notes.append(f"circuit {to_hex(circuit_id)} was tombstoned later: {reason}")
