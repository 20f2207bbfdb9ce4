"""The micro-kernel of all matrix products and convolutions: a tile of C in registers.

    C[i, j] = activation(sum over taps t and depth k of A[t, i, k] * B[t, k, j] + bias[j] + D[i, j])

The bias and D are optional; D lies as C does, `onto` bytes away from it, or is C itself.

A tile has `rows` rows i and up to `vectors` vectors of columns j. Each k takes one value of A from
each row, and `vectors` vectors of B. With 14 rows and 2 vectors these are 16 loads for 28
multiply-adds, and the sums take 28 of the 32 registers of AVX-512. All addresses and distances are
runtime numbers in bytes, so that one kernel serves A and transposed A, packed and unpacked B, and
rows of an image.

Compiled code calls it by its address, out of a table by number of rows, with a `Call`.
"""

from __future__ import annotations

import math
import threading
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from nkeras_numba_cpu.compile import native
from nkeras_numba_cpu.emit import registers, simd
from nkeras_numba_cpu.emit.registers import INT
from nkeras_numba_cpu.emit.simd import intrinsic

# Bits of `mode`: add what lies `onto` bytes from C; nothing below 0; nothing above 6; write around
# the caches, where C lies on whole lines of them.
ACCUMULATE, RELU, LIMIT, STREAM = 1, 2, 4, 8
ACTIVATIONS = {"linear": 0, "relu": RELU, "relu6": RELU | LIMIT}

# Rows and vectors of the largest tile: as many as leave registers for B and one value of A.
_LARGEST = {512: (14, 2), 256: (6, 2), 128: (8, 2)}
# Steps of the depth from the row of B that is used to the one that is fetched into the cache: rows
# of a B that is not packed lie on pages of their own, where no processor fetches ahead by itself.
_AHEAD = 12

# A result of so many bytes leaves the caches before somebody reads it.
_STREAMED_BYTES = 24 << 20


class Call(NamedTuple):
    """What a micro-kernel is called with; addresses and distances are in bytes."""

    taps: int
    a_tap: int
    b_tap: int
    depth: int
    a: int
    a_row: int
    a_step: int
    b: int
    b_step: int
    c: int
    c_row: int
    columns: int
    bias: int  # its address, or 0
    mode: int
    onto: int


def streaming(size: int) -> int:
    """STREAM for a result of `size` bytes that is written once, if it is large, else 0."""
    return STREAM if size >= _STREAMED_BYTES else 0


class MicroKernels:
    """The micro-kernels of one dtype and one number of vectors, compiled when they are needed.

    Attributes:
        rows: rows of the largest tile.
        columns: columns of a tile; the elements of its vectors.
    """

    def __init__(self, dtype: str, rows: int, vectors: int) -> None:
        self.dtype = dtype
        self.rows = rows
        self.vectors = vectors
        self.columns = vectors * registers.lane_count(dtype)
        self._table = np.zeros(rows + 1, np.int64)
        self._lock = threading.Lock()

    def table(self, *rows: int) -> np.ndarray:
        """The table of addresses; those for these numbers of rows are filled in."""
        for row in rows:
            if self._table[row] == 0 and row:
                with self._lock:
                    self._table[row] = _address(self.dtype, row, self.vectors)
        return self._table

    def for_rows(self, total: int) -> tuple[np.ndarray, int]:
        """The table for `total` rows in tiles of nearly equal size, and the number of tiles."""
        tiles = -(-total // self.rows)
        return self.table(total // tiles, -(-total // tiles)), tiles


@cache
def micro_kernels(dtype: Any, vectors: int = 0) -> MicroKernels:
    """The micro-kernels for a dtype, with the best number of vectors or a given one."""
    rows, best = _LARGEST[registers.vector_bits()]
    if vectors in (0, best):
        return MicroKernels(np.dtype(dtype).name, rows, best)
    # Other shapes of the tile have as many accumulators at most.
    return MicroKernels(np.dtype(dtype).name, max(1, min(rows, rows * best // vectors)), vectors)


def _address(dtype: str, rows: int, vectors: int) -> int:
    """Compile one micro-kernel, or load it from the disk."""

    def emit(context: Any, module: Any, symbol: str) -> None:
        kind = ir.FunctionType(ir.VoidType(), [INT] * len(Call._fields))
        function = ir.Function(module, kind, symbol)
        builder = ir.IRBuilder(function.append_basic_block())
        _Tile(builder, dtype, rows, vectors).emit(Call(*function.args))
        builder.ret_void()

    return native.address(f"micro {dtype} {rows}x{vectors}", emit)


@intrinsic
def limits(typingctx, x, mode):
    """What the activation of a mode lets through, as two vectors: the least and the largest."""
    vector = simd.Vector(x.dtype)
    result = types.UniTuple(vector, 2)

    def codegen(context, builder, signature, values):
        low, high = _emit_limits(builder, vector.llvm, values[1])
        return context.make_tuple(builder, signature.return_type, (low, high))

    return result(x, types.int64), codegen


def _emit_limits(builder: Any, vector: Any, mode: Any) -> tuple[Any, Any]:
    def chosen(bit: int, limit: float, other: float) -> Any:
        is_set = builder.icmp_signed("!=", builder.and_(mode, INT(bit)), INT(0))
        return builder.select(
            is_set, registers.constant(vector, limit), registers.constant(vector, other)
        )

    return chosen(RELU, 0.0, -math.inf), chosen(LIMIT, 6.0, math.inf)


class _Tile:
    """Emits the LLVM code. Accumulators are stack variables, which LLVM puts into registers."""

    def __init__(self, builder: Any, dtype: str, rows: int, vectors: int) -> None:
        self.builder = builder
        self.rows = rows
        self.vectors = vectors
        self.vector = registers.vector_type(dtype)
        self.bytes = registers.vector_bits() // 8
        zero = registers.constant(self.vector, 0.0)
        self.sums = [
            [cgutils.alloca_once_value(builder, zero) for _ in range(vectors)] for _ in range(rows)
        ]

    def emit(self, call: Any) -> None:
        """Sum the products, then the epilogue."""
        builder, count = self.builder, INT(self.rows)
        a, a_row, c, c_row, columns = call.a, call.a_row, call.c, call.c_row, call.columns
        a_tap_now = cgutils.alloca_once_value(builder, a)
        b_tap_now = cgutils.alloca_once_value(builder, call.b)
        a_now = cgutils.alloca_once(builder, INT)
        b_now = cgutils.alloca_once(builder, INT)
        row_offsets = [builder.mul(a_row, INT(i)) for i in range(self.rows)]
        rows = [builder.add(c, builder.mul(c_row, INT(i))) for i in range(self.rows)]
        streams = self._streams(c, c_row, columns, call.mode)
        with builder.if_then(builder.not_(streams)):
            for row in rows:  # while products are summed, the lines that will be written arrive
                for j in range(self.vectors):
                    registers.emit_prefetch(builder, self._at(row, j), write=True, level=1)
        # So do the next rows of A where they lie behind these: in each step as much as it reads.
        next_rows = cgutils.alloca_once_value(builder, builder.add(a, builder.mul(a_row, count)))
        size = INT(self.bytes // self.vector.count)
        follow = builder.icmp_signed("==", call.a_step, size)
        portion = builder.select(follow, builder.mul(size, count), INT(0))
        ahead = builder.mul(call.b_step, INT(_AHEAD))
        with cgutils.for_range(builder, call.taps, intp=INT):
            builder.store(builder.load(a_tap_now), a_now)
            builder.store(builder.load(b_tap_now), b_now)
            with cgutils.for_range(builder, call.depth, intp=INT):
                coming = builder.add(builder.load(b_now), ahead)
                for j in range(self.vectors):
                    registers.emit_prefetch(builder, self._at(coming, j), write=False, level=1)
                self._multiply(builder.load(a_now), row_offsets, builder.load(b_now))
                registers.emit_prefetch(builder, builder.load(next_rows), write=False, level=2)
                self._advance(next_rows, portion)
                self._advance(a_now, call.a_step)
                self._advance(b_now, call.b_step)
            self._advance(a_tap_now, call.a_tap)
            self._advance(b_tap_now, call.b_tap)
        self._epilogue(rows, columns, call.bias, call.mode, call.onto, streams)

    def _streams(self, c: Any, c_row: Any, columns: Any, mode: Any) -> Any:
        """Whether a tile is written around the caches: all of its vectors are whole lines."""
        builder = self.builder
        asked = builder.icmp_signed("!=", builder.and_(mode, INT(STREAM)), INT(0))
        beside = builder.and_(builder.or_(c, c_row), INT(self.bytes - 1))
        aligned = builder.icmp_signed("==", beside, INT(0))
        return builder.and_(builder.and_(asked, aligned), self._is_full(columns))

    def _is_full(self, columns: Any) -> Any:
        return self.builder.icmp_signed(">=", columns, INT(self.vectors * self.vector.count))

    def _advance(self, address: Any, step: Any) -> None:
        builder = self.builder
        builder.store(builder.add(builder.load(address), step), address)

    def _multiply(self, a: Any, row_offsets: list[Any], b: Any) -> None:
        builder = self.builder
        element = self.vector.element
        columns = [
            registers.emit_load(builder, self._at(b, j), self.vector) for j in range(self.vectors)
        ]
        for offset, sums in zip(row_offsets, self.sums, strict=True):
            pointer = builder.inttoptr(builder.add(a, offset), element.as_pointer())
            value = registers.emit_splat(builder, builder.load(pointer), self.vector)
            for column, total in zip(columns, sums, strict=True):
                builder.store(
                    registers.emit_fma(builder, value, column, builder.load(total)), total
                )

    def _at(self, address: Any, vector: int) -> Any:
        return self.builder.add(address, INT(vector * self.bytes))

    def _epilogue(
        self, rows: list[Any], columns: Any, bias: Any, mode: Any, onto: Any, streams: Any
    ) -> None:
        builder = self.builder
        lanes = self.vector.count
        masks = [
            registers.emit_mask(builder, builder.sub(columns, INT(j * lanes)), lanes)
            for j in range(self.vectors)
        ]
        places = [
            (self._at(row, j), j, total)
            for row, sums in zip(rows, self.sums, strict=True)
            for j, total in enumerate(sums)
        ]
        with builder.if_then(builder.icmp_signed("!=", bias, INT(0))):
            biases = [
                registers.emit_masked_load(builder, self._at(bias, j), masks[j], self.vector)
                for j in range(self.vectors)
            ]
            for _, j, total in places:
                builder.store(builder.fadd(builder.load(total), biases[j]), total)
        with self._if_bit(mode, ACCUMULATE):
            for place, j, total in places:
                there = builder.add(place, onto)
                old = registers.emit_masked_load(builder, there, masks[j], self.vector)
                builder.store(builder.fadd(old, builder.load(total)), total)
        with self._if_bit(mode, RELU):
            low, high = _emit_limits(builder, self.vector, mode)
            for _, _, total in places:
                value = registers.emit_clamped(builder, builder.load(total), low, high)
                builder.store(value, total)
        with builder.if_else(self._is_full(columns)) as (whole, part):
            with whole, builder.if_else(streams) as (around, through):
                for branch, emit in (
                    (around, registers.emit_stream),
                    (through, registers.emit_store),
                ):
                    with branch:
                        for place, _, total in places:
                            emit(builder, builder.load(total), place)
            with part:
                for place, j, total in places:
                    registers.emit_masked_store(builder, builder.load(total), place, masks[j])

    def _if_bit(self, mode: Any, bit: int) -> Any:
        builder = self.builder
        return builder.if_then(builder.icmp_signed("!=", builder.and_(mode, INT(bit)), INT(0)))
