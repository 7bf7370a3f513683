"""The market and one account's transactions, over the bindings of the contracts."""

from collections.abc import Iterator

from eth_account.signers.local import LocalAccount

from marketplace.jobs import JobManagerBinding
from marketplace.tokens import PaymentToken
from prover_nodes.ports import FoundMove
from verifier_contracts.bindings import contract_errors
from verifier_contracts.router import VerifierRouter
from zkml.adapters.evm import transactions
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.transactions import Call, SignedTransaction
from zkml.core.identifiers import CircuitSpec
from zkml.core.job_machine import JobFacts
from zkml.core.records import JobRequest


class ChainMarket:
    """Implements `prover_nodes.ports.Market`."""

    def __init__(
        self,
        manager: JobManagerBinding,
        router: VerifierRouter,
        token: PaymentToken,
        account: str,
        *,
        first_block: int,
    ) -> None:
        """Bind it.

        Args:
            manager: the job manager.
            router: the router its registry uses.
            token: the token it is paid in.
            account: the prover's address, checksummed.
            first_block: height of the manager's deployment.
        """
        self._manager = manager
        self._router = router
        self._token = token
        self._chain = manager.chain
        self.account = account
        self.first_block = first_block

    @property
    def chain_id(self) -> int:
        """EIP-155 id."""
        return self._chain.chain_id

    @property
    def scope(self) -> str:
        """Chain, genesis and manager: a restarted local chain is another market."""
        return f"{self._chain.chain_id}:{self._chain.genesis_hash}:{self._manager.address}"

    def height(self) -> int:
        """Return the height of the latest block."""
        return self._chain.height()

    def now(self) -> int:
        """Return chain time in seconds."""
        return self._chain.now()

    def requests(self, from_block: int, to_block: int) -> Iterator[JobRequest]:
        """Yield the jobs opened in a range of blocks; see `JobEvents.requests`."""
        return self._manager.events.requests(from_block=from_block, to_block=to_block)

    def request(self, job_id: bytes) -> JobRequest:
        """Return one job as it was opened; see `JobEvents.request`."""
        return self._manager.events.request(job_id)

    def facts(self, job_id: bytes) -> JobFacts:
        """Return a job's facts; see `JobManagerBinding.facts`."""
        return self._manager.facts(job_id)

    def circuit(self, circuit_id: bytes) -> CircuitSpec:
        """Return what a circuit is pinned to; see `VerifierRouter.circuit`."""
        return self._router.circuit(circuit_id)

    def code_of(self, address: str) -> bytes:
        """Return the runtime code at an address; empty when there is none."""
        return self._chain.code(address)

    def claimed_jobs(self) -> list[bytes]:
        """Return the ids of all jobs that this prover ever claimed, oldest first."""
        claims = self._manager.events.claims(from_block=self.first_block)
        return [claim.job_id for claim in claims if claim.prover == self.account]

    def claim_of(self, job_id: bytes) -> FoundMove | None:
        """Return this prover's claim of a job, or None."""
        found = self._manager.events.claim_of(job_id)
        if found is None or found.prover != self.account:
            return None
        return FoundMove(found.where.transaction, found.where.block)

    def settlement_of(self, job_id: bytes) -> FoundMove | None:
        """Return this prover's settlement of a job, or None."""
        for found in self._manager.events.settlements_of(job_id):
            if found.prover == self.account:
                return FoundMove(found.where.transaction, found.where.block)
        return None

    def allowance(self) -> int:
        """Return what the manager may take from this prover, in the token's smallest unit."""
        return self._token.allowance(self.account, self._manager.address)

    def plan_approve(self, amount: int) -> Call:
        """Return the call that lets the manager take exactly `amount`."""
        return self._token.contract.plan("approve", self._manager.address, amount)

    def plan_claim(self, job_id: bytes) -> Call:
        """Return the call that claims a job."""
        return self._manager.contract.plan("claim", job_id)

    def plan_settle(self, job_id: bytes, packed_input: bytes, packed_output: bytes, proof: bytes) -> Call:
        """Return the call that settles a job."""
        return self._manager.contract.plan("settle", job_id, packed_input, packed_output, proof)


class ChainTransactions:
    """Implements `prover_nodes.ports.Transactions`; refusals come as the twins of the contracts' errors."""

    def __init__(self, chain: Chain, account: LocalAccount) -> None:
        self._chain = chain
        self._account = account

    def simulate(self, call: Call) -> None:
        """Run a call at the head of the chain; see `transactions.simulate`."""
        with contract_errors():
            transactions.simulate(self._chain, call, self._account.address)

    def sign(self, call: Call) -> SignedTransaction:
        """Simulate and sign; see `transactions.sign`."""
        with contract_errors():
            return transactions.sign(self._chain, self._account, call)

    def broadcast(self, signed: SignedTransaction) -> None:
        """Give a signed transaction to the node; see `transactions.broadcast`."""
        with contract_errors():
            transactions.broadcast(self._chain, signed)

    def receipt(self, transaction: str) -> TransactionReceipt | None:
        """Return the receipt, or None while it is not mined."""
        return self._chain.receipt(transaction)

    def is_known(self, transaction: str) -> bool:
        """Say whether the node has the transaction, mined or waiting."""
        return self._chain.transaction(transaction) is not None

    def is_void(self, signed: SignedTransaction) -> bool:
        """Say whether it can never be mined; see `transactions.is_void`."""
        return transactions.is_void(self._chain, signed)

    def height(self) -> int:
        """Return the height of the latest block."""
        return self._chain.height()

    def has_block(self, number: int, block_hash: str) -> bool:
        """Say whether the canonical chain has this block."""
        return self._chain.has_block(number, block_hash)
