"""Judge: asks the chain about a job what the policy wants to know, and says why it is left alone."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from prover_nodes.admission import Admission
from prover_nodes.policy import (
    Policy,
    Skip,
    SkipCode,
    evaluate,
    evaluate_named,
    evaluate_request,
    evaluate_status,
    holds_claim,
    is_paid,
    price_reached_at,
    proof_due_in,
)
from prover_nodes.ports import Circuit, Market, find_circuit
from prover_nodes.profit import Costs, costs_of, evaluate_profit, gas_of_job
from prover_nodes.services.inspect import inspect_gas_limit, inspect_verifier
from zkml.core.identifiers import CircuitSpec
from zkml.core.job_machine import JobFacts, JobStatus, status_of
from zkml.core.progress import Progress
from zkml.core.records import JobRequest, from_hex
from zkml.errors import BindingError

PRICE_SECONDS = 10.0
"""How long a price of gas is taken for the present one."""


class LeftAloneError(Exception):
    """Ends a job's stages early; never leaves `pipeline` or `preview`."""

    def __init__(self, skip: Skip) -> None:
        """Carry the reason."""
        super().__init__(skip.reason)
        self.skip = skip


TOMBSTONED = Skip(
    SkipCode.TOMBSTONED,
    "the circuit is tombstoned: no proof is paid, and a refund sets collateral free",
    is_final=True,
)


@dataclass(slots=True)
class Judge:
    """What one prover asks before it takes a job on.

    Attributes:
        market: the chain, as this prover sees it.
        circuits: what it can prove.
        policy: which jobs it takes on.
        admission: what its queue can promise.
        progress: told where a sample's proof is.
        measures_gas: whether it proves a sample where nobody measured a verifier's gas yet.
    """

    market: Market
    circuits: Sequence[Circuit]
    policy: Policy
    admission: Admission
    progress: Progress
    measures_gas: bool = True
    _specs: dict[bytes, CircuitSpec] = field(default_factory=dict)
    _verdicts: dict[bytes, Skip | None] = field(default_factory=dict)
    _gas: dict[bytes, int] = field(default_factory=dict)
    _price: tuple[float, int] = (float("-inf"), 0)
    _inspecting: threading.Lock = field(default_factory=threading.Lock)

    def screen(self, request: JobRequest, now: int) -> Skip | None:
        """Judge a waiting job by its opening and what is known of its circuit; asks nobody."""
        spec = self._specs.get(from_hex(request.circuit_id))
        circuit = None if spec is None else find_circuit(self.circuits, spec.verifying_key_digest)
        return evaluate_request(request, spec, circuit, self.policy, prover=self.market.account, now=now)

    def look(self, request: JobRequest) -> JobFacts:
        """Return the job's facts, which must be those of the event that announced it.

        Raises:
            BindingError: they are not.
        """
        facts = self.market.facts(from_hex(request.job_id))
        spec = request.as_spec()
        stored = (
            *(facts.requester, facts.model_id, facts.circuit_id, facts.input_commitment, facts.quote),
            *(facts.min_prover_fee, facts.max_prover_fee, facts.ramp_seconds, facts.claim_seconds),
            *(facts.deadline, facts.restricted),
        )
        announced = (
            *(request.requester, spec.model_id, spec.circuit_id, spec.input_commitment),
            *(request.quote.as_quote(), spec.min_prover_fee, spec.max_prover_fee, spec.ramp_seconds),
            *(spec.claim_seconds, spec.deadline, bool(spec.provers)),
        )
        if stored != announced:
            raise BindingError(
                f"expected job {request.job_id} as its opening event has it, found other facts on chain",
                hint="the endpoint contradicts itself: use another one",
            )
        return facts

    def take_on(self, request: JobRequest, facts: JobFacts, *, is_promised: bool = False) -> Circuit:
        """Return the job's circuit, unless the policy, the queue, a person or the verifier's code forbids it.

        Args:
            request: the job as it was opened.
            facts: the job as the chain has it.
            is_promised: whether its proof has its slot, or needs none.

        Raises:
            LeftAloneError: why.
        """
        spec = self._spec(facts.circuit_id)
        circuit = find_circuit(self.circuits, spec.verifying_key_digest)
        now, prover, terms = self.market.now(), self.market.account, self.market.collateral_terms()
        skip = evaluate(facts, spec, circuit, self.policy, terms, prover=prover, now=now)
        if skip is not None or circuit is None:
            raise LeftAloneError(skip or Skip(SkipCode.UNKNOWN_CIRCUIT, "no bundle"))
        if self.market.is_tombstoned(facts.circuit_id):
            raise LeftAloneError(TOMBSTONED)
        if not holds_claim(facts, prover, now):
            due_in = float("inf") if is_promised else proof_due_in(facts, self.policy, now)
            skip = (
                self._access_skip(request, facts)
                or self.admission.refusal(circuit, due_in)
                or self._inspect(facts.circuit_id, spec, circuit)
                or self._profit_skip(facts, spec, circuit, now)
            )
            if skip is not None:
                raise LeftAloneError(skip)
        return circuit

    def status_skip(self, facts: JobFacts) -> Skip | None:
        """Return why a job's status ends the work on it; not where it was this prover who settled it."""
        if is_paid(facts, self.market.account):
            return None
        return evaluate_status(facts, self.policy, prover=self.market.account, now=self.market.now())

    def _access_skip(self, request: JobRequest, facts: JobFacts) -> Skip | None:
        skip = evaluate_named(request, self.market.account)
        if skip is None and not self.market.may_prove(facts.model_id):
            return Skip(SkipCode.ACCESS_REFUSED, "the model is closed, and its owner granted no access")
        return skip

    def _profit_skip(self, facts: JobFacts, spec: CircuitSpec, circuit: Circuit, now: int) -> Skip | None:
        is_takeover = status_of(facts, now) is JobStatus.LATE
        costs = self._costs(spec, circuit, is_takeover=is_takeover)
        if is_takeover:
            bonus = self.market.collateral_terms().bonus_for(facts.price)
            return evaluate_profit(facts.payment.prover_fee + bonus, costs, now=now)
        reached_at = price_reached_at(facts, costs.amount)
        return evaluate_profit(facts.prover_fee_at(now), costs, now=now, reached_at=reached_at)

    def _costs(self, spec: CircuitSpec, circuit: Circuit, *, is_takeover: bool) -> Costs:
        price = self._gas_price_wei() if self.policy.units_per_ether else 0
        verify_gas = self._verify_gas(spec, circuit)
        gas = gas_of_job(spec.layout, verify_gas, circuit.proof_bytes, is_takeover=is_takeover)
        seconds = self.admission.predicted_seconds(circuit)
        return costs_of(self.policy, gas=gas, gas_price_wei=price, seconds=seconds)

    def _verify_gas(self, spec: CircuitSpec, circuit: Circuit) -> int:
        """Return what a verification uses: measured by the inspection, else as a publisher's limit says."""
        if not self.policy.units_per_ether or not self.measures_gas:
            return spec.gas_limit * 4 // 5
        key = spec.verifying_key_digest
        if key not in self._gas:
            self._gas[key] = circuit.least_gas_limit(key, progress=self.progress) * 20 // 21
        return self._gas[key]

    def _gas_price_wei(self) -> int:
        asked_at, price = self._price
        if time.monotonic() - asked_at > PRICE_SECONDS:
            price = self.market.gas_price_wei()
            self._price = (time.monotonic(), price)
        return price

    def _spec(self, circuit_id: bytes) -> CircuitSpec:
        # What a circuit id is pinned to never changes.
        if circuit_id not in self._specs:
            self._specs[circuit_id] = self.market.circuit(circuit_id)
        return self._specs[circuit_id]

    def _inspect(self, circuit_id: bytes, spec: CircuitSpec, circuit: Circuit) -> Skip | None:
        """Return why no collateral may depend on this circuit's verifier; looked into once."""
        with self._inspecting:
            if circuit_id not in self._verdicts:
                self._verdicts[circuit_id] = inspect_verifier(
                    spec, circuit, code_of=self.market.code_of, chain_id=self.market.chain_id
                ) or self._gas_skip(spec, circuit)
            return self._verdicts[circuit_id]

    def _gas_skip(self, spec: CircuitSpec, circuit: Circuit) -> Skip | None:
        if not self.measures_gas:
            return None
        # A sample may have to be proved, which takes the memory of a proof.
        with self.admission.slots.make(self.admission.owe(circuit)):
            return inspect_gas_limit(spec, circuit, progress=self.progress)
