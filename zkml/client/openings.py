"""Open a job: everything that can be wrong is found before any money moves.

Order: policy, price, domain, funds; then the allowance of exactly the escrow; then the opening, kept in the
journal before it is sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from eth_account.signers.local import LocalAccount

from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.transactions import SignedTransaction
from zkml.client.journal import OpeningJournal, OpeningRecord
from zkml.client.offers import make_offer
from zkml.core.identifiers import VerifierClass
from zkml.core.market_identifiers import JobSpec, job_id
from zkml.core.progress import Progress, ProgressEvent, silent
from zkml.core.records import to_hex
from zkml.errors import BindingError
from zkml.wiring import Market

PUBLIC_FOR_EVER = "input and output of this job are public on chain, for ever"
INSECURE_SRS = "insecure SRS: no security"


@dataclass(frozen=True, slots=True)
class OpenedJob:
    """A job on chain.

    Attributes:
        job_id: 32 bytes.
        transaction: hash of the opening transaction.
        block: its height.
        spec: what was asked for, defaults filled in.
        escrow: what was taken, in the token's smallest unit; the price is at most this.
        warnings: what the requester must know.
    """

    job_id: bytes
    transaction: str
    block: int
    spec: JobSpec
    escrow: int
    warnings: tuple[str, ...]

    @property
    def deadline(self) -> int:
        """Chain time in seconds."""
        return self.spec.deadline


def open_job(
    market: Market,
    account: LocalAccount,
    journal: OpeningJournal,
    *,
    model_id: int,
    packed_input: bytes,
    min_prover_fee: int,
    max_prover_fee: int,
    max_total: int,
    deadline: int,
    accepted_classes: frozenset[int],
    ramp_seconds: int | None = None,
    claim_seconds: int | None = None,
    circuit_id: bytes | None = None,
    input_uri: str = "",
    provers: Sequence[str] = (),
    progress: Progress = silent,
) -> OpenedJob:
    """Open a job and put its greatest price in escrow. Amounts are in the token's smallest unit.

    Args:
        market: chain and contracts.
        account: the requester.
        journal: where the signed opening is kept before it is sent.
        model_id: a PROVEN model.
        packed_input: the input; see `inputs.pack_input`.
        min_prover_fee: what a prover is offered at first.
        max_prover_fee: what a prover is offered from `ramp_seconds` on.
        max_total: the most that may leave the requester's account: prover, model and platform together.
        deadline: chain time in seconds.
        accepted_classes: numbers of the verifier classes that the requester trusts.
        ramp_seconds: how long the offer rises; None: a quarter of the time until the deadline, and 0 where
            both fees are equal.
        claim_seconds: how long a claimer is safe from being replaced; None: a third of the time until the
            deadline, or the deployment's least.
        circuit_id: one of the model's circuits for one input; the first when None.
        input_uri: where provers fetch the input; empty to send it in the transaction.
        provers: who may claim, at most 8; empty: anyone.
        progress: told the job's id before the transaction is sent.

    Raises:
        UnsuitableCircuitError: the model is not PROVEN, its circuit is tombstoned, or its verifier's class is
            not accepted.
        MarketError: the total exceeds `max_total`, or fees or times are outside the deployment's terms.
        NotRegisteredError: no such model.
        BindingError: the circuit is none of the model's, or the endpoint lies about the model.
        LayoutError, DomainError: the input does not fit the circuit.
        InsufficientFundsError: too few tokens or too little ether.
        FormatError: the URI is too long.
        StorageError: the journal cannot be written; nothing was sent.
        ChainError: see `JobManagerBinding.open`.
    """
    offer = make_offer(
        market,
        account.address,
        model_id=model_id,
        packed_input=packed_input,
        min_prover_fee=min_prover_fee,
        max_prover_fee=max_prover_fee,
        max_total=max_total,
        deadline=deadline,
        accepted_classes=accepted_classes,
        ramp_seconds=ramp_seconds,
        claim_seconds=claim_seconds,
        circuit_id=circuit_id,
        input_uri=input_uri,
        provers=provers,
    )
    market.token.ensure_allowance(account, market.ledger.address, offer.escrow)
    kept: list[OpeningRecord] = []

    def keep(signed: SignedTransaction) -> None:
        record = _record(market, account.address, offer.spec, signed)
        journal.keep(record)
        kept.append(record)
        progress(ProgressEvent("open job", note=record.job_id))

    opened, receipt = market.manager.open(account, offer.spec, offer.given_input, on_signed=keep)
    progress(ProgressEvent("open job", finished=True, note=to_hex(opened)))
    for record in kept:
        journal.finish(record)
    return describe_opened(market, opened, receipt, offer.spec)


def describe_opened(market: Market, job: bytes, receipt: TransactionReceipt, spec: JobSpec) -> OpenedJob:
    """Return what a requester is told about a job that a transaction opened.

    Raises:
        BindingError: the transaction opened no such job.
        RpcError: see `Chain.request`.
    """
    events = market.manager.contract.events_in(receipt.logs, "JobOpened")
    escrows = [int(event.arguments["escrow"]) for event in events if event.arguments["jobId"] == job]
    if len(escrows) != 1 or escrows[0] > spec.max_total:
        raise BindingError(
            f"expected one opening of {to_hex(job)} for at most {spec.max_total}, found {escrows} "
            f"in {receipt.transaction}"
        )
    warnings: tuple[str, ...] = (PUBLIC_FOR_EVER,)
    if market.router.circuit(spec.circuit_id).verifier_class == VerifierClass.LOCAL:
        warnings += (INSECURE_SRS,)
    return OpenedJob(job, receipt.transaction, receipt.block, spec, escrows[0], warnings)


def _record(market: Market, requester: str, spec: JobSpec, signed: SignedTransaction) -> OpeningRecord:
    nonce = market.manager.nonces_of(requester, block=market.chain.head)
    predicted = job_id(market.chain.chain_id, market.manager.address, requester, nonce, spec)
    return OpeningRecord(
        chain_id=market.chain.chain_id,
        genesis_hash=market.chain.genesis_hash,
        manager=market.manager.address,
        requester=requester,
        nonce=nonce,
        job_id=to_hex(predicted),
        model_id=str(spec.model_id),
        circuit_id=to_hex(spec.circuit_id),
        input_commitment=to_hex(spec.input_commitment),
        input_uri=spec.input_uri,
        min_prover_fee=str(spec.min_prover_fee),
        max_prover_fee=str(spec.max_prover_fee),
        max_total=str(spec.max_total),
        ramp_seconds=spec.ramp_seconds,
        claim_seconds=spec.claim_seconds,
        deadline=spec.deadline,
        provers=spec.provers,
        transaction=signed.transaction,
        raw=to_hex(signed.raw),
        account_nonce=signed.nonce,
    )
