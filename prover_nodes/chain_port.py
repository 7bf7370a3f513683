"""The market and one account's transactions, over the bindings of the contracts."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

from eth_account.signers.local import LocalAccount

from marketplace.events import JobClaimed, JobReclaimed
from prover_nodes.ports import CollateralTerms, FoundMove
from registry.provers import Stake
from verifier_contracts.bindings import contract_errors
from zkml.adapters.evm import replacement, transactions
from zkml.adapters.evm.answers import Block, TransactionReceipt
from zkml.adapters.evm.gas import expected_price_wei
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.transactions import Call, SignedTransaction
from zkml.core.identifiers import CircuitSpec
from zkml.core.job_machine import JobFacts
from zkml.core.records import JobRequest
from zkml.errors import ChainError, RpcError
from zkml.wiring import Market

_Claim = JobClaimed | JobReclaimed


class ChainMarket:
    """Implements `prover_nodes.ports.Market`."""

    def __init__(self, market: Market, account: str, *, endpoint: str = "") -> None:
        """Bind it.

        Args:
            market: the chain and its contracts.
            account: the prover's address, checksummed.
            endpoint: where clients reach it, for its registration; may be empty.
        """
        self._market = market
        self._endpoint = endpoint
        self._manager = market.manager
        self._chain = market.chain
        self._terms: CollateralTerms | None = None
        self.account = account
        self.first_block = market.deployment.block

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

    def block(self, number: int | None = None) -> Block:
        """Return the head of a block, the latest one's when None; see `Chain.block`."""
        return self._chain.block("latest" if number is None else number)

    def now(self) -> int:
        """Return chain time in seconds."""
        return self._chain.now()

    def time_of_block(self, number: int) -> int:
        """Return the time of a block in seconds."""
        return self._chain.block(number).timestamp

    def gas_price_wei(self) -> int:
        """Return what one gas costs now, tip included."""
        return expected_price_wei(self._chain)

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
        return self._market.router.circuit(circuit_id)

    def code_of(self, address: str) -> bytes:
        """Return the runtime code at an address; empty when there is none."""
        return self._chain.code(address)

    def is_tombstoned(self, circuit_id: bytes) -> bool:
        """Say whether a circuit's proofs are not paid any more."""
        return self._market.router.is_tombstoned(circuit_id)

    def may_prove(self, model_id: int) -> bool:
        """Say whether the owner of a model lets this prover prove it."""
        return self._market.registry.may_prove(model_id, self.account)

    def claimed_jobs(self) -> list[bytes]:
        """Return the ids of all jobs that this prover ever claimed or took over, oldest first."""
        events = self._manager.events
        moves: list[_Claim] = [
            *events.claims(from_block=self.first_block),
            *events.reclaims(from_block=self.first_block),
        ]
        moves.sort(key=_place)
        return list(dict.fromkeys(move.job_id for move in moves if move.prover == self.account))

    def claim_of(self, job_id: bytes) -> FoundMove | None:
        """Return this prover's last claim or takeover of a job, or None."""
        first = self._manager.events.claim_of(job_id)
        moves: list[_Claim] = [*([] if first is None else [first]), *self._manager.events.reclaims_of(job_id)]
        mine = [move.where for move in moves if move.prover == self.account]
        return FoundMove(mine[-1].transaction, mine[-1].block) if mine else None

    def settlement_of(self, job_id: bytes) -> FoundMove | None:
        """Return this prover's settlement of a job, or None."""
        for found in self._manager.events.settlements_of(job_id):
            if found.prover == self.account:
                return FoundMove(found.where.transaction, found.where.block)
        return None

    def context_of(self, job_id: bytes) -> bytes:
        """Return what a proof of a job that pays this prover is bound to; asks no chain."""
        return self._manager.context_of(job_id, self.account)

    def collateral_terms(self) -> CollateralTerms:
        """Return what this deployment asks of claims; it never changes, and is asked for once."""
        if self._terms is None:
            terms = self._manager.terms()
            self._terms = CollateralTerms(int(terms.min_collateral), terms.collateral_ppm, terms.bonus_ppm)
        return self._terms

    def stake(self) -> Stake:
        """Return this prover's stake."""
        return self._market.provers.stake_of(self.account)

    def balance(self) -> int:
        """Return how much this prover has of the token, in its smallest unit."""
        return self._market.token.balance_of(self.account)

    def allowance(self) -> int:
        """Return what the prover registry may take from this prover, in the token's smallest unit."""
        return self._market.token.allowance(self.account, self._market.provers.address)

    def plan_register(self, proof_systems: Sequence[bytes]) -> Call:
        """Return the call that registers this account as a prover of these systems, with its endpoint."""
        return self._market.provers.contract.plan("register", self._endpoint, list(proof_systems))

    def plan_approve(self, amount: int) -> Call:
        """Return the call that lets the prover registry take exactly `amount`."""
        return self._market.token.contract.plan("approve", self._market.provers.address, amount)

    def plan_stake(self, amount: int) -> Call:
        """Return the call that adds `amount` to this prover's stake."""
        return self._market.provers.contract.plan("stake", self.account, amount)

    def plan_claim(self, job_id: bytes) -> Call:
        """Return the call that claims a job."""
        return self._manager.contract.plan("claim", job_id)

    def plan_reclaim(self, job_id: bytes) -> Call:
        """Return the call that takes a late claim over."""
        return self._manager.contract.plan("reclaim", job_id)

    def plan_settle(self, job_id: bytes, packed_input: bytes, packed_output: bytes, proof: bytes) -> Call:
        """Return the call that settles a job."""
        return self._manager.contract.plan("settle", job_id, packed_input, packed_output, proof)


def _place(move: _Claim) -> tuple[int, int]:
    return move.where.block, move.where.log_index


class ChainTransactions:
    """Implements `prover_nodes.ports.Transactions`; refusals come as the twins of the contracts' errors."""

    def __init__(self, chain: Chain, account: LocalAccount) -> None:
        self._chain = chain
        self._account = account
        self.account = str(account.address)

    def hold(self) -> AbstractContextManager[None]:
        """Return the account's sending lock; see `SendingLock.hold`."""
        return self._chain.sending_lock.hold(self._chain.chain_id, self.account)

    def spent_nonce(self) -> int:
        """Return how many transactions of the account are mined."""
        return self._chain.nonce(self.account, "latest")

    def next_nonce(self) -> int:
        """Return how many transactions of the account are mined or wait."""
        return self._chain.nonce(self.account)

    def simulate(self, call: Call) -> None:
        """Run a call at the head of the chain; see `transactions.simulate`."""
        with contract_errors():
            transactions.simulate(self._chain, call, self._account.address)

    def sign(self, call: Call, *, nonce: int) -> SignedTransaction:
        """Simulate and sign; see `transactions.sign`."""
        with contract_errors():
            return transactions.sign(self._chain, self._account, call, nonce=nonce)

    def outbid(self, signed: SignedTransaction) -> SignedTransaction | None:
        """Sign the same for more gas; see `replacement.outbid`."""
        return replacement.outbid(self._chain, self._account, signed)

    def refusal(self, signed: SignedTransaction) -> str:
        """Return why a signed transaction would be refused now, or an empty string."""
        try:
            transactions.simulate(self._chain, replacement.call_of(signed), self.account)
        except RpcError:
            raise
        except ChainError as error:
            return error.message
        return ""

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
