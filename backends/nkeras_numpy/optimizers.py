"""Optimizer updates of one variable. Scalars are Python floats: they take the arrays' dtype.

Buffers that the settings do not use are None, in the arguments and in the result.
"""

import numpy as np

from nkeras_numpy.namespace import Array, in_float32, namespace
from nkeras_numpy.registry import KERNELS


@KERNELS.register
@in_float32
def sgd_update(
    w: Array,
    grad: Array,
    velocity: Array,
    *,
    learning_rate: float,
    momentum: float,
    nesterov: bool,
) -> tuple[Array, Array]:
    step = learning_rate * grad
    if velocity is None:
        return w - step, None
    velocity = momentum * velocity - step
    return w + (momentum * velocity - step if nesterov else velocity), velocity


@KERNELS.register
@in_float32
def adam_update(
    w: Array,
    grad: Array,
    m: Array,
    v: Array,
    *,
    alpha: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[Array, Array, Array]:
    m = m + (grad - m) * (1 - beta_1)
    v = v + (grad * grad - v) * (1 - beta_2)
    return w - m * alpha / (namespace(w).sqrt(v) + epsilon), m, v


@KERNELS.register
@in_float32
def amsgrad_update(
    w: Array,
    grad: Array,
    m: Array,
    v: Array,
    v_hat: Array,
    *,
    alpha: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[Array, Array, Array, Array]:
    xp = namespace(w)
    m = m + (grad - m) * (1 - beta_1)
    v = v + (grad * grad - v) * (1 - beta_2)
    v_hat = xp.maximum(v_hat, v)
    return w - m * alpha / (xp.sqrt(v_hat) + epsilon), m, v, v_hat


@KERNELS.register
@in_float32
def rmsprop_update(
    w: Array,
    grad: Array,
    v: Array,
    momentum_buffer: Array,
    average_grad: Array,
    *,
    learning_rate: float,
    rho: float,
    momentum: float,
    epsilon: float,
    centered: bool,
) -> tuple[Array, Array, Array, Array]:
    v = rho * v + (1 - rho) * grad * grad
    denominator = v + epsilon
    if centered:
        average_grad = rho * average_grad + (1 - rho) * grad
        denominator = denominator - average_grad * average_grad
    increment = learning_rate * grad / namespace(w).sqrt(denominator)
    if momentum > 0:
        momentum_buffer = increment = momentum * momentum_buffer + increment
    return w - increment, v, momentum_buffer, average_grad


@KERNELS.register
@in_float32
def adagrad_update(
    w: Array, grad: Array, a: Array, *, learning_rate: float, epsilon: float
) -> tuple[Array, Array]:
    a = a + grad * grad
    return w - learning_rate * grad / namespace(w).sqrt(a + epsilon), a


@KERNELS.register
@in_float32
def adadelta_update(
    w: Array,
    grad: Array,
    a: Array,
    steps: Array,
    *,
    learning_rate: float,
    rho: float,
    epsilon: float,
) -> tuple[Array, Array, Array]:
    xp = namespace(w)
    a = rho * a + (1 - rho) * (grad * grad)
    delta = grad * (xp.sqrt(steps + epsilon) / xp.sqrt(a + epsilon))
    return w - learning_rate * delta, a, rho * steps + (1 - rho) * (delta * delta)


@KERNELS.register
@in_float32
def lion_update(
    w: Array, grad: Array, m: Array, *, learning_rate: float, beta_1: float, beta_2: float
) -> tuple[Array, Array]:
    direction = namespace(w).sign(beta_1 * m + (1 - beta_1) * grad)
    return w - learning_rate * direction, beta_2 * m + (1 - beta_2) * grad


@KERNELS.register
@in_float32
def adamax_update(
    w: Array,
    grad: Array,
    m: Array,
    norm: Array,
    *,
    alpha: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[Array, Array, Array]:
    xp = namespace(w)
    m = m + (grad - m) * (1 - beta_1)
    norm = xp.maximum(beta_2 * norm, xp.abs(grad))
    return w - alpha * m / (norm + epsilon), m, norm


@KERNELS.register
@in_float32
def nadam_update(
    w: Array,
    grad: Array,
    m: Array,
    v: Array,
    *,
    factors: tuple[float, float, float],
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[Array, Array, Array]:
    of_m, of_grad, of_root = factors
    m = m + (grad - m) * (1 - beta_1)
    v = v + (grad * grad - v) * (1 - beta_2)
    step = (m * of_m + grad * of_grad) / (namespace(w).sqrt(v) * of_root + epsilon)
    return w - step, m, v


@KERNELS.register
@in_float32
def ftrl_update(
    w: Array,
    grad: Array,
    n: Array,
    z: Array,
    *,
    learning_rate: float,
    power: float,
    l1: float,
    l2: float,
    shrinkage: float,
    beta: float,
) -> tuple[Array, Array, Array]:
    total = n + grad * grad
    grown, before = total**power, n**power
    z = z + (grad + shrinkage * w) - (grown - before) / learning_rate * w
    quadratic = grown / learning_rate + 2 * (l2 + beta / (2 * learning_rate))
    return (namespace(w).clip(z, -l1, l1) - z) / quadratic, total, z


@KERNELS.register
@in_float32
def lamb_update(
    grad: Array,
    m: Array,
    v: Array,
    *,
    factors: tuple[float, float],
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[Array, Array, Array]:
    of_m, of_root = factors
    m = m + (grad - m) * (1 - beta_1)
    v = v + (grad * grad - v) * (1 - beta_2)
    return m * of_m / (namespace(m).sqrt(v) * of_root + epsilon), m, v


@KERNELS.register
@in_float32
def means_of_squares(x: Array, *, added: float) -> tuple[Array, Array]:
    """Means of `x * x + added` over the last axis and over the one before it."""
    squares = x * x + added
    rows, columns = (squares.mean(axis, dtype=np.float64) for axis in (-1, -2))
    return rows.astype(x.dtype), columns.astype(x.dtype)
