"""A chain key is named by its hash, which routers pin: the maker of keys must not drift without anybody noticing.

Another plan for the same program, however good, is another key. Nodes would no longer know the circuits that are
on chains, and `zkml audit circuit` would call honest ones rejected. So whoever changes what is compared here raises
`circuits.octet.version.VERSION`: bundles of the version before are then refused by name, not accused.
"""

import octet_programs as programs
import pytest
from test_octet_chain_key import key_of

from circuits.octet.version import VERSION
from zkml.core.digests import keccak256

KEYS = {
    "one_gemm": "f690148a4b4177c12a348d2ed9f1b8a8b06a77e618d81851965bc3d55e4abdef",
    "two_layers": "636b4492d82926c9497cdc1a0cc63b00c92db4b65b58f0bb4d8dbd5c1e8e9319",
    "convolutions": "644cd1b7745518e3b36828c25d61faa4ea35d04785f8c7aa74aa152d26fcf2df",
    "pools_and_views": "8a7c14ea617ee00683b56fdf8809b29726de5b684663648a66858168a0bce101",
    "tables": "c01bade98b6158a2d75723b8ee4395c889ed504b38a1f014d5043b7f5f51600d",
    "maxima": "78be1fc3868d38c642c348bfb3b94877f6e50207f823910010ac4b9293787e07",
}


def test_chain_key__golden_digests__are_of_this_version():
    """The digests below were written for this version of the proof system."""
    assert VERSION == "2.0.0"


@pytest.mark.parametrize("make", programs.CASES, ids=lambda make: make.__name__)
def test_chain_key__of_a_program_written_by_hand__is_the_same_for_ever(make):
    """Header, descriptors, constants and plan, to the last byte."""
    assert keccak256(b"".join(key_of(make().program))).hex() == KEYS[make.__name__]
