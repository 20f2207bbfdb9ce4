"""What stands in the tables of convolutions and products: the records that kernels read.

All of them lie in three spatial dimensions, and count elements where nothing else is said.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nkeras_numba_cpu.products.geometry import Axis, Triple


class Box(NamedTuple):
    """The part of x that a task copies into its scratch, with zeros for what lies outside of x.

    `planes` is 0 where x is read in place. A row consists of `segments` of `length` elements, which
    the scratch holds `pitch` elements apart.
    """

    planes: int
    rows: int
    rate_z: int
    in_z: int
    in_y: int
    in_row: int  # elements of a row of x
    segments: int
    length: int
    pitch: int


NO_BOX = Box(0, 0, 0, 0, 0, 0, 0, 0, 0)


class Window(NamedTuple):
    """The part of x that some outputs are made of, as if x went on beyond its borders."""

    start: int  # its first element
    top: int  # row and plane in the image
    front: int
    before: int  # the first element of its rows that lies in x, and the one behind the last
    stop: int


class Steps(NamedTuple):
    """What all products of a phase share; see `micro_kernel.Call`."""

    taps: int
    a_tap: int
    b_tap: int
    depth: int
    a_row: int
    a_step: int
    b_step: int
    c_row: int


class Task(NamedTuple):
    """Some tiles of the result, and some panels of the kernel for each of them."""

    window: Window
    first_tile: int
    end_tile: int
    first_panel: int
    end_panel: int
    c: int


class Tile(NamedTuple):
    """Neighbouring pixels, all of which are in registers at a time."""

    kernel: int  # the address of the micro-kernel for so many rows
    a: int
    c: int


class Panel(NamedTuple):
    """As many columns of the kernel as a tile has."""

    a: int
    b: int
    c: int  # and of the bias
    columns: int


class Run(NamedTuple):
    """A product that is added to a tile: the rows of the window that follow each other."""

    a: int
    b: int
    mode: int
    bias: int  # whether it is added
    addend: int


class Phase(NamedTuple):
    """The launch of one phase. All distances in it are in bytes."""

    steps: tuple[int, ...]  # Steps
    box: tuple[int, ...]  # Box
    tasks: np.ndarray  # Task
    tiles: np.ndarray  # Tile
    panels: np.ndarray  # Panel
    runs: np.ndarray  # Run
    work: int


class Panels(NamedTuple):
    """Panels in which a kernel is packed; distances are in elements."""

    panels: int  # of a group
    columns: int
    depth: int
    stored: int  # columns of a group
    row_step: int
    column_step: int
    group_step: int


class Places(NamedTuple):
    """How far images, planes, rows and pixels of a phase's result are apart, and its first one."""

    image: int
    plane: int
    row: int
    pixel: int
    first: int

    def at(self, n: int, z: int, y: int, x: int) -> int:
        """Where the pixel with these numbers lies."""
        return self.first + n * self.image + z * self.plane + y * self.row + x * self.pixel


def places_of(axes: tuple[Axis, ...], result: Triple, channels: int) -> Places:
    """Where the outputs of a phase lie in a result of these sizes."""
    _, height, width = result
    steps = (height * width * channels, width * channels, channels)
    first = sum(step * axis.first for step, axis in zip(steps, axes, strict=True))
    plane, row, pixel = (step * axis.step for step, axis in zip(steps, axes, strict=True))
    return Places(result[0] * steps[0], plane, row, pixel, first)


def x_window(
    axes: tuple[Axis, ...], n: int, front: int, top: int, left: int, width: int, channels: int
) -> Window:
    """The part of x for some outputs of image n: a row of them from `top`, `left` on."""
    z, y, x = axes
    in_top, in_left = top * y.stride - y.low, left * x.stride - x.low
    columns = x.reach(width)
    before = min(max(0, -in_left), columns)
    stop = max(before, min(columns, x.size - in_left))
    return Window(
        start=(((n * z.size + front) * y.size + in_top) * x.size + in_left) * channels,
        top=in_top,
        front=front,
        before=before * channels,
        stop=stop * channels,
    )
