"""A whole sequence through a GRU; gates in the order update, reset, candidate.

With `reset_after` the reset gate meets the product of the state, and all products of a step are
one. Otherwise it meets the state itself, and the candidate's product comes after it.
"""

from __future__ import annotations

import numpy as np

from nkeras_numba_cpu.emit.simd import fma, lanes_of, load_first, splat, store_first
from nkeras_numba_cpu.emit.views import allocate, part, release
from nkeras_numba_cpu.kernels.recurrent import (
    Steps,
    bias_grad,
    block_grad,
    copy_row,
    flat,
    inlined,
    multiply,
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
from nkeras_numba_cpu.loops.copies import copy, filled
from nkeras_numba_cpu.loops.operands import compute_dtype, operand, stored
from nkeras_numba_cpu.memory.allocation import empty


@KERNELS.register
def gru(
    x: np.ndarray,
    h: np.ndarray,
    kernel: np.ndarray | None,
    recurrent_kernel: np.ndarray,
    bias: np.ndarray | None,
    mask: np.ndarray | None,
    dropout: np.ndarray | None,
    *,
    reset_after: bool,
    reverse: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Outputs of each step, last state, gates after their functions, what meets the reset gate."""
    dtype = compute_dtype(x.dtype)
    batch, time, _ = x.shape
    units = recurrent_kernel.shape[0]
    y, inner = empty((batch, time, units), dtype), empty((batch, time, units), dtype)
    last = empty(h.shape, dtype)
    if batch:
        own = bias if bias is None or not reset_after else bias[0]
        z = projected(x, kernel, own, 3 * units)
        blocks = 1 if reset_after and dropout is None else 3
        steps = Steps(y.shape, dtype, 3, blocks, reverse)
        given = flat(mask), flat(dropout), steps.packed(recurrent_kernel)
        results = z, inner.reshape(-1), y.reshape(-1), last.reshape(-1)
        if reset_after:
            other = None if bias is None else operand(bias[1])
            given = *given, other, flat(h)
            _steps(steps.count, steps.work, steps.table, steps.sizes, *given, *results)
        else:
            given = *given, flat(h)
            _steps_before(steps.count, steps.work, steps.table, steps.sizes, *given, *results)
    else:
        z = empty((0,), dtype)
    made = y, last, z.reshape(batch, time, 3 * units), inner
    y, last, gates, inner = (stored(one, x.dtype) for one in made)
    return y, last, gates, inner


@KERNELS.register
def gru_grad(
    grad_y: np.ndarray | None,
    grad_last_h: np.ndarray | None,
    x: np.ndarray,
    h: np.ndarray,
    kernel: np.ndarray | None,
    recurrent_kernel: np.ndarray,
    bias: np.ndarray | None,
    y: np.ndarray,
    gates: np.ndarray,
    inner: np.ndarray,
    mask: np.ndarray | None,
    dropout: np.ndarray | None,
    *,
    reset_after: bool,
    reverse: bool,
    by_x: bool,
) -> tuple[np.ndarray | None, ...]:
    """Gradients of `gru` by x, h, kernel, recurrent kernel and bias."""
    if len(x) == 0:
        like = x if by_x else None, h, kernel, recurrent_kernel, bias
        return tuple(None if one is None else filled(one.shape, x.dtype, 0) for one in like)
    dtype = compute_dtype(x.dtype)
    units = h.shape[1]
    grad_h, grad_z = empty(h.shape, dtype), empty(gates.shape, dtype)
    grad_recurrent = empty(recurrent_kernel.shape, dtype)
    blocks = 1 if reset_after and dropout is None else 3
    steps = Steps(y.shape, dtype, 3, blocks, reverse)
    packed = steps.packed(recurrent_kernel, transposed=True)
    given = [flat(one) for one in (mask, dropout)]
    given += [packed, *(flat(one) for one in (grad_y, grad_last_h, h, y, gates, inner))]
    tail = steps.tail
    if reset_after:
        states, grad_s = empty((blocks, *y.shape), dtype), empty(gates.shape, dtype)
        results = grad_h.reshape(-1), grad_z.reshape(-1), grad_s.reshape(-1), states.reshape(-1)
        _steps_back(steps.count, steps.work, steps.table, steps.sizes, tail, *given, *results)
        recurrent_grad(grad_s, states, grad_recurrent)
    else:
        sides = 1 if dropout is None else 2
        states = empty((sides, *y.shape), dtype)
        results = grad_h.reshape(-1), grad_z.reshape(-1), states.reshape(-1)
        _steps_before_back(
            steps.count, steps.work, steps.table, steps.sizes, tail, *given, *results
        )
        rows = grad_z.reshape(-1, 3 * units)
        recurrent_grad_of(rows[:, : 2 * units], states, grad_recurrent[:, : 2 * units])
        block_grad(operand(inner), rows[:, 2 * units :], grad_recurrent[:, 2 * units :], units)
        grad_s = grad_z
    grad_x, grad_kernel = projected_grad(grad_z, x, kernel, by_x)
    grad_bias = None
    if bias is not None:
        grad_bias = bias_grad(grad_z, 3 * units)
        if reset_after:
            both = empty((2, 3 * units), dtype)
            copy(grad_bias, both[0])
            copy(bias_grad(grad_s, 3 * units), both[1])
            grad_bias = both
    grads = grad_x, grad_h, grad_kernel, grad_recurrent, grad_bias
    return tuple(None if one is None else stored(one, x.dtype) for one in grads)


def recurrent_grad_of(grad: np.ndarray, states: np.ndarray, target: np.ndarray) -> None:
    """`recurrent_grad` for some columns of the gradient."""
    width = grad.shape[1] // len(states)
    for block, state in enumerate(states):
        columns = slice(block * width, (block + 1) * width)
        block_grad(state, grad[:, columns], target[:, columns], target.shape[0])


@tasks
def _steps(task, table, numbers, mask, dropout, packed, bias, h, z, inner, y, last):
    batch, time, units, step, _, blocks, first_step, stride = numbers
    first = task * step
    count = batch - first if first + step > batch else step
    lanes = lanes_of(z)
    pitch, wide = units + lanes, 3 * units + lanes
    memory = allocate(z.dtype, step * (2 * pitch + wide))
    states, dropped = part(memory, 0, step * pitch), part(memory, step * pitch, step * pitch)
    sums = part(memory, 2 * step * pitch, step * wide)
    for n in range(count):
        copy_row(h, (first + n) * units, states, n * pitch, units)
    for number in range(time):
        t = first_step + stride * number
        multiply_states(
            table, count, numbers, first, states, pitch, dropped, dropout, packed, 0, blocks, sums,
            wide, 3 * units // blocks, bias, 0,
        )  # fmt: skip
        for n in range(count):
            at = ((first + n) * time + t) * units
            line = n * wide
            sigmoid(part(z, 3 * at, 2 * units), part(sums, line, 2 * units))
            copy_row(sums, line + 2 * units, inner, at, units)
            candidate, reset = part(z, 3 * at + 2 * units, units), part(z, 3 * at + units, units)
            more = part(sums, line + 2 * units, units)
            for j in range(units):
                candidate[j] = tanh(candidate[j] + reset[j] * more[j])
            is_kept = True
            if mask is not None:
                is_kept = mask[(first + n) * time + t]
            if is_kept:
                _update(z, 3 * at, states, n * pitch, units)
            copy_row(states, n * pitch, y, at, units)
            if number == time - 1:
                copy_row(states, n * pitch, last, (first + n) * units, units)
    release(memory)


@tasks
def _steps_before(task, table, numbers, mask, dropout, packed, h, z, inner, y, last):
    batch, time, units, step, width, _, first_step, stride = numbers
    first = task * step
    count = batch - first if first + step > batch else step
    lanes = lanes_of(z)
    pitch, wide = units + lanes, 3 * units + lanes
    panels = (units + width - 1) // width
    memory = allocate(z.dtype, step * (2 * pitch + wide))
    states, dropped = part(memory, 0, step * pitch), part(memory, step * pitch, step * pitch)
    sums = part(memory, 2 * step * pitch, step * wide)
    for n in range(count):
        copy_row(h, (first + n) * units, states, n * pitch, units)
    for number in range(time):
        t = first_step + stride * number
        multiply_states(
            table, count, numbers, first, states, pitch, dropped, dropout, packed, 0, 2, sums,
            wide, units, None, 0,
        )  # fmt: skip
        for n in range(count):
            at = ((first + n) * time + t) * units
            sigmoid(part(z, 3 * at, 2 * units), part(sums, n * wide, 2 * units))
            state, reset = part(states, n * pitch, units), part(z, 3 * at + units, units)
            middle = part(dropped, n * pitch, units)
            for j in range(units):
                middle[j] = state[j] * reset[j]
            if dropout is not None:
                drop = part(dropout, (2 * batch + first + n) * units, units)
                for j in range(units):
                    middle[j] *= drop[j]
            copy_row(dropped, n * pitch, inner, at, units)
        multiply(
            table, count, units, dropped, 0, pitch, packed, 2, panels, sums, 2 * units, wide,
            units, width, False, None, 0,
        )  # fmt: skip
        for n in range(count):
            at = ((first + n) * time + t) * units
            candidate = part(z, 3 * at + 2 * units, units)
            more = part(sums, n * wide + 2 * units, units)
            for j in range(units):
                candidate[j] = tanh(candidate[j] + more[j])
            is_kept = True
            if mask is not None:
                is_kept = mask[(first + n) * time + t]
            if is_kept:
                _update(z, 3 * at, states, n * pitch, units)
            copy_row(states, n * pitch, y, at, units)
            if number == time - 1:
                copy_row(states, n * pitch, last, (first + n) * units, units)
    release(memory)


@inlined
def _update(z, gate, states, at, units):
    """`h = update * h + (1 - update) * candidate`."""
    update, candidate = part(z, gate, units), part(z, gate + 2 * units, units)
    state = part(states, at, units)
    one = z.dtype.type(1)
    for j in range(units):
        state[j] = update[j] * state[j] + (one - update[j]) * candidate[j]


@tasks
def _steps_back(
    task, table, numbers, tail, mask, dropout, packed, grad_y, grad_last_h, h, y, gates, inner,
    grad_h, grad_z, grad_s, states,
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
    for left in range(time):
        number = time - 1 - left
        t = first_step + stride * number
        for n in range(first, first + count):
            row = n * units
            at = (n * time + t) * units
            source, place = (y, at - stride * units) if number else (h, row)
            save_state(source, place, dropout, numbers, n, at, states)
            _add_row(grad_y, at, grad_h, row, units)
            is_kept = True
            if mask is not None:
                is_kept = mask[n * time + t]
            if is_kept:
                for j in range(0, whole, lanes):
                    _store_grad(
                        gates, inner, at, j, units, source, place, grad_h, row, grad_z, grad_s,
                        lanes,
                    )  # fmt: skip
                if tail is not None:
                    _store_grad(
                        gates, inner, at, whole, units, source, place, grad_h, row, grad_z, grad_s,
                        tail,
                    )  # fmt: skip
            else:
                start_row(None, 3 * at, grad_z, 3 * units)
                start_row(None, 3 * at, grad_s, 3 * units)
        multiply_back(
            table, count, numbers, first, grad_s, (first * time + t) * 3 * units, 3 * time * units,
            packed, 0, blocks, 3 * units // blocks, memory, pitch, dropout, grad_h, True,
        )  # fmt: skip
    release(memory)


@inlined
def _add_row(grad_y, at, grad_h, row, units):
    if grad_y is not None:
        total, more = part(grad_h, row, units), part(grad_y, at, units)
        for j in range(units):
            total[j] += more[j]


@inlined
def _store_grad(
    gates, inner, at, j, units, source, place, grad_h, row, grad_z, grad_s, lanes
):  # fmt: skip
    """Gradients by what the gates' functions were given, and by the state that stays."""
    one = splat(grad_z, 1)
    gate = 3 * at + j
    update, reset = load_first(gates, gate, lanes), load_first(gates, gate + units, lanes)
    candidate = load_first(gates, gate + 2 * units, lanes)
    grad, old = load_first(grad_h, row + j, lanes), load_first(source, place + j, lanes)
    by_candidate = grad * (one - update) * (one - candidate * candidate)
    by_update = grad * (old - candidate) * update * (one - update)
    by_reset = by_candidate * load_first(inner, at + j, lanes) * reset * (one - reset)
    for target in (grad_z, grad_s):
        store_first(target, gate, by_update, lanes)
        store_first(target, gate + units, by_reset, lanes)
    store_first(grad_z, gate + 2 * units, by_candidate, lanes)
    store_first(grad_s, gate + 2 * units, by_candidate * reset, lanes)
    store_first(grad_h, row + j, grad * update, lanes)


@tasks
def _steps_before_back(
    task, table, numbers, tail, mask, dropout, packed, grad_y, grad_last_h, h, y, gates, inner,
    grad_h, grad_z, states,
):  # fmt: skip
    batch, time, units, step, width, _, first_step, stride = numbers
    lanes = lanes_of(grad_z)
    whole = units // lanes * lanes
    first = task * step
    count = batch - first if first + step > batch else step
    pitch = units + lanes
    panels = (units + width - 1) // width
    memory = allocate(grad_z.dtype, 2 * step * pitch)
    middle, scratch = part(memory, 0, step * pitch), part(memory, step * pitch, step * pitch)
    kept_blocks = 1
    if dropout is not None:
        kept_blocks = 2
    saved = (batch, time, units, step, width, kept_blocks, first_step, stride)
    for n in range(first, first + count):
        start_row(grad_last_h, n * units, grad_h, units)
    for left in range(time):
        number = time - 1 - left
        t = first_step + stride * number
        for n in range(first, first + count):
            row = n * units
            at = (n * time + t) * units
            source, place = (y, at - stride * units) if number else (h, row)
            save_state(source, place, dropout, saved, n, at, states)
            _add_row(grad_y, at, grad_h, row, units)
            is_kept = True
            if mask is not None:
                is_kept = mask[n * time + t]
            if is_kept:
                for j in range(0, whole, lanes):
                    _store_first_part(
                        gates, at, j, units, source, place, grad_h, row, grad_z, lanes
                    )
                if tail is not None:
                    _store_first_part(
                        gates, at, whole, units, source, place, grad_h, row, grad_z, tail
                    )
            else:
                start_row(None, 3 * at, grad_z, 3 * units)
        multiply(
            table, count, units, grad_z, ((first * time + t) * 3 + 2) * units, 3 * time * units,
            packed, 2, panels, middle, 0, pitch, units, width, False, None, 0,
        )  # fmt: skip
        for n in range(first, first + count):
            at = (n * time + t) * units
            source, place = (y, at - stride * units) if number else (h, n * units)
            line = (n - first) * pitch
            is_kept = True
            if mask is not None:
                is_kept = mask[n * time + t]
            if is_kept:
                if dropout is not None:
                    by, drop = (
                        part(middle, line, units),
                        part(dropout, (2 * batch + n) * units, units),
                    )
                    for j in range(units):
                        by[j] *= drop[j]
                for j in range(0, whole, lanes):
                    _store_second_part(
                        gates, at, j, units, source, place, grad_h, n * units, grad_z, middle,
                        line, lanes,
                    )  # fmt: skip
                if tail is not None:
                    _store_second_part(
                        gates, at, whole, units, source, place, grad_h, n * units, grad_z, middle,
                        line, tail,
                    )  # fmt: skip
        multiply_back(
            table, count, numbers, first, grad_z, (first * time + t) * 3 * units, 3 * time * units,
            packed, 0, 2, units, scratch, pitch, dropout, grad_h, True,
        )  # fmt: skip
    release(memory)


@inlined
def _store_first_part(gates, at, j, units, source, place, grad_h, row, grad_z, lanes):
    """Gradients by update gate and candidate, and by the state that stays."""
    one = splat(grad_z, 1)
    gate = 3 * at + j
    update, candidate = load_first(gates, gate, lanes), load_first(gates, gate + 2 * units, lanes)
    grad, old = load_first(grad_h, row + j, lanes), load_first(source, place + j, lanes)
    by_candidate = grad * (one - update) * (one - candidate * candidate)
    store_first(grad_z, gate, grad * (old - candidate) * update * (one - update), lanes)
    store_first(grad_z, gate + 2 * units, by_candidate, lanes)
    store_first(grad_h, row + j, grad * update, lanes)


@inlined
def _store_second_part(
    gates, at, j, units, source, place, grad_h, row, grad_z, middle, line, lanes
):  # fmt: skip
    """Gradients by the reset gate, and by the state that it meets."""
    one = splat(grad_z, 1)
    reset = load_first(gates, 3 * at + units + j, lanes)
    by, old = load_first(middle, line + j, lanes), load_first(source, place + j, lanes)
    store_first(grad_z, 3 * at + units + j, by * old * reset * (one - reset), lanes)
    grad = fma(by, reset, load_first(grad_h, row + j, lanes))
    store_first(grad_h, row + j, grad, lanes)
