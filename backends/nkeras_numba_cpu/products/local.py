"""Locally connected layers on the micro-kernel: a small product for each place, read in place.

A place's product is `(batch, elements of its window) @ (elements, filters)`. Its rows lie an image
apart, and for each row of the window there is a run of x as long as the window's row times the
channels. Places are panels for the loop of `direct`, a panel more for each block of filters, and
tiles are images. The gradient for the kernel has windows' elements as tiles and sums over images.
In the gradient for x the images are columns: so tasks are rows of x, which windows add to in order,
and weights are read in place.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from nkeras_numba_cpu.emit.records import numbers, stacked, table
from nkeras_numba_cpu.launch.numpy_calls import write
from nkeras_numba_cpu.loops.copies import copy, fill
from nkeras_numba_cpu.memory.allocation import empty
from nkeras_numba_cpu.memory.capture import preparation
from nkeras_numba_cpu.products.direct import run
from nkeras_numba_cpu.products.geometry import lift_sizes, tile_rows, tiles_of, vectors_for
from nkeras_numba_cpu.products.micro_kernel import ACCUMULATE, MicroKernels, micro_kernels
from nkeras_numba_cpu.products.tables import NO_BOX, Panel, Phase, Run, Steps, Task, Tile

_TASK_WORK = 1 << 18  # multiplications of a task, about
_TASKS = 64  # are enough
_TILES = 12  # of images in a task, so that the part of x that its windows share stays cached
_SPEED = 16  # multiplications of an instruction: `work` of a launch counts instructions


class Local(NamedTuple):
    """The shapes of a locally connected layer; sizes, window and strides have three dimensions."""

    batch: int
    sizes: tuple[int, int, int]
    window: tuple[int, int, int]
    strides: tuple[int, int, int]
    channels: int
    filters: int

    @property
    def counts(self) -> tuple[int, ...]:
        """Numbers of places along each dimension."""
        steps = zip(self.sizes, self.window, self.strides, strict=True)
        return tuple((size - k) // stride + 1 for size, k, stride in steps)

    @property
    def places(self) -> int:
        """Of the output."""
        return math.prod(self.counts)

    @property
    def depth(self) -> int:
        """Elements of a window."""
        return math.prod(self.window) * self.channels

    @property
    def line(self) -> int:
        """Elements of a row of a window, which lie behind each other."""
        return self.window[2] * self.channels

    @property
    def image(self) -> int:
        """Elements of an image of x."""
        return math.prod(self.sizes) * self.channels

    @property
    def output(self) -> int:
        """Elements of an image of the result."""
        return self.places * self.filters

    @property
    def work(self) -> int:
        """How many multiplications there are."""
        return self.batch * self.output * self.depth

    def starts(self) -> np.ndarray:
        """Where the window of each place begins in an image."""
        starts = np.zeros((), np.int64)
        for i, count in enumerate(self.counts):
            step = math.prod(self.sizes[i + 1 :]) * self.channels * self.strides[i]
            starts = starts[..., None] + np.arange(count) * step
        return starts.reshape(-1)


def local_of(
    x: tuple[int, ...], filters: int, window: tuple[int, ...], strides: tuple[int, ...]
) -> Local:
    """The shapes for an x of a shape, channels last."""
    sizes = lift_sizes(x[1:-1])
    return Local(x[0], sizes, lift_sizes(window), lift_sizes(strides), x[-1], filters)


class Forward(NamedTuple):
    """What the layer launches: from place `copied` on it reads a copy of the kernel."""

    phases: list[Phase]
    copied: int
    rest: list[Phase]
    slack: int  # elements that vectors read behind the kernel


def correlate(
    x: np.ndarray,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    addend: np.ndarray | None,
    local: Local,
    mode: int,
) -> np.ndarray:
    """The result, flat; all arrays are contiguous."""
    schedule = _forward(local, x.dtype, mode, bias is not None)
    y = empty((local.batch * local.output,), x.dtype)
    arrays = kernel if bias is None else bias, y if addend is None else addend, y
    if schedule.phases:
        run(schedule.phases, x, kernel, *arrays)
    if schedule.rest:
        start = schedule.copied * local.depth * local.filters
        run(schedule.rest, x, _copied(kernel, start, schedule.slack), *arrays)
    return y


@preparation
def _copied(kernel: np.ndarray, start: int, slack: int) -> np.ndarray:
    source = kernel.reshape(-1)[start:]
    target = empty((source.size + slack,), kernel.dtype)
    copy(source, target[: source.size])
    write(0.0, target[source.size :])  # old bits may be denormal floats, which are slow
    return target


def grad_kernel(x: np.ndarray, grad_y: np.ndarray, local: Local) -> np.ndarray:
    """The gradient for the kernel, flat."""
    kernels = _by_filters(local, x.dtype)
    padded = -(-local.filters // kernels.columns) * kernels.columns
    packed = empty((local.places, local.batch, padded), x.dtype)
    by_place = grad_y.reshape(local.batch, local.places, local.filters).transpose(1, 0, 2)
    copy(by_place, packed[:, :, : local.filters])
    fill(packed[:, :, local.filters :], 0)
    result = empty((local.places * local.depth * local.filters,), x.dtype)
    run(_gradient_of_kernel(local, x.dtype), x, packed, packed, result, result)
    return result


def grad_input(grad_y: np.ndarray, kernel: np.ndarray, local: Local) -> np.ndarray:
    """The gradient for x, flat."""
    kernels = micro_kernels(grad_y.dtype, vectors_for(local.batch, grad_y.dtype.name))
    padded = -(-local.batch // kernels.columns) * kernels.columns
    packed = empty((local.output, padded), grad_y.dtype)
    copy(grad_y.reshape(local.batch, local.output).T, packed[:, : local.batch])
    fill(packed[:, local.batch :], 0)
    turned = empty((local.image, padded), grad_y.dtype)
    fill(turned, 0)
    run(_gradient_of_input(local, grad_y.dtype), kernel, packed, packed, turned, turned)
    result = empty((local.batch, local.image), grad_y.dtype)
    copy(turned[:, : local.batch].T, result)
    return result.reshape(-1)


def _by_filters(local: Local, dtype: np.dtype) -> MicroKernels:
    return micro_kernels(dtype, vectors_for(local.filters, dtype.name))


def _tasks(panels: int, tiles: int, work: int, most_tiles: int) -> np.ndarray:
    """Blocks of panels, and blocks of tiles of at most so many."""
    blocks = -(-tiles // most_tiles)
    count = min(panels, max(1, min(_TASKS, work // _TASK_WORK) // blocks))
    panel_edges = np.arange(count + 1) * panels // count
    tile_edges = np.arange(blocks + 1) * tiles // blocks
    return stacked(
        Task,
        window={"start": 0, "top": 0, "front": 0, "before": 0, "stop": 0},
        first_tile=tile_edges[:-1],
        end_tile=tile_edges[1:],
        first_panel=panel_edges[:-1, None],
        end_panel=panel_edges[1:, None],
        c=0,
    )


@lru_cache(maxsize=256)
def _forward(local: Local, dtype: np.dtype, mode: int, bias: bool) -> Forward:
    kernels = _by_filters(local, dtype)
    over = -(-local.filters // kernels.columns) * kernels.columns - local.filters
    copied = local.places - min(local.places, -(-over // (local.depth * local.filters)))
    phases = [_forward_phase(local, dtype, mode, bias, 0, copied)] if copied else []
    rest = []
    if copied < local.places:
        rest.append(_forward_phase(local, dtype, mode, bias, copied, local.places))
    return Forward(phases, copied, rest, over)


def _forward_phase(
    local: Local, dtype: np.dtype, mode: int, bias: bool, first: int, last: int
) -> Phase:
    """For places of a range; their kernels lie from 0 on."""
    size, kernels = dtype.itemsize, _by_filters(local, dtype)
    depth, height, _ = local.window
    row, plane = (math.prod(local.sizes[i:]) * local.channels for i in (2, 1))
    steps = Steps(
        taps=height,
        a_tap=row * size,
        b_tap=local.line * local.filters * size,
        depth=local.line,
        a_row=local.image * size,
        a_step=size,
        b_step=local.filters * size,
        c_row=local.output * size,
    )
    runs = []
    for z in range(depth):
        adds = ACCUMULATE if z else mode & ACCUMULATE
        is_last = z + 1 == depth
        runs.append(
            Run(
                a=z * plane * size,
                b=z * height * local.line * local.filters * size,
                mode=adds | (mode & ~ACCUMULATE if is_last else 0),
                bias=int(bias and is_last),
                addend=int(z == 0),
            )
        )
    addresses, tiles = kernels.for_rows(local.batch)
    edges = np.arange(tiles + 1) * local.batch // tiles
    lefts = np.arange(0, local.filters, kernels.columns)
    places = np.arange(first, last)[:, None]
    panels = stacked(
        Panel,
        a=local.starts()[first:last, None] * size,
        b=((places - first) * local.depth * local.filters + lefts) * size,
        c=(places * local.filters + lefts) * size,
        columns=np.minimum(kernels.columns, local.filters - lefts),
    )
    work = local.work * (last - first) // local.places
    return Phase(
        numbers(steps),
        numbers(NO_BOX),
        _tasks(len(panels), tiles, work, _TILES),
        stacked(
            Tile,
            kernel=addresses[np.diff(edges)],
            a=edges[:-1] * (local.image * size),
            c=edges[:-1] * (local.output * size),
        ),
        panels,
        table(Run, runs),
        work // _SPEED,
    )


_ONE_RUN = Run(a=0, b=0, mode=0, bias=0, addend=0)


def _line_tiles(
    local: Local, kernels: MicroKernels, offsets: list[tuple[int, int]], a_row: int, c_row: int
) -> np.ndarray:
    """Tiles of the elements of a window's row, for each pair of offsets of a row."""
    pieces = tiles_of(local.line, tile_rows(local.line, kernels.rows))
    addresses = kernels.table(*{count for _, count in pieces})
    return table(
        Tile,
        [
            Tile(kernel=int(addresses[count]), a=a + i * a_row, c=c + i * c_row)
            for a, c in offsets
            for i, count in pieces
        ],
    )


@lru_cache(maxsize=256)
def _gradient_of_kernel(local: Local, dtype: np.dtype) -> list[Phase]:
    size, kernels = dtype.itemsize, _by_filters(local, dtype)
    depth, height, _ = local.window
    row, plane = (math.prod(local.sizes[i:]) * local.channels for i in (2, 1))
    lefts = np.arange(0, local.filters, kernels.columns)
    padded = len(lefts) * kernels.columns
    steps = Steps(
        taps=1,
        a_tap=0,
        b_tap=0,
        depth=local.batch,
        a_row=size,
        a_step=local.image * size,
        b_step=padded * size,
        c_row=local.filters * size,
    )
    offsets = [
        ((z * plane + y * row) * size, (z * height + y) * local.line * local.filters * size)
        for z in range(depth)
        for y in range(height)
    ]
    tiles = _line_tiles(local, kernels, offsets, size, local.filters * size)
    places = np.arange(local.places)[:, None]
    panels = stacked(
        Panel,
        a=local.starts()[:, None] * size,
        b=(places * local.batch * padded + lefts) * size,
        c=(places * local.depth * local.filters + lefts) * size,
        columns=np.minimum(kernels.columns, local.filters - lefts),
    )
    return [
        Phase(
            numbers(steps),
            numbers(NO_BOX),
            _tasks(len(panels), len(tiles), local.work, len(tiles)),
            tiles,
            panels,
            table(Run, [_ONE_RUN]),
            local.work // _SPEED,
        )
    ]


@lru_cache(maxsize=256)
def _gradient_of_input(local: Local, dtype: np.dtype) -> list[Phase]:
    size = dtype.itemsize
    kernels = micro_kernels(dtype, vectors_for(local.batch, dtype.name))
    lefts = np.arange(0, local.batch, kernels.columns)
    padded = len(lefts) * kernels.columns
    steps = Steps(
        taps=1,
        a_tap=0,
        b_tap=0,
        depth=local.filters,
        a_row=local.filters * size,
        a_step=size,
        b_step=padded * size,
        c_row=padded * size,
    )
    tiles = _line_tiles(local, kernels, [(0, 0)], local.filters * size, padded * size)
    rows, panels = _panels_by_row(local, kernels, lefts, padded, size)
    edges = np.searchsorted(rows, np.arange(rows[-1] + 2))
    edges = np.unique(edges)
    tasks = stacked(
        Task,
        window={"start": 0, "top": 0, "front": 0, "before": 0, "stop": 0},
        first_tile=0,
        end_tile=len(tiles),
        first_panel=edges[:-1],
        end_panel=edges[1:],
        c=0,
    )
    run_ = table(Run, [_ONE_RUN._replace(mode=ACCUMULATE)])
    work = local.work // _SPEED
    return [Phase(numbers(steps), numbers(NO_BOX), tasks, tiles, panels, run_, work)]


def _panels_by_row(
    local: Local, kernels: MicroKernels, lefts: np.ndarray, padded: int, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """A panel for each place, row of its window and block of images, sorted by the row of x.

    Returns:
        For each panel the number of its task: of its row of x, and where there are few rows, of its
        images too; and the panels.
    """
    count_z, count_y, count_x = local.counts
    window_z, window_y, _ = local.window
    axes = np.meshgrid(
        *(np.arange(n) for n in (count_z, window_z, count_y, window_y, count_x, len(lefts))),
        indexing="ij",
    )
    o_z, k_z, o_y, k_y, o_x, block = (axis.reshape(-1) for axis in axes)
    z, y = o_z * local.strides[0] + k_z, o_y * local.strides[1] + k_y
    row = z * local.sizes[1] + y
    task = row if len(np.unique(row)) >= _TASKS // 4 else row * len(lefts) + block
    place = (o_z * count_y + o_y) * count_x + o_x
    line = (k_z * window_y + k_y) * local.line
    cell = row * local.sizes[2] + o_x * local.strides[2]
    left = lefts[block]
    panels = stacked(
        Panel,
        a=(place * local.depth + line) * local.filters * size,
        b=(place * local.filters * padded + left) * size,
        c=(cell * local.channels * padded + left) * size,
        columns=np.minimum(kernels.columns, local.batch - left),
    )
    order = np.argsort(task, kind="stable")
    return task[order], panels[order]
