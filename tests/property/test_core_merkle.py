"""Merkle trees that grow leaf by leaf, against the definition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkml.core.digests import keccak256
from zkml.core.merkle import TreeBuilder, node_of, root_from, root_of


def leaves_of(count, seed=0):
    return [keccak256(bytes([seed]) + number.to_bytes(4, "big")) for number in range(count)]


def defined_root(leaves):
    """The left subtree is the largest perfect one that leaves something to its right."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node_of(defined_root(leaves[:split]), defined_root(leaves[split:]))


@given(count=st.integers(1, 300), data=st.data())
def test_tree__any_number_of_leaves__root_and_paths_as_defined(count, data):
    """The root is that of the definition, and the path of any leaf leads to it, and of no other leaf."""
    leaves = leaves_of(count)
    index = data.draw(st.integers(0, count - 1))
    tree = TreeBuilder(index)
    for leaf in leaves:
        tree.add(leaf)
    assert tree.root() == defined_root(leaves)
    assert root_from(leaves[index], tree.path()) == tree.root()
    assert len(tree.path()) <= (count - 1).bit_length()
    assert root_from(keccak256(b"another leaf"), tree.path()) != tree.root()


@given(count=st.integers(1, 200), place=st.integers(0, 10_000), bit=st.integers(0, 255))
def test_root__one_bit_of_one_leaf_changed__another_root(count, place, bit):
    """No leaf can be changed, left out or put twice without changing the root."""
    leaves = leaves_of(count)
    root = root_of(leaves)
    place %= count
    changed = (int.from_bytes(leaves[place], "big") ^ 1 << bit).to_bytes(32, "big")
    assert root_of([*leaves[:place], changed, *leaves[place + 1 :]]) != root
    assert root_of([*leaves, leaves[-1]]) != root
    if count > 1:
        assert root_of(leaves[:place] + leaves[place + 1 :]) != root


def test_tree__while_it_grows__holds_one_branch():
    """What is held is one subtree for each bit of the number of leaves."""
    tree = TreeBuilder(5)
    for number, leaf in enumerate(leaves_of(2000), 1):
        tree.add(leaf)
        assert len(tree._trees) == number.bit_count()
        assert len(tree._path) <= number.bit_length()


def test_path__of_no_leaf__refused():
    """There is neither a root of nothing nor a path of a leaf that is not there."""
    tree = TreeBuilder(1)
    with pytest.raises(ValueError, match="found none"):
        tree.root()
    tree.add(bytes(32))
    with pytest.raises(ValueError, match="below 1, found 1"):
        tree.path()
