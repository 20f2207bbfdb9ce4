"""Equalization of histograms: values are replaced by how many pixels are darker.

Results are flat between jumps: nothing flows back through them.
"""

from __future__ import annotations

from nkeras.core.primitive import primitive
from nkeras.core.spec import Spec, Typed
from nkeras.core.tensor import Tensor
from nkeras.ops.core import zeros_like


@primitive()
def equalized(x: Typed, *, bins: int) -> Spec:
    """Images x `(batch, pixels, channels)` from 0 to 255, whose channels are equalized.

    A value's bin is `int(x * (bins - 1) / 255)`; it becomes `255 * (c - first) / (pixels - first)`,
    rounded, where c pixels are in this bin or below, and `first` in the lowest one that has any. A
    channel with pixels in one bin alone stays as it is.
    """
    return Spec(x.shape, x.dtype)


@equalized.vjp("x")
def _(grad_y: Tensor) -> Tensor:
    return zeros_like(grad_y)


@primitive()
def equalized_in_tiles(x: Typed, *, tiles: tuple[int, int], clip_limit: float) -> Spec:
    """Images x `(batch, height, width, channels)` from 0 to 255, equalized tile by tile.

    Each of `tiles` (rows, columns of them) has a table of 256 levels: its histogram, of which no
    bin has more than `clip_limit` times the mean (what is above is shared out among all bins),
    summed up and stretched to 0 to 255. A pixel's level is interpolated between the tables of the
    four tiles around it. Images that tiles do not divide go on behind their ends as in a mirror.
    """
    return Spec(x.shape, x.dtype)


@equalized_in_tiles.vjp("x")
def _(grad_y: Tensor) -> Tensor:
    return zeros_like(grad_y)
