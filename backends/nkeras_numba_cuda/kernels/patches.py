"""Convolutions as products of matrices: patches of images, gathered where they are multiplied.

`y = patches @ kernel`: a row of patches is what the window of an output meets, tap by tap. The
gradient for the input is the same product of patches of the gradient, where some taps of a cell
meet no output because of strides. The gradient for the kernel is `transposed patches @ gradient`.

Both kinds of patches are one rule: tap k of cell p meets `(p * up + shift + k * tap) / down` of the
source, if that is a whole number inside. Forward `down` is 1; for the input's gradient `up` is 1
and `tap` negative. Groups are the batch of the products.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.functions import inlined
from nkeras_numba_cuda.device.intrinsics import udiv_32, umod_32
from nkeras_numba_cuda.device.records import places
from nkeras_numba_cuda.device.tensor_cores import copy_4, copy_16
from nkeras_numba_cuda.kernels.endings import widening
from nkeras_numba_cuda.kernels.fragments import Arithmetic
from nkeras_numba_cuda.kernels.matrices import Fields, matrix
from nkeras_numba_cuda.kernels.tiles import Operand, Panel, Product, Result, Tile, panel

LARGEST_WINDOW = 20
"""Taps of a dimension for which a thread has bits; larger windows are served by plain kernels."""
BITS = LARGEST_WINDOW + 1
FAR = -(2**40)
"""A place outside of any image."""


class Sizes(NamedTuple):
    """The numbers that these kernels read, first those of every product.

    `inverse` and `digits` of a divisor make divisions products, see `inverse_of`.
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
    row_step: int
    batch_step: int
    right_step: int  # distances in the right operand: of lines, of groups, of taps
    right_batch: int
    right_tap: int
    right_aligned: int
    size_0: int  # of the source
    size_1: int
    size_2: int
    up_0: int
    up_1: int
    up_2: int
    shift_0: int
    shift_1: int
    shift_2: int
    tap_0: int
    tap_1: int
    tap_2: int
    down_0: int
    down_1: int
    down_2: int
    window_0: int
    window_1: int
    window_2: int
    count_0: int  # of the cells that have patches
    count_1: int
    count_2: int
    channels: int  # of the source, all groups together
    depth: int  # channels of a group
    left_aligned: int  # whether the channels of a cell can be copied 16 bytes at a time
    inverse_count_0: int
    digits_count_0: int
    inverse_count_1: int
    digits_count_1: int
    inverse_count_2: int
    digits_count_2: int
    inverse_window_1: int
    digits_window_1: int
    inverse_window_2: int
    digits_window_2: int
    inverse_depth: int
    digits_depth: int


AT = places(Sizes)
assert Sizes._fields[: len(Product._fields)] == Product._fields


def inverse_of(divisor: int) -> tuple[int, int]:
    """`(inverse, digits)`: `x // divisor` is `(x * inverse) >> digits` for x from 0 to 2**31.

    Example:
        >>> inverse, digits = inverse_of(7)
        >>> (1_000_000 * inverse) >> digits
        142857

    Source: https://doi.org/10.1145/178243.178249 (division by invariant integers).
    """
    digits = 31 + (divisor - 1).bit_length()
    return -(-(1 << digits) // divisor), digits


@inlined
def cell_of(g, line):
    """The cell that a line of patches belongs to: `(n, p_0, p_1, p_2)`."""
    rest = (line * g[AT.inverse_count_2]) >> g[AT.digits_count_2]
    p_2 = line - rest * g[AT.count_2]
    above = (rest * g[AT.inverse_count_1]) >> g[AT.digits_count_1]
    p_1 = rest - above * g[AT.count_1]
    n = (above * g[AT.inverse_count_0]) >> g[AT.digits_count_0]
    return n, above - n * g[AT.count_0], p_1, p_2


@inlined
def tap_of(g, tap):
    """The place of a tap in the window: `(k_0, k_1, k_2)`."""
    rest = (tap * g[AT.inverse_window_2]) >> g[AT.digits_window_2]
    k_2 = tap - rest * g[AT.window_2]
    k_0 = (rest * g[AT.inverse_window_1]) >> g[AT.digits_window_1]
    return k_0, rest - k_0 * g[AT.window_1], k_2


@inlined
def met(place, down, size):
    """The cell of the source at `place / down`, -1 if there is none."""
    if place < 0:
        return -1
    if down != 1:
        whole = udiv_32(place, down)
        if whole * down != place:
            return -1
        place = whole
    return place if place < size else -1


@inlined
def source_cell(g, line, tap):
    """Which cell of the source a tap of a line meets, -1 if it meets none."""
    n, p_0, p_1, p_2 = cell_of(g, line)
    k_0, k_1, k_2 = tap_of(g, tap)
    i_0 = met(p_0 * g[AT.up_0] + g[AT.shift_0] + k_0 * g[AT.tap_0], g[AT.down_0], g[AT.size_0])
    i_1 = met(p_1 * g[AT.up_1] + g[AT.shift_1] + k_1 * g[AT.tap_1], g[AT.down_1], g[AT.size_1])
    i_2 = met(p_2 * g[AT.up_2] + g[AT.shift_2] + k_2 * g[AT.tap_2], g[AT.down_2], g[AT.size_2])
    if i_0 < 0 or i_1 < 0 or i_2 < 0:
        return -1
    return ((n * g[AT.size_0] + i_0) * g[AT.size_1] + i_1) * g[AT.size_2] + i_2


@inlined
def element_of(g, batch, line, k):
    """Where a number of patches stands in the source, -1 if it is a zero."""
    tap = (k * g[AT.inverse_depth]) >> g[AT.digits_depth]
    cell = source_cell(g, line, tap)
    return (
        cell * g[AT.channels] + batch * g[AT.depth] + (k - tap * g[AT.depth]) if cell >= 0 else -1
    )


@inlined
def reach(first, step, down, size, window):
    """The taps of one dimension that meet the source, as bits; `first` is the place of tap 0."""
    bits = 0
    for k in range(window):
        if met(first + k * step, down, size) >= 0:
            bits |= 1 << k
    return bits


@inlined
def floored(place, down):
    """`place // down`; with a `down` that is not 1 places are not negative."""
    return place if down == 1 else udiv_32(place, down)


@inlined
def moved(k, step, down):
    """How many cells of the source tap k lies behind the cell that `floored` gives."""
    return k * step if down == 1 else -udiv_32(-k * step, down)


class Layout(NamedTuple):
    """How the threads of a block share the copies of 16 bytes that fill a panel.

    Attributes:
        across: copies that a line takes.
        down: lines that are copied at once.
        turns: copies of a thread.
        together: numbers in a copy.
    """

    across: int
    down: int
    turns: int
    together: int


@functools.cache
def layout(place: Panel, tile: Tile, arithmetic: Arithmetic) -> Layout:
    """How a panel is copied.

    Raises:
        ValueError: the panel cannot be shared out evenly.
    """
    together = 16 // arithmetic.bytes
    across = place.length // together
    down = tile.threads // across
    if tile.threads % across or place.lines % down:
        raise ValueError(f"{tile} has no place for its copies: {place.lines} lines, {down} at once")
    return Layout(across, down, place.lines // down, together)


@functools.cache
def one_by_one(place: Panel, arithmetic: Arithmetic, find: Any) -> Any:
    """The function that fills a panel where neighbours cannot be copied together.

    It is called `(shared, at, array, g, batch, first, k, end, thread)`.

    Args:
        place: the panel.
        arithmetic: what numbers are.
        find: `(g, batch, first, k, end, line, within)`: where the number of a place of the panel
            stands in the array, -1 for a zero.
    """
    panel_step, row_length, numbers = place.step, place.length, place.lines * place.length
    copies_by_4 = arithmetic.bytes == 4

    @inlined
    def copy(shared, at, array, g, batch, first, k, end, thread):
        number = np.int64(thread)
        while number < numbers:
            line = udiv_32(number, row_length)
            within = number - line * row_length
            here = find(g, batch, first, k, end, line, within)
            place = at + line * panel_step + within
            if copies_by_4:
                copy_4(shared, place, array, max(here, 0), np.int32(4 if here >= 0 else 0))
            else:
                shared[place] = array[here] if here >= 0 else 0
            number += cuda.blockDim.x  # no constant, or the loop is written out

    return copy


@functools.cache
def patches(tile: Tile, arithmetic: Arithmetic) -> Operand:
    """Patches as left matrix: a line for each cell, the channels of a tap beside each other.

    A thread keeps for each of its lines where the cell lies in the source, and which taps of each
    dimension meet it as bits, so that a copy costs an addition and a comparison.
    """
    place = panel(tile.rows, tile.inner, True, arithmetic)
    across, down, turns, together = layout(place, tile, arithmetic)
    if turns > 4:
        raise ValueError(f"{tile} has too few threads: {turns} copies each")
    panel_step, bits_1, bits_2 = place.step, BITS, 2 * BITS
    widen = widening(arithmetic.dtype)

    @inlined
    def find(g, batch, first, k, end, line, within):
        if first + line >= g[AT.rows] or k + within >= end:
            return -1
        return element_of(g, batch, first + line, k + within)

    copy_numbers = one_by_one(place, arithmetic, find)

    @inlined
    def prepare_line(kept, g, batch, line, turn):
        kept[2 * turn] = 0
        kept[2 * turn + 1] = 0
        if line < g[AT.rows]:
            n, p_0, p_1, p_2 = cell_of(g, line)
            t_0 = p_0 * g[AT.up_0] + g[AT.shift_0]
            t_1 = p_1 * g[AT.up_1] + g[AT.shift_1]
            t_2 = p_2 * g[AT.up_2] + g[AT.shift_2]
            cell = n * g[AT.size_0] + floored(t_0, g[AT.down_0])
            cell = cell * g[AT.size_1] + floored(t_1, g[AT.down_1])
            cell = cell * g[AT.size_2] + floored(t_2, g[AT.down_2])
            bits = reach(t_0, g[AT.tap_0], g[AT.down_0], g[AT.size_0], g[AT.window_0])
            bits |= reach(t_1, g[AT.tap_1], g[AT.down_1], g[AT.size_1], g[AT.window_1]) << bits_1
            bits |= reach(t_2, g[AT.tap_2], g[AT.down_2], g[AT.size_2], g[AT.window_2]) << bits_2
            kept[2 * turn] = cell * g[AT.channels] + batch * g[AT.depth]
            kept[2 * turn + 1] = bits

    @inlined
    def prepare(kept, g, batch, first, thread):
        if g[AT.left_aligned] == 0:
            kept[0], kept[1] = batch, first
            return
        line = first + udiv_32(thread, across)
        # Written out: what a loop keeps would stand in memory.
        prepare_line(kept, g, batch, line, 0)
        if turns > 1:
            prepare_line(kept, g, batch, line + down, 1)
        if turns > 2:
            prepare_line(kept, g, batch, line + 2 * down, 2)
        if turns > 3:
            prepare_line(kept, g, batch, line + 3 * down, 3)

    @inlined
    def copy(shared, at, array, kept, g, k, end, thread):
        if g[AT.left_aligned] == 0:
            copy_numbers(shared, at, array, g, kept[0], kept[1], k, end, thread)
            return
        line = udiv_32(thread, across)
        within = (thread - line * across) * together
        inner = k + within
        tap = (inner * g[AT.inverse_depth]) >> g[AT.digits_depth]
        k_0, k_1, k_2 = tap_of(g, tap)
        cell = moved(k_0, g[AT.tap_0], g[AT.down_0])
        cell = cell * g[AT.size_1] + moved(k_1, g[AT.tap_1], g[AT.down_1])
        cell = cell * g[AT.size_2] + moved(k_2, g[AT.tap_2], g[AT.down_2])
        offset = cell * g[AT.channels] + (inner - tap * g[AT.depth])
        wanted = (1 << k_0) | (1 << (bits_1 + k_1)) | (1 << (bits_2 + k_2))
        place = at + line * panel_step + within
        for turn in range(turns):
            is_inside = inner < end and kept[2 * turn + 1] & wanted == wanted
            here = kept[2 * turn] + offset if is_inside else 0
            count = np.int32(16 if is_inside else 0)
            copy_16(shared, place + turn * down * panel_step, array, here, count)

    @inlined
    def read(array, g, batch, line, k):
        here = element_of(g, batch, line, k)
        return widen(array[here]) if here >= 0 else np.float32(0)

    return Operand(True, max(2 * turns, 2), prepare, copy, read)


@functools.cache
def transposed_patches(tile: Tile, arithmetic: Arithmetic) -> Operand:
    """Patches as left matrix with a row for each tap and channel; the cells are the inner axis.

    All copies of a thread are of one tap; the cells it has to find anew.
    """
    place = panel(tile.rows, tile.inner, False, arithmetic)
    across, down, turns, together = layout(place, tile, arithmetic)
    panel_step = place.step
    widen = widening(arithmetic.dtype)

    @inlined
    def find(g, batch, first, k, end, line, within):
        if first + within >= g[AT.rows] or k + line >= end:
            return -1
        return element_of(g, batch, k + line, first + within)

    copy_numbers = one_by_one(place, arithmetic, find)

    @inlined
    def prepare(kept, g, batch, first, thread):
        if g[AT.left_aligned] == 0:
            kept[0], kept[1] = batch, first
            return
        row = first + umod_32(thread, across) * together
        tap = (row * g[AT.inverse_depth]) >> g[AT.digits_depth]
        k_0, k_1, k_2 = tap_of(g, tap)
        kept[0] = row - tap * g[AT.depth] + batch * g[AT.depth]
        kept[1] = g[AT.shift_0] + k_0 * g[AT.tap_0] if row < g[AT.rows] else FAR
        kept[2] = g[AT.shift_1] + k_1 * g[AT.tap_1]
        kept[3] = g[AT.shift_2] + k_2 * g[AT.tap_2]

    @inlined
    def copy(shared, at, array, kept, g, k, end, thread):
        if g[AT.left_aligned] == 0:
            copy_numbers(shared, at, array, g, kept[0], kept[1], k, end, thread)
            return
        line = udiv_32(thread, across)
        within = (thread - line * across) * together
        place = at + line * panel_step + within
        for turn in range(turns):
            cell = k + line + turn * down
            n, p_0, p_1, p_2 = cell_of(g, cell)
            i_0 = p_0 * g[AT.up_0] + kept[1]
            i_1 = p_1 * g[AT.up_1] + kept[2]
            i_2 = p_2 * g[AT.up_2] + kept[3]
            is_inside = cell < end and i_0 >= 0 and i_0 < g[AT.size_0]
            is_inside = is_inside and i_1 >= 0 and i_1 < g[AT.size_1]
            is_inside = is_inside and i_2 >= 0 and i_2 < g[AT.size_2]
            source = ((n * g[AT.size_0] + i_0) * g[AT.size_1] + i_1) * g[AT.size_2] + i_2
            here = source * g[AT.channels] + kept[0] if is_inside else 0
            count = np.int32(16 if is_inside else 0)
            copy_16(shared, place + turn * down * panel_step, array, here, count)

    @inlined
    def read(array, g, batch, row, k):
        here = element_of(g, batch, k, row)
        return widen(array[here]) if here >= 0 else np.float32(0)

    return Operand(False, 4, prepare, copy, read)


@functools.cache
def kernel_of_taps(tile: Tile, arithmetic: Arithmetic) -> Operand:
    """The kernel as right matrix for the input's gradient: a column for each channel.

    It lies `(taps, channels, filters)`, and the inner axis is taps and filters: read in place.
    """
    place = panel(tile.columns, tile.inner, True, arithmetic)
    across, down, turns, together = layout(place, tile, arithmetic)
    panel_step = place.step
    widen = widening(arithmetic.dtype)

    @inlined
    def element(g, batch, column, k):
        tap = (k * g[AT.inverse_depth]) >> g[AT.digits_depth]
        at_tap = tap * g[AT.right_tap] + (k - tap * g[AT.depth])
        return at_tap + column * g[AT.right_step] + batch * g[AT.right_batch]

    @inlined
    def find(g, batch, first, k, end, line, within):
        if first + line >= g[AT.columns] or k + within >= end:
            return -1
        return element(g, batch, first + line, k + within)

    copy_numbers = one_by_one(place, arithmetic, find)

    @inlined
    def prepare(kept, g, batch, first, thread):
        kept[0], kept[1] = batch, first

    @inlined
    def copy(shared, at, array, kept, g, k, end, thread):
        if g[AT.right_aligned] == 0:
            copy_numbers(shared, at, array, g, kept[0], kept[1], k, end, thread)
            return
        line = udiv_32(thread, across)
        within = (thread - line * across) * together
        here = element(g, kept[0], kept[1] + line, k + within)
        left = g[AT.columns] - kept[1] - line if k + within < end else 0
        place = at + line * panel_step + within
        for turn in range(turns):
            is_inside = turn * down < left
            start = here + turn * down * g[AT.right_step] if is_inside else 0
            count = np.int32(16 if is_inside else 0)
            copy_16(shared, place + turn * down * panel_step, array, start, count)

    @inlined
    def read(array, g, batch, column, k):
        return widen(array[element(g, batch, column, k)])

    return Operand(True, 2, prepare, copy, read)


@functools.cache
def lines_of_filters(tile: Tile, arithmetic: Arithmetic) -> Operand:
    """The kernel, or the gradient of the output, as right matrix: a column for each filter."""
    fields = Fields(AT.columns, AT.right_step, AT.right_batch, AT.right_aligned)
    return matrix(tile.columns, tile, arithmetic, False, fields)


@inlined
def _place(g, batch, row, column):
    return batch * g[AT.batch_step] + row * g[AT.row_step] + column


@inlined
def _place_of_bias(g, batch, column):
    return batch * g[AT.batch_step] + column


@inlined
def _in_fours(g):
    return (g[AT.columns] | g[AT.row_step] | g[AT.batch_step]) & 3 == 0


BY_GROUPS = Result(_place, _place_of_bias, _in_fours)
"""The columns of a group behind those of the group before, in each row."""
