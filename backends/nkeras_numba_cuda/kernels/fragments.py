"""What a warp multiplies: parts of matrices from shared memory into registers, and their products.

The result's part of a warp is made of pieces of 16 x 8 numbers, of which each thread has four; a
step along the inner axis takes 8 numbers of float32 or 16 of 16 bits.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.functions import inlined
from nkeras_numba_cuda.device.tensor_cores import (
    bits_of,
    float_of,
    load_matrices,
    load_shared,
    load_transposed,
    multiply_bf16,
    multiply_f16,
    multiply_tf32,
)


class Arithmetic(NamedTuple):
    """How numbers are multiplied.

    Attributes:
        name: how they are called in names of kernels.
        dtype: what the numbers are.
        storage: dtype of the arrays that kernels see.
        products: products of tf32 for one of float32; 1 for 16 bits.
    """

    name: str
    dtype: str
    storage: Any
    products: int

    @property
    def bytes(self) -> int:
        """Bytes of a number in memory."""
        return np.dtype(self.storage).itemsize


FLOAT32 = Arithmetic("float32", "float32", np.float32, 3)
TENSORFLOAT32 = Arithmetic("tensorfloat32", "float32", np.float32, 1)
BFLOAT16 = Arithmetic("bfloat16", "bfloat16", np.uint16, 1)
FLOAT16 = Arithmetic("float16", "float16", np.uint16, 1)


class Multiply(NamedTuple):
    """Functions that are compiled into a kernel.

    Attributes:
        start_of_left: `(lane, row)`: where a thread reads the left panel, of a warp's first row.
        start_of_right: `(lane, column)`: the same for the right one.
        all: `(shared, left, right, sums)`: add the products of a whole step to the sums; `left` and
            `right` are those places in the stage.
    """

    start_of_left: Any
    start_of_right: Any
    all: Any


@functools.cache
def multiply_step(
    arithmetic: Arithmetic,
    warp: tuple[int, int],
    inner_first: tuple[bool, bool],
    steps: tuple[int, int],
    inner: int,
) -> Multiply:
    """How a warp multiplies.

    Args:
        arithmetic: how numbers are multiplied.
        warp: rows and columns of its part of the result.
        inner_first: for the left and the right matrix, whether rows of shared memory go along the
            inner axis.
        steps: distances of the rows in the two panels.
        inner: length of a step of the block.
    """
    make = _float32_piece if arithmetic.bytes == 4 else _half_piece
    piece = make(arithmetic, warp, inner_first, steps)
    depth = 8 if arithmetic.bytes == 4 else 16
    pieces = inner // depth
    if pieces not in (1, 2, 4):
        raise ValueError(f"a step is {depth}, {2 * depth} or {4 * depth} long, not {inner}")

    @inlined
    def multiply_all(shared, left, right, sums):
        # Written out: as a loop it stays one, and places in shared memory are computed in it.
        piece(shared, left, right, 0, sums)
        if pieces > 1:
            piece(shared, left, right, depth, sums)
        if pieces > 2:
            piece(shared, left, right, 2 * depth, sums)
            piece(shared, left, right, 3 * depth, sums)

    return Multiply(
        _start_of_left(arithmetic, inner_first[0], steps[0]),
        _start_of_right(arithmetic, inner_first[1], steps[1]),
        multiply_all,
    )


@functools.cache
def _start_of_left(arithmetic: Arithmetic, inner_first: bool, step: int) -> Any:
    is_wide = arithmetic.bytes == 4
    across = 4 if is_wide else 8  # numbers in a row of a matrix of `load_matrices`

    @inlined
    def start(lane, row):
        if inner_first:
            return (row + (lane & 15)) * step + across * (lane >> 4)
        if is_wide:
            return (lane & 3) * step + row + (lane >> 2)
        return ((lane & 7) + 8 * (lane >> 4)) * step + row + 8 * ((lane >> 3) & 1)

    return start


@functools.cache
def _start_of_right(arithmetic: Arithmetic, inner_first: bool, step: int) -> Any:
    is_wide = arithmetic.bytes == 4
    across = 4 if is_wide else 8

    @inlined
    def start(lane, column):
        if inner_first:
            line = column + (lane & 7) + 8 * (lane >> 4)
            return line * step + across * ((lane >> 3) & 1)
        if is_wide:
            return (lane & 3) * step + column + (lane >> 2)
        return (lane & 15) * step + column + 8 * (lane >> 4)

    return start


# `x + x * ROUNDING`, cut off to 11 bits, is x rounded: what is added is on average half of the last
# bit kept and always less than all of it, so that numbers of 11 bits stay what they are.
ROUNDING = np.float32(2**-11.53)
KEPT = np.uint32(0xFFFFE000)


@inlined
def _high_part(x):
    return bits_of(x + x * ROUNDING) & KEPT


@functools.cache
def _float32_piece(
    arithmetic: Arithmetic, warp: tuple[int, int], inner_first: tuple[bool, bool], steps: Any
) -> Any:
    down, across = warp[0] // 16, warp[1] // 16
    count, width = 4 * down, 2 * across
    left_inner, right_inner = inner_first
    left_step, right_step = steps
    is_exact = arithmetic.products == 3

    @inlined
    def piece(shared, left, right, k, sums):
        high = cuda.local.array(count, np.uint32)
        low = cuda.local.array(count, np.uint32)
        for i in range(down):
            if left_inner:
                four = load_matrices(shared, left + (i * 16 * left_step + k))
            else:
                at = left + (k * left_step + i * 16)
                four = (
                    bits_of(load_shared(shared, at)),
                    bits_of(load_shared(shared, at + 8)),
                    bits_of(load_shared(shared, at + 4 * left_step)),
                    bits_of(load_shared(shared, at + (4 * left_step + 8))),
                )
            for n in range(4):
                x = float_of(four[n])
                part = _high_part(x)
                high[4 * i + n] = part
                low[4 * i + n] = bits_of(x - float_of(part))
        for j in range(across):
            if right_inner:
                four = load_matrices(shared, right + (j * 16 * right_step + k))
            else:
                at = right + (k * right_step + j * 16)
                four = (
                    bits_of(load_shared(shared, at)),
                    bits_of(load_shared(shared, at + 4 * right_step)),
                    bits_of(load_shared(shared, at + 8)),
                    bits_of(load_shared(shared, at + (4 * right_step + 8))),
                )
            for n in range(2):
                y_0, y_1 = float_of(four[2 * n]), float_of(four[2 * n + 1])
                high_0, high_1 = _high_part(y_0), _high_part(y_1)
                right_high = (high_0, high_1)
                right_low = (bits_of(y_0 - float_of(high_0)), bits_of(y_1 - float_of(high_1)))
                for i in range(down):
                    at = 4 * (i * width + 2 * j + n)
                    place = 4 * i
                    left_high = (high[place], high[place + 1], high[place + 2], high[place + 3])
                    total = (sums[at], sums[at + 1], sums[at + 2], sums[at + 3])
                    if is_exact:
                        left_low = (low[place], low[place + 1], low[place + 2], low[place + 3])
                        total = multiply_tf32(left_low, right_high, total)
                        total = multiply_tf32(left_high, right_low, total)
                    total = multiply_tf32(left_high, right_high, total)
                    sums[at] = total[0]
                    sums[at + 1] = total[1]
                    sums[at + 2] = total[2]
                    sums[at + 3] = total[3]

    return piece


@functools.cache
def _half_piece(
    arithmetic: Arithmetic, warp: tuple[int, int], inner_first: tuple[bool, bool], steps: Any
) -> Any:
    down, across = warp[0] // 16, warp[1] // 16
    count, width = 4 * down, 2 * across
    left_inner, right_inner = inner_first
    left_step, right_step = steps
    multiply = multiply_bf16 if arithmetic.dtype == "bfloat16" else multiply_f16

    @inlined
    def piece(shared, left, right, k, sums):
        words = cuda.local.array(count, np.uint32)
        for i in range(down):
            if left_inner:
                four = load_matrices(shared, left + (i * 16 * left_step + k))
            else:
                four = load_transposed(shared, left + (k * left_step + i * 16))
            for n in range(4):
                words[4 * i + n] = four[n]
        for j in range(across):
            if right_inner:
                other = load_matrices(shared, right + (j * 16 * right_step + k))
            else:
                other = load_transposed(shared, right + (k * right_step + j * 16))
            for n in range(2):
                pair = (other[2 * n], other[2 * n + 1])
                for i in range(down):
                    at = 4 * (i * width + 2 * j + n)
                    place = 4 * i
                    block = (words[place], words[place + 1], words[place + 2], words[place + 3])
                    total = (sums[at], sums[at + 1], sums[at + 2], sums[at + 3])
                    total = multiply(block, pair, total)
                    sums[at] = total[0]
                    sums[at + 1] = total[1]
                    sums[at + 2] = total[2]
                    sums[at + 3] = total[3]

    return piece
