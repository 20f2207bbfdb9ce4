"""What waits while machine code is compiled: functions that are missing, and launches."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

from nkeras_numba_cpu import threads
from nkeras_numba_cpu.compile import native

Run = Callable[..., None]
Resolve = Callable[..., tuple[Run, tuple[Any, ...]]]
Span = tuple[int, int]


class Missing:
    """Stands for what runs a kernel whose code is being compiled. Called, it waits for that."""

    def __init__(self, symbol: str, emit: native.Emit, finish: Callable[[int], Run]) -> None:
        self.symbol = symbol
        self.emit = emit
        self.finish = finish
        self.has_failed = False
        self._run: Run | None = None

    def run(self) -> Run:
        """The kernel itself."""
        if self._run is None:
            self._run = self.finish(native.compiled(self.symbol, self.emit))
        return self._run

    def __call__(self, *arguments: Any) -> None:
        self.run()(*arguments)


class Launch(NamedTuple):
    """A launch, and from where to where the memory lies that it works on."""

    resolve: Resolve
    arguments: tuple[Any, ...]
    spans: list[Span]

    def call(self) -> partial[Any]:
        """What is called when everything is compiled."""
        if any(missing.has_failed for missing in self.missing()):
            return partial(bool)  # nothing
        run, arguments = self.resolve(*self.arguments)
        return partial(run, *arguments)

    def missing(self) -> Iterator[Missing]:
        """What has to be compiled before."""
        return (argument for argument in self.arguments if isinstance(argument, Missing))


class Batch:
    """Launches, then the calls that they come down to: each is run once, whatever interrupts."""

    def __init__(self, launches: list[Launch]) -> None:
        self.launches = launches
        self.is_closed = False  # takes no more launches
        # Decided once: calls, or two batches.
        self._fate: dict[None, Iterator[partial[Any]] | tuple[Batch, Batch]] = {}

    def run(self) -> None:
        """Run what has not run yet.

        No Python stands between taking a call out and calling it: there a signal would lose it.
        The same holds where a signal's handler, or a finalizer, gets here while this runs.
        """
        self.is_closed = True
        if not self._fate:
            self._fate.setdefault(None, iter([launch.call() for launch in self.launches]))
        fate = self._fate[None]
        if isinstance(fate, tuple):
            for part in fate:
                part.run()
        else:
            with threads.one_at_a_time():
                deque(map(partial.__call__, fate), 0)

    def split(self, spans: list[Span]) -> tuple[Batch, Batch] | None:
        """What some memory depends on, which may go first, and the others; None if nothing does."""
        self.is_closed = True
        first: list[Launch] = []
        others: list[Launch] = []
        needed = Memory(spans)
        for launch in reversed(self.launches):
            if needed.overlaps(launch.spans):
                first.append(launch)
                needed.add(launch.spans)
            else:
                others.append(launch)
        parts = Batch(first[::-1]), Batch(others[::-1])
        return parts if self._fate.setdefault(None, parts) is parts else None


class Memory:
    """Pieces of memory, in order and apart from each other: a step may have thousands."""

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self._lows: list[int] = []
        self._highs: list[int] = []
        self.add(spans)

    def add(self, spans: Iterable[Span]) -> None:
        """Add pieces, which become one with those that they touch."""
        for low, high in spans:
            first, last = bisect_left(self._highs, low), bisect_right(self._lows, high)
            if first < last:
                low, high = min(low, self._lows[first]), max(high, self._highs[last - 1])
            self._lows[first:last] = [low]
            self._highs[first:last] = [high]

    def overlaps(self, spans: Iterable[Span]) -> bool:
        """Whether a piece of these has bytes in common with one of the others."""
        for low, high in spans:
            place = bisect_right(self._highs, low)
            if place < len(self._lows) and self._lows[place] < high:
                return True
        return False
