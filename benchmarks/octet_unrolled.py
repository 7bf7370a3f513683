"""What a verifier generated for one model would save: its plan as straight-line code beside the machine.

Both run the same plan on the same memory in revm. The generated code has every loop unrolled and every slot,
bound and bit in the instruction itself; it reads the key's constants from the same memory. What the shared
contract pays beyond the machine - the key's load and digest, the clone's delegatecall - is measured too and
counted for the generated one. Everything else (transcript, points, pairing) is the same code in both.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.octet_cases import NET_A_DOMAIN, Case, cases, net_a
from circuits.octet.chain.chain_key import HEADER_WORDS
from circuits.octet.chain.instructions import Instruction, Section, Slot
from circuits.octet.chain.plan import Plan, make_plan
from circuits.octet.compile.front import compile_network
from circuits.octet.program import Program
from circuits.octet.spec.field import WORD_BYTES
from verifier_contracts.compiler import compile_sources
from verifier_contracts.local_evm import LocalEvm
from verifier_contracts.sources import collect_sources, read_source
from zkml.core.field import R

_MACHINE = "0x00000000000000000000000000000000000c0de1"
_UNROLLED = "0x00000000000000000000000000000000000c0de2"
_CREATION_GAS_A_BYTE = 200
_KEY_GAS = 2_600 + 2_600
"""Two cold addresses: the clone's implementation and the key's contract."""

_NESTED = 4
"""Factors of one expression: the stack has sixteen places."""

_DESCRIPTOR_WORDS = 4
_KEY_WORD_GAS = 3 + 6 + 3
"""EXTCODECOPY, KECCAK256 and memory, a word."""

_HARNESS = """// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

%(imports)s
contract %(name)s {
    fallback() external {
        uint256 base;
        uint256 length = msg.data.length - 32;
        uint256 entry = uint256(bytes32(msg.data[:32]));
        assembly ("memory-safe") {
            base := mload(0x40)
            calldatacopy(base, 0x20, length)
            mstore(0x40, add(base, length))
        }
        uint256 used = gasleft();
        uint256 value = %(call)s;
        used -= gasleft();
        assembly ("memory-safe") {
            mstore(0x00, value)
            mstore(0x20, used)
            return(0x00, 0x40)
        }
    }
%(functions)s}
"""


class _Writer:
    """Straight-line Yul of one segment; `base` is the address of slot 0, `r` the order of the field."""

    def __init__(self, place: Callable[[Slot], int]) -> None:
        self.place = place
        self.lines: list[str] = []

    def write(self, instructions: Sequence[Instruction]) -> str:
        """Return the statements of a segment."""
        for instruction in instructions:
            if instruction.op is None:
                self._product([self.at(slot) for slot in instruction.operands if isinstance(slot, Slot)])
            else:
                getattr(self, f"_{instruction.op.name.lower()}")(*instruction.operands)
        return "\n".join(self.lines)

    def at(self, slot: Slot, words: int = 0) -> str:
        """Return the expression that reads a word."""
        return f"mload(add(base, {32 * (self.place(slot) + words)}))"

    def _put_at(self, slot: Slot, value: str, words: int = 0) -> None:
        self.lines.append(f"mstore(add(base, {32 * (self.place(slot) + words)}), {value})")

    def _product(self, factors: Sequence[str]) -> None:
        self.lines.append(f"{{ let product := {factors[0]}")
        for start in range(1, len(factors), _NESTED):
            product = "product"
            for factor in factors[start : start + _NESTED]:
                product = f"mulmod({product}, {factor}, r)"
            self.lines.append(f"product := {product}")
        self.lines.append("value := addmod(value, product, r) }")

    def _put(self, d: Slot) -> None:
        self._put_at(d, "value")
        self.lines.append("value := 0")

    def _end(self) -> None:
        """The function returns `value`."""

    def _bits(self, d: Slot, a: Slot, n: int, c: int) -> None:
        factors = [self.at(a, j) if c >> j & 1 else f"sub(add(r, 1), {self.at(a, j)})" for j in range(n)]
        product = f"mod({factors[0]}, r)"
        for factor in factors[1:]:
            product = f"mulmod({product}, {factor}, r)"
        self._put_at(d, product)

    def _eq(self, d: Slot, a: Slot, b: Slot, n: int) -> None:
        self._prefix(d, a, b, n, every=False)

    def _prefix(self, d: Slot, a: Slot, b: Slot, n: int, *, every: bool = True) -> None:
        self.lines.append("{ let product := 1 let twice := add(shl(1, r), 1)")
        if every:
            self._put_at(d, "1")
        for j in range(n):
            self.lines.append(f"{{ let x := {self.at(a, j)} let y := {self.at(b, j)}")
            equal = "add(mulmod(add(x, x), y, r), sub(twice, add(x, y)))"
            self.lines.append(f"product := mulmod(product, {equal}, r) }}")
            if every:
                self._put_at(d, "product", j + 1)
        if not every:
            self._put_at(d, "product")
        self.lines.append("}")

    def _below(self, d: Slot, a: Slot, n: int, c: int) -> None:
        self.lines.append("{ let equal := 1 let below := 0")
        while c and n:
            n -= 1
            self.lines.append(f"{{ let one := mulmod(equal, {self.at(a, n)}, r)")
            if c >> n & 1:
                self.lines.append("below := addmod(below, addmod(equal, sub(r, one), r), r) equal := one }")
            else:
                self.lines.append("equal := addmod(equal, sub(r, one), r) }")
            c &= (1 << n) - 1
        self._put_at(d, "below")
        self.lines.append("}")

    def _eq_below(self, d: Slot, a: Slot, b: Slot, n: int, c: int) -> None:
        self.lines.append("{ let result := 1 let every := 1 let twice := add(shl(1, r), 1)")
        for j in range(n):
            self.lines.append(f"{{ let x := {self.at(a, j)} let y := {self.at(b, j)}")
            self.lines.append("let one := mulmod(x, y, r) let zero := add(one, sub(twice, add(x, y)))")
            if c - 1 >> j & 1:
                self.lines.append("result := addmod(mulmod(result, one, r), mulmod(every, zero, r), r)")
            else:
                self.lines.append("result := mulmod(result, zero, r)")
            more = "every := mulmod(every, add(one, zero), r) }" if c - 1 >> j + 1 else "}"
            self.lines.append(more)
        self._put_at(d, "result")
        self.lines.append("}")

    def _table(self, d: Slot, a: Slot, n: int) -> None:
        self._put_at(d, "1")
        for j in range(n):
            self.lines.append(f"{{ let x := {self.at(a, j)}")
            for i in range(1 << j):
                weight = "1" if not j else self.at(d, i)
                self.lines.append(f"{{ let w := {weight} let one := mulmod(w, x, r)")
                self._put_at(d, "one", (1 << j) + i)
                self._put_at(d, "addmod(w, sub(r, one), r)", i)
                self.lines.append("}")
            self.lines.append("}")

    def _inner(self, d: Slot, *operands: Any) -> None:
        a, p, b, q, e = operands
        self.lines.append("{ let total := 0")
        for i in range(p):
            self.lines.append("{ let part := 0")
            for start in range(0, q, 4):
                terms = [
                    f"mulmod({self.at(b, j)}, {self.at(e, i * q + j)}, r)"
                    for j in range(start, min(start + 4, q))
                ]
                total = terms[0]
                for term in terms[1:]:
                    total = f"add({term}, {total})"
                self.lines.append(f"part := {total if not start else f'addmod(part, {total}, r)'}")
            self.lines.append(f"total := addmod(total, mulmod(part, {self.at(a, i)}, r), r) }}")
        self._put_at(d, "total")
        self.lines.append("}")

    def _outer(self, d: Slot, a: Slot, p: int, b: Slot, q: int) -> None:
        for i in range(p):
            for j in range(q):
                self._put_at(d, f"mulmod({self.at(a, i)}, {self.at(b, j)}, r)", i * q + j)

    def _lanes(self, d: Slot, a: Slot, n: int, s: int) -> None:
        self.lines.append("{ let product := 1")
        for j in range(n):
            weight = f"addmod(mulmod(sub(add(r, 1), x), {1 << (s << j)}, r), x, r)"
            self.lines.append(f"{{ let x := {self.at(a, j)} product := mulmod(product, {weight}, r) }}")
        self._put_at(d, "product")
        self.lines.append("}")

    def _window(self, d: Slot, *operands: Any) -> None:
        self.lines += _Walk(self, d, operands).lines()


class _Walk:
    """WINDOW with no loop, no test of a bit and no carry that nobody asks for.

    Variables: `s`, `u`, `w`, `l` are the sums of carries 0, 1, 2 and -1 over the bits above, those that end
    in 0 of indices beyond the bound's part; `x`, `y`, `o`, `z` weigh the bits 10, 01, 11, 00 of both indices.
    """

    _SUMS: Mapping[int, tuple[str, str, str, str]] = {
        0: ("z", "s", "o", "s"), 1: ("y", "s", "x", "u"), 2: ("z", "u", "o", "u"),
        -1: ("y", "l", "x", "s"), -2: ("z", "l", "o", "l"), 3: ("y", "u", "x", "w"), 4: ("z", "w", "o", "w"),
    }  # fmt: skip

    def __init__(self, writer: _Writer, d: Slot, operands: Sequence[Any]) -> None:
        """Take the operands of the instruction."""
        self._writer, self._d = writer, d
        self._a, self._m, self._b, self._n, self._c, _, self._e, self._f, self._k, self._w, _ = operands
        self._indices = [self._f + self._w * tap for tap in range(self._k)]
        self._carries = sorted({index >> self._e for index in self._indices})
        # The sum of carry 0 last: those of the others read its old one, and that of carry 2 reads carry 1's.
        far, down = self._carries[-1] > 2, self._carries[0] < 0
        self._names = ({2: "w"} if far else {}) | {1: "u"} | ({-1: "l"} if down else {}) | {0: "s"}
        self._bounded = self._c < 1 << self._m

    def lines(self) -> Iterator[str]:
        """Return the statements."""
        zeros = "".join(f" let {name}0 := 0" for name in self._names.values() if self._bounded)
        yield "{ " + " ".join(f"let {n} := {int(n == 's')}" for n in self._names.values()) + zeros
        for level in reversed(range(self._m, self._n - self._e)):
            source = self._writer.at(self._b, self._e + level)
            yield f"{{ let y := {source} u := mulmod(s, y, r) s := addmod(s, sub(r, u), r) }}"
        for level in reversed(range(self._m)):
            source = self._writer.at(self._b, self._e + level)
            yield f"{{ let x := {self._writer.at(self._a, level)} let y := {source}"
            yield "let o := mulmod(x, y, r) x := sub(add(x, r), o) y := sub(add(y, r), o)"
            yield "let z := sub(add(shl(2, r), 1), add(add(x, y), o))"
            above = bool((self._c - 1) >> level & 1)
            yield from self._bound_bit(level, above=above) if level else self._last_bit(above=above)
            yield "}"
        yield "}"

    def _bound_bit(self, level: int, *, above: bool) -> Iterator[str]:
        for carry, name in self._names.items():
            if name == "w" and level > 1:
                continue
            p, stays, q, moves = self._SUMS[carry]
            if not self._bounded:
                yield f"{name} := addmod(mulmod({p}, {stays}, r), mulmod({q}, {moves}, r), r)"
            elif above:
                yield f"{{ let t := mulmod({p}, {stays}, r)"
                yield f"{name}0 := addmod(t, mulmod({q}, {moves}0, r), r)"
                yield f"{name} := addmod(t, mulmod({q}, {moves}, r), r) }}"
            else:
                yield f"{{ let t := mulmod({q}, {moves}0, r)"
                yield f"{name} := addmod(mulmod({p}, {stays}, r), t, r)"
                yield f"{name}0 := addmod(mulmod({p}, {stays}0, r), t, r) }}"

    def _last_bit(self, *, above: bool) -> Iterator[str]:
        beyond = "0" if self._bounded and not above else ""
        for carry in self._carries:
            p, stays, q, moves = self._SUMS[carry]
            yield f"{{ let v := addmod(mulmod({p}, {stays}, r), mulmod({q}, {moves}{beyond}, r), r)"
            for tap, index in enumerate(self._indices):
                if index >> self._e == carry:
                    value = self._weighted("v", index)
                    yield f"mstore(add(base, {32 * (self._writer.place(self._d) + tap)}), {value})"
            yield "}"

    def _weighted(self, value: str, index: int) -> str:
        for low in range(self._e):
            coordinate = self._writer.at(self._b, low)
            weight = coordinate if index >> low & 1 else f"sub(add(r, 1), {coordinate})"
            value = f"mulmod({value}, {weight}, r)"
        return value


def unrolled_source(plan: Plan, place: Callable[[Slot], int]) -> str:
    """Return a contract whose three functions are the segments of a plan, without a loop."""
    functions = []
    for number, segment in enumerate(plan.segments):
        functions.append(
            f"function _segment{number}(uint256 base) private pure returns (uint256 value) {{\n"
            f'uint256 r = {R};\nassembly ("memory-safe") {{\n'
            f"{_Writer(place).write(segment)}\n}} }}\n"
        )
    call = "entry == 0 ? _segment0(base) : entry == 1 ? _segment1(base) : _segment2(base)"
    parts = {"imports": "", "name": "Unrolled", "call": call, "functions": "\n".join(functions)}
    return _HARNESS % parts


def compare(plan: Plan) -> tuple[list[tuple[int, int]], int]:
    """Run a plan both ways on the same memory.

    Returns:
        Gas of every segment in the shared machine and unrolled, and the bytes of unrolled code.

    Raises:
        ValueError: the two differ in a value.
    """
    starts = {
        Section.CONSTANT: 0,
        Section.FRAME: len(plan.constants),
        Section.TEMPORARY: len(plan.constants) + plan.frame.size,
    }
    place: Callable[[Slot], int] = lambda slot: starts[slot.section] + slot.index  # noqa: E731
    machine = _HARNESS % {
        "imports": 'import {OctetPlan} from "verifier_contracts/src/OctetPlan.sol";\n',
        "name": "Machine",
        "call": "OctetPlan.run(base, base + entry)",
        "functions": "",
    }
    sources = collect_sources(["verifier_contracts/src/OctetPlan.sol"], read_source)
    sources |= {"Machine.sol": machine, "Unrolled.sol": unrolled_source(plan, place)}
    codes = {item.name: item.runtime_code for item in compile_sources(sources)}
    evm = LocalEvm()
    evm.place(_MACHINE, codes["Machine"])
    evm.place(_UNROLLED, codes["Unrolled"])
    words = [*plan.constants, *(pow(3, index, R) for index in range(1, plan.frame_size + 1))]
    memory = b"".join(word.to_bytes(32, "big") for word in words)
    code = plan.encode(0, len(plan.constants))
    gas = []
    for number in range(len(code)):
        entry = len(memory) + sum(map(len, code[:number]))
        shared = evm.call(_MACHINE, entry.to_bytes(32, "big") + memory + b"".join(code)).data
        alone = evm.call(_UNROLLED, number.to_bytes(32, "big") + memory + b"".join(code)).data
        if shared[:32] != alone[:32]:
            raise ValueError(f"expected one value of segment {number}, found two")
        gas.append((int.from_bytes(shared[32:], "big"), int.from_bytes(alone[32:], "big")))
    return gas, len(codes["Unrolled"])


def networks(folder: Path, examples: Path | None) -> list[tuple[Case, tuple[float, float] | None]]:
    """Return the networks, each with the domain of its input where the samples do not say it."""
    return [(net_a(folder), NET_A_DOMAIN), *((case, None) for case in cases(folder, examples))]


def main(arguments: Sequence[str] = ()) -> None:
    """Print gas of both by model."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks octet_unrolled")
    parser.add_argument("--examples", type=Path, help="folder of EZKL's example networks")
    options = parser.parse_args(arguments)
    print("| model | plan, shared | plan, unrolled | key: load, digest, clone | saved | code, bytes |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for case, domain in networks(Path(folder), options.examples):
            program = compile_network(case.model.read_bytes(), case.samples, domain=domain).lowered.program
            print(_row(case.name, program), flush=True)


def _row(name: str, program: Program) -> str:
    plan = make_plan(program)
    gas, size = compare(plan)
    shared, alone = (sum(column) for column in zip(*gas, strict=True))
    key_words = HEADER_WORDS + _DESCRIPTOR_WORDS + 2 * program.vk_columns + len(plan.constants)
    key_words += sum(map(len, plan.encode(0, 0))) // WORD_BYTES + 1
    key = _KEY_GAS + _KEY_WORD_GAS * key_words
    deployed = f"{size:,} (about {size * _CREATION_GAS_A_BYTE:,} gas to deploy)"
    return f"| {name} | {shared:,} | {alone:,} | {key:,} | {shared - alone + key:,} | {deployed} |"


if __name__ == "__main__":
    main()
