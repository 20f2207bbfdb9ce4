"""The numbers that convolutions as products of matrices read, for each of the three products."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

from nkeras_numba_cuda.kernels.patches import LARGEST_WINDOW, Sizes, inverse_of
from nkeras_numba_cuda.kernels.windows import LARGEST
from nkeras_numpy.windows import Ints, Pairs, output_sizes


class Convolution(NamedTuple):
    """A convolution, with three spatial dimensions.

    Attributes:
        batch: images.
        sizes: of the input.
        window: of the kernel.
        counts: of the output.
        strides: cells from one window to the next.
        lows: padding before the input.
        dilation: cells from one tap to the next.
        channels: of the input.
        filters: channels of the output.
        groups: parts of the channels that do not meet.
    """

    batch: int
    sizes: Ints
    window: Ints
    counts: Ints
    strides: Ints
    lows: Ints
    dilation: Ints
    channels: int
    filters: int
    groups: int

    @property
    def taps(self) -> int:
        """Places of the window."""
        return math.prod(self.window)

    @property
    def group_channels(self) -> int:
        """Channels that a filter meets."""
        return self.channels // self.groups

    @property
    def group_filters(self) -> int:
        """Filters that a channel meets."""
        return self.filters // self.groups

    @property
    def cells(self) -> int:
        """Cells of all inputs."""
        return self.batch * math.prod(self.sizes)

    @property
    def outputs(self) -> int:
        """Cells of all outputs."""
        return self.batch * math.prod(self.counts)

    @property
    def products(self) -> int:
        """Multiplications in all."""
        return self.outputs * self.taps * self.group_channels * self.filters

    def fits(self) -> bool:
        """Whether its windows and arrays are of sizes that the kernels on tensor cores take."""
        kernel = self.taps * self.group_channels * self.filters
        largest = max(self.cells * self.channels, self.outputs * self.filters, kernel)
        return max(self.window) <= LARGEST_WINDOW and largest < LARGEST


@functools.lru_cache(maxsize=4096)
def convolution(
    x: Ints, kernel: Ints, strides: Ints, padding: Pairs, dilation: Ints, groups: int
) -> Convolution:
    """The convolution of an input `(batch, *spatial, channels)` with a kernel, by their shapes."""
    sizes, window = x[1:-1], kernel[:-2]
    counts = output_sizes(sizes, window, strides, padding, dilation)
    ones = (1,) * (3 - len(sizes))
    lows = tuple(low for low, _ in padding)
    spatial = (sizes, window, counts, strides, (0,) * len(ones) + lows, dilation)
    sizes, window, counts, strides, lows, dilation = ((*ones, *given)[-3:] for given in spatial)
    return Convolution(
        x[0], sizes, window, counts, strides, lows, dilation, x[-1], kernel[-1], groups
    )


def forward(c: Convolution) -> dict[str, Any]:
    """`y = patches of x @ kernel`."""
    return {
        "rows": c.outputs,
        "columns": c.group_filters,
        "inner": c.taps * c.group_channels,
        "row_step": c.filters,
        "batch_step": c.group_filters,
        "right_step": c.filters,
        "right_batch": c.group_filters,
        **_patches_of_x(c),
    }


def backward_input(c: Convolution) -> dict[str, Any]:
    """`grad_x = patches of grad_y @ kernel with channels as columns`."""
    return {
        "rows": c.cells,
        "columns": c.group_channels,
        "inner": c.taps * c.group_filters,
        "row_step": c.channels,
        "batch_step": c.group_channels,
        "right_step": c.filters,
        "right_batch": c.group_filters,
        "right_tap": c.group_channels * c.filters,
        "channels": c.filters,
        "depth": c.group_filters,
        **_numbered("size", c.counts),
        **_numbered("count", c.sizes),
        **_numbered("up", (1, 1, 1)),
        **_numbered("shift", c.lows),
        **_numbered("tap", tuple(-d for d in c.dilation)),
        **_numbered("down", c.strides),
        **_numbered("window", c.window),
    }


def backward_kernel(c: Convolution) -> dict[str, Any]:
    """`grad_kernel = transposed patches of x @ grad_y`."""
    return {
        "rows": c.taps * c.group_channels,
        "columns": c.group_filters,
        "inner": c.outputs,
        "row_step": c.filters,
        "batch_step": c.group_filters,
        "right_step": c.filters,
        "right_batch": c.group_filters,
        **_patches_of_x(c),
    }


def completed(numbers: dict[str, Any], **others: int) -> Sizes:
    """The record of a product, with zeros for what has no number and inverses of divisors."""
    divisors = ("count_0", "count_1", "count_2", "window_1", "window_2", "depth")
    for name in divisors:
        inverse, digits = inverse_of(numbers[name])
        others |= {f"inverse_{name}": inverse, f"digits_{name}": digits}
    nothing = dict.fromkeys(Sizes._fields, 0)
    return Sizes(**(nothing | numbers | others))


def _patches_of_x(c: Convolution) -> dict[str, Any]:
    return {
        "channels": c.channels,
        "depth": c.group_channels,
        **_numbered("size", c.sizes),
        **_numbered("count", c.counts),
        **_numbered("up", c.strides),
        **_numbered("shift", tuple(-low for low in c.lows)),
        **_numbered("tap", c.dilation),
        **_numbered("down", (1, 1, 1)),
        **_numbered("window", c.window),
    }


def _numbered(name: str, values: Ints) -> dict[str, Any]:
    return {f"{name}_{i}": value for i, value in enumerate(values)}
