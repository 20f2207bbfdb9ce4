"""Where the best class is the right one: a warp or a block finds both of a row."""

from __future__ import annotations

from typing import Any

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.functions import device_function
from nkeras_numba_cuda.device.intrinsics import udiv, umod
from nkeras_numba_cuda.device.warps import WARP, best_in_team, larger
from nkeras_numba_cuda.kernels.registry import OWN
from nkeras_numba_cuda.kernels.rows import THREADS, blocks_for, team_for
from nkeras_numba_cuda.launch import FLOATING, kernel
from nkeras_numba_cuda.memory import Array, array_module, contiguous, empty
from nkeras_numpy.namespace import HALF_TYPES

_best = best_in_team(larger)
LABELS = ("int32", "int64")


@device_function
def _place(x: Any, start: Any, size: Any, lane: Any, team: Any, shared: Any, places: Any) -> Any:
    """Where the first largest element of a row stands."""
    value, place = x[start], places.dtype.type(0)
    for j in range(lane, size, team):
        other = x[start + j]
        if value == value and larger(value, other) != value:
            value, place = other, places.dtype.type(j)
    return _best(value, place, team, shared, places)


@kernel("{T}[::1], {L}[::1], {T}[::1], int64, int64", threads=THREADS, T=FLOATING, L=LABELS)
def hits_of_labels(y, labels, x, size, team):
    shared = cuda.shared.array(WARP, x.dtype)
    places = cuda.shared.array(WARP, "int32")
    team = min(team, cuda.blockDim.x)
    together = udiv(cuda.blockDim.x, team)
    lane = umod(cuda.threadIdx.x, team)
    for first in range(cuda.blockIdx.x * together, y.size, cuda.gridDim.x * together):
        row = first + udiv(cuda.threadIdx.x, team)
        start = min(row, y.size - 1) * size
        place = _place(x, start, size, lane, team, shared, places)
        if lane == 0 and row < y.size:
            y[row] = y.dtype.type(1 if labels[row] == labels.dtype.type(place) else 0)


@kernel("{T}[::1], {T}[::1], {T}[::1], int64, int64", threads=THREADS, T=FLOATING)
def hits_of_targets(y, targets, x, size, team):
    shared = cuda.shared.array(WARP, x.dtype)
    places = cuda.shared.array(WARP, "int32")
    team = min(team, cuda.blockDim.x)
    together = udiv(cuda.blockDim.x, team)
    lane = umod(cuda.threadIdx.x, team)
    for first in range(cuda.blockIdx.x * together, y.size, cuda.gridDim.x * together):
        row = first + udiv(cuda.threadIdx.x, team)
        start = min(row, y.size - 1) * size
        wanted = _place(targets, start, size, lane, team, shared, places)
        place = _place(x, start, size, lane, team, shared, places)
        if lane == 0 and row < y.size:
            y[row] = y.dtype.type(1 if wanted == place else 0)


def _floating(x: Array) -> Array:
    """An array that kernels take, whose order of elements is the same."""
    if x.dtype.name in FLOATING:
        return contiguous(x)
    return x.astype("float32" if x.dtype.name in HALF_TYPES else "float64")


def _without_fractions(labels: Array, whole: Array) -> Array:
    """-1 where a label is no whole number."""
    return array_module().where(labels == whole, whole, -1)


def _stored(y: Array, dtype: str) -> Array:
    return y if y.dtype.name == dtype else y.astype(dtype)


@OWN.register
def label_hits(labels: Array, scores: Array, *, dtype: str) -> Array:
    """1 where the first largest score along the last axis is that of the label, else 0."""
    x = _floating(scores)
    y, size = empty(x.shape[:-1], x.dtype), x.shape[-1]
    labels = contiguous(labels)
    if labels.dtype.name not in LABELS:
        whole = labels.astype("int64")  # what is no whole number is no label
        labels = whole if labels.dtype.kind in "iub" else _without_fractions(labels, whole)
    team = team_for(size)
    hits_of_labels.launch_blocks(blocks_for(y.size, team), y, labels, x, size, team)
    return _stored(y, dtype)


@OWN.register
def target_hits(targets: Array, scores: Array, *, dtype: str) -> Array:
    """1 where the first largest score and target share their place, else 0."""
    x, targets = _floating(scores), _floating(targets)
    if x.dtype != targets.dtype:
        x, targets = x.astype("float64"), targets.astype("float64")
    y, size = empty(x.shape[:-1], x.dtype), x.shape[-1]
    team = team_for(size)
    hits_of_targets.launch_blocks(blocks_for(y.size, team), y, targets, x, size, team)
    return _stored(y, dtype)
