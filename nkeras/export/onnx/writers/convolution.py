"""Writers of convolutions. ONNX has channels first; runtimes cancel the transpositions."""

from __future__ import annotations

import itertools

from nkeras.core.spec import window_output
from nkeras.export.onnx.graph import Value, constant, node
from nkeras.export.onnx.writers.linalg import activated
from nkeras.export.onnx.writers.shape import rank, reshaped, sizes, turned
from nkeras.export.onnx.writers.table import computes

Shape = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]


def channels_first(x: Value) -> Value:
    """Channels behind the batch."""
    last = rank(x) - 1
    result = turned(x, (0, last, *range(1, last)))
    result.dtype = x.dtype
    return result


def channels_last(x: Value, axes: int) -> Value:
    """Channels behind the spatial axes."""
    return turned(x, (0, *range(2, axes), 1))


def pads(padding: Pairs) -> list[int]:
    """The padding as ONNX orders it."""
    return [low for low, _ in padding] + [high for _, high in padding]


def is_same(spatial: Shape, window: Shape, strides: Shape, padding: Pairs, dilation: Shape) -> bool:
    """Whether padding is what Keras' "same" makes of these sizes."""
    for size, cells, step, pair, apart in zip(
        spatial, window, strides, padding, dilation, strict=False
    ):
        reach = (cells - 1) * apart + 1
        total = max((-(-size // step) - 1) * step + reach - size, 0)
        if pair != (total // 2, total - total // 2):
            return False
    return True


def _filters_first(kernel: Value) -> Value:
    last = rank(kernel) - 1
    return turned(kernel, (last, last - 1, *range(last - 1)))


@computes("conv_bias")
def _conv_bias(
    x: Value,
    kernel: Value,
    bias: Value | None,
    addend: Value | None = None,
    *,
    strides: Shape,
    padding: Pairs,
    dilation: Shape,
    groups: int,
    activation: str,
) -> Value:
    window = sizes(kernel)[:-2]
    y = node(
        "Conv",
        channels_first(x),
        _filters_first(kernel),
        *[one for one in (bias,) if one is not None],
        same=is_same(sizes(x)[1:-1], window, strides, padding, dilation),
        kernel_shape=list(window),
        strides=list(strides),
        pads=pads(padding),
        dilations=list(dilation),
        group=groups,
    )
    y = channels_last(y, rank(x))
    y = y if addend is None else node("Add", y, addend)
    return activated(y, activation)


@computes("conv")
def _conv(
    x: Value, kernel: Value, *, strides: Shape, padding: Pairs, dilation: Shape, groups: int
) -> Value:
    return _conv_bias(
        x,
        kernel,
        None,
        strides=strides,
        padding=padding,
        dilation=dilation,
        groups=groups,
        activation="linear",
    )


@computes("conv_grad_input")
def _conv_grad_input(
    grad_y: Value,
    kernel: Value,
    *,
    input_shape: Shape,
    strides: Shape,
    padding: Pairs,
    dilation: Shape,
    groups: int,
) -> Value:
    """A transposed convolution; positions that no window reaches are zeros."""
    window = sizes(kernel)[:-2]
    rest = [
        size - (step * (count - 1) + (cells - 1) * apart + 1 - sum(pair))
        for size, count, cells, step, pair, apart in zip(
            input_shape[1:-1], sizes(grad_y)[1:-1], window, strides, padding, dilation, strict=True
        )
    ]
    added = [0 if left >= step else left for left, step in zip(rest, strides, strict=True)]
    beyond = [left - more for left, more in zip(rest, added, strict=True)]
    y = node(
        "ConvTranspose",
        channels_first(grad_y),
        _filters_first(kernel),
        kernel_shape=list(window),
        strides=list(strides),
        pads=pads(padding),
        output_padding=added,
        dilations=list(dilation),
        group=groups,
    )
    y = channels_last(y, rank(grad_y))
    if any(beyond):
        y = node("Pad", y, constant([0] * (rank(grad_y) + 1) + beyond + [0]))
    return y


@computes("locally_connected")
def _locally_connected(
    x: Value,
    kernel: Value,
    bias: Value | None,
    addend: Value | None = None,
    *,
    window: Shape,
    strides: Shape,
    activation: str,
) -> Value:
    """Windows side by side, `(places, batch, window * channels)`, times a matrix for each place."""
    spatial = sizes(x)[1:-1]
    counts = [
        window_output(size, cells, step, (0, 0), 1)
        for size, cells, step in zip(spatial, window, strides, strict=True)
    ]
    axes = list(range(1, rank(x) - 1))
    parts = []
    for offset in itertools.product(*map(range, window)):
        stops = [
            start + (count - 1) * step + 1
            for start, count, step in zip(offset, counts, strides, strict=True)
        ]
        bounds = [constant(one) for one in (list(offset), stops, axes, list(strides))]
        parts.append(node("Slice", x, *bounds))
    rows = node("Concat", *parts, axis=rank(x) - 1)
    places, features, filters = sizes(kernel)
    by_place = node("Transpose", reshaped(rows, (-1, places, features)), perm=[1, 0, 2])
    y = node("Transpose", node("MatMul", by_place, kernel), perm=[1, 0, 2])
    y = reshaped(y, (-1, *counts, filters))
    for one in (bias, addend):
        y = y if one is None else node("Add", y, one)
    return activated(y, activation)
