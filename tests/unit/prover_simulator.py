"""A whole market in memory: accounts with nonces, a mempool, blocks that a reorg can undo, stakes, and the job machine.

It implements the prover node's ports. Time passes when the node sleeps, and then a block is mined.
"""

import contextlib
import copy
import functools
import json
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from prover_nodes.admission import Admission
from prover_nodes.claiming import Claiming
from prover_nodes.filing import Filing
from prover_nodes.halting import Halt, halting_progress
from prover_nodes.journal import Journal
from prover_nodes.judge import Judge
from prover_nodes.node import Node
from prover_nodes.observer import Observer, SilentObserver
from prover_nodes.outbox import Outbox
from prover_nodes.pipeline import Pipeline
from prover_nodes.policy import Policy
from prover_nodes.ports import CollateralTerms, FoundMove
from prover_nodes.slots import ProvingSlots
from registry.provers import Stake
from verifier_contracts.expected_verifier import ExpectedGenerated, ExpectedVerifier
from verifier_contracts.local_verification import adapter_code
from zkml.adapters.evm.answers import Block, TransactionReceipt
from zkml.adapters.evm.transactions import Call, SignedTransaction
from zkml.core.digests import keccak256
from zkml.core.identifiers import CircuitSpec, VerifierClass, proof_system_id
from zkml.core.job_machine import ZERO_ADDRESS, JobFacts, JobStatus, check_move, is_zero, status_of
from zkml.core.pricing import FeeQuote, Payment, escrow_for, payment_for, split_forfeit
from zkml.core.progress import silent
from zkml.core.records import JobRequest, QuoteFields, from_hex, to_hex
from zkml.core.tensors import InputDomain, TensorLayout, pack, unpack_input
from zkml.errors import (
    ArtifactNotFoundError,
    ChainError,
    DomainError,
    InsufficientFundsError,
    JobNotFoundError,
    NotRegisteredError,
    ProofRejectedError,
    ProverRefusedError,
    RpcError,
    StakeError,
    ZkmlError,
)

CHAIN_ID = 31337
MANAGER = "0x" + "Aa" * 20
REQUESTER = "0x" + "11" * 20
PROVER = "0x" + "22" * 20
RIVAL = "0x" + "33" * 20
LAYOUT = TensorLayout(input_count=4, input_bytes=1, output_count=1, output_bytes=2)
DOMAIN = InputDomain(-100, 100)
KEY_DIGEST = keccak256(b"verifying key")
CIRCUIT_ID = keccak256(b"circuit")
FEE = 5_000_000
QUOTE = FeeQuote(model_fee_floor=1_000_000, model_fee_ppm=0, flat_fee=10_000, platform_ppm=25_000)
TREASURY_PPM = 500_000
TERMS = CollateralTerms(minimum=1_000_000, ppm=100_000, bonus_ppm=500_000)
COLLATERAL = 1_000_000
"""What a claim of a job of that fee locks: the price is 6.01 tokens, a tenth of it is less."""
BONUS = COLLATERAL // 2
GRACE_SECONDS = 36
CLAIM_SECONDS = 100
FUNDS = 10_000_000
BLOCK_SECONDS = 2
LEAST_GAS = 150_000
MEMORY = 1 << 30
MAX_PRICE = 1000
SYSTEM_ID = proof_system_id("simulated")
ADAPTER = "0x" + "44" * 20
VERIFIER = "0x" + "55" * 20
# Returns 1 whatever it is asked: no code here is run for its verdict, only compared.
VERIFIER_CODE = bytes.fromhex("60015f5260205ff3")
ADAPTER_CODE = adapter_code(VERIFIER, VERIFIER_CODE, LAYOUT)
SPEC = CircuitSpec(
    adapter=ADAPTER,
    adapter_code_hash=keccak256(ADAPTER_CODE),
    verifying_key_digest=KEY_DIGEST,
    weight_commitment=bytes(32),
    proof_system_id=SYSTEM_ID,
    layout=LAYOUT,
    domain=DOMAIN,
    gas_limit=200_000,
    verifier_class=VerifierClass.LOCAL,
)


def output_of(packed_input: bytes) -> bytes:
    """Return what the simulated circuit computes: the sum."""
    return pack([sum(unpack_input(LAYOUT, packed_input))], LAYOUT.output_bytes)


def context_of(job_id: bytes, payee: str) -> bytes:
    """Return what the simulated chain has a job's proof bound to."""
    return keccak256(job_id + payee.encode())


def proof_of(context: bytes, packed_input: bytes, packed_output: bytes) -> bytes:
    """Return the one proof that the simulated verifier accepts in a context."""
    return keccak256(b"proof" + context + packed_input + packed_output)


@dataclass
class State:
    """What a block changes."""

    jobs: dict[bytes, JobFacts] = field(default_factory=dict)
    balances: Counter[str] = field(default_factory=Counter)
    allowances: Counter[str] = field(default_factory=Counter)
    credits: Counter[str] = field(default_factory=Counter)
    stakes: dict[str, Stake] = field(default_factory=lambda: defaultdict(lambda: Stake(0, 0, False, 0, 0)))
    forfeited: int = 0
    earned: int = 0
    nonces: Counter[str] = field(default_factory=Counter)
    requests: list[JobRequest] = field(default_factory=list)
    receipts: dict[str, TransactionReceipt] = field(default_factory=dict)
    moves: dict[tuple[str, str, bytes], FoundMove] = field(default_factory=dict)


def _move_of(signed: SignedTransaction) -> str:
    """Return what a transaction does; one that only fills a gap in the nonces does nothing."""
    data = json.loads(signed.raw)["data"]
    return str(json.loads(data)["move"]) if data else ""


def _one_at_a_time(method: Callable[..., Any]) -> Callable[..., Any]:
    """Let one thread at a time change a chain."""

    @functools.wraps(method)
    def locked(self: Any, *arguments: Any, **options: Any) -> Any:
        with self.lock:
            return method(self, *arguments, **options)

    return locked


@dataclass
class SimulatedChain:
    """The chain. With `instant`, a transaction is mined when it is broadcast."""

    instant: bool = True
    now: int = 1_800_000_000
    state: State = field(default_factory=State)
    mempool: dict[str, SignedTransaction] = field(default_factory=dict)
    blocks: list[tuple[str, State, tuple[SignedTransaction, ...]]] = field(default_factory=list)
    broadcasts: list[SignedTransaction] = field(default_factory=list)
    spec: CircuitSpec = SPEC
    tombstoned: bool = False
    closed_to: set[str] = field(default_factory=set)
    codes: dict[str, bytes] = field(default_factory=lambda: {ADAPTER: ADAPTER_CODE, VERIFIER: VERIFIER_CODE})
    hashes: Iterator[int] = field(default_factory=count)
    least_price: int = 0
    """What is offered less for is not mined."""
    gas_price_wei: int = 10**9
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        for account in (PROVER, RIVAL, REQUESTER):
            self.state.balances[account] = FUNDS
        self.mine()

    @property
    def height(self) -> int:
        return len(self.blocks) - 1

    @_one_at_a_time
    def mine(self) -> None:
        """Mine a block of everything that waits, in the order of nonces."""
        self.now += BLOCK_SECONDS
        before = copy.deepcopy(self.state)
        block_hash = to_hex(keccak256(f"block {next(self.hashes)}".encode()))
        self.blocks.append((block_hash, before, ()))
        mined = []
        for signed in sorted(self.mempool.values(), key=lambda item: item.nonce):
            expected = self.state.nonces[signed.sender]
            if json.loads(signed.raw)["price"] < self.least_price:
                continue
            if signed.nonce == expected:
                self._apply(signed, block_hash)
                mined.append(signed)
            if signed.nonce <= expected:
                del self.mempool[signed.transaction]
        self.blocks[-1] = (block_hash, before, tuple(mined))

    @_one_at_a_time
    def reorg(self, depth: int, *, keep: bool) -> None:
        """Undo blocks; `keep` puts their transactions back among those that wait."""
        undone = self.blocks[-depth:]
        del self.blocks[-depth:]
        self.state = copy.deepcopy(undone[0][1])
        for _, _, transactions in undone:
            for signed in transactions if keep else ():
                self.mempool[signed.transaction] = signed

    @_one_at_a_time
    def open(
        self,
        packed_input: bytes,
        *,
        seconds: int = 600,
        uri: str = "",
        fee: int = FEE,
        max_fee: int | None = None,
        ramp_seconds: int = 0,
        claim_seconds: int = CLAIM_SECONDS,
        **changes: Any,
    ) -> bytes:
        """Open a job in a block of its own and return its id."""
        number = len(self.state.requests)
        job_id = keccak256(f"job {number} {packed_input.hex()}".encode())
        self.mine()
        best = fee if max_fee is None else max_fee
        request = JobRequest(
            chain_id=CHAIN_ID,
            manager=MANAGER,
            job_id=to_hex(job_id),
            model_id="7",
            circuit_id=to_hex(CIRCUIT_ID),
            requester=REQUESTER,
            input_commitment=to_hex(keccak256(packed_input)),
            input_uri=uri,
            input="0x" if uri else to_hex(packed_input),
            min_prover_fee=str(fee),
            max_prover_fee=str(best),
            max_total=str(escrow_for(QUOTE, best)),
            ramp_seconds=ramp_seconds,
            claim_seconds=claim_seconds,
            deadline=self.now + seconds,
            provers=(),
            quote=QuoteFields.from_quote(QUOTE),
            escrow=str(escrow_for(QUOTE, best)),
            opened_transaction=to_hex(keccak256(b"open" + job_id)),
            opened_block=self.height,
            opened_block_hash=self.blocks[-1][0],
        ).model_copy(update=changes)
        self.state.balances[REQUESTER] -= escrow_for(QUOTE, best)
        self.state.requests.append(request)
        self.state.jobs[job_id] = JobFacts(
            job_id=job_id,
            requester=REQUESTER,
            opened_at=self.now,
            ramp_seconds=ramp_seconds,
            claim_seconds=claim_seconds,
            deadline=request.deadline,
            min_prover_fee=fee,
            max_prover_fee=best,
            quote=QUOTE,
            prover=ZERO_ADDRESS,
            claim_deadline=0,
            previous_prover=ZERO_ADDRESS,
            grace_ends_at=0,
            payment=Payment(0, 0, 0),
            model_id=7,
            circuit_id=from_hex(request.circuit_id),
            input_commitment=from_hex(request.input_commitment),
            restricted=bool(request.provers),
            outcome=JobStatus.NONE,
        )
        return job_id

    @_one_at_a_time
    def endow(self, account: str, stake: int = FUNDS) -> None:
        """Register an account as a prover with a stake of its own money."""
        self.state.stakes[account] = Stake(stake, 0, True, 0, 0)

    def tokens(self) -> int:
        """Return all tokens there are: they only ever move."""
        state = self.state
        held = sum(stake.free + stake.locked + stake.leaving for stake in state.stakes.values())
        escrow = sum(job.escrow for job in state.jobs.values() if not status_of(job, 0).is_terminal)
        wallets = sum(state.balances.values()) + sum(state.credits.values())
        return wallets + held + escrow + state.forfeited + state.earned

    def mined(self, sender: str, move: str) -> list[str]:
        """Return the transactions of a move that are on the canonical chain and had an effect."""
        return [
            signed.transaction
            for _, _, transactions in self.blocks
            for signed in transactions
            if signed.sender == sender
            and _move_of(signed) == move
            and self.state.receipts[signed.transaction].succeeded
        ]

    def sent(self, sender: str, move: str) -> set[str]:
        """Return the different transactions of a move that were ever broadcast."""
        return {
            signed.transaction
            for signed in self.broadcasts
            if signed.sender == sender and _move_of(signed) == move
        }

    def execute(self, state: State, sender: str, data: bytes) -> tuple[str, bytes] | None:
        """Run a move; it raises, or changes `state`."""
        if not data:
            return None
        call = json.loads(data)
        move, held = call["move"], state.stakes[sender]
        if move == "register":
            state.stakes[sender] = replace(held, registered=True)
        elif move == "approve":
            state.allowances[sender] = call["amount"]
        elif move == "stake":
            self._stake(state, sender, call["amount"])
        else:
            job = state.jobs[bytes.fromhex(call["job"])]
            check_move(job, move, self.now, caller=sender, is_tombstoned=self.tombstoned)
            getattr(self, f"_{move}")(state, sender, job, call)
            return move, job.job_id
        return None

    def _stake(self, state: State, sender: str, amount: int) -> None:
        held = state.stakes[sender]
        if not held.registered:
            raise ProverRefusedError("expected a registered prover, found another")
        if min(state.allowances[sender], state.balances[sender]) < amount:
            raise InsufficientFundsError("expected the stake, found too little")
        state.allowances[sender] -= amount
        state.balances[sender] -= amount
        state.stakes[sender] = replace(held, free=held.free + amount)

    def _lock(self, state: State, sender: str, job: JobFacts) -> None:
        request = next(found for found in state.requests if from_hex(found.job_id) == job.job_id)
        held, collateral = state.stakes[sender], TERMS.collateral_for(job.price)
        if not held.registered or sender in self.closed_to or sender not in (request.provers or (sender,)):
            raise ProverRefusedError("expected a prover who may claim, found another")
        if held.free < collateral:
            raise StakeError(f"expected {collateral} free, found {held.free}")
        state.stakes[sender] = replace(held, free=held.free - collateral, locked=held.locked + collateral)

    def _release(self, state: State, prover: str, job: JobFacts) -> None:
        held, collateral = state.stakes[prover], TERMS.collateral_for(job.price)
        state.stakes[prover] = replace(held, free=held.free + collateral, locked=held.locked - collateral)

    def _forfeit(self, state: State, prover: str, job: JobFacts, heir: str | None = None) -> None:
        collateral = TERMS.collateral_for(job.price)
        split = split_forfeit(collateral, TERMS.bonus_ppm, TREASURY_PPM, has_heir=heir is not None)
        held = state.stakes[prover]
        state.stakes[prover] = replace(held, locked=held.locked - collateral)
        state.forfeited += split.to_treasury + split.to_burn
        if heir is not None:
            state.stakes[heir] = replace(state.stakes[heir], free=state.stakes[heir].free + split.bonus)

    def _claim(self, state: State, sender: str, job: JobFacts, call: dict[str, Any]) -> None:
        claimed = replace(
            job,
            prover=sender,
            claim_deadline=min(self.now + job.claim_seconds, job.deadline),
            payment=payment_for(job.quote, job.prover_fee_at(self.now)),
        )
        state.jobs[job.job_id] = claimed
        state.credits[job.requester] += job.escrow - claimed.escrow
        self._lock(state, sender, claimed)

    def _reclaim(self, state: State, sender: str, job: JobFacts, call: dict[str, Any]) -> None:
        state.jobs[job.job_id] = replace(
            job,
            prover=sender,
            previous_prover=job.prover,
            grace_ends_at=self.now + GRACE_SECONDS,
            claim_deadline=self.now + job.claim_seconds,
        )
        if job.has_previous_prover:
            self._forfeit(state, job.previous_prover, job)
        self._lock(state, sender, job)

    def _refund(self, state: State, sender: str, job: JobFacts, call: dict[str, Any]) -> None:
        end = self._release if self.tombstoned else self._forfeit
        for prover in (job.prover, job.previous_prover):
            if not is_zero(prover):
                end(state, prover, job)
        state.credits[job.requester] += job.escrow
        state.jobs[job.job_id] = replace(
            job, outcome=JobStatus.REFUNDED, previous_prover=self._struck(job, self.tombstoned)
        )

    def _settle(self, state: State, sender: str, job: JobFacts, call: dict[str, Any]) -> None:
        packed_input, packed_output, proof = (bytes.fromhex(call[name]) for name in ("in", "out", "proof"))
        correct = (keccak256(packed_input), proof) == (
            job.input_commitment,
            proof_of(context_of(job.job_id, sender), packed_input, output_of(packed_input)),
        )
        if not correct or packed_output != output_of(packed_input):
            raise ProofRejectedError("expected a valid proof, found another")
        is_grace = status_of(job, self.now) is JobStatus.GRACE
        self._release(state, sender, job)
        if is_grace:
            self._release(state, job.prover, job)
        elif job.has_previous_prover:
            self._forfeit(state, job.previous_prover, job, sender)
        state.jobs[job.job_id] = replace(
            job, outcome=JobStatus.SETTLED, previous_prover=self._struck(job, is_grace)
        )
        state.credits[sender] += job.payment.prover_fee
        state.earned += job.payment.revenue + job.payment.platform_amount

    @staticmethod
    def _struck(job: JobFacts, stays: bool) -> str:
        """Return the previous prover on record once a job is over: one who forfeited is struck."""
        return job.previous_prover if stays else ZERO_ADDRESS

    def _apply(self, signed: SignedTransaction, block_hash: str) -> None:
        data = json.loads(signed.raw)["data"].encode()
        trial = copy.deepcopy(self.state)
        succeeded = True
        try:
            effect = self.execute(trial, signed.sender, data)
        except ZkmlError:
            succeeded, effect = False, None
        if succeeded:
            self.state = trial
        self.state.nonces[signed.sender] += 1
        if effect is not None:
            self.state.moves[signed.sender, *effect] = FoundMove(signed.transaction, self.height)
        self.state.receipts[signed.transaction] = TransactionReceipt(
            signed.transaction, self.height, block_hash, succeeded, 100_000, 1, None, ()
        )


def _alone(method: Callable[..., Any]) -> Callable[..., Any]:
    """Let one thread at a time look at the chain or change it."""

    @functools.wraps(method)
    def locked(self: Any, *arguments: Any, **options: Any) -> Any:
        with self.chain.lock:
            return method(self, *arguments, **options)

    return locked


class SimulatedMarket:
    """One account's view of the chain: the ports `Market` and `Transactions`."""

    chain_id = CHAIN_ID
    scope = "31337:simulated"
    first_block = 0

    def __init__(self, chain: SimulatedChain, account: str = PROVER) -> None:
        self.chain = chain
        self.account = account

    def height(self) -> int:
        return self.chain.height

    def now(self) -> int:
        return self.chain.now

    def block(self, number: int | None = None) -> Block:
        number = self.chain.height if number is None else number
        if number > self.chain.height:
            raise RpcError(f"expected block {number}, found none")
        parent = self.chain.blocks[number - 1][0] if number else to_hex(bytes(32))
        time = self.time_of_block(number)
        return Block(number, self.chain.blocks[number][0], parent, time, self.chain.gas_price_wei, 30_000_000)

    def time_of_block(self, number: int) -> int:
        return self.chain.now - BLOCK_SECONDS * (self.chain.height - number)

    def gas_price_wei(self) -> int:
        return self.chain.gas_price_wei

    def requests(self, from_block: int, to_block: int) -> Iterator[JobRequest]:
        return (r for r in self.chain.state.requests if from_block <= r.opened_block <= to_block)

    def request(self, job_id: bytes) -> JobRequest:
        for request in self.chain.state.requests:
            if request.job_id == to_hex(job_id):
                return request
        raise JobNotFoundError("expected an existing job, found none")

    def facts(self, job_id: bytes) -> JobFacts:
        if job_id not in self.chain.state.jobs:
            raise JobNotFoundError("expected an existing job, found none")
        return self.chain.state.jobs[job_id]

    def circuit(self, circuit_id: bytes) -> CircuitSpec:
        if circuit_id != CIRCUIT_ID:
            raise NotRegisteredError("expected a known circuit, found another")
        return self.chain.spec

    def code_of(self, address: str) -> bytes:
        return self.chain.codes.get(address, b"")

    def is_tombstoned(self, circuit_id: bytes) -> bool:
        return self.chain.tombstoned

    def may_prove(self, model_id: int) -> bool:
        return self.account not in self.chain.closed_to

    def collateral_terms(self) -> CollateralTerms:
        return TERMS

    def claimed_jobs(self) -> list[bytes]:
        moves = self.chain.state.moves
        return [job for who, move, job in moves if who == self.account and move in ("claim", "reclaim")]

    def claim_of(self, job_id: bytes) -> FoundMove | None:
        moves = self.chain.state.moves
        return moves.get((self.account, "reclaim", job_id)) or moves.get((self.account, "claim", job_id))

    def settlement_of(self, job_id: bytes) -> FoundMove | None:
        return self.chain.state.moves.get((self.account, "settle", job_id))

    def context_of(self, job_id: bytes) -> bytes:
        return context_of(job_id, self.account)

    def stake(self) -> Stake:
        return self.chain.state.stakes[self.account]

    def balance(self) -> int:
        return self.chain.state.balances[self.account]

    def allowance(self) -> int:
        return self.chain.state.allowances[self.account]

    def plan_register(self, proof_systems: Sequence[bytes]) -> Call:
        return _call("register", systems=[system.hex() for system in proof_systems])

    def plan_stake(self, amount: int) -> Call:
        return _call("stake", amount=amount)

    def plan_reclaim(self, job_id: bytes) -> Call:
        return _call("reclaim", job=job_id.hex())

    def plan_approve(self, amount: int) -> Call:
        return _call("approve", amount=amount)

    def plan_claim(self, job_id: bytes) -> Call:
        return _call("claim", job=job_id.hex())

    def plan_settle(self, job_id: bytes, packed_input: bytes, packed_output: bytes, proof: bytes) -> Call:
        fields = {"in": packed_input.hex(), "out": packed_output.hex(), "proof": proof.hex()}
        return _call("settle", job=job_id.hex(), **fields)

    # --- transactions ---

    @_alone
    def simulate(self, call: Call) -> None:
        # Like a local node's pending block: after everything that waits.
        state = copy.deepcopy(self.chain.state)
        for signed in self.chain.mempool.values():
            with contextlib.suppress(ZkmlError):
                self.chain.execute(state, signed.sender, json.loads(signed.raw)["data"].encode())
        self.chain.execute(state, self.account, call.data)

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        with self.chain.lock:
            yield

    def spent_nonce(self) -> int:
        return self.chain.state.nonces[self.account]

    @_alone
    def next_nonce(self) -> int:
        nonce = self.spent_nonce()
        waiting = {other.nonce for other in self.chain.mempool.values() if other.sender == self.account}
        while nonce in waiting:
            nonce += 1
        return nonce

    @_alone
    def sign(self, call: Call, *, nonce: int | None = None) -> SignedTransaction:
        self.simulate(call)
        return self._signed(call.data.decode(), self.next_nonce() if nonce is None else nonce, call.what, 100)

    def outbid(self, signed: SignedTransaction) -> SignedTransaction | None:
        """Return the same transaction for an eighth more; None above ten times the first price."""
        fields = json.loads(signed.raw)
        price = -(-fields["price"] * 9 // 8)
        if price > MAX_PRICE:
            return None
        return self._signed(fields["data"], signed.nonce, signed.what, price)

    @_alone
    def refusal(self, signed: SignedTransaction) -> str:
        state = copy.deepcopy(self.chain.state)
        try:
            self.chain.execute(state, self.account, json.loads(signed.raw)["data"].encode())
        except ZkmlError as error:
            return error.message
        return ""

    def _signed(self, data: str, nonce: int, what: str, price: int) -> SignedTransaction:
        # No two signings give the same bytes, as no two have the same gas price on a real chain.
        fields = {"salt": next(self.chain.hashes), "nonce": nonce, "data": data, "price": price}
        raw = json.dumps(fields | {"sender": self.account}).encode()
        return SignedTransaction(to_hex(keccak256(raw)), raw, self.account, nonce, what)

    @_alone
    def broadcast(self, signed: SignedTransaction) -> None:
        if signed.nonce < self.chain.state.nonces[signed.sender]:
            raise ChainError("expected a free nonce, found it used")
        for other in self.chain.mempool.values():
            if (other.sender, other.nonce) == (signed.sender, signed.nonce):
                if other.transaction == signed.transaction:
                    return
                if json.loads(signed.raw)["price"] * 8 >= json.loads(other.raw)["price"] * 9:
                    del self.chain.mempool[other.transaction]
                    break
                raise ChainError("expected a better price than the transaction that waits")
        self.chain.broadcasts.append(signed)
        self.chain.mempool[signed.transaction] = signed
        if self.chain.instant:
            self.chain.mine()

    def receipt(self, transaction: str) -> TransactionReceipt | None:
        return self.chain.state.receipts.get(transaction)

    def is_known(self, transaction: str) -> bool:
        return transaction in self.chain.mempool or self.receipt(transaction) is not None

    def is_void(self, signed: SignedTransaction) -> bool:
        return (
            self.chain.state.nonces[signed.sender] > signed.nonce and self.receipt(signed.transaction) is None
        )

    def has_block(self, number: int, block_hash: str) -> bool:
        return number < len(self.chain.blocks) and self.chain.blocks[number][0] == block_hash

    @_alone
    def act(self, call: Call) -> None:
        """Sign, broadcast and mine: what another program with this key would do."""
        self.broadcast(self.sign(call))
        self.chain.mine()

    def claim(self, job_id: bytes) -> None:
        """Claim a job as another program with this key would; it is endowed with stake where it has none."""
        if not self.stake().free:
            self.chain.endow(self.account)
        self.act(self.plan_claim(job_id))

    def settle(self, job_id: bytes, packed_input: bytes) -> None:
        """Settle a job as another program with this key would."""
        output = output_of(packed_input)
        proof = proof_of(self.context_of(job_id), packed_input, output)
        self.act(self.plan_settle(job_id, packed_input, output, proof))


class SimulatedClock:
    """Time that passes only when somebody waits for it; a block is mined each time."""

    def __init__(self, chain: SimulatedChain) -> None:
        self.chain = chain
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    @_alone
    def sleep(self, seconds: float) -> None:
        self.seconds += max(seconds, BLOCK_SECONDS)
        self.chain.mine()


class SimulatedCircuit:
    """A circuit that adds up its input; counts how often it was asked to prove."""

    name = "sum"
    batch = 1
    proof_bytes = 32
    verifying_key_digest = KEY_DIGEST
    proof_system_id = SYSTEM_ID
    layout = LAYOUT
    domain = DOMAIN

    def __init__(self) -> None:
        self.proved = 0
        self.expected = 5.0
        self.peak: int | None = MEMORY // 4
        self.corrupt_proofs = 0
        self.while_proving: Callable[[], None] = lambda: None

    def shared_key_digest(self) -> bytes | None:
        return None

    def expected_verifier(self, key_digest: bytes) -> ExpectedVerifier:
        return ExpectedGenerated(LAYOUT, bytes(32), KEY_DIGEST, VERIFIER_CODE)

    def least_gas_limit(self, key_digest: bytes, *, progress: Any) -> int:
        return LEAST_GAS

    def expected_prove_seconds(self) -> float | None:
        return self.expected

    def expected_witness_seconds(self) -> float | None:
        return 0.01

    def expected_peak_bytes(self) -> int | None:
        return self.peak

    def witness(self, packed_input: bytes, *, progress: Any) -> tuple[bytes, float]:
        self.domain.check(unpack_input(LAYOUT, packed_input))
        if max(unpack_input(LAYOUT, packed_input)) == 99:
            raise DomainError("expected less than 99, found 99")
        return output_of(packed_input), 0.01

    def prove(
        self, packed_input: bytes, packed_output: bytes, *, context: bytes, progress: Any
    ) -> tuple[bytes, float]:
        self.proved += 1
        self.while_proving()
        proof = proof_of(context, packed_input, packed_output)
        if self.corrupt_proofs:
            self.corrupt_proofs -= 1
            proof = bytes(32)
        return proof, 5.0

    def verify(self, packed_input: bytes, packed_output: bytes, proof: bytes, *, context: bytes) -> None:
        if proof != proof_of(context, packed_input, packed_output):
            raise ProofRejectedError("expected a valid proof, found another")


class SimulatedStore:
    """Inputs by content address."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}

    def read(self, cid: str, *, limit_bytes: int) -> bytes:
        if cid not in self.contents:
            raise ArtifactNotFoundError(f"expected {cid} in the store, found nothing")
        return self.contents[cid]


POLICY = Policy(frozenset({VerifierClass.LOCAL}), min_fee=0, margin_seconds=20.0, confirmations=0)


class Killed(BaseException):
    """The process is gone."""


class Fuse:
    """Kills at the n-th boundary: before or after an effect that outlives the process."""

    def __init__(self, boundary: int | None = None) -> None:
        self.left = boundary
        self.passed: list[str] = []

    def burn(self, where: str) -> None:
        self.passed.append(where)
        if self.left is not None:
            if self.left == 0:
                raise Killed(where)
            self.left -= 1


class Fused:
    """Anything, with a fuse before and after some of its methods."""

    def __init__(self, target: Any, fuse: Fuse, *methods: str) -> None:
        self._target, self._fuse, self._methods = target, fuse, methods

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._target, name)
        if name not in self._methods:
            return attribute

        def fused(*arguments: Any, **options: Any) -> Any:
            self._fuse.burn(f"before {name}")
            result = attribute(*arguments, **options)
            self._fuse.burn(f"after {name}")
            return result

        return fused


_JOURNALED = (
    "add",
    "move_cursor",
    "mark",
    "file",
    "keep_transaction",
    "abandon_transaction",
    "begin_claim",
    "discard",
)


def simulated_node(
    chain: SimulatedChain,
    circuit: SimulatedCircuit,
    journal: Journal,
    *,
    fuse: Fuse | None = None,
    policy: Policy = POLICY,
    store: SimulatedStore | None = None,
    circuits: list[Any] | None = None,
    progress: Any = silent,
    market: "SimulatedMarket | None" = None,
    observer: Observer | None = None,
    slots: ProvingSlots | None = None,
    settlers: int = 1,
    claimers: int = 1,
) -> Node:
    """Build a node on the simulated chain."""
    fuse = fuse or Fuse()
    kept: Any = Fused(journal, fuse, *_JOURNALED)
    market = market or SimulatedMarket(chain)
    sender: Any = Fused(market, fuse, "broadcast", "sign")
    proving: Any = Fused(circuit, fuse, "witness", "prove")
    clock, halt, observer = SimulatedClock(chain), Halt(), observer or SilentObserver()
    outbox = Outbox(sender, kept, clock, 60.0, policy.confirmations)
    slots = slots or ProvingSlots(1, MEMORY, clock, halt=halt)
    progress = halting_progress(progress, halt)
    known = [proving] if circuits is None else circuits
    claiming = Claiming(
        judge=Judge(market, known, policy, Admission(slots, MEMORY), progress),
        outbox=outbox,
        filing=Filing(kept, progress, observer),
        store=store or SimulatedStore(),
        input_limit_bytes=1024,
    )
    return Node(
        Pipeline(claiming),
        halt=halt,
        observer=observer,
        poll_seconds=0.01,
        claimers=claimers,
        provers=slots.count,
        settlers=settlers,
    )


def _call(move: str, **fields: Any) -> Call:
    return Call(MANAGER, json.dumps({"move": move, **fields}).encode(), f"JobManager.{move}")
