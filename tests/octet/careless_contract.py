"""The verifier contract with one check left out of it, by the names that the specification's checks have.

One build serves all checks. Statements that a comment marks as a check, and some expressions that are one, are made
to depend on the last word of calldata, which the contract as it is shipped never reads. Rules on rows, relations and
what a plan evaluates are left out of the key's plan instead: the contract is whole there.
"""

import re
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest
from built_once import built_once

from circuits.octet.chain import chain_key, plan
from circuits.octet.chain.builder import ONE, ZERO
from circuits.octet.chain.instructions import Instruction, Op
from circuits.octet.spec import logup, proof_words
from circuits.octet.spec.relations import left_side
from circuits.octet.spec.sumchecks import FIRST_DEGREE, SECOND_DEGREE
from verifier_contracts.compiler import compile_sources
from verifier_contracts.sources import collect_sources, read_source

CONTRACT = "OctetSharedVerifier"
_FOLDER = "verifier_contracts/src/"

CALLERS = {
    "context_length": "the interface's type has 32 bytes",
    "output_range": "an int32 on the wire; of its kinds the contract has a check of its own, see test_octet_contract",
    "canonical_points": "the precompiles' rule: what is left out in the contract is that they must succeed",
}
"""Checks that have no statement in the contract, in the form in which a forgery is made for them."""

_MESSAGES = {
    "first columns": (0, 0),
    "second columns": (1, 0),
    "claims": (3, 0),
    "finals": (5, 0),
    "mercury h": (6, 0),
    "mercury q g": (6, 2),
    "mercury s d": (6, 6),
    "mercury values": (6, 10),
    "mercury w": (6, 16),
    "mercury w_y pi": (6, 18),
}
"""Where a message begins: a part of the proof, and a word of it. Rounds are counted."""
_ROUNDS = {"first sum": (2, FIRST_DEGREE), "second sum": (4, SECOND_DEGREE)}

EXPRESSIONS = ("seed_outputs", "own_beta", "open_h_at_alpha", "reversed_degree")
"""Checks that are part of an expression: text of the source is replaced."""

MARKED = (
    "canonical_scalars",
    "exact_length",
    "first_sum",
    "opening",
    "output_range",
    "points_of_sum",
    "second_sum",
    "seed_digest",
    "seed_context",
    "seed_inputs",
    "usable_challenges",
    "key_digest",
    "key_version",
    "no_weights",
    "tensors_of_key",
    "input_length",
    "output_length",
)
"""Checks that are a statement of their own, in the source's comments; `canonical_scalars` is several."""

ROUTERS = "input_range"
"""The check that a router makes before it asks the contract."""

IN_PLAN = ("input_words", "argmax_ties", "argmax_left_side", "table_selector")
"""Checks that a plan makes, besides the rules on rows."""

_NUMBERS = {check: number for number, check in enumerate((*EXPRESSIONS, *MARKED), 1)}
_SWITCH = "calldataload(sub(calldatasize(), 0x20))"
_FUNCTION = f"""
function leftOut() pure returns (uint256 check) {{
    assembly ("memory-safe") {{
        check := {_SWITCH}
    }}
}}
"""
_MARK = re.compile(r"^( *)(\S.*) // check: (\w+)$", re.MULTILINE)


def switch(program, check, start):
    """Return the last word of calldata by which the careless build leaves a check out.

    Args:
        program: of the key.
        check: its name.
        start: where in calldata the proof begins.
    """
    if check.startswith("absorb:"):
        return start + 32 * _message(program, check.removeprefix("absorb:"))
    if check in (*IN_PLAN, ROUTERS) or check in _rules(program):
        return 0
    return _NUMBERS[check]


def _message(program, label):
    name, _, number = label.removesuffix("]").partition("[")
    part, word = _MESSAGES.get(name, (0, 0))
    if number:
        part, degree = _ROUNDS[name]
        word = degree * int(number)
    return sum(proof_words.part_lengths(program)[:part]) + word


def _rules(program):
    """Name the rules on rows in the order of their powers of lambda."""
    return [rule.name for rule in (*logup.row_constraints(program), *logup.balances(program))]


@contextmanager
def careless_plan(program, check):
    """Make plans that lack one check: a rule or relation whose power of lambda is zero says nothing."""
    with pytest.MonkeyPatch.context() as patch:
        if check in _rules(program):
            place = _rules(program).index(check)
            _clear(patch, lambda frame: [frame.lambda_ + place])
        elif check == "input_words":
            relations = enumerate(program.relations)
            held = [number for number, relation in relations if relation.kind == "input"]
            _clear(patch, lambda frame: [frame.relations + number for number in held])
        elif check == "argmax_ties":
            patch.setattr(plan, "earlier_indices", lambda *_: ZERO)
        elif check == "argmax_left_side":
            patch.setattr(plan, "left_side", _one_left_side)
        elif check == "table_selector":
            patch.setattr(plan._Writer, "_queries", _selected_everywhere)
        yield


def _clear(patch, slots):
    """Let the first segment begin with zeros in these slots."""
    make = chain_key.make_plan

    def cleared(program):
        made = make(program)
        zeros = tuple(Instruction(Op.PUT, (slot,)) for slot in slots(made.frame))
        first, *others = made.segments
        return replace(made, segments=((*zeros, *first), *others))

    patch.setattr(chain_key, "make_plan", cleared)


def _one_left_side(program, relation):
    kind = "requant" if relation.kind == "argmax" else relation.kind
    return left_side(program, replace(relation, kind=kind))


_REAL_QUERIES = plan._Writer._queries


def _selected_everywhere(writer):
    _REAL_QUERIES(writer)
    for number in range(len(writer.program.tables)):
        writer.builder.store([ONE], writer.frame.queries + (2 * number + 1))


@cache
def careless_code():
    """Return the runtime code of the build in which every check can be left out, which is made once in a test run."""

    def build(_):
        contracts = compile_sources(careless_sources())
        return next(item.runtime_code for item in contracts if item.name == CONTRACT)

    return built_once("octet-careless-contract", build)[1]


def careless_sources():
    """Return the contract's sources with their checks under the switch.

    Raises:
        ValueError: a check has no statement, or an expression is not where it was.
    """
    sources = collect_sources([f"{_FOLDER}{CONTRACT}.sol"], read_source)
    found = set()
    for path, text in sources.items():
        switched = _MARK.sub(lambda match: _under_switch(match, found), text)
        if switched != text:
            sources[path] = switched + _FUNCTION
    if found != set(MARKED):
        raise ValueError(f"expected statements for {MARKED}, found them for {sorted(found)}")
    for name, times, old, new in _replacements():
        path = f"{_FOLDER}{name}.sol"
        if sources[path].count(old) != times:
            raise ValueError(f"expected {old!r} {times} times in {name}, found {sources[path].count(old)}")
        sources[path] = sources[path].replace(old, new)
        if _FUNCTION not in sources[path]:
            sources[path] += _FUNCTION
    times = 0
    for name in ("OctetTranscript", "OctetOpening"):
        path = f"{_FOLDER}{name}.sol"
        sources[path], found_here = _forgetful(sources[path])
        times += found_here
    if times != ABSORBED:
        raise ValueError(f"expected {ABSORBED} places that absorb a message, found {times}")
    return sources


def _under_switch(match, found):
    indent, statement, check = match.groups()
    if check not in _NUMBERS:
        raise ValueError(f"expected a check that a test leaves out, found {check}")
    found.add(check)
    number = _NUMBERS[check]
    condition = f"(leftOut() != {number})" if statement.endswith(";") else f"iszero(eq({_SWITCH}, {number}))"
    return f"{indent}if {condition} {{ {statement} }}"


def _replacements():
    """Return file, number of times, text and what takes its place, for every check in an expression."""
    outputs, beta, alone, degree = (_NUMBERS[name] for name in EXPRESSIONS)
    seed = "state := keccak256(start, length)"
    squeezed = "state = OctetTranscript.squeeze(state, challenge + 32, 1);"
    usable = "if (!usable) revert UnusableChallenges();"
    beyond = "add(y, sub(r, mload(drawn)))"
    reversed_ = "factor := mulmod(factor, calldataload(add(values, 0x20)), r)"
    return [
        ("OctetStatement", 1, seed, f"{seed} {_seed_without_outputs(outputs)}"),
        (
            "OctetProtocol",
            1,
            squeezed,
            f"{squeezed} if (leftOut() == {beta}) _store(challenge + 32, _load(challenge));",
        ),
        ("OctetOpening", 1, usable, f"if (leftOut() == {alone}) {{ {_TWO_POINTS} }} {usable}"),
        ("OctetOpening", 2, beyond, f"{_choice(alone, '1', beyond)}"),
        ("OctetOpening", 1, reversed_, f"{reversed_} if eq({_SWITCH}, {degree}) {{ factor := 0 }}"),
    ]


def _seed_without_outputs(number):
    """The hash of a copy with zeros in the place of the outputs, which the plan still needs."""
    zeros = "calldatacopy(add(copied, 0x80), calldatasize(), sub(length, 0x80))"
    return f"""if eq({_SWITCH}, {number}) {{
                    let copied := mload(0x40)
                    mcopy(copied, start, length)
                    {zeros}
                    state := keccak256(copied, length)
                }}"""


_TWO_POINTS = """assembly ("memory-safe") {
            let linear := mload(add(drawn, LINEAR))
            mstore(add(drawn, AT_Z), linear)
            mstore(add(drawn, AT_INVERSE), sub(r, linear))
            mstore(add(drawn, AT_ALPHA), 0)
        }"""
"""h interpolated through z and 1/z alone."""


def _choice(number, then, otherwise):
    return f"add(mul(eq({_SWITCH}, {number}), {then}), mul(iszero(eq({_SWITCH}, {number})), {otherwise}))"


ABSORBED = 9
"""Places where a message is copied from calldata and hashed behind the state: one for columns, claims and finals, one
for each sumcheck, six in the opening."""


def _forgetful(text):
    """Let the state alone be hashed where the message begins at the place in calldata that the switch names."""
    lines, times = text.splitlines(), 0
    for place, (copying, hashing) in enumerate(pairwise(lines)):
        if not (copying.strip().startswith("calldatacopy(") and "keccak256(" in hashing):
            continue
        _, begins, _ = _arguments(copying, "calldatacopy(")
        buffer, length = _arguments(hashing, "keccak256(")
        kept = f"add(0x20, mul(sub({length}, 0x20), iszero(eq({begins}, {_SWITCH}))))"
        old, new = f"keccak256({buffer}, {length})", f"keccak256({buffer}, {kept})"
        lines[place + 1] = hashing.replace(old, new)
        times += 1
    return "\n".join(lines) + "\n", times


def _arguments(line, call):
    """Return the arguments of a call in a line of assembly."""
    found, depth, rest = [""], 1, line.partition(call)[2]
    for character in rest:
        depth += (character == "(") - (character == ")")
        if depth == 0:
            break
        if character == "," and depth == 1:
            found.append("")
        else:
            found[-1] += character
    return [argument.strip() for argument in found]
