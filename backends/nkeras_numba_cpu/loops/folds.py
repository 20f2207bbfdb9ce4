"""How two elements, or vectors of them, become one: sums, products, extremes.

`bound` makes a kernel of a template whose globals `combine` and `finish` stand for such a function
and for what is done with the result.
"""

from __future__ import annotations

from functools import cache
from types import FunctionType
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit.simd import Vector, intrinsic
from nkeras_numba_cpu.launch.tasks import Tasks

# A sum may be ordered for vectors, always in the same way.
_ANY_ORDER = ("reassoc", "nsz")


def _is_float(kind: Any) -> bool:
    return isinstance(kind, (types.Float, Vector))


@intrinsic
def add(typingctx, a, b):
    """a + b, integers without widening."""

    def codegen(context, builder, signature, values):
        return builder.fadd(*values, flags=_ANY_ORDER) if _is_float(a) else builder.add(*values)

    return a(a, a), codegen


@intrinsic
def multiply(typingctx, a, b):
    """a * b, integers without widening."""

    def codegen(context, builder, signature, values):
        return builder.fmul(*values, flags=_ANY_ORDER) if _is_float(a) else builder.mul(*values)

    return a(a, a), codegen


@intrinsic
def maximum(typingctx, a, b):
    """The larger one; NaN if one is NaN."""
    return a(a, a), lambda context, builder, _, values: _extreme(builder, a, values, ">")


@intrinsic
def minimum(typingctx, a, b):
    """The smaller one; NaN if one is NaN."""
    return a(a, a), lambda context, builder, _, values: _extreme(builder, a, values, "<")


def _extreme(builder: Any, kind: Any, values: Any, wanted: str) -> Any:
    if _is_float(kind):
        number = values[0].type
        suffix = (
            f"v{number.count}{number.element.intrinsic_name}"
            if isinstance(number, ir.VectorType)
            else number.intrinsic_name
        )
        name = f"llvm.{'maximum' if wanted == '>' else 'minimum'}.{suffix}"
        function = ir.FunctionType(number, [number, number])
        function = cgutils.get_or_insert_function(builder.module, function, name)
        return builder.call(function, values, fastmath=("nsz",))
    compare = builder.icmp_signed if kind.signed else builder.icmp_unsigned
    return builder.select(compare(wanted, *values), *values)


@intrinsic
def number_maximum(typingctx, a, b):
    """The larger one; NaN only if both are NaN."""
    return a(a, a), lambda context, builder, _, values: _number_extreme(builder, a, values, ">")


@intrinsic
def number_minimum(typingctx, a, b):
    """The smaller one; NaN only if both are NaN."""
    return a(a, a), lambda context, builder, _, values: _number_extreme(builder, a, values, "<")


def _number_extreme(builder: Any, kind: Any, values: Any, wanted: str) -> Any:
    if not _is_float(kind):
        return _extreme(builder, kind, values, wanted)
    total, element = values
    gives_way = builder.fcmp_unordered("uno", total, total)
    better = builder.fcmp_ordered(wanted, element, total)
    return builder.select(builder.or_(better, gives_way), element, total)


@inner
def divided(total, divisor):
    """What makes a sum a mean; a sum itself has divisor 1."""
    return total / divisor


@inner
def unchanged(total, divisor):
    """The result of all other folds."""
    return total


_COMBINE = {
    "sum": add,
    "prod": multiply,
    "max": maximum,
    "min": minimum,
    "fmax": number_maximum,
    "fmin": number_minimum,
}


@cache
def bound(template: FunctionType, name: str, dtype: np.dtype) -> Tasks:
    """A kernel of the template for a fold of `_COMBINE` of arrays of `dtype`."""
    finish = "divided" if name == "sum" and dtype.kind == "f" else "unchanged"
    names = {**template.__globals__, "combine": _COMBINE[name], "finish": globals()[finish]}
    function = FunctionType(template.__code__, names, template.__name__)
    function.__module__ = template.__module__
    function.__qualname__ = f"{template.__name__}_{name}_{finish}"
    return Tasks(function, origin=(bound, (template, name, dtype)))
