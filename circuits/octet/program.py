"""The statement a proof is about, without the weights: what every other part of OCTET agrees on.

A program says which columns there are, where each tensor lies in them, and which relations hold between
tensors. The compiler writes it; prover, verifier and generated contracts read it and nothing else. The
weights are values of the verifying-key columns and reach the statement as commitments only.

Source: octet.md 3.2 (integers), 3.4 (relations), 3.5 (layout), 3.0 items 1, 2, 5, 7, 8, 9, 10.
"""

import json
from dataclasses import asdict, dataclass
from functools import cached_property

from pydantic import TypeAdapter, ValidationError

from circuits.octet.tensors import Block, Input, Output, Table, VkTensor
from circuits.octet.terms import Linear, Relation, Source
from zkml.core.digests import keccak256
from zkml.core.records import explain
from zkml.errors import FormatError

VERSION = 2

LIMB_TABLE = 256
"""Entries of the table of bytes; it occupies rows [0, 256) of the multiplicity column M (3.7)."""

SHIFTS = (16, 24, 32)
"""The shifts S a program may have, in bits (3.0 item 17: one set for the whole page)."""

BOUND_BITS = 62
"""Each side of an integer relation stays below 2^62 in absolute value (3.2)."""

MAX_SLOTS = 5
"""Differences one maximum may have: their product times eq(tau, .) has the degree of a round, 6."""


@dataclass(frozen=True)
class Program:
    """Everything of a statement but the weights, the inputs and the outputs.

    Attributes:
        version: of the protocol.
        nu: log2 of the rows of every column, 8 <= nu (3.0 item 12).
        shift: S in bits.
        saturation: number of overflow limbs, and of underflow limbs (w of 3.2).
        slots: D columns of the maximum gadget, 0 when there is none, else 2 .. MAX_SLOTS.
        inputs: in hashing order.
        outputs: in hashing order.
        blocks: disjoint.
        vk_columns: number of columns of the verifying key.
        vk_tensors: what they hold.
        tables: functions of one byte.
        relations: in topological order (3.0 item 10); their order is that of the powers of lambda.
    """

    version: int
    nu: int
    shift: int
    saturation: int
    slots: int
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    blocks: tuple[Block, ...]
    vk_columns: int
    vk_tensors: tuple[VkTensor, ...]
    tables: tuple[Table, ...]
    relations: tuple[Relation, ...]

    @property
    def rows(self) -> int:
        """Rows of every column."""
        return 1 << self.nu

    @property
    def limb_columns(self) -> tuple[str, ...]:
        """Columns of bytes, in the order of their commitments; helpers take them four at a time (3.7)."""
        return (
            "Y",
            *(f"P{i}" for i in range(self.saturation)),
            *(f"N{i}" for i in range(self.saturation)),
            *(f"R{i}" for i in range(self.shift // 8)),
            *(f"D{i}" for i in range(self.slots)),
        )

    @property
    def first_columns(self) -> tuple[str, ...]:
        """All columns of message R1: limbs, V if there are tables, and every multiplicity (3.0 item 3)."""
        values = ("V",) if self.tables else ()
        return (*self.limb_columns, *values, "M", *(f"M:{table.name}" for table in self.tables))

    @property
    def second_columns(self) -> tuple[str, ...]:
        """All columns of message R2: helpers of the limbs, HT, then H:f and HT:f per table."""
        groups = -(-len(self.limb_columns) // 4)
        of_tables = (f"{kind}:{table.name}" for table in self.tables for kind in ("H", "HT"))
        return (*(f"H{i}" for i in range(groups)), "HT", *of_tables)

    @property
    def key_columns(self) -> tuple[str, ...]:
        """Names of the verifying key's columns."""
        return tuple(f"K{i}" for i in range(self.vk_columns))

    @property
    def columns(self) -> tuple[str, ...]:
        """Every committed column in the order of claims: R1, R2, verifying key."""
        return self.first_columns + self.second_columns + self.key_columns

    def block(self, name: str) -> Block:
        """Find a block by name.

        Raises:
            KeyError: there is none, here and below.
        """
        return self._blocks[name]

    def vk_tensor(self, name: str) -> VkTensor:
        """Find a tensor of the verifying key by name."""
        return self._vk_tensors[name]

    def input(self, name: str) -> Input:
        """Find an input by name."""
        return self._inputs[name]

    def output(self, name: str) -> Output:
        """Find an output by name."""
        return self._outputs[name]

    # A program has as many terms as tensors, and looks up a tensor or two for each: never by a walk over all.
    @cached_property
    def _blocks(self) -> dict[str, Block]:
        return {item.name: item for item in self.blocks}

    @cached_property
    def _vk_tensors(self) -> dict[str, VkTensor]:
        return {item.name: item for item in self.vk_tensors}

    @cached_property
    def _inputs(self) -> dict[str, Input]:
        return {item.name: item for item in self.inputs}

    @cached_property
    def _outputs(self) -> dict[str, Output]:
        return {item.name: item for item in self.outputs}

    def tensor(self, source: Source) -> Block | VkTensor:
        """Find what a term reads."""
        if source.kind == "vk":
            return self.vk_tensor(source.name)
        return self.block(source.name)

    def column_of(self, source: Source) -> str:
        """Name the committed column that holds a source."""
        if source.kind == "vk":
            return f"K{self.vk_tensor(source.name).column}"
        return {"block": "Y", "lut": "V"}[source.kind]

    def target_dims(self, relation: Relation) -> tuple[int, ...]:
        """True lengths of a relation's output axes."""
        public = relation.kind == "public"
        return self.output(relation.output).dims if public else self.block(relation.block).dims

    def to_json(self) -> str:
        """Write canonical JSON: sorted keys, no blanks; each term says which kind it is."""
        return self._json

    @cached_property
    def _json(self) -> str:
        data = asdict(self)
        for relation, plain in zip(self.relations, data["relations"], strict=True):
            for term, entry in zip(relation.terms, plain["terms"], strict=True):
                entry["term"] = "linear" if isinstance(term, Linear) else "contract"
        return json.dumps(data, sort_keys=True, separators=(",", ":"))

    def digest(self) -> bytes:
        """Return keccak256 of the canonical JSON, 32 bytes."""
        return keccak256(self.to_json().encode())


def program_from_json(text: str) -> Program:
    """Read a program of anybody's: every value of its exact type, and the canonical form.

    What the numbers mean is for `compile.coverage.check`, and how large they may be for `program_limits`.

    Raises:
        FormatError: not a program, or not written canonically.
    """
    try:
        program = _READER.validate_json(text, strict=True)
    except ValidationError as error:
        raise FormatError(f"expected an OCTET program, found {explain(error)}") from error
    if program.version != VERSION or program.to_json() != text:
        raise FormatError(f"expected canonical JSON of version {VERSION}, found another form or version")
    return program


_READER = TypeAdapter(Program)
