"""A whole sequence through a GRU whose reset gate comes behind the product of the state.

Gates in the order update, reset, candidate. With the reset gate before the product a step has two,
one behind the other: `gru_reset_before.py`.
"""

from __future__ import annotations

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.intrinsics import hyperbolic_tangent, udiv
from nkeras_numba_cuda.kernels import gru_reset_before
from nkeras_numba_cuda.kernels.recurrent import (
    before,
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
from nkeras_numba_cuda.kernels.reduction import SUM, reduce
from nkeras_numba_cuda.kernels.registry import OWN
from nkeras_numba_cuda.kernels.state_products import state_product
from nkeras_numba_cuda.launch import FLOATING, kernel
from nkeras_numba_cuda.memory import Array, contiguous, empty
from nkeras_numpy import gru as reference
from nkeras_numpy.namespace import in_float32


@kernel(
    "{T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], boolean[::1], int64, "
    "int64, int64, boolean",
    T=FLOATING,
)
def gru_step(y, gates, inner, new_h, products, z, h, mask, units, time, step, has_mask):
    """The gates of a step and its state; `z` is the product of the state before."""
    one = y.dtype.type(1)
    for k in range(cuda.grid(1), h.size, cuda.gridsize(1)):
        n = udiv(k, units)
        u = k - n * units
        row = n * time + step
        at, at_z = row * 3 * units + u, n * 3 * units + u
        update = sigmoid(products[at] + z[at_z], one)
        reset = sigmoid(products[at + units] + z[at_z + units], one)
        middle = z[at_z + 2 * units]
        candidate = hyperbolic_tangent(products[at + 2 * units] + reset * middle)
        state = update * h[k] + (one - update) * candidate
        if has_mask and not mask[row]:
            state = h[k]
        gates[at], gates[at + units], gates[at + 2 * units] = update, reset, candidate
        inner[row * units + u] = middle
        y[row * units + u] = state
        new_h[k] = state


@kernel(
    "{T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], "
    "boolean[::1], int64, int64, int64, int64, boolean, boolean, boolean",
    T=FLOATING,
)
def gru_step_grad(
    both,
    rows,
    carry,
    through,
    grad_y,
    gates,
    inner,
    y,
    h,
    mask,
    units,
    time,
    step,
    back,
    is_first,
    has_mask,
    has_grad_y,
):
    """The gradients of a step's products: by those of x, and behind them by those of the state.

    What flows back to the state before is `carry`, and `through`, which came back through the
    product, where the step behind has not been masked.
    """
    one, zero = y.dtype.type(1), y.dtype.type(0)
    for k in range(cuda.grid(1), carry.size, cuda.gridsize(1)):
        n = udiv(k, units)
        u = k - n * units
        row = n * time + step
        at, at_row = row * 3 * units + u, n * 3 * units + u
        other = at + gates.size
        grad = through[k]
        if not is_first:
            grad = carry[k]
            if not (has_mask and not mask[row - back]):
                grad += through[k]
        if has_grad_y:
            grad += grad_y[row * units + u]
        old = h[k]
        if step + back >= 0 and step + back < time:
            old = y[(row + back) * units + u]
        update, reset, candidate = gates[at], gates[at + units], gates[at + 2 * units]
        by_update = grad * (old - candidate) * update * (one - update)
        by_candidate = grad * (one - update) * (one - candidate * candidate)
        by_reset = by_candidate * inner[row * units + u] * reset * (one - reset)
        rows[at_row], rows[at_row + units] = by_update, by_reset
        rows[at_row + 2 * units] = by_candidate * reset
        carry[k] = grad * update
        by_middle = by_candidate * reset
        if has_mask and not mask[row]:
            by_update, by_reset, by_candidate, by_middle = zero, zero, zero, zero
            carry[k] = grad
        both[at], both[at + units], both[at + 2 * units] = by_update, by_reset, by_candidate
        both[other], both[other + units] = by_update, by_reset
        both[other + 2 * units] = by_middle


@OWN.register
@in_float32
def gru(
    x: Array,
    h: Array,
    kernel: Array | None,
    recurrent_kernel: Array,
    bias: Array | None,
    mask: Array | None,
    dropout: Array | None,
    *,
    reset_after: bool,
    reverse: bool,
) -> tuple[Array, Array, Array, Array]:
    """Outputs of each step, last state, gates after their functions, what meets the reset gate."""
    given = (x, h, kernel, recurrent_kernel, bias, mask, dropout)
    if not has_kernel(h, x):
        return reference.gru(*given, reset_after=reset_after, reverse=reverse)
    if not reset_after:
        return gru_reset_before.forward(*given, reverse)
    before_x, before_h = (None, None) if bias is None else (bias[0], bias[1])
    products, holes = inputs(x, kernel, before_x), mask_or_nothing(mask)
    (batch, time), units = x.shape[:2], h.shape[1]
    y, inner = (empty((batch, time, units), h.dtype) for _ in range(2))
    gates, new_h = empty(products.shape, h.dtype), empty(h.shape, h.dtype)
    h, product = contiguous(h), state_product(recurrent_kernel, dropout)
    for step in steps(time, reverse):
        z = product.of(h, before_h)
        arrays = y, gates, inner, new_h, products, z, h, holes
        gru_step.launch(h.size, *arrays, units, time, step, mask is not None)
        h = new_h  # a thread reads what it writes, and nothing else of it
    return y, h, gates, inner


@OWN.register
@in_float32
def gru_grad(
    grad_y: Array | None,
    grad_last_h: Array | None,
    x: Array,
    h: Array,
    kernel: Array | None,
    recurrent_kernel: Array,
    bias: Array | None,
    y: Array,
    gates: Array,
    inner: Array,
    mask: Array | None,
    dropout: Array | None,
    *,
    reset_after: bool,
    reverse: bool,
    by_x: bool,
) -> tuple[Array | None, Array, Array | None, Array, Array | None]:
    """Gradients of `gru` by x, h, kernel, recurrent kernel and bias."""
    given = (grad_y, grad_last_h, x, h, kernel, recurrent_kernel, bias)
    saved = (y, gates, inner, mask, dropout)
    if not has_kernel(h, x):
        settings = {"reset_after": reset_after, "reverse": reverse, "by_x": by_x}
        return reference.gru_grad(*given, *saved, **settings)
    if not reset_after:
        return gru_reset_before.backward(*given, *saved, reverse, by_x)
    y, gates, inner, h = map(contiguous, (y, gates, inner, h))
    (_, time, units), dtype = y.shape, h.dtype
    both, rows = empty((2, *gates.shape), dtype), empty((len(h), 3 * units), dtype)
    carry, product = empty(h.shape, dtype), state_product(recurrent_kernel, dropout)
    through, holes = or_zeros(grad_last_h, h), mask_or_nothing(mask)
    order, flags = steps(time, not reverse), (mask is not None, grad_y is not None)
    for step in order:
        arrays = both, rows, carry, through, values_or(grad_y, y), gates, inner, y, h, holes
        sizes = units, time, step, neighbour(reverse)
        gru_step_grad.launch(h.size, *arrays, *sizes, step == order[0], *flags)
        through = product.back(rows)
    grad_h = kept(mask, order[-1], carry + through, carry)
    grad_x, grad_kernel = inputs_grad(both[0], x, kernel, by_x)
    grad_recurrent = product.kernel_grad(both[1], before(h, y, reverse))
    grad_bias = None if bias is None else reduce(SUM, both, (1, 2))
    return grad_x, grad_h, grad_kernel, grad_recurrent, grad_bias
