"""Pixels mixed, with up to four channels side by side in one short vector."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import errors

from nkeras_numba_cpu.emit.registers import (
    INT,
    constant,
    element_type,
    emit_address,
    emit_load,
    emit_splat,
    emit_store,
)
from nkeras_numba_cpu.emit.simd import intrinsic

LANES = 4


def _mixing(guarded: bool, onto: bool = False) -> Any:
    def mixing(typingctx, target, at, source, starts, weights, j, step, terms):
        if not isinstance(terms, types.IntegerLiteral):
            raise errors.ForceLiteralArg({7})
        count: int = terms.literal_value
        vector = ir.VectorType(element_type(str(target.dtype)), LANES)

        def codegen(context, builder, signature, values):
            target, at, source, starts, weights, j, step, _ = values
            kinds = signature.args
            zero = constant(vector, 0.0)
            goal = emit_address(context, builder, kinds[0], target, at)
            total = emit_load(builder, goal, vector) if onto else None
            for term in range(count):
                place = builder.add(j, builder.mul(step, INT(term)))

                def element(kind, array, place=place):
                    address = emit_address(context, builder, kind, array, place)
                    pointer = context.get_data_type(kind.dtype).as_pointer()
                    return builder.load(builder.inttoptr(address, pointer))

                start = element(kinds[3], starts)
                start = context.cast(builder, start, kinds[3].dtype, types.int64)
                address = emit_address(context, builder, kinds[2], source, start)
                weight = element(kinds[4], weights)
                product = builder.fmul(
                    emit_splat(builder, weight, vector), emit_load(builder, address, vector)
                )
                if guarded:
                    is_one = builder.fcmp_unordered("!=", weight, zero.type.element(0.0))
                    product = builder.select(is_one, product, zero)
                total = product if total is None else builder.fadd(total, product)
            emit_store(builder, total, goal)
            return context.get_dummy_value()

        numbers = (types.int64, types.int64)
        kinds = target, types.int64, source, starts, weights, *numbers, terms
        return types.void(*kinds), codegen

    return mixing


# target[at : at + 4] = sums over k < terms, a literal, of weights[i] * source[start : start + 4]
# with i = k * step + j and start = starts[i]. Four elements are read and written, however many are
# meant. Nothing is fused, so that the numbers are those of NumPy.
mix_pixels: Any = intrinsic(_mixing(guarded=False))
# Where a weight is 0 the term is 0, whatever the pixel is.
sum_pixels: Any = intrinsic(_mixing(guarded=True))
# The same, added to what the target has.
add_pixels: Any = intrinsic(_mixing(guarded=True, onto=True))
