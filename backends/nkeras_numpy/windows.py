"""The geometry that convolution and pooling share.

A window position ``offset`` (one number per spatial dimension) is a strided slice of the padded
input with one element per output element, so that a sliding window is a loop over its positions.
"""

import itertools
from collections.abc import Iterator
from typing import Any

from nkeras_numpy.namespace import Array, namespace

Ints = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]


def output_sizes(sizes: Ints, window: Ints, strides: Ints, padding: Pairs, dilation: Ints) -> Ints:
    """Number of windows that fit, per spatial dimension."""
    return tuple(
        max(0, (size + low + high - ((k - 1) * d + 1)) // stride + 1)
        for size, k, stride, (low, high), d in zip(
            sizes, window, strides, padding, dilation, strict=True
        )
    )


def positions(
    window: Ints, strides: Ints, dilation: Ints, counts: Ints
) -> Iterator[tuple[Ints, tuple[slice, ...]]]:
    """Each position in the window, row-major, with its slice of the padded input."""
    for offset in itertools.product(*map(range, window)):
        spatial = (
            slice(o * d, o * d + count * stride, stride)
            for o, d, count, stride in zip(offset, dilation, counts, strides, strict=True)
        )
        yield offset, (slice(None), *spatial, slice(None))


def pad_spatial(x: Array, padding: Pairs, value: float = 0) -> Array:
    """``x (batch, *spatial, channels)`` with ``value`` around its spatial dimensions."""
    return namespace(x).pad(x, ((0, 0), *padding, (0, 0)), mode="constant", constant_values=value)


def padded_zeros(xp: Any, input_shape: Ints, padding: Pairs, dtype: Any) -> Array:
    """Zeros of the shape that an input of ``input_shape`` has after padding."""
    widths = ((0, 0), *padding, (0, 0))
    shape = tuple(low + size + high for size, (low, high) in zip(input_shape, widths, strict=True))
    return xp.zeros(shape, dtype)


def crop_spatial(x: Array, input_shape: Ints, padding: Pairs) -> Array:
    """The part of ``x`` that is no padding: the transpose of ``pad_spatial``."""
    inner = (
        slice(low, low + size) for (low, _), size in zip(padding, input_shape[1:-1], strict=True)
    )
    return x[(slice(None), *inner, slice(None))]
