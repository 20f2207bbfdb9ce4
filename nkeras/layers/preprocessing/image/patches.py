"""Rectangles at random places in images: what RandomErasing and CutMix have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nkeras import ops
from nkeras.core.graph import KerasTensor
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Seed
from nkeras.layers.preprocessing.image.base_image import Sizes
from nkeras.ops.image.rectangles import paste_rectangles
from nkeras.ops.random import units


def intervals(sizes: Sizes, shares: Tensor, seed: Seed) -> tuple[Tensor, Tensor]:
    """Parts of both axes at random places: where they begin and end, float32 `(batch, 2)`.

    Args:
        sizes: those of the images.
        shares: which part of the height and of the width they take, `(batch, 2)`.
        seed: of the places.
    """
    whole = to_tensor(np.array([[sizes.height, sizes.width]], "float32"))
    lengths = shares * whole
    (unit,) = units(1, (sizes.batch, 2), seed, "float32")
    first = unit * (whole - lengths)
    return first, first + lengths


def edges(first: Tensor, last: Tensor) -> dict[str, Tensor]:
    """The pixels in those parts: the first one, and the one behind the last, int32 `(batch, 2)`."""
    ends = {"first": first, "last": last}
    return {name: ops.cast(ops.ceil(places), "int32") for name, places in ends.items()}


def pasted(
    images: Tensor, source: Tensor, order: Tensor, ends: Mapping[str, Tensor], channel_axis: int
) -> Tensor:
    """Images with those rectangles of others, of the same dtype: see `paste_rectangles`."""
    x, others = (planes_of(one, channel_axis) for one in (images, source))
    found = paste_rectangles(x, others, order, ends["first"], ends["last"])
    return ops.reshape(found, images.shape)


def planes_of(images: Tensor, channel_axis: int) -> Tensor:
    """Images as `(batch, planes, height, width, channels)`; with channels first each is a plane."""
    return ops.expand_dims(images, 1 if channel_axis == -1 else 4)


def inside(sizes: Sizes, first: Tensor, last: Tensor, channel_axis: int, channels: int) -> Tensor:
    """Which values lie in the rectangles, bool, of the images' shape; with channels first of one.

    Where channels come last, a row of them is one line: masks of one channel would be spread out
    again and again.
    """
    is_last = channel_axis == -1
    across = np.repeat(np.arange(sizes.width, dtype="float32"), channels if is_last else 1)
    rows = _between(np.arange(sizes.height, dtype="float32")[:, None], first, last, 0)
    found = ops.logical_and(rows, _between(across, first, last, 1))
    if is_last:
        return ops.reshape(found, (sizes.batch, sizes.height, sizes.width, channels))
    return ops.expand_dims(found, 1)


def _between(places: np.ndarray, first: Tensor, last: Tensor, axis: int) -> Tensor:
    """Which places of an axis lie in the parts of it."""
    low, high = (ops.reshape(ends[:, axis], (-1, 1, 1)) for ends in (first, last))
    line = to_tensor(places)
    return ops.logical_and(ops.greater_equal(line, low), ops.less(line, high))


def is_symbolic(data: Any) -> bool:
    """Whether only shapes are inferred: masks of the sizes that stand for unknown ones are huge."""
    return isinstance(data["images"] if isinstance(data, Mapping) else data, KerasTensor)
