"""PyDataset: batches by index, made by threads or processes while the model computes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import ClassVar

from nkeras.core.errors import is_a, short
from nkeras.core.typing import Structure


class PyDataset:
    """Base class of datasets that give a batch for an index.

    Define `__getitem__(index)`, which returns a whole batch (`(x,)`, `(x, y)` or
    `(x, y, sample_weight)`), and `__len__()`, the number of batches.

    Args:
        workers: number of threads (or processes) that make batches ahead; 0 or 1 for none.
        use_multiprocessing: processes instead of threads. The dataset must then be picklable, and
            in a script `fit` must stand under `if __name__ == "__main__":`. Otherwise, as in a
            notebook that defines the class, threads make the batches, with a warning.
        max_queue_size: greatest number of batches that wait for the model.

    Attributes:
        saved_attributes: names of attributes that `BackupAndRestore` keeps, such as an order that
            is drawn anew in each epoch: numbers, texts, arrays, NumPy's random generators, and
            lists and dicts of them.

    Example:
        >>> import numpy as np
        >>> import nkeras
        >>> class Squares(nkeras.utils.PyDataset):
        ...     def __len__(self):
        ...         return 10
        ...     def __getitem__(self, index):
        ...         x = np.arange(4.0) + 4 * index
        ...         return x[:, None], x[:, None] ** 2
        >>> len(Squares(workers=2))
        10

    Source: https://keras.io/api/utils/python_utils/
    """

    def __init__(
        self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10
    ) -> None:
        for name, value, least in (
            ("workers", workers, 0),
            ("max_queue_size", max_queue_size, 1),
        ):
            if not is_a(value, int) or value < least:
                raise ValueError(
                    f"PyDataset: argument `{name}` must be an integer >= {least}. "
                    f"Received: {short(value)}"
                )
        self.workers = workers
        self.use_multiprocessing = use_multiprocessing
        self.max_queue_size = max_queue_size

    saved_attributes: ClassVar[Sequence[str]] = ()

    # For classes that do not call super().__init__().
    workers: int = 1
    use_multiprocessing: bool = False
    max_queue_size: int = 10

    def __getitem__(self, index: int) -> Structure:
        """The batch at a position."""
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(index).")

    def __iter__(self) -> Iterator[Structure]:
        count = self.num_batches
        for index in itertools.count() if count is None else range(count):
            yield self[index]

    @property
    def num_batches(self) -> int | None:
        """The number of batches; None for a dataset without end."""
        if hasattr(self, "__len__"):
            return len(self)  # type: ignore[arg-type]
        raise NotImplementedError(
            f"{type(self).__name__} must define __len__() or the property num_batches."
        )

    def on_epoch_begin(self) -> None:
        """Called at the beginning of each epoch."""

    def on_epoch_end(self) -> None:
        """Called at the end of each epoch, for example to shuffle."""
