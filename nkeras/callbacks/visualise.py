"""Visualise: a page of the model at work that one can move through the epochs of a training."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nkeras.callbacks.callback import Callback, Logs
from nkeras.core.errors import is_a, refuse
from nkeras.core.typing import Structure

if TYPE_CHECKING:
    from nkeras.inspect.server import PageServer
    from nkeras.inspect.watched import Watched


class Visualise(Callback):
    """Writes a page of the model at work, with a slider through the epochs and the results.

    Args:
        path: file to write behind each recorded epoch, or None to write none.
        samples: inputs, arrays with a batch axis: up to 64 samples.
        labels: names of the classes.
        targets: indices of the samples' true classes.
        every: how many epochs lie between those that are recorded; the last one is recorded too.
        megabytes: about how much the recorded values take in the page, of all epochs together.
            Weights of earlier epochs, which the page uses for arithmetic and own inputs, and their
            scores of attention take up to half as much, or are left out.
        serve: whether to serve the page on this machine while training goes on, at an address that
            is printed; it follows the training.

    Raises:
        ValueError: an argument is out of range, or the samples do not fit.

    Example:
        >>> import os, tempfile
        >>> import numpy as np
        >>> import nkeras
        >>> x = np.ones((8, 4), "float32")
        >>> model = nkeras.Sequential([nkeras.Input((4,)), nkeras.layers.Dense(2)])
        >>> model.compile(loss="mse")
        >>> path = os.path.join(tempfile.mkdtemp(), "training.html")
        >>> pages = nkeras.callbacks.Visualise(path, x[:3])
        >>> _ = model.fit(x, x[:, :2], epochs=2, verbose=0, callbacks=[pages])
        >>> os.path.exists(path)
        True
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        samples: Structure,
        labels: Sequence[str] | None = None,
        targets: Sequence[int] | np.ndarray | None = None,
        every: int = 1,
        megabytes: float = 24.0,
        serve: bool = False,
    ) -> None:
        super().__init__()
        if isinstance(every, bool) or not is_a(every, int) or every < 1:
            refuse("every", every, "a positive integer", "Visualise")
        self.path = path
        self.samples = samples
        self.labels = labels
        self.targets = targets
        self.every = every
        self.megabytes = megabytes
        self.serve = serve
        self.server: PageServer | None = None
        self._watched: Watched | None = None
        self._is_recorded = True

    def on_train_begin(self, logs: Logs = None) -> None:
        """Record the beginning, where the model is built."""
        self._watched = None
        if self.model.built:
            self._record("before")

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Keep the results, and record the epoch if it is its turn."""
        self._is_recorded = False
        if self._watched is not None:
            self._keep(logs)
        if (epoch + 1) % self.every == 0:
            self._record(f"epoch {epoch + 1}")
        self._last = epoch

    def on_train_end(self, logs: Logs = None) -> None:
        """Record the last epoch."""
        if not self._is_recorded:
            self._record(f"epoch {self._last + 1}")

    def _keep(self, logs: Logs) -> None:
        assert self._watched is not None
        for name, value in (logs or {}).items():
            if isinstance(value, (int, float, np.number)):
                self._watched.history.setdefault(name, []).append(float(value))

    def _record(self, title: str) -> None:
        from nkeras.inspect.server import served
        from nkeras.inspect.visualise import write_page
        from nkeras.inspect.watched import Watched

        if self._watched is None:
            self._watched = Watched(
                self.model, self.samples, self.labels, self.targets, self.megabytes
            )
        self._watched.record(title)
        self._is_recorded = True
        if self.path is not None:
            write_page(self._watched, self.path)
        if self.serve and self.server is None:
            self.server = served(self._watched)
        elif self.server is not None:
            self.server.watched = self._watched
