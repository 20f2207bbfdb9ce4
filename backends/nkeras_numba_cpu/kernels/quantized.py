"""Products of 8 bit integers."""

from __future__ import annotations

import math

import numpy as np

from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.loops.casts import converted
from nkeras_numba_cpu.loops.copies import filled
from nkeras_numba_cpu.loops.folds import maximum
from nkeras_numba_cpu.loops.operands import compute_dtype, operand, stored
from nkeras_numba_cpu.memory.allocation import empty
from nkeras_numba_cpu.products import bytes, integers

GRAIN = 32768  # elements that one task quantizes


@KERNELS.register
def int8_matmul(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Product of matrices of int8, as int32."""
    batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    shape = (*batch, x.shape[-2], y.shape[-1])
    if 0 in shape or x.shape[-1] == 0:
        return filled(shape, np.int32, 0)
    if y.ndim > 2:
        return integers.product(converted(x, np.dtype(np.int32)), converted(y, np.dtype(np.int32)))
    rows = operand(x).reshape(-1, x.shape[-1])
    result = empty((len(rows), y.shape[1]), np.int32)
    bytes.product(bytes.sums, bytes.prepared(rows), y, result)
    return result.reshape(shape)


@KERNELS.register
def int8_dense(
    x: np.ndarray,
    kernel: np.ndarray,
    scale: np.ndarray,
    bias: np.ndarray | None,
    *,
    low: int,
    high: int,
    epsilon: float,
) -> np.ndarray:
    """A dense layer by integers: each row of x is rounded to multiples of its largest value."""
    dtype, (depth, columns) = compute_dtype(x.dtype), kernel.shape
    result = empty((*x.shape[:-1], columns), dtype)
    if result.size:
        rows, step = math.prod(x.shape[:-1]), bytes.padded(depth)
        rounded, own = empty((rows, step), np.int8), empty((rows,), dtype)
        settings = np.array([low, high, epsilon], dtype)
        group = max(1, GRAIN // depth)
        numbers = (rows, depth, step, group, bytes.offset())
        flat = (operand(x).reshape(-1), settings, own, rounded.reshape(-1), numbers)
        _quantize(-(-rows // group), rows * depth, *flat)
        factors = operand(scale)
        plus = factors if bias is None else operand(bias)
        flags = np.array([bias is not None], np.int64)
        bytes.product(bytes.scaled_sums, rounded, kernel, result, own, factors, plus, flags)
    return stored(result, x.dtype)


@tasks
def _quantize(task, x, settings, own, result, numbers):
    rows, depth, step, group, offset = numbers
    low, high, epsilon = settings[0], settings[1], settings[2]
    for i in range(task * group, min(rows, task * group + group)):
        line = x[i * depth : (i + 1) * depth]
        largest = abs(line[0])
        for j in range(depth):
            largest = maximum(largest, abs(line[j]))
        factor = high / (largest + epsilon)
        own[i] = factor
        target = result[i * step : i * step + depth]
        for j in range(depth):
            target[j] = np.int8(np.int32(min(max(np.rint(line[j] * factor), low), high)) + offset)
