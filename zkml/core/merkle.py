"""Merkle trees of sorted pairs over leaves that come one after another, in memory for one branch. No I/O.

A node is keccak256 of its two children, the smaller first: proofs are those of OpenZeppelin's `MerkleProof`.
Leaves stand in their order, and every left subtree is the largest perfect one that leaves something to its
right. The order of a pair is lost in its hash: a leaf must say itself which place it has, and must not be a
hash of 64 bytes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from zkml.core.digests import keccak256


def node_of(left: bytes, right: bytes) -> bytes:
    """Return the node above two others."""
    return keccak256(left + right if left < right else right + left)


def root_from(leaf: bytes, path: Sequence[bytes]) -> bytes:
    """Return the root that a leaf and its path lead to."""
    node = leaf
    for sibling in path:
        node = node_of(node, sibling)
    return node


@dataclass(slots=True)
class TreeBuilder:
    """A tree that grows leaf by leaf, and the path of one leaf where one is asked for.

    Attributes:
        proved: the leaf, from 0, whose path is kept; None: of none.
        count: how many leaves there are.
    """

    proved: int | None = None
    count: int = 0
    # Perfect subtrees, the largest first: height, root, and whether the proved leaf is in it.
    _trees: list[tuple[int, bytes, bool]] = field(default_factory=list)
    _path: list[bytes] = field(default_factory=list)

    def add(self, leaf: bytes) -> None:
        """Add the next leaf: 32 bytes."""
        tree = (0, leaf, self.count == self.proved)
        self.count += 1
        while self._trees and self._trees[-1][0] == tree[0]:
            tree = self._joined(self._trees.pop(), tree, self._path)
        self._trees.append(tree)

    def root(self) -> bytes:
        """Return the root of what there is.

        Raises:
            ValueError: there is no leaf.
        """
        return self._folded([])

    def path(self) -> tuple[bytes, ...]:
        """Return the path of the proved leaf, from the leaf to the root.

        Raises:
            ValueError: there is no such leaf.
        """
        if self.proved is None or not 0 <= self.proved < self.count:
            raise ValueError(f"expected a leaf below {self.count}, found {self.proved}")
        path = list(self._path)
        self._folded(path)
        return tuple(path)

    def _folded(self, path: list[bytes]) -> bytes:
        if not self._trees:
            raise ValueError("expected at least one leaf, found none")
        *others, tree = self._trees
        for left in reversed(others):
            tree = self._joined(left, tree, path)
        return tree[1]

    @staticmethod
    def _joined(
        left: tuple[int, bytes, bool], right: tuple[int, bytes, bool], path: list[bytes]
    ) -> tuple[int, bytes, bool]:
        if left[2]:
            path.append(right[1])
        if right[2]:
            path.append(left[1])
        return left[0] + 1, node_of(left[1], right[1]), left[2] or right[2]


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Return the root of a tree.

    Raises:
        ValueError: there is no leaf.
    """
    tree = TreeBuilder()
    for leaf in leaves:
        tree.add(leaf)
    return tree.root()
