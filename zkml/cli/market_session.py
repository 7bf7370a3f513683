"""The chain of a session with its contracts, and the accounts that act on it."""

import os
from typing import Any

from zkml.cli.options import Session


def open_market_of(session: Session) -> Any:
    """Connect to the chain and bind its deployment."""
    from zkml.wiring import open_chain, open_market

    return open_market(session.home, open_chain(session.settings, session.home))


def account_of(session: Session, role: str, market: Any) -> Any:
    """Load the account of a role."""
    from zkml.wiring import account_for

    is_local = market.chain.is_local
    return account_for(role, session.settings, session.home, is_local=is_local, environment=os.environ)


def officer_of(session: Session, role: str, market: Any) -> Any:
    """Load the account of an office; on a local chain it is the deployer's where nobody else has its key."""
    from zkml.demo.accounts import funding_account

    if market.chain.is_local and not (session.home.keys / f"{role}.key").exists():
        return funding_account(session.settings, session.home, market.chain, os.environ)
    return account_of(session, role, market)
