"""What a model is, whatever an endpoint says, and whether one of its circuits may be relied on.

A model's id is the hash of its publisher and commitment; a circuit's id is the hash of its pins.
"""

from dataclasses import dataclass

from registry.derivations import check_model_circuit, check_model_id
from registry.models import ModelStatus
from zkml.core.identifiers import CircuitSpec, ModelCommitment
from zkml.core.records import to_hex
from zkml.core.verifier_classes import check_class
from zkml.errors import TombstonedError, UnsuitableCircuitError
from zkml.wiring import Market


@dataclass(frozen=True, slots=True)
class CheckedCircuit:
    """One of a model's circuits, after the checks of this module.

    Attributes:
        circuit_id: 32 bytes.
        spec: its pins.
        commitment: of the model.
    """

    circuit_id: bytes
    spec: CircuitSpec
    commitment: ModelCommitment


def checked_commitment(market: Market, model_id: int) -> ModelCommitment:
    """Return what a model's publisher committed to: circuits, digests, manifest and name.

    Args:
        market: chain and contracts.
        model_id: ERC-721 id, from somebody you trust.

    Raises:
        NotRegisteredError: no such model.
        BindingError: the endpoint tells a commitment or a publisher that is not this model's.
        RpcError: see `Chain.request`.
    """
    commitment = market.registry.commitment_of(model_id)
    registered = market.registry.registration_of(model_id, from_block=market.deployment.block)
    check_model_id(
        model_id,
        registered.publisher,
        commitment,
        chain_id=market.chain.chain_id,
        registry=market.registry.address,
    )
    return commitment


def check_model(
    market: Market, model_id: int, accepted_classes: frozenset[int], circuit_id: bytes | None = None
) -> CheckedCircuit:
    """Return the circuit of a model that may be paid for.

    Args:
        market: chain and contracts.
        model_id: ERC-721 id, from somebody you trust.
        accepted_classes: numbers of the verifier classes that the requester trusts.
        circuit_id: one of the model's circuits for one input; the first when None.

    Raises:
        NotRegisteredError: no such model.
        UnsuitableCircuitError: not PROVEN; or the circuit is for several inputs, or of a class that the
            requester or the deployment does not accept.
        TombstonedError: the circuit is tombstoned.
        BindingError: the circuit is not the model's; or the endpoint tells something else than the model's id
            is the hash of.
        RpcError: see `Chain.request`.
    """
    circuit = check_single_circuit(market, model_id, accepted_classes, circuit_id)
    status = market.registry.status_of(model_id)
    if status is not ModelStatus.PROVEN:
        raise UnsuitableCircuitError(
            f"expected a PROVEN model, found {model_id:#x} {status.name}",
            hint="its owner retired it: ask for a successor"
            if status is ModelStatus.DEPRECATED
            else "its publisher has to prove its genesis first",
        )
    return circuit


def check_single_circuit(
    market: Market, model_id: int, accepted_classes: frozenset[int], circuit_id: bytes | None = None
) -> CheckedCircuit:
    """Return a model's circuit for one input, PROVEN or retired since; see `check_model`."""
    commitment = checked_commitment(market, model_id)
    chosen = commitment.circuit_id if circuit_id is None else circuit_id
    checked = check_circuit(market, commitment, chosen, accepted_classes)
    inputs = market.registry.batch_of(model_id, chosen)
    if inputs != 1:
        raise UnsuitableCircuitError(
            f"expected a circuit for one input, found {to_hex(chosen)} for {inputs}",
            hint="provers use it to settle several jobs at once; ask for the model's first circuit",
        )
    _check_deployment_class(market, checked)
    return checked


def check_circuit(
    market: Market, commitment: ModelCommitment, circuit_id: bytes, accepted_classes: frozenset[int]
) -> CheckedCircuit:
    """Return a circuit whose proofs may be relied on.

    Raises:
        BindingError: it is none of the model's.
        UnsuitableCircuitError: its verifier is of a class that is not accepted.
        TombstonedError: it is tombstoned.
        RpcError: see `Chain.request`.
    """
    check_model_circuit(commitment, circuit_id)
    spec = market.router.circuit(circuit_id)
    check_class(spec.verifier_class, accepted_classes, market.chain.chain_id)
    if market.router.is_tombstoned(circuit_id):
        reason = market.router.tombstone_reason(circuit_id, from_block=market.deployment.block)
        raise TombstonedError(
            f"expected a circuit that is trusted, found {to_hex(circuit_id)} tombstoned: "
            f"{reason or 'no reason given':.200}",
            hint="a proof of it says nothing any more",
        )
    return CheckedCircuit(circuit_id, spec, commitment)


def _check_deployment_class(market: Market, circuit: CheckedCircuit) -> None:
    number = circuit.spec.verifier_class
    if not market.manager.terms().accepted_classes >> number & 1:
        raise UnsuitableCircuitError(
            f"expected a class that this job manager accepts, found number {number}",
            hint="the deployment's terms decide; ask for another model",
        )
