"""Resampling of images and sampling them at coordinates."""

from nkeras.backend.resampling import rows
from nkeras_numpy.namespace import Array, in_float32, namespace
from nkeras_numpy.registry import KERNELS


@KERNELS.register
@in_float32
def resample(
    x: Array,
    *,
    axis: int,
    size: int,
    method: str,
    antialias: bool,
    scale: float,
    translation: float,
    transposed: bool,
) -> Array:
    """Each cell along an axis from a row of a table: see `nkeras.backend.resampling`."""
    xp = namespace(x)
    shape = (*x.shape[:axis], size, *x.shape[axis + 1 :])
    y = xp.zeros(shape, x.dtype)
    if 0 in shape or 0 in x.shape:
        return y
    table = rows(x.shape[axis], size, method, antialias, scale, translation, transposed)
    for cells, weights in zip(table.cells.T, table.weights.T, strict=True):
        weights = xp.asarray(weights, x.dtype).reshape(-1, *(1,) * (x.ndim - axis - 1))
        product = weights * xp.take(x, xp.asarray(cells), axis)
        y += xp.where(weights == 0, xp.zeros((), x.dtype), product)
    return y
