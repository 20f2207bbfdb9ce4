"""Words of little-endian integers at any place of an array of bytes, and sets of bytes as bits."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from nkeras_numba_cpu.emit.simd import intrinsic


def _loader(bits: int) -> Any:
    kind = ir.IntType(bits)

    def load(typingctx, data, place):
        def codegen(context, builder, signature, values):
            array = context.make_array(signature.args[0])(context, builder, values[0])
            address = builder.gep(array.data, [values[1]], inbounds=True)
            word = builder.load(builder.bitcast(address, kind.as_pointer()), align=1)
            return word if bits == 64 else builder.zext(word, ir.IntType(64))

        return types.uint64(data, types.int64), codegen

    return intrinsic(load)


byte_at: Any = _loader(8)
word32_at: Any = _loader(32)
word64_at: Any = _loader(64)


BLOCK = 32  # bytes that are looked at together
_SPACES = ((9, 13), (32, 32))
_PUNCTUATION = ((33, 47), (58, 64), (91, 96), (123, 126))


def _finder(ranges: tuple[tuple[int, int], ...]) -> Any:
    def find(typingctx, data, place):
        """For each of the `BLOCK` bytes from `place` on a bit, 1 where it is in a range."""

        def codegen(context, builder, signature, values):
            kind = ir.VectorType(ir.IntType(8), BLOCK)
            found = builder.load(
                _pointer(context, builder, signature.args[0], values, kind), align=1
            )
            bits: Any = ir.Constant(ir.VectorType(ir.IntType(1), BLOCK), [0] * BLOCK)
            for first, last in ranges:
                apart = builder.sub(found, ir.Constant(kind, [first] * BLOCK))
                most = ir.Constant(kind, [last - first] * BLOCK)
                bits = builder.or_(bits, builder.icmp_unsigned("<=", apart, most))
            return builder.zext(builder.bitcast(bits, ir.IntType(BLOCK)), ir.IntType(64))

        return types.uint64(data, types.int64), codegen

    return intrinsic(find)


def _pointer(context: Any, builder: Any, array_type: Any, values: Any, kind: Any) -> Any:
    array = context.make_array(array_type)(context, builder, values[0])
    address = builder.gep(array.data, [values[1]], inbounds=True)
    return builder.bitcast(address, kind.as_pointer())


def _copy(typingctx, data, place, own, to, lower):
    """Copy `BLOCK` bytes to another array; with `lower`, letters of ASCII become small."""

    def codegen(context, builder, signature, values):
        kind = ir.VectorType(ir.IntType(8), BLOCK)
        block = builder.load(
            _pointer(context, builder, signature.args[0], values[:2], kind), align=1
        )
        apart = builder.sub(block, ir.Constant(kind, [ord("A")] * BLOCK))
        is_large = builder.icmp_unsigned("<=", apart, ir.Constant(kind, [25] * BLOCK))
        small = builder.or_(block, ir.Constant(kind, [32] * BLOCK))
        lowered = builder.select(is_large, small, block)
        flag = builder.trunc(values[4], ir.IntType(1))
        target = _pointer(context, builder, signature.args[2], values[2:4], kind)
        builder.store(builder.select(flag, lowered, block), target, align=1)
        return context.get_dummy_value()

    return types.void(data, types.int64, own, types.int64, types.boolean), codegen


def _first_bit(typingctx, bits):
    """Where the lowest bit is that is 1."""

    def codegen(context, builder, signature, values):
        return builder.cttz(values[0], ir.IntType(1)(1))

    return types.int64(types.uint64), codegen


zeros_at: Any = _finder(((0, 0),))
spaces_at: Any = _finder(_SPACES)
punctuation_at: Any = _finder(_PUNCTUATION)
copy_block: Any = intrinsic(_copy)
first_bit: Any = intrinsic(_first_bit)
