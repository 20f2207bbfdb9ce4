"""A whole sequence through an LSTM; gates in the order input, forget, candidate, output."""

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
    sigmoid,
    steps,
    values_or,
)
from nkeras_numba_cuda.kernels.registry import OWN
from nkeras_numba_cuda.kernels.state_products import state_product
from nkeras_numba_cuda.launch import FLOATING, kernel
from nkeras_numba_cuda.memory import Array, contiguous, empty
from nkeras_numpy import lstm as reference
from nkeras_numpy.namespace import in_float32


@kernel(
    "{T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], "
    "boolean[::1], int64, int64, int64, boolean",
    T=FLOATING,
)
def lstm_step(y, cells, gates, new_h, new_c, products, z, h, c, mask, units, time, step, has_mask):
    """The gates of a step, and what they make of state and cell; `z` is the state's product."""
    one = y.dtype.type(1)
    for k in range(cuda.grid(1), h.size, cuda.gridsize(1)):
        n = udiv(k, units)
        u = k - n * units
        row = n * time + step
        at, at_z = row * 4 * units + u, n * 4 * units + u
        i = sigmoid(products[at] + z[at_z], one)
        f = sigmoid(products[at + units] + z[at_z + units], one)
        g = hyperbolic_tangent(products[at + 2 * units] + z[at_z + 2 * units])
        o = sigmoid(products[at + 3 * units] + z[at_z + 3 * units], one)
        cell = f * c[k] + i * g
        state = o * hyperbolic_tangent(cell)
        if has_mask and not mask[row]:
            cell, state = c[k], h[k]
        gates[at], gates[at + units], gates[at + 2 * units], gates[at + 3 * units] = i, f, g, o
        y[row * units + u] = state
        cells[row * units + u] = cell
        new_h[k] = state
        new_c[k] = cell


@kernel(
    "{T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], "
    "{T}[::1], {T}[::1], boolean[::1], int64, int64, int64, int64, boolean, boolean, boolean, "
    "boolean",
    T=FLOATING,
)
def lstm_step_grad(
    grad_z,
    rows,
    carry,
    new_c,
    through,
    last_h,
    grad_c,
    grad_y,
    gates,
    cells,
    c,
    mask,
    units,
    time,
    step,
    back,
    is_first,
    has_mask,
    has_grad_y,
    has_grads,
):
    """The gradient of a step's products.

    `through` is what came back through the product of the step behind, which counts where that has
    not been masked; elsewhere `carry` does. `is_first` says that there is none behind.
    """
    one, zero = cells.dtype.type(1), cells.dtype.type(0)
    for k in range(cuda.grid(1), carry.size, cuda.gridsize(1)):
        n = udiv(k, units)
        u = k - n * units
        row = n * time + step
        at, at_row = row * 4 * units + u, n * 4 * units + u
        if is_first:
            grad_h = last_h[k] if has_grads else zero
            grad = grad_c[k] if has_grads else zero
        else:
            grad = grad_c[k]
            grad_h = through[k]
            if has_mask and not mask[row - back]:
                grad_h = carry[k]
        if has_grad_y:
            grad_h += grad_y[row * units + u]
        i, f = gates[at], gates[at + units]
        g, o = gates[at + 2 * units], gates[at + 3 * units]
        old = c[k]
        if step + back >= 0 and step + back < time:
            old = cells[(row + back) * units + u]
        bent = hyperbolic_tangent(cells[row * units + u])
        grad_cell = grad + grad_h * o * (one - bent * bent)
        by_i = grad_cell * g * i * (one - i)
        by_f = grad_cell * old * f * (one - f)
        by_g = grad_cell * i * (one - g * g)
        by_o = grad_h * bent * o * (one - o)
        rows[at_row], rows[at_row + units] = by_i, by_f
        rows[at_row + 2 * units], rows[at_row + 3 * units] = by_g, by_o
        carry[k] = grad_h
        new_c[k] = grad_cell * f
        if has_mask and not mask[row]:
            by_i, by_f, by_g, by_o = zero, zero, zero, zero
            new_c[k] = grad
        grad_z[at], grad_z[at + units] = by_i, by_f
        grad_z[at + 2 * units], grad_z[at + 3 * units] = by_g, by_o


@OWN.register
@in_float32
def lstm(
    x: Array,
    h: Array,
    c: Array,
    kernel: Array | None,
    recurrent_kernel: Array,
    bias: Array | None,
    mask: Array | None,
    dropout: Array | None,
    *,
    reverse: bool,
) -> tuple[Array, Array, Array, Array, Array]:
    """Outputs of each step, last state, last cell, gates after their functions, cells."""
    if not has_kernel(h, x):
        return reference.lstm(
            x, h, c, kernel, recurrent_kernel, bias, mask, dropout, reverse=reverse
        )
    products = inputs(x, kernel, bias)
    (batch, time), units = x.shape[:2], h.shape[1]
    y, cells = (empty((batch, time, units), h.dtype) for _ in range(2))
    gates, holes = empty(products.shape, h.dtype), mask_or_nothing(mask)
    (h, c), product = map(contiguous, (h, c)), state_product(recurrent_kernel, dropout)
    new_h, new_c = (empty(h.shape, h.dtype) for _ in range(2))
    for step in steps(time, reverse):
        z = product.of(h)
        arrays = y, cells, gates, new_h, new_c, products, z, h, c, holes
        lstm_step.launch(h.size, *arrays, units, time, step, mask is not None)
        h, c = new_h, new_c  # a thread reads what it writes, and nothing else of these
    return y, h, c, gates, cells


@OWN.register
@in_float32
def lstm_grad(
    grad_y: Array | None,
    grad_last_h: Array | None,
    grad_last_c: Array | None,
    x: Array,
    h: Array,
    c: Array,
    kernel: Array | None,
    recurrent_kernel: Array,
    bias: Array | None,
    y: Array,
    gates: Array,
    cells: Array,
    mask: Array | None,
    dropout: Array | None,
    *,
    reverse: bool,
    by_x: bool,
) -> tuple[Array | None, Array, Array, Array | None, Array, Array | None]:
    """Gradients of `lstm` by x, h, c, kernel, recurrent kernel and bias."""
    if not has_kernel(h, x):
        given = (grad_y, grad_last_h, grad_last_c, x, h, c, kernel, recurrent_kernel, bias)
        saved = (y, gates, cells, mask, dropout)
        return reference.lstm_grad(*given, *saved, reverse=reverse, by_x=by_x)
    gates, cells, c = map(contiguous, (gates, cells, c))
    (_, time, units), dtype = cells.shape, h.dtype
    grad_z, rows = empty(gates.shape, dtype), empty((len(h), 4 * units), dtype)
    carry, grad_c = empty(h.shape, dtype), empty(h.shape, dtype)
    has_grads = grad_last_h is not None or grad_last_c is not None
    last_h = or_zeros(grad_last_h, h) if has_grads else carry
    last_c = or_zeros(grad_last_c, h) if has_grads else carry
    through, holes = carry, mask_or_nothing(mask)
    product = state_product(recurrent_kernel, dropout)
    flags = mask is not None, grad_y is not None, has_grads
    order = steps(time, not reverse)
    for step in order:
        is_first = step == order[0]
        old = last_c if is_first else grad_c
        arrays = grad_z, rows, carry, grad_c, through, last_h, old, values_or(grad_y, carry)
        sizes = units, time, step, neighbour(reverse)
        lstm_step_grad.launch(h.size, *arrays, gates, cells, c, holes, *sizes, is_first, *flags)
        through = product.back(rows)
    grad_h = kept(mask, order[-1], through, carry)
    grad_x, grad_kernel = inputs_grad(grad_z, x, kernel, by_x)
    grad_recurrent = product.kernel_grad(grad_z, before(h, y, reverse))
    return grad_x, grad_h, grad_c, grad_kernel, grad_recurrent, bias_grad(grad_z, bias)
