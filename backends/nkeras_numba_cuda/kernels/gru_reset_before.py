"""A GRU whose reset gate comes before the product of the state, so that a step has two products.

The first gives update and reset, the second, of what the reset gate lets through, the candidate.
"""

from __future__ import annotations

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.intrinsics import hyperbolic_tangent, udiv
from nkeras_numba_cuda.kernels.linalg import matmul
from nkeras_numba_cuda.kernels.recurrent import (
    before,
    bias_grad,
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
from nkeras_numba_cuda.kernels.state_products import StateProduct, state_product
from nkeras_numba_cuda.launch import FLOATING, kernel
from nkeras_numba_cuda.memory import Array, contiguous, empty


@kernel(
    "{T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], int64, int64, int64, "
    "boolean",
    T=FLOATING,
)
def gru_gates(gates, inner, middle, products, z, h, dropped, units, time, step, has_dropout):
    """Update, reset, and what the reset gate lets through; `z` is the product for the first two."""
    one = h.dtype.type(1)
    for k in range(cuda.grid(1), h.size, cuda.gridsize(1)):
        n = udiv(k, units)
        u = k - n * units
        row = n * time + step
        at, at_z = row * 3 * units + u, n * 2 * units + u
        reset = sigmoid(products[at + units] + z[at_z + units], one)
        through = reset * h[k]
        if has_dropout:
            through *= dropped[k]
        gates[at] = sigmoid(products[at] + z[at_z], one)
        gates[at + units] = reset
        inner[row * units + u] = through
        middle[k] = through


@kernel(
    "{T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], boolean[::1], int64, int64, "
    "int64, boolean",
    T=FLOATING,
)
def gru_state(y, gates, new_h, products, z, h, mask, units, time, step, has_mask):
    """The candidate and the state; `z` is the product for the candidate."""
    one = y.dtype.type(1)
    for k in range(cuda.grid(1), h.size, cuda.gridsize(1)):
        n = udiv(k, units)
        u = k - n * units
        row = n * time + step
        at = row * 3 * units + u
        candidate = hyperbolic_tangent(products[at + 2 * units] + z[k])
        update = gates[at]
        state = update * h[k] + (one - update) * candidate
        if has_mask and not mask[row]:
            state = h[k]
        gates[at + 2 * units] = candidate
        y[row * units + u] = state
        new_h[k] = state


@kernel(
    "{T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], "
    "boolean[::1], int64, int64, int64, int64, boolean, boolean, boolean",
    T=FLOATING,
)
def gru_candidate_grad(
    rows,
    by_candidate,
    grads,
    carry,
    through,
    grad_y,
    gates,
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
    """What flows to a state, and from it to update and candidate; as in `gru_step_grad`."""
    one = y.dtype.type(1)
    for k in range(cuda.grid(1), carry.size, cuda.gridsize(1)):
        n = udiv(k, units)
        u = k - n * units
        row = n * time + step
        at = row * 3 * units + u
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
        update, candidate = gates[at], gates[at + 2 * units]
        grads[k] = grad
        rows[n * 2 * units + u] = grad * (old - candidate) * update * (one - update)
        by_candidate[k] = grad * (one - update) * (one - candidate * candidate)


@kernel(
    "{T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], "
    "{T}[::1], boolean[::1], int64, int64, int64, int64, boolean, boolean",
    T=FLOATING,
)
def gru_reset_grad(
    grad_z,
    rows,
    carry,
    by_middle,
    by_candidate,
    grads,
    gates,
    y,
    h,
    dropped,
    mask,
    units,
    time,
    step,
    back,
    has_mask,
    has_dropout,
):
    """From `by_middle`, the gradient by what the reset gate lets through, to gate and state."""
    one, zero = y.dtype.type(1), y.dtype.type(0)
    for k in range(cuda.grid(1), carry.size, cuda.gridsize(1)):
        n = udiv(k, units)
        u = k - n * units
        row = n * time + step
        at, at_row = row * 3 * units + u, n * 2 * units + u
        old = h[k]
        if step + back >= 0 and step + back < time:
            old = y[(row + back) * units + u]
        middle = by_middle[k]
        if has_dropout:
            middle *= dropped[k]
        reset = gates[at + units]
        by_update, by_last = rows[at_row], by_candidate[k]
        by_reset = middle * old * reset * (one - reset)
        rows[at_row + units] = by_reset
        carry[k] = grads[k] * gates[at] + middle * reset
        if has_mask and not mask[row]:
            by_update, by_reset, by_last = zero, zero, zero
            carry[k] = grads[k]
        grad_z[at], grad_z[at + units], grad_z[at + 2 * units] = by_update, by_reset, by_last


def forward(
    x: Array,
    h: Array,
    kernel: Array | None,
    recurrent_kernel: Array,
    bias: Array | None,
    mask: Array | None,
    dropout: Array | None,
    reverse: bool,
) -> tuple[Array, Array, Array, Array]:
    """As `gru`."""
    products, holes = inputs(x, kernel, bias), mask_or_nothing(mask)
    (batch, time), units = x.shape[:2], h.shape[1]
    y, inner = (empty((batch, time, units), h.dtype) for _ in range(2))
    gates, new_h, middle = (empty(s, h.dtype) for s in (products.shape, h.shape, h.shape))
    h, (product, last, dropped) = contiguous(h), _parts(recurrent_kernel, dropout, units)
    sizes, given = (units, time), h if dropped is None else dropped
    for step in steps(time, reverse):
        z = product.of(h)
        arrays = gates, inner, middle, products, z, h, given
        gru_gates.launch(h.size, *arrays, *sizes, step, dropped is not None)
        arrays = y, gates, new_h, products, matmul(middle, last), h, holes
        gru_state.launch(h.size, *arrays, *sizes, step, mask is not None)
        h = new_h  # a thread reads what it writes, and nothing else of it
    return y, h, gates, inner


def backward(
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
    reverse: bool,
    by_x: bool,
) -> tuple[Array | None, Array, Array | None, Array, Array | None]:
    """As `gru_grad`."""
    y, gates, h = map(contiguous, (y, gates, h))
    (_, time, units), dtype = y.shape, h.dtype
    product, last, dropped = _parts(recurrent_kernel, dropout, units)
    grad_z, rows = empty(gates.shape, dtype), empty((len(h), 2 * units), dtype)
    carry, by_candidate, grads = (empty(h.shape, dtype) for _ in range(3))
    through, holes = or_zeros(grad_last_h, h), mask_or_nothing(mask)
    given, order = (h if dropped is None else dropped), steps(time, not reverse)
    flags = mask is not None, grad_y is not None
    for step in order:
        sizes = units, time, step, neighbour(reverse)
        arrays = rows, by_candidate, grads, carry, through, values_or(grad_y, y), gates, y, h
        gru_candidate_grad.launch(h.size, *arrays, holes, *sizes, step == order[0], *flags)
        by_middle = matmul(by_candidate, last.T)
        arrays = grad_z, rows, carry, by_middle, by_candidate, grads, gates, y, h, given, holes
        gru_reset_grad.launch(h.size, *arrays, *sizes, flags[0], dropped is not None)
        through = product.back(rows)
    grad_h = kept(mask, order[-1], carry + through, carry)
    grad_x, grad_kernel = inputs_grad(grad_z, x, kernel, by_x)
    grad_recurrent = empty(recurrent_kernel.shape, dtype)
    first, second = map(contiguous, (grad_z[..., : 2 * units], grad_z[..., 2 * units :]))
    grad_recurrent[:, : 2 * units] = product.kernel_grad(first, before(h, y, reverse))
    middles = contiguous(inner).reshape(-1, units)
    grad_recurrent[:, 2 * units :] = matmul(middles.T, second.reshape(-1, units))
    return grad_x, grad_h, grad_kernel, grad_recurrent, bias_grad(grad_z, bias)


def _parts(
    recurrent_kernel: Array, dropout: Array | None, units: int
) -> tuple[StateProduct, Array, Array | None]:
    """The product of the first two gates, the kernel of the third, and its dropout."""
    masks, dropped = (None, None) if dropout is None else (dropout[:2], contiguous(dropout[2]))
    product = state_product(contiguous(recurrent_kernel[:, : 2 * units]), masks)
    return product, contiguous(recurrent_kernel[:, 2 * units :]), dropped
