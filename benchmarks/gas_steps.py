"""What each step of OCTET's contract costs in a real settlement, from the trace of its opcodes.

The source map of the shipped contract says which function an opcode belongs to. Which of the plan's segments
and which message it serves follows from the order: the rounds of both sums come once each. A function that
steps share (`OctetKey`) counts for the step it was called in.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import solcx

from benchmarks.figures import show_table
from verifier_contracts.artifacts import load_artifact
from verifier_contracts.compiler import standard_input
from verifier_contracts.sources import collect_sources, read_source
from verifier_contracts.toolchain.locate import find_solc

CONTRACT = "OctetSharedVerifier"
SOURCE = f"verifier_contracts/src/{CONTRACT}.sol"

CLONE, KEY, STATEMENT = "clone, arguments, ABI", "key: load, hash, compare", "input words, outputs, seed"
COMMITMENTS, FIRST_ROUNDS, CLAIMS = "R1, R2, lambda, tau", "first sum, rounds", "EV, powers of mu"
ROWS, SECOND_ROUNDS, FINALS = "row constraints, balances", "second sum, rounds", "finals, powers of kappa"
COMBINATION, OPENING = "combination of columns", "Mercury's scalars"
SUM, PAIRING = "multiples of points, their sum", "one multiple, pairing"
SEGMENTS = ("claim_0 (segment 1)", "relations at rho (segment 2)", "relations at sigma (segment 3)")
_MESSAGES = (COMMITMENTS, CLAIMS, FINALS)
"""What is absorbed before the first sum's rounds, after them, and after the second sum's."""

STEPS = (
    CLONE, KEY, STATEMENT, COMMITMENTS, SEGMENTS[0], FIRST_ROUNDS, CLAIMS, SEGMENTS[1], ROWS, SECOND_ROUNDS,
    FINALS, SEGMENTS[2], COMBINATION, OPENING, SUM, PAIRING,
)  # fmt: skip

PROTOTYPE: Mapping[str, tuple[int, tuple[str, ...]]] = {
    "seed, R1, R2, tau": (15_228, (STATEMENT, COMMITMENTS)),
    "claim_0": (3_202, (SEGMENTS[0],)),
    "first sum": (9_922, (FIRST_ROUNDS, CLAIMS)),
    "input's extension": (35_409, ()),
    "relations and tables at rho": (12_076, (SEGMENTS[1],)),
    "row constraints": (9_857, (ROWS,)),
    "second sum": (5_579, (SECOND_ROUNDS, FINALS)),
    "relations at sigma": (39_761, (SEGMENTS[2],)),
    "Mercury's scalars": (7_238, (COMBINATION, OPENING)),
    "points": (61_807 + 84_932, (SUM,)),
    "last point, pairing": (120_090, (PAIRING,)),
    "clone and key": (0, (CLONE, KEY)),
}
"""Net (a) of the prototype by octet.md 2.2, 13 columns, and which steps do the same here."""

_PLAN = ("OctetPlan", "OctetWindows", "OctetTables", "OctetBounds")
_FILES = {
    "StoredKeys": KEY,
    "OctetStatement": STATEMENT,
    "OctetInputWords": STATEMENT,
    "OctetRows": ROWS,
    "OctetOpening": OPENING,
}
_FUNCTIONS = {
    ("OctetSharedVerifier", "_loadKey"): KEY,
    ("OctetSharedVerifier", "_checkPins"): KEY,
    ("OctetProtocol", "_combine"): COMBINATION,
    ("OctetProtocol", "_addFinal"): COMBINATION,
    ("OctetProtocol", "_keyColumns"): COMBINATION,
    ("OctetPoints", "sum"): SUM,
    ("OctetPoints", "pair"): PAIRING,
    ("OctetTranscript", "firstRounds"): FIRST_ROUNDS,
    ("OctetTranscript", "secondRounds"): SECOND_ROUNDS,
}


@dataclass
class Walk:
    """Which step an opcode belongs to, told in the order of the opcodes."""

    step: str = CLONE
    sums: int = 0

    def enter(self, file: str, function: str) -> str:
        """Return the step of the next opcode.

        Args:
            file: it comes from, without ending; empty where the compiler made it up.
            function: around it.
        """
        if (file, function) in _FUNCTIONS:
            found = _FUNCTIONS[file, function]
            self.sums = max(self.sums, {FIRST_ROUNDS: 1, SECOND_ROUNDS: 2}.get(found, 0))
        elif file in _PLAN:
            found = SEGMENTS[self.sums]
        elif file == "OctetTranscript":
            found = _MESSAGES[self.sums]
        else:
            found = _FILES.get(file, self.step)
        self.step = found
        return found


class SourcePlaces:
    """The function of every opcode of the shipped contract."""

    def __init__(self) -> None:
        """Compile the contract anew, with its source map.

        Raises:
            SystemExit: what comes out is not the shipped code.
        """
        sources = collect_sources([SOURCE], read_source)
        request = standard_input(sources)
        request["settings"]["outputSelection"] = {
            "*": {"*": ["evm.deployedBytecode.object", "evm.deployedBytecode.sourceMap"]}
        }
        made = solcx.compile_standard(request, solc_binary=find_solc().path)
        compiled = made["contracts"][SOURCE][CONTRACT]["evm"]["deployedBytecode"]
        code = bytes.fromhex(compiled["object"])
        if code != load_artifact(CONTRACT).runtime_code:
            raise SystemExit(
                "expected the shipped code, found another: run python -m verifier_contracts.build"
            )
        names = {entry["id"]: path for path, entry in made["sources"].items()}
        functions = {path: list(_functions(text)) for path, text in sources.items()}
        self._places: dict[int, tuple[str, str]] = {}
        for counter, (start, file) in zip(
            _counters(code), read_source_map(compiled["sourceMap"]), strict=False
        ):
            if file in names:
                found = functions[names[file]]
                place = bisect_right(found, (start, "~")) - 1
                name = found[place][1] if place >= 0 else ""
                self._places[counter] = PurePosixPath(names[file]).stem, name

    def at(self, counter: int) -> tuple[str, str]:
        """Return file and function of the opcode at a program counter; empty where there is none."""
        return self._places.get(counter, ("", ""))


def read_source_map(packed: str) -> Iterator[tuple[int, int]]:
    """Yield offset and file of each opcode, from solc's packed form: an empty field is the one before."""
    start, file = 0, -1
    for entry in packed.split(";"):
        fields = [*entry.split(":"), "", "", ""]
        start = int(fields[0] or start)
        file = int(fields[2] or file)
        yield start, file


def _counters(code: bytes) -> Iterator[int]:
    """Yield the program counter of each opcode; a PUSH carries its bytes behind it."""
    counter = 0
    while counter < len(code):
        yield counter
        counter += 1 + max(0, code[counter] - 0x5F) * (code[counter] <= 0x7F)


def _functions(text: str) -> Iterator[tuple[int, str]]:
    """Yield where each function of a source begins, and its name."""
    for found in re.finditer(r"^ *function (\w+)", text, re.MULTILINE):
        yield found.start(), found[1]


def steps_of(logs: Sequence[Mapping[str, Any]], places: SourcePlaces) -> dict[str, int]:
    """Return the gas of each step of one verification; together they are the adapter's.

    Args:
        logs: of a settlement's `debug_traceTransaction`, each with `pc`, `op`, `gas`, `gasCost`, `depth`.
        places: of the contract.
    """
    entry = next(place for place, log in enumerate(logs) if log["op"] == "DELEGATECALL")
    clone, inside = logs[entry]["depth"], logs[entry]["depth"] + 1
    first = next(place for place in range(entry, -1, -1) if logs[place]["depth"] < clone) + 1
    last = next(place for place in range(entry, len(logs)) if logs[place]["depth"] < clone)
    found, walk = dict.fromkeys(STEPS, 0), Walk()
    for place in range(entry + 1, last):
        log, following = logs[place], logs[place + 1]
        if log["depth"] == inside:
            # A precompile has no opcodes: what follows its call stands at the same depth.
            same = following["depth"] == inside
            used = log["gas"] - following["gas"] if same else log["gasCost"]
            found[walk.enter(*places.at(log["pc"]))] += used
    whole = logs[first]["gas"] - logs[last - 1]["gas"] + logs[last - 1]["gasCost"]
    found[CLONE] += whole - sum(found.values())
    return found


def show(found: Mapping[str, int]) -> str:
    """Return the steps in their order, and the prototype's beside those that do the same."""
    steps = [["step", "gas"], *([step, f"{found[step]:,}"] for step in STEPS)]
    steps.append(["execution", f"{sum(found.values()):,}"])
    beside = [["the same beside octet.md 2.2", "gas", "prototype"]]
    for name, (before, same) in PROTOTYPE.items():
        beside.append([name, f"{sum(found[step] for step in same):,}", f"{before:,}"])
    before = sum(gas for gas, _ in PROTOTYPE.values())
    beside.append(["execution", f"{sum(found.values()):,}", f"{before:,}"])
    return f"{show_table(steps)}\n\n{show_table(beside)}"
