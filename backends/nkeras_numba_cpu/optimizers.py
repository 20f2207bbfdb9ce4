"""Optimizer updates: one pass over each variable, in pieces that stay in the caches.

A piece of each old buffer is copied into the new one and updated there: loops over few arrays,
which LLVM can check for overlap, and so vectorise. A plan lets old and new be the same array; then
nothing is copied. Buffers that the settings do not use are None, in the arguments and in the
result. The number that changes from step to step is read from an array, so that a plan can change
it; it may come as such an array.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from nkeras_numba_cpu.compile import jit
from nkeras_numba_cpu.drivers import tasks
from nkeras_numba_cpu.memory import empty, operand, stored
from nkeras_numba_cpu.simd import address_of

# Elements per task.
PIECE = 4096


def sgd_update(
    w: np.ndarray,
    grad: np.ndarray,
    velocity: np.ndarray | None,
    *,
    learning_rate: Any,
    momentum: float,
    nesterov: bool,
) -> tuple[np.ndarray, np.ndarray | None]:
    old, new = _buffers(w, velocity)
    constants = _constants(old[0].dtype, momentum)
    has_velocity = velocity is not None
    _run(_sgd, w, 4, grad, *old, *new, _cell(learning_rate), constants, nesterov, has_velocity)
    return _shaped(new[0], w), _shaped(new[1], velocity)


def adam_update(
    w: np.ndarray,
    grad: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    *,
    alpha: Any,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    old, new = _buffers(w, m, v)
    constants = _constants(old[0].dtype, 1 - beta_1, 1 - beta_2, epsilon)
    _run(_adam, w, 10, grad, *old, *new, _cell(alpha), constants)
    return _shaped(new[0], w), _shaped(new[1], w), _shaped(new[2], w)


def amsgrad_update(
    w: np.ndarray,
    grad: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    v_hat: np.ndarray,
    *,
    alpha: Any,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    old, new = _buffers(w, m, v, v_hat)
    constants = _constants(old[0].dtype, 1 - beta_1, 1 - beta_2, epsilon)
    _run(_amsgrad, w, 10, grad, *old, *new, _cell(alpha), constants)
    return _shaped(new[0], w), _shaped(new[1], w), _shaped(new[2], w), _shaped(new[3], w)


def rmsprop_update(
    w: np.ndarray,
    grad: np.ndarray,
    v: np.ndarray,
    momentum_buffer: np.ndarray | None,
    average_grad: np.ndarray | None,
    *,
    learning_rate: Any,
    rho: float,
    momentum: float,
    epsilon: float,
    centered: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
    old, new = _buffers(w, v, momentum_buffer, average_grad)
    constants = _constants(old[0].dtype, rho, 1 - rho, momentum, epsilon)
    _run(_rmsprop, w, 10, grad, *old, *new, _cell(learning_rate), constants, centered, momentum > 0)
    return (
        _shaped(new[0], w),
        _shaped(new[1], w),
        _shaped(new[2], momentum_buffer),
        _shaped(new[3], average_grad),
    )


# What a plan may do, see nkeras_numba_cpu.capture: outputs over inputs, numbers from an array.
for _update, _pairs, _number in (
    (sgd_update, {0: 0, 1: 2}, "learning_rate"),
    (adam_update, {0: 0, 1: 2, 2: 3}, "alpha"),
    (amsgrad_update, {0: 0, 1: 2, 2: 3, 3: 4}, "alpha"),
    (rmsprop_update, {0: 0, 1: 2, 2: 3, 3: 4}, "learning_rate"),
):
    _update.in_place, _update.live = _pairs, (_number,)  # type: ignore[attr-defined]


def _run(
    kernel: Callable[..., None], w: np.ndarray, cost: int, grad: np.ndarray, *arguments: Any
) -> None:
    if w.size:
        flat = operand(grad).reshape(-1)
        kernel((w.size + PIECE - 1) // PIECE, w.size * cost, flat, *arguments)


def _buffers(
    w: np.ndarray, *buffers: np.ndarray | None
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Old arrays, contiguous and flat, and new ones; empty ones where there is no buffer."""
    old = [operand(w).reshape(-1)]
    old += [_none(old[0].dtype) if x is None else operand(x).reshape(-1) for x in buffers]
    return old, [x if x.size == 0 else empty(x.shape, x.dtype) for x in old]


@lru_cache(maxsize=8)
def _none(dtype: np.dtype) -> np.ndarray:
    return np.empty(0, dtype)


@lru_cache(maxsize=64)
def _constants(dtype: np.dtype, *values: float) -> np.ndarray:
    return np.array(values, dtype)


def _cell(value: Any) -> np.ndarray:
    """An array that holds a number; a plan gives one itself."""
    return value if isinstance(value, np.ndarray) else _cell_of(value)


@lru_cache(maxsize=16)
def _cell_of(value: float) -> np.ndarray:
    return np.array([value], np.float64)


def _shaped(x: np.ndarray, like: np.ndarray | None) -> Any:
    return None if like is None else stored(x.reshape(like.shape), like.dtype)


@jit
def _piece(task, old, new):
    """The task's piece of a new array, with the values of the old one."""
    first, last = task * PIECE, min(task * PIECE + PIECE, old.size)
    piece = new[first:last]
    if address_of(old, 0) != address_of(new, 0):
        start = old[first:last]
        for i in range(last - first):
            piece[i] = start[i]
    return piece


@tasks
def _sgd(
    task, grad, old_w, old_velocity, new_w, new_velocity, rate, constants, nesterov, has_velocity
):
    w = _piece(task, old_w, new_w)
    g = grad[task * PIECE : task * PIECE + w.size]
    learning_rate, momentum = w.dtype.type(rate[0]), constants[0]
    if has_velocity:
        velocity = _piece(task, old_velocity, new_velocity)
        for i in range(w.size):
            velocity[i] = momentum * velocity[i] - learning_rate * g[i]
        if nesterov:
            for i in range(w.size):
                w[i] = w[i] + momentum * velocity[i] - learning_rate * g[i]
        else:
            for i in range(w.size):
                w[i] += velocity[i]
    else:
        for i in range(w.size):
            w[i] -= learning_rate * g[i]


@tasks
def _adam(task, grad, old_w, old_m, old_v, new_w, new_m, new_v, rate, constants):
    w = _piece(task, old_w, new_w)
    m, v = _piece(task, old_m, new_m), _piece(task, old_v, new_v)
    g = grad[task * PIECE : task * PIECE + w.size]
    alpha, rate_1, rate_2, epsilon = w.dtype.type(rate[0]), constants[0], constants[1], constants[2]
    for i in range(w.size):
        m[i] += (g[i] - m[i]) * rate_1
        v[i] += (g[i] * g[i] - v[i]) * rate_2
        w[i] -= m[i] * alpha / (math.sqrt(v[i]) + epsilon)


@tasks
def _amsgrad(
    task, grad, old_w, old_m, old_v, old_hat, new_w, new_m, new_v, new_hat, rate, constants
):
    w = _piece(task, old_w, new_w)
    m, v, hat = (
        _piece(task, old_m, new_m),
        _piece(task, old_v, new_v),
        _piece(task, old_hat, new_hat),
    )
    g = grad[task * PIECE : task * PIECE + w.size]
    alpha, rate_1, rate_2, epsilon = w.dtype.type(rate[0]), constants[0], constants[1], constants[2]
    for i in range(w.size):
        m[i] += (g[i] - m[i]) * rate_1
        v[i] += (g[i] * g[i] - v[i]) * rate_2
    for i in range(w.size):
        greater = (hat[i] > v[i]) | (hat[i] != hat[i])
        hat[i] = hat[i] if greater else v[i]
        w[i] -= m[i] * alpha / (math.sqrt(hat[i]) + epsilon)


@tasks
def _rmsprop(
    task,
    grad,
    old_w,
    old_v,
    old_buffer,
    old_average,
    new_w,
    new_v,
    new_buffer,
    new_average,
    rate,
    constants,
    centered,
    has_momentum,
):
    w, v = _piece(task, old_w, new_w), _piece(task, old_v, new_v)
    g = grad[task * PIECE : task * PIECE + w.size]
    learning_rate, rho, rest = w.dtype.type(rate[0]), constants[0], constants[1]
    momentum, epsilon = constants[2], constants[3]
    increment = np.empty(w.size, w.dtype)
    for i in range(w.size):
        v[i] = rho * v[i] + rest * g[i] * g[i]
    if centered:
        average = _piece(task, old_average, new_average)
        for i in range(w.size):
            average[i] = rho * average[i] + rest * g[i]
        for i in range(w.size):
            denominator = v[i] + epsilon - average[i] * average[i]
            increment[i] = learning_rate * g[i] / math.sqrt(denominator)
    else:
        for i in range(w.size):
            increment[i] = learning_rate * g[i] / math.sqrt(v[i] + epsilon)
    if has_momentum:
        buffer = _piece(task, old_buffer, new_buffer)
        for i in range(w.size):
            buffer[i] = momentum * buffer[i] + increment[i]
        for i in range(w.size):
            w[i] -= buffer[i]
    else:
        for i in range(w.size):
            w[i] -= increment[i]
