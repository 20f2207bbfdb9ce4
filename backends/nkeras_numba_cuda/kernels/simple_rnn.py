"""A whole sequence through a recurrent layer without gates."""

from __future__ import annotations

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.intrinsics import hyperbolic_tangent, udiv
from nkeras_numba_cuda.kernels.recurrent import (
    before,
    bias_grad,
    has_kernel,
    inputs,
    inputs_grad,
    kept,
    mask_or_nothing,
    neighbour,
    or_zeros,
    steps,
    values_or,
)
from nkeras_numba_cuda.kernels.registry import OWN
from nkeras_numba_cuda.kernels.state_products import state_product
from nkeras_numba_cuda.launch import FLOATING, kernel
from nkeras_numba_cuda.memory import Array, contiguous, empty
from nkeras_numpy import simple_rnn as reference
from nkeras_numpy.namespace import in_float32


@kernel(
    "{T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], boolean[::1], int64, int64, int64, boolean",
    T=FLOATING,
)
def simple_rnn_step(y, new_h, products, z, h, mask, units, time, step, has_mask):
    """The state of a step; `z` is the product of the one before."""
    for k in range(cuda.grid(1), h.size, cuda.gridsize(1)):
        n = udiv(k, units)
        row = n * time + step
        at = row * units + k - n * units
        state = hyperbolic_tangent(products[at] + z[k])
        if has_mask and not mask[row]:
            state = h[k]
        y[at] = state
        new_h[k] = state


@kernel(
    "{T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], boolean[::1], int64, int64, "
    "int64, int64, boolean, boolean, boolean",
    T=FLOATING,
)
def simple_rnn_step_grad(
    grad_z,
    rows,
    carry,
    through,
    grad_y,
    y,
    mask,
    units,
    time,
    step,
    back,
    is_first,
    has_mask,
    has_grad_y,
):
    """The gradient of a step's products; `carry` and `through` as in `lstm_step_grad`."""
    one = y.dtype.type(1)
    for k in range(cuda.grid(1), carry.size, cuda.gridsize(1)):
        n = udiv(k, units)
        row = n * time + step
        at = row * units + k - n * units
        grad = through[k]
        if not is_first and has_mask and not mask[row - back]:
            grad = carry[k]
        if has_grad_y:
            grad += grad_y[at]
        carry[k] = grad
        found = grad * (one - y[at] * y[at])
        rows[k] = found
        if has_mask and not mask[row]:
            found = y.dtype.type(0)
        grad_z[at] = found


@OWN.register
@in_float32
def simple_rnn(
    x: Array,
    h: Array,
    kernel: Array | None,
    recurrent_kernel: Array,
    bias: Array | None,
    mask: Array | None,
    dropout: Array | None,
    *,
    reverse: bool,
) -> tuple[Array, Array]:
    """Outputs of each step, and the last one."""
    if not has_kernel(h, x):
        given = (x, h, kernel, recurrent_kernel, bias, mask, dropout)
        return reference.simple_rnn(*given, reverse=reverse)
    products, holes = inputs(x, kernel, bias), mask_or_nothing(mask)
    y, new_h = empty(products.shape, h.dtype), empty(h.shape, h.dtype)
    h, product = contiguous(h), state_product(recurrent_kernel, dropout)
    sizes = h.shape[1], x.shape[1]
    for step in steps(x.shape[1], reverse):
        arrays = y, new_h, products, product.of(h), h, holes
        simple_rnn_step.launch(h.size, *arrays, *sizes, step, mask is not None)
        h = new_h  # a thread reads what it writes, and nothing else of it
    return y, h


@OWN.register
@in_float32
def simple_rnn_grad(
    grad_y: Array | None,
    grad_last_h: Array | None,
    x: Array,
    h: Array,
    kernel: Array | None,
    recurrent_kernel: Array,
    bias: Array | None,
    y: Array,
    mask: Array | None,
    dropout: Array | None,
    *,
    reverse: bool,
    by_x: bool,
) -> tuple[Array | None, Array, Array | None, Array, Array | None]:
    """Gradients of `simple_rnn` by x, h, kernel, recurrent kernel and bias."""
    if not has_kernel(h, x):
        given = (grad_y, grad_last_h, x, h, kernel, recurrent_kernel, bias, y, mask, dropout)
        return reference.simple_rnn_grad(*given, reverse=reverse, by_x=by_x)
    y, (_, time, units) = contiguous(y), y.shape
    grad_z, rows, carry = (empty(shape, h.dtype) for shape in (y.shape, h.shape, h.shape))
    through, product = or_zeros(grad_last_h, h), state_product(recurrent_kernel, dropout)
    holes, flags = mask_or_nothing(mask), (mask is not None, grad_y is not None)
    order = steps(time, not reverse)
    for step in order:
        arrays = grad_z, rows, carry, through, values_or(grad_y, y), y, holes
        sizes = units, time, step, neighbour(reverse)
        simple_rnn_step_grad.launch(h.size, *arrays, *sizes, step == order[0], *flags)
        through = product.back(rows)
    grad_h = kept(mask, order[-1], through, carry)
    grad_x, grad_kernel = inputs_grad(grad_z, x, kernel, by_x)
    grad_recurrent = product.kernel_grad(grad_z, before(h, y, reverse))
    return grad_x, grad_h, grad_kernel, grad_recurrent, bias_grad(grad_z, bias)
