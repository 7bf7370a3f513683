"""The chain's contracts through their bindings, on a real node: ids, moves of a job, money, refusals."""

import dataclasses
from contextlib import closing

import pytest
from chain_fixtures import (
    DOMAIN,
    EXAMPLE_OUTPUT,
    LAYOUT,
    ONE_TOKEN,
    build_market,
    compile_halo2_stand_in,
    example_input,
    halo2_proof_of,
    new_account,
    proof_of,
)
from eth_account import Account

from marketplace.tokens import PaymentToken
from verifier_contracts.artifacts import load_artifact
from verifier_contracts.deploy import DEPLOYMENT_ORDER, deploy_core
from verifier_contracts.deploy_verifier import VerifierTerms, deploy_verifier
from verifier_contracts.deployments import JobTerms, check_deployment, deployment_path, load_deployment
from zkml.adapters.evm import abi, transactions
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.replacement import call_of, spend_nonce
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.timetravel import pass_time
from zkml.core import identifiers, market_identifiers, tensors
from zkml.core.digests import keccak256
from zkml.core.job_machine import JobStatus, status_of
from zkml.core.pricing import collateral_for
from zkml.core.records import from_hex
from zkml.errors import (
    BindingError,
    ChainError,
    DeploymentError,
    DomainError,
    EvidenceUnavailableError,
    InsufficientFundsError,
    InvalidTransitionError,
    JobExpiredError,
    JobNotFoundError,
    LayoutError,
    MarketError,
    NotClaimantError,
    NotOwnerError,
    NotRegisteredError,
    ProofRejectedError,
    ProverRefusedError,
    RegistryError,
    StakeError,
    TransactionTimeoutError,
    UnsuitableCircuitError,
    WrongChainError,
)
from zkml.wiring import bind

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("chain")


@pytest.fixture(scope="module")
def chain(folder):
    with Anvil.start(folder / "anvil") as node, closing(Chain(node.endpoint)) as connected:
        yield connected


@pytest.fixture(scope="module")
def market(chain, folder):
    return build_market(chain, folder / "deployments")


@pytest.fixture(scope="module")
def requester(market):
    return market.funded(1000 * ONE_TOKEN)


@pytest.fixture(scope="module")
def prover(market):
    account = market.enrolled(500 * ONE_TOKEN)
    market.token.mint(market.deployer, account.address, 1000 * ONE_TOKEN)
    return account


def open_job(market, requester, *, packed_input=None, **terms):
    packed_input = example_input() if packed_input is None else packed_input
    spec = market.job_spec(packed_input, **terms)
    job_id, receipt = market.jobs.open(requester, spec, packed_input)
    return job_id, spec, receipt


def settle(market, prover, job_id, packed_input=None, output=EXAMPLE_OUTPUT, proof=None):
    packed_input = example_input() if packed_input is None else packed_input
    proof = proof_of(packed_input, output) if proof is None else proof
    return market.jobs.settle(prover, job_id, packed_input, output, proof)


# --- identifiers: Python and Solidity compute the same ---------------------------------------------


def test_circuit_id__computed_here__equals_the_routers(market):
    """The router files a circuit under the id that Python computes from its parts."""
    expected = identifiers.circuit_id(market.chain.chain_id, market.router.address, market.spec)
    assert market.router.circuit_id_of(market.spec) == expected == market.circuit_id
    assert market.router.circuit(expected) == market.spec
    assert market.router.exists(expected)
    assert not market.router.exists(bytes(32))


def test_model_id__computed_here__equals_the_registrys(market):
    """The registry mints the token whose id Python computes."""
    assert market.registry.commitment_of(market.model_id) == market.commitment
    assert market.registry.owner_of(market.model_id) == market.deployer.address
    assert market.registry.proven_model_of(market.circuit_id) == market.model_id
    found = list(market.registry.registrations(from_block=0))
    assert [item.model_id for item in found] == [market.model_id]
    assert found[0].name == market.commitment.name


@pytest.mark.parametrize("seed", [bytes(32), b"\xff" * 32, keccak256(b"seed")])
def test_expand_input__computed_here__equals_the_chains(market, seed):
    """Python draws the input that the chain draws from the same seed, on a layout that fills no word."""
    expected = tensors.expand_input(seed, LAYOUT, DOMAIN)
    assert market.router.expand_input(market.circuit_id, seed) == expected
    market.router.check_input(market.circuit_id, expected)


def test_job_id_and_context__computed_here__equal_the_managers(market, requester, prover):
    """Job ids and contexts are those Python computes from requester, nonce, spec and payee."""
    nonce = market.jobs.nonces_of(requester.address)
    job_id, spec, _ = open_job(market, requester)
    where = (market.chain.chain_id, market.jobs.address)
    assert job_id == market_identifiers.job_id(*where, requester.address, nonce, spec)
    found = market.jobs.contract.call("contextOf", job_id, prover.address)
    assert found == market.jobs.context_of(job_id, prover.address)


@pytest.mark.parametrize("price", [1, 9_999_999, 10_000_000, 10_000_001, 123_456_789])
def test_collateral__computed_here__equals_the_managers(market, price):
    """The rounding of collateral is the same on both sides."""
    terms = market.jobs.terms()
    assert terms == JobTerms()
    expected = collateral_for(price, int(terms.min_collateral), terms.collateral_ppm)
    assert market.jobs.collateral_for(price) == expected


# --- the paths of a job ----------------------------------------------------------------------------


def test_settle__accepted_proof__pays_the_prover_and_leaves_the_evidence(market, requester, prover):
    """The fee is credited and the stake free in the settling transaction, and the chain keeps all evidence."""
    token, jobs, ledger = market.token, market.jobs, market.ledger
    held = token.balance_of(ledger.address)
    job_id, spec, receipt = open_job(market, requester)
    facts = jobs.facts(job_id)
    assert token.balance_of(ledger.address) == held + facts.escrow
    request = jobs.events.request(job_id)
    assert from_hex(request.input) == example_input()
    assert (request.opened_transaction, request.opened_block) == (receipt.transaction, receipt.block)
    assert jobs.events.claim_of(job_id) is None

    stake = market.provers.stake_of(prover.address)
    jobs.claim(prover, job_id)
    collateral = jobs.events.claim_of(job_id).collateral
    assert market.provers.stake_of(prover.address).locked == stake.locked + collateral
    before = ledger.credits_of(prover.address)
    settled = settle(market, prover, job_id)
    assert ledger.credits_of(prover.address) == before + spec.max_prover_fee
    assert market.provers.stake_of(prover.address) == stake
    assert jobs.status(job_id) is JobStatus.SETTLED

    found = jobs.events.settlements_of(job_id)
    assert [item.where.transaction for item in found] == [settled.transaction]
    assert found[0].packed_output == EXAMPLE_OUTPUT
    data = jobs.events.settlement_data(found[0])
    assert (data.packed_input, data.proof) == (example_input(), proof_of(example_input(), EXAMPLE_OUTPUT))
    assert data.sender == prover.address == jobs.events.claim_of(job_id).prover


def test_cancel__open_job__gives_the_escrow_back(market, requester, prover):
    """Only the requester takes an unclaimed job back, and a claimed one nobody."""
    job_id, _, _ = open_job(market, requester)
    with pytest.raises(MarketError, match="NotRequester"):
        market.jobs.cancel(prover, job_id)
    before, escrow = market.ledger.credits_of(requester.address), market.jobs.facts(job_id).escrow
    market.jobs.cancel(requester, job_id)
    assert market.ledger.credits_of(requester.address) == before + escrow
    assert market.jobs.events.end_of(job_id).outcome is JobStatus.CANCELLED
    with pytest.raises(InvalidTransitionError):
        market.jobs.claim(prover, job_id)


def test_refund__expired_claim__returns_the_price_and_forfeits_the_collateral(market, requester, prover):
    """After the deadline the price goes back, the collateral is forfeited, and no proof helps."""
    jobs, provers = market.jobs, market.provers
    job_id, spec, _ = open_job(market, requester)
    jobs.claim(prover, job_id)
    with pytest.raises(InvalidTransitionError):
        jobs.refund(prover, job_id)
    pass_time(market.chain, spec.deadline - market.chain.now() + 1)
    with pytest.raises(JobExpiredError):
        settle(market, prover, job_id)
    owed, forfeits = market.ledger.credits_of(requester.address), sum(provers.forfeits())
    jobs.refund(prover, job_id)
    assert market.ledger.credits_of(requester.address) == owed + jobs.facts(job_id).price
    collateral = jobs.events.claim_of(job_id).collateral
    assert sum(provers.forfeits()) == forfeits + collateral
    assert jobs.events.end_of(job_id).forfeited == collateral
    provers.burn_forfeits(requester)
    provers.collect_forfeits(requester)
    assert provers.forfeits() == (0, 0)
    with pytest.raises(InvalidTransitionError):
        jobs.refund(prover, job_id)


def test_status__along_every_path__is_the_same_here_and_on_chain(market, requester, prover):
    """status_of and statusOf agree in every status, and on the deadline's own second."""
    jobs = market.jobs
    settled, _, _ = open_job(market, requester)
    cancelled, _, _ = open_job(market, requester)
    claimed, spec, _ = open_job(market, requester, seconds=900)
    left, _, _ = open_job(market, requester, seconds=900)
    taken, _, _ = open_job(market, requester, seconds=900)
    rival = market.enrolled()
    seen = set()

    def agree():
        for job_id in (settled, cancelled, claimed, left, taken):
            block = market.chain.block("latest")
            facts = jobs.facts(job_id, block=block.number)
            on_chain = JobStatus(jobs.contract.call("statusOf", job_id, block=block.number))
            assert on_chain is status_of(facts, block.timestamp)
            seen.add(on_chain)

    agree()
    for job_id in (settled, claimed, taken):
        jobs.claim(prover, job_id)
    settle(market, prover, settled)
    jobs.cancel(requester, cancelled)
    agree()
    pass_time(market.chain, 61)
    agree()
    jobs.reclaim(rival, taken)
    agree()
    for target in (spec.deadline, spec.deadline + 1):
        market.chain.send_once("evm_setNextBlockTimestamp", [target])
        market.chain.send_once("evm_mine", [])
        assert market.chain.block("latest").timestamp == target
        agree()
    jobs.refund(prover, claimed)
    agree()
    assert seen == set(JobStatus) - {JobStatus.NONE}
    assert jobs.status_on_chain(bytes(32)) is JobStatus.NONE


# --- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"proof": b"\x00" * 32}, ProofRejectedError),
        (
            {"output": tensors.pack([-5, 70_001], 4), "proof": proof_of(example_input(), EXAMPLE_OUTPUT)},
            ProofRejectedError,
        ),
        ({"proof": proof_of(example_input(), EXAMPLE_OUTPUT) + b"\x00"}, ProofRejectedError),
        ({"packed_input": example_input(1)}, BindingError),
        ({"output": EXAMPLE_OUTPUT + b"\x00"}, LayoutError),
    ],
)
def test_settle__a_lie__is_refused_and_moves_nothing(market, requester, prover, change, error):
    """A changed output, input or proof is refused before it is sent, with the error of its kind."""
    job_id, _, _ = open_job(market, requester)
    market.jobs.claim(prover, job_id)
    before = (market.ledger.credits_of(prover.address), market.chain.nonce(prover.address))
    with pytest.raises(error):
        settle(market, prover, job_id, **change)
    assert (market.ledger.credits_of(prover.address), market.chain.nonce(prover.address)) == before
    assert market.jobs.status(job_id) is JobStatus.CLAIMED


def test_settle__by_another_prover__is_refused(market, requester, prover):
    """A good proof pays only who claimed the job."""
    job_id, _, _ = open_job(market, requester)
    market.jobs.claim(prover, job_id)
    thief = market.enrolled()
    with pytest.raises(NotClaimantError):
        settle(market, thief, job_id)
    with pytest.raises(InvalidTransitionError):
        market.jobs.claim(thief, job_id)


def test_claim__without_standing__has_errors_of_its_own(market, requester, prover):
    """Whoever is not named, not registered or has too little stake is told which."""
    spec = market.job_spec(example_input())._replace(provers=(prover.address,))
    named, _ = market.jobs.open(requester, spec, example_input())
    poor = market.enrolled(ONE_TOKEN - 1)
    with pytest.raises(ProverRefusedError, match="ProverNotNamed"):
        market.jobs.claim(poor, named)
    assert (market.jobs.is_named(named, prover.address), market.jobs.is_named(named, poor.address)) == (
        True,
        False,
    )
    market.jobs.claim(prover, named)
    job_id, _, _ = open_job(market, requester)
    with pytest.raises(StakeError, match="StakeTooLow"):
        market.jobs.claim(poor, job_id)
    with pytest.raises(ProverRefusedError, match="NotRegistered"):
        market.jobs.claim(requester, job_id)


def test_open__bad_requests__have_errors_of_their_own(market, requester):
    """Each way to ask for the impossible is told apart."""
    jobs, good = market.jobs, market.job_spec(example_input())
    outside = tensors.pack([701] * LAYOUT.input_count, LAYOUT.input_bytes)
    cases = [
        (good._replace(model_id=5), example_input(), UnsuitableCircuitError),
        (good._replace(circuit_id=market.batch_circuit_id), example_input(), UnsuitableCircuitError),
        (good._replace(min_prover_fee=0), example_input(), MarketError),
        (good._replace(max_prover_fee=good.min_prover_fee - 1), example_input(), MarketError),
        (good._replace(ramp_seconds=10**6), example_input(), MarketError),
        (good._replace(claim_seconds=1), example_input(), MarketError),
        (good._replace(provers=(market.deployer.address,) * 9), example_input(), MarketError),
        (good._replace(max_total=good.max_prover_fee), example_input(), MarketError),
        (good._replace(deadline=market.chain.now() + 1), example_input(), MarketError),
        (good._replace(input_commitment=bytes(32)), example_input(), BindingError),
        (good, b"", MarketError),
        (market.job_spec(outside), outside, DomainError),
        (market.job_spec(b"\x00"), b"\x00", LayoutError),
        (good._replace(max_prover_fee=10**15, max_total=10**16), example_input(), InsufficientFundsError),
    ]
    for spec, packed_input, error in cases:
        with pytest.raises(error):
            jobs.open(requester, spec, packed_input)


def test_open__without_allowance_or_tokens__says_what_to_do(market):
    """Neither a missing allowance nor an empty purse is a mystery."""
    poor = new_account(market.chain)
    with pytest.raises(InsufficientFundsError, match="ERC20InsufficientAllowance") as caught:
        open_job(market, poor)
    assert "approve" in caught.value.hint
    assert market.token.ensure_allowance(poor, market.ledger.address, 10 * ONE_TOKEN) is not None
    assert market.token.ensure_allowance(poor, market.ledger.address, 10 * ONE_TOKEN) is None
    with pytest.raises(InsufficientFundsError, match="ERC20InsufficientBalance"):
        open_job(market, poor)
    with pytest.raises(InsufficientFundsError, match=r"expected 1\.000000 zUSD to claim"):
        market.token.require(poor.address, ONE_TOKEN, "claim")


def test_transact__account_without_ether__is_insufficient_funds(market):
    """An account that cannot pay for gas is told so."""
    with pytest.raises(InsufficientFundsError, match="ether"):
        market.token.approve(Account.create(), market.jobs.address, 1)


def test_unknown_things__are_not_found(market, prover):
    """A job, model or circuit that does not exist is its own error."""
    with pytest.raises(JobNotFoundError):
        market.jobs.facts(bytes(32))
    with pytest.raises(JobNotFoundError):
        market.jobs.claim(prover, bytes(32))
    with pytest.raises(JobNotFoundError):
        market.jobs.events.request(bytes(32))
    with pytest.raises(NotRegisteredError):
        market.registry.owner_of(7)
    with pytest.raises(NotRegisteredError):
        market.registry.commitment_of(7)
    with pytest.raises(NotRegisteredError):
        market.router.circuit(bytes(32))
    with pytest.raises(NotRegisteredError):
        market.registry.proven_model_of(bytes(32))


def test_mint__by_a_stranger__is_refused(market, prover):
    """The local token is minted by its deployer alone."""
    with pytest.raises(NotOwnerError, match="OwnableUnauthorizedAccount"):
        market.token.mint(prover, prover.address, 1)


def test_router__circuit_twice_or_of_a_better_class__is_refused(market):
    """A circuit is added once, and nobody can call it CEREMONY."""
    with pytest.raises(RegistryError, match="CircuitExists"):
        market.router.add(market.deployer, market.spec)
    with pytest.raises(UnsuitableCircuitError):
        market.router.add(market.deployer, market.spec._replace(verifier_class=2))


def test_settlement_data__node_without_the_transaction__is_inconclusive(
    market, requester, prover, monkeypatch
):
    """A node that forgot a transaction gives no verdict."""
    job_id, _, _ = open_job(market, requester)
    market.jobs.claim(prover, job_id)
    settle(market, prover, job_id)
    settled = market.jobs.events.settlements_of(job_id)[0]
    monkeypatch.setattr(market.chain, "transaction", lambda _: None)
    with pytest.raises(EvidenceUnavailableError):
        market.jobs.events.settlement_data(settled)


def test_requests__one_broken_job_among_good_ones__is_left_out(market, requester, monkeypatch):
    """A job that no record holds, as only an endpoint can tell of it, stops nobody from finding the others."""
    spec = market.job_spec(example_input())
    opened = [market.jobs.open(requester, spec, example_input())[0] for _ in range(3)]
    find_events = market.jobs.contract.find_events

    def lie(*arguments, **options):
        for event in find_events(*arguments, **options):
            if event.arguments["jobId"] == opened[1]:
                spec = list(event.arguments["spec"])
                event.arguments["spec"] = (*spec[:3], "x" * 257, *spec[4:])
            yield event

    monkeypatch.setattr(market.jobs.contract, "find_events", lie)
    found = [from_hex(item.job_id) for item in market.jobs.events.requests()]
    assert [job in found for job in opened] == [True, False, True]


def test_requests__uri_of_any_256_bytes__is_read(market, requester):
    """The longest URI that the chain takes fits a record whatever its bytes are; a longer one is refused."""
    spec = market.job_spec(example_input())._replace(input_uri="x" * 256)
    call = market.jobs.contract.plan("open", tuple(spec), b"")
    hostile = dataclasses.replace(call, data=call.data.replace(b"x" * 256, b"\xff" * 256))
    transaction = transactions.send(market.chain, requester, hostile).transaction
    (found,) = [item for item in market.jobs.events.requests() if item.opened_transaction == transaction]
    assert found.input_uri == "\ufffd" * 256
    with pytest.raises(MarketError, match="InputUriTooLong"):
        market.jobs.open(requester, spec._replace(input_uri="x" * 257), b"")


# --- transactions ----------------------------------------------------------------------------------


def test_transact__signed_transaction__is_handed_over_before_it_is_sent(market, prover):
    """A journal has the raw bytes and the hash while the chain does not know them yet."""
    kept = []

    def keep(signed):
        assert market.chain.transaction(signed.transaction) is None
        kept.append(signed)

    receipt = market.token.approve(prover, market.jobs.address, 500 * ONE_TOKEN, on_signed=keep)
    assert [signed.transaction for signed in kept] == [receipt.transaction]
    transactions.broadcast(market.chain, kept[0])
    assert market.jobs.resume(kept[0]) == receipt


def test_transact__killed_before_broadcast__is_resumed_from_the_journal(market, prover):
    """A signed transaction that never left is sent later, once, from its bytes alone."""
    call = market.token.contract.plan("approve", market.jobs.address, 499 * ONE_TOKEN)
    signed = transactions.sign(market.chain, prover, call)
    receipt = market.jobs.resume(signed)
    assert receipt.transaction == signed.transaction
    assert market.token.allowance(prover.address, market.jobs.address) == 499 * ONE_TOKEN


def test_resume__nonce_taken_by_another__is_void_for_ever(market, prover):
    """A journaled transaction whose nonce went elsewhere is never waited for."""
    call = market.token.contract.plan("approve", market.jobs.address, 1)
    signed = transactions.sign(market.chain, prover, call)
    market.token.approve(prover, market.jobs.address, 500 * ONE_TOKEN)
    with pytest.raises(ChainError, match="found it used by another transaction"):
        transactions.resume(market.chain, signed)


def test_send__nonce_taken_in_between__is_signed_again(market, prover):
    """Two processes with one key cost a second signature, not the transaction."""
    kept = []

    def race(signed):
        kept.append(signed)
        if len(kept) == 1:
            market.token.approve(prover, market.deployer.address, 1)

    market.token.approve(prover, market.jobs.address, 500 * ONE_TOKEN, on_signed=race)
    assert len(kept) == 2
    assert kept[0].nonce + 1 == kept[1].nonce


def test_open__nonce_taken_in_between__is_not_signed_again(market):
    """A second opening would be a second job: when the nonce goes elsewhere, nothing is sent in its place."""
    requester, kept = market.funded(), []

    def race(signed):
        kept.append(signed)
        market.token.approve(requester, market.deployer.address, 1)

    packed = example_input()
    with pytest.raises(ChainError, match="found it used by another transaction"):
        market.jobs.open(requester, market.job_spec(packed), packed, on_signed=race)
    assert len(kept) == 1
    assert market.jobs.nonces_of(requester.address) == 0


class LyingToken(Chain):
    """An endpoint that tells other decimals or another symbol of the payment token."""

    lies: dict = {}  # noqa: RUF012

    def call(self, target, data, **options):
        for name, value in self.lies.items():
            entry = abi.function(load_artifact("LocalPaymentToken").abi, name)
            if data == entry.selector:
                return abi.encode_arguments(entry.outputs, [value], "lie")
        return super().call(target, data, **options)


@pytest.mark.parametrize("lie", [{"decimals": 8}, {"decimals": 0}, {"symbol": "zEUR"}])
def test_check_deployment__endpoint_tells_another_unit_of_money__is_refused(market, lie):
    """Decimals and symbol are the record's: an endpoint cannot move the point in a price."""
    with LyingToken(market.chain.endpoint) as chain:
        chain.lies = lie
        with pytest.raises(DeploymentError, match="expected a token of 6 decimals called 'zUSD'"):
            check_deployment(chain, market.deployment)
        token = bind(chain, market.deployment).token
        assert (token.parse("2.5"), token.show(2_500_000)) == (2_500_000, "2.500000 zUSD")


def test_transact__gas_dearer_than_the_limit__nothing_is_signed(market, prover):
    """The setting that bounds the price of gas is asked at every signature."""
    kept = []
    with Chain(market.chain.endpoint, max_fee_gwei=0.000001) as thrifty:
        token = PaymentToken(thrifty, market.token.address, decimals=6, symbol="zUSD")
        with pytest.raises(ChainError) as caught:
            token.approve(prover, market.jobs.address, 1, on_signed=kept.append)
    assert "chain.max_fee_gwei" in caught.value.hint
    assert kept == []


def test_spend_nonce__of_a_kept_transaction__it_can_never_be_mined(market, prover):
    """An empty transaction takes the nonce; the kept bytes say what they would have done, and are void."""
    call = market.token.contract.plan("approve", market.jobs.address, 3)
    signed = transactions.sign(market.chain, prover, call)
    read = call_of(signed)
    assert (read.target, read.data, read.value_wei) == (call.target, call.data, 0)
    allowance = market.token.allowance(prover.address, market.jobs.address)
    assert spend_nonce(market.chain, prover, signed).succeeded
    assert transactions.is_void(market.chain, signed)
    with pytest.raises(ChainError, match="found it used by another transaction"):
        transactions.resume(market.chain, signed)
    assert market.token.allowance(prover.address, market.jobs.address) == allowance


def test_spend_nonce__another_transaction_was_first__is_void_itself(market, prover):
    """Who comes too late to spend a nonce is told that another transaction has it."""
    call = market.token.contract.plan("approve", market.jobs.address, 3)
    signed = transactions.sign(market.chain, prover, call)
    market.token.approve(prover, market.jobs.address, 500 * ONE_TOKEN)
    with pytest.raises(ChainError) as caught:
        spend_nonce(market.chain, prover, signed)
    assert caught.value.context["void"]


def test_send__reverts_after_it_was_signed__explains_why(market, requester, prover):
    """A transaction that loses a race on chain fails with the contract's own reason."""
    job_id, _, _ = open_job(market, requester)
    rival = market.enrolled()
    with pytest.raises(InvalidTransitionError, match="WrongStatus") as caught:
        market.jobs.claim(prover, job_id, on_signed=lambda _: market.jobs.claim(rival, job_id))
    assert market.chain.receipt(caught.value.context["transaction"]).succeeded is False


def test_wait__not_mined_in_time__keeps_the_hash(market, prover):
    """A transaction that nobody mines is given up on, not lost: its hash goes on."""
    kept = []
    market.chain.send_once("evm_setAutomine", [False])
    with Chain(market.chain.endpoint, receipt_timeout_seconds=0) as impatient:
        contract = PaymentToken(impatient, market.token.address, decimals=6, symbol="zUSD").contract
        try:
            with pytest.raises(TransactionTimeoutError) as caught:
                contract.transact(prover, "approve", market.jobs.address, 7, on_signed=kept.append)
        finally:
            market.chain.send_once("evm_setAutomine", [True])
    assert caught.value.context["transaction"] == kept[0].transaction
    market.chain.send_once("evm_mine", [])
    assert transactions.resume(market.chain, kept[0]).succeeded
    market.token.approve(prover, market.jobs.address, 500 * ONE_TOKEN)


def test_wait__with_confirmations__counts_blocks_on_top(market, prover):
    """A receipt counts only when enough blocks are on top of it, and they are those it was in."""
    kept = []
    receipt = market.token.approve(prover, market.jobs.address, 500 * ONE_TOKEN, on_signed=kept.append)
    with Chain(market.chain.endpoint, receipt_timeout_seconds=0) as careful:
        careful.confirmations = 2
        market.chain.send_once("evm_mine", [])
        with pytest.raises(TransactionTimeoutError):
            transactions.wait(careful, kept[0])
        market.chain.send_once("evm_mine", [])
        assert transactions.wait(careful, kept[0]) == receipt


def test_has_block__after_a_reorg__is_false(market, prover):
    """A block that is no longer on the chain is recognised by its hash."""
    snapshot = market.chain.send_once("evm_snapshot", [])
    receipt = market.token.approve(prover, market.jobs.address, 500 * ONE_TOKEN)
    assert market.chain.has_block(receipt.block, receipt.block_hash)
    assert market.chain.send_once("evm_revert", [snapshot]) is True
    assert not market.chain.has_block(receipt.block, receipt.block_hash)
    market.token.approve(prover, market.jobs.address, 499 * ONE_TOKEN)
    assert market.chain.height() == receipt.block
    assert not market.chain.has_block(receipt.block, receipt.block_hash)


def test_dry_run__says_what_it_would_do_and_sends_nothing(market, prover):
    """A dry run names target, calldata, gas and arguments, and leaves the nonce alone."""
    before = market.chain.nonce(prover.address)
    dry = market.token.contract.dry_run(prover.address, "approve", market.jobs.address, 5)
    assert (dry.target, dry.function) == (market.token.address, "LocalPaymentToken.approve")
    assert dry.arguments == {"spender": market.jobs.address, "value": 5}
    assert 21_000 < dry.gas < 100_000
    assert market.chain.nonce(prover.address) == before


# --- circuits --------------------------------------------------------------------------------------


def test_deploy_verifier__twice__pins_one_circuit(market):
    """A verifier is deployed once; the second time it is found by its code, and nothing is sent."""
    terms = VerifierTerms(
        LAYOUT, DOMAIN, keccak256(b"other key"), identifiers.proof_system_id("x"), 500_000, 1
    )
    artifact = compile_halo2_stand_in()
    where = (market.chain, market.deployer, market.router, artifact, terms)
    pinned = deploy_verifier(*where, from_block=market.deployment.block)
    assert pinned.is_new
    before = market.chain.nonce(market.deployer.address)
    again = deploy_verifier(*where, from_block=market.deployment.block)
    assert (again.circuit_id, again.verifier, again.is_new) == (pinned.circuit_id, pinned.verifier, False)
    assert market.chain.nonce(market.deployer.address) == before

    proof = halo2_proof_of(example_input(), EXAMPLE_OUTPUT)
    market.router.verify(pinned.circuit_id, bytes(32), example_input(), EXAMPLE_OUTPUT, proof)
    with pytest.raises(ProofRejectedError, match=r"reason=VerifierReverted\(\)"):
        market.router.verify(pinned.circuit_id, bytes(32), example_input(1), EXAMPLE_OUTPUT, proof)


def test_deploy_verifier__circuit_of_other_code_under_the_same_key__is_not_taken_for_it(market):
    """Whoever adds a circuit under our key's digest first does not have us use it."""
    digest = keccak256(b"squatted key")
    squat = market.spec._replace(
        verifying_key_digest=digest, proof_system_id=identifiers.proof_system_id("x"), gas_limit=500_000
    )
    squatted, _ = market.router.add(market.deployer, squat)
    terms = VerifierTerms(LAYOUT, DOMAIN, digest, identifiers.proof_system_id("x"), 500_000, 1)
    artifact = compile_halo2_stand_in()
    pinned = deploy_verifier(
        market.chain, market.deployer, market.router, artifact, terms, from_block=market.deployment.block
    )
    assert pinned.is_new
    assert pinned.circuit_id != squatted


# --- deployments -----------------------------------------------------------------------------------


def test_deploy_core__again__deploys_nothing(market, folder):
    """A second deployment finds the first, and sends no transaction."""
    before = market.chain.nonce(market.deployer.address)
    assert deploy_core(market.chain, market.deployer, folder=folder / "deployments") == market.deployment
    assert market.chain.nonce(market.deployer.address) == before
    assert load_deployment(folder / "deployments", market.chain) == market.deployment


@pytest.mark.parametrize("survivors", [1, 3])
def test_deploy_core__interrupted__goes_on_where_it_stopped(market, tmp_path, survivors):
    """A deployment killed in the middle keeps the contracts it has, and ends as one whole record."""
    finished = []

    def kill(event):
        if event.finished:
            finished.append(event.note)
            if len(finished) == survivors:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deploy_core(market.chain, market.deployer, folder=tmp_path, progress=kill)
    with pytest.raises(DeploymentError):
        load_deployment(tmp_path, market.chain)
    before = market.chain.nonce(market.deployer.address)
    deployment = deploy_core(market.chain, market.deployer, folder=tmp_path)
    assert market.chain.nonce(market.deployer.address) == before + len(DEPLOYMENT_ORDER) - survivors
    assert f"at {deployment.timelock.address}" == finished[0]
    assert [path.name for path in tmp_path.iterdir()] == [deployment_path(tmp_path, market.chain).name]


def test_deploy_core__progress_file_damaged__starts_over(market, tmp_path):
    """A broken progress file costs a deployment, not an answer."""
    deployment_path(tmp_path, market.chain).with_suffix(".partial.json").write_text("{")
    check_deployment(market.chain, deploy_core(market.chain, market.deployer, folder=tmp_path))


def test_check_deployment__other_address_code_or_chain__is_refused(market):
    """A record that was changed in any part is not believed."""
    record = market.deployment
    elsewhere = record.manager.model_copy(update={"address": record.registry.address})
    swapped = record.registry.model_copy(update={})
    lies = [
        {"manager": elsewhere},
        {"manager": elsewhere.model_copy(update={"code_hash": record.registry.code_hash})},
        {"registry": swapped.model_copy(update={"address": "0x" + "11" * 20})},
        {"token": record.router},
        {"terms": JobTerms(min_collateral="2000000")},
    ]
    for lie in lies:
        with pytest.raises(DeploymentError):
            check_deployment(market.chain, record.model_copy(update=lie))
    with pytest.raises(WrongChainError):
        check_deployment(market.chain, record.model_copy(update={"chain_id": 1}))
    with pytest.raises(WrongChainError):
        check_deployment(market.chain, record.model_copy(update={"genesis_hash": "0x" + "00" * 32}))
