"""The public tensors have power-of-two scales, and lose nothing beyond the grid of the input."""

import numpy as np
import pytest
from small_onnx import INT8, UINT8, SmallModel

from circuits.float_model import float_outputs
from circuits.octet.compile.fixed_point import input_grid
from circuits.octet.compile.front import compile_network
from circuits.octet.compile.real_graph import Pin, RealInput
from circuits.octet.witness import make_witness
from circuits.port import ErrorBudget
from zkml.core.fixed_point import dequantize, quantize
from zkml.core.tensors import InputDomain
from zkml.errors import CompileError, DomainError, LayoutError

LOOSE = ErrorBudget(max_abs_error=1e9, min_argmax_agreement=0)
ENTRY = RealInput("x", (1, 4), None)


def published(compiled, reals):
    """Return the outputs of one real input, as a client reads them."""
    port = compiled.port
    elements = quantize(reals, port.input_scale_bits).ravel().tolist()
    witness = make_witness(compiled.lowered, port.bytes_of(elements))
    return dequantize(np.array(witness.outputs), port.output_scale_bits)


@pytest.mark.parametrize(
    ("domain", "bits", "offset"),
    [
        ((0.0, 1.0), 7, 0),
        ((0.0, 255.0), 0, 0),
        ((-1.0, 1.0), 6, 64),
        ((-128.0, 127.0), 0, 128),
        ((0.0, 0.0), 30, 0),
        ((-0.001, 0.0), 17, 131),
        ((3.0, 4.0), 5, 0),
        ((-4.0, -3.0), 5, 128),
    ],
)
def test_fixed_point__an_input_gets_the_finest_grid_of_256_integers(domain, bits, offset):
    """Zero is on the grid, both ends are, and twice as fine a grid would not fit into a byte."""
    grid = input_grid(ENTRY, domain)
    assert (grid.scale_bits, grid.offset) == (bits, offset)
    low, high = quantize(np.array(domain), bits).tolist()
    assert grid.domain == InputDomain(low, high)
    assert 0 <= low + offset <= high + offset <= 255


@pytest.mark.parametrize("domain", [(-200.0, 200.0), (0.0, 256.0), (0.0, float("inf")), (2.0, 1.0)])
def test_fixed_point__a_domain_that_no_byte_holds_is_refused(domain):
    """Coarser steps than 1 have no scale at the port."""
    with pytest.raises(CompileError, match=r"^expected .*, found "):
        input_grid(ENTRY, domain)


def test_fixed_point__codes_are_taken_as_they_are():
    """A model of integer codes reads its codes at scale 1, whatever it takes them to stand for."""
    grid = input_grid(RealInput("x", (1, 4), Pin(0.02, 120), 128), (-100.0, 90.0))
    assert (grid.scale_bits, grid.offset, grid.domain) == (0, 128, InputDomain(-100, 90))
    with pytest.raises(CompileError):
        input_grid(RealInput("x", (1, 4), Pin(0.02, 120), 0), (-1.0, 9.0))


def test_fixed_point__inputs_of_the_port_are_bounded():
    """What is outside of the domain, or not as many, never becomes a byte."""
    model = SmallModel((1, 3))
    compiled = compile_network(model.bytes(model.node("Relu", "x")), np.array([[-1.0, 0, 2]]), budget=LOOSE)
    port = compiled.port
    assert (port.domain.minimum, port.domain.maximum, port.input_offset) == (-64, 128, 64)
    assert port.bytes_of([-64, 0, 128])[port.input_name].tolist() == [[0, 64, 192]]
    assert port.layout.as_abi() == (3, 2, 3, 4)
    for elements in ([-65, 0, 0], [0, 0, 129]):
        with pytest.raises(DomainError):
            port.bytes_of(elements)
    with pytest.raises(LayoutError):
        port.bytes_of([0, 0])


@pytest.mark.parametrize("operator", ["Relu", "Sigmoid", "MaxPool", "Identity"])
def test_fixed_point__bytes_are_published_as_integers_without_loss(operator):
    """A block, a table's values, a maximum and the input itself: each output is exact in the byte it comes from."""
    model = SmallModel((1, 2, 4, 4))
    attributes = {"kernel_shape": [2, 2], "strides": [2, 2]} if operator == "MaxPool" else {}
    data = model.bytes(model.node(operator, "x", **attributes), rank=4)
    samples = np.random.default_rng(0).normal(size=(40, 1, 2, 4, 4))
    compiled = compile_network(data, samples, budget=LOOSE)
    (out,) = compiled.lowered.program.outputs
    assert out.kind == "int32"
    step = (
        max(tensor.scale for node in compiled.lowered.graph.nodes[:-1] for tensor in [node.output])
        if (compiled.lowered.graph.nodes[:-1])
        else 2.0**-compiled.port.input_scale_bits
    )
    grid = 2.0**-compiled.port.input_scale_bits
    for sample in samples[:5]:
        (wanted,) = float_outputs(data, sample[None])
        assert np.abs(published(compiled, sample) - wanted).max() <= (step + grid) / 2 * 1.01


@pytest.mark.parametrize(("byte", "kind"), [(np.uint8, UINT8), (np.int8, INT8)])
def test_fixed_point__codes_in_and_codes_out_are_the_models_own_integers(byte, kind):
    """A model from codes to codes is proved on exactly these integers."""
    info, model = np.iinfo(byte), SmallModel((1, 2, 4, 4), kind)
    last = model.node("MaxPool", "x", kernel_shape=[2, 2])
    data = model.bytes(last, kind=kind, rank=4)
    samples = np.random.default_rng(3).integers(info.min, info.max + 1, (20, 1, 2, 4, 4))
    samples[0, 0, 0, 0, :2] = info.min, info.max
    compiled = compile_network(data, samples)
    assert compiled.port.input_scale_bits == compiled.port.output_scale_bits == 0
    assert compiled.fidelity.max_abs_error == 0
    for sample in samples[:4]:
        (wanted,) = float_outputs(data, sample[None])
        assert published(compiled, sample).tolist() == wanted.tolist()


def test_fixed_point__codes_out_count_from_zero_whatever_stands_for_zero():
    """The model's own integers are published, not what lies above its zero point."""
    model = SmallModel((1, 6), UINT8)
    pair = model.const(np.float32(0.02)), model.const(np.uint8(120))
    real = model.node("Relu", model.node("DequantizeLinear", "x", *pair))
    last = model.node("QuantizeLinear", real, model.const(np.float32(0.03)), model.const(np.uint8(90)))
    data = model.bytes(last, kind=UINT8)
    samples = np.random.default_rng(6).integers(0, 256, (30, 1, 6))
    compiled = compile_network(data, samples)
    assert compiled.fidelity.max_abs_error <= 1
    (wanted,) = float_outputs(data, samples[:1])
    assert wanted.min() >= 90
    assert np.abs(published(compiled, samples[0]) - wanted).max() <= 1


def test_fixed_point__a_prescribed_input_scale_becomes_a_requantization():
    """A QDQ model of float inputs is proved behind a power-of-two grid, at most a step and a half away."""
    model, scale = SmallModel((1, 6)), np.float32(0.013)
    pair = model.const(scale), model.const(np.uint8(100))
    last = model.node("DequantizeLinear", model.node("QuantizeLinear", "x", *pair), *pair)
    data = model.bytes(last)
    samples = np.random.default_rng(1).uniform(-1.2, 1.9, (50, 1, 6))
    compiled = compile_network(data, samples)
    assert compiled.port.input_name == "x:given"
    assert compiled.fidelity.max_abs_error <= 1.5 * scale
    assert [block.name for block in compiled.lowered.program.blocks] == ["x:given", "x"]


def test_fixed_point__an_index_is_published_as_it_is():
    """An arg-max has no scale, and agrees with the float model's."""
    model = SmallModel((1, 8))
    data = model.bytes(model.node("ArgMax", "x", axis=1), kind=7)
    samples = np.random.default_rng(2).integers(0, 9, (30, 1, 8)) + np.arange(8) / 16
    compiled = compile_network(data, samples)
    assert compiled.port.argmax
    assert compiled.port.output_scale_bits == 0
    assert compiled.fidelity.argmax_agreement == 1
    for sample in samples[:5]:
        assert published(compiled, sample).tolist() == [sample.argmax()]
