"""The well-known funded account of development nodes; for local chain ids alone."""

from eth_account import Account
from eth_account.signers.local import LocalAccount

from zkml.core.identifiers import LOCAL_CHAIN_IDS
from zkml.errors import KeyFileError

# The first key of the public mnemonic "test test test test test test test test test test test junk".
_FIRST_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"


def dev_account(chain_id: int) -> LocalAccount:
    """Return the account that Anvil and its like fund at genesis.

    Raises:
        KeyFileError: the chain is not a local one; there the key is everybody's, and so is its money.
    """
    if chain_id not in LOCAL_CHAIN_IDS:
        raise KeyFileError(
            f"expected a key of your own on chain {chain_id}, found the well-known development key",
            hint="configure a key file",
        )
    account: LocalAccount = Account.from_key(_FIRST_KEY)
    return account
