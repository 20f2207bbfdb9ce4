"""The geometry that convolution and pooling share, always with three spatial dimensions.

One- and two-dimensional problems get leading dimensions of one cell. Kernels get the numbers of a
`Geometry` as one array `g`, and read them by name: `g[AT.stride_0]`.
"""

from __future__ import annotations

from typing import NamedTuple

from nkeras_numba_cuda.device.functions import device_function
from nkeras_numba_cuda.device.intrinsics import udiv, udiv_32, umod, umod_32
from nkeras_numba_cuda.device.records import places
from nkeras_numba_cuda.memory import Array, is_aligned
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
    bias: int = 0  # what follows a convolution, as in `tiles.Product`
    addend: int = 0
    activation: int = 0


AT = places(Geometry)

LARGEST = 2**31
"""What indices of 32 bits reach."""


@device_function
def place_of(i, size_0, size_1, size_2, last):
    """Where element i of an array of five dimensions is: `(n, i_0, i_1, i_2, c)`."""
    rest = udiv(i, last)
    c = i - rest * last
    i_2 = umod(rest, size_2)
    rest = udiv(rest, size_2)
    i_1 = umod(rest, size_1)
    rest = udiv(rest, size_1)
    return udiv(rest, size_0), umod(rest, size_0), i_1, i_2, c


@device_function
def place_32(i, size_0, size_1, size_2, last):
    """As `place_of`, for elements below 2**31."""
    rest = udiv_32(i, last)
    c = i - rest * last
    i_2 = umod_32(rest, size_2)
    rest = udiv_32(rest, size_2)
    i_1 = umod_32(rest, size_1)
    rest = udiv_32(rest, size_1)
    return udiv_32(rest, size_0), umod_32(rest, size_0), i_1, i_2, c


@device_function
def output_at(start, stride, count):
    """The output whose window starts at a cell of the padded input, -1 if there is none.

    Sizes have 32 bits.
    """
    if start < 0:
        return -1
    output = udiv_32(start, stride)
    return output if output * stride == start and output < count else -1


def in_fours(channels: int, *arrays: Array) -> bool:
    """Whether kernels may take four channels at once, and 32 bits for indices."""
    return channels % 4 == 0 and all(a.size < LARGEST and is_aligned(a) for a in arrays)


def geometry(
    sizes: Ints,
    window: Ints,
    counts: Ints,
    channels: int,
    filters: int = 1,
    groups: int = 1,
    after: Ints = (0, 0, 0),
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
        bias=after[0],
        addend=after[1],
        activation=after[2],
    )
