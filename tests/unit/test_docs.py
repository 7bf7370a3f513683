"""What the documentation says about the project is true: commands, flags, links, tests, errors, numbers, gas.

Run as a program this prints docs/errors.md; with the argument `gas` the gas tables of docs/contracts.md.
"""

import ast
import fnmatch
import inspect
import json
import re
import shlex
import sys
import tomllib
from pathlib import Path

import click
import pytest

from verifier_contracts.terms import (
    DAY_SECONDS,
    JobTerms,
    OfferingRules,
    ProtocolTerms,
    default_job_terms,
    default_offering_rules,
    default_protocol_terms,
)
from zkml import errors
from zkml.cli.main import command_tree
from zkml.config.load import OTHER_VARIABLES, known_keys, variable_of
from zkml.config.settings import SECTIONS
from zkml.core.identifiers import VerifierClass
from zkml.core.offering_machine import DefaultCause, OfferingStatus
from zkml.core.offering_suggestion import WEIGHTS_PPM, SuggestionInput

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))
IDS = [page.name for page in PAGES]
TREE = command_tree()
SOMEBODY = "0x" + "11" * 20


def code_of(page):
    """Return every inline code span and every code block line of a page."""
    text = page.read_text()
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`\n]+)`", prose), [line for block in blocks for line in block.splitlines()]


def commands_in(page):
    """Return each `zkml ...` of a page, as words; what follows a shell operator is another command."""
    spans, lines = code_of(page)
    told = [span for span in spans if re.match(r"zkml\b(?!\.)", span)]
    typed = [line[2:] for line in lines if line.startswith("$ ")]
    found = []
    for text in [*told, *typed]:
        for part in re.findall(r"(?:^|[(\s])(zkml [^()&|;]*)", text):
            found.append(shlex.split(part, comments=True))
    return [words for words in found if len(words) > 1 and not words[1].startswith("zkml")]


def find_command(words):
    """Return the click command that the words name, and what is left of them."""
    entry = TREE.get(words[1])
    assert entry is not None, f"no noun in {' '.join(words)!r}"
    if isinstance(entry, click.Command):
        return entry, words[2:]
    if len(words) == 2:
        return None, []
    # `zkml audit job|proof` names two verbs.
    verbs = words[2].split("|")
    assert all(verb in entry for verb in verbs), f"no verb in {' '.join(words)!r}"
    return entry[verbs[0]], words[3:]


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_commands__named_in_a_page__exist_with_their_flags(page):
    """Every `zkml noun verb --flag` that a page names is one that the command line has."""
    for words in commands_in(page):
        command, rest = find_command(words)
        if command is None:
            continue
        known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
        used = {word.partition("=")[0] for word in rest if re.match(r"-{1,2}[a-z]", word)}
        assert used <= known | {"--help", "-h"}, f"{' '.join(words)}: {used - known}"


def every_flag():
    """Return all flags of all commands."""
    commands = [
        c for entry in TREE.values() for c in (entry.values() if isinstance(entry, dict) else [entry])
    ]
    return {name for command in commands for option in command.params for name in option.opts} | {"--help"}


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_flags__named_alone__exist(page):
    """A flag that prose names without its command belongs to some command."""
    spans, _ = code_of(page)
    named = {
        match for span in spans if span.startswith("-") for match in re.findall(r"^--?[a-z][a-z-]*", span)
    }
    assert named <= every_flag() | {"-vv"}


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_settings__named_in_a_page__exist(page):
    """A key of a section, and a variable that stands for one, is a setting that the program reads."""
    sections = "|".join(SECTIONS)
    spans, lines = code_of(page)
    named = {span for span in spans if re.fullmatch(rf"(?:{sections})\.[a-z_]+", span)}
    assert named <= set(known_keys())
    variables = set(re.findall(r"\bZKML_[A-Z_]+", "\n".join([*spans, *lines])))
    assert variables <= {variable_of(key) for key in known_keys()} | OTHER_VARIABLES | {"ZKML_RAY_CACHE"}


def test_commands__every_one__is_shown_in_a_console_block():
    """Every command of the tree is typed on some page, and so run by tests/e2e/test_docs_run.py."""
    typed = set()
    for page in PAGES:
        _, lines = code_of(page)
        text = "\n".join(line for line in lines if line.startswith("$ "))
        typed |= {" ".join(pair) for pair in re.findall(r"zkml ([a-z]+) ([a-z-]+)", text)}
    expected = {f"{noun} {verb}" for noun, verbs in TREE.items() if isinstance(verbs, dict) for verb in verbs}
    assert expected <= typed, sorted(expected - typed)
    assert "`zkml demo`" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links__between_pages__resolve(page):
    """A relative link names a file of the project, and a heading that the file has."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.is_relative_to(ROOT), target
        assert path.is_file(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, target


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_paths__named_in_code__exist(page):
    """A path below one of the project's folders, named in a page, is there."""
    spans, _ = code_of(page)
    folders = r"(?:zkml|circuits|verifier_contracts|registry|marketplace|prover_nodes|tests|docs|benchmarks)"
    for span in spans:
        path = span.partition("::")[0]
        if re.fullmatch(rf"{folders}/[\w./-]+", path):
            assert (ROOT / path).exists(), span


def names_in(path):
    """Return the names of the tests that a file defines, Python or Solidity."""
    text = path.read_text()
    if path.suffix == ".sol":
        return set(re.findall(r"function ((?:test|testFuzz|invariant)_\w+)\(", text))
    return {node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_tests__named_in_a_page__exist(page):
    """Every test by which a page answers a threat or keeps a promise is there, in the file it names."""
    spans, _ = code_of(page)
    solidity = set().union(*(names_in(path) for path in (ROOT / "tests" / "contracts").glob("*.t.sol")))
    for span in spans:
        path, separator, name = span.partition("::")
        if separator:
            assert name in names_in(ROOT / path), span
        elif re.match(r"(?:test|testFuzz|invariant)_", span):
            assert span in solidity, span


def test_invariants_page__every_pattern_and_file__matches_something():
    """Each line of INVARIANTS.md is held by tests that are there, and each numbered test belongs to a line."""
    folder = ROOT / "tests" / "contracts"
    page = folder / "INVARIANTS.md"
    solidity = set().union(*(names_in(path) for path in folder.glob("*.t.sol")))
    spans, _ = code_of(page)
    for span in spans:
        if re.match(r"(?:test|testFuzz|invariant)[\w*]*_", span):
            assert fnmatch.filter(solidity, span), span
        elif re.fullmatch(r"[\w/]+(?:\.t)?\.(?:sol|json)", span):
            assert (folder / span).is_file(), span
    promised = set(re.findall(r"^\| I(\d+) \|", page.read_text(), re.MULTILINE))
    carried = {number for name in solidity for number in re.findall(r"_I(\d+)(?=_)", name)}
    assert carried == promised


def test_security_page__every_threat__names_a_test():
    """No row of a table of threats is without a test."""
    rows = re.findall(
        r"^\|(?!\s*(?:threat|bytes|---|-))(.*)\|$", (ROOT / "docs" / "security.md").read_text(), re.MULTILINE
    )
    assert len(rows) >= 30
    for row in rows:
        assert "::" in row, row


def error_rows(cls=errors.ZkmlError, depth=0):
    """Yield a table row for each class of the tree, depth first."""
    meaning = " ".join(inspect.getdoc(cls).split("\n\n")[0].split()).removesuffix(".")
    retry = "yes" if cls.retryable else ""
    yield f"| `{cls.code}` | {'&nbsp;&nbsp;' * depth}{cls.__name__} | {cls.exit_code} | {retry} | {meaning} |"
    for child in cls.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from error_rows(child, depth + 1)


def errors_page():
    """Return the text of docs/errors.md."""
    return "\n".join(
        [
            "# Errors",
            "",
            "Every failure is one line on stderr, `error: expected ..., found ... [ZK-AREA-NNN]`, and mostly a hint that says the next",
            'step. With `--json` stdout has `{"error": {"type", "code", "message", "hint", "retryable", "context"}}`. Codes are stable. An error of a',
            "row that is indented is also one of the row above it. *Again* says that the same call may succeed later without a change of input; the prover",
            "node waits and repeats those. A traceback is a defect of zkml; `-vv` shows one where you need it.",
            "",
            "| code | error | exit code | again | meaning |",
            "|---|---|---:|---|---|",
            *error_rows(),
            "",
            "Exit code 3 is a verdict, 4 is none; neither ever counts as accepted. This table is generated from `zkml/errors.py`, and a test compares it:",
            "`python tests/unit/test_docs.py > docs/errors.md` writes it anew.",
            "",
        ]
    )


def test_errors_page__is_the_tree():
    """The table of errors is the one that zkml/errors.py gives."""
    assert (ROOT / "docs" / "errors.md").read_text() == errors_page()


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_error_codes__named_in_a_page__exist(page):
    """A code that a page names is one of the tree."""
    tree = {row.split("`")[1] for row in error_rows()}
    assert set(re.findall(r"ZK-[A-Z]+-\d+", page.read_text())) <= tree


SIZES = ("20", "74", "794")
"""Numbers of instances that settlements are measured at, as the snapshot and the table name them."""


def gas_tables():
    """Return the gas tables of docs/contracts.md: moves by number of instances, then all other figures."""
    snapshot = json.loads((ROOT / "tests" / "contracts" / "gas-snapshot.json").read_text())
    moves = sorted(set().union(*(snapshot[size] for size in SIZES)))
    by_size = [
        f"| `{move}` | {' | '.join(str(snapshot[size].get(move, '')) for size in SIZES)} |" for move in moves
    ]
    others = [
        f"| `{group}.{name}` | {gas} |"
        for group, figures in sorted(snapshot.items())
        if group not in SIZES
        for name, gas in sorted(figures.items())
    ]
    return "\n".join(
        [
            f"| move | {' | '.join(f'{size} instances' for size in SIZES)} |",
            "|---|---:|---:|---:|",
            *by_size,
            "",
            "| figure | gas |",
            "|---|---:|",
            *others,
            "",
        ]
    )


def test_gas_tables__are_the_snapshot():
    """The gas tables of docs/contracts.md have exactly the figures of the committed snapshot, and all of them."""
    page = (ROOT / "docs" / "contracts.md").read_text()
    assert page.partition("<!-- gas -->\n")[2].partition("<!-- /gas -->")[0] == gas_tables()


def test_gas_budget__in_the_text__is_the_snapshots():
    """The figures by which docs/contracts.md says what a settlement costs beyond its proof are those measured."""
    snapshot = json.loads((ROOT / "tests" / "contracts" / "gas-snapshot.json").read_text())
    text = (ROOT / "docs" / "contracts.md").read_text().partition("**The budget of a settlement**")[2]
    budget, excess = snapshot["budget"], snapshot["excess"]
    for gas in (
        budget["settle_beyond_verify_20"],
        budget["settle_beyond_verify_20_without_calldata"],
        excess["20_warm"],
        excess["794_cold"],
    ):
        assert f"{gas:,}" in text
    assert f"costs {budget['settle_beyond_verify_794_without_calldata_per_instance']}." in text
    saved = (excess["20_cold"] - excess["794_cold"]) / (794 - 20)
    assert f"about {round(saved, -1):.0f} gas" in text


def default_numbers():
    """Return what the table of numbers in docs/contracts.md must say of each default of the deployment."""
    job, protocol = JobTerms(), ProtocolTerms(administrator=SOMEBODY, guardian=SOMEBODY, treasury=SOMEBODY)
    return (
        f"{int(job.min_collateral):,} units",
        f"{job.collateral_ppm:,} ppm, at most",
        f"| {job.min_duration_seconds} seconds to {job.max_duration_seconds // DAY_SECONDS} days |",
        f"| {job.min_claim_seconds} seconds, above the grace |",
        f"| {job.grace_seconds} seconds",
        f"{job.bonus_ppm:,} ppm of the collateral",
        f"{job.treasury_ppm:,} ppm; what is left burns",
        f"{protocol.platform.fee_ppm:,} ppm; 0.01 zUSD ({int(protocol.platform.flat_fee):,} units)",
        f"{protocol.caps.fee_ppm:,} ppm (no deployment can have more); {int(protocol.caps.flat_fee) // 10**6} zUSD",
        f"| {protocol.timelock_delay_seconds // DAY_SECONDS} days; none on local chains |",
        f"| {protocol.unstake_delay_seconds // DAY_SECONDS} days | prover",
        f"{protocol.min_commit_blocks} to {protocol.max_commit_blocks:,} blocks",
    )


def test_numbers__of_the_contracts_page__are_the_defaults():
    """Every default of a deployment that docs/contracts.md tells is the one that a deployment gets."""
    table = (ROOT / "docs" / "contracts.md").read_text().partition("## Numbers")[2].partition("\n## ")[0]
    missing = [number for number in default_numbers() if number not in table]
    assert not missing
    strict = default_job_terms(is_local=False).accepted_classes
    assert strict == 1 << VerifierClass.CEREMONY
    local = default_protocol_terms(SOMEBODY, is_local=True)
    assert (local.timelock_delay_seconds, local.min_commit_blocks) == (0, 1)


def constants():
    """Return the number of each constant of our contracts that is written as one, by name."""
    found = {}
    for folder in ("marketplace", "registry", "verifier_contracts"):
        for path in (ROOT / folder / "src").glob("*.sol"):
            for name, value in re.findall(
                r"^ +u?int\d* \w+ constant (\w+) = ([\d_]+);", path.read_text(), re.MULTILINE
            ):
                found.setdefault(name, set()).add(int(value))
    return found


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("MAX_CIRCUITS", "| circuits of a model; batch | {};"),
        ("MAX_TEXT_BYTES", "1 to {} bytes each"),
        ("MAX_RATE_PPM", "| at most {} ppm |"),
        ("MAX_PARENTS", "| parents; ancestors; sum of rates | {};"),
        ("MAX_ANCESTORS", "; {}; 500,000 ppm |"),
        ("MAX_PARTS_PPM", "| {} ppm in all |"),
        ("RESALE_ROYALTY_PPM", "| {} ppm, to the publisher |"),
        ("MAX_ALLOWED_PROVERS", "input URI | {};"),
        ("MAX_URI_BYTES", "input URI | 8; {} bytes"),
        ("MAX_ENDPOINT_BYTES", "proof systems | {} bytes;"),
        ("MAX_PROOF_SYSTEMS", "256 bytes; 1 to {} |"),
        ("MAX_GAS_LIMIT", "1 to {} (EIP-7825"),
        ("MAX_ELEMENTS", "1 to {} elements"),
        ("MAX_ELEMENT_BYTES", "elements of 1 to {} bytes"),
        ("MIN_WORDS", "| {} to 2,042 words"),
        ("MAX_WORDS", "to {} words"),
        ("MAX_CEREMONIES", "refused proof | {};"),
        ("MAX_BONUS_PPM", "{} ppm of the collateral, the most"),
        ("MAX_REASON_BYTES", "256 bytes; {} bytes | contract |"),
    ],
)
def test_numbers__of_the_contracts__are_their_constants(name, told):
    """A limit that docs/contracts.md tells is the constant of that name in the Solidity sources."""
    values = constants()[name]
    table = (ROOT / "docs" / "contracts.md").read_text().partition("## Numbers")[2].partition("\n## ")[0]
    assert any(told.format(f"{value:,}") in table for value in values), values


def test_statuses__of_the_offerings_page__are_the_machines():
    """The page for people with money in an offering tells every status, and every cause of a default."""
    page = (ROOT / "docs" / "offerings.md").read_text()
    table = page.partition("## Statuses")[2].partition("\n## ")[0]
    told = re.findall(r"^\| ([A-Z_]+) \|", table, re.MULTILINE)
    assert told == [status.name for status in OfferingStatus if status is not OfferingStatus.NONE]
    ends = page.partition("**What your money depends on:**")[2].partition("\n## ")[0]
    assert set(re.findall(r"\(([A-Z]+)\)", ends)) == {cause.name for cause in DefaultCause} - {"NONE"}


def test_numbers__of_the_offerings_page__are_the_defaults():
    """Every default of a deployment's offerings that the page tells is the one that a deployment gets."""
    page = " ".join((ROOT / "docs" / "offerings.md").read_text().split())
    rules, local = OfferingRules(), default_offering_rules(is_local=True)
    token, percent, weights = 10**6, 10_000, WEIGHTS_PPM
    for told in (
        f"Challenge time is {rules.challenge_seconds // DAY_SECONDS} days and grace {rules.grace_seconds // DAY_SECONDS};",
        f"on local chains {local.challenge_seconds} and {local.grace_seconds} seconds.",
        f"at least {int(rules.min_bond) // token} token and {rules.bond_ppm // percent} % of the raise",
        f"at least {rules.min_seed_ppm // percent} %; at least {rules.min_lp_lock_seconds // DAY_SECONDS} days",
        f"| at least {rules.min_vesting_seconds // DAY_SECONDS} days |",
        f"income so far ({weights[SuggestionInput.DEMAND] // percent} %)",
        f"comparable models ({weights[SuggestionInput.COMPARABLES] // percent} %)",
        f"earlier releases ({weights[SuggestionInput.RECORD] // percent} %",
    ):
        assert told in page, told
    assert rules.accepted_classes == 1 << VerifierClass.CEREMONY


def test_policy_codes__of_the_prover_page__are_the_nodes():
    """The reasons to leave a job alone that docs/prover.md lists are those that the node has."""
    source = (ROOT / "prover_nodes" / "policy.py").read_text()
    codes = set(re.findall(r'^    [A-Z_]+ = "([a-z-]+)"$', source, re.MULTILINE))
    page = (ROOT / "docs" / "prover.md").read_text()
    listed = set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE))
    assert codes
    assert listed == codes


def test_make_targets__named_in_a_page__exist():
    """Every `make target` that a page names is in the Makefile, the README's two among them."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for page in PAGES for name in re.findall(r"`make ([a-z-]+)", page.read_text())}
    assert {"demo", "test"} <= named <= targets


def test_exit_codes__of_the_readme__are_the_programs():
    """The README lists the exit codes that the tree of errors and the program use, and no other."""
    listed = {
        int(code) for code in re.findall(r"^\| (\d+) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    }
    used = {int(row.split("|")[3]) for row in error_rows()}
    assert listed == used | {0, 130}


def test_changelog__has_an_entry_for_what_is_here():
    """The changelog has an entry for this version or for what is not released yet."""
    assert re.search(r"^## \[(?:Unreleased|0\.1\.0)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_extras__of_the_readme__are_pyprojects():
    """The README names every extra of the package but the developers', and no other."""
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    named = set(re.findall(r"pip install '\.\[(\w+)\]'", (ROOT / "README.md").read_text()))
    assert named == extras - {"dev"}


if __name__ == "__main__":
    print(gas_tables() if sys.argv[1:] == ["gas"] else errors_page(), end="")
