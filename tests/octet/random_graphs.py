"""Random integer networks over every node, term and view of circuits.octet.compile.graph, small enough to check
element by element."""

import numpy as np

from circuits.octet.compile.graph import (
    Affine,
    AxesSum,
    ByteTensor,
    Conv,
    Copy,
    Gemm,
    Graph,
    Lookup,
    MaxPool,
    Output,
    Scale,
    Total,
    WindowSum,
)
from circuits.octet.compile.views import Expand, Reshape, Slice, Transpose, View, view_shape


class RandomGraph:
    """Builds one network from a seed; `kinds` collects what it uses."""

    def __init__(self, seed, shift=None):
        self.rng = np.random.default_rng(seed)
        self.shift = shift or int(self.rng.choice([16, 24, 32]))
        self.nodes = []
        self.tensors = {}
        self.plain = set()
        self.kinds = set()

    def build(self):
        inputs = tuple(self.tensor(f"in{i}", self.image_shape()) for i in range(self.pick(1, 2)))
        for tensor in inputs:
            self.tensors[tensor.name] = tensor
        for step in range(self.pick(1, 4)):
            self.step(f"t{step}")
        outputs = self.outputs()
        return Graph(self.shift, inputs, tuple(self.nodes), outputs)

    def pick(self, low, high):
        return int(self.rng.integers(low, high + 1))

    def image_shape(self):
        return (1, self.pick(1, 3), self.pick(1, 5), self.pick(1, 5))

    def tensor(self, name, shape):
        return ByteTensor(name, tuple(shape), 1.0, int(self.rng.choice([0, 0, 3, 128, 255])))

    def weights(self, *shape):
        return self.rng.integers(-(1 << self.shift), (1 << self.shift) + 1, shape) // self.pick(1, 40)

    def number(self):
        return int(self.weights(1)[0]) or 7

    def any_view(self, rank=None):
        tensor = self.tensors[str(self.rng.choice(sorted(self.tensors)))]
        view = View(tensor.name, tensor.shape)
        for _ in range(int(self.rng.choice([0, 0, 1, 1, 2]))):
            view = view.then(self.view_step(view_shape(view)))
        if rank == 4 and (len(view_shape(view)) != 4 or view_shape(view)[0] != 1):
            size = int(np.prod(view_shape(view)))
            channels = next(c for c in (3, 2, 1) if size % c == 0)
            height = next(h for h in (4, 3, 2, 1) if size // channels % h == 0)
            view = view.then(Reshape((1, channels, height, size // channels // height)))
        return view

    def view_step(self, shape):
        kind = self.rng.choice(["reshape", "transpose", "slice", "expand"])
        self.kinds.add(f"view {kind}")
        if kind == "transpose":
            return Transpose(tuple(int(i) for i in self.rng.permutation(len(shape))))
        if kind == "slice":
            steps = [self.pick(1, 2) for _ in shape]
            sizes = [self.pick(1, (n - 1) // s + 1) for n, s in zip(shape, steps, strict=True)]
            starts = [self.pick(0, n - 1 - (c - 1) * s) for n, c, s in zip(shape, sizes, steps, strict=True)]
            if self.pick(0, 3) == 0:
                starts = [start + (c - 1) * s for start, c, s in zip(starts, sizes, steps, strict=True)]
                steps = [-s for s in steps]
            return Slice(tuple(starts), tuple(sizes), tuple(steps))
        if kind == "expand":
            return Expand(tuple(2 if n == 1 and self.pick(0, 1) else n for n in shape))
        size = int(np.prod(shape))
        first = next(n for n in (self.pick(1, 4), 2, 1) if size % n == 0)
        return Reshape((first, size // first))

    def step(self, name):
        choices = ["affine"] * 4 + ["max"]
        if self.plain:
            choices += ["lookup"] * 2
        kind = str(self.rng.choice(choices))
        self.kinds.add(kind)
        if kind == "lookup":
            source = str(self.rng.choice(sorted(self.plain)))
            self.plain.remove(source)
            output = self.tensor(name, self.tensors[source].shape)
            same = self.pick(0, 1)
            table = np.random.default_rng(0 if same else self.pick(1, 99)).integers(0, 256, 256)
            self.nodes.append(Lookup(output, source, table))
        elif kind == "max":
            tensor = self.image_tensor()
            output, node = self.max_pool(name, tensor)
            self.nodes.append(node)
        else:
            terms, shape = self.terms()
            output = self.tensor(name, shape)
            zero = output.zero_point
            bias = self.bias(shape) + (1 << (self.shift - 1)) + (zero << self.shift)
            self.nodes.append(Affine(output, terms, bias))
            self.plain.add(name)
        self.tensors[name] = output

    def image_tensor(self):
        images = [t for t in self.tensors.values() if len(t.shape) == 4 and t.shape[0] == 1]
        return images[self.pick(0, len(images) - 1)]

    def max_pool(self, name, tensor):
        kernel = [(2, 2), (1, 2), (3, 1), (2, 1)][self.pick(0, 3)]
        strides = (self.pick(1, 2), self.pick(1, 2))
        kernel = tuple(min(k, n) for k, n in zip(kernel, tensor.shape[2:], strict=True))
        if kernel == (1, 1):
            kernel, pads = (1, 2), (0, 1, 0, 1)
        else:
            pads = tuple(self.pick(0, k // 2) for k in kernel) * 2
        size = [
            (n + pads[i] + pads[i + 2] - k) // s + 1
            for i, (n, k, s) in enumerate(zip(tensor.shape[2:], kernel, strides, strict=True))
        ]
        output = ByteTensor(name, (1, tensor.shape[1], *size), 1.0, tensor.zero_point)
        return output, MaxPool(output, View(tensor.name, tensor.shape), kernel, strides, pads)

    def bias(self, shape):
        full = [n if self.pick(0, 1) else 1 for n in shape]
        return self.weights(*full) * self.pick(0, 3)

    def terms(self):
        kind = str(self.rng.choice(["gemm", "conv", "depthwise", "grouped", "pool", "mean", "copy", "scale"]))
        self.kinds.add(kind)
        if kind == "gemm":
            view = self.any_view()
            shape = view_shape(view)
            outputs = self.pick(1, 5)
            return (Gemm(view, self.weights(outputs, shape[-1])),), (*shape[:-1], outputs)
        if kind in {"conv", "depthwise", "grouped", "pool"}:
            return self.window_terms(kind)
        view = self.any_view()
        shape = view_shape(view)
        if kind == "mean":
            axes = tuple(sorted({self.pick(0, len(shape) - 1) for _ in range(2)}))
            out = tuple(1 if i in axes else n for i, n in enumerate(shape))
            return (AxesSum(view, axes, self.number()),), out
        if kind == "scale":
            weights = self.weights(*(n if self.pick(0, 2) else 1 for n in shape))
            return (Scale(view, np.where(weights == 0, 1, weights)),), shape
        if self.pick(0, 1):
            self.kinds.add("concat")
            other = self.any_view()
            if len(view_shape(other)) != len(shape):
                other = view
            starts = tuple(n if i == 0 else self.pick(0, 1) for i, n in enumerate(shape))
            reach = [start + n for start, n in zip(starts, view_shape(other), strict=True)]
            out = tuple(max(n, r) for n, r in zip(shape, reach, strict=True))
            return (Copy(view, self.number(), (0,) * len(shape)), Copy(other, self.number(), starts)), out
        terms = (Copy(view, self.number(), (0,) * len(shape)), Copy(view, -self.number(), (0,) * len(shape)))
        return terms, shape

    def window_terms(self, kind):
        view = self.any_view(rank=4)
        _, channels, height, width = view_shape(view)
        pads = tuple(self.pick(0, 1) for _ in range(4))
        kernel = (
            min(self.pick(1, 3), height + pads[0] + pads[2]),
            min(self.pick(1, 3), width + pads[1] + pads[3]),
        )
        strides = (self.pick(1, 2), self.pick(1, 2))
        size = (
            (height + pads[0] + pads[2] - kernel[0]) // strides[0] + 1,
            (width + pads[1] + pads[3] - kernel[1]) // strides[1] + 1,
        )
        if kind == "pool":
            return (WindowSum(view, kernel, strides, pads, self.number()),), (1, channels, *size)
        groups = {"conv": 1, "depthwise": channels, "grouped": channels}[kind]
        outputs = groups * self.pick(1, 2) if kind != "depthwise" else channels
        weights = self.weights(outputs, channels // groups, *kernel)
        return (Conv(view, weights, strides, pads, groups),), (1, outputs, *size)

    def outputs(self):
        found = []
        kind = str(self.rng.choice(["int32", "bytes", "argmax", "argmax bytes", "both"]))
        self.kinds.add(f"output {kind}")
        if kind in {"int32", "argmax", "both"}:
            tensor = self.image_tensor()
            size = int(np.prod(tensor.shape))
            view = View(tensor.name, tensor.shape).then(Reshape((1, size)))
            scores = self.pick(1, 6)
            weights = self.rng.integers(-400, 401, (scores, size))
            bias = self.rng.integers(-50, 51, (1, scores))
            self.nodes.append(Total("logits", (1, scores), 1.0, (Gemm(view, weights),), bias))
            source = View("logits", (1, scores))
            if kind != "argmax":
                found.append(Output("y", "int32", source, (1, scores), 1.0, 0))
            if kind != "int32":
                found.append(Output("best", "argmax", source, (1, 1), 1.0, 0))
        else:
            name = max(self.tensors)
            tensor = self.tensors[name]
            view = View(name, tensor.shape)
            if kind == "argmax bytes":
                size = int(np.prod(tensor.shape))
                view = view.then(Reshape((1, size)))
                found.append(Output("best", "argmax", view, (1, 1), 1.0, 0))
            else:
                found.append(Output("y", "bytes", view, tensor.shape, 1.0, tensor.zero_point))
        return tuple(found)


def random_inputs(graph, rng):
    """Return inputs with whole tensors at the ends of the domain among them."""
    found = {}
    for tensor in graph.inputs:
        value = rng.integers(0, 256, tensor.shape)
        if rng.integers(0, 3) == 0:
            value = rng.choice([0, 255], tensor.shape)
        found[tensor.name] = value
    return found
