"""Random ONNX networks over every v1 operator, drawn from a seed."""

import math

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
UNARY = (
    *(
        "Abs",
        "Atan",
        "Celu",
        "Cos",
        "Elu",
        "Erf",
        "Exp",
        "HardSigmoid",
        "HardSwish",
        "LeakyRelu",
        "Round",
        "Selu",
    ),
    *("Sigmoid", "Sin", "Softplus", "Softsign", "Tanh", "ThresholdedRelu"),
    *("GeluTanh", "Silu", "Sqrt1", "Square", "SquarePlus"),
)
"""Operators of one cell, and last the compositions that `unary` writes out."""


class RandomNetwork:
    """A network that grows node by node; each `_` method adds one operator to the last tensor."""

    def __init__(self, seed, opset=OPSET):
        self.rng = np.random.default_rng(seed)
        self.opset = opset
        self.nodes, self.constants, self.used = [], [], set()
        self.held = []  # (name, shape) of tensors that a residual may read
        self.image = bool(self.rng.random() < 0.75)
        if self.image:
            self.shape = (1, int(self.rng.integers(1, 5)), *(int(n) for n in self.rng.integers(5, 12, 2)))
        else:
            self.shape = (1, int(self.rng.integers(3, 20)))
        self.input_shape, self.last = self.shape, "x"

    def const(self, array):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def normal(self, *shape, scale=1.0):
        return (self.rng.normal(size=shape) * scale).astype(np.float32)

    def node(self, operator, inputs, **attributes):
        name = f"n{len(self.nodes)}"
        made = helper.make_node(operator, inputs, [name + "_out"], name=name, **attributes)
        self.nodes.append(made)
        self.used.add(operator)
        return name + "_out"

    def step(self, operator, *inputs, shape=None, **attributes):
        self.held.append((self.last, self.shape))
        self.last = self.node(operator, [self.last, *inputs], **attributes)
        self.shape = self.shape if shape is None else shape

    # --- operators ---

    def conv(self):
        channels, height, width = self.shape[1:]
        groups = int(self.rng.choice([g for g in range(1, channels + 1) if channels % g == 0]))
        out = groups * int(self.rng.integers(1, 4))
        kernel = [int(n) for n in self.rng.integers(1, 4, 2)]
        dilations = [2, 1] if self.rng.random() < 0.15 and height > 5 else [1, 1]
        strides = [int(n) for n in self.rng.integers(1, 3, 2)]
        pads = [int(self.rng.integers(0, k)) for k in kernel + kernel]
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
        sizes = [
            (n + pads[i] + pads[i + 2] - reach[i]) // strides[i] + 1 for i, n in enumerate((height, width))
        ]
        if min(sizes) < 1:
            return
        fan = channels // groups * kernel[0] * kernel[1]
        inputs = [self.const(self.normal(out, channels // groups, *kernel, scale=fan**-0.5))]
        if self.rng.random() < 0.7:
            inputs.append(self.const(self.normal(out, scale=0.3)))
        self.step(
            "Conv",
            *inputs,
            shape=(1, out, *sizes),
            group=groups,
            strides=strides,
            pads=pads,
            dilations=dilations,
        )

    def dense(self):
        if len(self.shape) != 2:
            self.step("Flatten", shape=(1, math.prod(self.shape)), axis=1)
        size, out = self.shape[1], int(self.rng.integers(2, 16))
        weights = self.normal(size, out, scale=size**-0.5)
        if self.rng.random() < 0.5:
            bias = self.const(self.normal(out, scale=0.3))
            if self.rng.random() < 0.5:
                self.step("Gemm", self.const(weights.T), bias, shape=(1, out), transB=1)
            else:
                self.step("Gemm", self.const(weights), bias, shape=(1, out), alpha=0.5, beta=2.0)
        else:
            self.step("MatMul", self.const(weights), shape=(1, out))
            self.step("Add", self.const(self.normal(out, scale=0.3)))

    def relu(self):
        self.step("Relu")

    def clip(self):
        low, high = (np.float32(v) for v in ((-0.5, 0.8) if self.rng.random() < 0.5 else (0.0, 6.0)))
        self.step("Clip", self.const(low), self.const(high))

    def normalization(self):
        n = self.shape[1]
        arrays = [1 + self.normal(n, scale=0.2), self.normal(n), self.normal(n), 0.5 + np.abs(self.normal(n))]
        self.step("BatchNormalization", *(self.const(a.astype(np.float32)) for a in arrays))

    def residual(self):
        same = [name for name, shape in self.held if shape == self.shape]
        if same:
            self.step(str(self.rng.choice(["Add", "Sub"])), str(self.rng.choice(same)))

    def constant(self):
        operator = str(self.rng.choice(["Add", "Sub", "Mul", "Div"]))
        varying = self.rng.random() < 0.5
        shape = (self.shape[1],) + (1,) * (len(self.shape) - 2) if varying else ()
        values = self.normal(*shape) if operator != "Div" else 1 + np.abs(self.normal(*shape))
        self.step(operator, self.const(np.asarray(values, dtype=np.float32)))

    def unary(self):
        kind = str(self.rng.choice(UNARY))
        x = self.last
        if kind == "Silu":
            gate = self.node("Sigmoid", [x])
            self.step("Mul", gate)
        elif kind == "Square":
            self.step("Mul", x)
        elif kind == "SquarePlus":
            square = self.node("Pow", [x, self.const(np.float32(2))])
            self.step("Add", square)
        elif kind == "Sqrt1":
            square = self.node("Mul", [x, x])
            self.held.append((x, self.shape))
            self.last = self.node("Sqrt", [self.node("Add", [square, self.const(np.float32(1))])])
        elif kind == "GeluTanh":
            cube = self.node("Pow", [x, self.const(np.float32(3))])
            inner = self.node("Add", [x, self.node("Mul", [cube, self.const(np.float32(0.044715))])])
            curve = self.node("Tanh", [self.node("Mul", [inner, self.const(np.float32(0.7978846))])])
            half = self.node("Mul", [x, self.const(np.float32(0.5))])
            one = self.node("Add", [curve, self.const(np.float32(1))])
            self.last = half
            self.step("Mul", one)
        else:
            self.step(kind)

    def pool(self):
        kernel = [int(n) for n in self.rng.integers(1, 4, 2)]
        strides = [int(n) for n in self.rng.integers(1, 3, 2)]
        pads = [int(self.rng.integers(0, (k + 1) // 2)) for k in kernel + kernel]
        sizes = [
            (n + pads[i] + pads[i + 2] - kernel[i]) // strides[i] + 1 for i, n in enumerate(self.shape[2:])
        ]
        if min(sizes) < 1:
            return
        shape = (*self.shape[:2], *sizes)
        if self.rng.random() < 0.5:
            self.step("MaxPool", shape=shape, kernel_shape=kernel, strides=strides, pads=pads)
        else:
            counted = int(self.rng.integers(0, 2))
            self.step(
                "AveragePool",
                shape=shape,
                kernel_shape=kernel,
                strides=strides,
                pads=pads,
                count_include_pad=counted,
            )

    def whole(self):
        operator = str(self.rng.choice(["GlobalAveragePool", "ReduceMean", "GlobalMaxPool"]))
        if operator == "ReduceMean":
            axis = int(self.rng.integers(1, 4))
            shape = tuple(1 if i == axis else n for i, n in enumerate(self.shape))
            self.step(operator, shape=shape, axes=[axis], keepdims=1)
        else:
            self.step(operator, shape=(*self.shape[:2], 1, 1))

    def move(self):
        kind = int(self.rng.integers(0, 5))
        rank = len(self.shape)
        if kind == 0 and rank == 4:
            order = [0, *(1 + self.rng.permutation(3))]
            self.step("Transpose", shape=tuple(self.shape[i] for i in order), perm=[int(i) for i in order])
        elif kind == 1:
            axis = int(self.rng.integers(1, rank))
            end = int(self.rng.integers(1, self.shape[axis] + 1))
            shape = tuple(end if i == axis else n for i, n in enumerate(self.shape))
            arrays = [np.array([v], dtype=np.int64) for v in (0, end, axis, 1)]
            self.step("Slice", *(self.const(a) for a in arrays), shape=shape)
        elif kind == 2:
            pads = [0] + [int(n) for n in self.rng.integers(0, 2, rank - 1)]
            pads += [0] + [int(n) for n in self.rng.integers(0, 2, rank - 1)]
            shape = tuple(n + pads[i] + pads[i + rank] for i, n in enumerate(self.shape))
            self.step("Pad", self.const(np.array(pads, dtype=np.int64)), shape=shape)
        elif kind == 3:
            other = self.node("Neg", [self.last])
            shape = (1, 2 * self.shape[1], *self.shape[2:])
            self.step("Concat", other, shape=shape, axis=1)
        elif rank == 4:
            shape = (1, self.shape[1] * self.shape[2], 1, self.shape[3])
            self.step("Reshape", self.const(np.array(shape, dtype=np.int64)), shape=shape)

    def build(self, length=None):
        """Return the model's bytes."""
        anywhere = [self.relu, self.clip, self.residual, self.constant, self.unary, self.move]
        spatial = [self.conv, self.conv, self.conv, self.normalization, self.pool]
        for _ in range(length or int(self.rng.integers(2, 9))):
            choices = anywhere + (spatial if len(self.shape) == 4 else [self.dense])
            choices[int(self.rng.integers(len(choices)))]()
            if math.prod(self.shape) > 3000:
                self.pool() if len(self.shape) == 4 else self.dense()
        if len(self.shape) == 4 and self.rng.random() < 0.3:
            self.whole()
        if self.rng.random() < 0.6 or not self.nodes:
            self.dense()
        kind = TensorProto.FLOAT
        if len(self.shape) == 2 and self.rng.random() < 0.2:
            self.last, kind = self.node("ArgMax", [self.last], axis=1), TensorProto.INT64
            self.shape = (1, 1)
        graph = helper.make_graph(
            self.nodes,
            "random",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.input_shape)],
            [helper.make_tensor_value_info(self.last, kind, self.shape)],
            self.constants,
        )
        opsets = [helper.make_opsetid("", self.opset)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def run_onnx(data, inputs):
    """Return the outputs of onnxruntime for each input."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return [session.run(None, one) for one in inputs]
