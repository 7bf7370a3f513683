"""The 32 bytes that name a statement: what a verifier pins, and what every transcript begins with.

Apart from the making of keys, so that an auditor who recomputes it imports no proving code.

Source: octet.md 3.10 (vk_digest); 3.0 item 15.
"""

from collections.abc import Sequence

from circuits.octet.program import Program
from circuits.octet.spec.curve import Point
from circuits.octet.spec.field import to_word
from circuits.octet.spec.pairing import G2Point, g2_words
from zkml.core.digests import keccak256
from zkml.errors import KeygenError

NO_MEANING = bytes(32)
"""The meaning of a statement whose integers stand for nothing but themselves."""


def key_digest(
    program: Program, reference: bytes, meaning: bytes, commitments: Sequence[Point], tau_g2: G2Point
) -> bytes:
    """Return the 32 bytes that name a statement.

    The program's own digest covers the version, nu, S, the layout, the tables' identities and all relations;
    `meaning` covers what its public integers stand for, so that no proof is one of other reals as well.

    Args:
        program: the statement without constants.
        reference: hash of the integer graph, 32 bytes.
        meaning: `PortTensors.digest()`, or `NO_MEANING`. 32 bytes.
        commitments: of the key's columns, in order.
        tau_g2: [tau]_2 of the ceremony.

    Raises:
        KeygenError: reference or meaning has another length, or there is not one commitment per column.
    """
    found = (len(reference), len(meaning), len(commitments))
    if found != (32, 32, program.vk_columns):
        raise KeygenError(
            f"expected 32 bytes, 32 bytes and {program.vk_columns} commitments, "
            f"found {found[0]}, {found[1]} and {found[2]}"
        )
    points = b"".join(to_word(word) for point in commitments for word in point)
    return keccak256(
        b"".join([program.digest(), reference, meaning, points, *map(to_word, g2_words(tau_g2))])
    )
