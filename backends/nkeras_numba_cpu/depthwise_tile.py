"""The inner part of a depthwise convolution, all of whose products are written out.

Each input is loaded once for the up to four pixels whose windows it is in.
"""

from __future__ import annotations

from typing import Any

from numba import types

from nkeras_numba_cpu import simd
from nkeras_numba_cpu.simd import intrinsic


def window_tile(rows: int, columns: int, stride: int) -> Any:
    """An intrinsic for windows of rows x columns: it computes four pixels that are neighbours.

    It takes x and the place of the first window, the distances of pixels and of lines, the kernel,
    the place of its first tap and the distance of taps, a vector to begin with, and how many lanes
    are in use.
    """

    @intrinsic
    def tile(typingctx, x, i, pixel, line, kernel, k, tap, start, count):
        vector, size = start.llvm, x.dtype.bitwidth // 8

        def codegen(context, builder, signature, values):
            def address(array: Any, kind: Any, index: Any) -> Any:
                data = context.make_array(kind)(context, builder, array).data
                return builder.add(
                    builder.ptrtoint(data, simd.INT), builder.mul(index, simd.INT(size))
                )

            source, weights = (
                address(values[0], x, values[1]),
                address(values[4], kernel, values[5]),
            )
            pixel, line, tap = (builder.mul(values[n], simd.INT(size)) for n in (2, 3, 6))
            mask = simd.emit_mask(builder, values[8], vector.count)
            sums = [values[7]] * 4
            for ky in range(rows):
                inputs, place = [], builder.add(source, builder.mul(line, simd.INT(ky)))
                for _ in range(3 * stride + columns):
                    inputs.append(simd.emit_masked_load(builder, place, mask, vector))
                    place = builder.add(place, pixel)
                for kx in range(columns):
                    weight = simd.emit_masked_load(builder, weights, mask, vector)
                    weights = builder.add(weights, tap)
                    for p in range(4):
                        value = inputs[p * stride + kx]
                        sums[p] = simd.emit_fma(builder, value, weight, sums[p])
            return context.make_tuple(builder, signature.return_type, sums)

        result = types.UniTuple(start, 4)
        return result(x, i, pixel, line, kernel, k, tap, start, count), codegen

    return tile
