"""A verifier that knows tau: the pairing's verdict a hundred times faster, for proofs over a `LocalSrs`."""

from circuits.octet.spec.curve import multiply
from circuits.octet.spec.srs import OpeningKey


class TrapdoorKey(OpeningKey):
    """tau itself, in place of [tau]_2."""

    def __init__(self, tau):
        self._tau = tau

    def holds(self, accumulator, quotient):
        """Compare the accumulator with tau times the quotient, which is what the pairings compare."""
        return accumulator == multiply(quotient, self._tau)


def trapdoor_key(srs):
    """Return the key of a `LocalSrs`."""
    return TrapdoorKey(srs._tau)
