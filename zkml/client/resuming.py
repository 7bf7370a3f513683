"""Go on with openings that were interrupted between the journal and the chain.

Each ends: as a job, or put aside for good. What would be refused now is not sent, and an empty transaction
takes its nonce, so that the bytes can never open a job behind the requester's back.
"""

from eth_account.signers.local import LocalAccount

from verifier_contracts.bindings import contract_errors
from verifier_contracts.contract_errors import known_reverts
from zkml.adapters.evm import transactions
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.replacement import call_of, spend_nonce
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.transactions import SignedTransaction
from zkml.client.journal import OpeningJournal, OpeningRecord
from zkml.client.openings import OpenedJob, describe_opened
from zkml.core.progress import Progress, ProgressEvent, silent
from zkml.errors import ChainError, RpcError, TransactionTimeoutError, ZkmlError
from zkml.wiring import Market

_NONCE_TAKEN = "its nonce went to another transaction"


def resume_openings(
    market: Market,
    journal: OpeningJournal,
    account: LocalAccount | None = None,
    *,
    progress: Progress = silent,
) -> list[OpenedJob]:
    """Go on with openings that were signed and perhaps sent before this process was interrupted.

    An opening that the contract would refuse now, that was mined and reverted, or whose nonce another
    transaction has taken moved nothing and is put aside. Records of other chains and deployments are left
    alone.

    Args:
        market: chain and contracts.
        journal: what was signed.
        account: the requester; without its key a refused opening stays in the journal, and is not sent.
        progress: told what is put aside, and why.

    Returns:
        The jobs that are on chain now.

    Raises:
        ChainError: see `JobManagerBinding.resume`; what is not done stays in the journal.
        FormatError, StorageError: see `OpeningJournal.pending`.
    """
    jobs = []
    for record in journal.pending():
        if not _is_of(market, record):
            continue
        ended = end_signed(market, record.signed, account)
        note = f"left {record.job_id}: refused, and its nonce is not spent"
        if isinstance(ended, TransactionReceipt):
            journal.finish(record)
            opened = market.manager.opened_in(ended, record.requester, record.as_spec())
            jobs.append(describe_opened(market, opened, ended, record.as_spec()))
        elif ended is not None:
            journal.abandon(record, ended)
            note = f"put aside {record.job_id}: {ended}"
        if not isinstance(ended, TransactionReceipt):
            progress(ProgressEvent("resume openings", finished=True, note=note))
    return jobs


def _is_of(market: Market, record: OpeningRecord) -> bool:
    found = (record.chain_id, record.genesis_hash, record.manager)
    return found == (market.chain.chain_id, market.chain.genesis_hash, market.manager.address)


def end_signed(
    market: Market, signed: SignedTransaction, account: LocalAccount | None
) -> TransactionReceipt | str | None:
    """Go on with an opening of a job or a tab that may have been interrupted.

    Returns:
        Its receipt; or why it opened nothing and never will; or None if that cannot be had now.

    Raises:
        ChainError: see `BoundContract.resume`.
    """
    chain = market.chain
    refusal = _refusal(chain, signed)
    if refusal is not None:
        is_next = chain.nonce(signed.sender, "latest") == signed.nonce
        if account is None or account.address != signed.sender or not is_next:
            return None
        if _spend(chain, account, signed):
            return f"refused: {refusal}"
    try:
        return market.manager.resume(signed)
    except (RpcError, TransactionTimeoutError):
        raise
    except ZkmlError as error:
        if error.context.get("void"):
            return _NONCE_TAKEN
        receipt = chain.receipt(signed.transaction)
        if receipt is None or receipt.succeeded:
            raise
        return f"mined and reverted: {error.message}"


def _refusal(chain: Chain, signed: SignedTransaction) -> str | None:
    """Return why the contract would refuse an opening; None if it would not, or if it need not be sent."""
    if _is_under_way(chain, signed):
        return None
    try:
        with contract_errors():
            transactions.simulate(chain, call_of(signed, known_reverts()), signed.sender)
    except RpcError:
        raise
    except ZkmlError as error:
        # It may have been mined since the first look, and be refused for that.
        return None if _is_under_way(chain, signed) else error.message
    return None


def _is_under_way(chain: Chain, signed: SignedTransaction) -> bool:
    """Say whether the node has it, or has seen its nonce go elsewhere."""
    known = chain.transaction(signed.transaction) or chain.receipt(signed.transaction)
    return known is not None or transactions.is_void(chain, signed)


def _spend(chain: Chain, account: LocalAccount, signed: SignedTransaction) -> bool:
    """Mine nothing in place of an opening; False when another transaction was first."""
    try:
        spend_nonce(chain, account, signed)
    except ChainError as error:
        if not error.context.get("void"):
            raise
        return False
    return True
