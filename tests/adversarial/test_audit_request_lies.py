"""Evidence with one lie in it: the audit of a signed request rejects at exactly the step that checks it.

The evidence is the recorded chain of the jobs' audits (`audit_world.py`); each test changes one thing.
"""

import dataclasses

import pytest
from audit_world import Asked, RecordedChain, World, build_world
from built_once import built_once
from eth_account import Account

from verifier_contracts.artifacts import load_artifact
from zkml.adapters.evm import abi
from zkml.adapters.keys.typed_signatures import sign_message
from zkml.audit.job_audit import ONLY_DEPLOYED
from zkml.audit.policy import INSECURE_SRS, AuditPolicy
from zkml.audit.report import Outcome, Verdict
from zkml.audit.request_audit import audit_request
from zkml.audit.request_case import Signed
from zkml.core.digests import keccak256
from zkml.core.identifiers import VerifierClass
from zkml.core.signed_requests import request_message
from zkml.errors import ProofRejectedError, RpcError, ToolchainError

pytestmark = pytest.mark.integration

STRANGER = "0x00000000000000000000000000000000DeaDBeef"
TAB_FIELDS = ("requester", "prover", "signer", "model_id", "balance", "expiry", "quote", "closed")


@pytest.fixture(scope="module")
def world() -> World:
    return built_once("audit-world", build_world)[1]


def quick(*_: object, **_options: object) -> None:
    """Stand in for EZKL where the proof is known to be good."""


def no_ezkl(*_: object, **_options: object) -> None:
    raise ToolchainError("expected the package ezkl, found none")


def flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def settle(world: World, asked: Asked | None = None) -> str:
    return world.transaction_with("RequestSettled", (asked or world.paid).digest)


def given(world: World) -> dict:
    entry = abi.function(load_artifact("JobManager").abi, "settleSigned")
    return abi.decode_calldata(entry, world.chain.transactions[settle(world)].data)


def told(world: World, name: str, asked: Asked | None = None, **changes: object) -> RecordedChain:
    """Change an argument of an event of the manager in a settlement, an opening or a closing."""
    asked = asked or world.paid
    where = settle(world, asked) if name == "RequestSettled" else world.transaction_with(name, asked.tab)
    return world.chain.with_event(where, "JobManager", name, **changes)


def answer(world: World, asked: Asked | None = None, **changes: object) -> RecordedChain:
    """Change a field of the manager's answer to `tab`."""

    def change(values: tuple) -> tuple:
        return (tuple((dict(zip(TAB_FIELDS, values[0], strict=True)) | changes).values()),)

    tab = (asked or world.paid).tab
    return world.chain.with_answer("JobManager", world.contracts.manager, "tab", [tab], change)


def signed_with(world: World, **changes: object) -> RecordedChain:
    """Change a field of the request in the calldata."""
    request = world.paid.signed.request._replace(**changes)
    return world.chain.with_calldata(settle(world), "JobManager", "settleSigned", request=tuple(request))


def calldata(world: World, **changes: object) -> RecordedChain:
    return world.chain.with_calldata(settle(world), "JobManager", "settleSigned", **changes)


def spec_with(world: World, **changes: object) -> RecordedChain:
    """Change a field of the spec in the tab's opening."""
    opening = world.transaction_with("TabOpened", world.paid.tab)
    entry = abi.event(load_artifact("JobManager").abi, "TabOpened")
    (event,) = [
        abi.decode_log(entry, log)
        for log in world.chain.receipts[opening].logs
        if log.topics[0] == entry.topic
    ]
    names = ("model_id", "prover", "signer", "amount", "expiry")
    spec = dict(zip(names, event.arguments["spec"], strict=True)) | changes
    return told(world, "TabOpened", spec=tuple(spec.values()))


def at_time(world: World, time: int) -> RecordedChain:
    """Tell another time for the settlement's block."""
    return world.chain.with_block(world.chain.receipts[settle(world)].block, timestamp=time)


def before_its_opening(world):
    block = world.chain.receipts[world.transaction_with("TabOpened", world.paid.tab)].block
    return world.chain.moved_to_block(settle(world), block - 1)


def closed_before(world):
    log = next(
        log
        for log in world.chain.receipts[world.transaction_with("TabClosed", world.last.tab)].logs
        if log.address == world.contracts.manager
    )
    receipt = world.chain.receipts[opening(world)]
    other = dataclasses.replace(
        log,
        topics=(log.topics[0], world.paid.tab, log.topics[2]),
        block=receipt.block,
        block_hash=receipt.block_hash,
        transaction=receipt.transaction,
    )
    return world.chain.with_log(opening(world), other)


def tombstoned_before(world):
    circuit = world.paid.signed.request.circuit_id
    router = world.contracts.router
    chain = world.chain.with_answer("VerifierRouter", router, "isTombstoned", [circuit], lambda _: (True,))
    entry = abi.event(load_artifact("VerifierRouter").abi, "CircuitTombstoned")
    opening = world.transaction_with("TabOpened", world.paid.tab)
    log = dataclasses.replace(
        chain.receipts[opening].logs[0],
        address=router,
        topics=(entry.topic, circuit),
        data=abi.encode_arguments(entry.inputs[1:], ["broken"], entry.name),
    )
    return chain.with_log(opening, log)


def other_class(world):
    def change(values: tuple) -> tuple:
        return ((*values[0][:-1], VerifierClass.CEREMONY),)

    circuit = world.paid.signed.request.circuit_id
    return world.chain.with_answer("VerifierRouter", world.contracts.router, "circuit", [circuit], change)


def model_not_proven(world):
    model = [int.from_bytes(world.model, "big")]
    return world.chain.with_answer(
        "ModelRegistry", world.contracts.registry, "statusOf", model, lambda _: (1,)
    )


def fewer_nonces(world):
    return world.chain.with_answer(
        "JobManager", world.contracts.manager, "nonces", [world.requester], lambda _: (1,)
    )


def nonce_unused(world):
    asked = [world.paid.tab, world.paid.signed.request.nonce]
    return world.chain.with_answer(
        "JobManager", world.contracts.manager, "isNonceUsed", asked, lambda _: (False,)
    )


def failed(world, transaction):
    return world.chain.with_receipt(transaction, succeeded=False)


def effect(world, artifact, name, **changes):
    return world.chain.with_event(settle(world), artifact, name, **changes)


def deposit(world, artifact, name, **changes):
    opening = world.transaction_with("TabOpened", world.paid.tab)
    return world.chain.with_event(opening, artifact, name, **changes)


def fee_in_force(world):
    registered = world.transaction_with("ModelRegistered", world.model, "ModelRegistry")
    return world.chain.with_event(registered, "ModelRegistry", "FeeTermsSet", modelFee=1)


def payout_beside_settlement(world):
    """The ledger sends tokens in the settlement's transaction that nobody withdrew."""
    opening = world.transaction_with("TabOpened", world.paid.tab)
    (transfer,) = [log for log in world.chain.receipts[opening].logs if log.address == world.contracts.token]
    receipt = world.chain.receipts[settle(world)]
    return world.chain.with_log(
        settle(world),
        dataclasses.replace(
            transfer,
            topics=(transfer.topics[0], transfer.topics[2], transfer.topics[1]),
            block=receipt.block,
            block_hash=receipt.block_hash,
            transaction=receipt.transaction,
        ),
    )


def same_nonce_paid_twice(world):
    nonce = world.paid.signed.request.nonce
    return told(world, "RequestSettled", world.later, nonce=nonce)


def opening(world):
    return world.transaction_with("TabOpened", world.paid.tab)


LIES = {
    "other_manager_code": (0, lambda w: w.chain.with_code(w.contracts.manager, b"\x60\x00")),
    "no_such_tab": (0, lambda w: answer(w, requester="0x" + "00" * 20)),
    "other_signer_stored": (0, lambda w: answer(w, signer=STRANGER)),
    "other_prover_stored": (0, lambda w: answer(w, prover=STRANGER)),
    "other_model_stored": (0, lambda w: answer(w, model_id=1)),
    "later_expiry_stored": (0, lambda w: answer(w, expiry=2**40 - 1)),
    "other_quote_stored": (0, lambda w: answer(w, quote=(1, 0, 0, 0))),
    "other_requester_opened": (0, lambda w: told(w, "TabOpened", requester=STRANGER)),
    "other_prover_opened": (0, lambda w: spec_with(w, prover=STRANGER)),
    "failed_opening": (0, lambda w: failed(w, opening(w))),
    "other_amount_opened": (1, lambda w: spec_with(w, amount=10**12)),
    "fewer_nonces": (1, fewer_nonces),
    "dearer_request": (1, lambda w: signed_with(w, prover_fee=9_000_000)),
    "other_input_signed": (1, lambda w: signed_with(w, input_commitment=bytes(32))),
    "later_expiry_signed": (1, lambda w: signed_with(w, expiry=2**40 - 1)),
    "signature_of_nobody": (1, lambda w: calldata(w, signature=bytes(65))),
    "signature_of_another": (1, lambda w: calldata(w, signature=w.later.signed.signature)),
    "other_class": (2, other_class),
    "tombstoned_before": (2, tombstoned_before),
    "model_not_proven": (3, model_not_proven),
    "other_input_given": (5, lambda w: calldata(w, input=flipped(given(w)["input"]))),
    "failed_settlement": (6, lambda w: failed(w, settle(w))),
    "other_output_told": (9, lambda w: told(w, "RequestSettled", output=flipped(given(w)["output"]))),
    "other_proof_told": (9, lambda w: told(w, "RequestSettled", proofDigest=bytes(32))),
    "other_nonce_told": (9, lambda w: told(w, "RequestSettled", nonce=99)),
    "other_payee_told": (9, lambda w: told(w, "RequestSettled", prover=STRANGER)),
    "other_sender": (9, lambda w: w.chain.with_transaction(settle(w), sender=STRANGER)),
    "after_the_request_expired": (9, lambda w: at_time(w, w.paid.signed.request.expiry + 1)),
    "before_its_opening": (9, before_its_opening),
    "closed_before": (9, closed_before),
    "settled_twice": (10, lambda w: w.chain.with_event_again(settle(w), "JobManager", "RequestSettled")),
    "same_nonce_paid_twice": (10, same_nonce_paid_twice),
    "nonce_unused": (10, nonce_unused),
    "fee_in_force": (10, fee_in_force),
    "smaller_deposit": (10, lambda w: deposit(w, "RevenueLedger", "Deposited", amount=1)),
    "fewer_tokens_in": (10, lambda w: deposit(w, "LocalPaymentToken", "Transfer", value=1)),
    "tokens_of_a_stranger": (10, lambda w: deposit(w, "LocalPaymentToken", "Transfer", **{"from": STRANGER})),
    "other_payment_told": (10, lambda w: told(w, "RequestSettled", payment=(1, 0, 0))),
    "smaller_revenue": (10, lambda w: effect(w, "RevenueLedger", "RevenueSettled", revenue=1)),
    "fee_to_a_stranger": (10, lambda w: effect(w, "RevenueLedger", "RevenueSettled", prover=STRANGER)),
    "of_another_model": (10, lambda w: effect(w, "RevenueLedger", "RevenueSettled", modelId=1)),
    "no_revenue": (10, lambda w: w.chain.without_event(settle(w), "RevenueLedger", "RevenueSettled")),
    "paid_twice": (10, lambda w: w.chain.with_event_again(settle(w), "RevenueLedger", "RevenueSettled")),
    "payout_beside_settlement": (10, payout_beside_settlement),
    "price_not_drawn": (10, lambda w: answer(w, balance=20_000_000)),
}


# --- the truth ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["paid", "later", "last"])
def test_settled_request__accepted_with_every_step(world, name):
    """Settled first, after another or from a tab that was closed since, a request passes every step."""
    asked = getattr(world, name)
    report = world.audit_request(asked)
    assert [step.outcome for step in report.steps] == [Outcome.OK] * 11, report.as_text()
    assert (report.verdict, report.exit_code) == (Verdict.ACCEPTED, 0)
    assert INSECURE_SRS in report.notes
    fee = asked.signed.request.prover_fee
    assert report.meaning == f"{fee} paid to {world.provers[0]} for this proof"
    assert (report.facts["prover_fee"], report.facts["output"]) == (
        str(fee),
        "0x" + given(world)["output"].hex(),
    )


def test_settled_request__its_file_given__same_report(world):
    """Who has the request's file learns what who has its digest learns."""
    own = world.audit_request(world.paid, own=world.paid.signed, verify=quick)
    assert own == world.audit_request(world.paid, verify=quick)


def test_settled_request__without_ezkl__no_verdict(world):
    """Where EZKL is not installed nobody checked the key: step 7, and the report, are inconclusive."""
    report = world.audit_request(world.paid, verify=no_ezkl)
    assert (report.step(7).outcome, report.step(8).outcome) == (Outcome.INCONCLUSIVE, Outcome.OK)
    assert (report.exit_code, ONLY_DEPLOYED in report.notes) == (4, True)


def test_request__settled_by_a_contract__audited_with_its_file_and_not_without(world):
    """A contract's calldata shows no request: with the file the published proof is judged, without there is no verdict."""
    prover = world.provers[0]
    chain = world.chain.relayed(settle(world), "JobManager", prover)
    alone = world.audit_request(world.paid, chain, verify=quick)
    assert (alone.step(1).outcome, alone.exit_code) == (Outcome.INCONCLUSIVE, 4)
    assert "file" in alone.step(1).hint
    report = world.audit_request(world.paid, chain, own=world.paid.signed, verify=quick)
    assert report.verdict is Verdict.ACCEPTED, report.as_text()


# --- one lie, one step ----------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "lie"), LIES.values(), ids=[f"{LIES[name][0]}-{name}" for name in LIES])
def test_settled_request__one_lie__rejected_at_exactly_its_step(world, number, lie):
    """One changed thing is found by the step that checks it, and by no other."""
    report = world.audit_request(world.paid, lie(world), verify=no_ezkl)
    assert report.rejected_steps == (number,), report.as_text()
    assert (report.verdict, report.exit_code) == (Verdict.REJECTED, 3)
    assert report.step(number).code.startswith("ZK-VER")


def test_settled_request__block_reorganised__rejected(world):
    """A settlement in a block that is not canonical is neither final nor dated."""
    block = world.chain.receipts[settle(world)].block
    report = world.audit_request(
        world.paid, world.chain.with_block(block, block_hash="0x" + "11" * 32), verify=quick
    )
    assert report.rejected_steps == (6, 9)


@pytest.mark.parametrize("what", ["output", "proof"])
def test_settled_request__wrong_bytes_everywhere__rejected_by_both_verifiers(world, what):
    """Where calldata and event agree on an output or a proof that is wrong, only the verifiers find out."""
    data = flipped(given(world)[what])
    chain = calldata(world, **{what: data})
    change = {"output": data} if what == "output" else {"proofDigest": keccak256(data)}
    chain = chain.with_event(settle(world), "JobManager", "RequestSettled", **change)
    assert world.audit_request(world.paid, chain).rejected_steps == (7, 8)


def test_settled_request__signed_by_who_is_not_the_tabs_signer__rejected(world):
    """A file signed by another key is refused although digest, proof and payment are right."""
    request = world.paid.signed.request
    message = request_message(world.chain.chain_id, world.contracts.manager, request)
    own = Signed(request, sign_message(Account.create(), message))
    assert world.audit_request(world.paid, own=own, verify=quick).rejected_steps == (1,)


def closing(world, **changes):
    return told(world, "TabClosed", world.last, **changes)


@pytest.mark.parametrize(
    "lie",
    [
        lambda w: closing(w, amount=1),
        lambda w: w.chain.with_event(
            w.transaction_with("TabClosed", w.last.tab), "RevenueLedger", "Credited", account=STRANGER
        ),
        lambda w: w.chain.without_event(
            w.transaction_with("TabClosed", w.last.tab), "RevenueLedger", "Credited"
        ),
        lambda w: answer(w, w.last, balance=1),
    ],
    ids=["less_told", "to_a_stranger", "nothing_credited", "something_left"],
)
def test_closed_tab__rest_not_sent_back_whole__rejected(world, lie):
    """What a closed tab gave back is its amount less what was drawn, to its requester."""
    assert world.audit_request(world.last, lie(world), verify=quick).rejected_steps == (10,)


def test_settled_request__proof_refused_by_ezkl__rejected_at_step_7(world):
    """What the proof system refuses is rejected although the deployed verifier accepts it."""

    def refuse(_bundle: object, _proof: object, *, context: bytes) -> None:
        raise ProofRejectedError("expected an accepted proof, found none")

    assert world.audit_request(world.paid, verify=refuse).rejected_steps == (7,)


# --- what could not be told -----------------------------------------------------------------------


def test_waiting_request__inconclusive_and_says_what_holds(world):
    """A request that is not settled gives no verdict, but its signature, circuit and model are checked."""
    report = world.audit_request(world.waiting, own=world.waiting.signed)
    assert [step.number for step in report.steps if step.outcome is Outcome.OK] == [0, 1, 2, 3, 4]
    assert (report.exit_code, report.meaning) == (4, "not settled")
    assert "it can be until" in report.step(6).detail


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: answer(w, closed=True), "its tab is closed"),
        (lambda w: dataclasses.replace(w.chain, time=w.waiting.signed.request.expiry + 1), "it expired at"),
        (
            lambda w: w.chain.with_answer(
                "JobManager",
                w.contracts.manager,
                "isNonceUsed",
                [w.waiting.tab, w.waiting.signed.request.nonce],
                lambda _: (True,),
            ),
            "was paid with another request",
        ),
    ],
)
def test_waiting_request__that_can_never_be_paid__says_why(world, change, words):
    """Who waits in vain learns it: the tab is closed, the time is over, or the nonce is used up."""
    report = world.audit_request(world.waiting, change(world), own=world.waiting.signed)
    assert (report.exit_code, words in report.step(6).detail) == (4, True), report.as_text()


def test_unknown_digest__inconclusive_and_accuses_nobody(world):
    """Of a digest that no settlement names nothing can be told."""
    unknown = dataclasses.replace(world.paid, digest=bytes(32))
    report = world.audit_request(unknown)
    assert (report.exit_code, report.rejected_steps) == (4, ())
    assert report.step(0).outcome is Outcome.INCONCLUSIVE


def test_later_settlement__kept_back__no_verdict(world):
    """An endpoint that withholds another draw on the tab cannot explain what is left."""
    chain = world.chain.without_event(settle(world, world.later), "JobManager", "RequestSettled")
    report = world.audit_request(world.paid, chain, verify=quick)
    assert (report.rejected_steps, report.step(10).outcome) == ((), Outcome.INCONCLUSIVE)


def test_tab_read_before_a_later_draw__accepted(world):
    """Others may draw between two answers of the chain: what was left before is as good as what is left now."""
    drawn = world.later.signed.request
    price = drawn.prover_fee + drawn.model_fee + 10_000
    (facts,) = _tab(world)
    report = world.audit_request(world.paid, answer(world, balance=facts[4] + price), verify=quick)
    assert report.verdict is Verdict.ACCEPTED, report.as_text()


def _tab(world: World) -> tuple:
    entry = abi.function(load_artifact("JobManager").abi, "tab")
    key = (world.contracts.manager, abi.encode_call(entry, [world.paid.tab]))
    return abi.decode_values(entry.outputs, world.chain.calls[key], "tab")


class Failing:
    """An endpoint that goes down at its n-th answer."""

    def __init__(self, chain: RecordedChain, answers: int) -> None:
        self._chain, self.left = chain, answers
        self.chain_id = chain.chain_id

    def __getattr__(self, name):
        def ask(*arguments, **options):
            self.left -= 1
            if self.left < 0:
                raise RpcError("expected an answer, found nobody listening")
            return getattr(self._chain, name)(*arguments, **options)

        return ask


def test_chain__endpoint_down_at_any_moment__inconclusive_never_a_traceback(world):
    """Wherever the endpoint goes away, the audit ends without a verdict, and never accepts."""
    whole = Failing(world.chain, 10_000)
    assert world.audit_request(world.paid, whole, verify=quick).verdict is Verdict.ACCEPTED
    for answers in range(10_000 - whole.left):
        report = world.audit_request(world.paid, Failing(world.chain, answers), verify=quick)
        assert (report.verdict, report.exit_code) == (Verdict.INCONCLUSIVE, 4), answers


def test_deployment__of_another__no_such_tab(world):
    """Addresses of another deployment know nothing of the request."""
    report = audit_request(
        world.paid.digest,
        world.chain,
        world.fake_contracts,
        world.store,
        AuditPolicy(),
        own=world.paid.signed,
    )
    assert report.step(0).outcome is not Outcome.OK
