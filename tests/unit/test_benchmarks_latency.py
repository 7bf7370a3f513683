"""The latency benchmark: its inputs, and how its table shows what was measured."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.latency import JobLatency, Latency, parse, table
from benchmarks.traded_model import MODELS


@pytest.mark.parametrize("name", MODELS)
def test_inputs__of_a_model__fit_it_and_are_the_same_for_the_same_seed(name):
    """Both systems are asked the same, and nothing that a circuit's domain leaves out."""
    model = MODELS[name]
    drawn = model.draw(5, seed=3)
    assert drawn.shape == (5, model.elements)
    assert (drawn >= model.domain[0]).all()
    assert (drawn <= model.domain[1]).all()
    assert np.array_equal(drawn, model.draw(5, seed=3))
    assert len({row.tobytes() for row in (*drawn, *model.draw(5, seed=4))}) == 10


def test_table__of_two_systems__has_a_line_for_each():
    """Rows are a power of two, seconds have two digits, a proof three, gas none."""
    job = JobLatency(jobs=3, settled_p50=1.25, settled_p99=2.5, prove_mean=0.0125, gas=470_000)
    found = [
        Latency("layer", system, 1 << 9, 0.5, 0.75, 1.0, 1.5, 480_000, job) for system in ("one", "other")
    ]
    heading, first, second = table(found).splitlines()
    assert heading.split()[:4] == ["model", "system", "rows", "prove"]
    cells = ["2^9", "0.013", "0.50", "0.75", "1.00", "1.50", "1.25", "2.50", "480000", "470000"]
    assert first.split() == ["layer", "one", *cells]
    assert second.split() == ["layer", "other", *cells]


def test_options__unknown_model__is_refused(capsys):
    """What can be measured is named."""
    with pytest.raises(SystemExit):
        parse(["--models", "lenet"])
    assert "demo-cnn" in capsys.readouterr().err
