"""Bad input at every stage: one line, a hint where there is a next step, the right exit code, nothing lost."""

import json
import os
import resource
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from commands import ZKML, environment, zkml

from zkml.adapters.evm import anvil
from zkml.adapters.evm.anvil import detached_endpoint
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.timetravel import pass_time
from zkml.adapters.home_directory import lock_home
from zkml.adapters.keys.key_files import create_key_file, load_key_file
from zkml.cli.main import run
from zkml.config.home import Home
from zkml.wiring import open_market

pytestmark = pytest.mark.e2e

NOBODY = "http://127.0.0.1:9"
UNKNOWN_JOB = "0x" + "ab" * 32


@pytest.fixture
def refused(monkeypatch, capsys):
    """Run a command in process and check that it fails in one clear line with this exit code and error code."""

    def check(home: Path, exit_code: int, error_code: str, *argv: str) -> str:
        monkeypatch.setenv("ZKML_HOME", str(home))
        monkeypatch.setenv("COLUMNS", "1000")
        assert run([*argv]) == exit_code
        out, err = capsys.readouterr()
        lines = [line for line in err.splitlines() if line.startswith("error:")]
        assert len(lines) == 1, err
        assert error_code in lines[0], err
        assert "Traceback" not in err
        assert out == ""
        return lines[0]

    return check


def bundle_copy(home: Path, folder: Path) -> Path:
    """Return a copy of the bundle that a test may break."""
    return Path(shutil.copytree(home / "bundles" / "digits", folder / "bundle"))


def files_of(bundle: Path) -> dict[str, Path]:
    """Return the bundle's files by role."""
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    return {role: bundle / entry["path"] for role, entry in manifest["files"].items()}


ROLES = ["onnx", "settings", "compiled_circuit", "proving_key", "verifying_key", "srs", "verification_srs"]


@pytest.mark.parametrize("role", ROLES)
def test_bundle__one_byte_flipped__named_by_every_command_that_opens_it(toured, tmp_path, refused, role):
    """One flipped byte in any file of a bundle is found and the file is named."""
    bundle = bundle_copy(toured[0], tmp_path)
    path = files_of(bundle)[role]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    line = refused(toured[0], 1, "ZK-ART-003", "circuit", "inspect", str(bundle))
    assert path.name in line


@pytest.mark.parametrize("role", ROLES)
def test_bundle__file_missing__named(toured, tmp_path, refused, role):
    """A missing file of a bundle is named."""
    bundle = bundle_copy(toured[0], tmp_path)
    path = files_of(bundle)[role]
    path.unlink()
    assert path.name in refused(toured[0], 1, "ZK-ART-002", "circuit", "inspect", str(bundle))


@pytest.mark.parametrize(
    ("content", "code"),
    [(None, "ZK-ART-002"), (b"", "ZK-ART-004"), (b"{}", "ZK-ART-004"), (b"\x00\xff", "ZK-ART-004")],
)
def test_bundle__manifest_missing_or_corrupt__refused(toured, tmp_path, refused, content, code):
    """A bundle without a whole manifest is not opened."""
    bundle = bundle_copy(toured[0], tmp_path)
    (bundle / "manifest.json").unlink()
    if content is not None:
        (bundle / "manifest.json").write_bytes(content)
    refused(toured[0], 1, code, "circuit", "inspect", str(bundle))


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"[0.5, 0.5]", "ZK-CIR-002"),
        (json.dumps([2.0] + [0.5] * 63).encode(), "ZK-PRV-003"),
        (json.dumps([-0.5] + [0.5] * 63).encode(), "ZK-PRV-003"),
        (b"[NaN]", "ZK-ART-005"),
        (json.dumps(["a"] * 64).encode(), "ZK-ART-005"),
        (b"not json", "ZK-ART-005"),
        (b"", "ZK-ART-005"),
    ],
    ids=["shape", "above", "below", "nan", "text", "no-json", "empty"],
)
def test_prove__bad_input_file__refused_before_any_work(toured, tmp_path, refused, content, code):
    """An input of another shape, outside the domain or of no numbers is refused, and no proof is written."""
    path = tmp_path / "input.json"
    path.write_bytes(content)
    bundle = str(toured[0] / "bundles" / "digits")
    out = tmp_path / "proof.json"
    refused(toured[0], 1, code, "circuit", "prove", bundle, "--input", str(path), "--out", str(out))
    assert not out.exists()


def test_missing_files__each_named_by_its_command(toured, tmp_path, refused):
    """Every command that reads a file says which one is missing."""
    home, bundle, gone = toured[0], str(toured[0] / "bundles" / "digits"), str(tmp_path / "gone.x")
    for argv in (
        ("model", "check", gone),
        ("circuit", "compile", gone, str(tmp_path / "out"), "--data", "x.npy"),
        ("circuit", "inspect", gone),
        ("circuit", "verify", bundle, gone),
        ("circuit", "mock", bundle, "--input", gone),
    ):
        assert "gone.x" in refused(home, 1, "ZK-ART-002", *argv)


def test_model_check__no_onnx__refused(toured, tmp_path, refused):
    """Bytes that are no model are refused as such."""
    path = tmp_path / "model.onnx"
    path.write_bytes(os.urandom(200))
    refused(toured[0], 1, "ZK-MOD-002", "model", "check", str(path))


def test_proof_file__of_anything_else__refused(toured, tmp_path, refused):
    """A file that is no proof is refused by verify, and rejected with a report by audit."""
    path = tmp_path / "proof.json"
    path.write_text("{}")
    bundle = str(toured[0] / "bundles" / "digits")
    refused(toured[0], 1, "ZK-ART-005", "circuit", "verify", bundle, str(path))
    assert zkml(toured[0], "audit", "proof", str(path), "--bundle", bundle).returncode == 3


def test_compile__disk_full__no_bundle_and_the_old_one_stays(toured, tmp_path):
    """A full disk ends compile with one line; nothing half-written is left, and an older bundle stays whole."""
    home = toured[0]
    data = tmp_path / "data.npy"
    np.save(data, np.random.default_rng(0).random((32, 1, 8, 8), dtype=np.float32))
    target = bundle_copy(home, tmp_path)

    def limit_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))

    compiled = subprocess.run(
        [
            *ZKML,
            "circuit",
            "compile",
            str(home / "models" / "digits.onnx"),
            str(target),
            "--data",
            str(data),
            "-q",
        ],
        env=environment(home),
        capture_output=True,
        text=True,
        preexec_fn=limit_files,
        check=False,
    )
    assert compiled.returncode == 1
    assert "Traceback" not in compiled.stderr
    assert compiled.stderr.count("error:") == 1, compiled.stderr
    assert zkml(home, "circuit", "inspect", str(target)).returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == {"data.npy", "bundle"}


def test_endpoint__down_or_of_another_chain__refused(toured, refused):
    """A dead endpoint and another chain id are told apart."""
    home = toured[0]
    assert NOBODY in refused(home, 1, "ZK-CHN-002", "registry", "list", "--rpc-url", NOBODY)
    refused(home, 4, "ZK-INC-002", "audit", "job", UNKNOWN_JOB, "--rpc-url", NOBODY)
    refused(home, 2, "ZK-CFG-001", "registry", "list")
    refused(home, 2, "ZK-CFG-001", "registry", "list", "--rpc-url", "ftp://x")


def test_demo__public_chain_id__refused(copied_home, tmp_path, monkeypatch, refused):
    """The tour refuses a chain that is not local: its SRS is insecure."""
    monkeypatch.setattr(anvil, "CHAIN_ID", 10)
    with anvil.Anvil.start(tmp_path / "public") as node:
        refused(copied_home, 1, "ZK-CHN-003", "demo", "-q", "--rpc-url", node.endpoint)


def test_keys__of_any_wrong_kind__refused_and_never_shown(running_home, tmp_path, refused):
    """Missing, readable by others, or no key at all: each is a configuration error without the key in it."""
    job = ("job", "open", "0x01", "--input", "in.json", "--fee", "1")
    key = tmp_path / "key"
    secret = "7f" * 32
    refused(running_home, 2, "ZK-CFG-002", *job, "--key-file", str(key))
    key.write_text(secret)
    key.chmod(0o644)
    assert secret not in refused(running_home, 2, "ZK-CFG-002", *job, "--key-file", str(key))
    key.write_text(secret[:-2])
    key.chmod(0o600)
    assert secret[:-2] not in refused(running_home, 2, "ZK-CFG-002", *job, "--key-file", str(key))


class Journey:
    """A running home with one model, and what it takes to open jobs on it."""

    def __init__(self, home: Path, folder: Path, model: str) -> None:
        self.home, self.model = home, model
        self.input = folder / "input.json"
        self.input.write_text(json.dumps([0.5] * 64))

    def open(self, *options: str) -> str:
        """Open a job and return its id."""
        argv = ("job", "open", self.model, "--input", str(self.input), "--fee", "1.5", "-q", *options)
        opened = zkml(self.home, *argv)
        assert opened.returncode == 0, opened.stderr
        return opened.stdout.strip()

    def chain(self) -> Chain:
        """Connect to the home's node."""
        return Chain(detached_endpoint(self.home / "chain"))


@pytest.fixture
def journey(running_home, tmp_path, toured):
    return Journey(running_home, tmp_path, toured[1]["model_id"])


def test_open__no_money_or_too_small_a_cap__nothing_moves(journey, tmp_path, refused):
    """An account without tokens or ether, and a cap below the fee, open no job."""
    poor = tmp_path / "poor.key"
    create_key_file(poor)
    argv = ("job", "open", journey.model, "--input", str(journey.input))
    refused(journey.home, 1, "ZK-CHN-006", *argv, "--fee", "1", "--key-file", str(poor))
    refused(journey.home, 1, "ZK-MKT-001", *argv, "--fee", "2", "--max-total", "1")
    refused(journey.home, 1, "ZK-REG-002", "job", "open", "0x01", "--input", str(journey.input), "--fee", "1")
    refused(journey.home, 1, "ZK-CHN-003", "job", "show", UNKNOWN_JOB, "--chain-id", "5")
    refused(journey.home, 1, "ZK-MKT-002", "job", "show", UNKNOWN_JOB)
    refused(journey.home, 2, "ZK-CFG-001", "job", "show", "0x12")


def test_job__expired__node_leaves_it_alone_and_the_fee_comes_back(journey, refused):
    """Past its deadline a job is neither claimed nor waited for; its whole price is refunded once."""
    job = journey.open("--within", "90")
    with journey.chain() as chain:
        pass_time(chain, 120)
    served = json.loads(zkml(journey.home, "prover", "run", "--job", job, "--json").stdout)
    assert served["skipped"] == {"not-open": 1}
    refused(journey.home, 1, "ZK-MKT-004", "job", "wait", job, "-q")
    refund = zkml(journey.home, "job", "refund", job, "--json")
    assert json.loads(refund.stdout)["withdrawn"].startswith("2.010000")
    refused(journey.home, 1, "ZK-MKT-003", "job", "refund", job)


def test_job__claimed_by_another__node_locks_no_collateral(journey):
    """A job that somebody else has claimed is left alone, and costs nothing."""
    job = journey.open()
    home = Home(journey.home)
    with journey.chain() as chain:
        market = open_market(home, chain)
        rival = load_key_file(home.keys / "cheat.key")
        market.manager.claim(rival, bytes.fromhex(job[2:]))
        prover = load_key_file(home.keys / "prover.key").address
        before = market.token.balance_of(prover), market.provers.stake_of(prover)
        served = json.loads(zkml(journey.home, "prover", "run", "--job", job, "--json").stdout)
        assert served["skipped"] == {"claimed-by-other": 1}
        assert (market.token.balance_of(prover), market.provers.stake_of(prover)) == before


def test_prover__second_process_in_the_same_home__refused(journey, refused):
    """Two nodes never share a journal."""
    with lock_home(Home(journey.home), "prover"):
        refused(journey.home, 1, "ZK-CFG-003", "prover", "run", "--once", "-q")


def test_deployment__of_another_chain__refused(journey, tmp_path, refused):
    """A home whose record is of another chain does not send anything to this one."""
    folder = journey.home / "deployments"
    (record,) = folder.iterdir()
    changed = json.loads(record.read_bytes())
    changed["genesis_hash"] = "0x" + "00" * 32
    record.write_text(json.dumps(changed))
    refused(journey.home, 1, "ZK-CHN-003", "registry", "list")
    record.unlink()
    assert "zkml chain deploy" in zkml(journey.home, "registry", "list").stderr
