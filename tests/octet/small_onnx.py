"""ONNX models of a few nodes, for tests that need exactly these nodes."""

from itertools import pairwise

import numpy as np
from onnx import TensorProto, helper, numpy_helper

FLOAT, UINT8, INT8, INT64 = TensorProto.FLOAT, TensorProto.UINT8, TensorProto.INT8, TensorProto.INT64


class SmallModel:
    """Nodes one after the other; the input is `x`."""

    def __init__(self, shape, kind=FLOAT):
        self.inputs = [helper.make_tensor_value_info("x", kind, shape)]
        self.nodes, self.constants = [], []

    def const(self, values):
        """Add a constant and return its name."""
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, operator, *inputs, **attributes):
        """Add a node called after its operator and place, and return the name of its output."""
        name = f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name + "_out"], name=name, **attributes))
        return name + "_out"

    def bytes(self, *last, kind=FLOAT, rank=2, opset=17):
        """Return the model that publishes these tensors of a rank."""
        sizes = [f"d{axis}" for axis in range(rank)]
        outputs = [helper.make_tensor_value_info(name, kind, sizes) for name in last]
        graph = helper.make_graph(self.nodes, "small", self.inputs, outputs, self.constants)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        return made.SerializeToString()


def dense(sizes, seed=0, activation="Relu"):
    """Return a multilayer perceptron on (1, sizes[0]) with normal weights."""
    rng, model = np.random.default_rng(seed), SmallModel((1, sizes[0]))
    last = "x"
    for position, (before, after) in enumerate(pairwise(sizes)):
        weights = model.const((rng.normal(size=(before, after)) / np.sqrt(before)).astype(np.float32))
        bias = model.const((0.1 * rng.normal(size=after)).astype(np.float32))
        last = model.node("Gemm", last, weights, bias)
        if position + 2 < len(sizes):
            last = model.node(activation, last)
    return model.bytes(last)
