"""Conversion between dtypes, compiled for each pair of dtypes that is used.

float16 and bfloat16 are arrays of 16 bits here, rounded to nearest even.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import ml_dtypes
import numpy as np
from llvmlite import ir
from numba import types

from nkeras_numba_cpu.emit.simd import intrinsic
from nkeras_numba_cpu.launch.tasks import Tasks, tasks
from nkeras_numba_cpu.loops import maps
from nkeras_numba_cpu.loops.copies import contiguous
from nkeras_numba_cpu.loops.maps import Map
from nkeras_numba_cpu.memory.allocation import empty
from nkeras_numba_cpu.memory.capture import preparation

GRAIN = 32768  # elements that one task converts

_HALF = np.dtype(np.float16)
_BRAIN = np.dtype(ml_dtypes.bfloat16)
_FLOAT = np.dtype(np.float32)
_BITS = ir.IntType(16)


@preparation
def converted(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """A C-contiguous copy of x in another dtype."""
    if x.dtype == dtype:
        return contiguous(x)
    kernel, source, target = _pair(x.dtype, dtype)
    if kernel is None:  # no kernel from here to there
        return converted(converted(x, _FLOAT), dtype)
    result = empty(x.shape, dtype)
    if result.size:
        flags = x.flags
        if not (flags.c_contiguous and flags.writeable and flags.aligned):
            x = contiguous(x)
        of, to = x.reshape(-1).view(source), result.reshape(-1).view(target)
        if isinstance(kernel, Map):
            count, geometry = maps.contiguous(of.size, 1, 1)
            kernel(count, of.size, maps.block_task(), geometry, of, to)
        else:
            kernel(-(-of.size // GRAIN), of.size, of, to)
    return result


@cache
def _pair(source: np.dtype, target: np.dtype) -> tuple[Tasks | None, Any, Any]:
    """The kernel for two dtypes, and what it sees in their place."""
    halves = {_HALF: (_from_half, _to_half), _BRAIN: (_from_brain, _to_brain)}
    seen = np.uint8 if source == np.bool_ else np.uint16 if source in halves else source
    if source in halves:
        direct = target not in (*halves, np.bool_, np.uint32)
        return (halves[source][0] if direct else None), seen, target
    if target in halves:
        return halves[target][1], seen, np.uint16
    if target == np.bool_:
        return _to_bool, seen, np.uint8
    wraps = target == np.uint32 and source.kind == "f"
    return (_to_whole if wraps else _to_number), seen, target


# The loop of a map converts what it stores.
_to_number = Map(lambda x: (x,), "to_number", origin="_to_number")
# Negative numbers wrap, as in NumPy.
_to_whole = Map(lambda x: (x.cast(types.int64),), "to_whole", origin="_to_whole")


@tasks
def _to_bool(task, x, y):
    x, y = x[task * GRAIN : task * GRAIN + GRAIN], y[task * GRAIN : task * GRAIN + GRAIN]
    for j in range(x.size):
        y[j] = x[j] != 0


@tasks
def _from_half(task, x, y):
    x, y = x[task * GRAIN : task * GRAIN + GRAIN], y[task * GRAIN : task * GRAIN + GRAIN]
    for j in range(x.size):
        y[j] = half_value(x[j])


@tasks
def _to_half(task, x, y):
    x, y = x[task * GRAIN : task * GRAIN + GRAIN], y[task * GRAIN : task * GRAIN + GRAIN]
    for j in range(x.size):
        y[j] = half_bits(x[j])


@tasks
def _from_brain(task, x, y):
    x, y = x[task * GRAIN : task * GRAIN + GRAIN], y[task * GRAIN : task * GRAIN + GRAIN]
    for j in range(x.size):
        y[j] = brain_value(x[j])


@tasks
def _to_brain(task, x, y):
    x, y = x[task * GRAIN : task * GRAIN + GRAIN], y[task * GRAIN : task * GRAIN + GRAIN]
    for j in range(x.size):
        y[j] = brain_bits(x[j])


@intrinsic
def half_value(typingctx, bits):
    """The float32 that these bits mean as float16."""

    def codegen(context, builder, signature, values):
        return builder.fpext(builder.bitcast(values[0], ir.HalfType()), ir.FloatType())

    return types.float32(types.uint16), codegen


@intrinsic
def half_bits(typingctx, value):
    """The bits of a number as float16."""

    def codegen(context, builder, signature, values):
        number = _float(context, builder, values[0], value, keep_inexact=True)
        return builder.bitcast(builder.fptrunc(number, ir.HalfType()), _BITS)

    return types.uint16(value), codegen


@intrinsic
def brain_value(typingctx, bits):
    """The float32 that these bits mean as bfloat16."""

    def codegen(context, builder, signature, values):
        word = builder.zext(values[0], ir.IntType(32))
        return builder.bitcast(builder.shl(word, ir.IntType(32)(16)), ir.FloatType())

    return types.float32(types.uint16), codegen


@intrinsic
def brain_bits(typingctx, value):
    """The bits of a number as bfloat16."""
    word = ir.IntType(32)

    def codegen(context, builder, signature, values):
        number = _float(context, builder, values[0], value, keep_inexact=False)
        bits = builder.bitcast(number, word)
        odd = builder.and_(builder.lshr(bits, word(16)), word(1))
        rounded = builder.lshr(builder.add(builder.add(bits, word(0x7FFF)), odd), word(16))
        quiet = builder.or_(builder.lshr(bits, word(16)), word(0x40))
        is_nan = builder.fcmp_unordered("uno", number, number)
        return builder.trunc(builder.select(is_nan, quiet, rounded), _BITS)

    return types.uint16(value), codegen


def _float(context: Any, builder: Any, value: Any, kind: Any, *, keep_inexact: bool) -> Any:
    """`value` as float32, on the way to 16 bits.

    Rounding a float64 twice can differ from rounding once; not if the first time an inexact result
    becomes the neighbour with an odd last bit (Boldo and Melquiond, 2008).
    """
    number = context.cast(builder, value, kind, types.float32)
    if kind != types.float64 or not keep_inexact:
        return number
    word = ir.IntType(32)
    back = builder.fpext(number, ir.DoubleType())
    bits = builder.bitcast(number, word)
    inexact = builder.fcmp_ordered("one", back, value)
    magnitude = ir.FunctionType(ir.DoubleType(), [ir.DoubleType()])
    fabs = builder.module.declare_intrinsic("llvm.fabs", [ir.DoubleType()], magnitude)
    above = builder.fcmp_ordered(">", builder.call(fabs, [back]), builder.call(fabs, [value]))
    below = builder.select(above, builder.sub(bits, word(1)), bits)
    odd = builder.or_(below, builder.zext(inexact, word))
    return builder.bitcast(odd, ir.FloatType())
