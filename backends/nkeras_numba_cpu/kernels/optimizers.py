"""Optimizer updates: one pass over each variable, with all its buffers.

A result may be the same array as what it replaces. Buffers that the settings do not use are None,
in the arguments and in the result. The learning rate may be an array of one float64, which is read
when the kernel runs, not when it is called.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import numpy as np

from nkeras_numba_cpu.emit.values import Value, where
from nkeras_numba_cpu.emit.vector_math import functions
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.loops.maps import Map, block_task, contiguous
from nkeras_numba_cpu.loops.operands import operand, stored
from nkeras_numba_cpu.memory.allocation import empty

Rate = float | np.ndarray
Buffer = np.ndarray | None


@KERNELS.register
def sgd_update(
    w: np.ndarray,
    grad: np.ndarray,
    velocity: Buffer,
    *,
    learning_rate: Rate,
    momentum: float,
    nesterov: bool,
) -> tuple[np.ndarray, Buffer]:
    if velocity is None:
        return _launch(_descent, grad, (w,), learning_rate, ())[0], None
    rule = _nesterov if nesterov else _momentum
    return _launch(rule, grad, (w, velocity), learning_rate, (momentum,))


@KERNELS.register
def adam_update(
    w: np.ndarray,
    grad: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    *,
    alpha: Rate,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    settings = (1 - beta_1, 1 - beta_2, epsilon)
    return _launch(_adam, grad, (w, m, v), alpha, settings)


@KERNELS.register
def amsgrad_update(
    w: np.ndarray,
    grad: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    v_hat: np.ndarray,
    *,
    alpha: Rate,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    settings = (1 - beta_1, 1 - beta_2, epsilon)
    return _launch(_amsgrad, grad, (w, m, v, v_hat), alpha, settings)


@KERNELS.register
def rmsprop_update(
    w: np.ndarray,
    grad: np.ndarray,
    v: np.ndarray,
    momentum_buffer: Buffer,
    average_grad: Buffer,
    *,
    learning_rate: Rate,
    rho: float,
    momentum: float,
    epsilon: float,
    centered: bool,
) -> tuple[np.ndarray, np.ndarray, Buffer, Buffer]:
    settings = (rho, 1 - rho, epsilon, momentum)
    buffers = [buffer for buffer in (momentum_buffer, average_grad) if buffer is not None]
    new_w, new_v, *rest = _launch(
        _RMSPROP[momentum > 0, centered], grad, (w, v, *buffers), learning_rate, settings
    )
    new_buffer = None if momentum_buffer is None else rest.pop(0)
    return new_w, new_v, new_buffer, None if average_grad is None else rest.pop(0)


def _launch(
    rule: Callable[..., Any],
    grad: np.ndarray,
    old: tuple[np.ndarray, ...],
    rate: Rate,
    settings: tuple[float, ...],
) -> Any:
    """New buffers by a rule `(rate, *settings, grad, *old)`, which gives one element of each."""
    half = grad.dtype.char not in "fd"
    arrays = [x if x.flags.carray and not half else operand(x) for x in (grad, *old)]
    dtype = arrays[0].dtype
    results = [empty(x.shape, dtype) for x in old]
    if grad.size:
        count, geometry = contiguous(grad.size, 1 + len(old), len(old), 2)
        live = rate if isinstance(rate, np.ndarray) else np.array((rate,), np.float64)
        fixed = _numbers(settings, dtype)
        kernel = _kernel(rule, len(old), len(settings))
        # Flat, so that one compiled loop serves all ranks.
        flat = [x.reshape(-1) for x in (*arrays, *results)]
        kernel(count, grad.size * 10, block_task(), geometry, live, fixed, *flat)
    return tuple([stored(y, grad.dtype) for y in results]) if half else tuple(results)


@lru_cache(maxsize=64)
def _numbers(numbers: tuple[float, ...], dtype: np.dtype) -> np.ndarray:
    return np.array(numbers, dtype)


@cache
def _kernel(rule: Callable[..., Any], outputs: int, settings: int) -> Map:
    return Map(rule, rule.__name__, outputs, (1, settings))


def _descent(rate: Value, g: Value, w: Value) -> tuple[Value, ...]:
    return (w - rate.cast(w.kind) * g,)


def _momentum(
    rate: Value, momentum: Value, g: Value, w: Value, velocity: Value
) -> tuple[Value, ...]:
    velocity = momentum * velocity - rate.cast(w.kind) * g
    return w + velocity, velocity


def _nesterov(
    rate: Value, momentum: Value, g: Value, w: Value, velocity: Value
) -> tuple[Value, ...]:
    step = rate.cast(w.kind) * g
    velocity = momentum * velocity - step
    return w + (momentum * velocity - step), velocity


def _moments(rate_1: Value, rate_2: Value, g: Value, m: Value, v: Value) -> tuple[Value, Value]:
    return m + (g - m) * rate_1, v + (g * g - v) * rate_2


def _stepped(w: Value, m: Value, v: Value, alpha: Value, epsilon: Value) -> Value:
    return w - m * alpha.cast(w.kind) / (_root(v) + epsilon)


def _root(x: Value) -> Value:
    return functions(x.kind.name)["sqrt"](x)


def _adam(
    alpha: Value,
    rate_1: Value,
    rate_2: Value,
    epsilon: Value,
    g: Value,
    w: Value,
    m: Value,
    v: Value,
) -> tuple[Value, ...]:
    m, v = _moments(rate_1, rate_2, g, m, v)
    return _stepped(w, m, v, alpha, epsilon), m, v


def _amsgrad(
    alpha: Value,
    rate_1: Value,
    rate_2: Value,
    epsilon: Value,
    g: Value,
    w: Value,
    m: Value,
    v: Value,
    hat: Value,
) -> tuple[Value, ...]:
    m, v = _moments(rate_1, rate_2, g, m, v)
    hat = where((hat > v) | (hat != hat), hat, v)
    return _stepped(w, m, hat, alpha, epsilon), m, v, hat


def _rmsprop(has_momentum: bool, centered: bool) -> Callable[..., tuple[Value, ...]]:
    def rule(
        rate: Value,
        rho: Value,
        rest: Value,
        epsilon: Value,
        momentum: Value,
        g: Value,
        w: Value,
        v: Value,
        *buffers: Value,
    ) -> tuple[Value, ...]:
        v = rho * v + rest * g * g
        denominator, new = v + epsilon, []
        if centered:
            average = rho * buffers[-1] + rest * g
            denominator = denominator - average * average
            new = [average]
        increment = rate.cast(w.kind) * g / _root(denominator)
        if has_momentum:
            increment = momentum * buffers[0] + increment
            new = [increment, *new]
        return w - increment, v, *new

    rule.__name__ = f"rmsprop_{has_momentum:d}{centered:d}"
    return rule


_RMSPROP = {(a, b): _rmsprop(a, b) for a in (False, True) for b in (False, True)}
