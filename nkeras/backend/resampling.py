"""Tables by which an axis is resampled: each new cell is a weighted sum of some old ones.

The tables depend on sizes and methods alone. They are made on the host, in float64, and kept.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from nkeras.backend import derive
from nkeras.backend.scalars import image

_NUMPY: dict[str, Any] = {name: getattr(np, name) for name in derive.FUNCTIONS if hasattr(np, name)}
RADIUS = {"linear": 1, "cubic": 2, "lanczos3": 3, "lanczos5": 5}
"""How many cells a window reaches to each side, by method; `"nearest"` has no window."""
LEAST_SUM = 1000.0 * float(np.finfo(np.float32).eps)
"""Weights whose sum is nearer to 0 are not divided by it: the cell becomes 0."""


class Rows(NamedTuple):
    """The result's cell i is the sum over t of `weights[i, t] * x[cells[i, t]]`.

    Args:
        cells: int32 `(size, terms)`.
        weights: float64 `(size, terms)`; 0 fills up rows that have fewer terms.
    """

    cells: np.ndarray
    weights: np.ndarray


@lru_cache(maxsize=256)
def rows(
    size_before: int,
    size: int,
    method: str,
    antialias: bool,
    scale: float,
    translation: float,
    transposed: bool,
) -> Rows:
    """How an axis of `size_before` cells becomes one of `size` cells.

    Args:
        size_before: cells of the axis; at least one.
        size: cells of the result; at least one.
        method: `"nearest"`, `"linear"`, `"cubic"`, `"lanczos3"` or `"lanczos5"`.
        antialias: whether windows get wider where the axis shrinks.
        scale: how many new cells take the place of an old one.
        translation: where the old origin is, in new cells.
        transposed: whether the table is that of the way back, transposed: a gradient's.

    Returns:
        Rows; other threads have the same arrays.
    """
    if transposed:
        there = rows(size, size_before, method, antialias, scale, translation, False)
        return _transposed(there, size)
    if method == "nearest":
        cells = (2 * np.arange(size) + 1) * size_before // (2 * size)
        return Rows(cells.astype(np.int32)[:, None], np.ones((size, 1)))
    centres = (np.arange(size) + 0.5 - translation) / scale - 0.5
    stretch = max(1.0 / scale, 1.0) if antialias else 1.0
    reach = RADIUS[method] * stretch
    first = np.ceil(centres - reach)[:, None]
    cells = first + np.arange(int(2 * reach) + 1)
    distances = (cells - centres[:, None]) / stretch
    inside = (cells >= 0) & (cells < size_before)
    weights = np.where(inside, _window(method, distances), 0.0)
    sums = weights.sum(1, keepdims=True)
    is_met = (centres >= -0.5) & (centres <= size_before - 0.5)
    is_met &= np.abs(sums[:, 0]) > LEAST_SUM
    weights = np.where(is_met[:, None], weights / np.where(sums == 0.0, 1.0, sums), 0.0)
    return _packed(np.where(inside, cells, 0).astype(np.int32), weights)


def _window(method: str, distances: np.ndarray) -> np.ndarray:
    if method == "linear":
        return image.triangle_window.bind(_NUMPY, None)(distances)
    if method == "cubic":
        return image.cubic_window.bind(_NUMPY, None)(distances)
    radius = np.float64(RADIUS[method])
    return image.lanczos_window.bind(_NUMPY, None)(distances, radius)


def _packed(cells: np.ndarray, weights: np.ndarray) -> Rows:
    """Without columns of zeros; what is zero stands behind and names a cell of the same row."""
    order = np.argsort(weights == 0.0, axis=1, kind="stable")
    cells, weights = (np.take_along_axis(table, order, 1) for table in (cells, weights))
    terms = max(1, int(np.count_nonzero(weights, axis=1).max()))
    cells, weights = cells[:, :terms], np.ascontiguousarray(weights[:, :terms])
    return Rows(np.where(weights == 0.0, cells[:, :1], cells), weights)


def _transposed(there: Rows, size: int) -> Rows:
    """The rows of the transposed matrix, whose number is `size`."""
    targets = np.repeat(np.arange(len(there.cells)), there.cells.shape[1])
    cells, weights = there.cells.reshape(-1), there.weights.reshape(-1)
    used = weights != 0.0
    targets, cells, weights = targets[used], cells[used], weights[used]
    order = np.argsort(cells, kind="stable")
    targets, cells, weights = targets[order], cells[order], weights[order]
    counts = np.bincount(cells, minlength=size)
    place = np.arange(cells.size) - np.repeat(np.cumsum(counts) - counts, counts)
    terms = max(1, int(counts.max()))
    found = np.zeros((size, terms), np.int32), np.zeros((size, terms))
    found[0][cells, place], found[1][cells, place] = targets, weights
    return _packed(*found)
