"""Softmax, its logarithm and their gradients.

Along the last axis a warp or a block works on a row, which it reads from cache after the first
time. Along another axis neighbouring threads work on neighbouring lines.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.intrinsics import exponential, logarithm, udiv, umod
from nkeras_numba_cuda.device.vectors import accesses
from nkeras_numba_cuda.device.warps import WARP, larger, max_in_team, sum_in_team
from nkeras_numba_cuda.kernels.registry import OWN
from nkeras_numba_cuda.kernels.rows import (
    THREADS,
    WIDTHS,
    as_lines,
    blocks_for,
    by_width,
    team_for,
    width_for,
)
from nkeras_numba_cuda.launch import FLOATING, Kernel, kernel
from nkeras_numba_cuda.memory import Array, contiguous, empty
from nkeras_numpy import normalization as reference
from nkeras_numpy.namespace import in_float32

LOWEST = -math.inf


def _softmax_rows(width: int) -> Kernel:
    read, write = accesses(width)

    @kernel(
        "{T}[::1], {T}[::1], int64, int64, boolean",
        name=f"softmax_rows_{width}",
        threads=THREADS,
        T=WIDTHS[width],
    )
    def softmax_rows(y, x, size, team, logarithmic):
        shared = cuda.shared.array(WARP, y.dtype)
        held = cuda.local.array(width, y.dtype)
        team = min(team, cuda.blockDim.x)
        together = udiv(cuda.blockDim.x, team)
        lane = umod(cuda.threadIdx.x, team)
        rows = udiv(y.size, size)
        for first in range(cuda.blockIdx.x * together, rows, cuda.gridDim.x * together):
            row = first + udiv(cuda.threadIdx.x, team)
            start = row * size
            end = size if row < rows else 0
            largest = y.dtype.type(LOWEST)
            for j in range(lane * width, end, team * width):
                read(x, start + j, held)
                for k in range(width):
                    largest = larger(held[k], largest)
            largest = max_in_team(largest, team, shared)
            total = y.dtype.type(0)
            for j in range(lane * width, end, team * width):
                read(x, start + j, held)
                for k in range(width):
                    total += exponential(held[k] - largest)
            total = sum_in_team(total, team, shared)
            if logarithmic:
                total = logarithm(total)
            for j in range(lane * width, end, team * width):
                read(x, start + j, held)
                for k in range(width):
                    shifted = held[k] - largest
                    held[k] = shifted - total if logarithmic else exponential(shifted) / total
                write(y, start + j, held)

    return softmax_rows


def _softmax_rows_grad(width: int) -> Kernel:
    read, write = accesses(width)

    @kernel(
        "{T}[::1], {T}[::1], {T}[::1], int64, int64, boolean",
        name=f"softmax_rows_grad_{width}",
        threads=THREADS,
        T=WIDTHS[width],
    )
    def softmax_rows_grad(grad_x, grad_y, y, size, team, logarithmic):
        shared = cuda.shared.array(WARP, y.dtype)
        held = cuda.local.array(width, y.dtype)
        grad = cuda.local.array(width, y.dtype)
        team = min(team, cuda.blockDim.x)
        together = udiv(cuda.blockDim.x, team)
        lane = umod(cuda.threadIdx.x, team)
        rows = udiv(y.size, size)
        for first in range(cuda.blockIdx.x * together, rows, cuda.gridDim.x * together):
            row = first + udiv(cuda.threadIdx.x, team)
            start = row * size
            end = size if row < rows else 0
            total = y.dtype.type(0)
            for j in range(lane * width, end, team * width):
                read(y, start + j, held)
                read(grad_y, start + j, grad)
                for k in range(width):
                    total += grad[k] if logarithmic else grad[k] * held[k]
            total = sum_in_team(total, team, shared)
            for j in range(lane * width, end, team * width):
                read(y, start + j, held)
                read(grad_y, start + j, grad)
                for k in range(width):
                    if logarithmic:
                        grad[k] -= exponential(held[k]) * total
                    else:
                        grad[k] = held[k] * (grad[k] - total)
                write(grad_x, start + j, grad)

    return softmax_rows_grad


softmax_rows = by_width(_softmax_rows)
softmax_rows_grad = by_width(_softmax_rows_grad)


@kernel("{T}[::1], {T}[::1], int64, int64, int64, boolean", T=FLOATING)
def softmax_lines(y, x, lines, size, step, logarithmic):
    for i in range(cuda.grid(1), lines, cuda.gridsize(1)):
        start = udiv(i, step) * size * step + umod(i, step)
        largest = y.dtype.type(LOWEST)
        for j in range(size):
            largest = larger(x[start + j * step], largest)
        total = y.dtype.type(0)
        for j in range(size):
            total += exponential(x[start + j * step] - largest)
        if logarithmic:
            total = logarithm(total)
        for j in range(size):
            shifted = x[start + j * step] - largest
            y[start + j * step] = shifted - total if logarithmic else exponential(shifted) / total


@kernel("{T}[::1], {T}[::1], {T}[::1], int64, int64, int64, boolean", T=FLOATING)
def softmax_lines_grad(grad_x, grad_y, y, lines, size, step, logarithmic):
    for i in range(cuda.grid(1), lines, cuda.gridsize(1)):
        start = udiv(i, step) * size * step + umod(i, step)
        total = y.dtype.type(0)
        for j in range(size):
            at = start + j * step
            total += grad_y[at] if logarithmic else grad_y[at] * y[at]
        for j in range(size):
            at = start + j * step
            if logarithmic:
                grad_x[at] = grad_y[at] - exponential(y[at]) * total
            else:
                grad_x[at] = y[at] * (grad_y[at] - total)


def _along(
    rows: dict[int, Kernel], lines: Kernel, axis: int, logarithmic: bool, *arrays: Array
) -> Array:
    """Launch what computes along an axis on contiguous arrays of one shape."""
    arrays = tuple(map(contiguous, arrays))
    y = empty(arrays[0].shape, arrays[0].dtype)
    before, size, step = as_lines(y.shape, axis)
    if not y.size:
        return y
    if step == 1:
        team, width = team_for(size), width_for(size, *arrays)
        grid = blocks_for(before, team)
        rows[width].launch_blocks(grid, y, *arrays, size, team, logarithmic)
    else:
        lines.launch(before * step, y, *arrays, before * step, size, step, logarithmic)
    return y


def _own(
    name: str, rows: dict[int, Kernel], lines: Kernel, logarithmic: bool
) -> Callable[..., Any]:
    def run(*arrays: Array, axis: int) -> Array:
        if arrays[0].dtype.name not in FLOATING:
            return getattr(reference, name)(*arrays, axis=axis)
        return _along(rows, lines, axis, logarithmic, *arrays)

    run.__name__ = name
    return OWN.register(in_float32(run))


softmax = _own("softmax", softmax_rows, softmax_lines, False)
log_softmax = _own("log_softmax", softmax_rows, softmax_lines, True)
softmax_grad = _own("softmax_grad", softmax_rows_grad, softmax_lines_grad, False)
log_softmax_grad = _own("log_softmax_grad", softmax_rows_grad, softmax_lines_grad, True)
