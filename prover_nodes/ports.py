"""What a prover node needs of the world: the market on its chain, and circuits it can prove."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from registry.provers import Stake
from verifier_contracts.expected_verifier import ExpectedVerifier
from zkml.adapters.evm.answers import Block, TransactionReceipt
from zkml.adapters.evm.transactions import Call, SignedTransaction
from zkml.core.identifiers import CircuitSpec
from zkml.core.job_machine import JobFacts
from zkml.core.pricing import PPM, collateral_for
from zkml.core.progress import Progress
from zkml.core.records import JobRequest
from zkml.core.tensors import InputDomain, TensorLayout


@dataclass(frozen=True, slots=True)
class FoundMove:
    """A transaction of this prover that the chain already has: a claim, a takeover or a settlement."""

    transaction: str
    block: int


@dataclass(frozen=True, slots=True)
class CollateralTerms:
    """What a deployment asks of claims: a minimum in the token's smallest unit, parts in millionths."""

    minimum: int
    ppm: int
    bonus_ppm: int

    def collateral_for(self, price: int) -> int:
        """Return what a claim at this price locks."""
        return collateral_for(price, self.minimum, self.ppm)

    def bonus_for(self, price: int) -> int:
        """Return what settling in a late claimer's place earns besides the fee."""
        return self.collateral_for(price) * self.bonus_ppm // PPM


class Transactions(Protocol):
    """Transactions of one account, one step at a time, so that each can be journaled. Thread-safe."""

    @property
    def account(self) -> str:
        """The account's address, checksummed."""

    def hold(self) -> AbstractContextManager[None]:
        """Return the account's sending lock: held from the reading of a nonce until it is broadcast.

        Raises:
            HomeLockedError: somebody else holds it, and does not let go in time.
        """

    def spent_nonce(self) -> int:
        """Return the lowest nonce that no mined transaction has."""

    def next_nonce(self) -> int:
        """Return the lowest nonce that neither a mined nor, as far as the node knows, a waiting one has."""

    def simulate(self, call: Call) -> None:
        """Run a call at the head of the chain.

        Raises:
            ZkmlError: the contract would refuse; the twin of its error.
            RpcError: the endpoint does not answer.
        """

    def sign(self, call: Call, *, nonce: int) -> SignedTransaction:
        """Simulate and sign; nothing leaves this machine. Raises as `simulate` does.

        Raises:
            InsufficientFundsError: the account cannot pay for gas.
        """

    def outbid(self, signed: SignedTransaction) -> SignedTransaction | None:
        """Sign the same again with the same nonce for more gas; None where that would cost too much.

        Raises:
            RpcError: the endpoint does not answer.
        """

    def refusal(self, signed: SignedTransaction) -> str:
        """Return why the contract would refuse a signed transaction now, or an empty string.

        Raises:
            RpcError: the endpoint does not answer.
        """

    def broadcast(self, signed: SignedTransaction) -> None:
        """Give a signed transaction to the node; doing it again changes nothing.

        Raises:
            ChainError: it is void, or the node refuses it.
        """

    def receipt(self, transaction: str) -> TransactionReceipt | None:
        """Return the receipt, or None while it is not mined."""

    def is_known(self, transaction: str) -> bool:
        """Say whether the node has the transaction, mined or waiting."""

    def is_void(self, signed: SignedTransaction) -> bool:
        """Say whether it can never be mined, because its nonce went to another transaction."""

    def height(self) -> int:
        """Return the height of the latest block."""

    def has_block(self, number: int, block_hash: str) -> bool:
        """Say whether the canonical chain has this block."""


class Market(Protocol):
    """The job manager and the contracts around it, as one prover sees them."""

    @property
    def chain_id(self) -> int:
        """EIP-155 id."""

    @property
    def scope(self) -> str:
        """What tells this market apart from every other one: chain, genesis and manager."""

    @property
    def account(self) -> str:
        """The prover's address, checksummed."""

    @property
    def first_block(self) -> int:
        """Height of the manager's deployment."""

    def height(self) -> int:
        """Return the height of the latest block."""

    def block(self, number: int | None = None) -> Block:
        """Return the head of a block, the latest one's when None.

        Raises:
            RpcError: there is no such block, or the endpoint does not answer.
        """

    def now(self) -> int:
        """Return chain time in seconds."""

    def time_of_block(self, number: int) -> int:
        """Return the time of a block in seconds.

        Raises:
            RpcError: there is no such block, or the endpoint does not answer.
        """

    def gas_price_wei(self) -> int:
        """Return what one gas costs now, tip included.

        Raises:
            RpcError: the endpoint does not answer.
        """

    def requests(self, from_block: int, to_block: int) -> Iterator[JobRequest]:
        """Yield the jobs opened in a range of blocks, both ends included."""

    def request(self, job_id: bytes) -> JobRequest:
        """Return one job as it was opened.

        Raises:
            JobNotFoundError: no such job.
        """

    def facts(self, job_id: bytes) -> JobFacts:
        """Return a job's facts.

        Raises:
            JobNotFoundError: no such job.
        """

    def circuit(self, circuit_id: bytes) -> CircuitSpec:
        """Return what a circuit is pinned to.

        Raises:
            NotRegisteredError: no such circuit.
        """

    def code_of(self, address: str) -> bytes:
        """Return the runtime code at an address; empty when there is none.

        Raises:
            RpcError: the endpoint does not answer.
        """

    def is_tombstoned(self, circuit_id: bytes) -> bool:
        """Say whether a circuit's proofs are not paid any more."""

    def may_prove(self, model_id: int) -> bool:
        """Say whether the owner of a model lets this prover prove it."""

    def claimed_jobs(self) -> list[bytes]:
        """Return the ids of all jobs that this prover ever claimed or took over, oldest first."""

    def claim_of(self, job_id: bytes) -> FoundMove | None:
        """Return this prover's last claim or takeover of a job, or None."""

    def settlement_of(self, job_id: bytes) -> FoundMove | None:
        """Return this prover's settlement of a job, or None."""

    def context_of(self, job_id: bytes) -> bytes:
        """Return what a proof of a job that pays this prover is bound to, 32 bytes; asks no chain."""

    def collateral_terms(self) -> CollateralTerms:
        """Return what this deployment asks of claims."""

    def stake(self) -> Stake:
        """Return this prover's stake."""

    def balance(self) -> int:
        """Return how much this prover has of the token, in its smallest unit."""

    def allowance(self) -> int:
        """Return what the prover registry may take from this prover, in the token's smallest unit."""

    def plan_register(self, proof_systems: Sequence[bytes]) -> Call:
        """Return the call that registers this account as a prover of these systems."""

    def plan_approve(self, amount: int) -> Call:
        """Return the call that lets the prover registry take exactly `amount`."""

    def plan_stake(self, amount: int) -> Call:
        """Return the call that adds `amount` to this prover's stake."""

    def plan_claim(self, job_id: bytes) -> Call:
        """Return the call that claims a job."""

    def plan_reclaim(self, job_id: bytes) -> Call:
        """Return the call that takes a late claim over."""

    def plan_settle(self, job_id: bytes, packed_input: bytes, packed_output: bytes, proof: bytes) -> Call:
        """Return the call that settles a job."""


class Circuit(Protocol):
    """A circuit this node can prove; nothing here says by which proof system."""

    @property
    def name(self) -> str:
        """What people call the model."""

    @property
    def batch(self) -> int:
        """How many inputs one proof is about."""

    @property
    def proof_bytes(self) -> int:
        """How long every proof is."""

    @property
    def verifying_key_digest(self) -> bytes:
        """The 32 bytes that the router pins for a verifier of this key alone."""

    def shared_key_digest(self) -> bytes | None:
        """Return the 32 bytes that the router pins for the shared verifier; None where it takes no key."""

    @property
    def layout(self) -> TensorLayout:
        """The layout of the public tensors."""

    @property
    def domain(self) -> InputDomain:
        """The domain of each input element."""

    @property
    def proof_system_id(self) -> bytes:
        """The 4 bytes by which the router names its proof system."""

    def expected_verifier(self, key_digest: bytes) -> ExpectedVerifier:
        """Return what the verifier that is pinned to `key_digest`, a digest of this key, has to be.

        Raises:
            ToolchainError: it cannot be generated or compiled on this machine, and was not before.
            CompileError: the key generates none.
        """

    def least_gas_limit(self, key_digest: bytes, *, progress: Progress) -> int:
        """Return the least gas limit under which the chain's verifier accepts this circuit's proofs.

        Where nobody has measured it on this machine yet, a sample is proved.

        Raises:
            ProvingError: the sample could not be proved.
            ProofRejectedError: the circuit's own verifier refuses a true proof.
        """

    def expected_prove_seconds(self) -> float | None:
        """Return how long a proof should take here, or None when nobody knows yet."""

    def expected_witness_seconds(self) -> float | None:
        """Return how long a witness should take here, or None when nobody knows yet."""

    def expected_peak_bytes(self) -> int | None:
        """Return what a proof should use of memory at most, or None when nobody knows yet."""

    def witness(self, packed_input: bytes, *, progress: Progress) -> tuple[bytes, float]:
        """Compute the circuit on an input.

        Returns:
            The packed output that a proof will carry, and the seconds it took.

        Raises:
            LayoutError, WitnessError: the input cannot be proved.
        """

    def prove(
        self, packed_input: bytes, packed_output: bytes, *, context: bytes, progress: Progress
    ) -> tuple[bytes, float]:
        """Prove that the circuit maps this input to this output.

        Args:
            packed_input: as on chain.
            packed_output: as witnessed.
            context: 32 bytes that the proof is bound to where its system binds any: what the settlement's
                contract will verify it with.
            progress: hears of the stages.

        Returns:
            The proof and the seconds it took.

        Raises:
            ProvingError: no proof could be made.
            InstanceMismatchError: the proof is of another output.
        """

    def verify(self, packed_input: bytes, packed_output: bytes, proof: bytes, *, context: bytes) -> None:
        """Check a proof with the circuit's own verifier.

        Raises:
            VerificationError: it does not hold, or is bound to another context.
        """


def find_circuit(circuits: Sequence[Circuit], key_digest: bytes) -> Circuit | None:
    """Return the circuit whose key the router pins by this digest, whichever verifier takes it, or None."""
    for circuit in circuits:
        if circuit.verifying_key_digest == key_digest:
            return circuit
    # Making a shared key takes a while, once.
    return next((circuit for circuit in circuits if circuit.shared_key_digest() == key_digest), None)
