"""Optimizer updates: one fused pass over each variable.

What changes from step to step comes in a cell of float64 (`cells`), other settings are rounded to
the dtype of the arrays on the host. A buffer that the settings do not use is None for the caller;
its kernel gets the variable instead and does not touch it.
"""

from __future__ import annotations

from typing import Any

from nkeras_numba_cuda.cells import cell, reads_cell
from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.intrinsics import square_root
from nkeras_numba_cuda.kernels.registry import OWN
from nkeras_numba_cuda.launch import FLOATING, kernel
from nkeras_numba_cuda.memory import Array, contiguous, empty
from nkeras_numpy.kernels import KERNELS as REFERENCE
from nkeras_numpy.namespace import in_float32


@kernel("{T}[::1], {T}[::1], {T}[::1], float64[::1]", T=FLOATING)
def sgd_plain(new_w, w, grad, cell):
    learning_rate = w.dtype.type(cell[0])
    for i in range(cuda.grid(1), w.size, cuda.gridsize(1)):
        new_w[i] = w[i] - learning_rate * grad[i]


@kernel("{T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], float64[::1], {T}, boolean", T=FLOATING)
def sgd_momentum(new_w, new_velocity, w, grad, velocity, cell, momentum, nesterov):
    learning_rate = w.dtype.type(cell[0])
    for i in range(cuda.grid(1), w.size, cuda.gridsize(1)):
        step = learning_rate * grad[i]
        speed = momentum * velocity[i] - step
        new_velocity[i] = speed
        new_w[i] = w[i] + (momentum * speed - step if nesterov else speed)


@kernel(
    "{T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], float64[::1], "
    "{T}, {T}, {T}",
    T=FLOATING,
)
def adam(new_w, new_m, new_v, w, grad, m, v, cell, rest_1, rest_2, epsilon):
    alpha = w.dtype.type(cell[0])
    for i in range(cuda.grid(1), w.size, cuda.gridsize(1)):
        g = grad[i]
        mean = m[i] + (g - m[i]) * rest_1
        square = v[i] + (g * g - v[i]) * rest_2
        new_m[i] = mean
        new_v[i] = square
        new_w[i] = w[i] - mean * alpha / (square_root(square) + epsilon)


@kernel(
    "{T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], "
    "float64[::1], {T}, {T}, {T}",
    T=FLOATING,
)
def amsgrad(new_w, new_m, new_v, new_v_hat, w, grad, m, v, v_hat, cell, rest_1, rest_2, epsilon):
    alpha = w.dtype.type(cell[0])
    for i in range(cuda.grid(1), w.size, cuda.gridsize(1)):
        g = grad[i]
        mean = m[i] + (g - m[i]) * rest_1
        square = v[i] + (g * g - v[i]) * rest_2
        largest = v_hat[i]
        if square > largest or square != square:  # NaN is kept
            largest = square
        new_m[i] = mean
        new_v[i] = square
        new_v_hat[i] = largest
        new_w[i] = w[i] - mean * alpha / (square_root(largest) + epsilon)


@kernel(
    "{T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], "
    "float64[::1], {T}, {T}, {T}, {T}, boolean, boolean",
    T=FLOATING,
)
def rmsprop(
    new_w,
    new_v,
    new_buffer,
    new_average,
    w,
    grad,
    v,
    buffer,
    average,
    cell,
    rho,
    rest,
    momentum,
    epsilon,
    has_momentum,
    centered,
):
    learning_rate = w.dtype.type(cell[0])
    for i in range(cuda.grid(1), w.size, cuda.gridsize(1)):
        g = grad[i]
        square = rho * v[i] + rest * g * g
        new_v[i] = square
        denominator = square + epsilon
        if centered:
            mean = rho * average[i] + rest * g
            new_average[i] = mean
            denominator -= mean * mean
        increment = learning_rate * g / square_root(denominator)
        if has_momentum:
            increment += momentum * buffer[i]
            new_buffer[i] = increment
        new_w[i] = w[i] - increment


def _like(w: Array, count: int) -> list[Array]:
    return [empty(w.shape, w.dtype) for _ in range(count)]


@OWN.register
@in_float32
def sgd_update(
    w: Array,
    grad: Array,
    velocity: Array | None,
    *,
    learning_rate: Any,
    momentum: float,
    nesterov: bool,
) -> tuple[Array, Array | None]:
    """Gradient descent, with momentum if there is a velocity."""
    if velocity is None:
        (new_w,) = _like(w, 1)
        sgd_plain.launch(w.size, new_w, contiguous(w), contiguous(grad), cell(learning_rate))
        return new_w, None
    new = _like(w, 2)
    old = map(contiguous, (w, grad, velocity))
    settings = cell(learning_rate), w.dtype.type(momentum), bool(nesterov)
    sgd_momentum.launch(w.size, *new, *old, *settings)
    return new[0], new[1]


@OWN.register
@in_float32
def adam_update(
    w: Array,
    grad: Array,
    m: Array,
    v: Array,
    *,
    alpha: Any,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[Array, Array, Array]:
    """Adam; `alpha` is the learning rate with the bias corrections."""
    new = _like(w, 3)
    old = map(contiguous, (w, grad, m, v))
    settings = cell(alpha), *map(w.dtype.type, (1 - beta_1, 1 - beta_2, epsilon))
    adam.launch(w.size, *new, *old, *settings)
    return new[0], new[1], new[2]


@OWN.register
@in_float32
def amsgrad_update(
    w: Array,
    grad: Array,
    m: Array,
    v: Array,
    v_hat: Array,
    *,
    alpha: Any,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[Array, Array, Array, Array]:
    """Adam with the largest second moment so far under the root."""
    new = _like(w, 4)
    old = map(contiguous, (w, grad, m, v, v_hat))
    settings = cell(alpha), *map(w.dtype.type, (1 - beta_1, 1 - beta_2, epsilon))
    amsgrad.launch(w.size, *new, *old, *settings)
    return new[0], new[1], new[2], new[3]


@OWN.register
@in_float32
def rmsprop_update(
    w: Array,
    grad: Array,
    v: Array,
    momentum_buffer: Array | None,
    average_grad: Array | None,
    *,
    learning_rate: Any,
    rho: float,
    momentum: float,
    epsilon: float,
    centered: bool,
) -> tuple[Array, Array, Array | None, Array | None]:
    """RMSprop, optionally centered and with momentum."""
    new_w, new_v = _like(w, 2)
    w = contiguous(w)
    has_momentum = bool(momentum > 0)
    old_buffer, new_buffer = w, w
    if has_momentum:
        old_buffer, new_buffer = contiguous(momentum_buffer), *_like(w, 1)
    old_average, new_average = w, w
    if centered:
        old_average, new_average = contiguous(average_grad), *_like(w, 1)
    rmsprop.launch(
        w.size,
        *(new_w, new_v, new_buffer, new_average),
        *(w, contiguous(grad), contiguous(v), old_buffer, old_average),
        cell(learning_rate),
        *map(w.dtype.type, (rho, 1 - rho, momentum, epsilon)),
        has_momentum,
        bool(centered),
    )
    return (
        new_w,
        new_v,
        new_buffer if has_momentum else momentum_buffer,
        new_average if centered else average_grad,
    )


for _name, _argument in {
    "adadelta_update": "learning_rate",
    "adagrad_row_update": "learning_rate",
    "adagrad_update": "learning_rate",
    "adamax_update": "alpha",
    "ftrl_update": "learning_rate",
    "lamb_update": "factors",
    "lion_update": "learning_rate",
    "nadam_update": "factors",
    "sgd_row_update": "learning_rate",
}.items():
    OWN[_name] = reads_cell(REFERENCE[_name], _argument)
