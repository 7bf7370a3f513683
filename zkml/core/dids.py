"""Decentralized identifiers of models: did:ethr of the ERC-6551 account that a model's token owns.

Who owns the token controls the account, and with it the DID: no key is registered anywhere. No I/O.
"""

import re

from eth_utils.address import to_canonical_address, to_checksum_address

from zkml.core.digests import keccak256
from zkml.core.identifiers import ZERO32
from zkml.errors import FormatError

_DID = re.compile(r"did:ethr:0x([1-9a-f][0-9a-f]{0,15}):(0x[0-9a-fA-F]{40})")
_CONSTRUCTOR = bytes.fromhex("3d60ad80600a3d3981f3")
_PROXY_HEAD = bytes.fromhex("363d3d373d3d3d363d73")
_PROXY_TAIL = bytes.fromhex("5af43d82803e903d91602b57fd5bf3")


def token_account(
    chain_id: int,
    *,
    accounts: str,
    implementation: str,
    token_contract: str,
    token_id: int,
) -> str:
    """Return the ERC-6551 account of a token of salt 0, checksummed, whether it has been created or not.

    Args:
        chain_id: EIP-155 id of the token's chain.
        accounts: address of the ERC-6551 registry.
        implementation: address of the account's code.
        token_contract: address of the ERC-721 contract.
        token_id: 256 bits.

    Source: ERC-6551, "Registry": CREATE2 of an ERC-1167 proxy with the token appended to its code.
    """
    salt = ZERO32
    footer = (
        salt
        + chain_id.to_bytes(32, "big")
        + to_canonical_address(token_contract).rjust(32, b"\0")
        + token_id.to_bytes(32, "big")
    )
    creation = _CONSTRUCTOR + _PROXY_HEAD + to_canonical_address(implementation) + _PROXY_TAIL + footer
    place = b"\xff" + to_canonical_address(accounts) + salt + keccak256(creation)
    return str(to_checksum_address(keccak256(place)[12:]))


def did_of(chain_id: int, account: str) -> str:
    """Return the DID of an account: did:ethr:<chain id, hexadecimal>:<account>."""
    return f"did:ethr:{chain_id:#x}:{to_checksum_address(account)}"


def parse_did(text: str) -> tuple[int, str]:
    """Return chain id and account, checksummed, of a DID of an account.

    Raises:
        FormatError: it is another kind of DID, or none.
    """
    match = _DID.fullmatch(text)
    if match is None:
        raise FormatError(
            f"expected did:ethr:<chain id, hexadecimal>:<account>, found {text!r:.80}",
            hint="a model's DID is printed by `zkml registry show`",
        )
    return int(match[1], 16), str(to_checksum_address(match[2]))
