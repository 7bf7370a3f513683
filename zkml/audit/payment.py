"""Step 10: tokens moved as the job's terms say, once, and nothing else moved with them.

Escrow is seen in the receipts: a deposit is the token's Transfer that follows the manager's own event in
the same transaction, and before any other event of the manager's. A settlement is a credit: in its
transaction the manager pays out what was withdrawn there, and nothing more.
"""

from collections import Counter

from zkml.adapters.evm.abi import Event
from zkml.audit.chain_reader import ChainReader, events_among
from zkml.audit.evidence import MinedTransaction
from zkml.core.job_machine import JobFacts
from zkml.errors import PaymentMismatchError

BURN_ADDRESS = "0x000000000000000000000000000000000000dEaD"


def verify_deposit(reader: ChainReader, event: Event, payer: str, amount: int) -> None:
    """Check that the tokens which an opening or a claim asks for came in with it.

    Args:
        reader: the chain.
        event: JobOpened or JobClaimed.
        payer: who must have paid.
        amount: how much, in the token's smallest unit.

    Raises:
        PaymentMismatchError: other tokens moved, or none.
    """
    mined, contracts = reader.transaction_of(event), reader.contracts
    later = [log for log in mined.receipt.logs if log.index > event.log.index]
    own = [log.index for log in later if log.address == contracts.manager]
    end = min(own, default=None)
    window = [log for log in later if end is None or log.index < end]
    moved = [
        (transfer.arguments["from"], transfer.arguments["value"])
        for transfer in events_among(window, "LocalPaymentToken", contracts.token, "Transfer")
        if transfer.arguments["to"] == contracts.manager
    ]
    if moved != [(payer, amount)]:
        found = ", ".join(f"{value} from {sender}" for sender, value in moved) or "nothing"
        raise PaymentMismatchError(
            f"expected {amount} from {payer} into escrow with {event.name}, found {found} "
            f"in {mined.sent.transaction}"
        )


def verify_payouts(reader: ChainReader, mined: MinedTransaction) -> None:
    """Check that the manager paid out in this transaction exactly what was withdrawn or burned in it.

    Raises:
        PaymentMismatchError: other tokens left the manager.
    """
    contracts, logs = reader.contracts, mined.receipt.logs
    paid = Counter(
        (transfer.arguments["to"], transfer.arguments["value"])
        for transfer in events_among(logs, "LocalPaymentToken", contracts.token, "Transfer")
        if transfer.arguments["from"] == contracts.manager
    )
    owed = Counter(
        (event.arguments["account"], event.arguments["amount"])
        for event in events_among(logs, "JobManager", contracts.manager, "Withdrawn")
    )
    owed += Counter(
        (BURN_ADDRESS, event.arguments["amount"])
        for event in events_among(logs, "JobManager", contracts.manager, "ForfeitsBurned")
    )
    if paid != owed:
        raise PaymentMismatchError(
            f"expected the manager to pay out what was withdrawn, {dict(owed)}, "
            f"found {dict(paid)} in {mined.sent.transaction}"
        )


def verify_terms(reader: ChainReader, job: JobFacts, opened: Event) -> None:
    """Check that fee and collateral are the ones of the opening, and the collateral the deployment's.

    Raises:
        PaymentMismatchError: they are not.
    """
    asked = (opened.arguments["fee"], opened.arguments["collateral"])
    if asked != (job.fee, job.collateral):
        raise PaymentMismatchError(
            f"expected fee and collateral {asked} of the opening, found {(job.fee, job.collateral)}"
        )
    collateral = reader.collateral_for(job.fee)
    if job.collateral != collateral:
        raise PaymentMismatchError(
            f"expected a collateral of {collateral} for a fee of {job.fee}, found {job.collateral}"
        )


def verify_amounts(event: Event, expected: dict[str, int]) -> None:
    """Check the amounts that an event names.

    Raises:
        PaymentMismatchError: they are others.
    """
    found = {name: event.arguments[name] for name in expected}
    if found != expected:
        raise PaymentMismatchError(
            f"expected {expected} in {event.name}, found {found} in {event.log.transaction}"
        )
