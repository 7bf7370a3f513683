"""The typed binding of CreatorVault: what is the creator's of one offering, but not yet."""

from typing import NamedTuple

from eth_account.signers.local import LocalAccount

from marketplace.shares import SPARE_GAS
from verifier_contracts.artifacts import load_artifact
from verifier_contracts.bindings import BoundContract
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.transactions import OnSigned, ignore_signed
from zkml.core.offering_money import vested
from zkml.errors import RpcError


class Vested(NamedTuple):
    """Money in the token's smallest unit, and shares in units of 10^-18."""

    money: int
    shares: int


class VestingState(NamedTuple):
    """What a vault was given at the release, in the order of the Solidity struct.

    Attributes:
        started_at: chain time of the release in seconds; 0 before.
        vesting_seconds: over which money and shares vest, evenly.
        liquidity_at: when the pool's liquidity is the creator's.
        money: that vests, in the payment token's smallest unit.
        shares: that vest, in units.
        money_paid: of it so far.
        shares_paid: of it so far.
    """

    started_at: int
    vesting_seconds: int
    liquidity_at: int
    money: int
    shares: int
    money_paid: int
    shares_paid: int

    def due_at(self, now: int) -> Vested:
        """Return what could be paid at chain time `now`; nothing before the release."""
        if self.started_at == 0:
            return Vested(0, 0)
        elapsed = now - self.started_at
        return Vested(
            vested(self.money, elapsed, self.vesting_seconds) - self.money_paid,
            vested(self.shares, elapsed, self.vesting_seconds) - self.shares_paid,
        )


class CreatorVaultBinding:
    """The vault at an address. What it pays goes to the creator, whoever asks."""

    def __init__(self, chain: Chain, address: str) -> None:
        """Bind it."""
        self.chain = chain
        self.contract = BoundContract(chain, load_artifact("CreatorVault"), address, spare_gas=SPARE_GAS)

    @property
    def address(self) -> str:
        """Where it is, checksummed."""
        return self.contract.address

    def vesting(self) -> VestingState:
        """Return what vests, and how.

        Raises:
            RpcError: a state that no vault is in; see also `Chain.request`.
        """
        state = VestingState(*self.contract.call("vesting"))
        is_sound = state.money_paid <= state.money and state.shares_paid <= state.shares
        if not is_sound or (state.started_at != 0) is not (state.vesting_seconds != 0):
            raise RpcError(f"expected the state of a vault, found {tuple(state)} at {self.address}")
        return state

    def vested_due(self) -> Vested:
        """Return what `pay_vested` would pay now, derived here; nothing before the release."""
        return self.vesting().due_at(self.chain.now())

    def creator(self) -> str:
        """Return whom it pays, checksummed."""
        return str(self.contract.call("creator"))

    def pool(self) -> str:
        """Return the pool of shares and payment token, checksummed."""
        return str(self.contract.call("pool"))

    def pay_vested(self, account: LocalAccount, *, on_signed: OnSigned = ignore_signed) -> TransactionReceipt:
        """Pay what has vested to the creator; anyone may.

        Raises:
            MarketError: nothing is due, or the offering is not released.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(account, "payVested", on_signed=on_signed)

    def pay_income(self, account: LocalAccount, *, on_signed: OnSigned = ignore_signed) -> TransactionReceipt:
        """Pay the income of the vault's shares to the creator, once released; raises as `pay_vested` does."""
        return self.contract.transact(account, "payIncome", on_signed=on_signed)

    def pay_liquidity(
        self, account: LocalAccount, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Pay the pool's liquidity to the creator, once unlocked; raises as `pay_vested` does."""
        return self.contract.transact(account, "payLiquidity", on_signed=on_signed)
