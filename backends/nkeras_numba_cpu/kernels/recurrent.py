"""A whole sequence through an LSTM; gates in the order input, forget, candidate, output.

The products with x of all steps are one product. The steps themselves are one launch: a task owns
some sequences of the batch from the first step to the last, so that no step waits for another
thread. It multiplies their states, a tile of the micro-kernel, with the packed recurrent kernel.
"""

from __future__ import annotations

import functools

import numpy as np

from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit.simd import (
    address_of,
    fma,
    lane_count,
    lanes_of,
    load_first,
    splat,
    store_first,
)
from nkeras_numba_cpu.emit.values import compiled
from nkeras_numba_cpu.emit.vector_math import exp, functions
from nkeras_numba_cpu.emit.views import allocate, part, release
from nkeras_numba_cpu.kernels.reduction import reduce_sum
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.tasks import call_address, tasks
from nkeras_numba_cpu.loops.copies import filled
from nkeras_numba_cpu.loops.operands import operand, stored
from nkeras_numba_cpu.memory.allocation import empty
from nkeras_numba_cpu.memory.capture import preparation
from nkeras_numba_cpu.products.gemm import product
from nkeras_numba_cpu.products.micro_kernel import MicroKernels, micro_kernels

_SPEED = 16  # multiplications of a vector instruction
_GATE_WORK = 20  # that the functions of a gate cost as much as

_inlined = functools.partial(inner, forceinline=True)
_tanh = compiled(lambda x: functions(x.kind.name)["tanh"](x))


@KERNELS.register
def lstm(
    x: np.ndarray,
    h: np.ndarray,
    c: np.ndarray,
    kernel: np.ndarray,
    recurrent_kernel: np.ndarray,
    bias: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Outputs of each step, last state, last cell, gates after their functions, cells."""
    source, dtype = operand(x), x.dtype
    batch, time, features = x.shape
    units = recurrent_kernel.shape[0]
    y = empty((batch, time, units), source.dtype)
    cells = empty(y.shape, source.dtype)
    last_h, last_c = empty(h.shape, source.dtype), empty(c.shape, source.dtype)
    if batch:
        weights = operand(kernel).reshape(-1)
        sizes = batch * time, 4 * units, features
        vector = None if bias is None else operand(bias)
        z = product(source.reshape(-1), weights, sizes, bias=vector)
        kernels, step, count, tail = _parts(batch, units, source.dtype)
        packed = _packed(operand(recurrent_kernel), kernels, False)
        table = kernels.table(step, batch - (count - 1) * step)
        numbers = batch, time, units, step, kernels.columns
        arrays = (
            packed,
            operand(h).reshape(-1),
            operand(c).reshape(-1),
            z,
            cells.reshape(-1),
            y.reshape(-1),
        )
        work = batch * time * units * (4 * units // _SPEED + _GATE_WORK)
        _steps(count, work, table, numbers, tail, *arrays, last_h, last_c)
    else:
        z = empty((0,), source.dtype)
    results = y, last_h, last_c, z.reshape(batch, time, 4 * units), cells
    y, last_h, last_c, gates, cells = (stored(result, dtype) for result in results)
    return y, last_h, last_c, gates, cells


@KERNELS.register
def lstm_grad(
    grad_y: np.ndarray | None,
    grad_last_h: np.ndarray | None,
    grad_last_c: np.ndarray | None,
    x: np.ndarray,
    h: np.ndarray,
    c: np.ndarray,
    kernel: np.ndarray,
    recurrent_kernel: np.ndarray,
    y: np.ndarray,
    gates: np.ndarray,
    cells: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of `lstm` by x, h, c, kernel, recurrent kernel and bias."""
    batch, time, features = x.shape
    units = recurrent_kernel.shape[0]
    if batch == 0:
        shapes = x.shape, h.shape, c.shape, kernel.shape, recurrent_kernel.shape, (4 * units,)
        zero = [filled(shape, x.dtype, 0) for shape in shapes]
        return zero[0], zero[1], zero[2], zero[3], zero[4], zero[5]
    source = operand(x)
    grad_h, grad_c = empty(h.shape, source.dtype), empty(c.shape, source.dtype)
    grad_z, states = empty(gates.shape, source.dtype), empty(y.shape, source.dtype)
    kernels, step, count, tail = _parts(batch, units, source.dtype)
    packed = _packed(operand(recurrent_kernel), kernels, True)
    table = kernels.table(step, batch - (count - 1) * step)
    numbers = batch, time, units, step, kernels.columns
    given = [
        None if array is None else operand(array).reshape(-1)
        for array in (grad_y, grad_last_h, grad_last_c, h, c, y, gates, cells)
    ]
    results = grad_h, grad_c, grad_z.reshape(-1), states.reshape(-1)
    work = batch * time * units * (4 * units // _SPEED + _GATE_WORK)
    _steps_back(count, work, table, numbers, tail, packed, *given, *results)
    steps, columns = batch * time, 4 * units
    flat = grad_z.reshape(-1)
    weights = operand(kernel).reshape(-1)
    grad_x = product(flat, weights, (steps, features, columns), transposed_b=True)
    sizes = features, columns, steps
    grad_kernel = product(source.reshape(-1), flat, sizes, transposed_a=True)
    sizes = units, columns, steps
    grad_recurrent = product(states.reshape(-1), flat, sizes, transposed_a=True)
    grad_bias = reduce_sum(grad_z.reshape(steps, columns), axis=(0,), keepdims=False)
    return (
        stored(grad_x.reshape(x.shape), x.dtype),
        stored(grad_h, x.dtype),
        stored(grad_c, x.dtype),
        stored(grad_kernel.reshape(kernel.shape), x.dtype),
        stored(grad_recurrent.reshape(recurrent_kernel.shape), x.dtype),
        stored(grad_bias, x.dtype),
    )


@functools.lru_cache(maxsize=1024)
def _parts(batch: int, units: int, dtype: np.dtype) -> tuple[MicroKernels, int, int, int | None]:
    """Micro-kernels, sequences of a task, tasks, and units behind the last full vector or None."""
    kernels = micro_kernels(dtype)
    # An even number of tasks, each with one tile.
    count = min(batch, 2 * -(-batch // (2 * kernels.rows)))
    step = -(-batch // count)
    return kernels, step, -(-batch // step), units % lane_count(dtype) or None


@preparation
def _packed(weights: np.ndarray, kernels: MicroKernels, transposed: bool) -> np.ndarray:
    """The matrix, or its transpose, in panels of the columns of a tile."""
    rows, columns = weights.shape
    if transposed:
        rows, columns = columns, rows
    panels = -(-columns // kernels.columns)
    packed = empty((panels, rows, kernels.columns), weights.dtype)
    row_step, column_step = (1, rows) if transposed else (columns, 1)
    _pack(panels, packed.size, weights.reshape(-1), row_step, column_step, columns, packed)
    return packed


@tasks
def _pack(task, weights, row_step, column_step, columns, packed):
    panel = packed[task]
    rows, width = panel.shape
    for k in range(rows):
        for j in range(width):
            column = task * width + j
            if column < columns:
                panel[k, j] = weights[k * row_step + column * column_step]
            else:
                panel[k, j] = 0


@_inlined
def _multiply(table, count, depth, a, a_at, a_step, packed, c, c_at, c_step, columns, width, mode):
    """C = A times a packed matrix, for the rows of one tile."""
    size = c.itemsize
    for left in range(0, columns, width):
        call_address(
            table[count],
            (
                1,
                0,
                0,
                depth,
                address_of(a, a_at),
                a_step * size,
                size,
                address_of(packed, left * depth),
                width * size,
                address_of(c, c_at + left),
                c_step * size,
                columns - left,
                0,
                mode,
                0,
            ),
        )


@tasks
def _steps(task, table, numbers, tail, packed, h, c, z, cells, y, last_h, last_c):
    batch, time, units, step, width = numbers
    lanes = lanes_of(z)
    whole = units // lanes * lanes
    first = task * step
    count = batch - first if first + step > batch else step
    # States and their products lie together, for rows of y and z are often a power of two apart.
    pitch, wide = units + lanes, 4 * units + lanes
    memory = allocate(z.dtype, step * (pitch + wide))
    states, sums = part(memory, 0, step * pitch), part(memory, step * pitch, step * wide)
    for n in range(count):
        state, source = part(states, n * pitch, units), part(h, (first + n) * units, units)
        for j in range(units):
            state[j] = source[j]
    for t in range(time):
        _multiply(
            table, count, units, states, 0, pitch, packed, sums, 0, wide, 4 * units, width, 0
        )  # fmt: skip
        for n in range(count):
            at = ((first + n) * time + t) * units
            line = n * wide
            _sigmoid(part(z, 4 * at, 2 * units), part(sums, line, 2 * units))
            candidate = part(z, 4 * at + 2 * units, units)
            more = part(sums, line + 2 * units, units)
            for j in range(units):
                candidate[j] = _tanh(candidate[j] + more[j])
            gate = part(z, 4 * at + 3 * units, units)
            _sigmoid(gate, part(sums, line + 3 * units, units))
            old, place = (cells, at - units) if t else (c, (first + n) * units)
            for j in range(0, whole, lanes):
                _store_cell(z, 4 * at + j, units, old, place + j, cells, at + j, lanes)
            if tail is not None:
                _store_cell(z, 4 * at + whole, units, old, place + whole, cells, at + whole, tail)
            cell, output = part(cells, at, units), part(y, at, units)
            state = part(states, n * pitch, units)
            for j in range(units):
                state[j] = _tanh(cell[j])
            for j in range(units):
                state[j] *= gate[j]
                output[j] = state[j]
            if t == time - 1:
                for j in range(units):
                    last_h[first + n, j] = state[j]
                    last_c[first + n, j] = cell[j]
    release(memory)


@inner
def _sigmoid(x, more):
    """x = sigmoid(x + more)."""
    one = x.dtype.type(1)
    for j in range(x.size):
        x[j] = one / (one + exp(-(x[j] + more[j])))


@_inlined
def _store_cell(z, gate, units, old, place, cells, at, lanes):
    new = load_first(z, gate, lanes) * load_first(z, gate + 2 * units, lanes)
    new = fma(load_first(z, gate + units, lanes), load_first(old, place, lanes), new)
    store_first(cells, at, new, lanes)


@tasks
def _steps_back(
    task, table, numbers, tail, packed, grad_y, grad_last_h, grad_last_c, h, c, y, gates, cells,
    grad_h, grad_c, grad_z, states,
):  # fmt: skip
    batch, time, units, step, width = numbers
    lanes = lanes_of(grad_z)
    whole = units // lanes * lanes
    first = task * step
    count = batch - first if first + step > batch else step
    for n in range(first, first + count):
        for j in range(units):
            grad_h[n, j] = 0
            grad_c[n, j] = 0
            if grad_last_h is not None:
                grad_h[n, j] = grad_last_h[n * units + j]
            if grad_last_c is not None:
                grad_c[n, j] = grad_last_c[n * units + j]
    for left in range(time):
        t = time - 1 - left
        for n in range(first, first + count):
            at = (n * time + t) * units
            bent, cell = part(grad_z, 4 * at + 2 * units, units), part(cells, at, units)
            for j in range(units):
                bent[j] = _tanh(cell[j])
            state = part(states, at, units)
            source = part(y, at - units, units) if t else part(h, n * units, units)
            for j in range(units):
                state[j] = source[j]
            old, place = (cells, at - units) if t else (c, n * units)
            for j in range(0, whole, lanes):
                _store_grad(
                    gates,
                    at,
                    j,
                    units,
                    old,
                    place,
                    grad_y,
                    grad_h,
                    grad_c,
                    n * units,
                    grad_z,
                    lanes,
                )
            if tail is not None:
                _store_grad(
                    gates, at, whole, units, old, place, grad_y, grad_h, grad_c, n * units, grad_z,
                    tail,
                )  # fmt: skip
        _multiply(
            table, count, 4 * units, grad_z, (first * time + t) * 4 * units, 4 * time * units,
            packed, grad_h, first * units, units, units, width, 0,
        )  # fmt: skip


@_inlined
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
