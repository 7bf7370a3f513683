"""The watch: reads each block once, undoes what a reorg undid, and believes no endpoint that contradicts itself."""

import pytest
from prover_simulator import PROVER, SimulatedChain, SimulatedMarket

from prover_nodes.journal import CaseState
from prover_nodes.observer import SilentObserver
from prover_nodes.services.watch import REORG_BLOCKS, follow_market
from zkml.core.records import to_hex
from zkml.core.tensors import pack
from zkml.errors import RpcError


class Depths(SilentObserver):
    """Keeps the depths it hears of."""

    def __init__(self):
        self.depths = []

    def reorg_seen(self, depth):
        self.depths.append(depth)


class Counting(SimulatedMarket):
    """A market that counts how many blocks it was asked for."""

    def __init__(self, chain):
        super().__init__(chain)
        self.blocks_asked = 0
        self.ranges = []

    def block(self, number=None):
        self.blocks_asked += 1
        return super().block(number)

    def requests(self, from_block, to_block):
        self.ranges.append((from_block, to_block))
        return super().requests(from_block, to_block)


@pytest.fixture
def chain():
    found = SimulatedChain(instant=False)
    for _ in range(5):
        found.mine()
    return found


@pytest.fixture
def market(chain):
    return Counting(chain)


def open_job(chain, number=1):
    return chain.open(pack([number, 2, 3, 4], 1))


def states(journal):
    return {case.request.own_digest: (case.state, case.reason) for case in journal.cases()}


def reorg(chain, depth):
    """Replace blocks by as many others and one more, which have none of their transactions."""
    chain.reorg(depth, keep=False)
    for _ in range(depth + 1):
        chain.mine()


def test_watch__head_as_before__asks_for_one_block_and_no_log(chain, market, journal):
    """A look at a chain that stands still costs one request."""
    follow_market(market, journal)
    market.blocks_asked, market.ranges = 0, []
    assert follow_market(market, journal).new == 0
    assert (market.blocks_asked, market.ranges) == (1, [])


def test_watch__one_new_block__asks_for_few(chain, market, journal):
    """Following the chain costs a few requests for each look, however long the chain is."""
    for _ in range(3 * REORG_BLOCKS):
        chain.mine()
    follow_market(market, journal)
    market.blocks_asked = 0
    open_job(chain)
    assert follow_market(market, journal).new == 1
    assert market.blocks_asked <= 3


def test_watch__job_opened_in_an_orphaned_block__is_closed(chain, market, journal):
    """A job whose opening is gone is closed with its reason; the depth is reported."""
    open_job(chain)
    follow_market(market, journal)
    depths = Depths()
    reorg(chain, 1)
    watched = follow_market(market, journal, depths)
    [(state, reason)] = states(journal).values()
    assert (state, reason.partition(":")[0]) == (CaseState.CLOSED, "reorged")
    assert (watched.depth, len(watched.reorged), depths.depths) == (1, 1, [1])


def test_watch__reorg_of_3_blocks__closes_only_what_was_in_them(chain, market, journal):
    """What was opened below the fork stays as it is."""
    open_job(chain, 1)
    open_job(chain, 2)
    chain.mine()
    chain.mine()
    follow_market(market, journal)
    reorg(chain, 3)
    assert follow_market(market, journal).depth == 3
    found = sorted(state for state, _ in states(journal).values())
    assert found == [CaseState.CLOSED, CaseState.WAITING]


def test_watch__opened_again_in_another_block__goes_on_as_the_new_one(chain, market, journal):
    """A waiting job that the reorg moved is waiting in its new block, once."""
    open_job(chain)
    follow_market(market, journal)
    [request] = chain.state.requests
    facts = chain.state.jobs.copy()
    reorg(chain, 1)
    chain.state.jobs = facts
    block = {"opened_block": chain.height, "opened_block_hash": chain.blocks[-1][0]}
    chain.state.requests = [request.model_copy(update=block)]
    assert follow_market(market, journal).new == 1
    old, new = journal.case(request.own_digest), journal.case(chain.state.requests[0].own_digest)
    assert (old.state, new.state) == (CaseState.CLOSED, CaseState.WAITING)


def test_watch__job_at_work_opened_again__goes_on_as_the_old_one(chain, market, journal):
    """Collateral and proof are for the job, in whatever block it was opened."""
    open_job(chain)
    follow_market(market, journal)
    [request] = chain.state.requests
    journal.mark(journal.case(request.own_digest), CaseState.WORKING)
    facts = chain.state.jobs.copy()
    reorg(chain, 1)
    chain.state.jobs = facts
    block = {"opened_block": chain.height, "opened_block_hash": chain.blocks[-1][0]}
    chain.state.requests = [request.model_copy(update=block)]
    follow_market(market, journal)
    assert journal.case(request.own_digest).state is CaseState.WORKING


def test_watch__reorg_undone_by_another_one__restores_the_job(chain, market, journal):
    """What comes back in the same block is worked on again, with all that was filed."""
    open_job(chain)
    follow_market(market, journal)
    before = (list(chain.blocks), chain.state)
    reorg(chain, 1)
    follow_market(market, journal)
    chain.blocks, chain.state = list(before[0]), before[1]
    for _ in range(3):
        chain.mine()
    follow_market(market, journal)
    [(state, reason)] = states(journal).values()
    assert (state, reason) == (CaseState.WAITING, "")


def test_watch__logs_missing_and_job_still_there__is_not_closed(chain, market, journal, monkeypatch):
    """An endpoint that knows the new blocks before their logs closes no job that the contract knows."""
    open_job(chain)
    follow_market(market, journal)
    facts = chain.state.jobs.copy()
    reorg(chain, 1)
    chain.state.jobs = facts
    assert follow_market(market, journal).reorged == ()
    [(state, _)] = states(journal).values()
    assert state is CaseState.WAITING


def test_watch__endpoint_falls_behind__nothing_is_undone(chain, market, journal):
    """A head that goes back to a block known before is no reorg: another node answered."""
    open_job(chain)
    chain.mine()
    follow_market(market, journal)
    later = chain.blocks[-2:]
    del chain.blocks[-2:]
    watched = follow_market(market, journal)
    assert (watched.depth, watched.reorged) == (0, ())
    chain.blocks += later
    assert follow_market(market, journal).new == 0
    assert journal.cursor == chain.height


def test_watch__endpoint_that_still_reads_the_chain__is_refused(chain, market, journal):
    """A head far below all that was read is the endpoint's fault, and closes no job."""
    for _ in range(2 * REORG_BLOCKS):
        chain.mine()
    open_job(chain)
    follow_market(market, journal)
    chain.blocks = chain.blocks[:3]
    with pytest.raises(RpcError, match="expected a chain of"):
        follow_market(market, journal)
    assert [state for state, _ in states(journal).values()] == [CaseState.WAITING]


def test_watch__opening_in_a_block_that_is_not_in_the_chain__is_not_believed(chain, market, journal):
    """A log of another block than the chain has at that height is refused, and nothing is kept."""
    open_job(chain)
    [request] = chain.state.requests
    chain.state.requests = [request.model_copy(update={"opened_block_hash": to_hex(bytes(32))})]
    with pytest.raises(RpcError, match="expected the opening"):
        follow_market(market, journal)
    assert journal.cases() == []
    assert journal.cursor is None


def test_watch__chain_moves_while_it_is_read__reads_again(chain, market, journal, monkeypatch):
    """What is kept is of one chain, never half of one and half of another."""
    open_job(chain)
    plain, moved = SimulatedMarket.requests, []

    def requests(self, from_block, to_block):
        if not moved:
            moved.append(True)
            reorg(chain, 1)
        return plain(self, from_block, to_block)

    monkeypatch.setattr(Counting, "requests", requests)
    assert follow_market(market, journal).new == 0
    assert journal.blocks()[chain.height] == chain.blocks[-1][0]


def test_watch__deeper_than_all_kept_hashes__reads_from_the_deployment_on(chain, market, journal):
    """No reorg is too deep to be noticed."""
    open_job(chain)
    for _ in range(2 * REORG_BLOCKS):
        chain.mine()
    follow_market(market, journal)
    reorg(chain, 2 * REORG_BLOCKS + 1)
    watched = follow_market(market, journal)
    assert watched.depth == REORG_BLOCKS
    assert [state for state, _ in states(journal).values()] == [CaseState.CLOSED]
    assert market.ranges[-1][0] == 0


def test_watch__node_was_off_for_a_thousand_blocks__reads_on_from_its_cursor(chain, market, journal):
    """Nothing in between is lost, nothing before is read again, and it is no reorg."""
    follow_market(market, journal)
    last = chain.height
    job = open_job(chain)
    for _ in range(5 * REORG_BLOCKS):
        chain.mine()
    watched = follow_market(market, journal)
    assert (watched.new, watched.depth) == (1, 0)
    assert market.ranges[-1][0] == last + 1
    assert [case.request.job_id for case in journal.cases()] == [to_hex(job)]


def test_watch__journal_lost__finds_its_claims_on_chain(chain, market, journal):
    """A new journal knows at its first look where collateral of this prover is at stake."""
    job = open_job(chain)
    SimulatedMarket(chain, PROVER).claim(job)
    follow_market(market, journal)
    assert [case.state for case in journal.cases()] == [CaseState.WORKING]
