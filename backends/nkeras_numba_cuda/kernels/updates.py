"""Updates of many variables in one launch, from a formula for one element.

    @update("w grad m", live="learning_rate", settings="beta", outputs="w m")
    def some_update(x, s):          # x: the elements of one place, which it overwrites
        x[2] += (x[1] - x[2]) * s[1]            # s: live numbers, then settings
        x[0] -= s[0] * x[2]

The kernel finds its arrays by a table of their addresses. A block works on a piece of one of them;
results share one block of memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.functions import device_function
from nkeras_numba_cuda.device.pointers import accesses_at
from nkeras_numba_cuda.launch import FLOATING, Kernel, kernel
from nkeras_numba_cuda.memory import (
    Array,
    Pointers,
    array_module,
    constant,
    contiguous,
    empty,
    is_aligned,
    kept_on_device,
)

THREADS = 256
PIECE = 4096
"""Elements that a block works on."""
LINE = 64
"""Results start at multiples of so many elements."""
LIVE = 3
_WIDTHS = {"float32": 4, "float64": 1}


class Update:
    """A formula and its kernels.

    Args:
        name: of the kernels.
        formula: device function that overwrites the elements of one place.
        inputs: how many arrays it reads.
        outputs: which of them it writes.
        live: how many numbers are new in each step.
        settings: how many are not.
    """

    def __init__(
        self,
        name: str,
        formula: Callable[[Any, Any], None],
        inputs: int,
        outputs: tuple[int, ...],
        live: int,
        settings: int,
    ) -> None:
        self.inputs = inputs
        self.outputs = outputs
        made = device_function(formula)
        self.kernels = {
            dtype: _kernel(f"{name}_{dtype}", dtype, made, inputs, outputs, live, settings)
            for dtype in FLOATING
        }

    def __call__(
        self, calls: Sequence[Sequence[Array]], live: Sequence[Any], settings: Sequence[float] = ()
    ) -> list[tuple[Array, ...]]:
        """The results of several calls, floating arrays of one dtype.

        Args:
            calls: the arrays of each, all of one shape.
            live: numbers, or an array of as many float64 on the device.
            settings: numbers.
        """
        dtype = calls[0][0].dtype
        calls = [[_aligned(contiguous(a)) for a in arrays] for arrays in calls]
        sizes = tuple(arrays[0].size for arrays in calls)
        results = results_like([arrays[0].shape for arrays in calls], len(self.outputs), dtype)
        pieces, count = pieces_of(sizes)
        if count:
            tables = [[*arrays, *new] for arrays, new in zip(calls, results, strict=True)]
            cells, numbers = _numbers(live)
            self.kernels[dtype.name].launch_blocks(
                count,
                Pointers([array for table in tables for array in table]),
                pieces,
                _settings(settings, dtype.name),
                cells,
                *map(dtype.type, numbers),
            )
        return results


def update(
    arrays: str, *, outputs: str, live: str = "", settings: str = ""
) -> Callable[[Callable[[Any, Any], None]], Update]:
    """Decorator: an update of a formula `f(x, s)`.

    Args:
        arrays: names of the arrays that it reads.
        outputs: names of those that it writes.
        live: names of the numbers that are new in each step, the first elements of `s`.
        settings: names of the others.
    """
    names = arrays.split()
    places = tuple(map(names.index, outputs.split()))
    counts = len(live.split()), len(settings.split())
    return lambda formula: Update(formula.__name__, formula, len(names), places, *counts)


def _kernel(
    name: str,
    dtype: str,
    formula: Any,
    inputs: int,
    outputs: tuple[int, ...],
    live: int,
    settings: int,
) -> Kernel:
    width = _WIDTHS[dtype]
    row, numbers = inputs + len(outputs), LIVE + settings
    read, write = accesses_at(width)
    read_1, write_1 = accesses_at(1)

    @kernel(
        "int64[::1], int64[::1], {T}[::1], float64[::1], {T}, {T}, {T}",
        name=name,
        threads=THREADS,
        T=(dtype,),
    )
    def update_pieces(pointers, pieces, constant, cells, live_0, live_1, live_2):
        s = cuda.local.array(numbers, constant.dtype)
        s[0], s[1], s[2] = live_0, live_1, live_2
        for k in range(live):
            s[k] *= constant.dtype.type(cells[k])
        for k in range(settings):
            s[live + k] = constant[k]
        x = cuda.local.array(inputs, constant.dtype)
        held = cuda.local.array((inputs, width), constant.dtype)
        first = pieces[3 * cuda.blockIdx.x] * row
        start, stop = pieces[3 * cuda.blockIdx.x + 1], pieces[3 * cuda.blockIdx.x + 2]
        for i in range(start + cuda.threadIdx.x * width, stop, cuda.blockDim.x * width):
            if i + width <= stop:
                for k in range(inputs):
                    read(pointers, first + k, i, held[k])
                for j in range(width):
                    for k in range(inputs):
                        x[k] = held[k, j]
                    formula(x, s)
                    for k in range(inputs):
                        held[k, j] = x[k]
                for k in range(len(outputs)):
                    write(pointers, first + inputs + k, i, held[outputs[k]])
            else:
                for at in range(i, stop):
                    for k in range(inputs):
                        read_1(pointers, first + k, at, held[k])
                        x[k] = held[k, 0]
                    formula(x, s)
                    for k in range(len(outputs)):
                        held[0, 0] = x[outputs[k]]
                        write_1(pointers, first + inputs + k, at, held[0])

    return update_pieces


def _aligned(array: Array) -> Array:
    return array if is_aligned(array) else array.copy()


def results_like(
    shapes: Sequence[tuple[int, ...]], count: int, dtype: np.dtype
) -> list[tuple[Array, ...]]:
    """`count` arrays of each shape, in one block of memory."""
    sizes = [math.prod(shape) for shape in shapes]
    steps = [-(-size // LINE) * LINE for size in sizes]
    memory = empty((count * sum(steps),), dtype)
    results, at = [], 0
    for shape, size, step in zip(shapes, sizes, steps, strict=True):
        starts = [at + k * step for k in range(count)]
        results.append(tuple(memory[start : start + size].reshape(shape) for start in starts))
        at += count * step
    return results


@kept_on_device
def pieces_of(sizes: tuple[int, ...]) -> tuple[Array, int]:
    """For each block which call it works on, from where to where; and how many there are."""
    rows = [
        (call, start, min(start + PIECE, size))
        for call, size in enumerate(sizes)
        for start in range(0, size, PIECE)
    ]
    return array_module().asarray(np.array(rows, np.int64).reshape(-1)), len(rows)


def _settings(values: Sequence[float], dtype: str) -> Array:
    given = np.array(values or (0.0,), dtype)
    return constant(given.tobytes(), given.shape, dtype)


def _numbers(live: Sequence[Any]) -> tuple[Array, tuple[float, ...]]:
    """Cells and numbers, whose products count: one of them is ones."""
    ones = (1.0,) * LIVE
    if hasattr(live, "dtype"):
        return live, ones
    return _settings(ones, "float64"), (*live, *ones)[:LIVE]
