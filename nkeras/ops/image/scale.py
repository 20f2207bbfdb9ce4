"""Images scaled and moved along their axes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from nkeras.backend.resampling import LEAST_SUM, RADIUS
from nkeras.backend.scalars import image as scalars
from nkeras.core.errors import as_bool, refuse
from nkeras.core.graph import KerasTensor
from nkeras.core.primitive import op, shape_of, to_tensor
from nkeras.core.spec import normalize_axis
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.core.variable import Variable
from nkeras.ops.core import where
from nkeras.ops.elementwise import (
    absolute,
    elementwise,
    equal,
    greater,
    greater_equal,
    less_equal,
    logical_and,
    maximum,
)
from nkeras.ops.image.layout import as_before, as_float
from nkeras.ops.image.resampling import METHODS, resample
from nkeras.ops.matrix_product import matmul_
from nkeras.ops.reduction import reduce_sum
from nkeras.ops.shape import cast, reshape, section, turned

LINE = 16
"""So many elements behind an axis are worth a matrix product of their own."""

_triangle = elementwise(scalars.triangle_window, "float", "1 - |x|, 0 beyond 1.")
_cubic = elementwise(scalars.cubic_window, "float", "The cubic window of Keys with a = -1/2.")
_lanczos = elementwise(scalars.lanczos_window, "float", "The window of Lanczos of some radius.")


@op
def scale_and_translate(
    images: TensorLike,
    output_shape: Sequence[int],
    scale: TensorLike,
    translation: TensorLike,
    spatial_dims: Sequence[int],
    method: str,
    antialias: bool = True,
) -> Tensor:
    """A tensor resampled along some axes: what was at x comes to `x * scale + translation`.

    Cells have a width of 1; the centre of the first one is at 0.5. What comes from outside is 0.

    Args:
        images: tensor of any rank and dtype; integers become float32.
        output_shape: the shape of the result; as that of `images` but for `spatial_dims`.
        scale: one number for each of `spatial_dims`; also a tensor, to which gradients flow.
        translation: likewise, in cells of the result.
        spatial_dims: the axes that are resampled.
        method: `"linear"` (or `"bilinear"`, `"trilinear"`, `"triangle"`), `"cubic"` (or
            `"bicubic"`, `"tricubic"`), `"lanczos3"` or `"lanczos5"`.
        antialias: whether an axis that shrinks is smoothed, so that each old cell counts.

    Returns:
        Tensor of `output_shape`.

    Raises:
        ValueError: numbers of axes do not fit, or the method is unknown.

    Example:
        >>> import nkeras
        >>> line = nkeras.ops.array([0.0, 4.0])
        >>> nkeras.ops.image.scale_and_translate(line, (4,), [2.0], [0.0], (0,), "linear").numpy()
        array([0., 1., 3., 4.], dtype=float32)

    Source: https://keras.io/api/ops/image/
    """
    owner = "scale_and_translate"
    images = to_tensor(images)
    known = METHODS.get(method)
    if known not in RADIUS:
        names = ", ".join(f'"{name}"' for name, plain in METHODS.items() if plain in RADIUS)
        refuse("method", method, f"one of {names}", owner)
    rank, shape = len(images.shape), tuple(int(size) for size in output_shape)
    axes = [normalize_axis(axis, rank, owner) for axis in spatial_dims]
    kept = [i for i in range(rank) if i not in axes]
    if len(shape) != rank or any(shape[i] != images.shape[i] for i in kept):
        refuse("output_shape", shape, f"{images.shape} but for the axes {tuple(axes)}", owner)
    for name, value in (("scale", scale), ("translation", translation)):
        if shape_of(value) != (len(axes),):
            refuse(name, value, f"one number for each of the {len(axes)} axes", owner)
    dtype = images.dtype
    x = as_float(images)
    antialias = as_bool(antialias, "antialias", owner)
    is_known = not any(isinstance(v, (Tensor, KerasTensor, Variable)) for v in (scale, translation))
    for i, axis in enumerate(axes):
        if is_known:
            factor, shift = float(np.asarray(scale)[i]), float(np.asarray(translation)[i])
            if factor == 0.0:
                refuse("scale", scale, "different from 0", owner)
            x = resample(
                x,
                axis=axis,
                size=shape[axis],
                method=known,
                antialias=antialias,
                scale=factor,
                translation=shift,
                transposed=False,
            )
        else:
            factor, shift = (
                section(cast(to_tensor(v), x.dtype), 0, i, i + 1) for v in (scale, translation)
            )
            weights = _weights(x.shape[axis], shape[axis], known, antialias, factor, shift)
            x = _multiplied(x, axis, weights)
    return as_before(x, dtype) if dtype in ("float16", "bfloat16") else x


def _multiplied(x: Tensor, axis: int, weights: Tensor) -> Tensor:
    """Weights `(before, size)` times an axis; whole lines behind it need not be turned."""
    outer, inner = prod(x.shape[:axis]), prod(x.shape[axis + 1 :])
    lines = reshape(x, (outer, x.shape[axis], inner))
    if inner < LINE:
        made = turned(matmul_(turned(lines), weights))
    else:
        made = matmul_(turned(weights), lines)
    return reshape(made, (*x.shape[:axis], weights.shape[1], *x.shape[axis + 1 :]))


def _weights(
    before: int, size: int, method: str, antialias: bool, scale: Tensor, translation: Tensor
) -> Tensor:
    """The matrix `(before, size)` of `nkeras.backend.resampling.rows`, of numbers in tensors."""
    centres = (to_tensor(np.arange(size) + 0.5, scale.dtype) - translation) / scale - 0.5
    distances = centres - to_tensor(np.arange(before)[:, None], scale.dtype)
    if antialias:
        distances = distances / maximum(1.0 / scale, 1.0)
    if method == "linear":
        weights = _triangle(distances)
    elif method == "cubic":
        weights = _cubic(distances)
    else:
        weights = _lanczos(distances, float(RADIUS[method]))
    sums = reduce_sum(weights, axis=(0,), keepdims=True)
    is_met = logical_and(greater_equal(centres, -0.5), less_equal(centres, before - 0.5))
    is_met = logical_and(is_met, greater(absolute(sums), LEAST_SUM))
    return where(is_met, weights / where(equal(sums, 0.0), 1.0, sums), 0.0)
