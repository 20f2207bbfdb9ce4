"""A source of batches: what each kind of data has in common."""

from __future__ import annotations

from collections.abc import Generator, Mapping

import numpy as np

from nkeras.core.typing import Structure
from nkeras.training.data import class_weight_to_sample_weights, unpack_x_y_sample_weight


class Source:
    """Gives the batches of an epoch, as often as it is asked to.

    Attributes:
        num_batches: batches in an epoch, or None if that is not known.
        restarts: whether `batches` begins anew each time.
        rng: random numbers of the order; None where it is not drawn here.
        dataset: the user's object that is told of epochs, or None.
    """

    num_batches: int | None = None
    restarts = True
    rng: np.random.Generator | None = None
    dataset: object = None

    def batches(self, skipped: int = 0) -> Generator[Structure, None, None]:
        """The batches, NumPy arrays or whatever the user's data hold.

        Args:
            skipped: how many not to give, of those at the beginning.
        """
        raise NotImplementedError

    def head(self) -> Structure:
        """A batch to look at, where it costs nothing; else None."""
        return None

    def on_epoch_begin(self) -> None:
        """An epoch begins."""

    def on_epoch_end(self) -> None:
        """An epoch is over, or was broken off."""


def with_class_weight(
    batch: Structure, class_weight: Mapping[int, float] | None, told: set[int]
) -> Structure:
    """A batch with the weights of its samples' classes, if there are any.

    Args:
        batch: x, `(x,)` or `(x, y)`.
        class_weight: dict from class to weight, or None.
        told: classes without a weight that were warned of; new ones are added.

    Raises:
        ValueError: the batch has weights of its own.
    """
    if class_weight is None:
        return batch
    x, y, sample_weight = unpack_x_y_sample_weight(batch)
    if sample_weight is not None:
        raise ValueError("You cannot pass `class_weight` and `sample_weight` at the same time.")
    return x, y, class_weight_to_sample_weights(y, class_weight, told)
