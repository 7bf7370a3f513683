"""Calibration's arithmetic: rows, probes, budgets; and the canonical form of settings."""

import json
import random
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from circuits.ezkl.calibrate import (
    choose_samples,
    error_limit,
    is_within_budget,
    least_logrows,
    measure_fidelity,
    probes_of,
    with_headroom,
)
from circuits.ezkl.settings import CircuitSettings, RunArguments, canonicalize_settings, parse_settings
from circuits.measurements import Measurements
from circuits.port import ErrorBudget
from circuits.systems import open_system
from zkml.adapters.ezkl.process import shorten
from zkml.core.digests import Digest
from zkml.core.tensors import InputDomain
from zkml.errors import CalibrationError, CircuitError, FormatError, UnsuitableCircuitError

SETTINGS = CircuitSettings(
    arguments=RunArguments(),
    input_shape=(1, 4),
    output_shape=(1, 3),
    input_scale_bits=7,
    output_scale_bits=7,
    num_rows=100,
    range_checks=((-1, 1), (0, 127)),
    has_lookups=False,
    other_rows=0,
)

DOCUMENT = {
    "run_args": {
        "input_scale": 7,
        "param_scale": 7,
        "decomp_base": 128,
        "decomp_legs": 3,
        "logrows": 9,
        "num_inner_cols": 2,
        "lookup_range": [-10, 10],
        "input_visibility": "Public",
        "output_visibility": "Public",
        "param_visibility": "Fixed",
        "disable_freivalds": False,
    },
    "module_sizes": {"polycommit": [], "poseidon": [0, [0]]},
    "num_rows": 50,
    "model_instance_shapes": [[1, 4], [1, 3]],
    "model_input_scales": [7],
    "model_output_scales": [7],
    "required_lookups": [{"Sigmoid": {"scale": 128}}, {"Exp": {"scale": 2}}, "Abs"],
    "required_range_checks": [[0, 127], [-1, 1], [0, 3]],
    "total_dynamic_col_size": 0,
    "total_shuffle_col_size": 0,
    "version": "23.0.5",
    "timestamp": 1795224687363,
}


def document(**changes) -> bytes:
    return json.dumps(DOCUMENT | changes).encode()


def test_canonicalize__any_order__one_form():
    """Every order of the two lists, and every timestamp, give one canonical form."""
    forms = set()
    shuffler = random.Random(7)
    for timestamp in range(20):
        lists = {name: list(DOCUMENT[name]) for name in ("required_lookups", "required_range_checks")}
        for values in lists.values():
            shuffler.shuffle(values)
        forms.add(canonicalize_settings(document(timestamp=timestamp, **lists)))
    assert len(forms) == 1
    (form,) = forms
    assert canonicalize_settings(form) == form
    assert json.loads(form)["timestamp"] == 0


@pytest.mark.parametrize("data", [b"{}", b"[]", b"junk", b'{"required_lookups":3}'])
def test_canonicalize__no_settings__format_error(data):
    """What is no settings file has no canonical form."""
    with pytest.raises(FormatError):
        canonicalize_settings(data)


@pytest.mark.parametrize(
    ("name", "value"),
    [("input_visibility", "Private"), ("output_visibility", "Hashed"), ("param_visibility", "Private")],
)
def test_parse__hidden_side_or_unbound_weights__unsuitable(name, value):
    """Settings with a private side, or weights that nothing binds, are refused."""
    with pytest.raises(UnsuitableCircuitError, match=name):
        parse_settings(document(run_args=DOCUMENT["run_args"] | {name: value}))


@pytest.mark.parametrize(
    "change",
    [
        {"version": "22.0.0"},
        {"model_instance_shapes": [[1, 4], [1, 4], [1, 3]], "model_input_scales": [7, 7]},
        {"model_instance_shapes": 3},
        {"num_rows": "many"},
        {"run_args": {}},
        {"run_args": None},
    ],
)
def test_parse__other_version_or_form__format_error(change):
    """Settings of another version, of several inputs, or malformed are refused."""
    with pytest.raises(FormatError):
        parse_settings(document(**change))


def test_parse__good__fields():
    """The parsed settings say what the file says."""
    found = parse_settings(document())
    assert (found.input_count, found.output_count, found.has_lookups) == (4, 3, True)
    assert found.arguments.lookup_range == (-10, 10)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 8),
        ({"num_rows": 6280}, 13),
        ({"num_rows": 8192 - 16}, 13),
        ({"num_rows": 8192 - 15}, 14),
        ({"num_rows": 1, "range_checks": ((0, 16383),)}, 15),
        ({"num_rows": 1, "range_checks": ((-1, 1),)}, 6),
        ({"input_shape": (1, 784)}, 10),
        ({"other_rows": 3000}, 12),
    ],
)
def test_least_logrows__holds_rows_tables_and_instances(changes, expected):
    """The least power of two that holds the largest of rows, tables and instances is taken."""
    assert least_logrows(replace(SETTINGS, **changes)) == expected


def test_least_logrows__wide_lookup__spread_over_few_columns():
    """A lookup table of 2^16 needs 2^15 rows or fewer, not 2^17."""
    arguments = replace(SETTINGS.arguments, lookup_range=(-32768, 32767))
    assert least_logrows(replace(SETTINGS, arguments=arguments, has_lookups=True)) == 15


def test_least_logrows__too_many_rows__calibration_error():
    """A model beyond every SRS is refused with a sentence."""
    with pytest.raises(CalibrationError):
        least_logrows(replace(SETTINGS, num_rows=1 << 25))


@pytest.mark.parametrize(("logrows", "base"), [(8, 128), (9, 256), (13, 4096), (15, 16384), (20, 16384)])
def test_headroom__rows_that_are_there_anyway__filled(logrows, base):
    """The largest base whose table fits the rows is taken, never a smaller one than was needed."""
    arguments = replace(SETTINGS.arguments, logrows=logrows)
    assert with_headroom(arguments).decomp_base == base
    assert with_headroom(replace(arguments, decomp_base=16384)).decomp_base == 16384


@pytest.mark.parametrize(("low", "high"), [(0, 128), (-128, 128), (5, 5), (-300, -2), (0, (1 << 32) - 1)])
def test_probes__any_domain__inside_with_corners(low, high):
    """Probes lie in the domain and include its corners."""
    domain = InputDomain(low, high)
    probes = probes_of(domain, 5)
    domain.check(probes)
    rows = {tuple(row) for row in probes.tolist()}
    assert {(low,) * 5, (high,) * 5, (low, high, low, high, low)} <= rows


def test_fidelity__known_outputs__measured():
    """Error and agreement are those of the definition."""
    reference = np.array([[1.0, 0.0], [0.0, 1.0]])
    found = measure_fidelity(np.array([[0.9, 0.0], [0.6, 0.5]]), reference)
    assert found.max_abs_error == pytest.approx(0.6)
    assert found.mean_abs_error == pytest.approx(0.3)
    assert found.argmax_agreement == 0.5


def test_budget__either_bound__counts():
    """A budget is kept only when both the error and the agreement are."""
    reference = np.array([[10.0, 0.0]])
    close = measure_fidelity(np.array([[9.9, 0.0]]), reference)
    assert is_within_budget(close, ErrorBudget(), reference)
    assert not is_within_budget(close, ErrorBudget(max_abs_error=0.05), reference)
    flipped = close.model_copy(update={"argmax_agreement": 0.5})
    assert not is_within_budget(flipped, ErrorBudget(), reference)
    assert error_limit(ErrorBudget(), reference) == pytest.approx(0.2)


def test_choose_samples__many__spread_and_deterministic():
    """At most 64 samples are taken, from the first to the last."""
    data = np.arange(1000.0).reshape(1000, 1, 1)
    chosen = choose_samples(data)
    assert chosen.shape == (64, 1)
    assert (chosen[0], chosen[-1]) == (0.0, 999.0)


def test_measurements__kept_and_averaged__and_junk_is_empty(tmp_path):
    """A prediction follows the measurements; a corrupt file only means that nobody knows."""
    path, circuit = tmp_path / "cache" / "measurements.json", Digest("sha256:" + "0" * 64)
    assert Measurements(path).expected_seconds(circuit, "prove") is None
    Measurements(path).record(circuit, "prove", 2.0)
    Measurements(path).record(circuit, "prove", 4.0)
    assert Measurements(path).expected_seconds(circuit, "prove") == 3.0
    path.write_bytes(b"\xff")
    assert Measurements(path).expected_seconds(circuit, "prove") is None
    in_memory = Measurements()
    in_memory.record(circuit, "prove", 1.0)
    assert in_memory.expected_seconds(circuit, "prove") == 1.0


def test_open_system__unknown__circuit_error():
    """A proof system that this version does not know is refused by name."""
    with pytest.raises(CircuitError, match="groth16"):
        open_system("groth16")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Failed to run prove: [pfsys] failed to load pk from file", "failed to load pk from file"),
        ("[halo2] Multi-opening proof was invalid", "Multi-opening proof was invalid"),
        ("two\nlines", "two lines"),
        ("", "no words"),
    ],
)
def test_shorten__ezkl_words__one_line(words, expected):
    """EZKL's words come out on one line without its modules' names."""
    assert shorten(words) == expected


def test_verification__imported__loads_no_proving_code():
    """Whoever verifies imports neither ezkl nor a system's prove, witness or compile."""
    program = (
        "import sys, circuits.verification, circuits.ezkl.verify;"
        "bad = {'ezkl', 'circuits.ezkl.prove', 'circuits.ezkl.witness', 'circuits.ezkl.compile',"
        " 'circuits.systems', 'onnxruntime', 'torch'} & set(sys.modules);"
        "sys.exit(str(bad) if bad else 0)"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
