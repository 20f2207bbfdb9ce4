"""Histograms of images, and levels made of them: whole images, or tile by tile."""

import math

import numpy as np

from nkeras_numpy.namespace import Array, in_float32, namespace
from nkeras_numpy.registry import KERNELS

LEVELS = 256


@KERNELS.register
@in_float32
def equalized(x: Array, *, bins: int) -> Array:
    """Values become how many pixels of their image are darker."""
    if not x.size:
        return x
    xp = namespace(x)
    batch, pixels, channels = x.shape
    line = xp.arange(batch * channels).reshape(batch, 1, channels)
    places = line * bins + _bins_of(x, bins)
    below = xp.cumsum(_counts(places, batch * channels * bins).reshape(-1, bins), 1)
    first = xp.where(below > 0, below, pixels).min(1, keepdims=True)
    spread = (pixels - first).astype(x.dtype)
    levels = (below - first).astype(x.dtype) * 255 / xp.where(spread == 0, 1, spread)
    y = xp.rint(levels).astype(x.dtype).reshape(-1)[places]
    return xp.where(spread.reshape(batch, 1, channels) == 0, x, y)


@KERNELS.register
@in_float32
def equalized_in_tiles(x: Array, *, tiles: tuple[int, int], clip_limit: float) -> Array:
    """The same with a table for each tile, between which a pixel's level is interpolated."""
    if not x.size:
        return x
    xp = namespace(x)
    batch, height, width, channels = x.shape
    tables = _tables(x, tiles, clip_limit)
    image = xp.arange(batch)[:, None, None, None]
    above, below, down = _between(x, height, tiles[0], (-1, 1, 1))
    left, right, across = _between(x, width, tiles[1], (-1, 1))
    channel, level = xp.arange(channels), _bins_of(x, LEVELS)
    upper, lower = (
        (1 - across) * tables[image, row, left, channel, level]
        + across * tables[image, row, right, channel, level]
        for row in (above, below)
    )
    return (1 - down) * upper + down * lower


def _bins_of(x: Array, bins: int) -> Array:
    """The bin of each value from 0 to 255; the first one of NaN."""
    xp = namespace(x)
    place = x * (bins - 1) / 255
    return xp.where(place > 0, xp.minimum(place, bins - 1), 0).astype(np.int64)


def _counts(places: Array, size: int) -> Array:
    """How often each place below that size occurs."""
    xp = namespace(places)
    counts = xp.zeros(size, np.int32)
    xp.add.at(counts, places.reshape(-1), 1)
    return counts


def _tables(x: Array, tiles: tuple[int, int], clip_limit: float) -> Array:
    """The tables of tiles: `(batch, rows, columns, channels, 256)`."""
    xp = namespace(x)
    batch, height, width, channels = x.shape
    rows, columns = tiles
    tile_height, tile_width = -(-height // rows), -(-width // columns)
    pixels = _bins_of(x, LEVELS)[:, _mirrored(xp, height, rows * tile_height)]
    pixels = pixels[:, :, _mirrored(xp, width, columns * tile_width)]
    pixels = pixels.reshape(batch, rows, tile_height, columns, tile_width, channels)
    pixels = pixels.transpose(0, 1, 3, 5, 2, 4).reshape(-1, tile_height * tile_width)
    count, size = pixels.shape
    places = xp.arange(count)[:, None] * LEVELS + pixels
    counts = _counts(places, count * LEVELS).reshape(count, LEVELS).astype(x.dtype)
    if clip_limit > 0:
        kept = xp.minimum(counts, xp.asarray(clip_limit * size / LEVELS, x.dtype))
        counts = kept + (counts - kept).sum(1, keepdims=True) / LEVELS
    below = xp.cumsum(counts, 1)
    first = below[:, :1]
    rest = size - first
    levels = (below - first) * 255 / xp.where(rest == 0, 1, rest)
    return xp.clip(levels, 0, 255).reshape(batch, rows, columns, channels, LEVELS)


def _mirrored(xp, size: int, whole: int) -> Array:
    """For `whole` places, those of `size` places that go on behind their end as in a mirror."""
    places = xp.arange(whole) % (2 * size)
    return xp.minimum(places, 2 * size - 1 - places)


def _between(x: Array, size: int, tiles: int, shape: tuple[int, ...]) -> tuple[Array, Array, Array]:
    """For each place along an axis: the tiles before and behind it, and the share of the latter."""
    xp = namespace(x)
    length = math.ceil(size / tiles)
    along = (xp.arange(size).astype(x.dtype) - length / 2) / length
    tile = xp.floor(along)
    share = along - tile
    tile = tile.astype(np.int64)
    both = xp.clip(tile, 0, tiles - 1), xp.clip(tile + 1, 0, tiles - 1)
    return both[0].reshape(shape), both[1].reshape(shape), share.reshape(shape)
