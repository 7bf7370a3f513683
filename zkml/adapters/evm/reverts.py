"""Revert data in words: which error a contract raised, with which arguments. No I/O.

Custom errors are known by the ABIs the caller gives; Error(string), Panic(uint256) and the errors of
OpenZeppelin's tokens are known always.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from zkml.adapters.evm.abi import Abi, Entry, decode_values, entries
from zkml.errors import RevertedError, RpcError

_SHOWN_CHARACTERS = 80
_NESTED_LEVELS = 3

_PANICS = {
    0x01: "a failed assertion",
    0x11: "an arithmetic overflow",
    0x12: "a division by zero",
    0x21: "a number that is no member of an enum",
    0x31: "a pop of an empty array",
    0x32: "an index out of bounds",
    0x41: "too much memory",
    0x51: "a call of an empty function pointer",
}

_STANDARD = {
    "Error(string)": ("reason",),
    "Panic(uint256)": ("code",),
    # OpenZeppelin's tokens: the draft of ERC-6093.
    "ERC20InsufficientBalance(address,uint256,uint256)": ("sender", "balance", "needed"),
    "ERC20InsufficientAllowance(address,uint256,uint256)": ("spender", "allowance", "needed"),
    "ERC20InvalidSender(address)": ("sender",),
    "ERC20InvalidReceiver(address)": ("receiver",),
    "ERC20InvalidApprover(address)": ("approver",),
    "ERC20InvalidSpender(address)": ("spender",),
    "ERC721NonexistentToken(uint256)": ("tokenId",),
    "ERC721IncorrectOwner(address,uint256,address)": ("sender", "tokenId", "owner"),
    "ERC721InsufficientApproval(address,uint256)": ("operator", "tokenId"),
    "ERC721InvalidSender(address)": ("sender",),
    "ERC721InvalidReceiver(address)": ("receiver",),
    "ERC721InvalidOwner(address)": ("owner",),
    "OwnableUnauthorizedAccount(address)": ("account",),
    "OwnableInvalidOwner(address)": ("owner",),
    "SafeERC20FailedOperation(address)": ("token",),
    "ReentrancyGuardReentrantCall()": (),
}

_WORD_BYTES = 32

_HINTS = {
    "ERC20InsufficientBalance": "fund the account with the payment token",
    "ERC20InsufficientAllowance": "approve the contract to take the payment token first",
    "OwnableUnauthorizedAccount": "use the owner's key",
    "Panic": "this is a fault of the contract: report it",
}


@dataclass(frozen=True, slots=True)
class DecodedRevert:
    """What a contract said when it refused.

    Attributes:
        name: name of the error; empty when the data is of none that is known.
        arguments: by name; an argument that is itself revert data is decoded, too.
        data: the raw bytes.
    """

    name: str
    arguments: dict[str, Any]
    data: bytes

    def __str__(self) -> str:
        return self.describe()

    def describe(self) -> str:
        """Return the error as `Name(argument=value, ...)`, on one line."""
        if not self.data:
            return "no reason"
        if not self.name:
            return f"unknown error 0x{self.data[:36].hex()}"
        if self.name == "Error":
            return repr(self.arguments["reason"])
        if self.name == "Panic":
            return _PANICS.get(self.arguments["code"], f"panic {self.arguments['code']:#x}")
        return f"{self.name}({', '.join(f'{key}={_show(value)}' for key, value in self.arguments.items())})"

    def innermost(self) -> "DecodedRevert":
        """Return the revert at the root of nested ones."""
        for value in self.arguments.values():
            if isinstance(value, DecodedRevert):
                return value.innermost()
        return self


class RevertDecoder:
    """Finds the error behind revert data, by its selector."""

    def __init__(self, abis: Iterable[Abi] = ()) -> None:
        self._errors: dict[bytes, Entry] = {entry.selector: entry for entry in _standard_errors()}
        for abi in abis:
            self._errors.update((entry.selector, entry) for entry in entries(abi, "error"))

    def decode(self, data: bytes) -> DecodedRevert:
        """Decode revert data; what is of no known error stays as bytes."""
        return self._decode(data, _NESTED_LEVELS)

    def error(self, data: bytes, where: str) -> RevertedError:
        """Return the error to raise when `where` reverted with `data`."""
        found = self.decode(data)
        return RevertedError(
            f"expected {where} to succeed, found that it reverted with {found.describe()}",
            hint=_HINTS.get(found.name, ""),
            name=found.name,
            arguments=found.arguments,
            data="0x" + data.hex(),
            revert=found,
        )

    def _decode(self, data: bytes, levels: int) -> DecodedRevert:
        entry = self._errors.get(data[:4])
        if entry is None:
            return DecodedRevert("", {}, data)
        try:
            values = decode_values(entry.inputs, data[4:], entry.name)
        except RpcError:
            # Somebody else's error with the selector of one of ours.
            return DecodedRevert("", {}, data)
        named = entry.name_inputs(values)
        for name, kind in zip(entry.names, entry.inputs, strict=True):
            if kind == "bytes" and levels > 0 and named[name][:4] in self._errors:
                named[name] = self._decode(named[name], levels - 1)
        return DecodedRevert(entry.name, named, data)


def _standard_errors() -> Iterable[Entry]:
    for signature, names in _STANDARD.items():
        name, _, inside = signature.partition("(")
        types = tuple(inside[:-1].split(",")) if inside != ")" else ()
        yield Entry(name, signature, names, types, (), (False,) * len(types))


def _show(value: Any) -> str:
    if isinstance(value, DecodedRevert):
        return value.describe()
    if isinstance(value, bytes):
        text = _label(value) or "0x" + value.hex()
    elif isinstance(value, tuple):
        text = f"({', '.join(_show(item) for item in value)})"
    else:
        text = repr(value) if isinstance(value, str) and not value.startswith("0x") else str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."


def _label(value: bytes) -> str:
    """Return a name that a contract wrote into a word, in quotes; empty for all other bytes."""
    name = value.rstrip(b"\0")
    is_name = len(value) == _WORD_BYTES and len(name) > 1 and name.isascii() and name.decode().isprintable()
    return repr(name.decode()) if is_name else ""


STANDARD_REVERTS = RevertDecoder()
"""Knows Error(string), Panic(uint256) and OpenZeppelin's tokens."""
