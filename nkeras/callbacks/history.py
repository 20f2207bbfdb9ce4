"""Callbacks that keep or show results: History, ProgbarLogger, CSVLogger."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from pathlib import Path
from time import monotonic
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from nkeras.callbacks.callback import Callback, Logs
from nkeras.callbacks.monitor import direction_of
from nkeras.core.typing import Config
from nkeras.utils import io_utils
from nkeras.utils.progbar import Progbar

if TYPE_CHECKING:
    from nkeras.inspect.picture import Picture


class History(Callback):
    """Keeps the results of each epoch; `fit` adds one and returns it.

    Attributes:
        history: dict from name (`loss`, `val_loss`, ...) to a list of floats, one for each epoch.
        epoch: list of the epochs' indices.

    Example:
        >>> import nkeras
        >>> history = nkeras.callbacks.History()
        >>> history.history
        {}

    Source: https://keras.io/api/callbacks/
    """

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Logs = None) -> None:
        """Forget the epochs' indices, keep the history: it goes on."""
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Append the results."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        self.model.history = self

    def plot(
        self, path: str | os.PathLike[str] | None = None, is_logarithmic: bool = False
    ) -> Picture:
        """Draw the learning curves, each metric beside its values of validation.

        The best epoch is marked where a metric says whether high or low values are better.

        Args:
            path: file to write, `.svg`; None writes none.
            is_logarithmic: whether values are drawn by their logarithms, where all are positive.

        Returns:
            The picture; notebooks show it, and its `svg` is the text.

        Raises:
            ValueError: the path does not end in `.svg`.
            OSError: the file cannot be written; an old one is as before.

        Example:
            >>> history = History()
            >>> history.history = {"loss": [0.9, 0.4], "val_loss": [0.8, 0.5]}
            >>> history.plot().svg[:4]
            '<svg'
        """
        from nkeras.inspect.curves import history_svg
        from nkeras.inspect.picture import picture_of

        svg = history_svg(self.history, is_logarithmic, self._best)
        return picture_of(svg, path, "History.plot")

    def _best(self, name: str) -> str | None:
        return direction_of(self._model, name)

    def _repr_svg_(self) -> str:
        return self.plot().svg


class ProgbarLogger(Callback):
    """Shows the progress bar; `fit`, `evaluate` and `predict` add one unless `verbose` is 0.

    Raises:
        ValueError: `verbose` is none of `"auto"`, 0, 1, 2.

    Example:
        >>> import nkeras
        >>> bar = nkeras.callbacks.ProgbarLogger()

    Source: https://keras.io/api/callbacks/
    """

    accepts_lazy_logs = True  # results are fetched when a line is drawn, not on each step

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0
        self.progbar: Progbar | None = None
        self.target: int | None = None
        self.verbose = 1
        self.epochs = 1
        self._called_in_fit = False
        self._last_look = 0.0

    def set_params(self, params: Config) -> None:
        """Take over `verbose`, `epochs` and `steps`."""
        verbose = params["verbose"]
        self.verbose = 1 if verbose == "auto" else int(verbose)
        self.epochs = params["epochs"]
        self.target = params["steps"]

    def on_train_begin(self, logs: Logs = None) -> None:
        """Validation shows no bar of its own."""
        self._called_in_fit = True

    def on_train_end(self, logs: Logs = None) -> None:
        """Bars of `evaluate` are shown again."""
        self._called_in_fit = False

    def on_test_begin(self, logs: Logs = None) -> None:
        """Begin a bar, outside `fit`."""
        if not self._called_in_fit:
            self._new_bar()

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Begin a bar."""
        self._new_bar()

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Begin a bar under the epoch's title."""
        self._new_bar()
        if self.verbose and self.epochs > 1:
            io_utils.print_msg(f"Epoch {epoch + 1}/{self.epochs}")

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Draw, if it is time."""
        self._draw(batch, logs)

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Draw, if it is time."""
        if not self._called_in_fit:
            self._draw(batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Draw, if it is time; outputs are not shown."""
        self._draw(batch, None)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Draw the last line."""
        self._finish(logs)

    def on_test_end(self, logs: Logs = None) -> None:
        """Draw the last line, outside `fit`."""
        if not self._called_in_fit:
            self._finish(logs)

    def on_predict_end(self, logs: Logs = None) -> None:
        """Draw the last line."""
        self._finish(logs)

    def _on_interruption(self) -> None:
        self._called_in_fit = False

    def _new_bar(self) -> None:
        self.seen = 0
        self._last_look = 0.0
        self.progbar = Progbar(target=self.target, verbose=self.verbose, stateless_metrics=())

    def _draw(self, batch: int, logs: Logs | None) -> None:
        self.seen = batch + 1
        if self.progbar is None:
            self._new_bar()
        assert self.progbar is not None
        now = monotonic()
        if self.verbose == 1 and now - self._last_look >= self.progbar.interval:
            self._last_look = now
            self.progbar.update(batch + 1, _in_order(logs), finalize=False)

    def _finish(self, logs: Logs) -> None:
        if self.progbar is None:
            return
        if self.target is None:
            self.target = self.progbar.target = self.seen
        self.progbar.update(self.target, _in_order(logs), finalize=True)


def _in_order(logs: Logs | None) -> list[tuple[str, Any]]:
    """Names and results as Keras shows them: by name."""
    return sorted((logs or {}).items(), key=lambda item: item[0])


class CSVLogger(Callback):
    """Writes the results of each epoch as a line of a CSV file.

    Args:
        filename: the file.
        separator: what stands between the values.
        append: go on with an existing file instead of writing it anew.

    Example:
        >>> import nkeras
        >>> log = nkeras.callbacks.CSVLogger("training.csv", separator=";")

    Source: https://keras.io/api/callbacks/csv_logger/
    """

    def __init__(
        self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False
    ) -> None:
        super().__init__()
        self.sep = separator
        self.filename = os.fspath(filename)
        self.append = append
        self.keys: list[str] | None = None
        self.append_header = True
        self.csv_file: IO[str] | None = None
        self.writer: Any = None

    def on_train_begin(self, logs: Logs = None) -> None:
        """Open the file."""
        self._close()
        path = Path(self.filename)
        self.append_header = not (self.append and path.exists() and path.stat().st_size > 0)
        self.csv_file = open(path, "a" if self.append else "w", newline="", encoding="utf-8")
        self.keys = None

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Write a line, after the first epoch also the head."""
        logs = logs or {}
        if self.csv_file is None:
            raise ValueError("CSVLogger: on_epoch_end() was called before on_train_begin().")
        if self.keys is None:
            self.keys = sorted(logs)
            if not any(key.startswith("val_") for key in self.keys):
                # The first epoch may have had no validation (validation_freq), later ones may.
                self.keys += [f"val_{key}" for key in self.keys]
            self.writer = csv.writer(self.csv_file, delimiter=self.sep)
            if self.append_header:
                self.writer.writerow(["epoch", *self.keys])
        self.writer.writerow([epoch, *(_cell(logs.get(key, "NA")) for key in self.keys)])
        self.csv_file.flush()

    def on_train_end(self, logs: Logs = None) -> None:
        """Close the file."""
        self._close()

    def _on_interruption(self) -> None:
        self._close()

    def _close(self) -> None:
        if self.csv_file is not None:
            self.csv_file.close()
            self.csv_file = None

    def __del__(self) -> None:
        # Training that an exception ended never said that it ended.
        if getattr(self, "csv_file", None) is not None:
            self._close()


def _cell(value: object) -> object:
    if isinstance(value, str) or not isinstance(value, Iterable):
        return value
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return value
    return f'"[{", ".join(map(str, value))}]"'
