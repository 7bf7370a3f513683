"""At the end everybody takes what is theirs: nothing in the market is pushed."""

from zkml.client import refund, withdraw
from zkml.core.job_machine import JobStatus
from zkml.core.records import from_hex
from zkml.demo.scene import Scene

UNSTAKED = 1_000_000
"""What the prover asks back at the end, in the token's smallest unit."""


def everybody_pulls(scene: Scene) -> None:
    """Claim income, refund what expired, withdraw credits, and send forfeits where they belong.

    Raises:
        ChainError, MarketError: a transaction failed.
    """
    _refund_expired(scene)
    _claim_income(scene)
    _send_forfeits(scene)
    _withdraw_credits(scene)


def ask_for_stake(scene: Scene) -> int:
    """Have the prover ask for a part of its stake, which leaves after the delay; return how much.

    Raises:
        StakeError: less is free.
        ChainError: see `ProverRegistryBinding.request_unstake`.
    """
    scene.market.provers.request_unstake(scene.accounts["prover"], UNSTAKED)
    return UNSTAKED


def _refund_expired(scene: Scene) -> None:
    manager, requester = scene.market.manager, scene.accounts["requester"]
    for request in manager.events.requests():
        job_id = from_hex(request.job_id)
        if request.requester == requester.address and manager.status(job_id) is JobStatus.EXPIRED:
            refund(scene.market, requester, job_id)


def _claim_income(scene: Scene) -> None:
    ledger, model_id, publisher = scene.market.ledger, scene.publication.model_id, scene.accounts["publisher"]
    if ledger.holders_due(model_id):
        ledger.claim_owner(publisher, model_id)
    if ledger.income_of(model_id).platform:
        ledger.collect_platform(scene.funder, [model_id])


def _send_forfeits(scene: Scene) -> None:
    provers = scene.market.provers
    to_burn, to_treasury = provers.forfeits()
    if to_burn:
        provers.burn_forfeits(scene.funder)
    if to_treasury:
        provers.collect_forfeits(scene.funder)


def _withdraw_credits(scene: Scene) -> None:
    # Whoever else's treasury it may be: only its own key takes its credits.
    for account in (*scene.accounts.values(), scene.funder):
        if scene.market.ledger.credits_of(account.address):
            withdraw(scene.market, account)
