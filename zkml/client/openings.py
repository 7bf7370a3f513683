"""Open a job: everything that can be wrong is found before any money moves.

Order: policy, price, domain, funds; then the allowance of exactly the fee; then the opening, kept in the
journal before it is sent.
"""

from dataclasses import dataclass

from eth_account.signers.local import LocalAccount

from registry.models import ModelStatus
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.transactions import SignedTransaction
from zkml.client.inputs import check_packed
from zkml.client.journal import OpeningJournal, OpeningRecord
from zkml.client.models import checked_commitment
from zkml.core.identifiers import CircuitSpec, JobSpec, VerifierClass, job_id
from zkml.core.progress import Progress, ProgressEvent, silent
from zkml.core.records import to_hex
from zkml.core.tensors import input_commitment
from zkml.core.verifier_classes import check_class
from zkml.errors import (
    FormatError,
    MarketError,
    UnsuitableCircuitError,
)
from zkml.wiring import Market

PUBLIC_FOR_EVER = "input and output of this job are public on chain, for ever"
INSECURE_SRS = "insecure SRS: no security"
MAX_URI_BYTES = 256


@dataclass(frozen=True, slots=True)
class OpenedJob:
    """A job on chain.

    Attributes:
        job_id: 32 bytes.
        transaction: hash of the opening transaction.
        block: its height.
        fee: in escrow, in the token's smallest unit.
        deadline: chain time in seconds.
        warnings: what the requester must know.
    """

    job_id: bytes
    transaction: str
    block: int
    fee: int
    deadline: int
    warnings: tuple[str, ...]


def open_job(
    market: Market,
    account: LocalAccount,
    journal: OpeningJournal,
    *,
    model_id: int,
    packed_input: bytes,
    fee: int,
    max_total: int,
    deadline: int,
    accepted_classes: frozenset[int],
    input_uri: str = "",
    progress: Progress = silent,
) -> OpenedJob:
    """Open a job and put its fee in escrow.

    Args:
        market: chain and contracts.
        account: the requester.
        journal: where the signed opening is kept before it is sent.
        model_id: a PROVEN model.
        packed_input: the input; see `inputs.pack_input`.
        fee: what the prover earns, in the token's smallest unit.
        max_total: the most that may leave the requester's account, fee and whatever else is charged.
        deadline: chain time in seconds.
        accepted_classes: numbers of the verifier classes that the requester trusts.
        input_uri: where provers fetch the input; empty to send it in the transaction.
        progress: told the job's id before the transaction is sent.

    Raises:
        UnsuitableCircuitError: the model is not PROVEN, or its verifier's class is not accepted.
        MarketError: the total exceeds `max_total`, or the deadline is outside the deployment's terms.
        NotRegisteredError: no such model.
        LayoutError, DomainError: the input does not fit the circuit.
        InsufficientFundsError: too few tokens or too little ether.
        StorageError: the journal cannot be written; nothing was sent.
        ChainError: see `JobManagerBinding.open`.
    """
    spec = check_model(market, model_id, accepted_classes)
    _check_terms(market, fee, max_total, deadline, input_uri)
    check_packed(packed_input, spec.layout, spec.domain)
    market.token.require(account.address, fee, "pay the fee")
    if market.token.allowance(account.address, market.manager.address) < fee:
        market.token.approve(account, market.manager.address, fee)
    request = JobSpec(model_id, input_commitment(packed_input), input_uri, fee, deadline)
    kept: list[OpeningRecord] = []

    def keep(signed: SignedTransaction) -> None:
        record = _record(market, account.address, request, signed)
        journal.keep(record)
        kept.append(record)
        progress(ProgressEvent("open job", note=record.job_id))

    sent = b"" if input_uri else packed_input
    opened, receipt = market.manager.open(account, request, sent, on_signed=keep)
    progress(ProgressEvent("open job", finished=True, note=to_hex(opened)))
    for record in kept:
        journal.finish(record)
    return describe_opened(opened, receipt, request, spec)


def check_model(market: Market, model_id: int, accepted_classes: frozenset[int]) -> CircuitSpec:
    """Return the circuit of a model that may be paid for.

    Raises:
        NotRegisteredError: no such model.
        UnsuitableCircuitError: not PROVEN, or of a class that is not accepted.
        BindingError: the endpoint tells something else than the model's id is the hash of.
    """
    commitment = checked_commitment(market, model_id)
    if market.registry.status_of(model_id) is not ModelStatus.PROVEN:
        raise UnsuitableCircuitError(
            f"expected a PROVEN model, found {model_id:#x} without a genesis proof",
            hint="its publisher has to activate it first",
        )
    spec = market.router.circuit(commitment.circuit_id)
    check_class(spec.verifier_class, accepted_classes, market.chain.chain_id)
    return spec


def _check_terms(market: Market, fee: int, max_total: int, deadline: int, input_uri: str) -> None:
    if fee <= 0:
        raise MarketError(f"expected a fee above 0, found {fee}")
    # The fee is all that is charged today; later parts of the price belong into this sum.
    if fee > max_total:
        raise MarketError(
            f"expected a total of at most {market.token.show(max_total)}, found {market.token.show(fee)}",
            hint="raise the cap or offer less",
        )
    terms, now = market.manager.terms(), market.chain.now()
    earliest, latest = now + terms.min_duration_seconds, now + terms.max_duration_seconds
    if not earliest <= deadline <= latest:
        raise MarketError(
            f"expected a deadline {terms.min_duration_seconds} to {terms.max_duration_seconds} seconds from "
            f"now, found {deadline - now}",
            hint="deadlines are chain time",
        )
    length = len(input_uri.encode())
    if length > MAX_URI_BYTES:
        raise FormatError(
            f"expected an input URI of at most {MAX_URI_BYTES} bytes, found {length}",
            hint="the contract refuses longer ones",
        )


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
        input_commitment=to_hex(spec.input_commitment),
        input_uri=spec.input_uri,
        fee=str(spec.fee),
        deadline=spec.deadline,
        transaction=signed.transaction,
        raw=to_hex(signed.raw),
        account_nonce=signed.nonce,
    )


def describe_opened(
    job: bytes, receipt: TransactionReceipt, spec: JobSpec, circuit: CircuitSpec
) -> OpenedJob:
    """Return what a requester is told about a job on chain."""
    warnings: tuple[str, ...] = (PUBLIC_FOR_EVER,)
    if circuit.verifier_class == VerifierClass.LOCAL:
        warnings += (INSECURE_SRS,)
    return OpenedJob(job, receipt.transaction, receipt.block, spec.fee, spec.deadline, warnings)
