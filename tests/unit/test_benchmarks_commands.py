"""`python -m benchmarks`: which questions there are, and who takes options; and samples of a process."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.process_samples import MEBIBYTE, SampleFile, Sampler

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["laod"],
            "expected one of demo, gas, latency, load, octet, octet_fidelity, octet_unrolled, soak, throughput, verifiers, found laod",
        ),
        (
            ["demo", "--jobs", "3"],
            "expected options after one of gas, latency, load, octet, octet_fidelity, octet_unrolled, soak, found --jobs",
        ),
        (
            ["--minutes", "1"],
            "expected options after one of gas, latency, load, octet, octet_fidelity, octet_unrolled, soak, found --minutes",
        ),
        (
            ["load", "soak", "--json"],
            "expected options after one of gas, latency, load, octet, octet_fidelity, octet_unrolled, soak, found --json",
        ),
    ],
)
def test_benchmarks__a_question_that_is_none_or_an_option_of_nobody__is_refused(arguments, expected):
    """Nothing is measured, and the message names what there is."""
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert expected in ran.stderr


def test_sampler__journal_with_its_log__counts_all_files_since_the_start(tmp_path):
    """What the journal keeps of a piece of work counts from the run's beginning, with SQLite's own files."""
    journal = tmp_path / "journal.sqlite"
    journal.write_bytes(bytes(MEBIBYTE))
    sampler = Sampler(os.getpid(), journal)
    (tmp_path / "journal.sqlite-wal").write_bytes(bytes(2 * MEBIBYTE))
    (tmp_path / "other.sqlite").write_bytes(bytes(MEBIBYTE))
    sample = sampler.sample(settled=4)
    assert (sample.journal_mib, sample.journal_kib_per_piece) == (3, 512)
    assert sampler.sample(settled=0).journal_kib_per_piece == 0


def test_sampler__memory_of_children__is_counted_beside_the_nodes_own(tmp_path):
    """A child's memory is not the node's: what proves is not what leaks."""
    code = "data = bytes(range(256)) * 4096 * 64; print('ready', flush=True); input()"
    sampler = Sampler(os.getpid(), tmp_path / "none")
    before = sampler.sample(settled=0)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.readline() == "ready\n"
        during = sampler.sample(settled=0)
        child.communicate("\n")
    assert during.children == before.children + 1
    assert during.children_mib >= before.children_mib + 64
    assert during.rss_mib < before.rss_mib + 64


def test_sample_file__samples__are_lines_with_a_heading(tmp_path):
    """Each sample is on disk when it was taken: a run that is cut off leaves them."""
    path = tmp_path / "samples.csv"
    file, sampler = SampleFile(path), Sampler(os.getpid(), tmp_path / "none")
    taken = [sampler.sample(settled=number) for number in range(3)]
    for sample in taken:
        file.add(sample)
    with path.open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert [int(row["settled"]) for row in rows] == [0, 1, 2]
    assert float(rows[0]["rss_mib"]) == pytest.approx(taken[0].rss_mib, rel=1e-4)
