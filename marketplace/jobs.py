"""The typed binding of JobManager: the moves of a job, and its facts."""

from eth_account.signers.local import LocalAccount

from marketplace.answers import job_facts, job_status
from marketplace.events import JobEvents
from verifier_contracts.artifacts import load_artifact
from verifier_contracts.bindings import BoundContract
from verifier_contracts.deployments import JobTerms
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.rpc import BlockTag, Chain
from zkml.adapters.evm.transactions import DryRun, OnSigned, SignedTransaction, ignore_signed
from zkml.core import identifiers
from zkml.core.identifiers import JobSpec
from zkml.core.job_machine import JobFacts, JobStatus, status_of
from zkml.errors import BindingError, JobNotFoundError


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
        """Open a job and put its fee in escrow; the manager must be allowed to take the fee.

        Args:
            account: the requester.
            spec: what is asked for.
            packed_input: the input, public for ever; empty when `spec.input_uri` says where it is.
            on_signed: called with the signed transaction before it leaves this machine.

        Returns:
            The job's id, 32 bytes, and the receipt.

        Raises:
            UnsuitableCircuitError: the model is not PROVEN.
            BindingError: the input does not hash to the commitment.
            DomainError, LayoutError: the input does not fit the circuit.
            MarketError: no fee, no input, or a deadline outside the terms.
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
        wanted = (requester, spec.model_id, spec.input_commitment, spec.input_uri, spec.fee, spec.deadline)
        names = ("requester", "modelId", "inputCommitment", "inputUri", "fee", "deadline")
        events = [event.arguments for event in self.contract.events_in(receipt.logs, "JobOpened")]
        found = [event for event in events if tuple(event[name] for name in names) == wanted]
        if len(found) != 1:
            raise BindingError(
                f"expected one job of this request, found {len(found)} in {receipt.transaction}"
            )
        return bytes(found[0]["jobId"])

    def claim(
        self, account: LocalAccount, job_id: bytes, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Claim an open job: locks the account's collateral and makes it the only payee.

        Raises:
            JobNotFoundError: no such job.
            JobExpiredError: past its deadline.
            InvalidTransitionError: another prover has claimed it, or it is over.
            InsufficientFundsError: too few tokens, or too small an allowance.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(account, "claim", job_id, on_signed=on_signed)

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
        """Have the proof verified and be credited fee and collateral, all in one transaction.

        Raises:
            ProofRejectedError: the circuit's verifier refuses the proof.
            BindingError: the input is not the job's.
            LayoutError: a tensor has another length than the circuit's.
            NotClaimantError: another prover holds the claim.
            JobExpiredError: past its deadline.
            InvalidTransitionError: the job is not claimed, or is over.
            VerifierMismatchError: the verifier's code is not the pinned code any more.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(
            account, "settle", job_id, packed_input, packed_output, proof, on_signed=on_signed
        )

    def simulate_settle(
        self, sender: str, job_id: bytes, packed_input: bytes, packed_output: bytes, proof: bytes
    ) -> None:
        """Try `settle` without sending it; raises as it does."""
        self.contract.simulate(sender, "settle", job_id, packed_input, packed_output, proof)

    def cancel(self, account: LocalAccount, job_id: bytes) -> TransactionReceipt:
        """Take an unclaimed job back; the fee is credited.

        Raises:
            InvalidTransitionError, JobExpiredError, JobNotFoundError: the status does not allow it.
            MarketError: the account is not the requester.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(account, "cancel", job_id)

    def refund(self, account: LocalAccount, job_id: bytes) -> TransactionReceipt:
        """End an expired job: the fee is credited to its requester; anybody may.

        Raises:
            InvalidTransitionError, JobNotFoundError: the status does not allow it.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(account, "refund", job_id)

    def withdraw(self, account: LocalAccount) -> TransactionReceipt:
        """Take the account's credits.

        Raises:
            MarketError: there are none.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(account, "withdraw")

    def burn_forfeits(self, account: LocalAccount) -> TransactionReceipt:
        """Send forfeited collateral to the burn address; anybody may.

        Raises:
            MarketError: there is none.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(account, "burnForfeits")

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

    def context_of(self, job_id: bytes, prover: str) -> bytes:
        """Return what a proof for `prover` is bound to, 32 bytes; asks nobody."""
        return identifiers.job_context(self.chain.chain_id, self.address, job_id, prover)

    def nonces_of(self, requester: str, *, block: BlockTag = "latest") -> int:
        """Return how many jobs an account has opened."""
        return int(self.contract.call("nonces", requester, block=block))

    def collateral_for(self, fee: int) -> int:
        """Return what a claim of a job with this fee locks, as the contract computes it."""
        return int(self.contract.call("collateralFor", fee))

    def credits_of(self, account: str, *, block: BlockTag = "latest") -> int:
        """Return what an account can withdraw, in the token's smallest unit."""
        return int(self.contract.call("credits", account, block=block))

    def forfeits(self) -> int:
        """Return forfeited collateral that is not burned yet, in the token's smallest unit."""
        return int(self.contract.call("forfeits"))

    def terms(self) -> JobTerms:
        """Return the numbers of this deployment.

        Raises:
            RpcError: see `Chain.request`.
        """
        minimum, ppm, shortest, longest = self.contract.call("terms")
        return JobTerms(
            min_collateral=str(minimum),
            collateral_ppm=ppm,
            min_duration_seconds=shortest,
            max_duration_seconds=longest,
        )
