"""Every way to settle, on a real node through the bindings: what moves, what the chain keeps, what a plan foretells."""

from contextlib import closing

import pytest
from chain_fixtures import (
    EXAMPLE_OUTPUT,
    ONE_TOKEN,
    Forwarder,
    build_market,
    example_input,
    new_account,
    proof_of,
)

from marketplace.calldata import given_activation, given_settlements
from marketplace.derivations import check_payment, find_nonce, find_tab_nonce
from marketplace.effects import PocketKind
from marketplace.events import JobClaimed
from marketplace.job_plans import JobPlans
from marketplace.jobs import Settlement
from marketplace.revenue_plans import RevenuePlans
from marketplace.tab_plans import TabPlans
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.timetravel import pass_time
from zkml.adapters.keys.typed_signatures import sign_message
from zkml.core.job_machine import JobStatus
from zkml.core.market_identifiers import TabSpec
from zkml.core.pricing import least_model_fee, payment_for
from zkml.core.records import to_hex
from zkml.core.signed_requests import SignedRequest, request_message
from zkml.core.tensors import input_commitment
from zkml.errors import (
    BindingError,
    InvalidTransitionError,
    MarketError,
    NotClaimantError,
    ProofRejectedError,
    TabRefusedError,
)

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chain")
    with Anvil.start(folder / "anvil") as node, closing(Chain(node.endpoint)) as chain:
        yield build_market(chain, folder / "deployments")


@pytest.fixture(scope="module")
def requester(market):
    return market.funded(1000 * ONE_TOKEN)


@pytest.fixture(scope="module")
def prover(market):
    return market.enrolled()


def claimed_job(market, requester, prover, start=0, **terms):
    packed = example_input(start)
    job, _ = market.jobs.open(requester, market.job_spec(packed, **terms), packed)
    market.jobs.claim(prover, job)
    return job


def one(job, start=0):
    packed = example_input(start)
    return Settlement(job, packed, EXAMPLE_OUTPUT, proof_of(packed, EXAMPLE_OUTPUT))


def two(start=0):
    """Return input, output and proof of a batch of two."""
    packed, output = example_input(start) + example_input(start + 1), 2 * EXAMPLE_OUTPUT
    return packed, output, proof_of(packed, output)


def balances(market, *accounts):
    """Return what the pockets of accounts and of the model hold."""
    found = {}
    for account in accounts:
        found[PocketKind.WALLET, account] = market.token.balance_of(account)
        found[PocketKind.CREDITS, account] = market.ledger.credits_of(account)
        stake = market.provers.stake_of(account)
        found[PocketKind.FREE_STAKE, account] = stake.free
        found[PocketKind.LOCKED_STAKE, account] = stake.locked
    income, model = market.ledger.income_of(market.model_id), f"model {market.model_id:#x}"
    found[PocketKind.REVENUE, model], found[PocketKind.PLATFORM, model] = income.revenue, income.platform
    return found


def check_flows(before, after, plan):
    """Check that the pockets that are looked at changed as the plan foretold."""
    expected = dict(before)
    for flow in plan.effects.flows:
        for pocket, sign in ((flow.source, -1), (flow.target, 1)):
            if (pocket.kind, pocket.owner) in expected:
                expected[pocket.kind, pocket.owner] += sign * flow.amount
    assert after == expected


def test_job__from_opening_to_withdrawal__moves_what_its_plans_foretell(market, requester, prover):
    """I1, I6: opening, claim, settlement and withdrawal move exactly the tokens that their dry runs name."""
    plans, people = JobPlans(market.jobs), (requester.address, prover.address)
    packed = example_input()
    spec = market.job_spec(packed, fee=ONE_TOKEN, max_fee=3 * ONE_TOKEN, ramp_seconds=500)
    before = balances(market, *people)
    plan = plans.open(requester.address, spec, packed)
    job, _ = market.jobs.open(requester, spec, packed)
    check_flows(before, balances(market, *people), plan)
    assert f"job {to_hex(job)}" in {flow.target.owner for flow in plan.effects.flows}
    nonces = market.jobs.nonces_of(requester.address)
    where = {"chain_id": market.chain.chain_id, "manager": market.jobs.address}
    assert find_nonce(job, requester.address, spec, nonces, **where) == nonces - 1
    request = market.jobs.events.request(job)
    assert request.as_spec() == spec
    assert int(request.escrow) == market.jobs.facts(job).escrow

    market.jobs.claim(prover, job)
    claim = market.jobs.events.claim_of(job)
    assert isinstance(claim, JobClaimed)
    facts = market.jobs.facts(job)
    assert claim.payment == facts.payment == payment_for(facts.quote, claim.payment.prover_fee)
    check_payment(facts.quote, claim.payment)
    assert claim.payment.prover_fee == facts.prover_fee_at(market.chain.block(claim.where.block).timestamp)
    assert claim.returned == int(request.escrow) - claim.payment.price

    before = balances(market, *people)
    plan = plans.settle(prover.address, one(job))
    market.jobs.settle(prover, *one(job))
    check_flows(before, balances(market, *people), plan)
    settled = market.jobs.events.settlements_of(job)[0]
    assert (settled.prover, settled.prover_fee) == (prover.address, claim.payment.prover_fee)
    data = market.jobs.events.settlement_data(settled)
    assert (data.jobs, data.own_input, data.proof, data.in_calldata) == ((job,), packed, one(job).proof, True)
    booked = list(market.ledger.events.settlements_of(market.model_id))[-1]
    assert (booked.revenue, booked.platform_amount) == (claim.payment.revenue, claim.payment.platform_amount)

    before = balances(market, prover.address)
    plan = RevenuePlans(market.ledger).withdraw(prover.address)
    market.ledger.withdraw(prover)
    check_flows(before, balances(market, prover.address), plan)
    with pytest.raises(MarketError):
        market.ledger.withdraw(prover)


def test_settle_many__two_proofs_in_one_transaction__are_told_apart(market, requester, prover):
    """I5: each job of one transaction has its own proof, and the chain keeps which; one bad proof settles none."""
    jobs = [claimed_job(market, requester, prover, start) for start in (0, 1)]
    good = [one(jobs[0], 0), one(jobs[1], 1)]
    bad = [good[0], good[1]._replace(proof=good[0].proof)]
    with pytest.raises(ProofRejectedError):
        market.jobs.settle_many(prover, bad)
    before = balances(market, prover.address)
    plan = JobPlans(market.jobs).settle_many(prover.address, good)
    receipt = market.jobs.settle_many(prover, good)
    check_flows(before, balances(market, prover.address), plan)
    given = given_settlements(
        market.chain.chain_id, market.jobs.address, market.chain.transaction(receipt.transaction)
    )
    assert [proof.subject for proof in given] == jobs
    for number, job in enumerate(jobs):
        data = market.jobs.events.settlement_data(market.jobs.events.settlements_of(job)[0])
        assert (data.jobs, data.packed_input, data.proof) == (
            (job,),
            example_input(number),
            good[number].proof,
        )


def test_settle_batch__one_proof_of_two_jobs__settles_both_in_order(market, requester, prover):
    """I2, I5: a batch proof settles the jobs whose inputs it is about, in their order, and no others."""
    jobs = [claimed_job(market, requester, prover, start) for start in (5, 6)]
    plans, batch = JobPlans(market.jobs), two(5)
    with pytest.raises(BindingError):
        market.jobs.settle_batch(prover, jobs[::-1], market.batch_circuit_id, batch)
    before = balances(market, prover.address)
    plan = plans.settle_batch(prover.address, jobs, market.batch_circuit_id, batch)
    market.jobs.settle_batch(prover, jobs, market.batch_circuit_id, batch)
    check_flows(before, balances(market, prover.address), plan)
    for position, job in enumerate(jobs):
        data = market.jobs.events.settlement_data(market.jobs.events.settlements_of(job)[0])
        assert (data.jobs, data.position, data.circuit_id) == (tuple(jobs), position, market.batch_circuit_id)
        assert (data.own_input, data.own_output) == (example_input(5 + position), EXAMPLE_OUTPUT)
        assert (data.packed_input, data.packed_output, data.proof) == batch


def test_settle__through_a_contract__is_found_in_the_event_that_stands_in(market, requester):
    """A prover that is a contract leaves its proofs in events: alone, in one call of many, and of a batch."""
    forwarder = Forwarder(market.chain)
    enroll_contract(market, forwarder)
    jobs = []
    for start in (7, 8, 9, 10):
        packed = example_input(start)
        job, _ = market.jobs.open(requester, market.job_spec(packed), packed)
        forwarder.call(market.jobs.contract, "claim", job)
        jobs.append(job)
    contract = market.jobs.contract
    forwarder.call(contract, "settleMany", [one(jobs[0], 7), one(jobs[1], 8)])
    forwarder.call(contract, "settleBatch", jobs[2:], market.batch_circuit_id, *two(9))
    for position, job in enumerate(jobs):
        data = market.jobs.events.settlement_data(market.jobs.events.settlements_of(job)[0])
        assert data.own_input == example_input(7 + position)
        assert data.jobs == ((job,) if position < 2 else tuple(jobs[2:]))
        assert not data.in_calldata
        assert data.circuit_id is None


def enroll_contract(market, forwarder):
    """Make a contract a prover with a stake."""
    market.token.mint(market.deployer, forwarder.address, 50 * ONE_TOKEN)
    token, provers = market.token.contract, market.provers.contract
    forwarder.call(token, "approve", market.provers.address, 50 * ONE_TOKEN)
    forwarder.call(provers, "register", "", [market.spec.proof_system_id])
    forwarder.call(provers, "stake", forwarder.address, 50 * ONE_TOKEN)


def test_settlement_data__endpoint_that_swaps_the_published_proof__is_found_out(
    market, requester, monkeypatch
):
    """I4: what an endpoint says of a published proof is held against the settlement's own digests."""
    forwarder = Forwarder(market.chain)
    enroll_contract(market, forwarder)
    packed = example_input(3)
    job, _ = market.jobs.open(requester, market.job_spec(packed), packed)
    forwarder.call(market.jobs.contract, "claim", job)
    forwarder.call(market.jobs.contract, "settle", *one(job, 3))
    settled = market.jobs.events.settlements_of(job)[0]
    assert market.jobs.events.settlement_data(settled).proof == one(job, 3).proof
    for lie in (
        {"proof_digest": bytes(32)},
        {"packed_output": bytes(len(EXAMPLE_OUTPUT))},
        {"job_id": bytes(32)},
    ):
        changed = {name: getattr(settled, name) for name in settled.__slots__} | lie
        with pytest.raises(BindingError):
            market.jobs.events.settlement_data(type(settled)(**changed))


def test_reclaim__late_claim__is_taken_over_and_the_late_one_forfeits(market, requester, prover):
    """I11: after the grace only the new claimer settles, with a bonus from the stake of the one before."""
    rival = market.enrolled()
    job = claimed_job(market, requester, prover, start=4, claim_seconds=60)
    with pytest.raises(InvalidTransitionError):
        market.jobs.reclaim(rival, job)
    pass_time(market.chain, 61)
    people = (prover.address, rival.address)
    plans, before = JobPlans(market.jobs), balances(market, *people)
    plan = plans.reclaim(rival.address, job)
    market.jobs.reclaim(rival, job)
    check_flows(before, balances(market, *people), plan)
    (found,) = market.jobs.events.reclaims_of(job)
    facts = market.jobs.facts(job)
    assert (found.prover, found.previous_prover) == (rival.address, prover.address)
    assert (found.claim_deadline, found.grace_ends_at) == (facts.claim_deadline, facts.grace_ends_at)
    assert market.jobs.status(job) is market.jobs.status_on_chain(job) is JobStatus.GRACE
    with pytest.raises(NotClaimantError):
        market.jobs.settle(rival, *one(job, 4))
    pass_time(market.chain, market.jobs.terms().grace_seconds + 1)
    before = balances(market, *people)
    plan = plans.settle(rival.address, one(job, 4))
    market.jobs.settle(rival, *one(job, 4))
    check_flows(before, balances(market, *people), plan)
    assert market.provers.stake_of(prover.address).locked == 0


def test_refund__of_an_expired_claim__gives_all_back_and_forfeits(market, requester, prover):
    """I13: an expired job is refunded by anybody: the whole price back, the stake forfeited."""
    job = claimed_job(market, requester, prover, start=2)
    pass_time(market.chain, 601)
    people = (requester.address, prover.address)
    before = balances(market, *people)
    stranger = new_account(market.chain)
    plan = JobPlans(market.jobs).refund(stranger.address, job)
    market.jobs.refund(stranger, job)
    check_flows(before, balances(market, *people), plan)
    end = market.jobs.events.end_of(job)
    terms = market.jobs.terms()
    assert end.outcome is JobStatus.REFUNDED
    assert end.amount == market.jobs.facts(job).price
    assert end.forfeited == max(int(terms.min_collateral), -(-end.amount * terms.collateral_ppm // 10**6))


# --- tabs ------------------------------------------------------------------------------------------


def open_tab(market, requester, prover, signer, amount=20 * ONE_TOKEN):
    spec = TabSpec(market.model_id, prover.address, signer.address, amount, market.chain.now() + 600)
    before = balances(market, requester.address)
    plan = TabPlans(market.tabs).open_tab(requester.address, spec)
    tab, _ = market.tabs.open_tab(requester, spec)
    check_flows(before, balances(market, requester.address), plan)
    return tab, spec


def request_on(market, tab, *, start=0, nonce=0, prover_fee=ONE_TOKEN):
    quote = market.tabs.facts(tab).quote
    fees = (least_model_fee(quote, prover_fee), prover_fee)
    commitment = input_commitment(example_input(start))
    return SignedRequest(tab, market.circuit_id, commitment, *fees, market.chain.now() + 300, nonce)


def proved(start=0):
    packed = example_input(start)
    return packed, EXAMPLE_OUTPUT, proof_of(packed, EXAMPLE_OUTPUT)


def signed(market, signer, request):
    return sign_message(signer, request_message(market.chain.chain_id, market.tabs.address, request))


def test_tab__opened_drawn_and_closed__moves_what_its_plans_foretell(market, requester, prover):
    """I1, I5: a tab pays its prover, and nobody else draws it, for each proof once, and gives the rest back."""
    tabs, plans, signer = market.tabs, TabPlans(market.tabs), new_account(market.chain)
    people = (requester.address, prover.address)
    tab, spec = open_tab(market, requester, prover, signer)
    nonces = tabs.nonces_of(requester.address)
    where = {"chain_id": market.chain.chain_id, "manager": tabs.address}
    assert find_tab_nonce(tab, requester.address, spec, nonces, **where) == nonces - 1
    opened = tabs.events.opened(tab)
    assert (opened.spec, opened.requester, opened.quote) == (spec, requester.address, tabs.facts(tab).quote)
    assert [item.tab_id for item in tabs.events.tabs(prover=prover.address)] == [tab]
    assert list(tabs.events.tabs(requester=prover.address)) == []

    request = request_on(market, tab)
    signature = signed(market, signer, request)
    assert tabs.digest_on_chain(request) == tabs.digest_of(request)
    before = balances(market, *people)
    with pytest.raises(NotClaimantError):
        tabs.simulate_settle_signed(requester.address, request, signature, proved())
    plan = plans.settle_signed(prover.address, request, signature, proved())
    tabs.settle_signed(prover, request, signature, proved())
    check_flows(before, balances(market, *people), plan)
    assert tabs.is_nonce_used(tab, 0)
    assert not tabs.is_nonce_used(tab, 1)
    with pytest.raises(TabRefusedError, match="NonceUsed"):
        tabs.simulate_settle_signed(prover.address, request, signature, proved())

    (settled,) = tabs.events.requests_settled(tab)
    assert settled == tabs.events.request_settled(tabs.digest_of(request))
    check_payment(opened.quote, settled.payment, model_fee=request.model_fee)
    data = tabs.events.request_data(settled)
    assert (data.request, data.signature, data.sender) == (request, signature, prover.address)
    assert (data.packed_input, data.packed_output, data.proof) == proved()

    with pytest.raises(TabRefusedError, match="TabStillOpen"):
        tabs.close_tab(requester, tab)
    before = balances(market, *people)
    plan = plans.close_tab(prover.address, tab)
    tabs.close_tab(prover, tab)
    check_flows(before, balances(market, *people), plan)
    assert tabs.events.closed(tab).amount == spec.amount - settled.payment.price
    assert tabs.facts(tab).closed


def test_settle_signed__by_a_contract__is_found_in_the_event_that_stands_in(market, requester):
    """A signed request that a contract settles as its prover leaves its proof in an event, and no request."""
    signer, wallet = new_account(market.chain), Forwarder(market.chain)
    wallet.call(market.provers.contract, "register", "", [bytes(4)])
    tab, _ = open_tab(market, requester, wallet, signer)
    request = request_on(market, tab, start=1, nonce=2**64 - 1)
    signature = signed(market, signer, request)
    arguments = (tuple(request), signature, *proved(1))
    wallet.call(market.tabs.contract, "settleSigned", *arguments)
    (settled,) = market.tabs.events.requests_settled(tab)
    data = market.tabs.events.request_data(settled)
    assert (data.request, data.signature) == (None, b"")
    assert (data.packed_input, data.packed_output, data.proof) == proved(1)


# --- revenue ---------------------------------------------------------------------------------------


def test_revenue__of_owner_and_platform__is_claimed_as_its_plans_foretell(market, requester, prover):
    """I6: the owner takes what holders are due, the treasury its part, and a second claim finds nothing."""
    job = claimed_job(market, requester, prover, start=11)
    market.jobs.settle(prover, *one(job, 11))
    ledger, plans, owner = market.ledger, RevenuePlans(market.ledger), market.deployer.address
    for plan, claim in (
        (
            plans.claim_owner(owner, market.model_id, owner),
            lambda: ledger.claim_owner(prover, market.model_id),
        ),
        (
            plans.collect_platform(owner, [market.model_id], owner),
            lambda: ledger.collect_platform(prover, [market.model_id]),
        ),
    ):
        before = ledger.credits_of(owner)
        claim()
        (flow,) = plan.effects.flows
        assert ledger.credits_of(owner) == before + flow.amount
        with pytest.raises(MarketError, match="NothingToClaim"):
            claim()
    taken = ledger.events.taken_from(market.model_id)
    assert [item.event for item in taken] == ["OwnerIncomeClaimed", "PlatformCollected"]
    assert {item.receiver for item in taken} == {owner}
    assert [part.ppm for part in ledger.split_of(market.model_id)] == [0, 1_000_000]


def test_activation__in_calldata__is_read_with_its_circuit(market):
    """The genesis proof of each circuit is read from the calldata of its own transaction."""
    entry = market.registry.contract.find_events("GenesisAccepted", from_block=0)
    found = [
        given_activation(market.registry.address, market.chain.transaction(event.log.transaction))
        for event in entry
    ]
    assert [proof.circuit_id for proof in found] == [market.circuit_id, market.batch_circuit_id]
    assert {proof.subject for proof in found} == {market.model_id.to_bytes(32, "big")}
