"""What the benchmarks make of the values that they measure."""

import math
import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.figures import percentile, read_metrics, show_table, slope_per_hour, total, trend_of
from prover_nodes.metrics import PrometheusObserver


@pytest.mark.parametrize(
    ("percent", "expected"), [(0, 1), (1, 2), (50, 100), (50.5, 101), (99, 198), (100, 200)]
)
def test_percentile__200_values__is_the_nearest_rank(percent, expected):
    """The least value that so many percent are not above, in whatever order they come."""
    values = list(range(1, 201))
    random.Random(3).shuffle(values)
    assert percentile(values, percent) == expected


def test_percentile__of_nothing__is_no_number():
    """A run without values shows a gap, and does not fail."""
    assert math.isnan(percentile([], 50))


def test_slope__half_a_mebibyte_in_a_minute__is_30_in_an_hour():
    """Seconds go in, hours come out."""
    assert slope_per_hour([(0, 100.0), (60, 100.5), (120, 101.0)]) == pytest.approx(30)
    assert math.isnan(slope_per_hour([(7, 1.0), (7, 2.0)]))


def points(value_at):
    return [(second, value_at(second)) for second in range(0, 1800, 2)]


def test_trend__grows_while_it_starts_and_then_stays__is_flat():
    """Imports and caches of the first third say nothing of a leak."""
    found = trend_of(points(lambda second: min(140.0, 100 + second / 10)), around=5.0)
    assert found.is_flat
    assert found.per_hour == 0
    assert (found.thirds[0].least, found.thirds[0].most, found.thirds[2].median) == (100, 140, 140)


@pytest.mark.parametrize(("per_hour", "is_flat"), [(20, True), (60, False), (-60, False)])
def test_trend__steady_growth__is_flat_only_below_the_step_between_two_thirds(per_hour, is_flat):
    """60 MiB an hour are 10 between the medians of two thirds of half an hour, on 140: a leak."""
    found = trend_of(points(lambda second: 140 + per_hour * second / 3600), around=5.0)
    assert found.is_flat is is_flat
    assert found.per_hour == pytest.approx(per_hour)


def test_trend__growth_by_3_percent_of_much__is_flat():
    """Beside the step, 5 % of the middle third's median count as none: 30 MiB of 1000 do, 60 do not."""
    for step, is_flat in ((30, True), (60, False)):
        grows = points(lambda second, step=step: 1000 + step * second / 600)
        assert trend_of(grows, around=5.0).is_flat is is_flat


def test_trend__peaks_of_proofs__do_not_count():
    """The median decides: what is there for a moment is no leak."""
    assert trend_of(points(lambda second: 900.0 if second % 10 == 0 else 50.0), around=5.0).is_flat


def test_trend__a_third_without_values__is_refused():
    """A node that could not be looked at for ten minutes gets no verdict."""
    with pytest.raises(ValueError, match="each third"):
        trend_of([(0, 1.0), (1, 1.0), (90, 1.0)], around=1.0)


METRICS = """\
# HELP zkml_prover_stage_duration_seconds Stages that ended well.
# TYPE zkml_prover_stage_duration_seconds histogram
zkml_prover_stage_duration_seconds_sum{circuit="layer@00ff00ff",stage="prove"} 12.5
zkml_prover_stage_duration_seconds_sum{circuit="other",stage="prove"} 0.5
zkml_prover_stage_duration_seconds_sum{circuit="layer@00ff00ff",stage="witness"} 2.0
zkml_prover_chain_head_block 1.7e+03
"""


def test_metrics__prometheus_text__sums_what_has_the_labels():
    """Samples are added up over the labels that were not asked for."""
    metrics = read_metrics(METRICS)
    name = "zkml_prover_stage_duration_seconds_sum"
    assert total(metrics, name, stage="prove") == 13
    assert total(metrics, name) == 15
    assert total(metrics, "zkml_prover_chain_head_block") == 1700
    assert total(metrics, name, stage="settle") == 0


def test_metrics__of_the_nodes_own_observer__are_read():
    """The names that the load test asks for are those that a node shows."""
    observer = PrometheusObserver()
    observer.stage_finished("prove", "layer@00ff00ff", 1.5)
    observer.work_settled("job", fee=1, gas=2, seconds=3)
    observer.work_skipped("job", "claimed-by-other")
    metrics = read_metrics(observer.render()[0].decode())
    assert total(metrics, "zkml_prover_stage_duration_seconds_sum", stage="prove") == 1.5
    assert total(metrics, "zkml_prover_work_settled_total", kind="job") == 1
    assert total(metrics, "zkml_prover_work_skipped_total", kind="job", code="claimed-by-other") == 1


def test_table__columns__are_as_wide_as_their_widest_cell():
    """The first column is text, the others are numbers."""
    assert show_table([["nodes", "s"], ["1", "10.5"], ["2", "7"]]) == "nodes     s\n1      10.5\n2         7"
