"""Windows over images: what convolutions and pools share. A line is an image of height 1."""

from circuits.octet.compile.folding import Value
from circuits.octet.compile.onnx_operation import Operation
from circuits.octet.compile.views import Reshape


def as_image(operation: Operation, value: Value, spatial: int) -> Value:
    """Return a value of shape (1, C, W) or (1, C, H, W) as the latter.

    Raises:
        UnsupportedOperatorError: another number of spatial dimensions, or a batch of more than one.
    """
    if spatial not in {1, 2} or len(value.shape) != spatial + 2:
        raise operation.refuse(f"{operation.operator} in {len(value.shape) - 2} spatial dimensions")
    if value.shape[0] != 1:
        raise operation.refuse(
            f"a batch of {value.shape[0]}",
            "export the model with a batch of 1; `zkml circuit batch` makes more",
        )
    return value if spatial == 2 else value.then(Reshape((1, value.shape[1], 1, value.shape[2])))


def from_image(value: Value, spatial: int) -> Value:
    """Return an image as a line again, where it was one."""
    return value if spatial == 2 else value.then(Reshape((1, value.shape[1], value.shape[3])))


def padding_of(
    operation: Operation,
    sizes: tuple[int, ...],
    kernel: tuple[int, int],
    strides: tuple[int, int],
    spatial: int,
) -> tuple[int, int, int, int]:
    """Return (top, left, bottom, right) from `pads` or `auto_pad`."""
    mode = operation.attributes.get("auto_pad", "NOTSET")
    if mode == "NOTSET":
        given = tuple(operation.attributes.get("pads", (0,) * (2 * spatial)))
        unused = (0,) * (2 - spatial)
        pads = (*unused, *given[:spatial], *unused, *given[spatial:])
    elif mode == "VALID":
        pads = (0, 0, 0, 0)
    else:
        before, after = [], []
        for size, reach, step in zip(sizes, kernel, strides, strict=True):
            missing = max((-(-size // step) - 1) * step + reach - size, 0)
            small, large = missing // 2, missing - missing // 2
            before.append(small if mode == "SAME_UPPER" else large)
            after.append(large if mode == "SAME_UPPER" else small)
        pads = (*before, *after)
    if min(pads) < 0:
        raise operation.refuse(f"pads {pads}", "use Slice to cut")
    top, left, bottom, right = pads
    return int(top), int(left), int(bottom), int(right)
