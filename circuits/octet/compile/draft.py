"""Relations, blocks and outputs before they are laid out: where large weights are cut to fit a column.

Source: octet.md 3.5 (layout).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from circuits.octet.compile.source_axes import STILL
from circuits.octet.compile.weight_cutting import Cut, piece_names, plan_cut
from circuits.octet.tensors import Block, Input, Output
from circuits.octet.terms import Contract, Relation, Source, Term

Key: TypeAlias = tuple[str, str]
"""What is read or made: `block` or `output`, and its name."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a program states, without places.

    Attributes:
        relations: in topological order.
        blocks: without offsets.
        outputs: in hashing order.
        inputs: in hashing order.
    """

    relations: tuple[Relation, ...]
    blocks: tuple[Block, ...]
    outputs: tuple[Output, ...]
    inputs: tuple[Input, ...]

    def cuts(self, shapes: Mapping[str, tuple[int, ...]], nu: int) -> dict[str, Cut]:
        """Plan the cuts of all weights that are cheaper in pieces.

        Args:
            shapes: true lengths of the constants by name.
            nu: log2 of a column's rows.
        """
        dims = self._dims()
        found: dict[str, Cut] = {}
        for relation in self.relations:
            for term in relation.terms:
                if not isinstance(term, Contract) or term.weight in found:
                    continue
                cut = plan_cut(term, shapes[term.weight], dims[_key(term.source)], nu)
                if cut is not None:
                    found[term.weight] = cut
        return found

    def cut(self, cuts: Mapping[str, Cut]) -> "Draft":
        """Return the draft with products over pieces in place of the products that are cut."""
        dims = self._dims()
        added = self._added(cuts)

        def longer(key: Key, axes: tuple[int, ...]) -> tuple[int, ...]:
            return axes + (1,) * added.get(key, 0)

        def cut_term(term: Term, target: tuple[int, ...]) -> tuple[Term, ...]:
            pieces: tuple[Term, ...] = (term,)
            if isinstance(term, Contract) and term.weight in cuts:
                cut = cuts[term.weight]
                pieces = cut.contracts(term, target, piece_names(term.weight, cut))
            still = (STILL,) * added.get(_key(term.source), 0)
            return tuple(replace(piece, axes=piece.axes + still) for piece in pieces)

        relations = []
        for relation in self.relations:
            target = dims[_target(relation)]
            pieces = tuple(piece for term in relation.terms for piece in cut_term(term, target))
            relations.append(replace(relation, terms=pieces))
        return Draft(
            tuple(relations),
            tuple(replace(block, dims=longer(("block", block.name), block.dims)) for block in self.blocks),
            tuple(replace(out, dims=longer(("output", out.name), out.dims)) for out in self.outputs),
            self.inputs,
        )

    def _added(self, cuts: Mapping[str, Cut]) -> dict[Key, int]:
        """Return how many axes of length 1 are added to what relations make."""
        dims = self._dims()
        added: dict[Key, int] = {}
        for relation in self.relations:
            target = _target(relation)
            for term in relation.terms:
                if isinstance(term, Contract) and term.weight in cuts:
                    spare = cuts[term.weight].spare_axes(term, dims[target])
                    extra = max(spare, default=0) + 1 - len(dims[target])
                    added[target] = max(added.get(target, 0), extra)
        for relation in self.relations:
            if relation.kind == "argmax":
                # Its block and its output have the same axes.
                output = "output", relation.output
                added[output] = added.get(_target(relation), 0)
        return added

    def _dims(self) -> dict[Key, tuple[int, ...]]:
        """Return the true lengths of everything that a relation reads or makes."""
        found = {("block", block.name): block.dims for block in self.blocks}
        return found | {("output", output.name): output.dims for output in self.outputs}


def _target(relation: Relation) -> Key:
    return ("block", relation.block) if relation.block else ("output", relation.output)


def _key(source: Source) -> Key:
    """Name a source's dimensions: a table's values lie on the rows of the block that asks."""
    return ("block" if source.kind == "lut" else source.kind, source.name)
