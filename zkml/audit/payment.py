"""Step 10: what moved with a job's own events is what they had to move, and nothing else.

Escrow and credits are kept by the ledger, stakes by the prover registry; on the path of a job both move at
the manager's word alone. So behind each event of the manager stand, before its next one, exactly the events
of the two that follow from it. Tokens come in with an opening, and leave only as withdrawals.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from zkml.adapters.evm.abi import Event
from zkml.adapters.evm.answers import Log
from zkml.audit.chain_reader import CONTRACTS, ChainReader, events_among
from zkml.audit.evidence import MinedTransaction
from zkml.core.pricing import Forfeit, Payment
from zkml.errors import PaymentMismatchError

BURN_ADDRESS = "0x000000000000000000000000000000000000dEaD"

_DRIVEN = (
    ("ledger", "Deposited"),
    ("ledger", "Credited"),
    ("ledger", "RevenueSettled"),
    ("provers", "CollateralLocked"),
    ("provers", "CollateralReleased"),
    ("provers", "CollateralForfeited"),
)
"""What only the manager makes the two emit."""

_PAYOUTS = (
    ("ledger", "Withdrawn", "to"),
    ("provers", "ForfeitsCollected", "treasury"),
    ("provers", "ForfeitsBurned", ""),
)


class Effect(NamedTuple):
    """One event that a move of the job machine leads to, with its arguments in order."""

    name: str
    arguments: tuple[Any, ...]


def deposited(payer: str, amount: int) -> Effect:
    """Escrow came in."""
    return Effect("Deposited", (payer, amount))


def credited(account: str, amount: int) -> Effect:
    """Escrow went back."""
    return Effect("Credited", (account, amount))


def settled(model_id: int, prover: str, payment: Payment) -> Effect:
    """A proof was paid."""
    return Effect("RevenueSettled", (model_id, prover, *payment))


def locked(prover: str, amount: int) -> Effect:
    """A claim took collateral."""
    return Effect("CollateralLocked", (prover, amount))


def released(prover: str, amount: int) -> Effect:
    """A claim ended well or was undone."""
    return Effect("CollateralReleased", (prover, amount))


def forfeited(prover: str, forfeit: Forfeit, heir: str) -> Effect:
    """A claim was broken; `heir` is the zero address where there is no bonus."""
    return Effect("CollateralForfeited", (prover, forfeit.amount, heir, forfeit.bonus, forfeit.to_treasury))


def verify_effects(reader: ChainReader, event: Event, expected: Sequence[Effect]) -> None:
    """Check that an event of the manager led to exactly these effects, in this order.

    Raises:
        PaymentMismatchError: it led to others.
    """
    found = _effects_of(reader, event)
    if found != list(expected):
        raise PaymentMismatchError(
            f"expected {event.name} to lead to {_shown(expected)}, found {_shown(found)} "
            f"in {event.log.transaction}"
        )


def verify_deposit(reader: ChainReader, event: Event, payer: str, amount: int) -> None:
    """Check that the tokens of an opening came in with it.

    Raises:
        PaymentMismatchError: other tokens moved, or none.
    """
    verify_effects(reader, event, [deposited(payer, amount)])
    contracts, window = reader.contracts, _window(reader, event)
    (done,) = events_among(window, "RevenueLedger", contracts.ledger, "Deposited")
    # What whoever opened gives the ledger afterwards is a donation, and nobody's.
    window = [log for log in window if log.index < done.log.index]
    moved = [
        (transfer.arguments["from"], transfer.arguments["value"])
        for transfer in events_among(window, "LocalPaymentToken", contracts.token, "Transfer")
        if transfer.arguments["to"] == contracts.ledger
    ]
    if moved != [(payer, amount)]:
        found = ", ".join(f"{value} from {sender}" for sender, value in moved) or "nothing"
        raise PaymentMismatchError(
            f"expected {amount} from {payer} into escrow with {event.name}, found {found} "
            f"in {event.log.transaction}"
        )


def verify_payouts(reader: ChainReader, mined: MinedTransaction) -> None:
    """Check that ledger and prover registry paid out in this transaction exactly what was taken from them.

    Raises:
        PaymentMismatchError: other tokens left them.
    """
    contracts, logs = reader.contracts, mined.receipt.logs
    paid = Counter(
        (transfer.arguments["to"], transfer.arguments["value"])
        for transfer in events_among(logs, "LocalPaymentToken", contracts.token, "Transfer")
        if transfer.arguments["from"] in (contracts.ledger, contracts.provers)
    )
    owed = Counter(
        (event.arguments[receiver] if receiver else BURN_ADDRESS, event.arguments["amount"])
        for part, name, receiver in _PAYOUTS
        for event in events_among(logs, CONTRACTS[part], getattr(contracts, part), name)
    )
    taken_back = Counter(
        event.arguments["amount"]
        for event in events_among(logs, "ProverRegistry", contracts.provers, "Unstaked")
    )
    # Stake may be sent to whom the prover names, whom its event does not tell.
    rest = paid - owed
    if owed - paid or Counter(value for _, value in rest.elements()) != taken_back:
        raise PaymentMismatchError(
            f"expected ledger and prover registry to pay out what was taken, {dict(owed)}, "
            f"found {dict(paid)} in {mined.sent.transaction}"
        )


def verify_amounts(event: Event, expected: dict[str, Any]) -> None:
    """Check the amounts that an event names.

    Raises:
        PaymentMismatchError: they are others.
    """
    found = {name: event.arguments[name] for name in expected}
    if found != expected:
        raise PaymentMismatchError(
            f"expected {expected} in {event.name}, found {found} in {event.log.transaction}"
        )


def _effects_of(reader: ChainReader, event: Event) -> list[Effect]:
    window = _window(reader, event)
    found = [
        (effect.log.index, Effect(name, tuple(effect.arguments.values())))
        for part, name in _DRIVEN
        for effect in events_among(window, CONTRACTS[part], getattr(reader.contracts, part), name)
    ]
    return [effect for _, effect in sorted(found, key=lambda each: each[0])]


def _window(reader: ChainReader, event: Event) -> list[Log]:
    """Return the logs behind an event of the manager and before its next one."""
    logs, manager = reader.transaction_of(event).receipt.logs, reader.contracts.manager
    later = [log for log in logs if log.index > event.log.index]
    end = min((log.index for log in later if log.address == manager), default=None)
    return [log for log in later if end is None or log.index < end]


def _shown(effects: Sequence[Effect]) -> str:
    return ", ".join(f"{name}{arguments}" for name, arguments in effects) or "nothing"
