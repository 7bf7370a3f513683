"""A node that is killed anywhere goes on where it stood: it claims once, settles once and is paid once."""

import pytest
from prover_simulator import (
    COLLATERAL,
    FEE,
    FUNDS,
    POLICY,
    PROVER,
    RIVAL,
    Fuse,
    Killed,
    SimulatedChain,
    SimulatedCircuit,
    SimulatedMarket,
    simulated_node,
)

from prover_nodes.journal import CaseState, Purpose, open_journal
from prover_nodes.policy import Policy
from registry.provers import Stake
from zkml.core.tensors import pack

INPUT = pack([1, 2, 3, 4], 1)
STEPS = ("register", "approve", "stake", "claim", "settle")
CONFIRMING = Policy(POLICY.accepted_classes, min_fee=0, margin_seconds=20.0, confirmations=3)


def paid_once(chain: SimulatedChain) -> None:
    """One registration, one stake, one claim, one settlement, one payment, and nothing else."""
    assert [len(chain.mined(PROVER, move)) for move in STEPS] == [1] * len(STEPS)
    assert chain.state.credits[PROVER] == FEE
    assert chain.state.balances[PROVER] == FUNDS - COLLATERAL
    assert chain.state.stakes[PROVER] == Stake(COLLATERAL, 0, registered=True, leaving=0, leaves_at=0)
    assert chain.state.nonces[PROVER] == len(STEPS)


def boundaries(instant: bool) -> list[str]:
    """Return every boundary that an undisturbed run passes."""
    chain, fuse = SimulatedChain(instant=instant), Fuse()
    chain.open(INPUT)
    with open_journal("sqlite://", SimulatedMarket.scope) as journal:
        assert len(simulated_node(chain, SimulatedCircuit(), journal, fuse=fuse).run_once().settled) == 1
    paid_once(chain)
    return fuse.passed


def before_broadcast_of_the_claim() -> int:
    """Return the boundary at which the claim is signed and kept, and nobody has it yet."""
    passed = boundaries(instant=True)
    broadcasts = [number for number, name in enumerate(passed) if name == "before broadcast"]
    return broadcasts[STEPS.index("claim")]


CASES = [
    (mode, number, name)
    for mode in ("instant", "mempool-kept", "mempool-lost")
    for number, name in enumerate(boundaries(mode == "instant"))
]


@pytest.mark.parametrize(
    ("mode", "number", "name"),
    CASES,
    ids=[f"{mode}-{number}-{name.replace(' ', '-')}" for mode, number, name in CASES],
)
def test_node__killed_at_any_boundary__claims_settles_and_is_paid_once(tmp_path, mode, number, name):
    """Whatever the boundary, the second run completes the first and sends no second, different transaction."""
    instant = mode == "instant"
    chain, circuit = SimulatedChain(instant=instant), SimulatedCircuit()
    chain.open(INPUT)
    with open_journal(tmp_path / "journal.sqlite", SimulatedMarket.scope) as journal, pytest.raises(Killed):
        simulated_node(chain, circuit, journal, fuse=Fuse(number)).run_once()
    if mode == "mempool-lost":
        chain.mempool.clear()
    with open_journal(tmp_path / "journal.sqlite", SimulatedMarket.scope) as journal:
        simulated_node(chain, circuit, journal).run_once()
        assert [case.state for case in journal.cases()] == [CaseState.SETTLED]

    paid_once(chain)
    for move in STEPS:
        assert len(chain.sent(PROVER, move)) == 1
    unfiled = name == "after prove" or (name == "before file" and lost_the_proof(number, instant))
    assert circuit.proved == (2 if unfiled else 1)


def lost_the_proof(number: int, instant: bool) -> bool:
    return boundaries(instant)[number - 1] == "after prove"


@pytest.mark.parametrize("number", range(11, 46, 3))
def test_node__killed_again_and_again__finishes(tmp_path, number):
    """A node that dies every few boundaries, as soon as it gets anywhere new, still gets there, and pays and is paid once."""
    chain, circuit = SimulatedChain(instant=False), SimulatedCircuit()
    chain.open(INPUT, seconds=100_000)
    for _ in range(200):
        with open_journal(tmp_path / "journal.sqlite", SimulatedMarket.scope) as journal:
            try:
                simulated_node(chain, circuit, journal, fuse=Fuse(number)).run_once()
            except Killed:
                continue
            break
    paid_once(chain)


def test_node__journal_lost_after_claim__proves_and_settles_the_claim_it_finds(tmp_path):
    """A claim is found on chain; its collateral is not given up with the journal."""
    chain, circuit = SimulatedChain(), SimulatedCircuit()
    chain.open(INPUT)
    with open_journal(tmp_path / "one.sqlite", SimulatedMarket.scope) as journal:
        number = boundaries(instant=True).index("before prove")
        with pytest.raises(Killed):
            simulated_node(chain, circuit, journal, fuse=Fuse(number)).run_once()
    with open_journal(tmp_path / "two.sqlite", SimulatedMarket.scope) as journal:
        assert len(simulated_node(chain, circuit, journal).run_once().settled) == 1
    paid_once(chain)


def test_node__journal_lost_after_settlement__does_nothing(tmp_path):
    """A job that this account settled is neither proved nor sent again."""
    chain, circuit = SimulatedChain(), SimulatedCircuit()
    job_id = chain.open(INPUT)
    for name in ("one.sqlite", "two.sqlite"):
        with open_journal(tmp_path / name, SimulatedMarket.scope) as journal:
            report = simulated_node(chain, circuit, journal).run_once([job_id])
    assert report.skips == {"not-open": 1}
    assert circuit.proved == 1
    paid_once(chain)


def test_node__kept_claim_lost_its_nonce__signs_a_new_one_and_notes_why(tmp_path):
    """Only a nonce that went elsewhere, which the chain proves, makes the node sign again."""
    chain, circuit = SimulatedChain(), SimulatedCircuit()
    chain.open(INPUT)
    number = before_broadcast_of_the_claim()
    with open_journal(tmp_path / "journal.sqlite", SimulatedMarket.scope) as journal:
        with pytest.raises(Killed):
            simulated_node(chain, circuit, journal, fuse=Fuse(number)).run_once()
        stranger = SimulatedMarket(chain, PROVER)
        stranger.act(stranger.plan_approve(COLLATERAL))
        [case] = journal.cases()
        kept = journal.last_transaction(case, Purpose.CLAIM)
        simulated_node(chain, circuit, journal).run_once()
        assert journal.last_transaction(case, Purpose.CLAIM) != kept
    assert kept.transaction not in chain.state.receipts
    assert len(chain.mined(PROVER, "claim")) == len(chain.mined(PROVER, "settle")) == 1
    assert chain.state.credits[PROVER] == FEE


def test_node__rival_claims_while_a_claim_is_kept__abandons_it_and_sends_nothing(tmp_path):
    """A kept claim that the contract would now refuse is never broadcast."""
    chain, circuit = SimulatedChain(), SimulatedCircuit()
    job_id = chain.open(INPUT)
    number = before_broadcast_of_the_claim()
    with open_journal(tmp_path / "journal.sqlite", SimulatedMarket.scope) as journal:
        with pytest.raises(Killed):
            simulated_node(chain, circuit, journal, fuse=Fuse(number)).run_once()
        SimulatedMarket(chain, RIVAL).claim(job_id)
        report = simulated_node(chain, circuit, journal).run_once()
    assert report.skips == {"claimed-by-other": 1}
    assert not chain.sent(PROVER, "claim")
    assert circuit.proved == 0


@pytest.mark.parametrize("kept_by_node", [True, False], ids=["returned-to-mempool", "dropped"])
def test_node__reorg_undoes_the_claim_while_proving__no_proof_before_it_is_claimed_again(
    tmp_path, kept_by_node
):
    """The proof stays private until its claim is deep enough; the same claim transaction is sent again."""
    chain, circuit = SimulatedChain(instant=False), SimulatedCircuit()
    chain.open(INPUT)
    chain.mine()
    circuit.while_proving = lambda: chain.reorg(1, keep=kept_by_node)
    with open_journal(tmp_path / "journal.sqlite", SimulatedMarket.scope) as journal:
        first = simulated_node(chain, circuit, journal, policy=CONFIRMING).run_once()
        assert not first.settled
        assert not chain.sent(PROVER, "settle")
        assert len(simulated_node(chain, circuit, journal, policy=CONFIRMING).run_once().settled) == 1
    assert circuit.proved == 1
    assert len(chain.sent(PROVER, "claim")) == 1
    paid_once(chain)


def test_node__reorg_gives_the_claims_nonce_away__claims_anew_and_reuses_the_proof(tmp_path):
    """A claim under another transaction is another claim number; the proof is carried over, not made again."""
    chain, circuit = SimulatedChain(instant=False), SimulatedCircuit()
    chain.open(INPUT)
    chain.mine()

    def lose_the_claim() -> None:
        chain.reorg(1, keep=False)
        stranger = SimulatedMarket(chain, PROVER)
        stranger.act(stranger.plan_approve(COLLATERAL))

    circuit.while_proving = lose_the_claim
    with open_journal(tmp_path / "journal.sqlite", SimulatedMarket.scope) as journal:
        simulated_node(chain, circuit, journal, policy=CONFIRMING).run_once()
        assert len(simulated_node(chain, circuit, journal, policy=CONFIRMING).run_once().settled) == 1
        [case] = journal.cases()
    assert case.claim_number == 2
    assert circuit.proved == 1
    assert len(chain.mined(PROVER, "claim")) == len(chain.mined(PROVER, "settle")) == 1


def test_settle__claim_without_confirmations__waits_for_them(tmp_path):
    """The settlement is in a block at least as many blocks above its claim as the policy asks."""
    chain, circuit = SimulatedChain(instant=False), SimulatedCircuit()
    job_id = chain.open(INPUT)
    with open_journal(tmp_path / "journal.sqlite", SimulatedMarket.scope) as journal:
        simulated_node(chain, circuit, journal, policy=CONFIRMING).run_once()
    blocks = [chain.state.moves[PROVER, move, job_id].block for move in ("claim", "settle")]
    assert blocks[1] - blocks[0] > CONFIRMING.confirmations
    paid_once(chain)
