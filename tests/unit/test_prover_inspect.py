"""No collateral depends on code that the node's own verifying key does not generate."""

import pytest
from prover_simulator import (
    ADAPTER,
    FUNDS,
    LAYOUT,
    LEAST_GAS,
    PROVER,
    SPEC,
    VERIFIER,
    VERIFIER_CODE,
    SimulatedCircuit,
    SimulatedMarket,
    simulated_node,
)

from prover_nodes.journal import CaseState, open_journal
from prover_nodes.node import OutcomeKind
from verifier_contracts.local_verification import adapter_code
from zkml.core.digests import keccak256
from zkml.core.tensors import TensorLayout, pack
from zkml.errors import ToolchainError, VerifierMismatchError

INPUT = pack([1, 2, 3, 4], 1)
# Refuses as soon as anything is in its first slot of storage: PUSH0 SLOAD ISZERO PUSH1 8 JUMPI PUSH0 PUSH0 REVERT ...
STATEFUL = bytes.fromhex("5f541560085750fd5b00")


def pin(chain, adapter, verifier=VERIFIER_CODE):
    """Put other code behind the circuit; everything else in the router stays as it was."""
    chain.codes |= {ADAPTER: adapter, VERIFIER: verifier}
    chain.spec = SPEC._replace(adapter_code_hash=keccak256(adapter))


def stateful_adapter(chain):
    pin(chain, STATEFUL)


def stateful_verifier(chain):
    pin(chain, adapter_code(VERIFIER, STATEFUL, LAYOUT), STATEFUL)


def adapter_that_only_answers_like_ours(chain):
    """The getters are right and the code is ours but for the last byte."""
    code = adapter_code(VERIFIER, VERIFIER_CODE, LAYOUT)
    pin(chain, code[:-1] + bytes([code[-1] ^ 1]))


def adapter_of_another_layout(chain):
    other = TensorLayout(input_count=5, input_bytes=1, output_count=1, output_bytes=2)
    pin(chain, adapter_code(VERIFIER, VERIFIER_CODE, other))


def another_proof_system(chain):
    chain.spec = SPEC._replace(proof_system_id=b"else")


def too_little_gas(chain):
    chain.spec = SPEC._replace(gas_limit=LEAST_GAS - 1)


HOSTILE = [
    stateful_adapter,
    stateful_verifier,
    adapter_that_only_answers_like_ours,
    adapter_of_another_layout,
    another_proof_system,
    too_little_gas,
]


@pytest.mark.parametrize("arrange", HOSTILE)
def test_claim__foreign_code_behind_a_known_key__is_never_made(chain, circuit, journal, arrange):
    """The key digest in the router is a stranger's word; nothing is sent, witnessed or locked on it."""
    job_id = chain.open(INPUT)
    arrange(chain)
    circuit.witness = None
    report = simulated_node(chain, circuit, journal).run_once()
    assert report.skips == {"foreign-verifier": 1}
    assert [case.state for case in journal.cases()] == [CaseState.CLOSED]
    again = simulated_node(chain, circuit, journal)
    assert again.run_once().outcomes == ()
    assert again.run_once([job_id]).skips == {"foreign-verifier": 1}
    with open_journal("sqlite://", SimulatedMarket.scope) as other:
        assert simulated_node(chain, circuit, other).run_once().skips == {"foreign-verifier": 1}
    assert not chain.broadcasts
    assert chain.state.balances[PROVER] == FUNDS


def test_claim__least_gas_limit__is_made(chain, circuit, journal):
    """A limit that just suffices is no reason to refuse."""
    chain.open(INPUT)
    chain.spec = SPEC._replace(gas_limit=LEAST_GAS)
    assert len(simulated_node(chain, circuit, journal).run_once().settled) == 1


def test_inspection__of_one_circuit__is_done_once_a_process(chain, circuit, journal, monkeypatch):
    """Code behind a circuit id never changes: the second job costs no request for it."""
    asked = []
    plain = SimulatedMarket.code_of
    monkeypatch.setattr(
        SimulatedMarket, "code_of", lambda market, address: asked.append(address) or plain(market, address)
    )
    chain.open(INPUT)
    chain.open(pack([5, 5, 5, 5], 1))
    assert len(simulated_node(chain, circuit, journal).run_once().settled) == 2
    assert asked == [ADAPTER, VERIFIER]


def test_inspection__code_is_not_the_pinned_code__delays_and_is_looked_at_again(chain, circuit, journal):
    """An endpoint that lags behind condemns no circuit for ever, and gets no claim either."""
    chain.open(INPUT)
    code = chain.codes.pop(VERIFIER)
    node = simulated_node(chain, circuit, journal)
    report = node.run_once()
    assert [outcome.kind for outcome in report.outcomes] == [OutcomeKind.DELAYED]
    with pytest.raises(VerifierMismatchError):
        report.raise_first_error()
    assert not chain.broadcasts
    chain.codes[VERIFIER] = code
    assert len(node.run_once().settled) == 1


def test_inspection__no_compiler__skips_and_another_start_with_one_goes_on(chain, circuit, journal):
    """Without anything to compare with there is no claim; the job is kept for a better equipped node."""
    chain.open(INPUT)

    def fail(_key_digest):
        raise ToolchainError("expected solc 0.8.37, found none")

    circuit.expected_verifier = fail
    report = simulated_node(chain, circuit, journal).run_once()
    assert report.skips == {"foreign-verifier": 1}
    assert "expected solc 0.8.37" in report.outcomes[0].reason
    assert [case.state for case in journal.cases()] == [CaseState.WAITING]
    assert not chain.broadcasts
    assert len(simulated_node(chain, SimulatedCircuit(), journal).run_once().settled) == 1


def test_inspection__job_is_claimed_already__is_proved_all_the_same(chain, circuit, journal):
    """With collateral at stake trying costs nothing more."""
    job_id = chain.open(INPUT)
    SimulatedMarket(chain).claim(job_id)
    stateful_adapter(chain)
    assert len(simulated_node(chain, circuit, journal).run_once().settled) == 1
