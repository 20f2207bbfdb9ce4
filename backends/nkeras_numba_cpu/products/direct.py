"""Convolution on the micro-kernel, without im2col: x is read in place, tap by tap.

An output pixel's window is, for each of its rows, a run of x as long as a row of the window times
the channels. So a tile of neighbouring pixels is a matrix whose rows lie a pixel (times the stride)
apart, and a convolution is a sum of products of such matrices with the rows of the kernel. Where a
window reaches over the border, its task first copies its part of x into a padded scratch.
"""

from __future__ import annotations

import numpy as np

from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.compile.waiting import Missing
from nkeras_numba_cpu.emit.records import record, row
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
from nkeras_numba_cpu.products.micro_kernel import Call
from nkeras_numba_cpu.products.schedules import Packing, Schedule
from nkeras_numba_cpu.products.tables import Box, Panel, Panels, Phase, Run, Steps, Task, Tile


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
            x, kernel, bias, addend, y, phase.steps, phase.box,
            phase.tasks, phase.tiles, phase.panels, phase.runs,
        )  # fmt: skip
        if launcher is None:
            flat = [array.reshape(-1) for array in arguments[:5]]
            launcher = _correlate.compiled((*flat, *arguments[5:]))
            if not isinstance(launcher, Missing):
                _launchers[x.dtype] = launcher
        launch(launcher, len(phase.tasks), phase.work, arguments)


# One for contiguous arrays of all ranks, of whom it only takes the addresses.
_launchers: dict[np.dtype, Launcher] = {}


@preparation
def packed(kernel: np.ndarray, packing: Packing) -> np.ndarray:
    """The kernel in panels `(panel, tap, depth, columns)`, its last columns filled with zeros."""
    target = empty((packing.size,), kernel.dtype)
    if packing.transposes:
        of = Panels(*packing.panels)
        matrices = kernel.reshape(packing.taps.size, of.panels, of.columns, of.depth)[::-1]
        panels = target.reshape(of.panels, -1, of.depth, of.columns)
        copy(matrices.transpose(1, 0, 3, 2), panels)
    else:
        _pack(packing.tasks, packing.size, kernel, target, packing.taps, packing.panels)
    return target


@tasks
def _pack(task, kernel, target, taps, panels):
    of = record(Panels, panels)
    columns, depth, step = of.columns, of.depth, of.column_step
    lanes = lanes_of(kernel)
    first = task % of.panels * columns
    stored = min(columns, of.stored - first)
    start = task // of.panels * of.group_step + first * step
    for t in range(taps.size * depth):
        line = (task * taps.size * depth + t) * columns
        source = start + taps[t // depth] + t % depth * of.row_step
        if step == 1:
            for j in range(0, columns, lanes):
                store(target, line + j, load_first(kernel, source + j, stored - j))
        else:
            for j in range(columns):
                target[line + j] = kernel[source + j * step] if j < stored else 0


@inner
def elements(box):
    """How many elements a `Box` has."""
    return box.planes * box.rows * box.segments * box.pitch


@inner
def fill(scratch, x, box, window):
    """Copy a `Window` of x, and zeros for what lies outside of x, into a `Box`."""
    length, in_z, in_y = box.length, box.in_z, box.in_y
    lanes = lanes_of(x)
    zeros = splat(x, 0)
    for i in range(box.planes * box.rows):
        z, y = i // box.rows * box.rate_z, i % box.rows
        inside = 0 <= window.front + z < in_z and 0 <= window.top + y < in_y
        stop = window.stop if inside else 0
        source = window.start + (z * in_y + y) * box.in_row
        for s in range(box.segments):
            target = (i * box.segments + s) * box.pitch
            first = min(max(0, window.before - s * length), length)
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
def _correlate(task, x, kernel, bias, addend, y, steps, box, parts, tiles, panels, runs):
    of, copied, part = record(Steps, steps), record(Box, box), row(Task, parts, task)
    scratch = allocate(x.dtype, elements(copied))
    fill(scratch, x, copied, part.window)
    b = address_of(kernel, 0)
    c = address_of(y, 0) + part.c
    onto = address_of(addend, 0) - address_of(y, 0)
    for p in range(part.first_panel, part.end_panel):
        panel = row(Panel, panels, p)
        # Inside of the loop, for Numba frees an array after the last use it sees.
        a = address_of(scratch, 0) if copied.planes else address_of(x, part.window.start)
        for i in range(part.first_tile, part.end_tile):
            tile = row(Tile, tiles, i)
            for r in range(runs.shape[0]):
                run = row(Run, runs, r)
                call_address(
                    tile.kernel,
                    Call(
                        taps=of.taps,
                        a_tap=of.a_tap,
                        b_tap=of.b_tap,
                        depth=of.depth,
                        a=a + tile.a + panel.a + run.a,
                        a_row=of.a_row,
                        a_step=of.a_step,
                        b=b + panel.b + run.b,
                        b_step=of.b_step,
                        c=c + tile.c + panel.c,
                        c_row=of.c_row,
                        columns=panel.columns,
                        bias=(address_of(bias, 0) + panel.c) * run.bias,
                        mode=run.mode,
                        onto=onto * run.addend,
                    ),
                )
    release(scratch)
