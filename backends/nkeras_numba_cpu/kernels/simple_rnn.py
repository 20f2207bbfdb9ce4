"""A whole sequence through a simple recurrent layer: `h = tanh(x @ kernel + h @ recurrent)`."""

from __future__ import annotations

import numpy as np

from nkeras_numba_cpu.emit.simd import lanes_of
from nkeras_numba_cpu.emit.views import allocate, part, release
from nkeras_numba_cpu.kernels.recurrent import (
    Steps,
    bias_grad,
    copy_row,
    flat,
    multiply_back,
    multiply_states,
    projected,
    projected_grad,
    recurrent_grad,
    save_state,
    start_row,
    tanh,
)
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.loops.copies import filled
from nkeras_numba_cpu.loops.operands import compute_dtype, stored
from nkeras_numba_cpu.memory.allocation import empty


@KERNELS.register
def simple_rnn(
    x: np.ndarray,
    h: np.ndarray,
    kernel: np.ndarray | None,
    recurrent_kernel: np.ndarray,
    bias: np.ndarray | None,
    mask: np.ndarray | None,
    dropout: np.ndarray | None,
    *,
    reverse: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Outputs of each step, and the last one."""
    dtype = compute_dtype(x.dtype)
    batch, time, _ = x.shape
    units = recurrent_kernel.shape[0]
    last = empty(h.shape, dtype)
    if batch == 0:
        return stored(empty((0, time, units), dtype), x.dtype), stored(last, x.dtype)
    y = projected(x, kernel, bias, units)
    steps = Steps((batch, time, units), dtype, 1, 1, reverse)
    given = flat(mask), flat(dropout), steps.packed(recurrent_kernel), flat(h)
    _steps(steps.count, steps.work, steps.table, steps.sizes, *given, y, last.reshape(-1))
    return stored(y.reshape(batch, time, units), x.dtype), stored(last, x.dtype)


@KERNELS.register
def simple_rnn_grad(
    grad_y: np.ndarray | None,
    grad_last_h: np.ndarray | None,
    x: np.ndarray,
    h: np.ndarray,
    kernel: np.ndarray | None,
    recurrent_kernel: np.ndarray,
    bias: np.ndarray | None,
    y: np.ndarray,
    mask: np.ndarray | None,
    dropout: np.ndarray | None,
    *,
    reverse: bool,
    by_x: bool,
) -> tuple[np.ndarray | None, ...]:
    """Gradients of `simple_rnn` by x, h, kernel, recurrent kernel and bias."""
    if len(x) == 0:
        like = x if by_x else None, h, kernel, recurrent_kernel, bias
        return tuple(None if one is None else filled(one.shape, x.dtype, 0) for one in like)
    dtype = compute_dtype(x.dtype)
    grad_h, grad_z = empty(h.shape, dtype), empty(y.shape, dtype)
    states = empty((1, *y.shape), dtype)
    steps = Steps(y.shape, dtype, 1, 1, reverse)
    packed = steps.packed(recurrent_kernel, transposed=True)
    given = flat(mask), flat(dropout), packed, flat(grad_y), flat(grad_last_h), flat(h), flat(y)
    results = grad_h.reshape(-1), grad_z.reshape(-1), states.reshape(-1)
    _steps_back(steps.count, steps.work, steps.table, steps.sizes, *given, *results)
    grad_x, grad_kernel = projected_grad(grad_z, x, kernel, by_x)
    grad_recurrent = empty(recurrent_kernel.shape, dtype)
    recurrent_grad(grad_z, states, grad_recurrent)
    grad_bias = None if bias is None else bias_grad(grad_z, y.shape[2])
    grads = grad_x, grad_h, grad_kernel, grad_recurrent, grad_bias
    return tuple(None if one is None else stored(one, x.dtype) for one in grads)


@tasks
def _steps(task, table, numbers, mask, dropout, packed, h, y, last):
    batch, time, units, step, _, blocks, first_step, stride = numbers
    first = task * step
    count = batch - first if first + step > batch else step
    pitch = units + lanes_of(y)
    memory = allocate(y.dtype, 3 * step * pitch)
    states, dropped = part(memory, 0, step * pitch), part(memory, step * pitch, step * pitch)
    sums = part(memory, 2 * step * pitch, step * pitch)
    for n in range(count):
        copy_row(h, (first + n) * units, states, n * pitch, units)
    for number in range(time):
        t = first_step + stride * number
        multiply_states(
            table, count, numbers, first, states, pitch, dropped, dropout, packed, 0, blocks, sums,
            pitch, units, None, 0,
        )  # fmt: skip
        for n in range(count):
            at = ((first + n) * time + t) * units
            is_kept = True
            if mask is not None:
                is_kept = mask[(first + n) * time + t]
            if is_kept:
                output, more = part(y, at, units), part(sums, n * pitch, units)
                for j in range(units):
                    output[j] = tanh(output[j] + more[j])
                copy_row(y, at, states, n * pitch, units)
            else:
                copy_row(states, n * pitch, y, at, units)
            if number == time - 1:
                copy_row(states, n * pitch, last, (first + n) * units, units)
    release(memory)


@tasks
def _steps_back(
    task, table, numbers, mask, dropout, packed, grad_y, grad_last_h, h, y, grad_h, grad_z, states
):  # fmt: skip
    batch, time, units, step, _, blocks, first_step, stride = numbers
    one = grad_z.dtype.type(1)
    first = task * step
    count = batch - first if first + step > batch else step
    pitch = units + lanes_of(grad_z)
    memory = allocate(grad_z.dtype, step * pitch)
    for n in range(first, first + count):
        start_row(grad_last_h, n * units, grad_h, units)
    for left in range(time):
        number = time - 1 - left
        t = first_step + stride * number
        for n in range(first, first + count):
            row = n * units
            at = (n * time + t) * units
            source, place = (y, at - stride * units) if number else (h, row)
            save_state(source, place, dropout, numbers, n, at, states)
            total = part(grad_h, row, units)
            if grad_y is not None:
                more = part(grad_y, at, units)
                for j in range(units):
                    total[j] += more[j]
            is_kept = True
            if mask is not None:
                is_kept = mask[n * time + t]
            if is_kept:
                made, output = part(grad_z, at, units), part(y, at, units)
                for j in range(units):
                    made[j] = total[j] * (one - output[j] * output[j])
                start_row(None, row, grad_h, units)
            else:
                start_row(None, at, grad_z, units)
        multiply_back(
            table, count, numbers, first, grad_z, (first * time + t) * units, time * units,
            packed, 0, blocks, units, memory, pitch, dropout, grad_h, mask is not None,
        )  # fmt: skip
    release(memory)
