"""A prover's stake at the command line: add to it, ask for it back, show it."""

from typing import Any

from zkml.cli.identifiers import parse_address
from zkml.cli.market_session import account_of, open_market_of
from zkml.cli.options import Session
from zkml.errors import ChainError, ConfigError


class StakeMoves:
    """The transactions about one prover's stake; each method returns JSON and text for the console."""

    def __init__(self, market: Any, account: Any, *, endpoint: str = "") -> None:
        """Use a market's contracts and the prover's key; an account is registered with this endpoint."""
        self._market = market
        self._endpoint = endpoint
        self._account = account

    def stake(self, units: int) -> tuple[dict[str, Any], str]:
        """Register where needed, allow the prover registry exactly `units`, and stake them."""
        market, account = self._market, self._account
        self._require(units)
        sent = {}
        if not market.provers.stake_of(account.address).registered:
            sent["register"] = market.provers.register(account, self._endpoint, _proof_systems())
        approved = market.token.ensure_allowance(account, market.provers.address, units)
        if approved is not None:
            sent["approve"] = approved
        sent["stake"] = market.provers.stake(account, units)
        value = {name: receipt.transaction for name, receipt in sent.items()}
        return self._result(f"{market.token.show(units)} staked", value)

    def preview_stake(self, units: int) -> tuple[dict[str, Any], str]:
        """Say what `stake` would send; what depends on a step before it is named only."""
        from zkml.cli.plans import describe_plan

        market, sender = self._market, self._account.address
        self._require(units)
        planned, provers = [], market.provers
        is_registered = provers.stake_of(sender).registered
        if not is_registered:
            planned.append(provers.contract.dry_run(sender, "register", self._endpoint, _proof_systems()))
        is_allowed = market.token.allowance(sender, provers.address) >= units
        if not is_allowed:
            planned.append(market.token.contract.dry_run(sender, "approve", provers.address, units))
        if is_registered and is_allowed:
            planned.append(provers.contract.dry_run(sender, "stake", sender, units))
            return describe_plan(planned)
        value, text = describe_plan(planned)
        then = f"ProverRegistry.stake({sender}, {units})"
        return {**value, "then": [then]}, f"{text}\nthen {then}"

    def unstake(self, units: int | None) -> tuple[dict[str, Any], str]:
        """Ask for `units` back, or take what was asked back when None."""
        market, account = self._market, self._account
        if units is None:
            taken = market.provers.stake_of(account.address).leaving
            receipt = market.provers.unstake(account)
            return self._result(f"{market.token.show(taken)} taken", {"unstake": receipt.transaction})
        receipt = market.provers.request_unstake(account, units)
        leaves_at = market.provers.stake_of(account.address).leaves_at
        text = f"{market.token.show(units)} asked back; from {leaves_at} on: zkml prover unstake --take"
        return self._result(text, {"request": receipt.transaction})

    def preview_unstake(self, units: int | None) -> tuple[dict[str, Any], str]:
        """Say what `unstake` would send."""
        from zkml.cli.plans import describe_plan

        contract, sender = self._market.provers.contract, self._account.address
        call = ("unstake", sender) if units is None else ("requestUnstake", units)
        return describe_plan([contract.dry_run(sender, *call)])

    def _require(self, units: int) -> None:
        self._market.token.require(self._account.address, units, "stake")

    def _result(self, text: str, transactions: dict[str, str]) -> tuple[dict[str, Any], str]:
        value = {
            "account": self._account.address,
            **_stake_values(self._market, self._account.address),
            "transactions": transactions,
        }
        return value, text


def describe_account(session: Session, given: str | None) -> tuple[dict[str, Any] | None, str]:
    """Return a prover's stake and credits as JSON and text; None and why not where no chain can be asked.

    Args:
        session: its settings name chain and key.
        given: an address; the prover's key's own when None.
    """
    address = None if given is None else parse_address(given, "a prover")
    try:
        market = open_market_of(session)
        if address is None:
            address = account_of(session, "prover", market).address
        stake = _stake_values(market, address)
        credited = market.token.show(market.ledger.credits_of(address))
    except (ConfigError, ChainError) as error:
        return None, f"stake and credits unknown: {error.message}"
    value = {"account": address, "credits": credited, **stake}
    figures = ", ".join(f"{name} {value[name]}" for name in ("credits", "free", "locked", "leaving"))
    return value, f"{address} {'' if stake['registered'] else 'is not registered; '}{figures}"


def _stake_values(market: Any, address: str) -> dict[str, Any]:
    found, show = market.provers.stake_of(address), market.token.show
    return {
        "registered": found.registered,
        "free": show(found.free),
        "locked": show(found.locked),
        "leaving": show(found.leaving),
        "leaves_at": found.leaves_at,
    }


def _proof_systems() -> list[bytes]:
    from circuits.systems import proof_systems
    from zkml.core.identifiers import proof_system_id

    return [proof_system_id(name) for name in proof_systems()]
