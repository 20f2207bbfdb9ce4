"""Optimizer updates: one fused pass over a variable. The caller does decay and clipping before.

Formulas: docs/kernels.md; they are those of https://keras.io/api/optimizers/.
"""

from __future__ import annotations

from nkeras.backend.scalars import arithmetic
from nkeras.core.primitive import primitive
from nkeras.core.spec import Spec, Typed
from nkeras.core.tensor import Tensor
from nkeras.ops.elementwise import (
    absolute,
    clip,
    elementwise,
    maximum,
    rsqrt,
    sign,
    sqrt,
    square,
)

moving_square = elementwise(
    arithmetic.moving_square, "promote", "momentum * average + rest * (x * x + added)."
)
descended = elementwise(arithmetic.descended, "promote", "x - scale * direction.")
over_root_of_product = elementwise(arithmetic.over_root_of_product, "float", "x1 / sqrt(x2 * x3).")
over_root = elementwise(arithmetic.over_root, "float", "x1 / sqrt(x2).")


@primitive(outputs=("rows", "columns"), flat=("x",))
def means_of_squares(x: Typed, *, added: float) -> tuple[Spec, Spec]:
    """Means of `x * x + added` over the last axis and over the one before it."""
    return Spec(x.shape[:-1], x.dtype), Spec((*x.shape[:-2], x.shape[-1]), x.dtype)


def _specs(owner: str, w: Typed, grad: Typed, *buffers: Typed | None) -> tuple[Spec | None, ...]:
    """Specs of the new variable and buffers; kernels rely on equal shapes and dtypes."""
    for buffer in (grad, *buffers):
        if buffer is not None and (buffer.shape != w.shape or buffer.dtype != w.dtype):
            raise ValueError(
                f"{owner}: gradient and buffers must have the shape {w.shape} and dtype {w.dtype} "
                f"of the variable. Received: shape {buffer.shape}, dtype {buffer.dtype}."
            )
    return tuple(
        None if buffer is None else Spec(buffer.shape, buffer.dtype) for buffer in (w, *buffers)
    )


@primitive(
    outputs=("w_new", "velocity_new"),
    flat=("w", "grad", "velocity"),
    live=("learning_rate",),
    donated={"w_new": "w", "velocity_new": "velocity"},
)
def sgd_update(
    w: Typed,
    grad: Typed,
    velocity: Typed | None,
    *,
    learning_rate: float,
    momentum: float,
    nesterov: bool,
) -> tuple[Spec | None, ...]:
    """Stochastic gradient descent, with momentum where `velocity` is given."""
    return _specs("sgd_update", w, grad, velocity)


@sgd_update.decomposition
def _(
    w: Tensor,
    grad: Tensor,
    velocity: Tensor | None,
    learning_rate: float,
    momentum: float,
    nesterov: bool,
) -> tuple[Tensor | None, ...]:
    step = learning_rate * grad
    if velocity is None:
        return w - step, None
    velocity = momentum * velocity - step
    return w + (momentum * velocity - step if nesterov else velocity), velocity


@primitive(
    outputs=("w_new", "m_new", "v_new"),
    flat=("w", "grad", "m", "v"),
    live=("alpha",),
    donated={"w_new": "w", "m_new": "m", "v_new": "v"},
)
def adam_update(
    w: Typed,
    grad: Typed,
    m: Typed,
    v: Typed,
    *,
    alpha: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[Spec | None, ...]:
    """Adam; `alpha` is the learning rate with both bias corrections."""
    return _specs("adam_update", w, grad, m, v)


@adam_update.decomposition
def _(
    w: Tensor,
    grad: Tensor,
    m: Tensor,
    v: Tensor,
    alpha: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[Tensor | None, ...]:
    m = m + (grad - m) * (1.0 - beta_1)
    v = v + (square(grad) - v) * (1.0 - beta_2)
    return w - m * alpha / (sqrt(v) + epsilon), m, v


@primitive(
    outputs=("w_new", "m_new", "v_new", "v_hat_new"),
    flat=("w", "grad", "m", "v", "v_hat"),
    live=("alpha",),
    donated={"w_new": "w", "m_new": "m", "v_new": "v", "v_hat_new": "v_hat"},
)
def amsgrad_update(
    w: Typed,
    grad: Typed,
    m: Typed,
    v: Typed,
    v_hat: Typed,
    *,
    alpha: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[Spec | None, ...]:
    """Adam with the largest second moment so far."""
    return _specs("amsgrad_update", w, grad, m, v, v_hat)


@amsgrad_update.decomposition
def _(
    w: Tensor,
    grad: Tensor,
    m: Tensor,
    v: Tensor,
    v_hat: Tensor,
    alpha: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[Tensor | None, ...]:
    m = m + (grad - m) * (1.0 - beta_1)
    v = v + (square(grad) - v) * (1.0 - beta_2)
    v_hat = maximum(v_hat, v)
    return w - m * alpha / (sqrt(v_hat) + epsilon), m, v, v_hat


@primitive(
    outputs=("w_new", "v_new", "momentum_buffer_new", "average_grad_new"),
    flat=("w", "grad", "v", "momentum_buffer", "average_grad"),
    live=("learning_rate",),
    donated={
        "w_new": "w",
        "v_new": "v",
        "momentum_buffer_new": "momentum_buffer",
        "average_grad_new": "average_grad",
    },
)
def rmsprop_update(
    w: Typed,
    grad: Typed,
    v: Typed,
    momentum_buffer: Typed | None,
    average_grad: Typed | None,
    *,
    learning_rate: float,
    rho: float,
    momentum: float,
    epsilon: float,
    centered: bool,
) -> tuple[Spec | None, ...]:
    """RMSprop; `average_grad` where centered, `momentum_buffer` where momentum is positive."""
    return _specs("rmsprop_update", w, grad, v, momentum_buffer, average_grad)


@rmsprop_update.decomposition
def _(
    w: Tensor,
    grad: Tensor,
    v: Tensor,
    momentum_buffer: Tensor,
    average_grad: Tensor,
    learning_rate: float,
    rho: float,
    momentum: float,
    epsilon: float,
    centered: bool,
) -> tuple[Tensor | None, ...]:
    v = rho * v + (1.0 - rho) * square(grad)
    denominator = v + epsilon
    if centered:
        average_grad = rho * average_grad + (1.0 - rho) * grad
        denominator = denominator - square(average_grad)
    increment = learning_rate * grad * rsqrt(denominator)
    if momentum > 0.0:
        momentum_buffer = increment = momentum * momentum_buffer + increment
    return w - increment, v, momentum_buffer, average_grad


@primitive(
    outputs=("w_new", "a_new"),
    flat=("w", "grad", "a"),
    live=("learning_rate",),
    donated={"w_new": "w", "a_new": "a"},
)
def adagrad_update(
    w: Typed, grad: Typed, a: Typed, *, learning_rate: float, epsilon: float
) -> tuple[Spec | None, ...]:
    """Adagrad."""
    return _specs("adagrad_update", w, grad, a)


@adagrad_update.decomposition
def _(
    w: Tensor, grad: Tensor, a: Tensor, learning_rate: float, epsilon: float
) -> tuple[Tensor | None, ...]:
    a = a + square(grad)
    return w - learning_rate * grad / sqrt(a + epsilon), a


@primitive(
    outputs=("w_new", "a_new", "steps_new"),
    flat=("w", "grad", "a", "steps"),
    live=("learning_rate",),
    donated={"w_new": "w", "a_new": "a", "steps_new": "steps"},
)
def adadelta_update(
    w: Typed,
    grad: Typed,
    a: Typed,
    steps: Typed,
    *,
    learning_rate: float,
    rho: float,
    epsilon: float,
) -> tuple[Spec | None, ...]:
    """Adadelta."""
    return _specs("adadelta_update", w, grad, a, steps)


@adadelta_update.decomposition
def _(
    w: Tensor,
    grad: Tensor,
    a: Tensor,
    steps: Tensor,
    learning_rate: float,
    rho: float,
    epsilon: float,
) -> tuple[Tensor | None, ...]:
    a = rho * a + (1.0 - rho) * square(grad)
    delta = grad * (sqrt(steps + epsilon) / sqrt(a + epsilon))
    return w - learning_rate * delta, a, rho * steps + (1.0 - rho) * square(delta)


@primitive(
    outputs=("w_new", "m_new"),
    flat=("w", "grad", "m"),
    live=("learning_rate",),
    donated={"w_new": "w", "m_new": "m"},
)
def lion_update(
    w: Typed, grad: Typed, m: Typed, *, learning_rate: float, beta_1: float, beta_2: float
) -> tuple[Spec | None, ...]:
    """Lion."""
    return _specs("lion_update", w, grad, m)


@lion_update.decomposition
def _(
    w: Tensor, grad: Tensor, m: Tensor, learning_rate: float, beta_1: float, beta_2: float
) -> tuple[Tensor | None, ...]:
    direction = sign(beta_1 * m + (1.0 - beta_1) * grad)
    return w - learning_rate * direction, beta_2 * m + (1.0 - beta_2) * grad


@primitive(
    outputs=("w_new", "m_new", "norm_new"),
    flat=("w", "grad", "m", "norm"),
    live=("alpha",),
    donated={"w_new": "w", "m_new": "m", "norm_new": "norm"},
)
def adamax_update(
    w: Typed,
    grad: Typed,
    m: Typed,
    norm: Typed,
    *,
    alpha: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[Spec | None, ...]:
    """Adamax; `alpha` is the learning rate with the bias correction."""
    return _specs("adamax_update", w, grad, m, norm)


@adamax_update.decomposition
def _(
    w: Tensor,
    grad: Tensor,
    m: Tensor,
    norm: Tensor,
    alpha: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[Tensor | None, ...]:
    m = m + (grad - m) * (1.0 - beta_1)
    norm = maximum(beta_2 * norm, absolute(grad))
    return w - alpha * m / (norm + epsilon), m, norm


@primitive(
    outputs=("w_new", "m_new", "v_new"),
    flat=("w", "grad", "m", "v"),
    live=("factors",),
    donated={"w_new": "w", "m_new": "m", "v_new": "v"},
)
def nadam_update(
    w: Typed,
    grad: Typed,
    m: Typed,
    v: Typed,
    *,
    factors: tuple[float, float, float],
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[Spec | None, ...]:
    """Nadam; `factors` of the momentum, of the gradient and of the root."""
    return _specs("nadam_update", w, grad, m, v)


@nadam_update.decomposition
def _(
    w: Tensor,
    grad: Tensor,
    m: Tensor,
    v: Tensor,
    factors: tuple[float, float, float],
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[Tensor | None, ...]:
    m = m + (grad - m) * (1.0 - beta_1)
    v = v + (square(grad) - v) * (1.0 - beta_2)
    step = (m * factors[0] + grad * factors[1]) / (sqrt(v) * factors[2] + epsilon)
    return w - step, m, v


@primitive(
    outputs=("w_new", "n_new", "z_new"),
    flat=("w", "grad", "n", "z"),
    live=("learning_rate",),
    donated={"w_new": "w", "n_new": "n", "z_new": "z"},
)
def ftrl_update(
    w: Typed,
    grad: Typed,
    n: Typed,
    z: Typed,
    *,
    learning_rate: float,
    power: float,
    l1: float,
    l2: float,
    shrinkage: float,
    beta: float,
) -> tuple[Spec | None, ...]:
    """Ftrl: `n` is the sum of squared gradients, `z` the linear state."""
    return _specs("ftrl_update", w, grad, n, z)


@ftrl_update.decomposition
def _(
    w: Tensor,
    grad: Tensor,
    n: Tensor,
    z: Tensor,
    learning_rate: float,
    power: float,
    l1: float,
    l2: float,
    shrinkage: float,
    beta: float,
) -> tuple[Tensor | None, ...]:
    total = n + square(grad)
    grown = total**power
    z = z + (grad + shrinkage * w) - (grown - n**power) / learning_rate * w
    quadratic = grown / learning_rate + 2.0 * (l2 + beta / (2.0 * learning_rate))
    return (clip(z, -l1, l1) - z) / quadratic, total, z


@primitive(
    outputs=("direction", "m_new", "v_new"),
    flat=("grad", "m", "v"),
    live=("factors",),
    donated={"m_new": "m", "v_new": "v"},
)
def lamb_update(
    grad: Typed,
    m: Typed,
    v: Typed,
    *,
    factors: tuple[float, float],
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[Spec | None, ...]:
    """The direction of Lamb's step; `factors` of the momentum and of the root."""
    return _specs("lamb_update", grad, m, m, v)


@lamb_update.decomposition
def _(
    grad: Tensor,
    m: Tensor,
    v: Tensor,
    factors: tuple[float, float],
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[Tensor | None, ...]:
    m = m + (grad - m) * (1.0 - beta_1)
    v = v + (square(grad) - v) * (1.0 - beta_2)
    return m * factors[0] / (sqrt(v) * factors[1] + epsilon), m, v
