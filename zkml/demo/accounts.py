"""The accounts of a local chain: one key file for each role, funded from the node's development key."""

from collections.abc import Mapping, Sequence

from eth_account.signers.local import LocalAccount

from zkml.adapters.evm import transactions
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.transactions import Call
from zkml.adapters.keys.dev_keys import dev_account
from zkml.adapters.keys.key_files import load_or_create_key_file
from zkml.config.home import Home
from zkml.config.settings import Settings
from zkml.wiring import KEY_VARIABLE, Market, account_for

ROLES = ("publisher", "requester", "prover")
LEAST_ETHER_WEI = 10**18
ETHER_GIFT_WEI = 10 * 10**18
LEAST_TOKENS = 50_000_000
TOKEN_GIFT = 1_000_000_000


def role_accounts(home: Home, roles: Sequence[str] = ROLES) -> dict[str, LocalAccount]:
    """Return the accounts of a local chain's roles, making the key files that are missing.

    Raises:
        KeyFileError: a key file is of another form or readable by others.
        StorageError: no space or no permission.
    """
    return {role: load_or_create_key_file(home.keys / f"{role}.key") for role in roles}


def fund_with_ether(chain: Chain, funder: LocalAccount, account: str) -> bool:
    """Send an account ether when it has less than one; say whether it was needed.

    Raises:
        InsufficientFundsError: the funder has too little.
        ChainError: see `transactions.send`.
    """
    if chain.balance_wei(account) >= LEAST_ETHER_WEI:
        return False
    gift = Call(target=account, data=b"", what="send ether", value_wei=ETHER_GIFT_WEI)
    transactions.send(chain, funder, gift)
    return True


def funding_account(
    settings: Settings, home: Home, chain: Chain, environment: Mapping[str, str]
) -> LocalAccount:
    """Return who deploys and pays on a chain: the configured key, or a local chain's development key.

    Raises:
        KeyFileError: the key is missing or of another form, or none is configured on a chain with money.
    """
    if chain.is_local and not settings.keys.key_file and KEY_VARIABLE not in environment:
        return dev_account(chain.chain_id)
    return account_for("deployer", settings, home, is_local=chain.is_local, environment=environment)


def fund_roles(market: Market, funder: LocalAccount, accounts: Sequence[LocalAccount]) -> None:
    """Give each account ether for gas and local tokens to pay with, where it has little.

    Args:
        market: on a local chain.
        funder: deployed the local token, and so may mint it.
        accounts: who gets something.

    Raises:
        ChainError: see `transactions.send`.
    """
    for account in accounts:
        fund_with_ether(market.chain, funder, account.address)
        if market.token.balance_of(account.address) < LEAST_TOKENS:
            market.token.mint(funder, account.address, TOKEN_GIFT)


def enroll(market: Market, prover: LocalAccount, stake: int, proof_systems: Sequence[bytes]) -> None:
    """Register a prover for these systems too, and fill its free stake up; take what has left before.

    Args:
        market: chain and contracts.
        prover: has tokens.
        stake: free stake to have at least, in the token's smallest unit.
        proof_systems: what it can prove, 4 bytes each.

    Raises:
        ChainError: see `transactions.send`.
    """
    held = market.provers.stake_of(prover.address)
    known = market.provers.profile_of(prover.address).proof_systems if held.registered else ()
    if not set(proof_systems) <= set(known):
        market.provers.register(prover, "", sorted({*known, *proof_systems}))
    if held.leaving and held.leaves_at <= market.chain.now():
        market.provers.unstake(prover)
    if held.free < stake:
        missing = stake - held.free
        market.token.ensure_allowance(prover, market.provers.address, missing)
        market.provers.stake(prover, missing)
