"""An adapter to a shared verifier as a chain has it: a clone's bytes, and what they pin.

A clone is EIP-1167's 45 bytes and, behind them, its immutable arguments: `SharedKeyPins` of the contracts,
packed. Anybody may make one with any arguments, so everything read here is compared with something else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from eth_utils.address import to_checksum_address

from verifier_contracts.shared_key import CHUNK_WORDS, MAX_STORED_WORDS, WORD_BYTES
from zkml.core.digests import keccak256
from zkml.core.tensors import TensorLayout
from zkml.errors import LayoutError, VerifierMismatchError

_HEAD = bytes.fromhex("363d3d373d3d3d363d73")
_TAIL = bytes.fromhex("5af43d82803e903d91602b57fd5bf3")
_CLONE_BYTES = len(_HEAD) + 20 + len(_TAIL)
_ARGUMENT_BYTES = 136


@dataclass(frozen=True, slots=True)
class SharedAdapter:
    """What a clone says of itself.

    Attributes:
        implementation: where its code is, checksummed.
        key_digest: 32 bytes.
        weight_commitment: 32 bytes.
        layout: the circuit's public tensors.
        key_words: how many words the key has.
        key_addresses: where they are stored, in order.
    """

    implementation: str
    key_digest: bytes
    weight_commitment: bytes
    layout: TensorLayout
    key_words: int
    key_addresses: tuple[str, ...]

    @classmethod
    def parse(cls, code: bytes) -> Self | None:
        """Read a clone's code; None where it is other code.

        Args:
            code: runtime code of an adapter.
        """
        head, implementation, tail = code[:10], code[10:30], code[30:_CLONE_BYTES]
        if (head, tail, len(code)) != (_HEAD, _TAIL, _CLONE_BYTES + _ARGUMENT_BYTES):
            return None
        arguments = code[_CLONE_BYTES:]
        numbers = [int.from_bytes(arguments[a:b], "big") for a, b in ((64, 68), (68, 69), (69, 73), (73, 74))]
        words = int.from_bytes(arguments[74:76], "big")
        chunks = -(-words // CHUNK_WORDS)
        try:
            layout = TensorLayout(*numbers)
        except LayoutError:
            return None
        if not 1 <= words <= MAX_STORED_WORDS:
            return None
        return cls(
            implementation=str(to_checksum_address(implementation)),
            key_digest=arguments[:32],
            weight_commitment=arguments[32:64],
            layout=layout,
            key_words=words,
            key_addresses=tuple(
                str(to_checksum_address(arguments[76 + 20 * index : 96 + 20 * index]))
                for index in range(chunks)
            ),
        )

    def read_key(self, code_of: Callable[[str], bytes]) -> tuple[tuple[bytes, ...], dict[str, bytes]]:
        """Read the stored key.

        Args:
            code_of: fetches code from the chain.

        Returns:
            The key's words, and the code that holds them, by address.

        Raises:
            VerifierMismatchError: what is stored is not the key that the clone pins.
        """
        stored = {address: code_of(address) for address in self.key_addresses}
        key = b"".join(code[1:] for code in stored.values())
        if len(key) != self.key_words * WORD_BYTES or keccak256(key) != self.key_digest:
            raise VerifierMismatchError(
                f"expected the key 0x{self.key_digest.hex()}, found another in the code at "
                f"{', '.join(self.key_addresses)}",
                hint="the adapter refuses everything, or the endpoint lies",
            )
        words = tuple(key[at : at + WORD_BYTES] for at in range(0, len(key), WORD_BYTES))
        return words, stored
