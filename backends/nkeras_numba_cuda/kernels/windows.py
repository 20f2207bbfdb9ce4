"""The geometry that convolution and pooling share, always with three spatial dimensions.

One- and two-dimensional problems get leading dimensions of one cell. Kernels get the numbers of a
`Geometry` as one array `g`, and read them by name: `g[AT.stride_0]`.
"""

from __future__ import annotations

from typing import NamedTuple

from nkeras_numba_cuda.device.records import places
from nkeras_numpy.windows import Ints, Pairs


class Geometry(NamedTuple):
    """Sizes of the input, of the window and of the output, and how they lie on each other."""

    size_0: int
    size_1: int
    size_2: int
    window_0: int
    window_1: int
    window_2: int
    count_0: int
    count_1: int
    count_2: int
    stride_0: int
    stride_1: int
    stride_2: int
    low_0: int  # padding before the input
    low_1: int
    low_2: int
    dilation_0: int
    dilation_1: int
    dilation_2: int
    channels: int
    filters: int = 1
    groups: int = 1


AT = places(Geometry)


def geometry(
    sizes: Ints,
    window: Ints,
    counts: Ints,
    channels: int,
    filters: int = 1,
    groups: int = 1,
    *,
    strides: Ints,
    padding: Pairs,
    dilation: Ints,
) -> Geometry:
    """The geometry of one to three spatial dimensions."""
    lows = tuple(low for low, _ in padding)
    missing = 3 - len(sizes)
    ones, zeros = (1,) * missing, (0,) * missing
    return Geometry(
        *(*ones, *sizes),
        *(*ones, *window),
        *(*ones, *counts),
        *(*ones, *strides),
        *(*zeros, *lows),
        *(*ones, *dilation),
        channels=channels,
        filters=filters,
        groups=groups,
    )
