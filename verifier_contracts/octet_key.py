"""The key that OCTET's verifier reads on a chain: a header, commitments, and a plan of what to evaluate.

What makes one is `circuits/octet/chain`; here is only what others compare. Places are those of OctetKey.sol.
"""

from dataclasses import dataclass
from typing import Self

from verifier_contracts.shared_key import SharedKey, words_of
from zkml.core.tensors import InputDomain, TensorLayout
from zkml.errors import LayoutError

MIN_WORDS = 9
MAX_WORDS = 2_047
"""Its own pointers are byte offsets of 16 bits."""
_LAYOUT_WORD = 3
_TAU_WORDS = slice(5, 9)
_LAYOUT_FIELDS = ((0, 4, False), (4, 5, False), (5, 9, False), (9, 10, False), (10, 18, True), (18, 26, True))
"""Bytes of the layout's word, and whether they are signed: `TensorLayout`'s fields, then `InputDomain`'s."""
_GENERATORS = (
    1,
    2,
    0x198E9393920D483A7260BFB731FB5D25F1AA493335A9E71297E485B7AEF312C2,
    0x1800DEEF121F1E76426A00665E5C4479674322D4F75EDADD46DEBD5CD992F6ED,
    0x090689D0585FF075EC9E99AD690C3395BC4B313370B38EF355ACDADCD122975B,
    0x12C85EA5DB8C6DEB4AAB71808DCB408FE3D1E7690C43D37B4CE6CC0166FA7DAA,
)
"""EIP-197's generators, which are constants of the verifier's code."""


@dataclass(frozen=True, slots=True)
class OctetKey(SharedKey):
    """See `SharedKey`."""

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the words, one after the other.

        Raises:
            FormatError: not a whole number of words, or their number is out of range.
        """
        return cls(words_of(data, MIN_WORDS, MAX_WORDS))

    @property
    def ceremony_constants(self) -> tuple[int, ...]:
        """G1 (x, y), G2 and -[tau]G2 (x.c1, x.c0, y.c1, y.c0 each): which ceremony the key is of."""
        return (*_GENERATORS, *(int.from_bytes(word, "big") for word in self.words[_TAU_WORDS]))

    def check_tensors(self, layout: TensorLayout, domain: InputDomain) -> None:
        """Check the layout and the domain.

        Raises:
            LayoutError: the key has others.
        """
        word = self.words[_LAYOUT_WORD]
        expected = tuple(
            int.from_bytes(word[start:end], "big", signed=signed) for start, end, signed in _LAYOUT_FIELDS
        )
        found = (*layout.as_abi(), *domain.as_abi())
        if expected != found:
            raise LayoutError(f"expected the tensors {expected} as the key has, found {found}")
