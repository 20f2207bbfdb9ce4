"""Optimizer updates of one variable. Scalars are Python floats: they take the arrays' dtype.

Buffers that the settings do not use are None, in the arguments and in the result.
"""

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
