"""A program as the flat array of integers that the C++ prover and verifier decode.

Names become numbers: a tensor is its place in its list, and no text crosses the border. One int64 word each,
in this order; `[x; n]` is n times x, and -1 stands for None:

    program    = FORMAT, number of words in all, nu, shift, saturation, slots, vk_columns,
                 #inputs, #outputs, #blocks, #vk_tensors, #tables, #relations,
                 [input], [output], [block], [vk_tensor], [table], [relation]
    dims       = rank, [true length; rank]
    input      = low, high, width, dims
    output     = kind (0 int32, 1 byte, 2 argmax), dims
    block      = offset, table or -1, dims
    vk_tensor  = column, offset, dims
    table      = identity, vk_tensor
    relation   = kind (0 requant, 1 max, 2 argmax, 3 public, 4 input), block or -1, output or -1, input or -1,
                 slot, constant, #terms, [term]
    term       = 0 (linear), source, [axis], scale
               | 1 (contract), source, [axis], vk_tensor, #weight axes, [weight_axis]
    source     = kind (0 block, 1 lut, 2 vk), number, zero, #axes
    axis       = out or -1, first, count, stride, taps, dilation, base
    weight_axis = out or -1, source or -1, kernel (0 or 1)

The reader, `sources/program.h`, checks every word against the range that `program_limits` and the coverage
check give it, and every number against what it names, for a key may come from anyone. It takes whatever both
of these accept. What it leaves to them: that every row is determined, once and before it is read, that no
two tensors overlap, and how much all terms together make a verifier walk.

Source: octet.md 3.4, 3.5 (what a program says); circuits/octet/program.py.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuits.octet.program import Program
from circuits.octet.terms import Linear, Relation, Source, Term
from zkml.errors import CompileError

FORMAT = 0x4F43540002
"""First word: "OCT" and the version of this form."""

_OUTPUTS = {"int32": 0, "byte": 1, "argmax": 2}
_RELATIONS = {"requant": 0, "max": 1, "argmax": 2, "public": 3, "input": 4}
_SOURCES = {"block": 0, "lut": 1, "vk": 2}
_WORD_BOUND = 1 << 63


def encode_program(program: Program) -> NDArray[np.int64]:
    """Write a program as words.

    Args:
        program: any; whether it determines what it reads is `coverage.check`'s question.

    Returns:
        The words. Shape: (words,).

    Raises:
        CompileError: two tensors of one kind share a name, a name or kind means nothing, or a number does
            not fit a word.
    """
    try:
        words = _Encoder(program).words()
    except KeyError as error:
        raise CompileError(f"expected a name or a kind of the program, found {error.args[0]!r}") from error
    large = [word for word in words if not -_WORD_BOUND <= word < _WORD_BOUND]
    if large:
        raise CompileError(f"expected numbers of 64 bits in a program, found {large[0]:#x}")
    return np.array(words, dtype=np.int64)


def _numbers(kind: str, named: Sequence[Any]) -> dict[str, int]:
    numbers = {item.name: index for index, item in enumerate(named)}
    if len(numbers) != len(named):
        raise CompileError(f"expected one name for each of the {kind}, found one twice")
    return numbers


class _Encoder:
    """The numbers of a program's tensors, and the words of its parts."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._inputs = _numbers("inputs", program.inputs)
        self._outputs = _numbers("outputs", program.outputs)
        self._blocks = _numbers("blocks", program.blocks)
        self._constants = _numbers("constants", program.vk_tensors)
        self._tables = _numbers("tables", program.tables)

    def words(self) -> list[int]:
        program = self._program
        head = [program.nu, program.shift, program.saturation, program.slots, program.vk_columns]
        head += [len(program.inputs), len(program.outputs), len(program.blocks)]
        head += [len(program.vk_tensors), len(program.tables), len(program.relations)]
        body: list[int] = []
        for given in program.inputs:
            body += [given.low, given.high, given.width, *_dims(given.dims)]
        for output in program.outputs:
            body += [_OUTPUTS[output.kind], *_dims(output.dims)]
        for block in program.blocks:
            body += [block.offset, self._tables[block.lut] if block.lut else -1, *_dims(block.dims)]
        for tensor in program.vk_tensors:
            body += [tensor.column, tensor.offset, *_dims(tensor.dims)]
        for table in program.tables:
            body += [table.identity, self._constants[table.values]]
        for relation in program.relations:
            body += self._relation(relation)
        return [FORMAT, 2 + len(head) + len(body), *head, *body]

    def _relation(self, relation: Relation) -> list[int]:
        block = self._blocks[relation.block] if relation.block else -1
        output = self._outputs[relation.output] if relation.output else -1
        given = self._inputs[relation.input] if relation.input else -1
        words = [_RELATIONS[relation.kind], block, output, given, relation.slot, relation.constant]
        words.append(len(relation.terms))
        for term in relation.terms:
            words += self._term(term)
        return words

    def _term(self, term: Term) -> list[int]:
        words = [0 if isinstance(term, Linear) else 1, *self._source(term.source), len(term.axes)]
        for axis in term.axes:
            out = -1 if axis.out is None else axis.out
            words += [out, axis.first, axis.count, axis.stride, axis.taps, axis.dilation, axis.base]
        if isinstance(term, Linear):
            return [*words, term.scale]
        words += [self._constants[term.weight], len(term.weight_axes)]
        for tied in term.weight_axes:
            out = -1 if tied.out is None else tied.out
            source = -1 if tied.source is None else tied.source
            words += [out, source, int(tied.kernel)]
        return words

    def _source(self, source: Source) -> list[int]:
        numbers = self._constants if source.kind == "vk" else self._blocks
        return [_SOURCES[source.kind], numbers[source.name], source.zero]


def _dims(dims: Sequence[int]) -> list[int]:
    return [len(dims), *dims]
