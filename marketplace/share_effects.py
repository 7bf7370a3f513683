"""What moves of shares, vaults and stewards do: income, what has vested, and what holders decide. No I/O."""

from marketplace.effects import Change, Effects, Flow, Pocket, PocketKind, effects_of
from marketplace.offering_effects import Income
from marketplace.stewards import Motion, Resolution
from marketplace.vaults import Vested
from zkml.core.offering_machine import OfferingFacts
from zkml.core.offering_money import show_shares
from zkml.errors import MarketError


def claim_effects(model_id: int, holder: str, due: int) -> Effects:
    """Return what crediting a holder with the income of its shares does."""
    return effects_of([Flow(due, _revenue(model_id), Pocket(PocketKind.CREDITS, holder))])


def returned_effects(model_id: int, holder: str, held: Income) -> Effects:
    """Return what giving back a pool's income does, or burned shares', whose holder is the zero address."""
    inherited = Pocket(PocketKind.INHERITED, f"model {model_id:#x}")
    return effects_of(
        [
            Flow(held.due, _revenue(model_id), inherited),
            Flow(held.credited, Pocket(PocketKind.CREDITS, holder), inherited),
        ]
    )


def vested_effects(facts: OfferingFacts, due: Vested) -> Effects:
    """Return what paying to the creator what has vested does.

    Raises:
        MarketError: nothing has.
    """
    if due == Vested(0, 0):
        raise MarketError(f"expected something vested, found nothing in offering {facts.offering_id}")
    vault = Pocket(PocketKind.VAULT, f"offering {facts.offering_id}")
    return effects_of(
        [Flow(due.money, vault, Pocket(PocketKind.WALLET, facts.creator))],
        Change(f"shares from the vault to {facts.creator}", "0", show_shares(due.shares)),
    )


def vault_income_effects(facts: OfferingFacts, held: Income) -> Effects:
    """Return what paying the income of the vault's shares to the creator does."""
    wallet = Pocket(PocketKind.WALLET, facts.creator)
    return effects_of(
        [
            Flow(held.due, _revenue(facts.model_id), wallet),
            Flow(held.credited, Pocket(PocketKind.CREDITS, facts.vault), wallet),
        ]
    )


def liquidity_effects(facts: OfferingFacts, units: int) -> Effects:
    """Return what paying the pool's liquidity to the creator does."""
    return effects_of([], Change(f"units of the pool from the vault to {facts.creator}", "0", str(units)))


def owner_income_effects(facts: OfferingFacts, held: Income) -> Effects:
    """Return what paying owner's income from before the soft lock to the creator does."""
    wallet = Pocket(PocketKind.WALLET, facts.creator)
    return effects_of(
        [
            Flow(held.due, _revenue(facts.model_id), wallet),
            Flow(held.credited, Pocket(PocketKind.CREDITS, facts.steward), wallet),
        ]
    )


def fee_effects(model_id: int, before: int, after: int) -> Effects:
    """Return what setting a model's fee does; in the payment token's smallest unit."""
    return effects_of([], Change(f"fee of model {model_id:#x}, in units", str(before), str(after)))


def access_effects(model_id: int, prover: str) -> Effects:
    """Return what granting access to a closed model does."""
    return effects_of([], Change(f"whether {prover} may prove model {model_id:#x}", "as before", "yes"))


def successor_effects(model_id: int, successor_id: int) -> Effects:
    """Return what recognising a successor does."""
    return effects_of([], Change(f"successors of model {model_id:#x}", "as before", f"and {successor_id:#x}"))


def motion_effects(motion_id: int, resolution: Resolution, fee: int, ends_at: int) -> Effects:
    """Return what asking the holders does; the vote ends at `ends_at` if it is asked now."""
    what = resolution.name if resolution is not Resolution.FEE else f"FEE of {fee} units"
    return effects_of(
        [],
        Change(f"motion {motion_id}", "none", what),
        Change("votes are taken until, if mined now", "none", str(ends_at)),
    )


def support_effects(motion: Motion, voter: str, votes: int) -> Effects:
    """Return what voting for a motion does.

    Raises:
        MarketError: the voter had no votes when the motion was made.
    """
    if votes == 0:
        raise MarketError(
            f"expected votes at {motion.snapshot_at}, found none of {voter}",
            hint="shares vote once they are delegated, and only on motions made after that",
        )
    support = Change(
        f"support of motion {motion.motion_id}, in shares",
        show_shares(motion.support),
        show_shares(motion.support + votes),
    )
    return effects_of([], support)


def carry_effects(motion: Motion, model_id: int) -> Effects:
    """Return what carrying a motion out does."""
    after = {
        Resolution.RETIRE: ("status", "PROVEN", "DEPRECATED"),
        Resolution.OPEN: ("provers", "those with access", "everybody"),
        Resolution.FEE: ("fee, in units,", "as before", str(motion.fee)),
    }
    if motion.resolution not in after:
        raise MarketError(f"expected something to carry out, found {motion.resolution.name}")
    subject, before, then = after[motion.resolution]
    return effects_of(
        [],
        Change(f"motion {motion.motion_id}", "open", "carried"),
        Change(f"{subject} of model {model_id:#x}", before, then),
    )


def _revenue(model_id: int) -> Pocket:
    return Pocket(PocketKind.REVENUE, f"model {model_id:#x}")
