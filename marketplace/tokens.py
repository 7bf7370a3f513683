"""The payment token: balances, allowances, and amounts as people write them."""

import re

from eth_account.signers.local import LocalAccount

from verifier_contracts.artifacts import load_artifact
from verifier_contracts.bindings import BoundContract
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.transactions import OnSigned, ignore_signed
from zkml.core.pricing import MAX_AMOUNT
from zkml.errors import ConfigError, InsufficientFundsError

_AMOUNT = re.compile(r"[0-9]{1,60}(?:\.[0-9]{1,36})?")


def parse_amount(text: str, decimals: int) -> int:
    """Read an amount of tokens such as `1.25` and return it in the token's smallest unit.

    Raises:
        ConfigError: not a plain decimal number, finer than the token, or beyond 80 bits.
    """
    found = text.strip()
    if not _AMOUNT.fullmatch(found):
        raise ConfigError(
            f"expected an amount such as 1.25, found {text!r:.80}",
            hint="digits, and a point before the decimals",
        )
    # Digits are moved as text: a float or a rounding decimal would lose some.
    whole, _, fraction = found.partition(".")
    significant = fraction.rstrip("0")
    if len(significant) > decimals:
        raise ConfigError(f"expected at most {decimals} decimals, found {text!r:.80}")
    units = int(whole + significant.ljust(decimals, "0"))
    if units > MAX_AMOUNT:
        raise ConfigError(f"expected less than 2^80 of the smallest unit, found {text!r:.80}")
    return units


def format_amount(units: int, decimals: int, symbol: str) -> str:
    """Write an amount for people, e.g. `1.250000 zUSD`."""
    sign, digits = ("-" if units < 0 else ""), str(abs(units)).rjust(decimals + 1, "0")
    whole, fraction = digits[: len(digits) - decimals], digits[len(digits) - decimals :]
    return f"{sign}{whole}{'.' if decimals else ''}{fraction} {symbol}".rstrip()


class PaymentToken:
    """An ERC-20 at an address.

    Attributes:
        decimals: how many its amounts have.
        symbol: its name for people.
    """

    def __init__(self, chain: Chain, address: str, *, decimals: int, symbol: str) -> None:
        """Bind it; decimals and symbol are the deployment record's, never an endpoint's word."""
        self.chain = chain
        self.contract = BoundContract(chain, load_artifact("LocalPaymentToken"), address)
        self.decimals = decimals
        self.symbol = symbol

    @property
    def address(self) -> str:
        """Where it is, checksummed."""
        return self.contract.address

    def parse(self, text: str) -> int:
        """Read an amount of this token; see `parse_amount`."""
        return parse_amount(text, self.decimals)

    def show(self, units: int) -> str:
        """Write an amount of this token; see `format_amount`."""
        return format_amount(units, self.decimals, self.symbol)

    def balance_of(self, account: str) -> int:
        """Return what an account has, in the smallest unit."""
        return int(self.contract.call("balanceOf", account))

    def allowance(self, owner: str, spender: str) -> int:
        """Return what `spender` may take from `owner`, in the smallest unit."""
        return int(self.contract.call("allowance", owner, spender))

    def require(self, account: str, units: int, purpose: str) -> None:
        """Check that an account has at least `units`.

        Raises:
            InsufficientFundsError: it has less.
        """
        found = self.balance_of(account)
        if found < units:
            raise InsufficientFundsError(
                f"expected {self.show(units)} to {purpose}, found {self.show(found)} in {account}",
                hint="fund the account with the payment token",
                account=account,
            )

    def approve(
        self, account: LocalAccount, spender: str, units: int, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Allow `spender` to take exactly `units`.

        Raises:
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact_repeatable(account, "approve", spender, units, on_signed=on_signed)

    def ensure_allowance(self, account: LocalAccount, spender: str, units: int) -> TransactionReceipt | None:
        """Allow `spender` to take `units` unless it may already; raises as `approve` does."""
        if self.allowance(account.address, spender) >= units:
            return None
        return self.approve(account, spender, units)

    def mint(self, owner: LocalAccount, account: str, units: int) -> TransactionReceipt:
        """Make tokens out of nothing: the local token alone, by its deployer.

        Raises:
            NotOwnerError: the account does not own the token.
            RevertedError: the token is another one.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(owner, "mint", account, units)
