"""Who wrote and who read each cell of a memory, and whether anything came between.

Threads of a block are ordered by barriers of the whole block alone, threads of a warp also by
`bar.warp.sync`; shuffles, votes and products of matrices order no memory (so says the CUDA
programming guide), and neither does it that warps run in step. Blocks of one launch are never
ordered. Two accesses to a cell by different threads, of which one writes, are a race where nothing
orders them, also of the same value. Atomic accesses are no races among each other.

A barrier of some warps only orders nothing here: what is right with it alone is called a race.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.ptx.faults import Fault
from tests.ptx.machine import Instructed, described

Array = npt.NDArray[Any]

READ, WRITE, ATOMIC = 0, 1, 2
NAMES = ("read", "write", "atomic access")
_NOBODY, _MANY, _ATOMICALLY = -1, -2, -3
_MANY_OF_WARP = -4
_PENDING = 1 << 16
"""How many accesses wait until they are looked at together."""


@dataclass(frozen=True)
class Entry:
    """One instruction's accesses.

    Args:
        one: the instruction.
        kind: `READ`, `WRITE` or `ATOMIC`.
        cells: the first cell of each.
        count: how many cells each has.
        threads: by their numbers in the grid.
    """

    one: Instructed
    kind: int
    cells: Array
    count: int
    threads: Array

    def expanded(self) -> tuple[Array, Array]:
        """Each cell, and the thread that accesses it."""
        if self.count == 1:
            return self.cells, self.threads
        cells = (self.cells[:, None] + np.arange(self.count)).ravel()
        return cells, np.repeat(self.threads, self.count)


class Shadow:
    """For each cell the one that wrote and the one that read, at one level.

    Args:
        cells: how many.
        shift: threads whose numbers agree above these bits are one: 0, 5 for warps.
        size: how many threads make a block, to make blocks one; instead of `shift`.
    """

    def __init__(self, cells: int, shift: int = 0, size: int = 1) -> None:
        self.writer = np.full(cells, _NOBODY, np.int64)
        self.reader = np.full(cells, _NOBODY, np.int64)
        self.shift, self.size = shift, size

    def reset(self) -> None:
        """All that was is in order with all that comes."""
        self.writer.fill(_NOBODY)
        self.reader.fill(_NOBODY)

    def forget(self, warps: Array) -> None:
        """What these warps' threads did is in order with what they will do."""
        for side in (self.writer, self.reader):
            warp = np.where(side >= 0, side >> 5, np.where(side <= _MANY_OF_WARP, -side - 4, -1))
            side[np.isin(warp, warps)] = _NOBODY

    def note(self, kind: int, cells: Array, threads: Array) -> tuple[Array, Array] | None:
        """Take accesses; the places of those in conflict, and with whom, if there are any."""
        who = threads >> self.shift if self.size == 1 else threads // self.size
        writer, reader = self.writer[cells], self.reader[cells]
        bad = (writer != _NOBODY) & (writer != who)
        if kind == ATOMIC:
            bad &= writer != _ATOMICALLY
        other = writer
        if kind != READ:
            also = (reader != _NOBODY) & (reader != who)
            other = np.where(bad, writer, reader)
            bad |= also
        if bad.any():
            return np.flatnonzero(bad), other[bad]
        if kind == ATOMIC:
            self.writer[cells] = _ATOMICALLY
            return None
        if kind == WRITE:
            self.writer[cells] = who
            back = self.writer[cells]
            bad = back != who
            return (np.flatnonzero(bad), back[bad]) if bad.any() else None
        new = np.where((reader == _NOBODY) | (reader == who), who, _joined(reader, who))
        self.reader[cells] = new
        back = self.reader[cells]
        lost = np.flatnonzero(back != new)
        if lost.size:
            self.reader[cells[lost]] = _joined(back[lost], who[lost])
        return None


def _joined(one: Array, who: Array) -> Array:
    """Several readers: of one warp, or of several."""
    warp = np.where(one >= 0, one >> 5, -one - 4)
    return np.where(warp == who >> 5, _MANY_OF_WARP - warp, _MANY)


class Races:
    """All accesses to one memory.

    Args:
        name: of the memory.
        cells: how many cells it has.
        warps: whether the kernel orders threads of a warp by `bar.warp.sync`.
        blocks: how many threads a block has, where blocks share the memory.
        whereabouts: what a thread's number means.
        place: what a cell is.
    """

    def __init__(
        self,
        name: str,
        cells: int,
        warps: bool,
        blocks: int | None,
        whereabouts: Callable[[int], str],
        place: Callable[[int], str],
    ) -> None:
        self.name, self.whereabouts, self.place = name, whereabouts, place
        self.threads = Shadow(cells)
        self.levels: dict[str, Shadow] = {}
        if blocks is not None:
            self.levels["blocks"] = Shadow(cells, size=blocks)
        if warps:
            self.levels["warps"] = Shadow(cells, shift=5)
        self.levels["threads of a block"] = self.threads
        self.waiting: list[Entry] = []
        self.count = 0

    def note(self, one: Instructed, kind: int, cells: Array, count: int, threads: Array) -> None:
        """An instruction's accesses; they are looked at later."""
        self.waiting.append(Entry(one, kind, cells, count, threads))
        self.count += count * len(cells)
        if self.count > _PENDING:
            self.look()

    def look(self) -> None:
        """Look at what waits.

        Raises:
            Fault: two accesses are in conflict.
        """
        waiting, self.waiting, self.count = self.waiting, [], 0
        for kind in (WRITE, ATOMIC, READ):
            entries = [entry for entry in waiting if entry.kind == kind]
            if not entries:
                continue
            pairs = [entry.expanded() for entry in entries]
            cells = np.concatenate([pair[0] for pair in pairs])
            threads = np.concatenate([pair[1] for pair in pairs])
            for level, shadow in self.levels.items():
                found = shadow.note(kind, cells, threads)
                if found:
                    places, others = found
                    self._report(level, kind, waiting, entries, pairs, places[0], int(others[0]))

    def barrier(self) -> None:
        """The threads of each block have met."""
        self.look()
        for name, shadow in self.levels.items():
            if name != "blocks":
                shadow.reset()

    def warp_barrier(self, threads: Array) -> None:
        """The threads of these warps have met."""
        self.look()
        self.threads.forget(np.unique(threads >> 5))

    def _report(
        self,
        level: str,
        kind: int,
        waiting: list[Entry],
        entries: list[Entry],
        pairs: list[tuple[Array, Array]],
        place: int,
        other: int,
    ) -> None:
        sizes = np.cumsum([len(cells) for cells, _ in pairs])
        at = int(np.searchsorted(sizes, place, side="right"))
        cells, threads = pairs[at]
        index = place - (int(sizes[at - 1]) if at else 0)
        cell, thread = int(cells[index]), int(threads[index])
        here = described(entries[at].one.instruction)
        lines = [f"  {NAMES[kind]} by {self.whereabouts(thread)}, {here}"]
        lines += _others(waiting, cell, thread, kind, self.whereabouts)
        if len(lines) == 1:
            known = {_MANY: "several threads", _ATOMICALLY: "an atomic access"}
            who = known.get(other, f"thread, warp or block {other}" if other >= 0 else "its warp")
            lines.append(f"  and earlier by {who}")
        message = f"{self.place(cell)} of {self.name} memory, between {level} that nothing orders"
        raise Fault("race", message, "\n".join(lines))


def _others(
    waiting: list[Entry], cell: int, thread: int, kind: int, whereabouts: Callable[[int], str]
) -> list[str]:
    """The other side of a conflict, if it is among the accesses that were looked at."""
    for entry in waiting:
        if kind == READ and entry.kind == READ:
            continue
        cells, threads = entry.expanded()
        found = np.flatnonzero((cells == cell) & (threads != thread))
        if found.size:
            other = int(threads[found[0]])
            line = f"  {NAMES[entry.kind]} by {whereabouts(other)}, "
            return [line + described(entry.one.instruction)]
    return []
