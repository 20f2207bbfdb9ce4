"""Optimizer updates: one fused pass over a variable. The caller does decay and clipping before.

Formulas: docs/kernels.md; they are those of https://keras.io/api/optimizers/.
"""

from __future__ import annotations

from nkeras.core.primitive import primitive
from nkeras.core.spec import Spec, Typed
from nkeras.core.tensor import Tensor
from nkeras.ops.elementwise import maximum, rsqrt, sqrt, square


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


@primitive(outputs=("w_new", "velocity_new"), flat=("w", "grad", "velocity"))
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


@primitive(outputs=("w_new", "m_new", "v_new"), flat=("w", "grad", "m", "v"))
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


@primitive(outputs=("w_new", "m_new", "v_new", "v_hat_new"), flat=("w", "grad", "m", "v", "v_hat"))
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
