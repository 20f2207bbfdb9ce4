"""Vectors as values: a Numba type for one vector register, with the host's width.

    lanes = lanes_of(x)                 # 16 float32 with AVX-512, 8 with AVX2, 4 with NEON
    v = load(x, i)                      # x[i : i + lanes] of a contiguous 1-D array
    store(y, i, fma(v, splat(x, 2), w))

`load_first` and `store_first` take a number of lanes, for the end of a row. For loops that LLVM
does not vectorise well by itself, with accumulators that must stay in registers.
"""

from __future__ import annotations

import operator
from typing import Any, cast

from llvmlite import ir
from numba import extending, types
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import models, register_model

from nkeras_numba_cpu.emit.registers import (
    BIT,
    INT,
    constant,
    emit_address,
    emit_call,
    emit_clamped,
    emit_fma,
    emit_largest,
    emit_load,
    emit_mask,
    emit_masked_load,
    emit_masked_store,
    emit_prefetch,
    emit_splat,
    emit_store,
    emit_sum,
    emit_transposed,
    lane_count,
    vector_type,
)

# Type checkers should not see the first parameter of an intrinsic, which callers do not give.
intrinsic = cast("Any", extending.intrinsic)

# The types: vectors of float32 and of float64, and the masks that comparisons give


class Vector(types.Type):
    """A vector register of `dtype`."""

    def __init__(self, dtype: types.Type) -> None:
        self.dtype = dtype
        self.llvm = vector_type(str(dtype))
        super().__init__(name=f"vector({dtype} x {self.llvm.count})")


class Mask(types.Type):
    """One bit for each lane of a vector of `dtype`."""

    def __init__(self, dtype: types.Type) -> None:
        self.dtype = dtype
        self.llvm = ir.VectorType(BIT, lane_count(str(dtype)))
        super().__init__(name=f"mask({dtype} x {self.llvm.count})")


@register_model(Vector)
@register_model(Mask)
class _RegisterModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, kind.llvm)


def _binary(
    function: Any, emit: Any, result: type[types.Type], kind: type[types.Type] = Vector
) -> None:
    """Make a Python operator work on two vectors, or on two masks."""

    class Template(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            if len(args) == 2 and args[0] == args[1] and isinstance(args[0], kind):
                return signature(result(args[0].dtype), *args)
            return None

    infer_global(function)(Template)
    lower_builtin(function, kind, kind)(
        lambda context, builder, signature, values: emit(builder, *values)
    )


_binary(operator.add, lambda b, x, y: b.fadd(x, y), Vector)
_binary(operator.sub, lambda b, x, y: b.fsub(x, y), Vector)
_binary(operator.mul, lambda b, x, y: b.fmul(x, y), Vector)
_binary(operator.truediv, lambda b, x, y: b.fdiv(x, y), Vector)
_binary(operator.lt, lambda b, x, y: b.fcmp_ordered("<", x, y), Mask)
_binary(operator.gt, lambda b, x, y: b.fcmp_ordered(">", x, y), Mask)
_binary(operator.le, lambda b, x, y: b.fcmp_ordered("<=", x, y), Mask)
_binary(operator.ge, lambda b, x, y: b.fcmp_ordered(">=", x, y), Mask)
_binary(operator.eq, lambda b, x, y: b.fcmp_ordered("==", x, y), Mask)
_binary(operator.ne, lambda b, x, y: b.fcmp_unordered("!=", x, y), Mask)
_binary(operator.and_, lambda b, x, y: b.and_(x, y), Mask, Mask)
_binary(operator.or_, lambda b, x, y: b.or_(x, y), Mask, Mask)


@infer_global(operator.invert)
class _Invert(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        return signature(args[0], *args) if isinstance(args[0], Mask) else None


lower_builtin(operator.invert, Mask)(
    lambda context, builder, signature, values: builder.not_(values[0])
)


# What kernels call


@intrinsic
def lanes_of(typingctx, x):
    """How many elements of this array a vector holds."""
    lanes = lane_count(str(x.dtype))
    return types.int64(x), lambda context, builder, signature, values: INT(lanes)


@intrinsic
def address_of(typingctx, x, i):
    """The address of x[i] of a contiguous array, seen as 1-D. The array must stay alive."""

    def codegen(context, builder, signature, values):
        return _address(context, builder, signature, values)

    return types.int64(x, types.int64), codegen


def _address(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    return emit_address(context, builder, signature.args[0], *values[:2])


@intrinsic
def load(typingctx, x, i):
    """The vector x[i : i + lanes]."""
    vector = Vector(x.dtype)

    def codegen(context, builder, signature, values):
        return emit_load(builder, _address(context, builder, signature, values), vector.llvm)

    return vector(x, types.int64), codegen


@intrinsic
def load_first(typingctx, x, i, count):
    """The vector x[i : i + count], then zeros; no more than `count` elements are read."""
    vector = Vector(x.dtype)

    def codegen(context, builder, signature, values):
        mask = emit_mask(builder, values[2], vector.llvm.count)
        address = _address(context, builder, signature, values)
        return emit_masked_load(builder, address, mask, vector.llvm)

    return vector(x, types.int64, types.int64), codegen


@intrinsic
def store(typingctx, x, i, value):
    """x[i : i + lanes] = value."""

    def codegen(context, builder, signature, values):
        emit_store(builder, values[2], _address(context, builder, signature, values))
        return context.get_dummy_value()

    return types.void(x, types.int64, value), codegen


@intrinsic
def store_first(typingctx, x, i, value, count):
    """x[i : i + count] = the first lanes of the value."""

    def codegen(context, builder, signature, values):
        mask = emit_mask(builder, values[3], value.llvm.count)
        emit_masked_store(builder, values[2], _address(context, builder, signature, values), mask)
        return context.get_dummy_value()

    return types.void(x, types.int64, value, types.int64), codegen


@intrinsic
def prefetch(typingctx, x, i):
    """Fetch x[i] into the cache; i may lie outside x."""

    def codegen(context, builder, signature, values):
        emit_prefetch(builder, _address(context, builder, signature, values), False, 1)
        return context.get_dummy_value()

    return types.void(x, types.int64), codegen


@intrinsic
def load_numbers(typingctx, like, x, i, count):
    """x[i : i + count] of unsigned integers, as numbers of the dtype of `like`, then zeros."""
    vector = Vector(like.dtype)
    numbers = ir.VectorType(ir.IntType(x.dtype.bitwidth), vector.llvm.count)

    def codegen(context, builder, signature, values):
        mask = emit_mask(builder, values[3], numbers.count)
        address = emit_address(context, builder, signature.args[1], *values[1:3])
        return builder.uitofp(emit_masked_load(builder, address, mask, numbers), vector.llvm)

    return vector(like, x, types.int64, types.int64), codegen


@intrinsic
def store_numbers(typingctx, x, i, value, count):
    """x[i : i + count] = the first lanes of the value, as unsigned integers of the dtype of x."""
    numbers = ir.VectorType(ir.IntType(x.dtype.bitwidth), value.llvm.count)

    def codegen(context, builder, signature, values):
        mask = emit_mask(builder, values[3], numbers.count)
        address = emit_address(context, builder, signature.args[0], *values[:2])
        emit_masked_store(builder, builder.fptoui(values[2], numbers), address, mask)
        return context.get_dummy_value()

    return types.void(x, types.int64, value, types.int64), codegen


@intrinsic
def splat(typingctx, x, number):
    """A vector of one number, for arrays of the dtype of x."""
    vector = Vector(x.dtype)

    def codegen(context, builder, signature, values):
        value = context.cast(builder, values[1], signature.args[1], x.dtype)
        return emit_splat(builder, value, vector.llvm)

    return vector(x, number), codegen


@intrinsic
def fma(typingctx, a, b, c):
    """a * b + c of vectors."""
    return a(a, b, c), lambda context, builder, signature, v: emit_fma(builder, *v)


@intrinsic
def select(typingctx, mask, a, b):
    """a where the mask is true, else b."""
    return a(mask, a, b), lambda context, builder, signature, v: builder.select(*v)


@intrinsic
def clamped(typingctx, a, low, high):
    """a, but not below low nor above high; NaN stays."""

    def codegen(context, builder, signature, values):
        return emit_clamped(builder, *values)

    return a(a, low, high), codegen


@intrinsic
def first_lanes(typingctx, a, count):
    """The first `count` lanes, then zeros."""

    def codegen(context, builder, signature, values):
        vector = values[0].type
        mask = emit_mask(builder, values[1], vector.count)
        return builder.select(mask, values[0], constant(vector, 0.0))

    return a(a, types.int64), codegen


@intrinsic
def first_of(typingctx, a, count, b):
    """The first `count` lanes of a, then those of b."""

    def codegen(context, builder, signature, values):
        return builder.select(emit_mask(builder, values[1], values[0].type.count), *values[::2])

    return a(a, types.int64, b), codegen


@intrinsic
def root(typingctx, a):
    """The square root of each lane."""
    return a(a), lambda context, builder, signature, v: emit_call(builder, "llvm.sqrt", *v)


@intrinsic
def sum_of(typingctx, a):
    """The sum of the lanes, a number."""
    return a.dtype(a), lambda context, builder, signature, v: emit_sum(builder, *v)


@intrinsic
def largest_of(typingctx, a):
    """The largest of the lanes, a number; NaN is passed over."""
    return a.dtype(a), lambda context, builder, signature, v: emit_largest(builder, *v)


@intrinsic
def transpose_square(typingctx, source, start, step, target, place, target_step):
    """target[place + j * target_step + i] = source[start + i * step + j], i and j below lanes."""
    vector = vector_type(str(source.dtype))
    lanes = vector.count

    def codegen(context, builder, signature, values):
        source, start, step, target, place, target_step = values
        kinds = signature.args
        rows = []
        for i in range(lanes):
            origin = builder.add(start, builder.mul(step, INT(i)))
            where = _address(context, builder, signature, (source, origin))
            rows.append(emit_load(builder, where, vector))
        for i, row in enumerate(emit_transposed(builder, rows)):
            origin = builder.add(place, builder.mul(target_step, INT(i)))
            to = types.void(kinds[3], types.int64)
            emit_store(builder, row, _address(context, builder, to, (target, origin)))
        return context.get_dummy_value()

    integer = types.int64
    return types.void(source, integer, integer, target, integer, integer), codegen
