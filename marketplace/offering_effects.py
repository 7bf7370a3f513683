"""What each move of an offering does with money, shares and the model: from its facts and the rules. No I/O.

Flows are of the payment token. Shares, which are another token, are changes in words.
"""

from dataclasses import dataclass

from marketplace.effects import Change, Effects, Flow, Pocket, PocketKind, effects_of
from zkml.core.business_calendar import unlock_at
from zkml.core.offering_machine import DefaultCause, OfferingFacts, OfferingStatus, Rules, status_of
from zkml.core.offering_money import SHARE, repayment, seed_of, show_shares
from zkml.core.offering_moves import check_move
from zkml.core.offering_terms import OfferingTerms
from zkml.errors import MarketError


@dataclass(frozen=True, slots=True)
class Income:
    """What a part of a model's income is before a move, in the token's smallest unit.

    Attributes:
        due: earned and with the model still.
        credited: credited in the ledger to who is asked about.
    """

    due: int = 0
    credited: int = 0


def opening_effects(offering_id: int, creator: str, terms: OfferingTerms, owner_due: int = 0) -> Effects:
    """Return what opening an offering does.

    Args:
        offering_id: the number that it gets.
        creator: the model's owner.
        terms: what it offers.
        owner_due: the owner's income up to now, which the ledger credits.
    """
    model = _model(terms.model_id)
    return effects_of(
        [
            Flow(terms.bond, _wallet(creator), _of(PocketKind.BOND, offering_id)),
            Flow(owner_due, Pocket(PocketKind.REVENUE, model), Pocket(PocketKind.CREDITS, creator)),
        ],
        _status(offering_id, OfferingStatus.NONE, OfferingStatus.OPEN),
        Change(f"owner of {model}", creator, f"the steward of offering {offering_id}"),
        Change("whole shares on sale", "0", f"{terms.public_shares} of {terms.total_shares}"),
        Change(f"fee of {model}, in units", "as its owner set it", _band(terms)),
    )


def reserve_effects(
    facts: OfferingFacts,
    rules: Rules,
    buyer: str,
    count: int,
    now: int,
    *,
    reserved: int = 0,
    holidays: frozenset[int] = frozenset(),
    owner_due: int = 0,
) -> Effects:
    """Return what reserving does; raises as `check_move` does.

    Args:
        facts: of the offering.
        rules: of its deployment.
        buyer: who pays.
        count: whole shares; as many as are left, if fewer are.
        now: chain time in seconds.
        reserved: what the buyer has reserved before.
        holidays: the days that count for the lock's end.
        owner_due: the owner's income up to now, which the last reservation credits to the steward.
    """
    check_move(facts, rules, "reserve", now, caller=buyer)
    taken, number = min(count, facts.left), facts.offering_id
    flows = [Flow(taken * facts.price, _wallet(buyer), _of(PocketKind.RAISE, number))]
    changes = [
        Change(f"whole shares of {buyer}", str(reserved), str(reserved + taken)),
        Change("whole shares left", str(facts.left), str(facts.left - taken)),
    ]
    if taken == facts.left:
        model = Pocket(PocketKind.REVENUE, _model(facts.model_id))
        flows.append(Flow(owner_due, model, Pocket(PocketKind.CREDITS, facts.steward)))
        changes += [
            _status(number, OfferingStatus.OPEN, OfferingStatus.SOFT_LOCKED),
            Change("lock ends, if mined now", "none", str(unlock_at(now, holidays))),
            Change(f"income of {_model(facts.model_id)} from now on", "its owner's", "its shares'"),
            Change("whole shares of the creator's vault", "0", str(facts.creator_shares)),
        ]
    return effects_of(flows, *changes)


def resale_offer_effects(facts: OfferingFacts, holder: str, before: int, count: int) -> Effects:
    """Return what offering shares at the price does: `before` was offered until now."""
    return effects_of([], _on_offer(facts, holder, before, count))


def resale_effects(
    facts: OfferingFacts, buyer: str, holder: str, count: int, *, offered: int, reserved: tuple[int, int]
) -> Effects:
    """Return what taking over offered shares does.

    Args:
        facts: of the offering.
        buyer: who pays.
        holder: who sells.
        count: whole shares.
        offered: what the holder offers.
        reserved: what buyer and holder have reserved before.
    """
    paid = Flow(count * facts.price, _wallet(buyer), _credits(holder))
    has, had = reserved
    after = (has, had) if buyer == holder else (has + count, had - count)
    return effects_of(
        [paid],
        Change(f"whole shares of {buyer}", str(has), str(after[0])),
        Change(f"whole shares of {holder}", str(had), str(after[1])),
        _on_offer(facts, holder, offered, offered - count),
    )


def reveal_effects(facts: OfferingFacts, rules: Rules, now: int) -> Effects:
    """Return what revealing the key does; raises as `check_move` does."""
    check_move(facts, rules, "reveal", now)
    due = max(facts.unlock_at, now + rules.challenge_seconds)
    return effects_of(
        [],
        _status(facts.offering_id, OfferingStatus.SOFT_LOCKED, OfferingStatus.REVEALED),
        Change("key of the artifact", "its creator's secret", "public for ever"),
        Change("can be released from", "none", str(due)),
        Change("can be released until", "none", str(due + rules.grace_seconds)),
    )


def release_effects(facts: OfferingFacts, rules: Rules, now: int) -> Effects:
    """Return what releasing does; raises as `check_move` does."""
    check_move(facts, rules, "finalize", now)
    number, seed = facts.offering_id, seed_of(facts.public_shares, facts.price, facts.seed_ppm)
    raised = _of(PocketKind.RAISE, number)
    vesting = facts.creator_shares * SHARE - seed.shares
    return effects_of(
        [
            Flow(facts.bond, _of(PocketKind.BOND, number), _credits(facts.creator)),
            Flow(seed.money, raised, _of(PocketKind.POOL, number)),
            Flow(facts.raise_total - seed.money, raised, _of(PocketKind.VAULT, number)),
        ],
        _status(number, OfferingStatus.RELEASABLE, OfferingStatus.TRADING),
        Change("who moves shares", "the offering", "their holders"),
        Change("shares in the pool", "0", show_shares(seed.shares)),
        Change("shares that vest to the creator", "0", show_shares(vesting)),
        Change("all has vested at, if mined now", "none", str(now + facts.vesting_seconds)),
        Change(
            "pool's liquidity is the creator's at, if mined now", "none", str(now + facts.lp_lock_seconds)
        ),
        Change(f"who may prove {_model(facts.model_id)}", "as its creator chose", "every prover"),
    )


def default_effects(
    facts: OfferingFacts, rules: Rules, cause: DefaultCause, now: int, held: Income
) -> Effects:
    """Return what a default does: bond and held income become the holders' bonus.

    Args:
        facts: of the offering.
        rules: of its deployment.
        cause: why; the bond of a TOMBSTONED one goes back.
        now: chain time in seconds.
        held: the vault's income.

    Raises:
        ZkmlError: see `check_move`.
    """
    move = {DefaultCause.REFUTED: "challenge", DefaultCause.GUARDIAN: "guardian_default"}
    is_tombstoned = cause is DefaultCause.TOMBSTONED
    check_move(facts, rules, move.get(cause, "declare_default"), now, is_tombstoned=is_tombstoned)
    number = facts.offering_id
    bond, bonus = _of(PocketKind.BOND, number), _of(PocketKind.BONUS, number)
    return effects_of(
        [
            Flow(facts.bond, bond, _credits(facts.creator) if is_tombstoned else bonus),
            Flow(held.due, Pocket(PocketKind.REVENUE, _model(facts.model_id)), bonus),
            Flow(held.credited, Pocket(PocketKind.CREDITS, facts.vault), bonus),
        ],
        _status(number, status_of(facts, rules, now), OfferingStatus.DEFAULTED),
        Change("whole shares of the creator's vault", str(facts.creator_shares), "0, destroyed"),
        Change("who moves shares", "the offering", "their holders"),
        Change("money of the holders", "locked", "theirs to claim"),
    )


def close_effects(facts: OfferingFacts, rules: Rules, now: int, *, is_tombstoned: bool = False) -> Effects:
    """Return what closing does to an offering that failed, or whose circuit is tombstoned during its sale.

    Raises:
        ZkmlError: see `check_move`.
    """
    check_move(facts, rules, "close", now, is_tombstoned=is_tombstoned)
    number, status = facts.offering_id, status_of(facts, rules, now)
    steward = f"the steward of offering {number}"
    changes = [
        Change(f"owner of {_model(facts.model_id)}", steward, facts.creator),
        Change(f"bond and model of offering {number}", "held", "the creator's"),
    ]
    if status is OfferingStatus.OPEN:
        changes.insert(0, _status(number, status, OfferingStatus.FAILED))
    back = Flow(facts.bond, _of(PocketKind.BOND, number), _credits(facts.creator))
    return effects_of([back], *changes)


def repay_effects(facts: OfferingFacts, rules: Rules, holder: str, count: int, now: int) -> Effects:
    """Return what paying a holder of `count` whole shares back does; raises as `check_move` does.

    Raises:
        MarketError: the holder has none.
    """
    check_move(facts, rules, "repay", now)
    if count == 0:
        raise MarketError(f"expected a reservation that is not paid back, found none of {holder}")
    number = facts.offering_id
    is_default = status_of(facts, rules, now) is OfferingStatus.DEFAULTED
    money = count * facts.price
    bonus = repayment(facts, count, is_default=is_default) - money
    after = f"{count}, and free" if is_default else "0, destroyed"
    return effects_of(
        [
            Flow(money, _of(PocketKind.RAISE, number), _credits(holder)),
            Flow(bonus, _of(PocketKind.BONUS, number), _credits(holder)),
        ],
        Change(f"whole shares of {holder} to pay back", str(count), "0"),
        Change(f"whole shares of {holder}", str(count), after),
    )


def withdraw_effects(account: str, to: str, amount: int) -> Effects:
    """Return what withdrawing credits does."""
    return effects_of([Flow(amount, _credits(account), _wallet(to))])


def _of(kind: PocketKind, offering_id: int) -> Pocket:
    return Pocket(kind, f"offering {offering_id}")


def _wallet(account: str) -> Pocket:
    return Pocket(PocketKind.WALLET, account)


def _credits(account: str) -> Pocket:
    return Pocket(PocketKind.OFFERING_CREDITS, account)


def _model(model_id: int) -> str:
    return f"model {model_id:#x}"


def _status(offering_id: int, before: OfferingStatus, after: OfferingStatus) -> Change:
    return Change(f"status of offering {offering_id}", before.name, after.name)


def _on_offer(facts: OfferingFacts, holder: str, before: int, after: int) -> Change:
    subject = f"whole shares of offering {facts.offering_id} that {holder} offers at its price"
    return Change(subject, str(before), str(after))


def _band(terms: OfferingTerms) -> str:
    fees = terms.fees
    return f"{fees.model_fee}, from {fees.min_model_fee} to {terms.max_model_fee}"
