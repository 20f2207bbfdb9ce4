"""Memory that knows which bytes there are, which were written, and which are on their way.

Cells are as large as the smallest access of the kernel. Each has one of four states.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.ptx.kinds import UNSIGNED
from tests.ptx.machine import Instructed
from tests.ptx.races import READ, WRITE, Races

Array = npt.NDArray[Any]

NOWHERE, EMPTY, PENDING, WRITTEN = 0, 1, 2, 3
"""No such memory; never written; a copy is on its way; written."""

WINDOW = 1 << 40
SHARED_WINDOW, LOCAL_WINDOW = 1 * WINDOW, 2 * WINDOW
GLOBAL_BASE = 0x7F00_0000_0000
GUARD = 512
"""Bytes that belong to nobody, between arrays."""


def aligned_bytes(size: int) -> npt.NDArray[np.uint8]:
    """Bytes at an address that vectors are aligned at."""
    buffer = np.zeros(size + 64, np.uint8)
    skip = -buffer.ctypes.data % 64
    return buffer[skip : skip + size]


@dataclass
class Piece:
    """A part of a memory that has a name.

    Args:
        name: what messages call it.
        begin: its first byte.
        size: in bytes.
        item: the size of an element.
    """

    name: str
    begin: int
    size: int
    item: int


@dataclass
class Space:
    """One kind of memory.

    Args:
        name: global, shared or local.
        size: in bytes, for each block or thread.
        granule: the size of a cell.
        copies: how many blocks or threads have one of their own.
    """

    name: str
    size: int
    granule: int
    copies: int = 1
    pieces: list[Piece] = field(default_factory=list)
    races: Races | None = None

    def __post_init__(self) -> None:
        self.stride = -(-max(self.size, 1) // 128) * 128
        total = self.stride * self.copies
        self.data = aligned_bytes(total)
        self.views = {width: self.data.view(UNSIGNED[width]) for width in UNSIGNED}
        self.states = aligned_bytes(total // self.granule)
        self.shift = self.granule.bit_length() - 1

    def mark(self, begin: int, size: int, state: int) -> None:
        """Set the state of bytes in each copy."""
        rows = self.states.reshape(self.copies, -1)
        rows[:, begin >> self.shift : -(-(begin + size) >> self.shift)] = state

    def empty(self) -> None:
        """From now on nobody has written any of it."""
        if self.pieces:
            self.states.fill(NOWHERE)
            for piece in self.pieces:
                self.mark(piece.begin, piece.size, EMPTY)

    def named(self, at: int) -> str:
        """What a byte belongs to."""
        inside = at % self.stride if self.copies > 1 else at
        for piece in self.pieces:
            if piece.begin <= inside < piece.begin + piece.size:
                return f"element {(inside - piece.begin) // piece.item} of {piece.name}"
        return self._beside(inside)

    def _beside(self, at: int) -> str:
        """An address that belongs to nothing."""
        near = [
            (min(abs(at - piece.begin), abs(at - piece.begin - piece.size + 1)), piece)
            for piece in self.pieces
        ]
        if not near:
            return f"address {at:#x}"
        _, piece = min(near, key=lambda pair: pair[0])
        if at < piece.begin:
            return f"{piece.begin - at} bytes before {piece.name}"
        return f"{at - piece.begin - piece.size} bytes behind the end of {piece.name}"

    # --- accesses; `at` are bytes from the beginning of all copies

    def check(
        self, one: Instructed, at: Array, lanes: Array, size: int, wanted: str
    ) -> Array | None:
        """The first cell of each access.

        Raises:
            Fault: misaligned, outside, not written or on its way.
        """
        if size > 1:
            wrong = at & (size - 1)
            if wrong.any():
                k = int(np.flatnonzero(wrong)[0])
                message = f"{self.name} memory, {size} bytes at {self.named(int(at[k]))}"
                raise one.fault("misaligned", message, int(lanes[k]))
        outside = (at < 0) | (at > self.data.size - size)
        if outside.any():
            self._outside(one, at, lanes, outside, size)
        cells = at >> self.shift
        count = max(size >> self.shift, 1)
        states = self._states(cells, count)
        good = states == WRITTEN if wanted == "read" else states & 1 == 1
        if not good.all():
            if count > 1:
                k = int(np.flatnonzero(~good.reshape(len(cells), -1).all(axis=1))[0])
            else:
                k = int(np.flatnonzero(~good)[0])
            self._refuse(one, at, lanes, size, k)
        return cells

    def _states(self, cells: Array, count: int) -> Array:
        if count == 1:
            return self.states[cells]
        return self.states[cells[:, None] + np.arange(count)]

    def _outside(self, one: Instructed, at: Array, lanes: Array, bad: Array, size: int) -> None:
        k = int(np.flatnonzero(bad)[0])
        message = f"{size} bytes of {self.name} memory, {self._beside(int(at[k]))}"
        raise one.fault("out of bounds", message, int(lanes[k]))

    def _refuse(self, one: Instructed, at: Array, lanes: Array, size: int, k: int) -> None:
        lane = int(lanes[k])
        first = int(at[k]) >> self.shift
        for cell in range(first, first + max(size >> self.shift, 1)):
            state, byte = self.states[cell], cell << self.shift
            if state == NOWHERE:
                where = self.named(byte)
                raise one.fault(
                    "out of bounds", f"{size} bytes of {self.name} memory, {where}", lane
                )
            if state == PENDING:
                message = f"{self.named(byte)} of {self.name} memory: no wait came first"
                raise one.fault("copy under way", message, lane)
            if state == EMPTY:
                message = f"{self.named(byte)} of {self.name} memory, which nobody wrote"
                raise one.fault("uninitialised", message, lane)

    def load(
        self, one: Instructed, at: Array, lanes: Array, width: int, parts: int = 1
    ) -> list[Array]:
        """What is there, as unsigned integers."""
        cells = self.check(one, at, lanes, width * parts, "read")
        if self.races is not None:
            threads = one.machine.threads[lanes]
            self.races.note(one, READ, cells, max(width * parts >> self.shift, 1), threads)
        view, first = self.views[width], at >> (width.bit_length() - 1)
        return [view[first + k] if k else view[first] for k in range(parts)]

    def store(self, one: Instructed, at: Array, lanes: Array, values: list[Array]) -> None:
        """Write unsigned integers that follow each other."""
        width = values[0].dtype.itemsize
        size = width * len(values)
        cells = self.check(one, at, lanes, size, "write")
        count = max(size >> self.shift, 1)
        if self.races is not None:
            self.races.note(one, WRITE, cells, count, one.machine.threads[lanes])
        view, first = self.views[width], at >> (width.bit_length() - 1)
        for k, value in enumerate(values):
            view[first + k] = value
        self.set(cells, count, WRITTEN)

    def set(self, cells: Array, count: int, state: int) -> None:
        """Set the state of cells that follow each of these."""
        for k in range(count):
            self.states[cells + k if k else cells] = state


class Memories:
    """What the threads of a vector reach.

    Args:
        spaces: global, shared and local memory.
        addresses: of variables, in their own space.
    """

    def __init__(self, spaces: dict[str, Space], addresses: dict[str, int]) -> None:
        self.spaces, self.addresses = spaces, addresses

    def each(
        self, one: Instructed, space: str | None, addresses: Array, lanes: Array
    ) -> list[tuple[Space, Array, Array]]:
        """The space of each address, the bytes there, and which of the accesses they are."""
        if space is not None:
            at = self._inside(one, space, addresses, lanes)
            return [(self.spaces[_REAL.get(space, space)], at, np.arange(len(lanes)))]
        window = addresses >> 40
        found: list[tuple[Space, Array, Array]] = []
        for name, number in (("shared", 1), ("local", 2)):
            chosen = np.flatnonzero(window == number)
            if chosen.size:
                inner = addresses[chosen] - number * WINDOW
                found.append(
                    (self.spaces[name], self._inside(one, name, inner, lanes[chosen]), chosen)
                )
        chosen = np.flatnonzero((window != 1) & (window != 2))
        if chosen.size:
            at = self._inside(one, "global", addresses[chosen], lanes[chosen])
            found.append((self.spaces["global"], at, chosen))
        return found

    def _inside(self, one: Instructed, name: str, addresses: Array, lanes: Array) -> Array:
        """Bytes from the beginning of the space."""
        if name in ("global", "const"):
            return addresses - GLOBAL_BASE
        space = self.spaces[name]
        outside = (addresses < 0) | (addresses >= space.stride)
        if outside.any():
            k = int(np.flatnonzero(outside)[0])
            address = int(addresses[k])
            message = f"address {address:#x} of {name} memory, which has {space.size} bytes"
            raise one.fault("out of bounds", message, int(lanes[k]))
        if space.copies == 1:
            return addresses
        owner = one.machine.block[lanes] if name == "shared" else lanes
        return addresses + owner * space.stride


_REAL = {"const": "global"}


def smallest_access(widths: list[int]) -> int:
    """The size of a cell, for these sizes of accesses and elements."""
    return min([8, *widths])
