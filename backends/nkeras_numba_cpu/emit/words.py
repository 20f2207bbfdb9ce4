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
            found = builder.load(_pointer(context, builder, signature, values, kind), align=1)
            bits: Any = ir.Constant(ir.VectorType(ir.IntType(1), BLOCK), [0] * BLOCK)
            for first, last in ranges:
                apart = builder.sub(found, ir.Constant(kind, [first] * BLOCK))
                most = ir.Constant(kind, [last - first] * BLOCK)
                bits = builder.or_(bits, builder.icmp_unsigned("<=", apart, most))
            return builder.zext(builder.bitcast(bits, ir.IntType(BLOCK)), ir.IntType(64))

        return types.uint64(data, types.int64), codegen

    return intrinsic(find)


def _pointer(context: Any, builder: Any, signature: Any, values: Any, kind: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, values[0])
    address = builder.gep(array.data, [values[1]], inbounds=True)
    return builder.bitcast(address, kind.as_pointer())


def _move(typingctx, data, place, to):
    """Copy `BLOCK` bytes inside an array; the two pieces may overlap."""

    def codegen(context, builder, signature, values):
        kind = ir.VectorType(ir.IntType(8), BLOCK)
        block = builder.load(_pointer(context, builder, signature, values, kind), align=1)
        target = _pointer(context, builder, signature, [values[0], values[2]], kind)
        builder.store(block, target, align=1)
        return context.get_dummy_value()

    return types.void(data, types.int64, types.int64), codegen


def _first_bit(typingctx, bits):
    """Where the lowest bit is that is 1."""

    def codegen(context, builder, signature, values):
        return builder.cttz(values[0], ir.IntType(1)(1))

    return types.int64(types.uint64), codegen


spaces_at: Any = _finder(_SPACES)
punctuation_at: Any = _finder(_PUNCTUATION)
move_block: Any = intrinsic(_move)
first_bit: Any = intrinsic(_first_bit)
