"""How many proofs a node makes at once, where nobody says."""

import pytest

from prover_nodes.workers import count
from zkml.config.settings import ProverSettings


@pytest.mark.parametrize(
    ("settings", "processors", "expected"),
    [
        ({}, 2, 2),
        ({}, 64, 2),
        ({}, 1, 1),
        ({"gpu_binary": "/opt/ezkl-gpu"}, 16, 1),
        ({"ray_address": "auto"}, 16, 1),
        ({"workers": 1}, 16, 1),
        ({"workers": 5, "ray_address": "auto"}, 1, 5),
    ],
)
def test_proofs_at_once(monkeypatch, settings, processors, expected):
    """Two where processors make them, one where a single processor, a GPU or a cluster does; or what is asked for."""
    monkeypatch.setattr(count, "_processors", lambda: processors)
    assert count.proofs_at_once(ProverSettings(**settings)) == expected


def test_processors__fewer_given_than_there_are__are_what_counts(monkeypatch):
    """A container with one processor of many makes one proof at a time."""
    monkeypatch.setattr(count.os, "sched_getaffinity", lambda pid: {3}, raising=False)
    assert count.proofs_at_once(ProverSettings()) == 1
