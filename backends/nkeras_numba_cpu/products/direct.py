"""Convolution on the micro-kernel, without im2col: x is read in place, tap by tap.

An output pixel's window is, for each of its rows, a run of x as long as a row of the window times
the channels. So a tile of neighbouring pixels is a matrix whose rows lie a pixel (times the stride)
apart, and a convolution is a sum of products of such matrices with the rows of the kernel. Where a
window reaches over the border, its task first copies its part of x into a padded scratch.
"""

from __future__ import annotations

import numpy as np

from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit.simd import (
    address_of,
    lanes_of,
    load,
    load_first,
    splat,
    store,
    store_first,
)
from nkeras_numba_cpu.emit.views import allocate, release
from nkeras_numba_cpu.launch.tasks import Launcher, call_address, launch, tasks
from nkeras_numba_cpu.loops.copies import copy
from nkeras_numba_cpu.memory.allocation import empty
from nkeras_numba_cpu.memory.capture import preparation
from nkeras_numba_cpu.products.schedules import Packing, Phase, Schedule


def correlate(
    x: np.ndarray,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    addend: np.ndarray | None,
    schedule: Schedule,
    size: int,
) -> np.ndarray:
    """The `size` elements of a convolution, or of its gradient for x, flat.

    Args:
        x: the input, or the gradient of the output; contiguous.
        kernel: contiguous.
        bias: `(filters,)`, or None if the schedule is one without.
        addend: what is added to the result, of its shape; None if the schedule is one without.
        schedule: the schedule of the convolution.
        size: elements of the result.
    """
    if schedule.packing is not None:
        kernel = packed(kernel.reshape(-1), schedule.packing)
    y = empty((size,), x.dtype)
    bias = kernel if bias is None else bias
    addend = y if addend is None else addend
    run(schedule.phases, x, kernel, bias, addend, y)
    return y


def run(
    phases: list[Phase],
    x: np.ndarray,
    kernel: np.ndarray,
    bias: np.ndarray,
    addend: np.ndarray,
    y: np.ndarray,
) -> None:
    """Launch all phases. Without a bias or an addend any array stands for it."""
    launcher = _launchers.get(x.dtype)
    for phase in phases:
        arguments = (
            x, kernel, bias, addend, y, phase.sizes, phase.box,
            phase.tasks, phase.tiles, phase.panels, phase.runs,
        )  # fmt: skip
        if launcher is None:
            flat = [array.reshape(-1) for array in arguments[:5]]
            launcher = _launchers[x.dtype] = _correlate.compiled((*flat, *arguments[5:]))
        launch(launcher, len(phase.tasks), phase.work, arguments)


# One for contiguous arrays of all ranks, of whom it only takes the addresses.
_launchers: dict[np.dtype, Launcher] = {}


@preparation
def packed(kernel: np.ndarray, packing: Packing) -> np.ndarray:
    """The kernel in panels `(panel, tap, depth, columns)`, its last columns filled with zeros."""
    target = empty((packing.size,), kernel.dtype)
    if packing.transposes:
        panels, columns, depth, *_ = packing.sizes
        matrices = kernel.reshape(packing.taps.size, panels, columns, depth)[::-1]
        copy(matrices.transpose(1, 0, 3, 2), target.reshape(panels, -1, depth, columns))
    else:
        _pack(packing.panels, packing.size, kernel, target, packing.taps, packing.sizes)
    return target


@tasks
def _pack(task, kernel, target, taps, sizes):
    panels, columns, depth, stored, row_step, column_step, group = sizes
    lanes = lanes_of(kernel)
    first = task % panels * columns
    stored = min(columns, stored - first)
    start = task // panels * group + first * column_step
    for t in range(taps.size * depth):
        row = (task * taps.size * depth + t) * columns
        source = start + taps[t // depth] + t % depth * row_step
        if column_step == 1:
            for j in range(0, columns, lanes):
                store(target, row + j, load_first(kernel, source + j, stored - j))
        else:
            for j in range(columns):
                target[row + j] = kernel[source + j * column_step] if j < stored else 0


@inner
def fill(scratch, x, box, part):
    """Copy a part of x, and zeros for what lies outside of x; see `Box`."""
    planes, rows, rate_z, in_z, in_y, in_row, segments, length, pitch = box
    lanes = lanes_of(x)
    zeros = splat(x, 0)
    for i in range(planes * rows):
        z, y = i // rows * rate_z, i % rows
        stop = part[4] if 0 <= part[2] + z < in_z and 0 <= part[1] + y < in_y else 0
        source = part[0] + (z * in_y + y) * in_row
        for s in range(segments):
            target = (i * segments + s) * pitch
            first = min(max(0, part[3] - s * length), length)
            end = min(stop - s * length, length)
            for j in range(0, first, lanes):
                store_first(scratch, target + j, zeros, first - j)
            whole = first + max(0, end - first) // lanes * lanes
            for j in range(first, whole, lanes):
                store(scratch, target + j, load(x, source + j))
            for j in range(whole, length, lanes):
                values = load_first(x, source + j, end - j)
                store_first(scratch, target + j, values, length - j)
            source += length


@tasks
def _correlate(task, x, kernel, bias, addend, y, sizes, box, parts, tiles, panels, runs):
    taps, a_tap, b_tap, depth, a_row, a_step, b_step, c_row = sizes
    part = parts[task]
    scratch = allocate(x.dtype, box[0] * box[1] * box[6] * box[8])
    fill(scratch, x, box, part)
    b = address_of(kernel, 0)
    c = address_of(y, 0) + part[9]
    onto = address_of(addend, 0) - address_of(y, 0)
    for p in range(part[7], part[8]):
        panel = panels[p]
        # Inside of the loop, for Numba frees an array after the last use it sees.
        a = address_of(scratch, 0) if box[0] else address_of(x, part[0])
        for i in range(part[5], part[6]):
            tile = tiles[i]
            for r in range(runs.shape[0]):
                run = runs[r]
                call_address(
                    tile[0],
                    (
                        taps,
                        a_tap,
                        b_tap,
                        depth,
                        a + tile[1] + panel[0] + run[0],
                        a_row,
                        a_step,
                        b + panel[1] + run[1],
                        b_step,
                        c + tile[2] + panel[2],
                        c_row,
                        panel[3],
                        (address_of(bias, 0) + panel[2]) * run[3],
                        run[2],
                        onto * run[4],
                    ),
                )
    release(scratch)
