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


@KERNELS.register
def adagrad_update(
    w: np.ndarray, grad: np.ndarray, a: np.ndarray, *, learning_rate: Rate, epsilon: float
) -> tuple[np.ndarray, np.ndarray]:
    return _launch(_adagrad, grad, (w, a), learning_rate, (epsilon,))


@KERNELS.register
def adadelta_update(
    w: np.ndarray,
    grad: np.ndarray,
    a: np.ndarray,
    steps: np.ndarray,
    *,
    learning_rate: Rate,
    rho: float,
    epsilon: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return _launch(_adadelta, grad, (w, a, steps), learning_rate, (rho, 1 - rho, epsilon))


@KERNELS.register
def lion_update(
    w: np.ndarray,
    grad: np.ndarray,
    m: np.ndarray,
    *,
    learning_rate: Rate,
    beta_1: float,
    beta_2: float,
) -> tuple[np.ndarray, np.ndarray]:
    settings = (beta_1, 1 - beta_1, beta_2, 1 - beta_2)
    return _launch(_lion, grad, (w, m), learning_rate, settings)


@KERNELS.register
def adamax_update(
    w: np.ndarray,
    grad: np.ndarray,
    m: np.ndarray,
    norm: np.ndarray,
    *,
    alpha: Rate,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return _launch(_adamax, grad, (w, m, norm), alpha, (1 - beta_1, beta_2, epsilon))


@KERNELS.register
def nadam_update(
    w: np.ndarray,
    grad: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    *,
    factors: tuple[float, float, float] | np.ndarray,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return _launch(_nadam, grad, (w, m, v), factors, (1 - beta_1, 1 - beta_2, epsilon))


@KERNELS.register
def ftrl_update(
    w: np.ndarray,
    grad: np.ndarray,
    n: np.ndarray,
    z: np.ndarray,
    *,
    learning_rate: Rate,
    power: float,
    l1: float,
    l2: float,
    shrinkage: float,
    beta: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rule = _ftrl_of_roots if power == 0.5 else _ftrl_of_powers
    settings = (power, l1, -l1, 2 * l2, shrinkage, beta)
    return _launch(rule, grad, (w, n, z), learning_rate, settings)


@KERNELS.register
def lamb_update(
    grad: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    *,
    factors: tuple[float, float] | np.ndarray,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    settings = (1 - beta_1, 1 - beta_2, epsilon)
    return _launch(_lamb, grad, (m, v), factors, settings, made=3)


def _launch(
    rule: Callable[..., Any],
    grad: np.ndarray,
    old: tuple[np.ndarray, ...],
    rate: Rate | tuple[float, ...],
    settings: tuple[float, ...],
    made: int | None = None,
) -> Any:
    """New buffers by a rule `(rate, *settings, grad, *old)`, which gives one element of each.

    `rate` may be several numbers; `made` is how many buffers there are, as many as old ones by
    default.
    """
    half = grad.dtype.char not in "fd"
    arrays = [x if x.flags.carray and not half else operand(x) for x in (grad, *old)]
    dtype = arrays[0].dtype
    results = [empty(grad.shape, dtype) for _ in range(made or len(old))]
    if grad.size:
        live = rate if isinstance(rate, np.ndarray) else _live(rate)
        count, geometry = contiguous(grad.size, 1 + len(old), len(results), 2)
        fixed = _numbers(settings, dtype)
        kernel = _kernel(rule, len(results), (live.size, len(settings)))
        # Flat, so that one compiled loop serves all ranks.
        flat = [x.reshape(-1) for x in (*arrays, *results)]
        kernel(count, grad.size * 10, block_task(), geometry, live, fixed, *flat)
    return tuple([stored(y, grad.dtype) for y in results]) if half else tuple(results)


def _live(rate: float | tuple[float, ...]) -> np.ndarray:
    return np.array(rate if isinstance(rate, tuple) else (rate,), np.float64)


@lru_cache(maxsize=64)
def _numbers(numbers: tuple[float, ...], dtype: np.dtype) -> np.ndarray:
    return np.array(numbers, dtype)


@cache
def _kernel(rule: Callable[..., Any], outputs: int, numbers: tuple[int, int]) -> Map:
    origin = _kernel, (rule, outputs, numbers)
    return Map(rule, rule.__name__, outputs, numbers, origin=origin)


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


def _adagrad(rate: Value, epsilon: Value, g: Value, w: Value, a: Value) -> tuple[Value, ...]:
    a = a + g * g
    return w - rate.cast(w.kind) * g / _root(a + epsilon), a


def _adadelta(
    rate: Value,
    rho: Value,
    rest: Value,
    epsilon: Value,
    g: Value,
    w: Value,
    a: Value,
    steps: Value,
) -> tuple[Value, ...]:
    a = rho * a + rest * (g * g)
    delta = g * (_root(steps + epsilon) / _root(a + epsilon))
    return w - rate.cast(w.kind) * delta, a, rho * steps + rest * (delta * delta)


def _lion(
    rate: Value,
    beta_1: Value,
    rest_1: Value,
    beta_2: Value,
    rest_2: Value,
    g: Value,
    w: Value,
    m: Value,
) -> tuple[Value, ...]:
    x, zero = beta_1 * m + rest_1 * g, w.constant(0)
    sign = where(x > zero, w.constant(1), where(x < zero, w.constant(-1), x))
    return w - rate.cast(w.kind) * sign, beta_2 * m + rest_2 * g


def _adamax(
    alpha: Value,
    rate: Value,
    beta: Value,
    epsilon: Value,
    g: Value,
    w: Value,
    m: Value,
    norm: Value,
) -> tuple[Value, ...]:
    m = m + (g - m) * rate
    old, new = beta * norm, abs(g)
    norm = where((old > new) | (old != old), old, new)
    return w - alpha.cast(w.kind) * m / (norm + epsilon), m, norm


def _nadam(
    of_m: Value,
    of_grad: Value,
    of_root: Value,
    rate_1: Value,
    rate_2: Value,
    epsilon: Value,
    g: Value,
    w: Value,
    m: Value,
    v: Value,
) -> tuple[Value, ...]:
    m, v = _moments(rate_1, rate_2, g, m, v)
    kind = w.kind
    height = _root(v) * of_root.cast(kind) + epsilon
    return w - (m * of_m.cast(kind) + g * of_grad.cast(kind)) / height, m, v


def _lamb(
    of_m: Value,
    of_root: Value,
    rate_1: Value,
    rate_2: Value,
    epsilon: Value,
    g: Value,
    m: Value,
    v: Value,
) -> tuple[Value, ...]:
    m, v = _moments(rate_1, rate_2, g, m, v)
    return m * of_m.cast(g.kind) / (_root(v) * of_root.cast(g.kind) + epsilon), m, v


def _ftrl_of_roots(rate: Value, power: Value, *rest: Value) -> tuple[Value, ...]:
    return _ftrl(_root, rate, *rest)


def _ftrl_of_powers(rate: Value, power: Value, *rest: Value) -> tuple[Value, ...]:
    return _ftrl(lambda x: x**power, rate, *rest)


def _ftrl(
    raised: Callable[[Value], Value],
    rate: Value,
    l1: Value,
    minus_l1: Value,
    l2: Value,
    shrinkage: Value,
    beta: Value,
    g: Value,
    w: Value,
    n: Value,
    z: Value,
) -> tuple[Value, ...]:
    rate = rate.cast(w.kind)
    total = n + g * g
    grown = raised(total)
    z = z + (g + shrinkage * w) - (grown - raised(n)) / rate * w
    quadratic = grown / rate + (l2 + beta / rate)
    inside = where(z < minus_l1, minus_l1, where(z > l1, l1, z))
    return (inside - z) / quadratic, total, z
