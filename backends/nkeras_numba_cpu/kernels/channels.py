"""Sums over the channels of images: few numbers, that often lie side by side."""

from __future__ import annotations

import numpy as np

from nkeras_numba_cpu.emit.simd import intrinsic
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.loops.operands import operand, stored
from nkeras_numba_cpu.memory.allocation import empty

GRAIN = 8192  # pixels of one task

# Of divisions, so it means nothing here; but where there are none Numba allows contraction.
_ROUNDED = ("arcp",)


@KERNELS.register
def weighted_channels(x: np.ndarray, *, weights: tuple[float, ...]) -> np.ndarray:
    """Sums over channels of `(outer, channels, inner)`, each times its weight."""
    given = operand(x)
    outer, channels, inner = x.shape
    result = empty((outer, inner), given.dtype)
    if result.size:
        wide = np.float64 if given.dtype == np.float64 else np.float32
        factors, arrays = np.array(weights, wide), (given.reshape(-1), result.reshape(-1))
        if inner == 1 and channels == 3:
            _threes(-(-outer // GRAIN), x.size, *arrays, factors)
        else:
            pieces = -(-inner // GRAIN)
            _planes(outer * pieces, x.size, *arrays, factors, inner, pieces)
    return stored(result, x.dtype)


@intrinsic
def _added(typingctx, total, number, factor):
    """total + number * factor, of which the product is rounded first, as on the other backends."""

    def codegen(context, builder, signature, values):
        return builder.fadd(
            values[0], builder.fmul(values[1], values[2], flags=_ROUNDED), flags=_ROUNDED
        )

    return total(total, total, total), codegen


@tasks
def _threes(task, x, y, factors):
    first = task * GRAIN
    x, y = x[3 * first :], y[first : first + GRAIN]
    kind, of = factors.dtype.type, y.dtype.type
    a, b, c, zero = factors[0], factors[1], factors[2], kind(0)
    for i in range(np.uint64(y.size)):
        at = np.uint64(3) * i
        total = _added(zero, kind(x[at]), a)
        total = _added(total, kind(x[at + np.uint64(1)]), b)
        y[i] = of(_added(total, kind(x[at + np.uint64(2)]), c))


@tasks
def _planes(task, x, y, factors, inner, pieces):
    image = task // pieces
    first = (task - image * pieces) * GRAIN
    count = min(GRAIN, inner - first)
    kind, of = factors.dtype.type, y.dtype.type
    target = y[image * inner + first : image * inner + first + count]
    for i in range(count):
        total = kind(0)
        for channel in range(factors.size):
            place = (image * factors.size + channel) * inner + first + i
            total = _added(total, kind(x[place]), factors[channel])
        target[i] = of(total)
