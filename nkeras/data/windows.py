"""In which order rows of files are read: windows of several blocks, each shuffled in memory."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from nkeras.data.ahead import made_ahead
from nkeras.data.rows import Rows

WINDOW = 32 * 2**20  # bytes that are in memory twice: one window is used, the next one is read
BLOCK = 2**19  # bytes that lie side by side in the file, and are read at once


@dataclass
class Window:
    """Rows that are in memory together.

    Attributes:
        rows: which rows they are, in the order in which they were read.
        order: the order in which they are used, or None for that of reading.
        buffers: their values, an array for each `Rows`.
    """

    rows: np.ndarray
    order: np.ndarray | None
    buffers: list[np.ndarray]


class Windows:
    """Cuts rows into windows, and reads each while the one before is used.

    Args:
        sources: arrays in files, of equal length.
        batch_size: a window has whole batches, but for the last.
    """

    def __init__(self, sources: Sequence[Rows], batch_size: int) -> None:
        self._sources = sources
        self._samples = len(sources[0])
        row_bytes = max(1, sum(source.row_bytes for source in sources))
        self.size = max(1, WINDOW // row_bytes // batch_size) * batch_size
        step = max(source.step for source in sources)
        self._block = max(1, -(-(BLOCK // row_bytes) // step)) * step

    def read(
        self, rng: np.random.Generator | None, skipped: int = 0
    ) -> Generator[Window, None, None]:
        """All windows of an epoch.

        Args:
            rng: random numbers for the order of blocks, and that inside windows; the order of the
                file for None.
            skipped: how many windows not to read, of those at the beginning.
        """
        seed = None if rng is None else int(rng.integers(2**63))
        starts = np.arange(0, self._samples, self._block)
        if rng is not None:
            rng.shuffle(starts)
        ends = np.cumsum(np.minimum(starts + self._block, self._samples) - starts)
        # In the order of the file, batches are views of buffers, which must stay what they are.
        kept = None if rng is None else [self._buffers(self.size) for _ in range(2)]

        def load(number: int) -> Window:
            first = number * self.size
            count = min(self.size, self._samples - first)
            piece = np.array([[first, first + count]])
            if rng is not None:
                piece = _pieces(starts, ends, first, first + count)
            if kept is None:
                buffers = self._buffers(count)
            else:
                buffers = [buffer[:count] for buffer in kept[number % 2]]
            self._fill(buffers, piece)
            rows = np.concatenate([np.arange(start, stop) for start, stop in piece])
            order = None
            if seed is not None:
                order = np.random.default_rng((seed, number)).permutation(count)
            return Window(rows, order, buffers)

        numbers = range(skipped, -(-self._samples // self.size))
        with closing(made_ahead(load, numbers, 1, 1)) as made:
            yield from made

    def _buffers(self, count: int) -> list[np.ndarray]:
        return [np.empty((count, *source.shape[1:]), source.dtype) for source in self._sources]

    def _fill(self, buffers: list[np.ndarray], piece: np.ndarray) -> None:
        for source in self._sources:
            for start, stop in piece:
                source.announce(int(start), int(stop))
        for source, buffer in zip(self._sources, buffers, strict=True):
            filled = 0
            for start, stop in piece.tolist():
                source.read_into(buffer[filled : filled + stop - start], start)
                filled += stop - start


def _pieces(starts: np.ndarray, ends: np.ndarray, first: int, stop: int) -> np.ndarray:
    """The parts of the file of a window: pairs of first row and stop.

    Args:
        starts: first rows of blocks, in the order in which they come.
        ends: how many rows come up to the end of each.
        first: where the window begins, counted in this order.
        stop: where it ends.
    """
    blocks = slice(np.searchsorted(ends, first, "right"), np.searchsorted(ends, stop) + 1)
    begins = ends[blocks] - np.diff(ends, prepend=0)[blocks]
    left = np.maximum(begins, first) - begins
    right = np.minimum(ends[blocks], stop) - begins
    return np.stack([starts[blocks] + left, starts[blocks] + right], 1)
