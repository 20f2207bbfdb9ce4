"""Rectangles of images that become parts of other images, or noise.

Images are `(batch, planes, height, width, channels)`: with channels first each is a plane. The
rectangle of an image goes from the row and column `first` to those before `last`, which are int32
`(batch, 2)`; what lies outside of the image is left out.
"""

from __future__ import annotations

import math

import numpy as np

from nkeras.core.primitive import primitive, to_tensor
from nkeras.core.spec import Spec, Typed
from nkeras.core.tensor import Tensor
from nkeras.ops.core import zeros_like
from nkeras.ops.elementwise import clip, greater_equal, less, logical_and, mod, where_
from nkeras.ops.image.layout import as_before
from nkeras.ops.indexing import take_, take_grad
from nkeras.ops.random import box_muller, random_bits, to_unit
from nkeras.ops.shape import reshape, section


@primitive(flat=("order", "first", "last"))
def paste_rectangles(x: Typed, source: Typed, order: Typed, first: Typed, last: Typed) -> Spec:
    """Images x whose rectangles come from the same places of other images, of the same dtype.

    Image n takes those of `source[order[n] % len(source)]`, which goes on again and again behind
    its last row and column.
    """
    return Spec(x.shape, x.dtype)


@paste_rectangles.decomposition
def _(x: Tensor, source: Tensor, order: Tensor, first: Tensor, last: Tensor) -> Tensor:
    others = take_(source, _within(order, source), axis=0)
    for axis in (2, 3):
        others = take_(others, _repeated(x.shape[axis], source.shape[axis]), axis=axis)
    return where_(_inside(x, first, last), others, x)


@paste_rectangles.vjp("x")
def _(grad_y: Tensor, order: Tensor, first: Tensor, last: Tensor) -> Tensor:
    _, planes, _, _, channels = grad_y.shape
    nothing = to_tensor(np.zeros((1, planes, 1, 1, channels)), grad_y.dtype)
    return paste_rectangles(grad_y, nothing, order, first, last)


@paste_rectangles.vjp("source")
def _(grad_y: Tensor, source_spec: Spec, order: Tensor, first: Tensor, last: Tensor) -> Tensor:
    batch, planes, height, width, channels = grad_y.shape
    same = to_tensor(np.arange(batch, dtype="int32"))
    grad = paste_rectangles(zeros_like(grad_y), grad_y, same, first, last)
    many, _, rows, columns, _ = source_spec.shape
    shape = (batch, planes, height, columns, channels)
    grad = take_grad(grad, _repeated(width, columns), shape=shape, axis=3)
    shape = (batch, planes, rows, columns, channels)
    grad = take_grad(grad, _repeated(height, rows), shape=shape, axis=2)
    order = _within(order, source_spec)
    return take_grad(grad, order, shape=(many, *shape[1:]), axis=0)


@primitive(flat=("first", "last"), live=("key",))
def paste_noise(
    x: Typed,
    first: Typed,
    last: Typed,
    *,
    key: tuple[int, int],
    size: tuple[int, int],
    scale: float,
    limits: tuple[float, float],
) -> Spec:
    """Images x whose rectangles become normal random numbers times `scale`, within limits.

    In integers they are rounded; the limits are numbers of the dtype. The noise of all images is
    `box_muller` of two times `(batch, planes, *size, channels)` uniform numbers from `random_bits`,
    and goes on again and again behind its last row and column.
    """
    return Spec(x.shape, x.dtype)


@paste_noise.decomposition
def _(
    x: Tensor,
    first: Tensor,
    last: Tensor,
    key: tuple[int, int],
    size: tuple[int, int],
    scale: float,
    limits: tuple[float, float],
) -> Tensor:
    batch, planes, _, _, channels = x.shape
    shape = batch, planes, *size, channels
    units = reshape(to_unit(random_bits(key=key, size=2 * math.prod(shape))), (2, *shape))
    pair = [reshape(section(units, 0, i, i + 1), shape) for i in range(2)]
    noise = as_before(clip(box_muller(*pair) * scale, *limits), x.dtype)
    return paste_rectangles(x, noise, to_tensor(np.arange(batch, dtype="int32")), first, last)


@paste_noise.vjp("x")
def _(grad_y: Tensor, first: Tensor, last: Tensor) -> Tensor:
    _, planes, _, _, channels = grad_y.shape
    nothing = to_tensor(np.zeros((1, planes, 1, 1, channels)), grad_y.dtype)
    order = to_tensor(np.zeros(grad_y.shape[0], "int32"))
    return paste_rectangles(grad_y, nothing, order, first, last)


def _within(order: Tensor, source: Tensor | Spec) -> Tensor:
    return mod(order, to_tensor(max(1, source.shape[0]), order.dtype))


def _repeated(size: int, period: int) -> Tensor:
    return to_tensor(np.arange(size, dtype="int32") % max(1, period))


def _inside(x: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """Which pixels lie in the rectangles, `(batch, 1, height, width, 1)`."""
    found = []
    for number, axis in enumerate((2, 3)):
        shape = [1] * 5
        shape[axis] = x.shape[axis]
        places = to_tensor(np.arange(x.shape[axis], dtype="int32").reshape(shape))
        low, high = (
            reshape(section(ends, 1, number, number + 1), (-1, 1, 1, 1, 1))
            for ends in (first, last)
        )
        found.append(logical_and(greater_equal(places, low), less(places, high)))
    return logical_and(*found)
