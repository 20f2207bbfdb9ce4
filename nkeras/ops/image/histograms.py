"""Equalization of histograms: values are replaced by how many pixels are darker.

Results are flat between jumps: nothing flows back through them.
"""

from __future__ import annotations

import math

import numpy as np

from nkeras.core.primitive import primitive, to_tensor
from nkeras.core.spec import Spec, Typed
from nkeras.core.tensor import Tensor
from nkeras.ops.core import zeros_like
from nkeras.ops.elementwise import clip, equal, fmax, fmin, greater, minimum, rint, where_
from nkeras.ops.image.layout import as_float
from nkeras.ops.indexing import scatter_nd, take_, take_along_axis_
from nkeras.ops.reduction import cumsum_, reduce_min, reduce_sum
from nkeras.ops.shape import cast, reshape, section, stack, transpose

LEVELS = 256
"""Of the histograms of tiles."""


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


@equalized.decomposition
def _(x: Tensor, bins: int) -> Tensor:
    batch, pixels, channels = x.shape
    if not math.prod(x.shape):
        return x
    wide = as_float(x)
    starts = (np.arange(channels) * bins).astype("int32")
    places = reshape(_bins_of(wide, bins) + to_tensor(starts), (batch, -1))
    counts = _counts(places, channels * bins, wide.dtype)
    below = cumsum_(reshape(counts, (batch, channels, bins)), axis=2)
    some = where_(greater(below, 0.0), below, float(pixels))
    first = reduce_min(some, axis=(2,), keepdims=True)
    spread = float(pixels) - first
    is_flat = equal(spread, 0.0)
    levels = rint((below - first) * 255.0 / where_(is_flat, 1.0, spread))
    y = take_along_axis_(reshape(levels, (batch, -1)), places, axis=1)
    is_flat = reshape(is_flat, (batch, 1, channels))
    return cast(where_(is_flat, wide, reshape(y, x.shape)), x.dtype)


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


@equalized_in_tiles.decomposition
def _(x: Tensor, tiles: tuple[int, int], clip_limit: float) -> Tensor:
    if not math.prod(x.shape):
        return x
    wide = as_float(x)
    batch, height, width, channels = x.shape
    pixels = _bins_of(wide, LEVELS)
    tables = _tables(pixels, tiles, clip_limit, wide.dtype)
    above, below, down = _between(height, tiles[0])
    left, right, across = _between(width, tiles[1])

    def levels(rows: np.ndarray, columns: np.ndarray) -> Tensor:
        tile = rows[:, None, None] * tiles[1] + columns[:, None]
        starts = (tile * channels + np.arange(channels)) * LEVELS
        places = reshape(pixels + to_tensor(starts.astype("int32")), (batch, -1))
        return reshape(take_along_axis_(tables, places, axis=1), x.shape)

    share = to_tensor(across[:, None], wide.dtype)
    upper, lower = (
        (1.0 - share) * levels(rows, left) + share * levels(rows, right) for rows in (above, below)
    )
    share = to_tensor(down[:, None, None], wide.dtype)
    return cast((1.0 - share) * upper + share * lower, x.dtype)


def _bins_of(x: Tensor, bins: int) -> Tensor:
    """The bin of each value from 0 to 255, int32; the first one of NaN."""
    return cast(fmin(fmax(x * (bins - 1.0) / 255.0, 0.0), bins - 1.0), "int32")


def _counts(places: Tensor, size: int, dtype: str) -> Tensor:
    """How often each place below that size occurs in each row: `(batch, size)`.

    Rows are numbered by a sum of ones: a file with an open batch has no constant of its size.
    """
    ones = cast(equal(places, places), dtype)
    rows = cast(cumsum_(ones, axis=0), "int32") - 1
    indices = reshape(stack([rows, places], -1), (-1, 2))
    return scatter_nd(indices, reshape(ones, (-1,)), shape=(places.shape[0], size))


def _tables(pixels: Tensor, tiles: tuple[int, int], clip_limit: float, dtype: str) -> Tensor:
    """The tables of tiles: `(batch, rows * columns * channels * 256)`."""
    batch, height, width, channels = pixels.shape
    rows, columns = tiles
    tile_height, tile_width = -(-height // rows), -(-width // columns)
    pixels = take_(pixels, _mirrored(height, rows * tile_height), axis=1)
    pixels = take_(pixels, _mirrored(width, columns * tile_width), axis=2)
    pixels = reshape(pixels, (batch, rows, tile_height, columns, tile_width, channels))
    count, size = rows * columns * channels, tile_height * tile_width
    pixels = reshape(transpose(pixels, (0, 1, 3, 5, 2, 4)), (batch, count, size))
    starts = np.arange(count, dtype="int32")[:, None] * LEVELS
    places = reshape(pixels + to_tensor(starts), (batch, -1))
    counts = reshape(_counts(places, count * LEVELS, dtype), (batch, count, LEVELS))
    if clip_limit > 0:
        kept = minimum(counts, clip_limit * size / LEVELS)
        counts = kept + reduce_sum(counts - kept, axis=(2,), keepdims=True) / float(LEVELS)
    below = cumsum_(counts, axis=2)
    first = section(below, 2, 0, 1)
    rest = float(size) - first
    levels = (below - first) * 255.0 / where_(equal(rest, 0.0), 1.0, rest)
    return reshape(clip(levels, 0.0, 255.0), (batch, -1))


def _mirrored(size: int, whole: int) -> Tensor:
    """For `whole` places, those of `size` places that go on behind their end as in a mirror."""
    places = np.arange(whole) % (2 * size)
    return to_tensor(np.minimum(places, 2 * size - 1 - places).astype("int32"))


def _between(size: int, tiles: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each place along an axis: the tiles before and behind it, and the share of the latter."""
    length = -(-size // tiles)
    along = (np.arange(size) - length / 2) / length
    tile = np.floor(along).astype("int64")
    return np.clip(tile, 0, tiles - 1), np.clip(tile + 1, 0, tiles - 1), along - tile
