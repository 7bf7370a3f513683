"""The typed binding of JobManager, as far as jobs go: their moves and facts. Tabs are in `tabs`."""

from collections.abc import Sequence
from typing import NamedTuple

from eth_account.signers.local import LocalAccount

from marketplace.answers import fee_quote, job_facts, job_status, job_terms, payment
from marketplace.events import JobEvents
from verifier_contracts.artifacts import load_artifact
from verifier_contracts.bindings import BoundContract
from verifier_contracts.terms import JobTerms
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.rpc import BlockTag, Chain
from zkml.adapters.evm.transactions import DryRun, OnSigned, SignedTransaction, ignore_signed
from zkml.core import market_identifiers
from zkml.core.job_machine import JobFacts, JobStatus, status_of
from zkml.core.market_identifiers import JobSpec
from zkml.core.pricing import FeeQuote, Payment
from zkml.errors import BindingError, JobNotFoundError


class Settlement(NamedTuple):
    """One settlement of several, in the order of the Solidity struct."""

    job_id: bytes
    packed_input: bytes
    packed_output: bytes
    proof: bytes


class JobManagerBinding:
    """The job manager at an address.

    Attributes:
        events: what happened to its jobs.
    """

    def __init__(self, chain: Chain, address: str, *, from_block: int) -> None:
        """Bind it.

        Args:
            chain: where it is.
            address: checksummed.
            from_block: height of its deployment, where the search for events begins.
        """
        self.chain = chain
        self.contract = BoundContract(chain, load_artifact("JobManager"), address)
        self.events = JobEvents(self.contract, from_block=from_block)

    @property
    def address(self) -> str:
        """Where it is, checksummed."""
        return self.contract.address

    def open(
        self,
        account: LocalAccount,
        spec: JobSpec,
        packed_input: bytes,
        *,
        on_signed: OnSigned = ignore_signed,
    ) -> tuple[bytes, TransactionReceipt]:
        """Open a job and put its greatest price in escrow; the ledger must be allowed to take it.

        Args:
            account: the requester.
            spec: what is asked for.
            packed_input: the input, public for ever; empty when `spec.input_uri` says where it is.
            on_signed: called with the signed transaction before it leaves this machine.

        Returns:
            The job's id, 32 bytes, and the receipt.

        Raises:
            UnsuitableCircuitError: the model is not PROVEN, or its circuit is refused here.
            BindingError: the input does not hash to the commitment.
            DomainError, LayoutError: the input does not fit the circuit.
            MarketError: a price above the spec's cap, no input, or fees or times outside the terms.
            InsufficientFundsError: too few tokens, or too small an allowance.
            ChainError: see `BoundContract.transact`.
        """
        receipt = self.contract.transact(account, "open", tuple(spec), packed_input, on_signed=on_signed)
        return self.opened_in(receipt, account.address, spec), receipt

    def opened_in(self, receipt: TransactionReceipt, requester: str, spec: JobSpec) -> bytes:
        """Return the id of the job that a transaction opened, checked against `spec`.

        Raises:
            BindingError: it opened another job.
        """
        events = [event.arguments for event in self.contract.events_in(receipt.logs, "JobOpened")]
        wanted = (requester, tuple(spec))
        found = [event for event in events if (event["requester"], event["spec"]) == wanted]
        if len(found) != 1:
            raise BindingError(
                f"expected one job of this request, found {len(found)} in {receipt.transaction}"
            )
        return bytes(found[0]["jobId"])

    def claim(
        self, account: LocalAccount, job_id: bytes, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Claim an open job: fixes its price, locks the account's stake and makes it the only payee.

        Raises:
            JobNotFoundError: no such job.
            JobExpiredError: past its deadline.
            InvalidTransitionError: another prover has claimed it, or it is over.
            ProverRefusedError: the job names other provers, the account is not registered, or the owner
                of a closed model has granted it no access.
            StakeError: too little free stake.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(account, "claim", job_id, on_signed=on_signed)

    def reclaim(
        self, account: LocalAccount, job_id: bytes, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Take a late claim over at the price it has; raises as `claim` does.

        The claimer before has a grace in which it alone may settle.
        """
        return self.contract.transact(account, "reclaim", job_id, on_signed=on_signed)

    def settle(
        self,
        account: LocalAccount,
        job_id: bytes,
        packed_input: bytes,
        packed_output: bytes,
        proof: bytes,
        *,
        on_signed: OnSigned = ignore_signed,
    ) -> TransactionReceipt:
        """Have the proof verified, be credited the fee and get the stake free, all in one transaction.

        Raises:
            ProofRejectedError: the circuit's verifier refuses the proof.
            BindingError: the input is not the job's.
            LayoutError: a tensor has another length than the circuit's.
            NotClaimantError: another prover may settle now.
            JobExpiredError: past its deadline.
            InvalidTransitionError: the job is not claimed, or is over.
            VerifierMismatchError: the verifier's code is not the pinned code any more.
            TombstonedError: the circuit is tombstoned.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(
            account, "settle", job_id, packed_input, packed_output, proof, on_signed=on_signed
        )

    def settle_many(
        self,
        account: LocalAccount,
        settlements: Sequence[Settlement],
        *,
        on_signed: OnSigned = ignore_signed,
    ) -> TransactionReceipt:
        """Settle several jobs, each by its own proof, all or none; raises as `settle` does."""
        return self.contract.transact(account, "settleMany", list(settlements), on_signed=on_signed)

    def settle_batch(
        self,
        account: LocalAccount,
        job_ids: Sequence[bytes],
        circuit_id: bytes,
        batch: tuple[bytes, bytes, bytes],
        *,
        on_signed: OnSigned = ignore_signed,
    ) -> TransactionReceipt:
        """Settle several jobs of one model by one proof of its circuit for that many inputs.

        Args:
            account: who holds the claims.
            job_ids: the jobs, in the order of their inputs.
            circuit_id: a batch circuit of their model.
            batch: the packed inputs, one after the other; likewise the outputs; the proof.
            on_signed: called with the signed transaction before it leaves this machine.

        Raises:
            MarketError: the jobs do not belong together, or the circuit is for another number of inputs.
            ZkmlError: see `settle`.
        """
        arguments = (list(job_ids), circuit_id, *batch)
        return self.contract.transact(account, "settleBatch", *arguments, on_signed=on_signed)

    def simulate_settle(
        self, sender: str, job_id: bytes, packed_input: bytes, packed_output: bytes, proof: bytes
    ) -> None:
        """Try `settle` without sending it; raises as it does."""
        self.contract.simulate(sender, "settle", job_id, packed_input, packed_output, proof)

    def cancel(self, account: LocalAccount, job_id: bytes) -> TransactionReceipt:
        """Take an unclaimed job back; its escrow is credited.

        Raises:
            InvalidTransitionError, JobExpiredError, JobNotFoundError: the status does not allow it.
            MarketError: the account is not the requester.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(account, "cancel", job_id)

    def refund(self, account: LocalAccount, job_id: bytes) -> TransactionReceipt:
        """End a job that expired or whose circuit is tombstoned: escrow is credited; anybody may.

        Raises:
            InvalidTransitionError, JobNotFoundError: the status does not allow it.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(account, "refund", job_id)

    def resume(self, signed: SignedTransaction) -> TransactionReceipt:
        """Go on with a transaction that a journal kept; see `BoundContract.resume`."""
        return self.contract.resume(signed)

    def dry_run(self, sender: str, function: str, *arguments: object) -> DryRun:
        """Say what a move would send and cost, without sending it; raises as the move does."""
        return self.contract.dry_run(sender, function, *arguments)

    def facts(self, job_id: bytes, *, block: BlockTag = "latest") -> JobFacts:
        """Return a job's facts.

        Raises:
            JobNotFoundError: no such job.
            RpcError: see `Chain.request`.
        """
        values = self.contract.call("job", job_id, block=block)
        facts = job_facts(job_id, values, where=f"at {self.address}")
        if int(facts.requester, 16) == 0:
            raise JobNotFoundError(
                f"expected an existing job, found none with id 0x{job_id.hex()} at {self.address}",
                hint="is it a job of this chain and deployment?",
            )
        return facts

    def status(self, job_id: bytes) -> JobStatus:
        """Return a job's status now, derived here from its facts and chain time.

        Raises:
            JobNotFoundError: no such job.
            RpcError: see `Chain.request`.
        """
        return status_of(self.facts(job_id), self.chain.now())

    def status_on_chain(self, job_id: bytes) -> JobStatus:
        """Return the status that the contract derives; equal to `status`, and NONE for no job."""
        number = self.contract.call("statusOf", job_id, block=self.chain.head)
        return job_status(number, where=f"at {self.address}")

    def context_of(self, job_id: bytes, payee: str) -> bytes:
        """Return what a proof for `payee` is bound to, 32 bytes; asks nobody."""
        return market_identifiers.context_of(self.chain.chain_id, self.address, job_id, payee)

    def batch_context_of(self, job_ids: Sequence[bytes], payee: str) -> bytes:
        """Return what one proof of several jobs for `payee` is bound to, 32 bytes; asks nobody.

        Args:
            job_ids: the jobs, in the order of their inputs.
            payee: who settles them.
        """
        return market_identifiers.batch_context([self.context_of(job, payee) for job in job_ids])

    def is_named(self, job_id: bytes, prover: str) -> bool:
        """Say whether an account may claim a job as far as its named provers go."""
        return bool(self.contract.call("isNamed", job_id, prover))

    def prover_fee_at(self, job_id: bytes, time: int) -> int:
        """Return what a prover is offered at a chain time in seconds, as the contract computes it."""
        return int(self.contract.call("proverFeeAt", job_id, time))

    def quote_for(self, model_id: int) -> FeeQuote:
        """Return what model and platform ask of what opens now."""
        return fee_quote(self.contract.call("quoteFor", model_id), where=f"at {self.address}")

    def payment_for(self, quote: FeeQuote, prover_fee: int) -> Payment:
        """Return how a price splits, as the contract computes it; see `pricing.payment_for`."""
        return payment(self.contract.call("paymentFor", tuple(quote), prover_fee))

    def nonces_of(self, requester: str, *, block: BlockTag = "latest") -> int:
        """Return how many jobs and tabs an account has opened."""
        return int(self.contract.call("nonces", requester, block=block))

    def collateral_for(self, price: int) -> int:
        """Return what a claim at this price locks, as the contract computes it."""
        return int(self.contract.call("collateralFor", price))

    def terms(self) -> JobTerms:
        """Return the numbers of this deployment.

        Raises:
            RpcError: see `Chain.request`.
        """
        return job_terms(self.contract.call("terms"), where=f"at {self.address}")

    def address_of(self, part: str) -> str:
        """Return the address of the contract that this one uses as `ledger`, `provers` or `router`."""
        return str(self.contract.call(part))
