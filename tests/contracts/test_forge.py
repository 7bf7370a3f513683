"""The contracts' own tests, run by forge, offline, with the compiler of the lock file."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from zkml.adapters.programs import find_foundry

pytestmark = pytest.mark.forge

ROOT = Path(__file__).resolve().parents[2]
SNAPSHOT = Path(__file__).parent / "gas-snapshot.json"
GAS = ROOT / "cache" / "gas"
FEWEST_TESTS = 560
GAS_TESTS = "^(GasTest|GasBudgetTest|OfferingGasTest|SettleGasTest)$"
GAS_TOLERANCE = 0.02
EIP170_BYTES = 24_576
CONTRACTS = (
    "BusinessCalendar",
    "CreatorVault",
    "EzklVerifier",
    "EzklSharedVerifier",
    "EzklSharedVerifierFactory",
    "InferenceVerifier",
    "InitialModelOffering",
    "JobManager",
    "LineageRegistry",
    "LocalPaymentToken",
    "ModelRegistry",
    "ModelSteward",
    "ModelToken",
    "ModelTokenFactory",
    "OctetSharedVerifier",
    "OctetSharedVerifierFactory",
    "ProtocolAdmin",
    "ProverRegistry",
    "RevenueLedger",
    "VerifierRouter",
)
PROMISES = tuple(range(1, 19))


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("FOUNDRY_", "DAPP_"))}
    return subprocess.run(
        [str(find_foundry("forge")), *arguments],
        cwd=ROOT,
        env={**environment, "NO_COLOR": "1", "FOUNDRY_OFFLINE": "true"},
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )


@pytest.fixture(scope="module")
def report():
    """What one run of all tests said: suite -> test -> result."""
    done = _run("test", "--json")
    assert done.stdout.lstrip().startswith("{"), done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads(done.stdout)


def test_forge__every_test__passes(report):
    """Every unit, fuzz and invariant test of the contracts passes, and none went missing."""
    results = {
        f"{suite.split(':')[-1]}.{name}": result["status"]
        for suite, body in report.items()
        for name, result in body["test_results"].items()
    }
    failed = {name: status for name, status in results.items() if status != "Success"}
    assert not failed
    assert len(results) >= FEWEST_TESTS


@pytest.mark.parametrize("number", PROMISES)
def test_forge__every_promised_invariant__has_a_test_that_ran(report, number):
    """Each number of INVARIANTS.md is carried by at least one test."""
    names = [name for body in report.values() for name in body["test_results"]]
    assert any(f"_I{number}_" in name for name in names)


def test_forge__gas__within_two_percent_of_the_committed_snapshot(report):
    """Gas moves only on purpose: after a change that is meant, copy the printed figures to the snapshot."""
    shutil.rmtree(GAS, ignore_errors=True)
    # With --json forge writes no snapshots.
    done = _run("test", "--match-contract", GAS_TESTS)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    measured = {
        path.stem: {name: int(gas) for name, gas in json.loads(path.read_text()).items()}
        for path in sorted(GAS.glob("*.json"))
    }
    committed = json.loads(SNAPSHOT.read_text())
    assert {group: set(names) for group, names in measured.items()} == {
        group: set(names) for group, names in committed.items()
    }
    moved = {
        f"{group}.{name}": (committed[group][name], gas)
        for group, names in measured.items()
        for name, gas in names.items()
        if abs(gas - committed[group][name]) > GAS_TOLERANCE * committed[group][name]
    }
    assert not moved, json.dumps(measured, indent=2)


@pytest.mark.parametrize("contract", CONTRACTS)
def test_forge__runtime_code__fits_a_chain(report, contract):
    """Every contract that is deployed is smaller than EIP-170 allows."""
    artifact = json.loads((ROOT / "out" / f"{contract}.sol" / f"{contract}.json").read_text())
    size_bytes = len(artifact["deployedBytecode"]["object"].removeprefix("0x")) // 2
    assert 0 < size_bytes < EIP170_BYTES
