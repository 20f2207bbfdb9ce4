"""Max and average pooling of one to three dimensions, channels last: which kernels compute it."""

from __future__ import annotations

import math

import numpy as np

from nkeras_numba_cuda.device.stored import STORED, as_stored
from nkeras_numba_cuda.kernels import plain_pooling as plain
from nkeras_numba_cuda.kernels import pooling_vectors as vectors
from nkeras_numba_cuda.kernels.registry import OWN
from nkeras_numba_cuda.kernels.windows import geometry, in_fours
from nkeras_numba_cuda.launch import COMPUTED, FLOATING
from nkeras_numba_cuda.memory import Array, constants, contiguous, empty
from nkeras_numpy import pooling as reference
from nkeras_numpy.windows import Ints, Pairs, output_sizes

HALVES = ("float16", "bfloat16")
MOVED = (*COMPUTED, *HALVES)
AVERAGED = (*FLOATING, *HALVES)
_IN_FOURS = frozenset(np.dtype(name) for name in ("uint8", *STORED))


def _pack(input_shape: Ints, counts: Ints, pool_size: Ints, strides: Ints, padding: Pairs) -> Array:
    settings = {"strides": strides, "padding": padding, "dilation": (1,) * len(pool_size)}
    return constants(*geometry(input_shape[1:-1], pool_size, counts, input_shape[-1], **settings))


def _in_fours(*arrays: Array) -> bool:
    """Whether four channels are served at once; bytes must do for the winners."""
    return all(array.dtype in _IN_FOURS for array in arrays) and in_fours(
        arrays[0].shape[-1], *arrays
    )


def _windows_apart(input_shape: Ints, pool_size: Ints, strides: Ints, padding: Pairs) -> int:
    """How many windows cover the input where none overlap, else 0."""
    if any(stride < window for stride, window in zip(strides, pool_size, strict=True)):
        return 0
    cells = zip(input_shape[1:-1], padding, strides, strict=True)
    return input_shape[0] * math.prod(
        -(-(size + low) // stride) for size, (low, _), stride in cells
    )


def _lowest(dtype: np.dtype) -> np.generic:
    """The value that padding has in a maximum, of the type that is computed with."""
    if dtype.name in HALVES:
        return np.float32(-np.inf)
    return dtype.type(-np.inf if dtype.kind == "f" else np.iinfo(dtype).min)


@OWN.register
def max_pool(x: Array, *, pool_size: Ints, strides: Ints, padding: Pairs) -> tuple[Array, Array]:
    """Maximum of each window, and where in the window it is first found."""
    if x.dtype.name not in MOVED:
        return reference.max_pool(x, pool_size=pool_size, strides=strides, padding=padding)
    counts = output_sizes(x.shape[1:-1], pool_size, strides, padding, (1,) * len(pool_size))
    shape = (x.shape[0], *counts, x.shape[-1])
    y, winner = empty(shape, x.dtype), empty(shape, reference.winner_dtype(pool_size))
    packed = _pack(x.shape, counts, pool_size, strides, padding)
    arrays = as_stored(y), winner, as_stored(contiguous(x))
    if _in_fours(*arrays):
        begin_inside = all(low == 0 and high < 2 for low, high in padding)
        chosen = vectors.max_pool_forward_4
        if pool_size == (2, 2) and begin_inside:
            chosen = vectors.max_pool_forward_2x2
        chosen.launch(y.size // 4, *arrays, _lowest(x.dtype), packed)
    else:
        plain.max_pool_forward.launch(y.size, *arrays, _lowest(x.dtype), packed)
    return y, winner


@OWN.register
def max_pool_grad(
    grad_y: Array,
    winner: Array,
    *,
    input_shape: Ints,
    pool_size: Ints,
    strides: Ints,
    padding: Pairs,
) -> Array:
    """Each element of `grad_y` added to the cell that won its window."""
    settings = {"pool_size": pool_size, "strides": strides, "padding": padding}
    if grad_y.dtype.name not in MOVED:
        return reference.max_pool_grad(grad_y, winner, input_shape=input_shape, **settings)
    grad_x = empty(input_shape, grad_y.dtype)
    if grad_y.size == 0:
        grad_x.fill(0)
        return grad_x
    packed = _pack(input_shape, grad_y.shape[1:-1], **settings)
    arrays = as_stored(grad_x), as_stored(contiguous(grad_y)), contiguous(winner)
    if not _in_fours(*arrays):
        plain.max_pool_backward.launch(grad_x.size, *arrays, packed)
    elif windows := _windows_apart(input_shape, **settings):
        threads = windows * (input_shape[-1] // 4)
        vectors.max_pool_backward_apart_4.launch(threads, *arrays, packed, windows)
    else:
        vectors.max_pool_backward_4.launch(grad_x.size // 4, *arrays, packed)
    return grad_x


@OWN.register
def max_pool_take(
    x: Array, winner: Array, *, pool_size: Ints, strides: Ints, padding: Pairs
) -> Array:
    """`x` at the winners, zero where padding won."""
    settings = {"pool_size": pool_size, "strides": strides, "padding": padding}
    if x.dtype.name not in MOVED:
        return reference.max_pool_take(x, winner, **settings)
    y = empty(winner.shape, x.dtype)
    packed = _pack(x.shape, winner.shape[1:-1], **settings)
    arrays = as_stored(y), as_stored(contiguous(x)), contiguous(winner)
    plain.max_pool_gather.launch(y.size, *arrays, packed)
    return y


@OWN.register
def average_pool(x: Array, *, pool_size: Ints, strides: Ints, padding: Pairs) -> Array:
    """Mean over the cells of each window that lie inside `x`."""
    if x.dtype.name not in AVERAGED:
        return reference.average_pool(x, pool_size=pool_size, strides=strides, padding=padding)
    counts = output_sizes(x.shape[1:-1], pool_size, strides, padding, (1,) * len(pool_size))
    y = empty((x.shape[0], *counts, x.shape[-1]), x.dtype)
    packed = _pack(x.shape, counts, pool_size, strides, padding)
    arrays = as_stored(y), as_stored(contiguous(x))
    if _in_fours(*arrays):
        vectors.average_pool_forward_4.launch(y.size // 4, *arrays, packed)
    else:
        plain.average_pool_forward.launch(y.size, *arrays, packed)
    return y


@OWN.register
def average_pool_grad(
    grad_y: Array, *, input_shape: Ints, pool_size: Ints, strides: Ints, padding: Pairs
) -> Array:
    """Each element of `grad_y` spread evenly over the cells of its window."""
    settings = {"pool_size": pool_size, "strides": strides, "padding": padding}
    if grad_y.dtype.name not in AVERAGED:
        return reference.average_pool_grad(grad_y, input_shape=input_shape, **settings)
    grad_x = empty(input_shape, grad_y.dtype)
    if grad_y.size == 0:
        grad_x.fill(0)
        return grad_x
    packed = _pack(input_shape, grad_y.shape[1:-1], **settings)
    arrays = as_stored(grad_x), as_stored(contiguous(grad_y))
    if not _in_fours(*arrays):
        plain.average_pool_backward.launch(grad_x.size, *arrays, packed)
    elif windows := _windows_apart(input_shape, **settings):
        threads = windows * (input_shape[-1] // 4)
        vectors.average_pool_backward_apart_4.launch(threads, *arrays, packed, windows)
    else:
        vectors.average_pool_backward_4.launch(grad_x.size // 4, *arrays, packed)
    return grad_x
