"""Writers of pooling."""

from __future__ import annotations

import numpy as np

from nkeras.export.onnx.graph import Value, node, unwritten
from nkeras.export.onnx.writers.convolution import (
    Pairs,
    Shape,
    channels_first,
    channels_last,
    is_same,
    pads,
)
from nkeras.export.onnx.writers.shape import rank, sizes
from nkeras.export.onnx.writers.table import computes


def _pooled(
    operator: str,
    x: Value,
    pool_size: Shape,
    strides: Shape,
    padding: Pairs,
    count_include_pad: int | None = None,
) -> Value:
    y = node(
        operator,
        channels_first(x),
        same=is_same(sizes(x)[1:-1], pool_size, strides, padding, (1,) * len(pool_size)),
        kernel_shape=list(pool_size),
        strides=list(strides),
        pads=pads(padding),
        count_include_pad=count_include_pad,
    )
    return channels_last(y, rank(x))


@computes("max_pool")
def _max_pool(x: Value, *, pool_size: Shape, strides: Shape, padding: Pairs) -> tuple[Value, Value]:
    is_integer = x.dtype is not None and x.dtype.kind in "iu"
    source = x
    if is_integer:  # runtimes pool real numbers
        source = node("Cast", x, to=np.dtype("float64"))
        source.shape = x.shape
    y = _pooled("MaxPool", source, pool_size, strides, padding)
    if is_integer:
        y = node("Cast", y, to=x.dtype)
    return y, unwritten("max_pool (the places of the largest elements)")


@computes("average_pool")
def _average_pool(x: Value, *, pool_size: Shape, strides: Shape, padding: Pairs) -> Value:
    return _pooled("AveragePool", x, pool_size, strides, padding, count_include_pad=0)
