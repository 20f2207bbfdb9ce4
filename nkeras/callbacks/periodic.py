"""Callbacks that write a file after each epoch or after so many batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from nkeras.callbacks.callback import Callback
from nkeras.core.errors import is_a, short


class Periodic(Callback):
    """Counts batches for callbacks with an argument `save_freq`."""

    save_freq: str | int = "epoch"
    saved_attributes: ClassVar[Sequence[str]] = (
        "_batches_seen_since_last_saving",
        "_last_batch_seen",
    )
    _batches_seen_since_last_saving = 0
    _last_batch_seen = -1

    def _set_frequency(self, save_freq: Any) -> None:
        is_number = is_a(save_freq, int) and not is_a(save_freq, bool) and save_freq >= 1
        if save_freq != "epoch" and not is_number:
            raise ValueError(
                f"{type(self).__name__}: Invalid value for argument `save_freq`, Unrecognized "
                "save_freq: it must be 'epoch' or a number of batches, at least 1. "
                f"Received: save_freq={short(save_freq)}"
            )
        self.save_freq = save_freq

    def _is_due(self, batch: int) -> bool:
        """Whether to save after a batch; several may have passed, with `steps_per_execution`."""
        if self.save_freq == "epoch" or self.save_freq is False:
            return False
        before = -1 if batch <= self._last_batch_seen else self._last_batch_seen  # a new epoch
        self._batches_seen_since_last_saving += batch - before
        self._last_batch_seen = batch
        if self._batches_seen_since_last_saving < int(self.save_freq):
            return False
        self._batches_seen_since_last_saving = 0
        return True
