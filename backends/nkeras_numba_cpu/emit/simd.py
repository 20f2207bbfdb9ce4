"""Vectors as values: a Numba type for one vector register, with the host's width.

    lanes = lanes_of(x)                 # 16 float32 with AVX-512, 8 with AVX2, 4 with NEON
    v = load(x, i)                      # x[i : i + lanes] of a contiguous 1-D array
    store(y, i, fma(v, splat(x, 2), w))

`load_first` and `store_first` take a number of lanes, for the end of a row. For loops that LLVM
does not vectorise well by itself, with accumulators that must stay in registers.
"""

from __future__ import annotations

import operator
import os
from functools import cache
from typing import Any, cast

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import extending, types
from numba.core import cgutils
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import models, register_model

from nkeras.core.errors import SettingError, short

# Type checkers should not see the first parameter of an intrinsic, which callers do not give.
intrinsic = cast("Any", extending.intrinsic)

INT = ir.IntType(64)
_SHORT = ir.IntType(32)
_BIT = ir.IntType(1)
_ELEMENTS = {"float32": ir.FloatType(), "float64": ir.DoubleType()}


@cache
def vector_bits() -> int:
    """Width of a vector register: 512, 256 or 128; a smaller one by NKERAS_VECTOR_BITS."""
    features = llvmlite.binding.get_host_cpu_features()
    own = 512 if features.get("avx512f") else 256 if features.get("avx2") else 128
    text = os.environ.get("NKERAS_VECTOR_BITS", "").strip()
    if not text:
        return own
    if text not in ("128", "256", "512"):
        raise SettingError(f"NKERAS_VECTOR_BITS must be 128, 256 or 512, received {short(text)}")
    return min(own, int(text))


@cache
def has_fma() -> bool:
    """Whether the host multiplies and adds in one instruction (all but old x86 do)."""
    features = llvmlite.binding.get_host_cpu_features()
    return bool(features.get("fma")) or "sse2" not in features


def lane_count(dtype: Any) -> int:
    """Elements of one vector."""
    return vector_bits() // (8 * np.dtype(dtype).itemsize)


# LLVM code, for the intrinsics below and for the micro-kernel


def element_type(dtype: Any) -> ir.Type:
    """The LLVM type of an element."""
    return _ELEMENTS[np.dtype(dtype).name]


def vector_type(dtype: Any) -> ir.VectorType:
    """The LLVM type of a vector."""
    return ir.VectorType(element_type(dtype), lane_count(dtype))


def emit_prefetch(builder: Any, address: Any, write: bool, level: int) -> None:
    """Fetch a line into the cache of level 1 or 2, to be written or only read."""
    pointer = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [pointer, _SHORT, _SHORT, _SHORT])
    settings = [_SHORT(int(write)), _SHORT(4 - level), _SHORT(1)]  # 1: data
    function = _declare(builder, kind, "llvm.prefetch.p0")
    builder.call(function, [builder.inttoptr(address, pointer), *settings])


def emit_opaque(builder: Any, number: Any) -> Any:
    """An integer of which LLVM knows nothing: what follows from it is computed where it is used.

    Otherwise each address of a long loop body is computed in front of the loop and kept on the
    stack, from where every load fetches its own.
    """
    kind = ir.FunctionType(number.type, [number.type])
    return builder.asm(kind, "", "=r,0", [number], False)


def emit_clamped(builder: Any, value: Any, low: Any, high: Any) -> Any:
    """The value, but not below low nor above high; NaN stays."""
    value = builder.select(builder.fcmp_ordered("<", value, low), low, value)
    return builder.select(builder.fcmp_ordered(">", value, high), high, value)


def constant(vector: ir.VectorType, value: Any) -> ir.Constant:
    """A vector of one value."""
    return ir.Constant(vector, [value] * vector.count)


def emit_splat(builder: Any, value: Any, vector: ir.VectorType) -> Any:
    """A vector of one runtime value."""
    undefined = ir.Constant(vector, ir.Undefined)
    one = builder.insert_element(undefined, value, _SHORT(0))
    places = ir.Constant(ir.VectorType(_SHORT, vector.count), [0] * vector.count)
    return builder.shuffle_vector(one, undefined, places)


def emit_mask(builder: Any, count: Any, lanes: int) -> Any:
    """True in the first `count` lanes (an i64, which may be negative or too large)."""
    numbers = ir.VectorType(INT, lanes)
    return builder.icmp_signed(
        "<", ir.Constant(numbers, list(range(lanes))), emit_splat(builder, count, numbers)
    )


def emit_load(builder: Any, address: Any, vector: ir.VectorType) -> Any:
    """Load from an address, which need not be aligned."""
    return builder.load(_pointer(builder, address, vector), align=_size(vector.element))


def emit_store(builder: Any, value: Any, address: Any) -> None:
    """Store to an address, which need not be aligned."""
    builder.store(value, _pointer(builder, address, value.type), align=_size(value.type.element))


def emit_stream(builder: Any, value: Any, address: Any) -> None:
    """Store to an aligned address around the caches: what was there is not read first."""
    bytes = value.type.count * _size(value.type.element)
    store = builder.store(value, _pointer(builder, address, value.type), align=bytes)
    store.set_metadata("nontemporal", builder.module.add_metadata([_SHORT(1)]))


def emit_masked_load(builder: Any, address: Any, mask: Any, vector: ir.VectorType) -> Any:
    """Load the lanes of the mask; the others are 0."""
    kind = ir.FunctionType(vector, [vector.as_pointer(), _SHORT, mask.type, vector])
    function = _declare(builder, kind, f"llvm.masked.load.{_suffix(vector)}.p0")
    align = _SHORT(_size(vector.element))
    zero = constant(vector, 0 if isinstance(vector.element, ir.IntType) else 0.0)
    return builder.call(function, [_pointer(builder, address, vector), align, mask, zero])


def emit_masked_store(builder: Any, value: Any, address: Any, mask: Any) -> None:
    """Store the lanes of the mask."""
    vector = value.type
    kind = ir.FunctionType(ir.VoidType(), [vector, vector.as_pointer(), _SHORT, mask.type])
    function = _declare(builder, kind, f"llvm.masked.store.{_suffix(vector)}.p0")
    align = _SHORT(_size(vector.element))
    builder.call(function, [value, _pointer(builder, address, vector), align, mask])


def emit_fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """a * b + c, rounded once where the host can."""
    if not has_fma():
        return builder.fadd(builder.fmul(a, b), c)
    return emit_call(builder, "llvm.fma", a, b, c)


def emit_call(builder: Any, name: str, *arguments: Any) -> Any:
    """An LLVM intrinsic on vectors of one type, such as llvm.sqrt."""
    vector = arguments[0].type
    kind = ir.FunctionType(vector, [vector] * len(arguments))
    return builder.call(_declare(builder, kind, f"{name}.{_suffix(vector)}"), arguments)


def emit_sum(builder: Any, value: Any) -> Any:
    """The sum of the lanes, as a tree."""
    vector = value.type
    element = vector.element
    kind = ir.FunctionType(element, [element, vector])
    function = _declare(builder, kind, f"llvm.vector.reduce.fadd.{_suffix(vector)}")
    return builder.call(function, [ir.Constant(element, -0.0), value], fastmath=("reassoc",))


def emit_largest(builder: Any, value: Any) -> Any:
    """The largest lane; NaN is passed over."""
    vector = value.type
    kind = ir.FunctionType(vector.element, [vector])
    return builder.call(
        _declare(builder, kind, f"llvm.vector.reduce.fmax.{_suffix(vector)}"), [value]
    )


def _declare(builder: Any, kind: ir.FunctionType, name: str) -> Any:
    return cgutils.get_or_insert_function(builder.module, kind, name)


def _pointer(builder: Any, address: Any, vector: ir.VectorType) -> Any:
    return builder.inttoptr(address, vector.as_pointer())


def _size(element: Any) -> int:
    if isinstance(element, ir.IntType):
        return element.width // 8
    return 8 if isinstance(element, ir.DoubleType) else 4


def _suffix(vector: ir.VectorType) -> str:
    letter = "i" if isinstance(vector.element, ir.IntType) else "f"
    return f"v{vector.count}{letter}{8 * _size(vector.element)}"


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
        self.llvm = ir.VectorType(_BIT, lane_count(str(dtype)))
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


def emit_address(context: Any, builder: Any, kind: Any, x: Any, i: Any) -> Any:
    """The address of x[i] of a contiguous array of a Numba type."""
    array = context.make_array(kind)(context, builder, x)
    size = context.get_abi_sizeof(context.get_data_type(kind.dtype))
    return builder.add(builder.ptrtoint(array.data, INT), builder.mul(i, INT(size)))


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
        for i, row in enumerate(_transposed(builder, rows)):
            origin = builder.add(place, builder.mul(target_step, INT(i)))
            to = types.void(kinds[3], types.int64)
            emit_store(builder, row, _address(context, builder, to, (target, origin)))
        return context.get_dummy_value()

    integer = types.int64
    return types.void(source, integer, integer, target, integer, integer), codegen


def _transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Rows of a square as columns: halves are exchanged, then halves of the halves, and so on."""
    lanes = len(rows)
    numbers = ir.VectorType(_SHORT, lanes)
    half = lanes // 2
    while half:
        exchanged = list(rows)
        low = [j if j % (2 * half) < half else lanes + j - half for j in range(lanes)]
        high = [j + half if j % (2 * half) < half else lanes + j for j in range(lanes)]
        for i in range(lanes):
            if i % (2 * half) < half:
                a, b = rows[i], rows[i + half]
                exchanged[i] = builder.shuffle_vector(a, b, ir.Constant(numbers, low))
                exchanged[i + half] = builder.shuffle_vector(a, b, ir.Constant(numbers, high))
        rows = exchanged
        half //= 2
    return rows
