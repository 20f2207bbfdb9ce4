"""What a vector register is on this machine, and the LLVM code that intrinsics make for it."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba.core import cgutils

from nkeras.core.errors import SettingError, short

INT = ir.IntType(64)
SHORT = ir.IntType(32)
BIT = ir.IntType(1)
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


def element_type(dtype: Any) -> ir.Type:
    """The LLVM type of an element."""
    return _ELEMENTS[np.dtype(dtype).name]


def vector_type(dtype: Any) -> ir.VectorType:
    """The LLVM type of a vector."""
    return ir.VectorType(element_type(dtype), lane_count(dtype))


def emit_prefetch(builder: Any, address: Any, write: bool, level: int) -> None:
    """Fetch a line into the cache of level 1 or 2, to be written or only read."""
    pointer = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [pointer, SHORT, SHORT, SHORT])
    settings = [SHORT(int(write)), SHORT(4 - level), SHORT(1)]  # 1: data
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
    one = builder.insert_element(undefined, value, SHORT(0))
    places = ir.Constant(ir.VectorType(SHORT, vector.count), [0] * vector.count)
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
    store.set_metadata("nontemporal", builder.module.add_metadata([SHORT(1)]))


def emit_masked_load(builder: Any, address: Any, mask: Any, vector: ir.VectorType) -> Any:
    """Load the lanes of the mask; the others are 0."""
    kind = ir.FunctionType(vector, [vector.as_pointer(), SHORT, mask.type, vector])
    function = _declare(builder, kind, f"llvm.masked.load.{_suffix(vector)}.p0")
    align = SHORT(_size(vector.element))
    zero = constant(vector, 0 if isinstance(vector.element, ir.IntType) else 0.0)
    return builder.call(function, [_pointer(builder, address, vector), align, mask, zero])


def emit_masked_store(builder: Any, value: Any, address: Any, mask: Any) -> None:
    """Store the lanes of the mask."""
    vector = value.type
    kind = ir.FunctionType(ir.VoidType(), [vector, vector.as_pointer(), SHORT, mask.type])
    function = _declare(builder, kind, f"llvm.masked.store.{_suffix(vector)}.p0")
    align = SHORT(_size(vector.element))
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


def emit_address(context: Any, builder: Any, kind: Any, x: Any, i: Any) -> Any:
    """The address of x[i] of a contiguous array of a Numba type."""
    array = context.make_array(kind)(context, builder, x)
    size = context.get_abi_sizeof(context.get_data_type(kind.dtype))
    return builder.add(builder.ptrtoint(array.data, INT), builder.mul(i, INT(size)))


def emit_transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Rows of a square as columns: halves are exchanged, then halves of the halves, and so on."""
    lanes = len(rows)
    numbers = ir.VectorType(SHORT, lanes)
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
