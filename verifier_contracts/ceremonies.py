"""The public ceremonies whose keys the class CEREMONY admits, as routers are constructed with them.

A key names its ceremony by G1, G2 and -[tau]G2; a test holds these numbers equal to the ceremony's own file.
"""

from typing import NamedTuple


class Ceremony(NamedTuple):
    """A ceremony, in the order of the Solidity struct.

    Attributes:
        name: what people call it.
        negated_tau_g2: -[tau]G2 as x.c1, x.c0, y.c1, y.c0, 32 bytes each.
    """

    name: str
    negated_tau_g2: tuple[bytes, bytes, bytes, bytes]


PUBLIC_CEREMONIES = (
    Ceremony(
        "perpetual-powers-of-tau",
        (
            bytes.fromhex("186282957db913abd99f91db59fe69922e95040603ef44c0bd7aa3adeef8f5ac"),
            bytes.fromhex("17944351223333f260ddc3b4af45191b856689eda9eab5cbcddbbe570ce860d2"),
            bytes.fromhex("06d971ff4a7467c3ec596ed6efc674572e32fd6f52b721f97e35b0b3d3546753"),
            bytes.fromhex("06ecdb9f9567f59ed2eee36e1e1d58797fd13cc97fafc2910f5e8a12f202fa9a"),
        ),
    ),
)
