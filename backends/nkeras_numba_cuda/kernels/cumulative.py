"""Running sums and products along an axis.

Along the last axis a block has a row: each thread joins a piece of it, sees what stands before it
in shared memory, and goes through its piece once more. Along others a thread has a line.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.intrinsics import udiv, umod
from nkeras_numba_cuda.device.warps import plus, times
from nkeras_numba_cuda.kernels.registry import OWN
from nkeras_numba_cuda.kernels.rows import THREADS, as_lines
from nkeras_numba_cuda.launch import COMPUTED, Kernel, kernel
from nkeras_numba_cuda.memory import Array, contiguous, empty
from nkeras_numpy import reduction as reference
from nkeras_numpy.namespace import in_float32


def _rows(name: str, join: Any, neutral: int) -> Kernel:
    @kernel("{T}[::1], {T}[::1], int64", name=f"{name}_rows", threads=THREADS, T=COMPUTED)
    def running_rows(y, x, length):
        pieces = cuda.shared.array(THREADS, y.dtype)
        row = cuda.blockIdx.x * length
        thread = cuda.threadIdx.x
        size = udiv(length + cuda.blockDim.x - 1, cuda.blockDim.x)
        begin = min(thread * size, length)
        end = min(begin + size, length)
        total = y.dtype.type(neutral)
        for i in range(begin, end):
            total = join(total, x[row + i])
        pieces[thread] = total
        cuda.syncthreads()
        total = y.dtype.type(neutral)
        for other in range(thread):
            total = join(total, pieces[other])
        for i in range(begin, end):
            total = join(total, x[row + i])
            y[row + i] = total

    return running_rows


def _lines(name: str, join: Any) -> Kernel:
    @kernel("{T}[::1], {T}[::1], int64, int64, int64", name=f"{name}_lines", T=COMPUTED)
    def running_lines(y, x, lines, size, step):
        for i in range(cuda.grid(1), lines, cuda.gridsize(1)):
            start = udiv(i, step) * size * step + umod(i, step)
            total = x[start]
            y[start] = total
            for j in range(1, size):
                total = join(total, x[start + j * step])
                y[start + j * step] = total

    return running_lines


def _own(name: str, join: Any, neutral: int) -> Callable[..., Array]:
    rows, lines = _rows(name, join, neutral), _lines(name, join)

    def run(x: Array, *, axis: int) -> Array:
        if x.dtype.name not in COMPUTED:
            return getattr(reference, name)(x, axis=axis)
        x = contiguous(x)
        y = empty(x.shape, x.dtype)
        before, size, step = as_lines(x.shape, axis % x.ndim)
        if not y.size:
            return y
        if step == 1:
            rows.launch_blocks(before, y, x, size)
        else:
            lines.launch(before * step, y, x, before * step, size, step)
        return y

    run.__name__ = name
    return OWN.register(in_float32(run))


cumsum = _own("cumsum", plus, 0)
cumprod = _own("cumprod", times, 1)
