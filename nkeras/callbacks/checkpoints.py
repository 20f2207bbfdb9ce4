"""ModelCheckpoint: files of the model, or of its weights, while it is trained."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from nkeras.callbacks.callback import Logs
from nkeras.callbacks.callback_list import to_numbers
from nkeras.callbacks.monitor import MonitorCallback
from nkeras.callbacks.periodic import Periodic
from nkeras.core.errors import cut_text, is_a, refuse, short, warn
from nkeras.utils import io_utils

_MODELS = (".keras", ".h5")
_WEIGHTS = (".weights.h5",)


class ModelCheckpoint(MonitorCallback, Periodic):
    """Saves the model, or its weights, at the end of epochs or after so many batches.

    A file takes the place of the one before as a whole: whatever ends the training, the file is the
    old one or the new one.

    Args:
        filepath: path that ends in `.keras` or `.h5`, with `save_weights_only` in `.weights.h5`.
            Fields are filled in: `{epoch}` (from 1), `{batch}` (from 1, with a number as
            `save_freq`) and all results by name, such as `{epoch:02d}-{val_loss:.2f}`. Folders are
            made where there are none.
        monitor: name of the result that tells which model is best.
        verbose: 1 to say so.
        save_best_only: save only if the result is better than at all times before.
        save_weights_only: save the weights (with the optimizer's state) instead of the model.
        mode: `"min"`, `"max"` or `"auto"`: by the metric's own direction.
        save_freq: `"epoch"`, or a number of batches. After batches, `monitor` is a mean over the
            part of the epoch that is done.
        initial_value_threshold: result that must be beaten first.

    Raises:
        ValueError: an argument does not fit.
        KeyError: `filepath` has a field that there is no result for.

    Example:
        >>> import os, tempfile
        >>> import numpy as np
        >>> import nkeras
        >>> folder = tempfile.mkdtemp()
        >>> keep = nkeras.callbacks.ModelCheckpoint(os.path.join(folder, "{epoch:02d}.keras"))
        >>> model = nkeras.Sequential([nkeras.Input((3,)), nkeras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> x, y = np.ones((8, 3)), np.ones((8, 1))
        >>> history = model.fit(x, y, epochs=2, verbose=0, callbacks=[keep])
        >>> sorted(os.listdir(folder))
        ['01.keras', '02.keras']

    Source: https://keras.io/api/callbacks/model_checkpoint/ (there, `monitor` must have a known
    direction even if nothing is compared with it).
    """

    accepts_lazy_logs = True  # results are fetched when a file is written, not on each step
    saved_attributes: ClassVar[Sequence[str]] = ("best",)

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode, initial_value_threshold)
        if not is_a(filepath, (str, os.PathLike)):
            refuse("filepath", filepath, "a path", "ModelCheckpoint")
        self.filepath = os.fspath(filepath)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self._set_frequency(save_freq)
        self.initial_value_threshold = initial_value_threshold
        self._current_epoch = 0
        endings = _WEIGHTS if save_weights_only else _MODELS
        if not self.filepath.endswith(endings):
            what = " with `save_weights_only=True`" if save_weights_only else ""
            raise ValueError(
                f"ModelCheckpoint: argument `filepath` must end in {' or '.join(endings)}{what}. "
                f"Received: filepath={short(self.filepath)}"
            )

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Note which epoch it is."""
        self._current_epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Save, if so many batches have passed."""
        if self._is_due(batch):
            self._save(self._current_epoch, to_numbers(logs), {"batch": batch + 1})

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Save, if it is done for epochs."""
        if self.save_freq == "epoch":
            self._save(epoch, logs or {}, {})

    def _save(self, epoch: int, logs: dict[str, Any], fields: dict[str, int]) -> None:
        path = self._path(epoch, logs, fields)
        if not self._is_wanted(epoch, logs, path):
            return
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        save = self.model.save_weights if self.save_weights_only else self.model.save
        try:
            save(path, overwrite=True)
        except IsADirectoryError as error:
            raise IsADirectoryError(
                error.errno,
                "ModelCheckpoint: please specify a non-directory filepath; this is a folder",
                path,
            ) from None
        if self.verbose > 0:
            io_utils.print_msg(f"\nEpoch {epoch + 1}: finished saving model to {path}")

    def _path(self, epoch: int, logs: dict[str, Any], fields: dict[str, int]) -> str:
        values = {**fields, **logs}
        try:
            return self.filepath.format(epoch=epoch + 1, **values)
        except KeyError as error:
            raise KeyError(
                f'Failed to format this callback filepath: "{self.filepath}". Reason: {error}. '
                f"There are: {cut_text(', '.join(['epoch', *values]))}"
            ) from None

    def _is_wanted(self, epoch: int, logs: dict[str, Any], path: str) -> bool:
        current = self.get_monitor_value(logs) if self.save_best_only else None
        title = f"\nEpoch {epoch + 1}:"
        if current is not None and np.ndim(current) > 0:
            warn(
                f"ModelCheckpoint: the result {short(self.monitor)} is no single number, so none "
                f"is best, and each model is saved. Received: {short(current)}"
            )
            current = None
        if current is None:
            if self.verbose > 0:
                io_utils.print_msg(f"{title} saving model to {path}")
            return True
        best = "None" if self.best is None else f"{self.best:.5f}"
        is_better = self._is_improvement(current, self.best)
        if self.verbose > 0 and is_better:
            io_utils.print_msg(
                f"{title} {self.monitor} improved from {best} to {current:.5f}, saving model to "
                f"{path}"
            )
        elif self.verbose > 0:
            io_utils.print_msg(f"{title} {self.monitor} did not improve from {best}")
        if is_better:
            self.best = current
        return is_better
