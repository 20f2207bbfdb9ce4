"""Products of 8 bit integers in registers, summed as 32 bit ones.

    C[i, j] = sum over groups g and t below 4 of A[i, 4 g + t] * B[g, j, t]

B is packed so that a register holds four values of each of its columns. Processors with VNNI do
four products and their sum in one instruction, but of unsigned by signed integers: A is given as A
+ `offset()`, and the caller takes so many times the sum of each column of B away again.
"""

from __future__ import annotations

from functools import cache
from typing import Any, cast

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils

from nkeras_numba_cpu.emit import registers
from nkeras_numba_cpu.emit.registers import INT
from nkeras_numba_cpu.emit.simd import intrinsic

ROWS, VECTORS = 8, 2  # of a tile: 16 sums stay in registers
_BYTE, _WORD = ir.IntType(8), ir.IntType(32)


def width() -> int:
    """Columns of a tile."""
    return VECTORS * registers.lane_count("float32")


@cache
def has_vnni() -> bool:
    """Whether the host has the instruction, for vectors of our width."""
    features = llvmlite.binding.get_host_cpu_features()
    bits = registers.vector_bits()
    short = bool(features.get("avx512vnni") and features.get("avx512vl"))
    has = features.get("avx512vnni") if bits == 512 else short and bits == 256
    return bool(has)


def offset() -> int:
    """What is added to each number of A, in the same byte."""
    return 128 if has_vnni() else 0


def _tile(count: int) -> Any:
    def rows(typingctx, x, start, step, b, place, groups, sums):
        """sums[i * width() + j] = C[i, j] for rows i of x that begin at start + i * step.

        The rows of B begin at b[place]; `groups` says how many groups of four there are.
        """

        def codegen(context, builder, signature, values):
            kinds = signature.args
            from_x = registers.emit_address(context, builder, kinds[0], values[0], values[1])
            from_b = registers.emit_address(context, builder, kinds[3], values[3], values[4])
            to = registers.emit_address(context, builder, kinds[6], values[6], INT(0))
            _emit(builder, count, from_x, from_b, to, values[2], values[5])
            return context.get_dummy_value()

        integer, nothing = types.int64, cast("Any", types.void)
        return nothing(x, integer, integer, b, integer, integer, sums), codegen

    return intrinsic(rows)


def _emit(builder: Any, rows: int, x: Any, b: Any, sums: Any, step: Any, groups: Any) -> None:
    lanes = registers.lane_count("float32")
    word, byte = ir.VectorType(_WORD, lanes), ir.VectorType(_BYTE, 4 * lanes)
    zero = registers.constant(word, 0)
    totals = [
        [cgutils.alloca_once_value(builder, zero) for _ in range(VECTORS)] for _ in range(rows)
    ]
    with cgutils.for_range(builder, groups, intp=INT) as loop:
        of_x = builder.add(x, builder.mul(loop.index, INT(4)))
        of_b = builder.add(b, builder.mul(loop.index, INT(4 * lanes * VECTORS)))
        columns = [
            registers.emit_load(builder, builder.add(of_b, INT(4 * lanes * v)), byte)
            for v in range(VECTORS)
        ]
        for i, of_row in enumerate(totals):
            place = builder.add(of_x, builder.mul(step, INT(i)))
            four = builder.load(builder.inttoptr(place, _WORD.as_pointer()), align=1)
            row = registers.emit_splat(builder, four, word)
            for column, total in zip(columns, of_row, strict=True):
                builder.store(_add_products(builder, builder.load(total), row, column), total)
    for i, of_row in enumerate(totals):
        for v, total in enumerate(of_row):
            place = builder.add(sums, INT(4 * lanes * (i * VECTORS + v)))
            registers.emit_store(builder, builder.load(total), place)


def _add_products(builder: Any, total: Any, row: Any, column: Any) -> Any:
    word = total.type
    if has_vnni():
        return builder.call(_vnni(builder, word), [total, row, builder.bitcast(column, word)])
    wide = ir.VectorType(_WORD, column.type.count)
    products = builder.mul(
        builder.sext(builder.bitcast(row, column.type), wide), builder.sext(column, wide)
    )
    numbers = ir.VectorType(_WORD, word.count)
    for t in range(4):
        every_fourth = ir.Constant(numbers, [4 * j + t for j in range(word.count)])
        undefined = ir.Constant(wide, ir.Undefined)
        total = builder.add(total, builder.shuffle_vector(products, undefined, every_fourth))
    return total


def _vnni(builder: Any, word: Any) -> Any:
    # LLVM 22 takes bytes instead of words, and rewrites declarations of before.
    name = f"llvm.x86.avx512.vpdpbusd.{registers.vector_bits()}"
    kind = ir.FunctionType(word, [word] * 3)
    return cgutils.get_or_insert_function(builder.module, kind, name)


many_rows: Any = _tile(ROWS)
one_row: Any = _tile(1)
