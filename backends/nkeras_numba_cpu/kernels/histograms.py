"""Histograms of images, and levels made of them: whole images, or tile by tile."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit.views import part
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.loops.operands import operand, stored
from nkeras_numba_cpu.memory.allocation import empty

LEVELS = 256
GRAIN = 32768  # elements that one task makes


@KERNELS.register
def equalized(x: np.ndarray, *, bins: int) -> np.ndarray:
    """Values become how many pixels of their image are darker."""
    source = operand(x)
    result = empty(source.shape, source.dtype)
    if result.size:
        batch, _, channels = source.shape
        counts = empty((batch, channels, bins), np.int32)
        levels = empty((batch, channels, bins), source.dtype)
        _equalize(batch, 8 * result.size, source, counts, levels, result)
    return stored(result, x.dtype)


@KERNELS.register
def equalized_in_tiles(x: np.ndarray, *, tiles: tuple[int, int], clip_limit: float) -> np.ndarray:
    """The same with a table for each tile, between which a pixel's level is interpolated."""
    source = operand(x)
    result = empty(source.shape, source.dtype)
    if result.size:
        batch, height, width, channels = source.shape
        tables = empty((batch, *tiles, channels, LEVELS), source.dtype)
        count = batch * math.prod(tiles)
        _make_tables(count, 4 * result.size, source, clip_limit, tables)
        group = max(1, GRAIN // (width * channels))
        count = -(-batch * height // group)
        down = _between(height, tiles[0], source.dtype.str)
        across = _between(width, tiles[1], source.dtype.str)
        flat = tables.reshape(-1)
        _interpolate(count, 16 * result.size, source, group, tiles, down, across, flat, result)
    return stored(result, x.dtype)


@inner
def _bin(x, value, bins):
    """The bin of one of the values of x."""
    last = x.dtype.type(bins - 1)
    place = value * last / x.dtype.type(255)
    return np.uint64(min(place, last)) if place > 0 else np.uint64(0)  # also of NaN


@tasks
def _equalize(n, x, counts, levels, y):
    image, target, count, level = x[n], y[n], counts[n], levels[n]
    pixels, channels = image.shape
    bins = count.shape[1]
    for c in range(channels):
        for i in range(bins):
            count[c, i] = 0
    for p in range(pixels):
        for c in range(channels):
            count[c, _bin(x, image[p, c], bins)] += 1
    for c in range(channels):
        first = 0
        for i in range(bins):
            first = count[c, i]
            if first > 0:
                break
        spread = pixels - first
        if spread == 0:
            for p in range(pixels):
                target[p, c] = image[p, c]
            continue
        below = 0
        for i in range(bins):
            below += count[c, i]
            above_first = x.dtype.type(max(below - first, 0)) * x.dtype.type(255)
            level[c, i] = np.rint(above_first / x.dtype.type(spread))
        for p in range(pixels):
            target[p, c] = level[c, _bin(x, image[p, c], bins)]


@inner
def _mirrored(place, size):
    """Behind its end an axis goes on as in a mirror."""
    place %= 2 * size
    return min(place, 2 * size - 1 - place)


@tasks
def _make_tables(task, x, clip_limit, tables):
    _, height, width, channels = x.shape
    rows, columns = tables.shape[1], tables.shape[2]
    tile_height, tile_width = (height + rows - 1) // rows, (width + columns - 1) // columns
    n = task // (rows * columns)
    row = task // columns - n * rows
    column = task - (n * rows + row) * columns
    image, levels = x[n], tables[n, row, column]
    zero, one = x.dtype.type(0), x.dtype.type(1)
    for c in range(channels):
        for i in range(LEVELS):
            levels[c, i] = zero
    for i in range(row * tile_height, (row + 1) * tile_height):
        line = image[_mirrored(i, height)]
        for j in range(column * tile_width, (column + 1) * tile_width):
            pixel = line[_mirrored(j, width)]
            for c in range(channels):
                levels[c, _bin(x, pixel[c], LEVELS)] += one
    size = tile_height * tile_width
    for c in range(channels):
        level = levels[c]
        excess = zero
        if clip_limit > 0:
            most = x.dtype.type(clip_limit * size / LEVELS)
            for i in range(LEVELS):
                excess += max(level[i] - most, zero)
                level[i] = min(level[i], most)
        share = excess / x.dtype.type(LEVELS)
        below = zero
        first = level[0] + share
        rest = x.dtype.type(size) - first
        rest = rest if rest != 0 else one
        for i in range(LEVELS):
            below += level[i] + share
            found = (below - first) * x.dtype.type(255) / rest
            level[i] = min(max(found, zero), x.dtype.type(255))


@lru_cache(maxsize=256)
def _between(size: int, tiles: int, dtype: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each place along an axis: the tiles before and behind it, and the share of the latter."""
    length = -(-size // tiles)
    along = (np.arange(size).astype(dtype) - length / 2) / length
    tile = np.floor(along)
    places = [np.clip(tile + step, 0, tiles - 1).astype(np.uint64) for step in (0, 1)]
    return places[0], places[1], (along - tile).astype(dtype)


@tasks
def _interpolate(task, x, group, tiles, down, across, tables, y):
    batch, height, width, channels = x.shape
    above, low, shares = down
    left, right, parts = across
    one, of_tile = x.dtype.type(1), np.uint64(channels * LEVELS)
    of_row = tiles[1] * channels * LEVELS
    for line in range(task * group, min(task * group + group, batch * height)):
        n = line // height
        i = line - n * height
        first, second = n * tiles[0] + int(above[i]), n * tiles[0] + int(low[i])
        upper, lower = part(tables, first * of_row, of_row), part(tables, second * of_row, of_row)
        source, target, share = x[n, i], y[n, i], shares[i]
        for j in range(width):
            before, behind, rest = left[j] * of_tile, right[j] * of_tile, parts[j]
            for c in range(channels):
                level = np.uint64(c * LEVELS) + _bin(x, source[j, c], LEVELS)
                high = (one - rest) * upper[before + level] + rest * upper[behind + level]
                deep = (one - rest) * lower[before + level] + rest * lower[behind + level]
                target[j, c] = (one - share) * high + share * deep
