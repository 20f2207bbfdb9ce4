"""Optimizer updates: one pass over each variable, in pieces that stay in the first-level cache.

A piece of each old buffer is copied into the new one and updated there: loops over few arrays,
which LLVM can check for overlap, and so vectorise. Buffers that the settings do not use are None,
in the arguments and in the result.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange

from nkeras_numba_cpu.compile import parallel
from nkeras_numba_cpu.memory import empty, operand, stored

# Elements per task.
PIECE = 2048


def sgd_update(
    w: np.ndarray,
    grad: np.ndarray,
    velocity: np.ndarray | None,
    *,
    learning_rate: float,
    momentum: float,
    nesterov: bool,
) -> tuple[np.ndarray, np.ndarray | None]:
    old_w, old_velocity = _flat(w, w), _flat(velocity, w)
    new_w, new_velocity = _new(old_w), _new(old_velocity)
    if w.size:
        scalar = old_w.dtype.type
        _sgd(
            w.size * 4,
            old_w,
            _flat(grad, w),
            old_velocity,
            new_w,
            new_velocity,
            scalar(learning_rate),
            scalar(momentum),
            nesterov,
            velocity is not None,
        )
    return _shaped(new_w, w), None if velocity is None else _shaped(new_velocity, w)


def adam_update(
    w: np.ndarray,
    grad: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    *,
    alpha: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return _adam_update(w, grad, [m, v], alpha, beta_1, beta_2, epsilon)


def amsgrad_update(
    w: np.ndarray,
    grad: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    v_hat: np.ndarray,
    *,
    alpha: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    return _adam_update(w, grad, [m, v, v_hat], alpha, beta_1, beta_2, epsilon)


def rmsprop_update(
    w: np.ndarray,
    grad: np.ndarray,
    v: np.ndarray,
    momentum_buffer: np.ndarray | None,
    average_grad: np.ndarray | None,
    *,
    learning_rate: float,
    rho: float,
    momentum: float,
    epsilon: float,
    centered: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
    old = [_flat(w, w), _flat(v, w), _flat(momentum_buffer, w), _flat(average_grad, w)]
    new = [_new(x) for x in old]
    if w.size:
        scalar = old[0].dtype.type
        _rmsprop(
            w.size * 10,
            _flat(grad, w),
            *old,
            *new,
            scalar(learning_rate),
            scalar(rho),
            scalar(1 - rho),
            scalar(momentum),
            scalar(epsilon),
            centered,
            momentum > 0,
        )
    return (
        _shaped(new[0], w),
        _shaped(new[1], w),
        None if momentum_buffer is None else _shaped(new[2], w),
        None if average_grad is None else _shaped(new[3], w),
    )


def _adam_update(
    w: np.ndarray,
    grad: np.ndarray,
    buffers: list[np.ndarray],
    alpha: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> Any:
    """Buffers m and v, and for AMSGrad v_hat."""
    old = [_flat(x, w) for x in (w, *buffers)]
    new = [_new(x) for x in old]
    amsgrad = len(buffers) == 3
    if w.size:
        scalar = old[0].dtype.type
        unused = [] if amsgrad else [_flat(None, w)]
        _adam(
            w.size * 10,
            _flat(grad, w),
            *old,
            *unused,
            *new,
            *unused,
            scalar(alpha),
            scalar(1 - beta_1),
            scalar(1 - beta_2),
            scalar(epsilon),
            amsgrad,
        )
    return tuple(_shaped(x, w) for x in new)


def _flat(x: np.ndarray | None, w: np.ndarray) -> np.ndarray:
    """x as one contiguous dimension; empty, of the dtype of w, where there is no buffer."""
    return operand(empty((0,), w.dtype) if x is None else x).reshape(-1)


def _new(x: np.ndarray) -> np.ndarray:
    return empty(x.shape, x.dtype)


def _shaped(x: np.ndarray, like: np.ndarray) -> np.ndarray:
    return stored(x.reshape(like.shape), like.dtype)


@parallel
def _sgd(
    old_w, grad, old_velocity, new_w, new_velocity, learning_rate, momentum, nesterov, has_velocity
):
    size = old_w.size
    for piece in prange((size + PIECE - 1) // PIECE):
        first, last = piece * PIECE, min(piece * PIECE + PIECE, size)
        w, g, start = new_w[first:last], grad[first:last], old_w[first:last]
        if has_velocity:
            velocity, old = new_velocity[first:last], old_velocity[first:last]
            for i in range(last - first):
                velocity[i] = momentum * old[i] - learning_rate * g[i]
            if nesterov:
                for i in range(last - first):
                    w[i] = start[i] + momentum * velocity[i] - learning_rate * g[i]
            else:
                for i in range(last - first):
                    w[i] = start[i] + velocity[i]
        else:
            for i in range(last - first):
                w[i] = start[i] - learning_rate * g[i]


@parallel
def _adam(
    grad,
    old_w,
    old_m,
    old_v,
    old_v_hat,
    new_w,
    new_m,
    new_v,
    new_v_hat,
    alpha,
    rate_1,
    rate_2,
    epsilon,
    amsgrad,
):
    size = old_w.size
    for piece in prange((size + PIECE - 1) // PIECE):
        first, last = piece * PIECE, min(piece * PIECE + PIECE, size)
        g, w, m, v = grad[first:last], new_w[first:last], new_m[first:last], new_v[first:last]
        start, start_m, start_v = old_w[first:last], old_m[first:last], old_v[first:last]
        for i in range(last - first):
            m[i] = start_m[i] + (g[i] - start_m[i]) * rate_1
        for i in range(last - first):
            v[i] = start_v[i] + (g[i] * g[i] - start_v[i]) * rate_2
        if amsgrad:
            hat, start_hat = new_v_hat[first:last], old_v_hat[first:last]
            for i in range(last - first):
                greater = (start_hat[i] > v[i]) | (start_hat[i] != start_hat[i])
                hat[i] = start_hat[i] if greater else v[i]
            for i in range(last - first):
                w[i] = start[i] - m[i] * alpha / (math.sqrt(hat[i]) + epsilon)
        else:
            for i in range(last - first):
                w[i] = start[i] - m[i] * alpha / (math.sqrt(v[i]) + epsilon)


@parallel
def _rmsprop(
    grad,
    old_w,
    old_v,
    old_buffer,
    old_average,
    new_w,
    new_v,
    new_buffer,
    new_average,
    learning_rate,
    rho,
    rest,
    momentum,
    epsilon,
    centered,
    has_momentum,
):
    size = old_w.size
    for piece in prange((size + PIECE - 1) // PIECE):
        first, last = piece * PIECE, min(piece * PIECE + PIECE, size)
        g, w, v = grad[first:last], new_w[first:last], new_v[first:last]
        start, start_v = old_w[first:last], old_v[first:last]
        for i in range(last - first):
            v[i] = rho * start_v[i] + rest * g[i] * g[i]
        # Until the last loop, w holds the increment.
        if centered:
            average, start_average = new_average[first:last], old_average[first:last]
            for i in range(last - first):
                average[i] = rho * start_average[i] + rest * g[i]
            for i in range(last - first):
                denominator = v[i] + epsilon - average[i] * average[i]
                w[i] = learning_rate * g[i] / math.sqrt(denominator)
        else:
            for i in range(last - first):
                w[i] = learning_rate * g[i] / math.sqrt(v[i] + epsilon)
        if has_momentum:
            buffer, start_buffer = new_buffer[first:last], old_buffer[first:last]
            for i in range(last - first):
                buffer[i] = momentum * start_buffer[i] + w[i]
            for i in range(last - first):
                w[i] = start[i] - buffer[i]
        else:
            for i in range(last - first):
                w[i] = start[i] - w[i]
