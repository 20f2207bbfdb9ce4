"""The inner part of a depthwise convolution, all of whose products are written out.

Each input is loaded once for the up to four pixels whose windows it is in. It is read where it
lies: what lies outside of the image is masked.
"""

from __future__ import annotations

from typing import Any

from numba import types

from nkeras_numba_cpu.emit import simd
from nkeras_numba_cpu.emit.simd import intrinsic


def window_tile(rows: int, columns: int, stride: int) -> Any:
    """An intrinsic for windows of rows x columns: it computes four pixels that are neighbours.

    It takes x and the place of the first window, the distances of pixels and of lines; how far the
    window's first line is below the image's, how far the next one, how many there are; how far its
    first pixel is behind the first in the image, and how far the image reaches from there; the
    kernel, the place of its first tap and the distance of taps, a vector to begin with, and how
    many lanes are in use. Places are counted in elements.
    """

    @intrinsic
    def tile(
        typingctx, x, i, pixel, line, top, rate, height, left, width, kernel, k, tap, start, count
    ):
        vector, size = start.llvm, x.dtype.bitwidth // 8

        def codegen(context, builder, signature, values):
            def address(array: Any, kind: Any, index: Any) -> Any:
                data = context.make_array(kind)(context, builder, array).data
                return builder.add(
                    builder.ptrtoint(data, simd.INT), builder.mul(index, simd.INT(size))
                )

            step, _, top, rate, height, left, width = values[2:9]
            source, weights = (
                address(values[0], x, values[1]),
                address(values[9], kernel, values[10]),
            )
            pixel, line, tap = (builder.mul(values[n], simd.INT(size)) for n in (2, 3, 11))
            mask = simd.emit_mask(builder, values[13], vector.count)
            nowhere = simd.constant(mask.type, 0)
            inside = []  # the pixels of a line that are in the image
            for _ in range(3 * stride + columns):
                inside.append(builder.icmp_unsigned("<", left, width))
                left = builder.add(left, step)
            # What the windows of the next row of pixels begin to need.
            for below in range(rows, rows + stride):
                place = builder.add(source, builder.mul(line, simd.INT(below)))
                for _ in range(4 * stride):
                    simd.emit_prefetch(builder, place, write=False, level=2)
                    place = builder.add(place, pixel)
            sums = [values[12]] * 4
            for ky in range(rows):
                inputs, place = [], builder.add(source, builder.mul(line, simd.INT(ky)))
                is_line = builder.icmp_unsigned("<", top, height)
                top = builder.add(top, rate)
                for is_pixel in inside:
                    there = builder.select(builder.and_(is_line, is_pixel), mask, nowhere)
                    inputs.append(simd.emit_masked_load(builder, place, there, vector))
                    place = builder.add(place, pixel)
                for kx in range(columns):
                    weight = simd.emit_masked_load(builder, weights, mask, vector)
                    weights = builder.add(weights, tap)
                    for p in range(4):
                        value = inputs[p * stride + kx]
                        sums[p] = simd.emit_fma(builder, value, weight, sums[p])
            return context.make_tuple(builder, signature.return_type, sums)

        result = types.UniTuple(start, 4)
        return result(
            x, i, pixel, line, top, rate, height, left, width, kernel, k, tap, start, count
        ), codegen

    return tile
