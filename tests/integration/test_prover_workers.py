"""A node's workers on one machine: several at once, killed from outside, started ahead, keys in memory."""

import os
import signal
import threading
import time
from pathlib import Path

import psutil
import pytest
from ezkl_circuits import SAMPLES, Lab, relu

from circuits import fast_keys
from circuits.fast_keys import FastKeys
from circuits.proving_machine import ProvingMachine
from circuits.systems import open_system
from prover_nodes.observer import SilentObserver
from prover_nodes.workers.opening import OpenCircuits, open_circuits
from zkml.adapters.ezkl.process import ChildOptions, Flavour
from zkml.adapters.ezkl.spares import SpareChildren
from zkml.config.settings import ProverSettings
from zkml.core.progress import silent
from zkml.errors import ConfigError, ProverLimitError

pytestmark = pytest.mark.integration
__all__ = ["relu"]

CONTEXT = bytes(range(32))
FLAVOUR = ChildOptions(unchecked_keys=True).flavour


class Heard(SilentObserver):
    """Remembers proofs."""

    def __init__(self) -> None:
        self.proofs: list[tuple[str, str, bool]] = []

    def proof_made(self, circuit: str, *, device: str, seconds: float, peak_bytes: int) -> None:
        self.proofs.append((circuit.split("@", maxsplit=1)[0], device, peak_bytes > 1 << 20))


def descendants() -> list[int]:
    """Return this process's living descendants."""
    found = psutil.Process().children(recursive=True)
    return [process.pid for process in found if process.status() != psutil.STATUS_ZOMBIE]


BEFORE: set[int] = set()


@pytest.fixture(autouse=True)
def _only_new_ones_count():
    """What other tests of this process keep running, such as a chain, is none of ours."""
    BEFORE.clear()
    BEFORE.update(descendants())


def strays() -> list[int]:
    """Return the living descendants that began with this test."""
    return [pid for pid in descendants() if pid not in BEFORE]


def until(condition) -> bool:
    """Poll until a condition holds; say whether it did."""
    deadline = time.monotonic() + 30
    while not (held := condition()) and time.monotonic() < deadline:
        os.sched_yield()
    return held


def in_threads(*actions) -> None:
    threads = [threading.Thread(target=action) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def opened(relu: Lab, folder: Path, *, observer=None, **settings) -> OpenCircuits:
    return open_circuits(
        [relu.bundle],
        prover=ProverSettings(**settings),
        work=folder / "work",
        verifiers=folder / "verifiers",
        measurements=folder / "measurements.json",
        observer=observer,
    )


def test_circuit__two_inputs_and_one_input_twice_at_once__all_proofs_hold(relu: Lab, tmp_path):
    """Threads share a circuit: no proof takes another one's witness, not even of the same input."""
    heard = Heard()
    packed = [relu.system.quantize_input(relu.bundle, SAMPLES[index]) for index in (2, 2, 3)]
    proofs: list[tuple[bytes, bytes, bytes]] = []
    with opened(relu, tmp_path, observer=heard, workers=2) as circuits:
        [circuit] = circuits.circuits

        def work(one: bytes) -> None:
            output, _seconds = circuit.witness(one, progress=silent)
            proof, _seconds = circuit.prove(one, output, context=CONTEXT, progress=silent)
            proofs.append((one, output, proof))

        in_threads(*(lambda one=one: work(one) for one in packed))
        for proof in proofs:
            circuit.verify(*proof, context=CONTEXT)
        assert circuit.expected_witness_seconds() > 0
        assert circuit.expected_peak_bytes() > 1 << 20
        assert list((tmp_path / "work").iterdir()) == []
    assert len(proofs) == 3
    assert heard.proofs == [("tiny", "cpu", True)] * 3
    assert strays() == []


def test_prove__ezkl_is_killed_from_outside__says_so_and_the_next_proof_works(relu: Lab, tmp_path):
    """The system kills the proving process for its memory: a clear error, no strays, the witness is kept."""
    packed = relu.system.quantize_input(relu.bundle, SAMPLES[4])
    with opened(relu, tmp_path) as circuits:
        [circuit] = circuits.circuits
        output, _seconds = circuit.witness(packed, progress=silent)

        killed = []

        def kill(event) -> None:
            for pid in strays() if event.stage == "prove" and not event.finished else []:
                if "zkml.adapters.ezkl.child" in psutil.Process(pid).cmdline()[:5]:
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)

        with pytest.raises(ProverLimitError, match="killed by the system") as caught:
            circuit.prove(packed, output, context=CONTEXT, progress=kill)
        assert "out of memory" in caught.value.hint
        assert len(list((tmp_path / "work").glob("*.witness.json"))) == 1
        assert killed
        assert until(lambda: not set(killed) & set(strays()))
        proof, _seconds = circuit.prove(packed, output, context=CONTEXT, progress=silent)
        circuit.verify(packed, output, proof, context=CONTEXT)
    assert strays() == []


def test_prove__memory_limit_beside_a_proof_that_fits__only_the_large_one_is_refused(relu: Lab, tmp_path):
    """Each worker has a limit of its own; passing it ends that worker and no other."""
    packed = relu.system.quantize_input(relu.bundle, SAMPLES[5])
    found: dict[str, object] = {}

    def work(name: str, limit_mib: int) -> None:
        with opened(relu, tmp_path / name, memory_limit_mib=limit_mib) as circuits:
            [circuit] = circuits.circuits
            try:
                found[name] = len(circuit.prove_any(packed, context=CONTEXT, progress=silent).proof)
            except ProverLimitError as error:
                found[name] = error.context["limit"]

    in_threads(lambda: work("large", 4096), lambda: work("small", 24))
    assert found == {"large": relu.bundle.manifest.proof_bytes, "small": "memory"}
    assert strays() == []


def test_spares__taken_killed_and_closed__always_one_that_answers_and_none_left():
    """A spare serves one request, is replaced, and a dead one is never handed out."""
    spares = SpareChildren(1)
    spares.warm(FLAVOUR)
    assert until(lambda: spares.waiting(FLAVOUR) == 1)
    child = spares.take(FLAVOUR)
    request = b'{"call": "float_to_felt", "arguments": {"values": [1.0], "scale_bits": 7}}'
    result = child.run(request, ChildOptions(), time.monotonic())
    assert result.stdout == b'{"value": ["128"]}'
    assert until(lambda: spares.waiting(FLAVOUR) == 1)
    assert until(lambda: len(strays()) == 2)
    for pid in strays():
        os.kill(pid, signal.SIGKILL)
    assert until(lambda: strays() == [])
    child = spares.take(FLAVOUR)
    assert child.run(request, ChildOptions(), time.monotonic()).stdout == b'{"value": ["128"]}'
    assert spares.waiting(Flavour()) == 0
    spares.close()
    spares.close()
    assert until(lambda: strays() == [])


def test_fast_keys__proof__made_from_the_copy_which_is_private(relu: Lab, tmp_path):
    """The key is copied once, readable by this user alone, under the name of its digest."""
    folder = tmp_path / "shm"
    keys = FastKeys(folder)
    copy = keys.proving_key(relu.bundle)
    assert copy.parent == folder
    assert copy.stem == relu.bundle.manifest.files["proving_key"].digest.removeprefix("sha256:")
    assert (folder.stat().st_mode & 0o777, copy.stat().st_mode & 0o777) == (0o700, 0o600)
    before = copy.stat().st_ino
    system = open_system("ezkl", machine=ProvingMachine(fast_keys=keys))
    proof = system.prove(relu.bundle, relu.witness).proof
    assert len(bytes.fromhex(proof.proof[2:])) == relu.bundle.manifest.proof_bytes
    assert copy.stat().st_ino == before


def test_fast_keys__spoiled_copy__is_made_again(relu: Lab, tmp_path):
    """What lies there is hashed before it is used: another key under the name is thrown away."""
    keys = FastKeys(tmp_path / "shm")
    copy = keys.proving_key(relu.bundle)
    good = copy.read_bytes()
    copy.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    assert keys.proving_key(relu.bundle) == copy
    assert copy.read_bytes() == good


def test_fast_keys__no_room__the_bundles_own_file(relu: Lab, tmp_path, monkeypatch):
    """A full memory file system makes nothing impossible."""
    monkeypatch.setattr(fast_keys, "_SPARE_BYTES", 1 << 60)
    keys = FastKeys(tmp_path / "shm")
    assert keys.proving_key(relu.bundle) == relu.bundle.file("proving_key")
    assert list((tmp_path / "shm").iterdir()) == []


def test_fast_keys__unused_for_a_day__removed(relu: Lab, tmp_path):
    """Keys that nobody asks for, and halves of copies, do not fill the memory for ever."""
    keys = FastKeys(tmp_path / "shm")
    copy = keys.proving_key(relu.bundle)
    half = tmp_path / "shm" / "half.partial"
    half.touch()
    assert keys.remove_stale() == []
    long_ago = time.time() - fast_keys.STALE_SECONDS - 60
    os.utime(copy.with_suffix(".used"), (long_ago, long_ago))
    os.utime(half, (long_ago, long_ago))
    assert sorted(keys.remove_stale()) == sorted([copy, half])
    assert list((tmp_path / "shm").iterdir()) == []


def test_fast_keys__folder_that_others_may_enter__refused(tmp_path):
    """A folder in which somebody else can put files is no place for keys."""
    folder = tmp_path / "shm"
    folder.mkdir(mode=0o755)
    with pytest.raises(ConfigError, match="this user alone"):
        FastKeys(folder)
    target = tmp_path / "target"
    target.mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(ConfigError, match="this user alone"):
        FastKeys(tmp_path / "link")
