"""Epochs: how many steps they have, and what happens when the data run out."""

from __future__ import annotations

from collections.abc import Generator
from itertools import islice

from nkeras.core import config
from nkeras.core.errors import short, warn
from nkeras.core.typing import Config, Structure
from nkeras.training.remembered import part_of, restore_attributes, saved_attributes
from nkeras.training.source import Source
from nkeras.training.uploading import uploaded_ahead


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
        self._opened_with: Config | None = None  # the state of the source's random numbers then
        self._done = 0  # steps of the next epoch that a training did before it was resumed
        self._is_begun = False
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

    def _open(self, skipped: int = 0) -> None:
        self.close()
        self._opened_with = self._random_state()
        batches = self._source.batches(skipped)
        # Who cannot begin anew must not be asked for a batch too many.
        self._iterator = uploaded_ahead(batches) if self._source.restarts else batches
        self._seen = skipped

    def _random_state(self) -> Config | None:
        rng = self._source.rng
        return None if rng is None else dict(rng.bit_generator.state)

    def state(self) -> Config:
        """Where the data stand between two steps, as plain values; not that of a generator."""
        is_open = self._iterator is not None
        return {
            "random": self._opened_with if is_open else self._random_state(),
            "seen": self._seen if is_open else 0,
            "used": self._used,
            "measured": self._measured,
            "dataset": saved_attributes(self._source.dataset),
        }

    def restore(self, state: Config, done: int) -> None:
        """Go on from what `state` returned.

        Args:
            state: the state.
            done: steps of the epoch that are done.

        Raises:
            ValueError: it does not fit the data.
        """
        restore_attributes(self._source.dataset, part_of(state, "dataset", dict))
        self._used = part_of(state, "used", bool)
        self._measured = state.get("measured")
        self._done = done
        rng = self._source.rng
        if (rng is None) != (state.get("random") is None):
            raise ValueError(
                "The training that is resumed had other data, or another argument `shuffle`."
            )
        if rng is not None:
            try:
                rng.bit_generator.state = state["random"]
            except (ValueError, TypeError, KeyError) as error:
                raise ValueError(
                    f"The state of a training has no random state: {short(error)}"
                ) from None
        seen = part_of(state, "seen", int)
        if self._source.restarts:  # what a generator gave cannot be given back
            self.close()
            self._first = []
            if seen > 0:
                self._open(seen)

    def begin_source(self) -> None:
        """Tell the source that an epoch begins, before `steps` does."""
        self._source.on_epoch_begin()
        self._is_begun = True

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
        if not self._is_begun:
            self._source.on_epoch_begin()
        self._is_begun = False
        try:
            yield from self._epoch()
        finally:
            if self._steps is None:
                self.close()
            self._source.on_epoch_end()

    def _epoch(self) -> Generator[tuple[int, int, list[Structure]], None, None]:
        done, self._done = self._done, 0
        fresh = bool(self._first)
        if not (fresh or done) and (
            self._iterator is None or (self._steps is None and self._source.restarts)
        ):
            self._open()
            fresh = True
        if self._iterator is None:
            self._open()  # a source that goes on, in an epoch that is resumed
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
