"""Which models this node answers for: what its bundles can prove and the chain would verify as it should."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from prover_nodes.direct.ports import ListedModel, TabMarket
from prover_nodes.policy import Skip
from prover_nodes.ports import Circuit, find_circuit
from prover_nodes.profit import gas_of_settlement
from prover_nodes.services.inspect import inspect_gas_limit, inspect_verifier
from zkml.core.identifiers import CircuitSpec
from zkml.core.progress import Progress, silent
from zkml.errors import (
    NotRegisteredError,
    ProvingError,
    ServiceBusyError,
    UnsuitableCircuitError,
    VerificationError,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServedCircuit:
    """A circuit of a model with this node's bundle of it; the verifier on chain was inspected."""

    circuit_id: bytes
    spec: CircuitSpec
    circuit: Circuit

    @property
    def settle_gas(self) -> int:
        """What settling a request uses at most: verification can use its gas limit."""
        return gas_of_settlement(self.spec.layout, self.spec.gas_limit, self.circuit.proof_bytes)


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model this node answers for."""

    model_id: int
    did: str
    name: str
    manifest_cid: str
    circuits: tuple[ServedCircuit, ...]
    is_closed: bool

    def circuit(self, circuit_id: bytes | None) -> ServedCircuit:
        """Return one of the circuits; the first when None.

        Raises:
            UnsuitableCircuitError: this node has no such circuit of the model.
        """
        for served in self.circuits:
            if circuit_id in (None, served.circuit_id):
                return served
        name = "0x" + (circuit_id or b"").hex()
        raise UnsuitableCircuitError(
            f"expected a circuit of {self.did} that this node proves, found {name}",
            hint="take the circuit of the node's offer",
        )


class Catalogue:
    """The models of this node; one thread refreshes it, everybody reads."""

    def __init__(
        self,
        market: TabMarket,
        circuits: Sequence[Circuit],
        accepted_classes: frozenset[int],
        *,
        progress: Progress = silent,
    ) -> None:
        """Begin empty.

        Args:
            market: the chain.
            circuits: what this node can prove.
            accepted_classes: numbers of the verifier classes it trusts.
            progress: told where a sample is, if one has to be proved.
        """
        self._market = market
        self._circuits = [circuit for circuit in circuits if circuit.batch == 1]
        self._classes = accepted_classes
        self._progress = progress
        self._verdicts: dict[bytes, Skip | None] = {}
        self._models: dict[str, ServedModel] = {}
        self._known: dict[bytes, ServedCircuit] = {}
        self._is_loaded = False

    @property
    def is_loaded(self) -> bool:
        """Whether the chain was asked once."""
        return self._is_loaded

    def models(self) -> tuple[ServedModel, ...]:
        """Return all, in the order of their DIDs."""
        return tuple(self._models[did] for did in sorted(self._models))

    def find(self, did: str) -> ServedModel:
        """Return a model by its DID, in whatever case its account is written.

        Raises:
            NotRegisteredError: this node does not answer for it.
            ServiceBusyError: the node has only begun to look.
        """
        found = self._models.get(did.lower())
        if found is not None:
            return found
        if not self.is_loaded:
            raise ServiceBusyError(
                "expected the models of this node, found that it has only begun to look for them",
                hint="ask again in a few seconds",
            )
        raise NotRegisteredError(
            f"expected a model of this node, found {did:.128}", hint="GET /v1/models lists them"
        )

    def circuit(self, circuit_id: bytes) -> ServedCircuit:
        """Return a circuit that was served at any time since the start: what was accepted is still proved.

        Raises:
            UnsuitableCircuitError: it never was.
        """
        found = self._known.get(circuit_id)
        if found is None:
            raise UnsuitableCircuitError(
                f"expected a circuit that this node proves, found 0x{circuit_id.hex()}",
                hint="its bundle was taken from the node, or its model from the market",
            )
        return found

    def refresh(self) -> None:
        """Ask the chain again.

        Raises:
            RpcError: the endpoint does not answer; what was found before stays.
        """
        found: dict[str, ServedModel] = {}
        for listed in self._market.list_models(self._key_digests()):
            model = self._served(listed)
            if model is not None:
                found[model.did.lower()] = model
        self._models, self._is_loaded = found, True

    def _key_digests(self) -> list[bytes]:
        digests: dict[bytes, None] = {}
        for circuit in self._circuits:
            for digest in (circuit.verifying_key_digest, circuit.shared_key_digest()):
                if digest is not None:
                    digests[digest] = None
        return list(digests)

    def _served(self, listed: ListedModel) -> ServedModel | None:
        circuits = tuple(
            served
            for circuit_id, spec in listed.circuits
            if (served := self._inspected(circuit_id, spec)) is not None
        )
        if not circuits:
            return None
        return ServedModel(
            listed.model_id, listed.did, listed.name, listed.manifest_cid, circuits, listed.is_closed
        )

    def _inspected(self, circuit_id: bytes, spec: CircuitSpec) -> ServedCircuit | None:
        circuit = find_circuit(self._circuits, spec.verifying_key_digest)
        if circuit is None or (spec.layout, spec.domain) != (circuit.layout, circuit.domain):
            return None
        if spec.verifier_class not in self._classes or self._market.is_tombstoned(circuit_id):
            return None
        if not self._is_sound(circuit_id, spec, circuit):
            return None
        return self._known.setdefault(circuit_id, ServedCircuit(circuit_id, spec, circuit))

    def _is_sound(self, circuit_id: bytes, spec: CircuitSpec, circuit: Circuit) -> bool:
        """Say whether the code behind a circuit is the right one; looked into once, unless that failed."""
        if circuit_id not in self._verdicts:
            try:
                verdict = self._inspect(spec, circuit)
            except (ProvingError, VerificationError) as error:
                _log.warning("circuit 0x%s is not served yet: %s", circuit_id.hex(), error.message)
                return False
            if verdict is not None:
                _log.warning("circuit 0x%s is not served: %s", circuit_id.hex(), verdict.reason)
            self._verdicts[circuit_id] = verdict
        return self._verdicts[circuit_id] is None

    def _inspect(self, spec: CircuitSpec, circuit: Circuit) -> Skip | None:
        return inspect_verifier(
            spec, circuit, code_of=self._market.code_of, chain_id=self._market.chain_id
        ) or inspect_gas_limit(spec, circuit, progress=self._progress)
