"""The networks that both proof systems prove: two small CNNs, two of EZKL's examples, and an MLP."""

import itertools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

MLP_SIZES = (64, 256, 256, 64, 10)
SAMPLES = 64
NET_A_DOMAIN = (-1.0, 127 / 128)


@dataclass(frozen=True)
class Case:
    """A network and what it is calibrated on and asked.

    Attributes:
        name: what the tables call it.
        model: its ONNX file, batch 1.
        samples: real inputs. Shape: (samples, elements).
    """

    name: str
    model: Path
    samples: NDArray[np.float32]


def cases(folder: Path, examples: Path | None) -> list[Case]:
    """Write the networks that are made here, and find the others.

    Args:
        folder: to write to.
        examples: EZKL's; those two cases are left out when None.
    """
    found = [demo_cnn(folder)]
    if examples is not None:
        found += [example(examples / name, folder) for name in ("4l_relu_conv_fc", "lenet_5")]
    return [*found, mlp(folder)]


def demo_cnn(folder: Path) -> Case:
    """Return the demonstration's CNN on handwritten digits, with random weights: a proof costs the same."""
    draw = np.random.default_rng(5)
    first = draw.normal(size=(8, 1, 4, 4)) / 4
    second = draw.normal(size=(16, 8, 3, 3)) / 8
    last = draw.normal(size=(10, 16)) / 4
    nodes = [
        convolution("input", "w1", "c1", kernel=4, stride=2),
        helper.make_node("Relu", ["c1"], ["r1"]),
        convolution("r1", "w2", "c2", kernel=3),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("Flatten", ["r2"], ["f"], axis=1),
        helper.make_node("Gemm", ["f", "w3"], ["output"], transB=1),
    ]
    weights = {"w1": first, "w2": second, "w3": last}
    path = write_network(folder / "demo-cnn.onnx", nodes, weights, (1, 1, 8, 8), (1, 10))
    return Case("demo CNN", path, _samples(64, 0, 1))


def net_a(folder: Path) -> Case:
    """Return net (a): two convolutions and a dense layer on an image of 28 x 28, one byte a pixel.

    Pixels are -1 .. 127/128 in steps of 1/128, which fill the one signed byte that a packed input has for
    each; `NET_A_DOMAIN` says so to the compiler. Source: octet.md 2.2 (shapes).
    """
    draw = np.random.default_rng(11)
    weights = {
        "w1": draw.normal(size=(4, 1, 5, 5)) / 5,
        "b1": draw.normal(size=4) / 10,
        "w2": draw.normal(size=(8, 4, 5, 5)) / 10,
        "b2": draw.normal(size=8) / 10,
        "w3": draw.normal(size=(10, 128)) / 11,
        "b3": draw.normal(size=10) / 10,
    }
    nodes = [
        convolution("input", "w1", "c1", bias="b1", kernel=5, stride=2),
        helper.make_node("Relu", ["c1"], ["r1"]),
        convolution("r1", "w2", "c2", bias="b2", kernel=5, stride=2),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("Flatten", ["r2"], ["f"], axis=1),
        helper.make_node("Gemm", ["f", "w3", "b3"], ["output"], transB=1),
    ]
    path = write_network(folder / "net-a.onnx", nodes, weights, (1, 1, 28, 28), (1, 10))
    return Case("net (a)", path, _samples(784, *NET_A_DOMAIN))


def mlp(folder: Path) -> Case:
    """Return a multilayer perceptron of 98,944 weights."""
    draw = np.random.default_rng(7)
    nodes, weights, last = [], {}, "input"
    for number, (inputs, outputs) in enumerate(itertools.pairwise(MLP_SIZES)):
        weights[f"w{number}"] = draw.normal(size=(outputs, inputs)) * np.sqrt(2 / inputs)
        weights[f"b{number}"] = draw.normal(size=outputs) / 10
        final = number == len(MLP_SIZES) - 2
        product = "output" if final else f"p{number}"
        nodes.append(helper.make_node("Gemm", [last, f"w{number}", f"b{number}"], [product], transB=1))
        if not final:
            nodes.append(helper.make_node("Relu", [product], [f"r{number}"]))
        last = f"r{number}"
    path = write_network(folder / "mlp-100k.onnx", nodes, weights, (1, MLP_SIZES[0]), (1, MLP_SIZES[-1]))
    return Case("MLP of 100k weights", path, _samples(MLP_SIZES[0], -1, 1))


def example(source: Path, folder: Path) -> Case:
    """Return one of EZKL's examples with its batch set to 1, and samples of the range of its own input."""
    model = onnx.load(source / "network.onnx")
    for value in (*model.graph.input, *model.graph.output):
        if not value.type.tensor_type.shape.dim[0].HasField("dim_value"):
            value.type.tensor_type.shape.dim[0].dim_value = 1
    path = folder / f"{source.name}.onnx"
    onnx.save(model, path)
    given = np.array(json.loads((source / "input.json").read_text())["input_data"][0]).reshape(-1)
    return Case(source.name, path, _samples(given.size, given.min(), given.max()))


def convolution(
    given: str, weights: str, made: str, *, bias: str = "", kernel: int, stride: int = 1, pad: int = 0
) -> onnx.NodeProto:
    """Return a square convolution with every attribute written out, as EZKL wants it."""
    return helper.make_node(
        "Conv",
        [given, weights, bias] if bias else [given, weights],
        [made],
        kernel_shape=[kernel] * 2,
        strides=[stride] * 2,
        pads=[pad] * 4,
        dilations=[1, 1],
        group=1,
    )


def _samples(elements: int, low: float, high: float) -> NDArray[np.float32]:
    return np.random.default_rng(3).uniform(low, high, (SAMPLES, elements)).astype(np.float32)


def write_network(
    path: Path,
    nodes: list[onnx.NodeProto],
    weights: dict[str, NDArray[np.float64]],
    given: tuple[int, ...],
    made: tuple[int, ...],
) -> Path:
    """Write an ONNX model of one input and one output, with float32 weights."""
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("input", given), ("output", made))
    ]
    constants = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, path.stem, ends[:1], ends[1:], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path
