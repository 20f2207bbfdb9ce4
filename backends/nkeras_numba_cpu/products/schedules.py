"""Schedules of convolutions on the micro-kernel: tables of tasks, tiles, panels and runs.

The compiled kernels only add up what stands in these tables, for Numba compiles a kernel the faster
the less it does. The tables are made once for each combination of shapes.
"""

from __future__ import annotations

import itertools
import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from nkeras_numba_cpu.emit.records import numbers, table
from nkeras_numba_cpu.products.geometry import (
    Axis,
    Shapes,
    backward_axes,
    blocks_of,
    forward_axes,
    halves,
    lift_sizes,
    tile_rows,
    tiles_of,
    vectors_for,
)
from nkeras_numba_cpu.products.micro_kernel import ACCUMULATE, micro_kernels, streaming
from nkeras_numba_cpu.products.tables import (
    NO_BOX,
    Box,
    Panel,
    Panels,
    Phase,
    Places,
    Run,
    Steps,
    Task,
    Tile,
    places_of,
    x_window,
)

# About how many multiplications make one task, and how many tasks large work is cut into.
_LEAST, _MANY = 200_000, 32
_BLOCK = 1 << 15  # elements of a row of x in a task: several rows stay in the second-level cache
_FEW_PIXELS = 64  # that packing the kernel for them takes long
_PANEL = 1 << 16  # elements of a panel of the kernel that is large beside the second-level cache


class Packing(NamedTuple):
    """How the kernel is laid out in panels."""

    tasks: int
    taps: np.ndarray  # where their matrices begin
    panels: tuple[int, ...]  # Panels
    size: int
    transposes: bool  # all taps in reverse, whole panels: a copy of the transposed kernel


class Schedule(NamedTuple):
    """What a convolution launches."""

    phases: list[Phase]
    packing: Packing | None  # None where the kernel is read in place


def packing(shapes: Shapes, backward: bool, columns: int, taps: list[int]) -> Packing:
    """The panels of a kernel, or of the kernel with channels and filters swapped.

    Args:
        shapes: shapes of the convolution.
        backward: whether it is for the gradient for x.
        columns: of a panel.
        taps: where the matrices of the taps begin in the kernel, in the order wanted.
    """
    groups, filters = shapes.groups, shapes.kernel[-1]
    depth, stored = shapes.x[-1] // groups, filters // groups
    row_step, column_step = filters, 1
    if backward:
        depth, stored, row_step, column_step = stored, depth, 1, filters
    count = -(-stored // columns)
    panels = Panels(
        panels=count,
        columns=columns,
        depth=depth,
        stored=stored,
        row_step=row_step,
        column_step=column_step,
        group_step=filters // groups,
    )
    size = count * groups * len(taps) * depth * columns
    reverse = list(range((len(taps) - 1) * depth * stored, -1, -depth * stored))
    whole = size == math.prod(shapes.kernel) and taps == reverse
    transposes = backward and groups == 1 and whole
    offsets = np.array(taps, np.int64)
    return Packing(count * groups, offsets, numbers(panels), size, transposes)


@lru_cache(maxsize=512)
def convolution_schedule(
    shapes: Shapes, dtype: str, backward: bool, bias: bool, mode: int, is_fixed: bool = False
) -> Schedule:
    """The schedule of a convolution, or of its gradient for x, on the micro-kernel.

    Args:
        shapes: shapes of the convolution.
        dtype: that of the arithmetic.
        backward: whether it is for the gradient for x.
        bias: whether a bias is added.
        mode: bits of `micro_kernel`: the activation, and ACCUMULATE where something else is added.
        is_fixed: whether the kernel stays the same, and its packing is for nothing.
    """
    return _Scheduler(shapes, dtype, backward, bias, mode, is_fixed).schedule()


class _Scheduler:
    def __init__(
        self, shapes: Shapes, dtype: str, backward: bool, bias: bool, mode: int, is_fixed: bool
    ) -> None:
        self.shapes, self.backward, self.bias, self.mode = shapes, backward, bias, mode
        self.is_fixed = is_fixed
        self.size = np.dtype(dtype).itemsize
        self.groups = shapes.groups
        self.channels, self.filters = shapes.x[-1], shapes.kernel[-1]
        self.result = lift_sizes(shapes.spatial)
        self.axes = forward_axes(shapes)
        if backward:
            self.channels, self.filters = self.filters, self.channels
            self.result = lift_sizes(shapes.x[1:-1])
            self.axes = backward_axes(shapes)
        self.batch = shapes.x[0]
        self.depth = self.channels // self.groups
        columns = self.filters // self.groups
        self._set_panels(dtype, columns, vectors_for(columns, dtype))
        if len(self.axes) == 1 and all(axis.is_identity for axis in self.axes[0]):
            self._flatten()
            # Few pixels are shared out by panels: with an odd number of them one of two threads
            # waits. Tiles of one vector are as fast where they have many rows.
            is_tall = self.kernels.rows <= self.result[2] < _FEW_PIXELS
            if is_tall and self.panels in (3, 5, 7):
                self._set_panels(dtype, columns, 1)

    def _set_panels(self, dtype: str, columns: int, vectors: int) -> None:
        self.kernels = micro_kernels(dtype, vectors)
        self.columns = self.kernels.columns
        self.panels = -(-columns // self.columns)

    def _flatten(self) -> None:
        """With windows of one pixel, all pixels of the batch are one row."""
        pixels = self.batch * math.prod(self.result)
        counts = (1, 1, pixels)
        self.axes = [
            tuple(
                axis._replace(size=count, extent=count, first=0, step=1)
                for axis, count in zip(self.axes[0], counts, strict=True)
            )
        ]
        self.batch, self.result = 1, counts

    def schedule(self) -> Schedule:
        taps = sum(math.prod(len(axis.taps) for axis in axes) for axes in self.axes)
        # Rows of x that lie a large power of two apart meet in few places of the cache.
        self.spread = self.channels * self.size % 2048 == 0
        self.merged = self.groups == 1 and not self.spread
        self.merged &= all(axes[2].rate == 1 or len(axes[2].taps) <= 1 for axes in self.axes)
        pixels = self.batch * math.prod(self.result)
        in_place = not self.backward and self.groups == 1 and self.filters % self.columns == 0
        few = pixels < _FEW_PIXELS and not self.is_fixed
        in_place &= few or self.filters == self.columns
        in_place &= self.merged or len(self.axes[0][2].taps) == 1
        if in_place:
            self.b_step, self.b_panel, self.b_group = self.filters, self.columns, 0
        else:
            self.b_step, self.b_panel = self.columns, taps * self.depth * self.columns
            self.b_group = self.b_panel * self.panels
        offsets: list[int] = []
        phases = []
        for axes in self.axes:
            phases.append(self._phase(axes, len(offsets)))
            offsets += self._tap_offsets(axes)
        return Schedule(
            phases, None if in_place else packing(self.shapes, self.backward, self.columns, offsets)
        )

    def _tap_offsets(self, axes: tuple[Axis, ...]) -> list[int]:
        """Where the matrices of a phase's taps begin in the kernel, in the order they are met."""
        _, window_y, window_x = lift_sizes(self.shapes.kernel[:-2])
        matrix = math.prod(self.shapes.kernel[-2:])
        z, y, x = (axis.taps for axis in axes)
        if self.merged:
            places = list(itertools.product(z, y, x))
        else:
            places = [(i, j, k) for i in z for k in x for j in y]
        return [((i * window_y + j) * window_x + k) * matrix for i, j, k in places]

    def _phase(self, axes: tuple[Axis, ...], first_tap: int) -> Phase:
        z, y, x = axes
        taps_z, taps_y, taps_x = (len(axis.taps) for axis in axes)
        runs = 1 if self.merged else taps_x
        depth = self.depth * (taps_x if self.merged else 1)
        rows, columns, panel_parts = self._blocks(axes)
        box = self._box(axes, rows[0][1], columns[0][1])
        size, channels = self.size, self.channels
        pixel = box.pitch if self.spread and box.planes else channels
        pitch = box.segments * box.pitch if box.planes else x.size * channels
        plane = box.rows * pitch if box.planes else z.rate * y.size * pitch
        places = places_of(axes, self.result, self.filters)
        steps = Steps(
            taps=taps_y if taps_z * runs else 0,
            a_tap=y.rate * pitch * size,
            b_tap=depth * self.b_step * size,
            depth=depth,
            a_row=x.stride * pixel * size,
            a_step=size,
            b_step=self.b_step * size,
            c_row=places.pixel * size,
        )
        tiles, ranges = self._tiles(rows, columns, x, y.stride * pitch, x.stride * pixel, places)
        tasks = self._tasks(axes, rows, columns, panel_parts, ranges, places)
        work = 2 * self.batch * math.prod(axis.extent for axis in axes) * self.filters * depth
        return Phase(
            numbers(steps),
            numbers(box),
            tasks,
            tiles,
            self._panel_table(first_tap),
            self._run_table(taps_z, runs, taps_y * depth, plane, x.rate * pixel),
            work * max(1, taps_z * taps_y * runs),
        )

    def _blocks(self, axes: tuple[Axis, ...]) -> tuple[list, list, list]:
        """The blocks of rows, columns and panels, each as (first, count)."""
        z, y, x = axes
        largest = self.kernels.rows
        depth = max(1, math.prod(len(axis.taps) for axis in axes)) * self.depth
        most = max(2, _BLOCK // (self.channels * x.stride) // largest) * largest
        planes = self.batch * z.extent
        panels = self.panels * self.groups
        if depth * self.columns > _PANEL:
            rows = blocks_of(y.extent, max(1, min(y.extent, _BLOCK // (x.size * self.channels))))
            return rows, blocks_of(x.extent, min(x.extent, most)), blocks_of(panels, 1)
        row_work = x.extent * depth * self.filters
        wanted = max(1, min(_MANY, planes * y.extent * row_work // _LEAST))
        rows = blocks_of(y.extent, halves(y.extent, -(-wanted // planes)), even=True)
        # Blocks of a few tiles at least, of which each panel of the kernel serves all.
        left = -(-wanted // (planes * len(rows)))
        parts = max(-(-x.extent // most), min(left, x.extent // (4 * largest)))
        columns = blocks_of(x.extent, halves(x.extent, parts), even=True)
        left = wanted // (planes * len(rows) * len(columns))
        return rows, columns, blocks_of(panels, halves(panels, left))

    def _box(self, axes: tuple[Axis, ...], rows: int, columns: int) -> Box:
        z, y, x = axes
        if not self.spread and not any(axis.padded for axis in axes):
            return NO_BOX
        width = x.reach(columns)
        channels = self.channels
        parts = (width, channels, channels + 64 // self.size)
        if not self.spread:
            parts = (1, width * channels, width * channels)
        return Box(len(z.taps), y.reach(rows), z.rate, z.size, y.size, x.size * channels, *parts)

    def _tiles(
        self, rows: list, columns: list, x: Axis, a_row: int, a_pixel: int, places: Places
    ) -> tuple[np.ndarray, dict[tuple[int, int], tuple[int, int]]]:
        """The tiles of blocks of each size, and where those of a size begin and end."""
        largest = self.kernels.rows
        made: list[Tile] = []
        ranges = {}
        most = largest if len(columns) > 1 else tile_rows(x.extent, largest)
        sizes = {(height, width) for _, height in rows for _, width in columns}
        for height, width in sorted(sizes):
            first = len(made)
            tiles = tiles_of(width, most)
            addresses = self.kernels.table(*{count for _, count in tiles})
            for r in range(height):
                made += [
                    Tile(
                        kernel=int(addresses[count]),
                        a=(r * a_row + i * a_pixel) * self.size,
                        c=(r * places.row + i * places.pixel) * self.size,
                    )
                    for i, count in tiles
                ]
            ranges[height, width] = first, len(made)
        return table(Tile, made), ranges

    def _tasks(
        self,
        axes: tuple[Axis, ...],
        rows: list,
        columns: list,
        panels: list,
        ranges: dict[tuple[int, int], tuple[int, int]],
        places: Places,
    ) -> np.ndarray:
        tasks = []
        channels, z = self.channels, axes[0]
        for n, i in itertools.product(range(self.batch), range(z.extent)):
            front = i * z.stride - z.low
            for (top, height), (left, width) in itertools.product(rows, columns):
                window = x_window(axes, n, front, top, left, width, channels)
                first_tile, end_tile = ranges[height, width]
                tasks += [
                    Task(
                        window=window,
                        first_tile=first_tile,
                        end_tile=end_tile,
                        first_panel=panel,
                        end_panel=panel + count,
                        c=places.at(n, i, top, left) * self.size,
                    )
                    for panel, count in panels
                ]
        if panels[0][1] == 1:  # a panel that is large stays in the cache from task to task
            tasks.sort(key=lambda task: task.first_panel)
        return table(Task, tasks)

    def _panel_table(self, first_tap: int) -> np.ndarray:
        columns = self.filters // self.groups
        panels = []
        for group, j in itertools.product(range(self.groups), range(self.panels)):
            b = group * self.b_group + j * self.b_panel + first_tap * self.depth * self.columns
            first = group * columns + j * self.columns
            panels.append(
                Panel(
                    a=group * self.depth * self.size,
                    b=b * self.size,
                    c=first * self.size,
                    columns=min(columns - j * self.columns, self.columns),
                )
            )
        return table(Panel, panels)

    def _run_table(self, taps_z: int, runs: int, rows: int, plane: int, pixel: int) -> np.ndarray:
        made = []
        last = max(1, taps_z * runs) - 1
        streams = (
            0 if last else streaming(self.batch * math.prod(self.result) * self.filters * self.size)
        )
        for i in range(last + 1):
            kz, kx = divmod(i, max(1, runs))
            adds = self.mode & ACCUMULATE if i == 0 else ACCUMULATE
            made.append(
                Run(
                    a=(kz * plane + kx * pixel) * self.size,
                    b=i * rows * self.b_step * self.size,
                    mode=adds | streams | (self.mode & ~ACCUMULATE if i == last else 0),
                    bias=int(self.bias and i == last),
                    addend=int(i == 0),
                )
            )
        return table(Run, made)
