"""The inner part of a depthwise convolution, all of whose products are written out.

Each input is loaded once for the up to four pixels whose windows it is in. It is read where it
lies, and zeros in place of what lies outside of the image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from llvmlite import ir
from numba import types

from nkeras_numba_cpu.emit import registers
from nkeras_numba_cpu.emit.simd import intrinsic

Load: TypeAlias = "Callable[[Any, Sequence[Any]], Any]"
"""Gives a vector at a place, of which the image has what the conditions say."""


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
                    builder.ptrtoint(data, registers.INT), builder.mul(index, registers.INT(size))
                )

            step, _, top, rate, height, left, width = values[2:9]
            source, weights = (
                address(values[0], x, values[1]),
                address(values[9], kernel, values[10]),
            )
            pixel, line, tap = (builder.mul(values[n], registers.INT(size)) for n in (2, 3, 11))
            lines, pixels = [], []  # whether they are in the image
            for _ in range(rows):
                lines.append(builder.icmp_unsigned("<", top, height))
                top = builder.add(top, rate)
            for _ in range(3 * stride + columns):
                pixels.append(builder.icmp_unsigned("<", left, width))
                left = builder.add(left, step)
            # What the windows of the next row of pixels begin to need.
            for below in range(rows, rows + stride):
                place = builder.add(source, builder.mul(line, registers.INT(below)))
                for _ in range(4 * stride):
                    registers.emit_prefetch(builder, place, write=False, level=2)
                    place = builder.add(place, pixel)

            def sums_of(load: Load) -> list[Any]:
                sums = [values[12]] * 4
                for ky in range(rows):
                    first = registers.emit_opaque(
                        builder, builder.add(source, builder.mul(line, registers.INT(ky)))
                    )
                    first_tap = registers.emit_opaque(
                        builder, builder.add(weights, builder.mul(tap, registers.INT(ky * columns)))
                    )
                    inputs = []
                    for n, is_pixel in enumerate(pixels):
                        place = builder.add(first, builder.mul(pixel, registers.INT(n)))
                        inputs.append(load(place, (lines[ky], is_pixel)))
                    for kx in range(columns):
                        place = builder.add(first_tap, builder.mul(tap, registers.INT(kx)))
                        weight = load(place, ())
                        for p in range(4):
                            value = inputs[p * stride + kx]
                            sums[p] = registers.emit_fma(builder, value, weight, sums[p])
                return sums

            def load_all(place: Any, _: Sequence[Any]) -> Any:
                return registers.emit_load(builder, place, vector)

            def load_inside(place: Any, conditions: Sequence[Any]) -> Any:
                if conditions:
                    place = builder.select(builder.and_(*conditions), place, zeros)
                return registers.emit_masked_load(builder, place, mask, vector)

            # What is outside is read from zeros: a mask for each load costs more than the products.
            zeros = builder.ptrtoint(_zeros(builder.module, vector), registers.INT)
            is_whole = builder.icmp_signed(">=", values[13], registers.INT(vector.count))
            for condition in (lines[0], lines[-1], pixels[0], pixels[-1]):
                is_whole = builder.and_(is_whole, condition)
            with builder.if_else(is_whole, likely=True) as (inside, at_edge):
                with inside:
                    whole, end_of_whole = sums_of(load_all), builder.block
                with at_edge:
                    mask = registers.emit_mask(builder, values[13], vector.count)
                    masked, end_of_masked = sums_of(load_inside), builder.block
            sums = [builder.phi(vector) for _ in range(4)]
            for total, one, other in zip(sums, whole, masked, strict=True):
                total.add_incoming(one, end_of_whole)
                total.add_incoming(other, end_of_masked)
            return context.make_tuple(builder, signature.return_type, sums)

        result = types.UniTuple(start, 4)
        return result(
            x, i, pixel, line, top, rate, height, left, width, kernel, k, tap, start, count
        ), codegen

    return tile


def _zeros(module: ir.Module, vector: ir.VectorType) -> ir.GlobalVariable:
    """A vector of zeros in memory."""
    name = f"zeros_{vector.count}_{vector.element}"
    if name not in module.globals:
        made = ir.GlobalVariable(module, vector, name)
        made.linkage, made.global_constant = "internal", True
        made.initializer = registers.constant(vector, 0.0)
    return module.globals[name]
