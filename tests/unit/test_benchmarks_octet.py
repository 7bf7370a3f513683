"""The arithmetic of `python -m benchmarks octet`: what a program costs, how curves grow, and the plot."""

import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.octet import comparison
from benchmarks.octet_batches import Batch
from benchmarks.octet_batches import show as show_batches
from benchmarks.octet_growth import Grown, exponent, show
from benchmarks.octet_model import FULL_BITS, PHASES, Work, active_rows, additions, count, products_of_row
from benchmarks.octet_phases import Phase, Phases
from benchmarks.octet_runs import Measured
from benchmarks.plot import Series, log_plot
from circuits.octet.program import Program
from circuits.octet.tensors import Block, Input, Output, VkTensor
from circuits.octet.terms import Axis, Contract, Linear, Relation, Source, WeightAxis

MEBIBYTE = 1 << 20


def gemm(outputs: int, inputs: int) -> Program:
    """Return one layer: outputs by inputs weights, a bias, bytes out, and their sum as public output."""
    weight = Contract(
        Source("block", "x"),
        (Axis(None, 0, 1, taps=inputs),),
        "w",
        (WeightAxis(out=0), WeightAxis(source=0)),
    )
    bias = Linear(Source("vk", "b"), 1, (Axis(0, 0, outputs),))
    shown = Linear(Source("block", "y"), 1, (Axis(0, 0, outputs),))
    return Program(
        version=2,
        nu=10,
        shift=24,
        saturation=1,
        slots=0,
        inputs=(Input("x", (inputs,)),),
        outputs=(Output("out", "int32", (outputs,)),),
        blocks=(Block("y", 0, (outputs,)), Block("x", inputs, (inputs,))),
        vk_columns=1,
        vk_tensors=(VkTensor("w", 0, 0, (outputs, inputs)), VkTensor("b", 0, 768, (outputs,))),
        tables=(),
        relations=(
            Relation("input", "x", "", (), input="x"),
            Relation("requant", "y", "", (weight, bias)),
            Relation("public", "", "out", (shown,)),
        ),
    )


def test_work__products_and_points__take_their_time_at_the_rates():
    """Products go by their rate, each multiplication by its own measured time, and both add up."""
    work = Work(products=3_000_000, multiplications=[(100, 8), (50, FULL_BITS)])
    times = {(100, 8): 0.25, (50, FULL_BITS): 0.5}
    assert work.seconds(1e6, lambda points, bits: times[points, bits]) == pytest.approx(3.75)


def test_active_rows__of_a_layer__end_behind_the_bias_that_is_read():
    """Weights of a product need no row of the first sum; a bias does, as far up as it lies."""
    assert active_rows(gemm(16, 16)) == 768 + 16


def test_count__of_a_layer__has_every_phase_and_the_columns_commitments():
    """Y, P, N and three R are bytes of both blocks' 32 rows; the opening has two long products and six short."""
    work = count(gemm(16, 16))
    assert tuple(work) == PHASES
    assert work["first commitments"].multiplications[:-1] == [(32, 8)] * 6
    assert work["second commitments"].multiplications == [(256, FULL_BITS)] * 3
    assert work["opening"].multiplications == [
        (1024 - 32, FULL_BITS),
        (1024, FULL_BITS),
        *[(32, FULL_BITS)] * 6,
    ]
    assert work["claims"].products == 0


def test_count__twice_the_inputs__walks_twice_the_weights():
    """The weights are read once for the table of a product, and each input cell once for its words."""
    small, large = (count(gemm(16, size))["wiring"].products for size in (16, 32))
    assert large - small == 16 * 16 + 16


def test_count__second_sum_of_a_layer__takes_the_key_column_four_times():
    """Five a row for F; 272 cells join F, 256 weights and 16 inputs meet functionals, all of Y and K0 is folded."""
    assert count(gemm(16, 16))["second sum"].products == 5 * 1024 + 272 + 256 + 16 + 2 * (272 + 32)


def test_products_of_row__six_limbs__are_those_of_the_page():
    """Four limbs take 6 products and two take 2; saturation 2, the remainder and 2^S 4; the sum 6; Y and K0 2."""
    assert products_of_row(gemm(16, 16)) == 6 + 2 + 2 + 4 + 6 + 2


@pytest.mark.parametrize(
    ("points", "bits", "expected"), [(1, 1, 1), (1 << 14, 8, (1 << 14) + 2 * 255), (1 << 14, 254, 446_464)]
)
def test_additions__of_a_bucket_method__are_the_fewest_of_all_windows(points, bits, expected):
    """Bytes of many points take one window; 2^14 full scalars 22 signed ones of 12 bits."""
    assert additions(points, bits) <= expected
    assert additions(points, bits) >= points


def test_phases__small_shares__show_no_ratio():
    """Where what is not counted is most of a phase, a ratio would say nothing; the network's sum has one."""
    rows = (Phase("net", "opening", 0.098, 0.049), Phase("net", "claims", 0.002, 0.0001))
    lines = Phases(("rate",), rows).show().splitlines()
    assert [line.split() for line in lines[3:]] == [
        ["net", "100.0", "49.1", "2.04"],
        ["opening", "98.0", "49.0", "2.00", "98%"],
        ["claims", "2.0", "0.1", "2%"],
    ]


def measured(seconds: float, mebibytes: int) -> Measured:
    """Return three runs of which the middle one takes so long, half of it the witness."""
    runs = tuple(factor * seconds / 2 for factor in (3, 1, 0.5))
    return Measured(14, runs, runs, (0.004, 0.006), mebibytes * MEBIBYTE)


def test_comparison__of_both_systems__divides_the_middle_runs():
    """A ratio is EZKL's over OCTET's; a network that EZKL did not prove has none."""
    table = comparison([("a", measured(20, 1000), measured(0.1, 80)), ("b", None, measured(0.1, 80))])
    first, second = (line.split() for line in table.splitlines()[1:])
    assert first == ["a", "2^14", "2^14", "0.100", "20.0", "1/200", "80", "1000", "1/12.5", "5.0", "5"]
    assert second == ["b", "2^14", "-", "0.100", "-", "-", "80", "-", "-", "5.0", "-"]


def test_exponent__of_powers__is_theirs():
    """Linear is 1, whatever the factor, and rows times their square root is 1.5."""
    logs = range(10, 22, 2)
    assert exponent([(k, 7 * 2.0**k) for k in logs]) == pytest.approx(1)
    assert exponent([(k, 2.0 ** (1.5 * k)) for k in logs]) == pytest.approx(1.5)


def test_growth__small_sizes__do_not_count_for_the_exponent():
    """What every proof costs hides the growth below 2^14 rows."""
    sizes = [Grown(10, 1, 1.0, MEBIBYTE), *(Grown(k, 1, 2.0**k, MEBIBYTE << k) for k in (14, 16, 18))]
    assert show(sizes).endswith("from 2^14 on: time of a proof ~ rows^1.00, memory ~ rows^1.00")


def test_plot__of_two_series__is_an_svg_that_names_the_solid_one():
    """It parses, each series has a line with a point per place, and a dashed one no entry in the legend."""
    series = [Series("time <s>", [1.0, 10.0, 100.0]), Series("linear", [1.0, 5.0, 25.0], dashed=True)]
    root = ET.fromstring(log_plot([10, 12, 14], series, title="t", across="rows"))
    space = "{http://www.w3.org/2000/svg}"
    lines = [line.attrib["points"].split() for line in root.iter(f"{space}polyline")]
    texts = [text.text for text in root.iter(f"{space}text")]
    assert [len(line) for line in lines] == [3, 3]
    assert "time <s>" in texts
    assert "linear" not in texts
    heights = [float(point.split(",")[1]) for point in lines[0]]
    assert heights[0] - heights[1] == pytest.approx(heights[1] - heights[2], abs=0.2)


@pytest.mark.parametrize("values", [[1.0], [1.0, 0.0]])
def test_plot__values_it_cannot_show__are_refused(values):
    """A logarithm wants positive numbers, and a line as many as there are places."""
    with pytest.raises(ValueError, match="expected"):
        log_plot([1, 2], [Series("a", values)], title="t", across="x")


def test_batches__table__says_what_one_input_of_each_proof_costs():
    """A proof of 16 inputs in 368 ms and a witness in 32 are 25 ms each."""
    table = show_batches([Batch("net (a)", 16, 16, 1, 6272, 0.032, 0.368, 0.013)])
    assert table.splitlines()[-1].split("  ")[-1].strip() == "13.0"
    assert " 25.0 " in table
    assert "2^16" in table
