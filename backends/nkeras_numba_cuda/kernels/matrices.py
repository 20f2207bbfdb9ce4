"""Plain matrices as operands of products on tensor cores."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.functions import inlined
from nkeras_numba_cuda.device.records import places
from nkeras_numba_cuda.device.tensor_cores import copy_4, copy_16, copy_all_16
from nkeras_numba_cuda.kernels.endings import widening
from nkeras_numba_cuda.kernels.fragments import Arithmetic
from nkeras_numba_cuda.kernels.tiles import Operand, Product, Tile, panel


class Sizes(NamedTuple):
    """The numbers that kernels for plain matrices read, first those of every product.

    Steps are distances of rows in memory (or of columns, where the inner axis comes first in them);
    batch steps those of matrices, 0 where there is one for all. `aligned` says that every row
    starts at a multiple of 16 bytes.
    """

    rows: int
    columns: int
    inner: int
    down: int
    across: int
    splits: int
    part: int
    bias: int
    addend: int
    activation: int
    left_step: int
    left_batch: int
    left_aligned: int
    right_step: int
    right_batch: int
    right_aligned: int


AT = places(Sizes)
assert Sizes._fields[: len(Product._fields)] == Product._fields


class Fields(NamedTuple):
    """Where the numbers of one operand stand in a record.

    Attributes:
        lines: how many rows or columns the matrix has.
        step: distance of its rows, or of its columns where the inner axis comes first in them.
        batch: distance of the matrices of a batch.
        aligned: whether lines start at a multiple of 16 bytes.
    """

    lines: int
    step: int
    batch: int
    aligned: int


_LEFT = Fields(AT.rows, AT.left_step, AT.left_batch, AT.left_aligned)
_RIGHT = Fields(AT.columns, AT.right_step, AT.right_batch, AT.right_aligned)

START, ROOM, STEP, TURN, ALIGNED = range(5)  # what a thread keeps
KEPT = 5
NONE = np.int32(0)


@functools.cache
def left_matrix(tile: Tile, arithmetic: Arithmetic, inner_first: bool) -> Operand:
    """The left matrix of a plain product; `inner_first` where it is row by row in memory."""
    return matrix(tile.rows, tile, arithmetic, inner_first, _LEFT)


@functools.cache
def right_matrix(tile: Tile, arithmetic: Arithmetic, inner_first: bool) -> Operand:
    """The right matrix; `inner_first` where it is column by column in memory."""
    return matrix(tile.columns, tile, arithmetic, inner_first, _RIGHT)


def matrix(
    size: int, tile: Tile, arithmetic: Arithmetic, inner_first: bool, fields: Fields
) -> Operand:
    """A matrix whose lines have one distance.

    Args:
        size: rows or columns of the tile.
        tile: what a block computes.
        arithmetic: what numbers are.
        inner_first: see `tiles`.
        fields: where its numbers stand in the kernel's record.
    """
    lines_at, step_at, batch_at, aligned_at = fields
    place = panel(size, tile.inner, inner_first, arithmetic)
    together = 16 // arithmetic.bytes  # numbers that one copy takes
    across = place.length // together  # copies that a row takes
    down = tile.threads // across  # rows that the block's threads copy at once
    turns = place.lines // down
    if place.lines % down or tile.threads % across:
        raise ValueError(f"{tile} has no place for its copies: {place.lines} rows, {down} at once")
    panel_step, bytes_ = place.step, arithmetic.bytes
    panel_lines, row_length = place.lines, place.length
    all_numbers = panel_lines * row_length
    copies_by_4, whole = bytes_ == 4, np.int32(together)
    widen = widening(arithmetic.dtype)

    @inlined
    def prepare(kept, g, batch, first, thread):
        step = g[step_at]
        kept[STEP] = step
        kept[TURN] = down * step
        kept[ALIGNED] = g[aligned_at]
        if inner_first:
            kept[START] = batch * g[batch_at] + first * step
            kept[ROOM] = g[lines_at] - first
        else:
            kept[START] = batch * g[batch_at] + first
            kept[ROOM] = g[lines_at] - first

    @inlined
    def copy(shared, at, array, kept, g, k, end, thread):
        room, length = np.int32(kept[ROOM]), np.int32(end - k)
        if inner_first:
            start, lines, line_length = kept[START] + k, room, length
        else:
            start, lines, line_length = kept[START] + k * kept[STEP], length, room
        if kept[ALIGNED] != 0:
            line = np.int32(thread // across)
            within = np.int32((thread - line * across) * together)
            if lines >= panel_lines and line_length >= row_length:
                here = start + line * kept[STEP] + within
                place = np.int32(at + line * panel_step + within)
                for turn in range(turns):
                    copy_all_16(shared, np.int32(place + turn * down * panel_step), array, here)
                    here += kept[TURN]
                return
            room = np.int32(line_length - within)
            present = np.int32(min(max(room, NONE), whole) * bytes_)
            left = np.int32(lines - line)
            here = start + line * kept[STEP] + within
            place = np.int32(at + line * panel_step + within)
            for turn in range(turns):
                count = present if np.int32(turn * down) < left else NONE
                copy_16(shared, np.int32(place + turn * down * panel_step), array, here, count)
                here += kept[TURN]
        else:
            number = thread
            while number < all_numbers:
                line = number // row_length
                within = number - line * row_length
                is_inside = line < lines and within < line_length
                here = start + line * kept[STEP] + within if is_inside else 0
                place = at + line * panel_step + within
                if copies_by_4:
                    copy_4(shared, place, array, here, np.int32(4 if is_inside else 0))
                else:
                    shared[place] = array[here] if is_inside else 0
                number += cuda.blockDim.x  # no constant, or the loop is written out

    @inlined
    def read(array, g, batch, line, k):
        if inner_first:
            return widen(array[batch * g[batch_at] + line * g[step_at] + k])
        return widen(array[batch * g[batch_at] + k * g[step_at] + line])

    return Operand(inner_first, KEPT, prepare, copy, read)
