"""A whole sequence through an LSTM; gates in the order input, forget, candidate, output."""

from __future__ import annotations

import numpy as np

from nkeras_numba_cpu.emit.simd import fma, lanes_of, load_first, splat, store_first
from nkeras_numba_cpu.emit.views import allocate, part, release
from nkeras_numba_cpu.kernels.recurrent import (
    Steps,
    bias_grad,
    copy_row,
    flat,
    inlined,
    multiply_back,
    multiply_states,
    projected,
    projected_grad,
    recurrent_grad,
    save_state,
    sigmoid,
    start_row,
    tanh,
)
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.loops.copies import filled
from nkeras_numba_cpu.loops.operands import compute_dtype, stored
from nkeras_numba_cpu.memory.allocation import empty


@KERNELS.register
def lstm(
    x: np.ndarray,
    h: np.ndarray,
    c: np.ndarray,
    kernel: np.ndarray | None,
    recurrent_kernel: np.ndarray,
    bias: np.ndarray | None,
    mask: np.ndarray | None,
    dropout: np.ndarray | None,
    *,
    reverse: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Outputs of each step, last state, last cell, gates after their functions, cells."""
    dtype = compute_dtype(x.dtype)
    batch, time, _ = x.shape
    units = recurrent_kernel.shape[0]
    y, cells = empty((batch, time, units), dtype), empty((batch, time, units), dtype)
    last_h, last_c = empty(h.shape, dtype), empty(c.shape, dtype)
    if batch:
        z = projected(x, kernel, bias, 4 * units)
        steps = Steps(y.shape, dtype, 4, 1 if dropout is None else 4, reverse)
        packed = steps.packed(recurrent_kernel)
        given = flat(mask), flat(dropout), packed, flat(h), flat(c)
        results = z, cells.reshape(-1), y.reshape(-1), last_h, last_c
        numbers = steps.sizes
        _steps(steps.count, steps.work, steps.table, numbers, steps.tail, *given, *results)
    else:
        z = empty((0,), dtype)
    made = y, last_h, last_c, z.reshape(batch, time, 4 * units), cells
    y, last_h, last_c, gates, cells = (stored(one, x.dtype) for one in made)
    return y, last_h, last_c, gates, cells


@KERNELS.register
def lstm_grad(
    grad_y: np.ndarray | None,
    grad_last_h: np.ndarray | None,
    grad_last_c: np.ndarray | None,
    x: np.ndarray,
    h: np.ndarray,
    c: np.ndarray,
    kernel: np.ndarray | None,
    recurrent_kernel: np.ndarray,
    bias: np.ndarray | None,
    y: np.ndarray,
    gates: np.ndarray,
    cells: np.ndarray,
    mask: np.ndarray | None,
    dropout: np.ndarray | None,
    *,
    reverse: bool,
    by_x: bool,
) -> tuple[np.ndarray | None, ...]:
    """Gradients of `lstm` by x, h, c, kernel, recurrent kernel and bias."""
    if len(x) == 0:
        like = x if by_x else None, h, c, kernel, recurrent_kernel, bias
        return tuple(None if one is None else filled(one.shape, x.dtype, 0) for one in like)
    dtype = compute_dtype(x.dtype)
    grad_h, grad_c = empty(h.shape, dtype), empty(c.shape, dtype)
    grad_z = empty(gates.shape, dtype)
    blocks = 1 if dropout is None else 4
    states = empty((blocks, *y.shape), dtype)
    steps = Steps(y.shape, dtype, 4, blocks, reverse)
    packed = steps.packed(recurrent_kernel, transposed=True)
    given = [flat(one) for one in (grad_y, grad_last_h, grad_last_c, h, c, y, gates, cells)]
    results = grad_h.reshape(-1), grad_c.reshape(-1), grad_z.reshape(-1), states.reshape(-1)
    _steps_back(
        steps.count, steps.work, steps.table, steps.sizes, steps.tail, flat(mask), flat(dropout),
        packed, *given, *results,
    )  # fmt: skip
    grad_x, grad_kernel = projected_grad(grad_z, x, kernel, by_x)
    grad_recurrent = empty(recurrent_kernel.shape, dtype)
    recurrent_grad(grad_z, states, grad_recurrent)
    grad_bias = None if bias is None else bias_grad(grad_z, gates.shape[2])
    grads = grad_x, grad_h, grad_c, grad_kernel, grad_recurrent, grad_bias
    return tuple(None if one is None else stored(one, x.dtype) for one in grads)


@tasks
def _steps(
    task, table, numbers, tail, mask, dropout, packed, h, c, z, cells, y, last_h, last_c
):  # fmt: skip
    batch, time, units, step, _, blocks, first_step, stride = numbers
    lanes = lanes_of(z)
    whole = units // lanes * lanes
    first = task * step
    count = batch - first if first + step > batch else step
    # States and their products lie together, for rows of y and z are often a power of two apart.
    pitch, wide = units + lanes, 4 * units + lanes
    memory = allocate(z.dtype, step * (2 * pitch + wide))
    states, dropped = part(memory, 0, step * pitch), part(memory, step * pitch, step * pitch)
    sums = part(memory, 2 * step * pitch, step * wide)
    for n in range(count):
        copy_row(h, (first + n) * units, states, n * pitch, units)
    for number in range(time):
        t = first_step + stride * number
        multiply_states(
            table, count, numbers, first, states, pitch, dropped, dropout, packed, 0, blocks, sums,
            wide, 4 * units // blocks, None, 0,
        )  # fmt: skip
        for n in range(count):
            at = ((first + n) * time + t) * units
            line = n * wide
            sigmoid(part(z, 4 * at, 2 * units), part(sums, line, 2 * units))
            candidate = part(z, 4 * at + 2 * units, units)
            more = part(sums, line + 2 * units, units)
            for j in range(units):
                candidate[j] = tanh(candidate[j] + more[j])
            gate = part(z, 4 * at + 3 * units, units)
            sigmoid(gate, part(sums, line + 3 * units, units))
            old, place = (cells, at - stride * units) if number else (c, (first + n) * units)
            is_kept = True
            if mask is not None:
                is_kept = mask[(first + n) * time + t]
            cell, output = part(cells, at, units), part(y, at, units)
            state = part(states, n * pitch, units)
            if is_kept:
                for j in range(0, whole, lanes):
                    _store_cell(z, 4 * at + j, units, old, place + j, cells, at + j, lanes)
                if tail is not None:
                    _store_cell(
                        z, 4 * at + whole, units, old, place + whole, cells, at + whole, tail
                    )
                for j in range(units):
                    state[j] = tanh(cell[j])
                for j in range(units):
                    state[j] *= gate[j]
                    output[j] = state[j]
            else:
                copy_row(old, place, cells, at, units)
                for j in range(units):
                    output[j] = state[j]
            if number == time - 1:
                for j in range(units):
                    last_h[first + n, j] = state[j]
                    last_c[first + n, j] = cell[j]
    release(memory)


@inlined
def _store_cell(z, gate, units, old, place, cells, at, lanes):
    new = load_first(z, gate, lanes) * load_first(z, gate + 2 * units, lanes)
    new = fma(load_first(z, gate + units, lanes), load_first(old, place, lanes), new)
    store_first(cells, at, new, lanes)


@tasks
def _steps_back(
    task, table, numbers, tail, mask, dropout, packed, grad_y, grad_last_h, grad_last_c, h, c, y,
    gates, cells, grad_h, grad_c, grad_z, states,
):  # fmt: skip
    batch, time, units, step, _, blocks, first_step, stride = numbers
    lanes = lanes_of(grad_z)
    whole = units // lanes * lanes
    first = task * step
    count = batch - first if first + step > batch else step
    pitch = units + lanes
    memory = allocate(grad_z.dtype, step * pitch)
    for n in range(first, first + count):
        start_row(grad_last_h, n * units, grad_h, units)
        start_row(grad_last_c, n * units, grad_c, units)
    for left in range(time):
        number = time - 1 - left
        t = first_step + stride * number
        for n in range(first, first + count):
            row = n * units
            at = (n * time + t) * units
            source, place = (y, at - stride * units) if number else (h, row)
            save_state(source, place, dropout, numbers, n, at, states)
            old = cells if number else c
            is_kept = True
            if mask is not None:
                is_kept = mask[n * time + t]
            if is_kept:
                bent, cell = part(grad_z, 4 * at + 2 * units, units), part(cells, at, units)
                for j in range(units):
                    bent[j] = tanh(cell[j])
                for j in range(0, whole, lanes):
                    _store_grad(
                        gates, at, j, units, old, place, grad_y, grad_h, grad_c, row, grad_z, lanes
                    )
                if tail is not None:
                    _store_grad(
                        gates, at, whole, units, old, place, grad_y, grad_h, grad_c, row, grad_z,
                        tail,
                    )  # fmt: skip
                if mask is not None or dropout is not None:
                    start_row(None, row, grad_h, units)
            else:
                start_row(None, 4 * at, grad_z, 4 * units)
                if grad_y is not None:
                    total, more = part(grad_h, row, units), part(grad_y, at, units)
                    for j in range(units):
                        total[j] += more[j]
        multiply_back(
            table, count, numbers, first, grad_z, (first * time + t) * 4 * units, 4 * time * units,
            packed, 0, blocks, 4 * units // blocks, memory, pitch, dropout, grad_h,
            mask is not None,
        )  # fmt: skip
    release(memory)


@inlined
def _store_grad(gates, at, j, units, old, place, grad_y, grad_h, grad_c, row, grad_z, lanes):
    """Gradients by what the gates' functions were given, and by the cell before."""
    one = splat(grad_z, 1)
    gate = 4 * at + j
    i, f = load_first(gates, gate, lanes), load_first(gates, gate + units, lanes)
    g, o = load_first(gates, gate + 2 * units, lanes), load_first(gates, gate + 3 * units, lanes)
    bent = load_first(grad_z, gate + 2 * units, lanes)
    grad = load_first(grad_h, row + j, lanes)
    if grad_y is not None:
        grad = grad + load_first(grad_y, at + j, lanes)
    cell = fma(grad * o, one - bent * bent, load_first(grad_c, row + j, lanes))
    before = load_first(old, place + j, lanes)
    store_first(grad_z, gate, cell * g * i * (one - i), lanes)
    store_first(grad_z, gate + units, cell * before * f * (one - f), lanes)
    store_first(grad_z, gate + 2 * units, cell * i * (one - g * g), lanes)
    store_first(grad_z, gate + 3 * units, grad * bent * o * (one - o), lanes)
    store_first(grad_c, row + j, cell * f, lanes)
