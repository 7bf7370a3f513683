"""A whole market in memory: accounts with nonces, a mempool, blocks that a reorg can undo, and the job machine.

It implements the prover node's ports. Time passes when the node sleeps, and then a block is mined.
"""

import contextlib
import copy
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from prover_nodes.journal import Journal
from prover_nodes.node import Node
from prover_nodes.outbox import Outbox
from prover_nodes.pipeline import Pipeline
from prover_nodes.policy import Policy
from prover_nodes.ports import FoundMove
from verifier_contracts.local_verification import adapter_code
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.transactions import Call, SignedTransaction
from zkml.core.digests import keccak256
from zkml.core.identifiers import CircuitSpec, VerifierClass, proof_system_id
from zkml.core.job_machine import ZERO_ADDRESS, JobFacts, JobStatus, check_move
from zkml.core.progress import silent
from zkml.core.records import JobRequest, from_hex, to_hex
from zkml.core.tensors import InputDomain, TensorLayout, pack, unpack_input
from zkml.errors import (
    ArtifactNotFoundError,
    ChainError,
    DomainError,
    InsufficientFundsError,
    JobNotFoundError,
    NotClaimantError,
    NotRegisteredError,
    ProofRejectedError,
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
COLLATERAL = 1_000_000
FUNDS = 10_000_000
BLOCK_SECONDS = 2
LEAST_GAS = 150_000
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
    proof_system_id=SYSTEM_ID,
    layout=LAYOUT,
    domain=DOMAIN,
    gas_limit=200_000,
    verifier_class=VerifierClass.LOCAL,
)


def output_of(packed_input: bytes) -> bytes:
    """Return what the simulated circuit computes: the sum."""
    return pack([sum(unpack_input(LAYOUT, packed_input))], LAYOUT.output_bytes)


def proof_of(packed_input: bytes, packed_output: bytes) -> bytes:
    """Return the one proof that the simulated verifier accepts."""
    return keccak256(b"proof" + packed_input + packed_output)


@dataclass
class State:
    """What a block changes."""

    jobs: dict[bytes, JobFacts] = field(default_factory=dict)
    balances: Counter[str] = field(default_factory=Counter)
    allowances: Counter[str] = field(default_factory=Counter)
    credits: Counter[str] = field(default_factory=Counter)
    nonces: Counter[str] = field(default_factory=Counter)
    requests: list[JobRequest] = field(default_factory=list)
    receipts: dict[str, TransactionReceipt] = field(default_factory=dict)
    moves: dict[tuple[str, bytes], FoundMove] = field(default_factory=dict)


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
    codes: dict[str, bytes] = field(default_factory=lambda: {ADAPTER: ADAPTER_CODE, VERIFIER: VERIFIER_CODE})
    hashes: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        for account in (PROVER, RIVAL, REQUESTER):
            self.state.balances[account] = FUNDS
        self.mine()

    @property
    def height(self) -> int:
        return len(self.blocks) - 1

    def mine(self) -> None:
        """Mine a block of everything that waits, in the order of nonces."""
        self.now += BLOCK_SECONDS
        before = copy.deepcopy(self.state)
        block_hash = to_hex(keccak256(f"block {next(self.hashes)}".encode()))
        self.blocks.append((block_hash, before, ()))
        mined = []
        for signed in sorted(self.mempool.values(), key=lambda item: item.nonce):
            expected = self.state.nonces[signed.sender]
            if signed.nonce == expected:
                self._apply(signed, block_hash)
                mined.append(signed)
            if signed.nonce <= expected:
                del self.mempool[signed.transaction]
        self.blocks[-1] = (block_hash, before, tuple(mined))

    def reorg(self, depth: int, *, keep: bool) -> None:
        """Undo blocks; `keep` puts their transactions back among those that wait."""
        undone = self.blocks[-depth:]
        del self.blocks[-depth:]
        self.state = copy.deepcopy(undone[0][1])
        for _, _, transactions in undone:
            for signed in transactions if keep else ():
                self.mempool[signed.transaction] = signed

    def open(self, packed_input: bytes, *, seconds: int = 600, uri: str = "", **changes: Any) -> bytes:
        """Open a job in a block of its own and return its id."""
        number = len(self.state.requests)
        job_id = keccak256(f"job {number} {packed_input.hex()}".encode())
        self.mine()
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
            fee=str(FEE),
            collateral=str(COLLATERAL),
            deadline=self.now + seconds,
            opened_transaction=to_hex(keccak256(b"open" + job_id)),
            opened_block=self.height,
            opened_block_hash=self.blocks[-1][0],
        ).model_copy(update=changes)
        self.state.balances[REQUESTER] -= FEE
        self.state.requests.append(request)
        self.state.jobs[job_id] = JobFacts(
            job_id=job_id,
            requester=REQUESTER,
            fee=int(request.fee),
            prover=ZERO_ADDRESS,
            collateral=COLLATERAL,
            model_id=7,
            circuit_id=from_hex(request.circuit_id),
            input_commitment=from_hex(request.input_commitment),
            deadline=request.deadline,
            outcome=JobStatus.NONE,
        )
        return job_id

    def mined(self, sender: str, move: str) -> list[str]:
        """Return the transactions of a move that are on the canonical chain and had an effect."""
        return [
            signed.transaction
            for _, _, transactions in self.blocks
            for signed in transactions
            if signed.sender == sender
            and json.loads(json.loads(signed.raw)["data"])["move"] == move
            and self.state.receipts[signed.transaction].succeeded
        ]

    def sent(self, sender: str, move: str) -> set[str]:
        """Return the different transactions of a move that were ever broadcast."""
        return {
            signed.transaction
            for signed in self.broadcasts
            if signed.sender == sender and json.loads(json.loads(signed.raw)["data"])["move"] == move
        }

    def execute(self, state: State, sender: str, data: bytes) -> tuple[str, bytes] | None:
        """Run a move; it raises, or changes `state`."""
        call = json.loads(data)
        if call["move"] == "approve":
            state.allowances[sender] = call["amount"]
            return None
        job_id = bytes.fromhex(call["job"])
        job = state.jobs[job_id]
        check_move(job, call["move"], self.now)
        if call["move"] == "claim":
            short = min(state.allowances[sender], state.balances[sender]) < job.collateral
            if short:
                raise InsufficientFundsError("expected the collateral, found too little")
            state.allowances[sender] -= job.collateral
            state.balances[sender] -= job.collateral
            state.jobs[job_id] = replace(job, prover=sender)
        else:
            self._settle(state, sender, job, call)
        return call["move"], job_id

    def _settle(self, state: State, sender: str, job: JobFacts, call: dict[str, Any]) -> None:
        if job.prover != sender:
            raise NotClaimantError("expected the claimer, found another")
        packed_input, packed_output, proof = (bytes.fromhex(call[name]) for name in ("in", "out", "proof"))
        correct = (keccak256(packed_input), proof) == (
            job.input_commitment,
            proof_of(packed_input, output_of(packed_input)),
        )
        if not correct or packed_output != output_of(packed_input):
            raise ProofRejectedError("expected a valid proof, found another")
        state.jobs[job.job_id] = replace(job, outcome=JobStatus.SETTLED)
        state.credits[sender] += job.fee + job.collateral

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
            self.state.moves[effect] = FoundMove(signed.transaction, self.height)
        self.state.receipts[signed.transaction] = TransactionReceipt(
            signed.transaction, self.height, block_hash, succeeded, 100_000, 1, None, ()
        )


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

    def claimed_jobs(self) -> list[bytes]:
        return [job_id for job_id, job in self.chain.state.jobs.items() if job.prover == self.account]

    def claim_of(self, job_id: bytes) -> FoundMove | None:
        held = self.chain.state.jobs[job_id].prover == self.account
        return self.chain.state.moves.get(("claim", job_id)) if held else None

    def settlement_of(self, job_id: bytes) -> FoundMove | None:
        held = self.chain.state.jobs[job_id].prover == self.account
        return self.chain.state.moves.get(("settle", job_id)) if held else None

    def allowance(self) -> int:
        return self.chain.state.allowances[self.account]

    def plan_approve(self, amount: int) -> Call:
        return _call("approve", amount=amount)

    def plan_claim(self, job_id: bytes) -> Call:
        return _call("claim", job=job_id.hex())

    def plan_settle(self, job_id: bytes, packed_input: bytes, packed_output: bytes, proof: bytes) -> Call:
        fields = {"in": packed_input.hex(), "out": packed_output.hex(), "proof": proof.hex()}
        return _call("settle", job=job_id.hex(), **fields)

    # --- transactions ---

    def simulate(self, call: Call) -> None:
        # Like a local node's pending block: after everything that waits.
        state = copy.deepcopy(self.chain.state)
        for signed in self.chain.mempool.values():
            with contextlib.suppress(ZkmlError):
                self.chain.execute(state, signed.sender, json.loads(signed.raw)["data"].encode())
        self.chain.execute(state, self.account, call.data)

    def sign(self, call: Call) -> SignedTransaction:
        self.simulate(call)
        waiting = sum(signed.sender == self.account for signed in self.chain.mempool.values())
        nonce = self.chain.state.nonces[self.account] + waiting
        # No two signings give the same bytes, as no two have the same gas price on a real chain.
        fields = {"salt": next(self.chain.hashes), "nonce": nonce, "data": call.data.decode()}
        raw = json.dumps(fields | {"sender": self.account}).encode()
        return SignedTransaction(to_hex(keccak256(raw)), raw, self.account, nonce, call.what)

    def broadcast(self, signed: SignedTransaction) -> None:
        if signed.nonce < self.chain.state.nonces[signed.sender]:
            raise ChainError("expected a free nonce, found it used")
        for other in self.chain.mempool.values():
            if (other.sender, other.nonce) == (signed.sender, signed.nonce):
                if other.transaction == signed.transaction:
                    return
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

    def act(self, call: Call) -> None:
        """Sign, broadcast and mine: what another program with this key would do."""
        self.broadcast(self.sign(call))
        self.chain.mine()


class SimulatedClock:
    """Time that passes only when somebody waits for it; a block is mined each time."""

    def __init__(self, chain: SimulatedChain) -> None:
        self.chain = chain
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += max(seconds, BLOCK_SECONDS)
        self.chain.mine()


class SimulatedCircuit:
    """A circuit that adds up its input; counts how often it was asked to prove."""

    name = "sum"
    verifying_key_digest = KEY_DIGEST
    proof_system_id = SYSTEM_ID
    layout = LAYOUT
    domain = DOMAIN

    def __init__(self) -> None:
        self.proved = 0
        self.expected = 5.0
        self.corrupt_proofs = 0
        self.while_proving: Callable[[], None] = lambda: None

    def verifier_code(self) -> bytes:
        return VERIFIER_CODE

    def least_gas_limit(self, *, progress: Any) -> int:
        return LEAST_GAS

    def expected_prove_seconds(self) -> float | None:
        return self.expected

    def witness(self, packed_input: bytes, *, progress: Any) -> tuple[bytes, float]:
        self.domain.check(unpack_input(LAYOUT, packed_input))
        if max(unpack_input(LAYOUT, packed_input)) == 99:
            raise DomainError("expected less than 99, found 99")
        return output_of(packed_input), 0.01

    def prove(self, packed_input: bytes, packed_output: bytes, *, progress: Any) -> tuple[bytes, float]:
        self.proved += 1
        self.while_proving()
        proof = proof_of(packed_input, packed_output)
        if self.corrupt_proofs:
            self.corrupt_proofs -= 1
            proof = bytes(32)
        return proof, 5.0

    def verify(self, packed_input: bytes, packed_output: bytes, proof: bytes) -> None:
        if proof != proof_of(packed_input, packed_output):
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
    circuits: dict[bytes, Any] | None = None,
    progress: Any = silent,
    market: "SimulatedMarket | None" = None,
) -> Node:
    """Build a node on the simulated chain."""
    fuse = fuse or Fuse()
    kept: Any = Fused(journal, fuse, *_JOURNALED)
    market = market or SimulatedMarket(chain)
    sender: Any = Fused(market, fuse, "broadcast", "sign")
    proving: Any = Fused(circuit, fuse, "witness", "prove")
    outbox = Outbox(sender, kept, SimulatedClock(chain), 60.0, policy.confirmations)
    known = {KEY_DIGEST: proving} if circuits is None else circuits
    pipeline = Pipeline(
        market=market,
        outbox=outbox,
        journal=kept,
        circuits=known,
        store=store or SimulatedStore(),
        policy=policy,
        input_limit_bytes=1024,
        progress=progress,
    )
    return Node(pipeline, poll_seconds=0.01)


def _call(move: str, **fields: Any) -> Call:
    return Call(MANAGER, json.dumps({"move": move, **fields}).encode(), f"JobManager.{move}")
