"""A pool of Uniswap v2 between shares and payment token: reserves, price, quotes, trades.

A pool has no router here: what is paid in first and swapped in a second transaction is anybody's in between.
So trades are for local chains; elsewhere a router of Uniswap v2 trades with the same pool.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from eth_account.signers.local import LocalAccount

from marketplace.shares import SPARE_GAS
from verifier_contracts.artifacts import load_artifact
from verifier_contracts.bindings import BoundContract
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.rpc import BlockTag, Chain
from zkml.adapters.evm.transactions import OnSigned, ignore_signed
from zkml.core.job_machine import is_zero
from zkml.core.offering_money import SHARE, bought_for, cost_of
from zkml.errors import ConfigError, MarketError, RpcError

_MAX_RESERVE = (1 << 112) - 1


class Side(StrEnum):
    """What a trader pays with."""

    SHARES = "shares"
    MONEY = "money"


class Reserves(NamedTuple):
    """What a pool holds: share units of 10^-18, and money in the payment token's smallest unit."""

    shares: int
    money: int

    @property
    def price(self) -> int | None:
        """What a whole share costs at the margin, rounded down; None while the pool is empty."""
        return self.money * SHARE // self.shares if self.shares else None

    def bought_for(self, side: Side, paid: int) -> int:
        """Return what the pool gives for `paid` of one side, after its fee."""
        given, wanted = (self.shares, self.money) if side is Side.SHARES else (self.money, self.shares)
        return bought_for(paid, given, wanted)

    def cost_of(self, side: Side, bought: int) -> int | None:
        """Return the least of one side that buys `bought` of the other; None where no amount does."""
        given, wanted = (self.shares, self.money) if side is Side.SHARES else (self.money, self.shares)
        return cost_of(bought, given, wanted)


@dataclass(frozen=True, slots=True)
class Trade:
    """A trade that was made.

    Attributes:
        side: what was paid with.
        paid: of it.
        bought: of the other side.
        receipts: of the payment and of the swap.
    """

    side: Side
    paid: int
    bought: int
    receipts: tuple[TransactionReceipt, TransactionReceipt]


class PoolBinding:
    """The pool at an address.

    Args:
        chain: where it is.
        address: of the pair.
        shares: address of the share token.
        money: address of the payment token.

    Raises:
        MarketError: there is no pool.
    """

    def __init__(self, chain: Chain, address: str, *, shares: str, money: str) -> None:
        if is_zero(address):
            raise MarketError(f"expected a pool of the shares {shares}, found none")
        self.chain = chain
        self.contract = BoundContract(chain, load_artifact("UniswapV2Pair"), address, spare_gas=SPARE_GAS)
        self._tokens = {
            Side.SHARES: BoundContract(chain, load_artifact("ModelToken"), shares, spare_gas=SPARE_GAS),
            Side.MONEY: BoundContract(chain, load_artifact("LocalPaymentToken"), money),
        }

    @property
    def address(self) -> str:
        """Where it is, checksummed."""
        return self.contract.address

    def reserves(self, *, block: BlockTag = "latest") -> Reserves:
        """Return what the pool counts as its own.

        Raises:
            RpcError: the pool is of other tokens; see also `Chain.request`.
        """
        first, second, _ = self.contract.call("getReserves", block=block)
        return Reserves(first, second) if self._shares_first() else Reserves(second, first)

    def liquidity_of(self, account: str) -> int:
        """Return the pool's own tokens of an account."""
        return int(self.contract.call("balanceOf", account))

    def trade(
        self,
        account: LocalAccount,
        side: Side,
        amount: int,
        *,
        least: int,
        on_signed: OnSigned = ignore_signed,
    ) -> Trade:
        """Pay `amount` of one side into the pool and take what it gives; in two transactions.

        Args:
            account: who trades.
            side: what it pays with.
            amount: of it.
            least: what it wants of the other side at least.
            on_signed: called with each signed transaction before it leaves this machine.

        Raises:
            ConfigError: not a local chain, where others would take what is between two transactions.
            MarketError: the pool gives less than `least`, or nothing; nothing was paid.
            RevertedError: too few tokens, or shares that are locked.
            ChainError: see `BoundContract.transact`.
        """
        if not self.chain.is_local:
            raise ConfigError(
                f"expected a local chain to trade without a router, found chain {self.chain.chain_id}",
                hint=f"trade on the pool {self.address} through a router of Uniswap v2",
            )
        bought = self.reserves().bought_for(side, amount)
        if bought < max(1, least):
            raise MarketError(f"expected {max(1, least)} for {amount} of {side}, found {bought} in the pool")
        paid = self._tokens[side].transact(account, "transfer", self.address, amount, on_signed=on_signed)
        pays_first = (side is Side.SHARES) is self._shares_first()
        amounts = (0, bought) if pays_first else (bought, 0)
        taken = self.contract.transact(account, "swap", *amounts, account.address, b"", on_signed=on_signed)
        return Trade(side, amount, bought, (paid, taken))

    def _shares_first(self) -> bool:
        shares, money = self._tokens[Side.SHARES].address, self._tokens[Side.MONEY].address
        found = str(self.contract.call("token0")), str(self.contract.call("token1"))
        if set(found) != {shares, money}:
            raise RpcError(f"expected a pool of {shares} and {money}, found one of {found[0]} and {found[1]}")
        return found[0] == shares
