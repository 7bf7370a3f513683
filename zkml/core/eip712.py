"""Typed messages that people sign (EIP-712): their digests and the form that wallets read. No keys here.

Only flat messages of fixed-size fields, which is all that the contracts here ask for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from eth_abi.abi import encode
from eth_abi.exceptions import EncodingError
from eth_utils.address import to_canonical_address

from zkml.core.digests import keccak256
from zkml.core.records import to_hex
from zkml.errors import FormatError

_DOMAIN_FIELDS = (
    ("string", "name"),
    ("string", "version"),
    ("uint256", "chainId"),
    ("address", "verifyingContract"),
)
_DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"


class Eip712Domain(NamedTuple):
    """Where a signature counts: one contract, on one chain.

    Attributes:
        name: the contract's name for signers.
        version: of its messages.
        chain_id: EIP-155 id.
        contract: its address.
    """

    name: str
    version: str
    chain_id: int
    contract: str

    @property
    def separator(self) -> bytes:
        """The 32 bytes that tell this domain's messages from all others."""
        return _hash_fields(
            _DOMAIN_TYPE,
            ["bytes32", "bytes32", "uint256", "address"],
            [keccak256(self.name.encode()), keccak256(self.version.encode()), self.chain_id, self.contract],
        )


@dataclass(frozen=True, slots=True)
class TypedMessage:
    """One message to sign.

    Attributes:
        domain: where the signature counts.
        name: of the message's type.
        fields: (type, name) of each field, in order; types of a fixed size.
        values: in the same order; addresses as text, `bytes32` as bytes.
    """

    domain: Eip712Domain
    name: str
    fields: tuple[tuple[str, str], ...]
    values: tuple[Any, ...]

    @property
    def type_string(self) -> str:
        """The type as EIP-712 hashes it."""
        return f"{self.name}({','.join(f'{kind} {name}' for kind, name in self.fields)})"

    @property
    def struct_hash(self) -> bytes:
        """The hash of the message without its domain.

        Raises:
            FormatError: a value does not fit its field.
        """
        return _hash_fields(self.type_string, [kind for kind, _ in self.fields], list(self.values))

    @property
    def digest(self) -> bytes:
        """The 32 bytes that are signed; raises as `struct_hash` does."""
        return keccak256(b"\x19\x01" + self.domain.separator + self.struct_hash)

    def as_wallet_json(self) -> dict[str, Any]:
        """Return the message as `eth_signTypedData_v4` takes it; numbers as decimal text."""
        return {
            "types": {
                "EIP712Domain": [_field(kind, name) for kind, name in _DOMAIN_FIELDS],
                self.name: [_field(kind, name) for kind, name in self.fields],
            },
            "primaryType": self.name,
            "domain": {
                "name": self.domain.name,
                "version": self.domain.version,
                "chainId": self.domain.chain_id,
                "verifyingContract": self.domain.contract,
            },
            "message": {
                name: _wallet_value(value) for (_, name), value in zip(self.fields, self.values, strict=True)
            },
        }


def _field(kind: str, name: str) -> Mapping[str, str]:
    return {"name": name, "type": kind}


def _wallet_value(value: Any) -> str:
    return to_hex(value) if isinstance(value, bytes) else str(value)


def _hash_fields(type_string: str, kinds: list[str], values: list[Any]) -> bytes:
    try:
        plain = [
            to_canonical_address(value) if kind == "address" else value
            for kind, value in zip(kinds, values, strict=True)
        ]
        return keccak256(keccak256(type_string.encode()) + encode(kinds, plain))
    except (EncodingError, ValueError, TypeError) as error:
        raise FormatError(f"expected values of {type_string}, found {error!s:.200}") from error
