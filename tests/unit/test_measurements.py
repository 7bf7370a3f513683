"""What stages took is remembered by several threads and processes at once, and never gets in the way."""

import json
import subprocess
import sys
import threading

import pytest

from circuits.measurements import Measured, Measurements
from zkml.core.digests import digest_of

CIRCUIT = digest_of(b"circuit")
OTHER = digest_of(b"another")

RECORD = """
import sys
from pathlib import Path
from circuits.measurements import Measurements
for number in range(10):
    Measurements(Path(sys.argv[1])).record(sys.argv[2], f"{sys.argv[3]}-{number}", 1.0, peak_bytes=5)
"""


def test_record__threads_and_processes_at_once__nothing_is_lost(tmp_path):
    """Two processes and four threads that record into one file each find all of theirs in it."""
    path = tmp_path / "measurements.json"
    children = [
        subprocess.Popen([sys.executable, "-c", RECORD, str(path), CIRCUIT, name]) for name in ("p", "q")
    ]
    shared = Measurements(path)
    threads = [
        threading.Thread(
            target=lambda name=name: [shared.record(CIRCUIT, f"{name}-{n}", 1.0) for n in range(10)]
        )
        for name in "abcd"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [child.wait() for child in children] == [0, 0]
    stages = [f"{name}-{number}" for name in "abcdpq" for number in range(10)]
    assert [stage for stage in stages if shared.find(CIRCUIT, stage) is None] == []
    assert [path.name for path in tmp_path.iterdir() if "lock" not in path.name] == ["measurements.json"]


def test_record__several_runs__latest_counts_half_and_the_largest_peak_stays():
    """Seconds are an average that follows the machine; memory is the most that was ever seen."""
    known = Measurements()
    for seconds, peak in ((4.0, 100), (2.0, 300), (2.0, None)):
        known.record(CIRCUIT, "prove", seconds, peak_bytes=peak)
    assert known.find(CIRCUIT, "prove") == Measured(2.5, 300, 3, "cpu")
    assert known.expected_seconds(CIRCUIT, "prove") == 2.5
    assert known.expected_peak_bytes(CIRCUIT, "prove") == 300


def test_find__another_device_or_stage__is_unknown():
    """A proof on a GPU says nothing about one on the processor."""
    known = Measurements()
    known.record(CIRCUIT, "prove", 1.0, peak_bytes=10, device="gpu")
    assert known.find(CIRCUIT, "prove") is None
    assert known.find(CIRCUIT, "prove", "gpu") == Measured(1.0, 10, 1, "gpu")
    assert known.expected_peak_bytes(CIRCUIT, "witness") is None


def test_find__file_of_the_first_version__seconds_are_taken_over(tmp_path):
    """The first version kept seconds alone, by circuit and stage; nonsense beside them is ignored."""
    path = tmp_path / "measurements.json"
    path.write_text(
        json.dumps({f"{CIRCUIT}/prove": 3.5, f"{CIRCUIT}/x": "long", f"{CIRCUIT}/y": {"runs": 1}})
    )
    known = Measurements(path)
    assert known.find(CIRCUIT, "prove") == Measured(3.5, None, 1, "cpu")
    assert known.find(CIRCUIT, "x") is None
    assert known.find(CIRCUIT, "y") is None


def test_forget__one_circuit_on_one_device__leaves_the_others(tmp_path):
    """A calibration from scratch forgets its own circuit and no other."""
    known = Measurements(tmp_path / "measurements.json")
    for circuit, device in ((CIRCUIT, "cpu"), (CIRCUIT, "ray-cpu"), (OTHER, "cpu")):
        known.record(circuit, "prove", 1.0, device=device)
    known.forget(CIRCUIT, "ray-")
    assert known.find(CIRCUIT, "prove", "ray-cpu") is None
    known.forget(CIRCUIT)
    assert known.find(CIRCUIT, "prove") is None
    assert known.find(OTHER, "prove") is not None


def test_record__folder_cannot_be_written__is_no_error(tmp_path):
    """Losing a measurement costs nothing, so a full or forbidden disk stops no proof."""
    blocker = tmp_path / "file"
    blocker.write_bytes(b"")
    known = Measurements(blocker / "below" / "measurements.json")
    known.record(CIRCUIT, "prove", 1.0)
    assert known.expected_seconds(CIRCUIT, "prove") == 1.0


@pytest.mark.parametrize(("seconds", "least", "expected"), [(9, 4, 6.0), (5, 2, 5.5), (20, 10, 8.0)])
def test_record__made_beside_others__only_bounds_what_it_takes_alone(seconds, least, expected):
    """Six seconds were known: a crowded run that took 9, or 4 alone at least, agrees; others pull towards them."""
    known = Measurements()
    known.record(CIRCUIT, "prove", 6.0)
    known.record(CIRCUIT, "prove", seconds, least_seconds=least)
    assert known.expected_seconds(CIRCUIT, "prove") == expected


def test_record__first_run_was_crowded__its_whole_time_is_believed():
    """Nothing better is known, and to promise too little harms nobody."""
    known = Measurements()
    known.record(CIRCUIT, "prove", 9.0, least_seconds=4.0)
    assert known.expected_seconds(CIRCUIT, "prove") == 9.0
