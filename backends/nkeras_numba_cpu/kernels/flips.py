"""Some images of a batch flipped, in one pass."""

from __future__ import annotations

import ml_dtypes  # noqa: F401  makes "bfloat16" a dtype name that NumPy knows
import numpy as np

from nkeras_numba_cpu.emit.views import part
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.loops.operands import compute_dtype, operand, stored
from nkeras_numba_cpu.memory.allocation import empty

GRAIN = 32768  # elements that one task moves


@KERNELS.register
def flip_images(
    x: np.ndarray, flips: np.ndarray, *, axes: tuple[int, ...], dtype: str
) -> np.ndarray:
    """Images `(batch, planes, height, width, channels)`, some flipped, in another dtype."""
    kept = np.dtype(dtype)
    result = empty(x.shape, compute_dtype(kept))
    if result.size:
        batch, planes, height, width, channels = x.shape
        rows = max(1, GRAIN // (width * channels))
        groups = -(-planes * height // rows)
        numbers = (planes, height, width, channels, rows, groups, 2 in axes, 3 in axes)
        arrays = operand(x).reshape(-1), operand(flips).view(np.uint8), result.reshape(-1)
        _flip(batch * groups, result.size, *arrays, numbers)
    return stored(result, kept)


@tasks
def _flip(task, x, flips, y, numbers):
    planes, height, width, channels, rows, groups, is_vertical, is_horizontal = numbers
    image = task // groups
    first = (task - image * groups) * rows
    is_flipped, line, kind = flips[image] != 0, width * channels, y.dtype.type
    for row in range(first, min(first + rows, planes * height)):
        plane = row // height
        other = (2 * plane + 1) * height - 1 - row if is_flipped and is_vertical else row
        source = part(x, (image * planes * height + other) * line, line)
        target = part(y, (image * planes * height + row) * line, line)
        if not (is_flipped and is_horizontal):
            for j in range(line):
                target[j] = kind(source[j])
        elif channels == 1:
            for j in range(line):
                target[j] = kind(source[line - 1 - j])
        elif channels == 3:
            for j in range(np.uint64(width)):
                at, start = np.uint64(3) * j, np.uint64(line - 3) - np.uint64(3) * j
                target[at] = kind(source[start])
                target[at + np.uint64(1)] = kind(source[start + np.uint64(1)])
                target[at + np.uint64(2)] = kind(source[start + np.uint64(2)])
        else:
            for j in range(width):
                end = part(source, line - (j + 1) * channels, channels)
                made = part(target, j * channels, channels)
                for channel in range(channels):
                    made[channel] = kind(end[channel])
