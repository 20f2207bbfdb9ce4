"""What the recurrent kernels share.

The products with x of all steps are one product. The steps themselves are one launch: a task owns
some sequences of the batch from the first step to the last, so that no step waits for another
thread. It multiplies their states, a tile of the micro-kernel, with the packed recurrent kernel:
in one block, or, where dropout gives each gate another state, in a block for each gate.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit.registers import lane_count
from nkeras_numba_cpu.emit.simd import address_of
from nkeras_numba_cpu.emit.values import compiled
from nkeras_numba_cpu.emit.vector_math import exp, functions
from nkeras_numba_cpu.emit.views import part
from nkeras_numba_cpu.kernels.reduction import reduce_sum
from nkeras_numba_cpu.launch.tasks import call_address, tasks
from nkeras_numba_cpu.loops.copies import copy
from nkeras_numba_cpu.loops.operands import operand
from nkeras_numba_cpu.memory.allocation import empty
from nkeras_numba_cpu.memory.capture import preparation
from nkeras_numba_cpu.products.gemm import product
from nkeras_numba_cpu.products.micro_kernel import ACCUMULATE, MicroKernels, micro_kernels

_SPEED = 16  # multiplications of a vector instruction
_GATE_WORK = 20  # that the functions of a gate cost as much as

inlined = functools.partial(inner, forceinline=True)
tanh = compiled(lambda x: functions(x.kind.name)["tanh"](x))


class Sizes(NamedTuple):
    """Numbers that a task of steps needs."""

    batch: int
    time: int
    units: int
    step: int  # sequences of a task
    width: int  # columns of a tile
    blocks: int  # of the recurrent kernel
    first: int  # of the steps
    stride: int  # from a step to the next one: 1, or -1


class Steps:
    """How the steps of a batch are cut into tasks.

    Attributes:
        count: tasks.
        work: about how many scalar operations they have.
        table: addresses of micro-kernels by number of rows.
        sizes: numbers for the tasks.
        tail: units behind the last full vector, or None.
    """

    def __init__(
        self, shape: tuple[int, ...], dtype: np.dtype, gates: int, blocks: int, reverse: bool
    ) -> None:
        batch, time, units = shape
        self.kernels, step, self.count, self.tail = _cut(batch, units, dtype)
        self.table = self.kernels.table(step, batch - (self.count - 1) * step)
        self.work = batch * time * units * gates * (units // _SPEED + _GATE_WORK // 4)
        first, stride = (time - 1, -1) if reverse else (0, 1)
        width = self.kernels.columns
        self.sizes = Sizes(batch, time, units, step, width, blocks, first, stride)

    def packed(self, weights: np.ndarray, transposed: bool = False) -> np.ndarray:
        """The recurrent kernel as `multiply` takes it."""
        return _packed(operand(weights), self.kernels, self.sizes.blocks, transposed)


@functools.lru_cache(maxsize=1024)
def _cut(batch: int, units: int, dtype: np.dtype) -> tuple[MicroKernels, int, int, int | None]:
    kernels = micro_kernels(dtype)
    # An even number of tasks, each with one tile.
    count = min(batch, 2 * -(-batch // (2 * kernels.rows)))
    step = -(-batch // count)
    return kernels, step, -(-batch // step), units % lane_count(dtype) or None


@preparation
def _packed(
    weights: np.ndarray, kernels: MicroKernels, blocks: int, transposed: bool
) -> np.ndarray:
    """Blocks of columns of the matrix, or their transposes, in panels of the columns of a tile."""
    total = weights.shape[1]
    rows, columns = weights.shape[0], total // blocks
    row_step, column_step = total, 1
    if transposed:
        rows, columns, row_step, column_step = columns, rows, 1, total
    panels = -(-columns // kernels.columns)
    packed = empty((blocks * panels, rows, kernels.columns), weights.dtype)
    numbers = row_step, column_step, columns, total // blocks, panels
    _pack(blocks * panels, packed.size, weights.reshape(-1), numbers, packed)
    return packed


@tasks
def _pack(task, weights, numbers, packed):
    row_step, column_step, columns, block, panels = numbers
    panel = packed[task]
    rows, width = panel.shape
    start = task // panels * block
    left = task % panels * width
    for k in range(rows):
        for j in range(width):
            column = left + j
            if column < columns:
                panel[k, j] = weights[start + k * row_step + column * column_step]
            else:
                panel[k, j] = 0


def projected(
    x: np.ndarray, kernel: np.ndarray | None, bias: np.ndarray | None, columns: int
) -> np.ndarray:
    """The products of all steps in an array of their own, flat."""
    source = operand(x)
    vector = None if bias is None else operand(bias)
    steps = x.shape[0] * x.shape[1]
    if kernel is not None:
        sizes = steps, columns, x.shape[2]
        return product(source.reshape(-1), operand(kernel).reshape(-1), sizes, bias=vector)
    made = empty((steps, columns), source.dtype)
    if vector is None:
        copy(source.reshape(steps, columns), made)
    else:
        _add_bias(steps, made.size, source.reshape(-1), vector, made)
    return made.reshape(-1)


@tasks
def _add_bias(task, source, bias, made):
    row = made[task]
    values = part(source, task * row.size, row.size)
    for j in range(row.size):
        row[j] = values[j] + bias[j]


def projected_grad(
    grad: np.ndarray, x: np.ndarray, kernel: np.ndarray | None, by_x: bool
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Gradients by x and kernel, from that by the products of all steps."""
    if kernel is None:
        return (grad.reshape(x.shape) if by_x else None), None
    steps, columns, features = x.shape[0] * x.shape[1], kernel.shape[1], x.shape[2]
    flat, weights = grad.reshape(-1), operand(kernel).reshape(-1)
    grad_x = None
    if by_x:
        grad_x = product(flat, weights, (steps, features, columns), transposed_b=True)
        grad_x = grad_x.reshape(x.shape)
    sizes = features, columns, steps
    grad_kernel = product(operand(x).reshape(-1), flat, sizes, transposed_a=True)
    return grad_x, grad_kernel.reshape(kernel.shape)


def recurrent_grad(grad: np.ndarray, states: np.ndarray, target: np.ndarray) -> None:
    """The gradient by the recurrent kernel, from the states that its blocks multiplied."""
    blocks, units, columns = len(states), target.shape[0], target.shape[1]
    rows, width = grad.size // columns, columns // blocks
    flat = grad.reshape(rows, columns)
    for block in range(blocks):
        part = flat[:, block * width : (block + 1) * width]
        block_grad(states[block], part, target[:, block * width : (block + 1) * width], units)


def block_grad(states: np.ndarray, grad: np.ndarray, target: np.ndarray, units: int) -> None:
    """The gradient by some columns of the recurrent kernel."""
    rows, columns = grad.shape
    sizes = units, columns, rows
    made = product(states.reshape(-1), operand(grad).reshape(-1), sizes, transposed_a=True)
    copy(made.reshape(units, columns), target)


def bias_grad(grad: np.ndarray, columns: int) -> np.ndarray:
    """The sum over batch and time."""
    return reduce_sum(grad.reshape(-1, columns), axis=(0,), keepdims=False)


def flat(array: np.ndarray | None) -> np.ndarray | None:
    """One dimension of what a loop takes; None stays."""
    return None if array is None else operand(array).reshape(-1)


# Compiled parts of tasks.


@inlined
def multiply(
    table, count, depth, a, a_at, a_step, packed, block, panels, c, c_at, c_step, columns, width,
    accumulate, bias, bias_at,
):  # fmt: skip
    """C = A times a block of the packed kernel, for the rows of one tile."""
    size = c.itemsize
    start = block * panels * depth * width
    for left in range(0, columns, width):
        address = 0
        if bias is not None:
            address = address_of(bias, bias_at + left)
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
                address_of(packed, start + left * depth),
                width * size,
                address_of(c, c_at + left),
                c_step * size,
                columns - left,
                address,
                ACCUMULATE if accumulate else 0,
                0,
            ),
        )


@inlined
def multiply_states(
    table, count, numbers, first, states, pitch, dropped, dropout, packed, begin, end, sums, wide,
    columns, bias, bias_at,
):  # fmt: skip
    """The products of a task's states with blocks of the recurrent kernel."""
    batch, _, units, _, width, _, _, _ = numbers
    panels = (columns + width - 1) // width
    for block in range(begin, end):
        if dropout is None:
            multiply(
                table, count, units, states, 0, pitch, packed, block, panels, sums,
                block * columns, wide, columns, width, False, bias, bias_at + block * columns,
            )  # fmt: skip
        else:
            for n in range(count):
                drop_row(states, n * pitch, dropout, (block * batch + first + n) * units, dropped,
                         n * pitch, units)  # fmt: skip
            multiply(
                table, count, units, dropped, 0, pitch, packed, block, panels, sums,
                block * columns, wide, columns, width, False, bias, bias_at + block * columns,
            )  # fmt: skip


@inlined
def multiply_back(
    table, count, numbers, first, grad, at, step, packed, begin, end, depth, scratch, pitch,
    dropout, grad_h, accumulate,
):  # fmt: skip
    """Add the gradients by a task's states, or set them, from those by their products."""
    batch, _, units, _, width, _, _, _ = numbers
    panels = (units + width - 1) // width
    for block in range(begin, end):
        if dropout is None:
            multiply(
                table, count, depth, grad, at + block * depth, step, packed, block, panels, grad_h,
                first * units, units, units, width, accumulate, None, 0,
            )  # fmt: skip
        else:
            multiply(
                table, count, depth, grad, at + block * depth, step, packed, block, panels, scratch,
                0, pitch, units, width, False, None, 0,
            )  # fmt: skip
            for n in range(count):
                place = (block * batch + first + n) * units
                total = part(grad_h, (first + n) * units, units)
                made, drop = part(scratch, n * pitch, units), part(dropout, place, units)
                for j in range(units):
                    total[j] += made[j] * drop[j]


@inlined
def drop_row(source, at, dropout, place, target, to, units):
    """A state with the holes of one gate."""
    values, drop = part(source, at, units), part(dropout, place, units)
    made = part(target, to, units)
    for j in range(units):
        made[j] = values[j] * drop[j]


@inlined
def copy_row(source, at, target, to, units):
    """target[to :] = source[at :], `units` elements."""
    values, made = part(source, at, units), part(target, to, units)
    for j in range(units):
        made[j] = values[j]


@inlined
def save_state(source, at, dropout, numbers, n, row, states):
    """The state before a step, as the blocks of the kernel multiply it."""
    batch, time, units, _, _, blocks, _, _ = numbers
    for block in range(blocks):
        to = block * batch * time * units + row
        if dropout is None:
            copy_row(source, at, states, to, units)
        else:
            drop_row(source, at, dropout, (block * batch + n) * units, states, to, units)


@inlined
def start_row(given, at, target, units):
    """The gradient by the last state, or zeros."""
    made = part(target, at, units)
    for j in range(units):
        made[j] = 0
    if given is not None:
        copy_row(given, at, target, at, units)


@inner
def sigmoid(x, more):
    """x = sigmoid(x + more)."""
    one = x.dtype.type(1)
    for j in range(x.size):
        x[j] = one / (one + exp(-(x[j] + more[j])))
