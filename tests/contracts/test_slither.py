"""Static analysis of the contracts: slither finds nothing that is not excluded by name and reason.

Slither needs an older web3 than zkml, so it has an environment of its own: `make slither` sets it up and runs this.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from verifier_contracts.compiler import SETTINGS
from verifier_contracts.sources import collect_sources, own_sources
from verifier_contracts.toolchain.locate import find_solc

pytestmark = pytest.mark.forge

ROOT = Path(__file__).resolve().parents[2]
SLITHER = ROOT / ".venv-slither" / "bin" / "slither"
EXCLUSIONS = Path(__file__).parent / "slither" / "exclusions.json"
STYLE = {"assembly", "naming-convention", "pragma", "timestamp"}
"""Detectors that say how code looks or what a chain is like, and so may be excluded everywhere."""
PLANTED = "Planted.sol"
PLANTED_DEFECTS = """// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

contract Planted {
    mapping(address account => uint256) public owed;

    function take(IERC20 token, address from) external {
        token.transferFrom(from, msg.sender, 1);
    }

    function pay() external {
        (bool done,) = msg.sender.call{value: owed[msg.sender]}("");
        if (done) owed[msg.sender] = 0;
    }
}
"""
"""Two thefts that slither knows, without which its silence would prove nothing."""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What slither finds where: pairs of a detector and a place, by file, in our sources compiled as shipped."""
    if not SLITHER.exists():
        pytest.skip("slither is not installed: make slither")
    folder = tmp_path_factory.mktemp("slither")
    sources = {**collect_sources(own_sources()), PLANTED: PLANTED_DEFECTS}
    for path, text in sources.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    settings = {name: value for name, value in SETTINGS.items() if name != "outputSelection"}
    request = {
        "language": "Solidity",
        "sources": {path: {"content": text} for path, text in sources.items()},
        "settings": settings,
    }
    (folder / "input.json").write_text(json.dumps(request), encoding="utf-8")
    solc = find_solc()
    arguments = ["--solc", str(solc.path), "--compile-force-framework", "solc-json"]
    # Not --filter-paths: it hides whatever has one step in a library, as reentrancy through a token has.
    done = subprocess.run(
        [str(SLITHER), "input.json", *arguments, "--json", "found.json"],
        cwd=folder,
        env={**os.environ, **solc.environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (folder / "found.json").exists(), done.stderr[-3000:]
    report = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    assert report["success"], report["error"]
    by_file = {}
    for finding in report["results"].get("detectors", []):
        for path in {element["source_mapping"]["filename_relative"] for element in finding["elements"]}:
            by_file.setdefault(path, set()).add((finding["check"], place_of(finding, path)))
    return by_file


@pytest.fixture(scope="module")
def own(found):
    """What slither finds in our own contracts."""
    files = {Path(path).as_posix() for path in own_sources()}
    return set().union(*(places for path, places in found.items() if path in files))


def place_of(finding, path):
    """Return the contract and function in a file that a finding is about, else the name of what it is about."""
    here = [
        element for element in finding["elements"] if element["source_mapping"]["filename_relative"] == path
    ]
    for element in here:
        home = element
        while home is not None and home["type"] not in ("function", "contract"):
            home = home.get("type_specific_fields", {}).get("parent")
        if home is not None:
            parent = home.get("type_specific_fields", {}).get("parent", {})
            return ".".join(name for name in (parent.get("name"), home["name"]) if name)
    return here[0]["name"]


def exclusions():
    """Return {detector: {place or "*": reason}}."""
    return json.loads(EXCLUSIONS.read_text(encoding="utf-8"))


def test_slither__planted_thefts__are_found(found):
    """The run that finds nothing in our contracts finds two thefts in a contract beside them."""
    assert {
        ("arbitrary-send-erc20", "Planted.take"),
        ("reentrancy-eth", "Planted.pay"),
        ("unchecked-transfer", "Planted.take"),
    } <= found[PLANTED]


def test_slither__own_contracts__nothing_but_named_exclusions(own):
    """Every finding is excluded by detector, and where a detector can matter by place, with a reason."""
    excluded = exclusions()
    unexplained = {
        f"{check}: {place}"
        for check, place in own
        if place not in excluded.get(check, {}) and "*" not in excluded.get(check, {})
    }
    assert not unexplained


def test_slither__exclusions__are_all_needed(own):
    """No exclusion outlives what it was made for."""
    checks = {check for check, _ in own}
    stale = {
        f"{check}: {place}"
        for check, places in exclusions().items()
        for place in places
        if ((check, place) not in own if place != "*" else check not in checks)
    }
    assert not stale


def test_exclusions__every_one__has_a_reason_and_a_place_unless_it_is_style():
    """A detector that could find a loss is excluded place by place, and everything with a sentence that says why."""
    for check, places in exclusions().items():
        assert "*" not in places or check in STYLE, check
        assert all(len(reason.split()) >= 4 for reason in places.values()), check
