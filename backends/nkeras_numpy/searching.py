"""The largest elements of rows, and places in a sorted line."""

import numpy as np

from nkeras_numpy.namespace import Array, in_float32, namespace
from nkeras_numpy.registry import KERNELS


@KERNELS.register
@in_float32
def top_k(x: Array, *, k: int) -> tuple[Array, Array]:
    """Ascending and reversed twice: so the first of equals comes first, and NaN before numbers."""
    xp = namespace(x)
    backward = xp.argsort(xp.flip(x, -1), axis=-1, kind="stable")
    places = (x.shape[-1] - 1 - xp.flip(backward, -1))[..., :k]
    return xp.take_along_axis(x, places, axis=-1), places.astype(np.int32)


@KERNELS.register
@in_float32
def searchsorted(line: Array, values: Array, *, right: bool) -> Array:
    side = "right" if right else "left"
    return namespace(line).searchsorted(line, values, side=side).astype(np.int32)
