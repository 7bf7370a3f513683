"""One small graph for each operator of the table, and for each case that EZKL gets wrong."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_TYPES = {"f": TensorProto.FLOAT, "i": TensorProto.INT64, "b": TensorProto.BOOL}


def _values(*shape, low=-1.0, high=1.0):
    count = int(np.prod(shape))
    # The golden ratio spreads points evenly, without a generator to seed.
    return (
        (low + (high - low) * ((np.arange(1, count + 1) * 0.6180339887) % 1))
        .reshape(shape)
        .astype(np.float32)
    )


def _indices(*values):
    return np.array(values, dtype=np.int64)


def graph(operator, fed, *constants, outputs=1, opset=18, **attributes):
    """Build (model bytes, fed arrays): one node that reads the fed arrays, then the constants."""
    names = [f"x{i}" for i in range(len(fed))]
    names += [f"c{i}" if constant is not None else "" for i, constant in enumerate(constants)]
    node = helper.make_node(operator, names, [f"y{i}" for i in range(outputs)], name="node", **attributes)
    model = helper.make_model(
        helper.make_graph(
            [node],
            "g",
            [
                helper.make_tensor_value_info(f"x{i}", _TYPES[a.dtype.kind], a.shape)
                for i, a in enumerate(fed)
            ],
            [helper.make_empty_tensor_value_info(f"y{i}") for i in range(outputs)],
            [
                numpy_helper.from_array(np.asarray(c), f"c{i}")
                for i, c in enumerate(constants)
                if c is not None
            ],
        ),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=8,
    )
    return onnx.shape_inference.infer_shapes(model, data_prop=True).SerializeToString(), fed


_X = _values(1, 5)
_M = _values(2, 3)
_ONE_TO_TWO = _values(1, 5, low=1.1, high=2.0)
_IMAGE = _values(1, 2, 6, 6)
_TRUTH = (np.array([True, False]), np.array([True, True]))
_PAIR = (_values(1, 4), _values(1, 4)[:, ::-1].copy())
_WINDOW = {"kernel_shape": [3, 3], "strides": [1, 1]}
_CONV = {**_WINDOW, "dilations": [1, 1], "group": 1}
_PADS = [1, 1, 1, 1]
_PLAIN = [
    "Abs",
    "Acos",
    "Asin",
    "Asinh",
    "Atan",
    "Atanh",
    "Ceil",
    "Celu",
    "Cos",
    "Cosh",
    "Dropout",
    "Elu",
    "Erf",
    "Exp",
    "Flatten",
    "Floor",
    "HardSigmoid",
    "HardSwish",
    "Hardmax",
    "Identity",
    "LeakyRelu",
    "LogSoftmax",
    "Neg",
    "Relu",
    "Round",
    "Selu",
    "Shrink",
    "Sigmoid",
    "Sign",
    "Sin",
    "Sinh",
    "Softmax",
    "Softplus",
    "Softsign",
    "Tan",
    "Tanh",
    "ThresholdedRelu",
    "ArgMax",
    "ArgMin",
    "Transpose",
    "EyeLike",
    "ReduceLogSumExp",
]
_POSITIVE = ["Acosh", "Log", "Reciprocal", "Sqrt", "ReduceLogSum"]
_COMPARED = [
    "Equal",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "Add",
    "Sub",
    "Mul",
    "Max",
    "Min",
    "Mean",
    "Sum",
]
_REDUCED = ["ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSumSquare"]

GOOD = {
    **{operator: graph(operator, [_X]) for operator in _PLAIN},
    **{operator: graph(operator, [_ONE_TO_TWO]) for operator in _POSITIVE},
    **{operator: graph(operator, list(_PAIR)) for operator in _COMPARED},
    **{operator: graph(operator, [_M]) for operator in _REDUCED},
    **{operator: graph(operator, list(_TRUTH)) for operator in ("And", "Or", "Xor")},
    **{
        operator: graph(
            operator,
            [_values(2, 1, 3)],
            _values(1, gates * 4, 3),
            _values(1, gates * 4, 4),
            _values(1, gates * 8),
            hidden_size=4,
        )
        for operator, gates in (("GRU", 3), ("LSTM", 4), ("RNN", 1))
    },
    "AveragePool": graph("AveragePool", [_IMAGE], **_WINDOW, pads=_PADS, count_include_pad=1),
    "BatchNormalization": graph(
        "BatchNormalization", [_IMAGE], _values(2), _values(2), _values(2), _values(2, low=0.5)
    ),
    "Cast": graph("Cast", [_indices(1, 2, 3)], to=TensorProto.FLOAT),
    "CastLike": graph("CastLike", [_X], np.float32(0)),
    "Clip": graph("Clip", [_X], np.float32(-0.5), np.float32(0.5)),
    "Concat": graph("Concat", list(_PAIR), axis=1),
    "Conv": graph("Conv", [_IMAGE], _values(3, 2, 3, 3), _values(3), **_CONV, pads=_PADS),
    "ConvTranspose": graph(
        "ConvTranspose", [_IMAGE], _values(2, 3, 3, 3), **_CONV, pads=[0] * 4, output_padding=[0, 0]
    ),
    "CumSum": graph("CumSum", [_X], np.int64(1)),
    "DepthToSpace": graph("DepthToSpace", [_values(1, 8, 2, 2)], blocksize=2),
    "Div": graph("Div", [_X], _ONE_TO_TWO),
    "Einsum": graph("Einsum", [_M, _values(3, 2)], equation="ij,jk->ik"),
    "Expand": graph("Expand", [_values(3, 1)], _indices(3, 4)),
    "Gather": graph("Gather", [_X], _indices(3, 1), axis=1),
    "GatherElements": graph("GatherElements", [_X, _indices(3, 1).reshape(1, 2)], axis=1),
    "GatherND": graph("GatherND", [_M], _indices(0, 1, 1, 2).reshape(2, 2)),
    "Gemm": graph("Gemm", [_values(1, 3)], _values(2, 3), _values(2), transB=1, alpha=0.5, beta=2.0),
    "GlobalAveragePool": graph("GlobalAveragePool", [_IMAGE]),
    "GlobalMaxPool": graph("GlobalMaxPool", [_IMAGE]),
    "InstanceNormalization": graph("InstanceNormalization", [_IMAGE], _values(2), _values(2), epsilon=1e-3),
    "LayerNormalization": graph("LayerNormalization", [_X], _values(5), _values(5), axis=-1),
    "MatMul": graph("MatMul", [_M], _values(3, 2)),
    "MaxPool": graph("MaxPool", [_IMAGE], **_WINDOW, pads=[0] * 4),
    "Not": graph("Not", [_TRUTH[0]]),
    "OneHot": graph("OneHot", [_indices(1, 0, 2)], np.int64(4), np.array([0, 1], np.float32)),
    "PRelu": graph("PRelu", [_values(1, 2, 3)], _values(2, 1)),
    "Pad": graph("Pad", [_X], _indices(0, 1, 0, 2)),
    "Pow": graph("Pow", [_X], np.float32(3)),
    "ReduceProd": graph("ReduceProd", [_values(1, 2)]),
    "ReduceSum": graph("ReduceSum", [_M], _indices(1)),
    "Reshape": graph("Reshape", [_M], _indices(3, -1)),
    "Resize": graph("Resize", [_values(1, 1, 2, 2)], None, np.array([1, 1, 2, 2], np.float32)),
    "ScatterElements": graph("ScatterElements", [_X, _indices(3, 1).reshape(1, 2), _values(1, 2)], axis=1),
    "ScatterND": graph("ScatterND", [_values(4), _indices(2, 0).reshape(2, 1), _values(2, low=2, high=3)]),
    "Shape": graph("Shape", [_M]),
    "Size": graph("Size", [_M]),
    "Slice": graph("Slice", [_values(4, 4)], _indices(1), _indices(2**63 - 1), _indices(1)),
    "SpaceToDepth": graph("SpaceToDepth", [_values(1, 2, 4, 4)], blocksize=2),
    "Split": graph("Split", [_values(4)], _indices(1, 3), outputs=2),
    "Squeeze": graph("Squeeze", [_values(1, 3)], _indices(0)),
    "Unsqueeze": graph("Unsqueeze", [_values(3)], _indices(0)),
    "Where": graph("Where", [_TRUTH[0], _values(2), _values(2, low=2, high=3)]),
}
NOT_ALONE = {"Constant"}
"""Operators that no circuit consists of: they give no output that depends on an input."""

SILENT = {
    "2^24 + 1 added": graph("Add", [_indices(1, 2)], _indices(2**24 + 1)),
    "AveragePool not counting its padding": graph("AveragePool", [_IMAGE + 2], **_WINDOW, pads=_PADS),
    "AveragePool with dilations": graph("AveragePool", [_IMAGE], **_WINDOW, dilations=[2, 2], opset=19),
    "Cast to integers": graph("Cast", [_X * 4], to=TensorProto.INT64),
    "Celu of another alpha": graph("Celu", [_X], alpha=2.0),
    "CumSum exclusive": graph("CumSum", [_X], np.int64(1), exclusive=1),
    "Div of integers": graph("Div", [_indices(7, 8, 9)], _indices(2)),
    "Einsum of a diagonal": graph("Einsum", [_values(1, 3, 3)], equation="bii->bi"),
    "Expand to more dimensions": graph("Expand", [_values(3, 1)], _indices(1, 3, 4)),
    "Gather from the end": graph("Gather", [_values(2, 7)], _indices(-2, -3), axis=1),
    "MaxPool over padding": graph("MaxPool", [_IMAGE - 2], **_WINDOW, pads=_PADS),
    "MaxPool with dilations": graph("MaxPool", [_IMAGE], **_WINDOW, dilations=[2, 2]),
    "Pow of -1": graph("Pow", [_ONE_TO_TWO], np.float32(-1)),
    "Resize to the ceiling": graph(
        "Resize",
        [_values(1, 1, 2, 2)],
        None,
        np.array([1, 1, 2, 2], np.float32),
        coordinate_transformation_mode="asymmetric",
        nearest_mode="ceil",
    ),
    "Trilu": graph("Trilu", [_values(3, 3)]),
}
