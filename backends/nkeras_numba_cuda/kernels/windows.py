"""The geometry that convolution and pooling share, always with three spatial dimensions.

One- and two-dimensional problems get leading dimensions of one cell. Kernels read

    geometry[0:3]    sizes of the input       geometry[9:12]   strides
    geometry[3:6]    sizes of the window      geometry[12:15]  padding before the input
    geometry[6:9]    sizes of the output      geometry[15:18]  dilation
"""

from __future__ import annotations

from nkeras_numpy.windows import Ints, Pairs


def geometry(
    sizes: Ints, window: Ints, counts: Ints, strides: Ints, padding: Pairs, dilation: Ints
) -> Ints:
    """The 18 numbers above, for one to three spatial dimensions."""
    lows = tuple(low for low, _ in padding)
    missing = 3 - len(sizes)
    return (
        *((1,) * missing + sizes),
        *((1,) * missing + window),
        *((1,) * missing + counts),
        *((1,) * missing + strides),
        *((0,) * missing + lows),
        *((1,) * missing + dilation),
    )
