"""Epochs: how many steps they have, and what happens when the data run out."""

from __future__ import annotations

from collections.abc import Generator
from itertools import islice

from nkeras.core import config
from nkeras.core.errors import warn
from nkeras.core.typing import Structure
from nkeras.training.sources import Source


class Epochs:
    """Cuts what a source gives into epochs and steps.

    Args:
        source: gives batches.
        steps: steps of an epoch; all that the source gives for None.
        steps_per_execution: batches handed out at a time.
    """

    def __init__(
        self, source: Source, steps: int | None = None, steps_per_execution: int = 1
    ) -> None:
        self._source = source
        self._steps = _limited(steps, source.num_batches)
        self._at_once = steps_per_execution
        self._iterator: Generator[Structure, None, None] | None = None
        self._first: list[Structure] = []
        self._used = False
        self._seen = 0  # batches taken from the iterator
        self._measured: int | None = None
        self.exhausted = False

    @property
    def num_batches(self) -> int | None:
        """Steps of an epoch, as far as they are known."""
        return self._steps or self._source.num_batches or self._measured

    def peek(self) -> Structure:
        """The first batch; it still comes."""
        if not self._first:
            self._open()
            assert self._iterator is not None
            self._first = list(islice(self._iterator, 1))
            if not self._first:
                raise ValueError("There is no data: `x` gave no batch.")
        return self._first[0]

    def close(self) -> None:
        """Break off: workers of a PyDataset end."""
        if self._iterator is not None:
            self._iterator.close()
        self._iterator = None

    def _open(self) -> None:
        self.close()
        self._iterator = self._source.batches()
        self._seen = 0

    def _take(self, count: int) -> list[Structure]:
        assert self._iterator is not None
        if count == 1 and not self._first:  # the most frequent case, without a list in between
            for batch in self._iterator:
                self._seen += 1
                return [batch]
            return []
        batches, self._first = self._first, []
        batches += islice(self._iterator, count - len(batches))
        self._seen += len(batches)
        return batches

    def steps(self) -> Generator[tuple[int, int, list[Structure]], None, None]:
        """One epoch: (index of first step, index of last step, their batches)."""
        self._source.on_epoch_begin()
        try:
            yield from self._epoch()
        finally:
            if self._steps is None:
                self.close()
            self._source.on_epoch_end()

    def _epoch(self) -> Generator[tuple[int, int, list[Structure]], None, None]:
        fresh = bool(self._first)
        if not fresh and (
            self._iterator is None or (self._steps is None and self._source.restarts)
        ):
            self._open()
            fresh = True
        done = 0
        while self._steps is None or done < self._steps:
            wanted = (
                self._at_once if self._steps is None else min(self._at_once, self._steps - done)
            )
            batches = self._take(wanted)
            if not batches and done == 0 and not fresh and self._source.restarts:
                # The epoch before took the last batch, which could not be known.
                self._open()
                fresh = True
                batches = self._take(wanted)
            if batches:
                yield done, done + len(batches) - 1, batches
                done += len(batches)
            if len(batches) < wanted:
                self._ran_out(done)
                break
        if self._source.num_batches is not None and self._seen >= self._source.num_batches:
            self.close()
        self._used = True

    def _ran_out(self, done: int) -> None:
        self.close()
        self.exhausted = done == 0
        if self._steps is None and not self.exhausted:
            self._measured = done  # that is simply where the data end
            return
        if done == 0 and not self._used:
            raise ValueError("There is no data: `x` gave no batch.")
        warn(
            "Your input ran out of data; interrupting training. Make sure that your dataset or "
            "generator can generate at least `steps_per_epoch * epochs` batches.",
        )


def _limited(steps: int | None, batches: int | None) -> int | None:
    """As many steps as `nkeras.config.set_max_steps_per_epoch` lets an epoch have."""
    most, wanted = config.max_steps_per_epoch(), steps or batches
    if most is None or (wanted is not None and wanted <= most):
        return steps
    warn(f"Limiting steps_per_epoch to {most}, as nkeras.config.set_max_steps_per_epoch() says.")
    return most


def limited_epochs(epochs: int) -> int:
    """As many epochs as `nkeras.config.set_max_epochs` lets a training have."""
    most = config.max_epochs()
    if most is None or epochs <= most:
        return epochs
    warn(f"Limiting epochs to {most}, as nkeras.config.set_max_epochs() says.")
    return most
