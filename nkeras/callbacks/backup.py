"""BackupAndRestore: a training that was interrupted goes on where it was."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from nkeras.callbacks.callback import Logs
from nkeras.callbacks.periodic import Periodic
from nkeras.core.errors import as_bool, is_a, refuse, short, warn
from nkeras.core.files import leftovers, replacing_by_link
from nkeras.training.progress import Follower, Progress


class BackupAndRestore(Periodic, Follower):
    """Keeps the state of a training in a file, from which the next `fit` goes on.

    A script that is killed and started again ends with the same bits as one that was not: weights,
    optimizer (learning rate, moments, scale of the loss), seeds of layers, the order of the
    samples, the metrics of an epoch under way, the random numbers of Python, NumPy and nkeras, and
    what callbacks remember (`EarlyStopping`, `ReduceLROnPlateau` and others; yours, where they name
    it in `saved_attributes`). Model, `compile` and the arguments of `fit` must be the same.

    There is one file, which takes the place of the one before as a whole: whatever ends the
    training, it is one backup or the other, never a mixture. It is written when all callbacks were
    told of the end of the epoch or batch.

    What cannot be restored: the position of a generator or another iterator (it goes on with what
    it gives; arrays, PyDatasets and iterables that begin anew do so where they were); what a
    PyDataset remembers, such as an order of its own, unless its class names it in
    `saved_attributes`; Python attributes of the model that a step of yours changes; and the epochs
    in `History`, which has those of this run, as in Keras.

    Args:
        backup_dir: folder for the file, of this training alone.
        save_freq: `"epoch"`, a number of batches, or False to restore only.
        double_checkpoint: keep the backup before the last one as well; it is taken where the last
            one is damaged.
        delete_checkpoint: remove the file, and the folder if nothing else is in it, when training
            has come to its end.

    Raises:
        ValueError: an argument does not fit, or the backup is of another model or training.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> import nkeras
        >>> class Interrupt(nkeras.callbacks.Callback):
        ...     def on_epoch_begin(self, epoch, logs=None):
        ...         if epoch == 4:
        ...             raise RuntimeError("no power")
        >>> model = nkeras.Sequential([nkeras.Input((20,)), nkeras.layers.Dense(10)])
        >>> model.compile("sgd", "mse")
        >>> x, y = np.ones((5, 20)), np.zeros((5, 10))
        >>> backup = nkeras.callbacks.BackupAndRestore(tempfile.mkdtemp())
        >>> try:
        ...     model.fit(x, y, epochs=10, verbose=0, callbacks=[backup, Interrupt()])
        ... except RuntimeError:
        ...     history = model.fit(x, y, epochs=10, verbose=0, callbacks=[backup])
        >>> history.epoch
        [4, 5, 6, 7, 8, 9]

    Source: https://keras.io/api/callbacks/backup_and_restore/ (which restores weights, optimizer
    and epoch).
    """

    accepts_lazy_logs = True

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        super().__init__()
        if not backup_dir:
            raise ValueError("BackupAndRestore: Empty `backup_dir` argument passed.")
        if not is_a(backup_dir, (str, os.PathLike)):
            refuse("backup_dir", backup_dir, "the path of a folder", "BackupAndRestore")
        if save_freq is False:
            self.save_freq = save_freq
        else:
            self._set_frequency(save_freq)
        self.backup_dir = os.fspath(backup_dir)
        self.double_checkpoint = as_bool(double_checkpoint, "double_checkpoint", "BackupAndRestore")
        self.delete_checkpoint = as_bool(delete_checkpoint, "delete_checkpoint", "BackupAndRestore")
        self._current_epoch = 0
        self._saves_now = False
        self._weights_path = Path(self.backup_dir, "latest.weights.h5")
        self._prev_weights_path = Path(self.backup_dir, "latest.weights.h5.bkp")

    def on_train_begin(self, logs: Logs = None) -> None:
        """Go on from the backup, if there is one."""
        progress = self._training()
        self._saves_now = False
        self._last_batch_seen = -1
        progress.keepers.append(self._keep)
        paths = [*leftovers(self._weights_path), *leftovers(self._prev_weights_path)]
        for path in paths:  # of a process that was killed while it wrote
            path.unlink(missing_ok=True)
        if self._weights_path.exists() or self._prev_weights_path.exists():
            progress.prepare()
            self._restore()
            progress.resume = self._restore
            self._current_epoch = progress.epoch

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Have a backup written, if so many batches have passed."""
        self._saves_now = self._is_due(batch)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Have a backup written, if it is done for epochs."""
        self._current_epoch = epoch + 1
        self._last_batch_seen = -1
        self._saves_now = self.save_freq == "epoch"

    def on_train_end(self, logs: Logs = None) -> None:
        """Remove the backup."""
        self.progress = None
        if self.delete_checkpoint:
            for path in (self._prev_weights_path, self._weights_path):
                path.unlink(missing_ok=True)
            with suppress(OSError):  # something else is in it
                os.rmdir(self.backup_dir)

    def _training(self) -> Progress:
        if self.progress is None:
            raise ValueError(
                "BackupAndRestore: it can only be used in `fit`, which tells it how far it is."
            )
        return self.progress

    def _keep(self) -> None:
        from nkeras.saving import backup  # with the first file

        if not self._saves_now:
            return
        self._saves_now = False
        os.makedirs(self.backup_dir, exist_ok=True)
        if self.double_checkpoint and self._weights_path.exists():
            replacing_by_link(self._prev_weights_path, self._weights_path)
        state = self._training().state()
        try:
            backup.save(self.model, self._weights_path, state)
        except TypeError as error:
            raise TypeError(
                "BackupAndRestore: only numbers, texts, arrays, and lists and dicts of them can be "
                f"kept (see `saved_attributes` of callbacks and datasets). Received: {error}"
            ) from None

    def _restore(self) -> None:
        from nkeras.saving import backup

        try:
            self._training().restore(backup.load(self.model, self._weights_path))
        except (OSError, ValueError) as error:
            if not self._prev_weights_path.exists():
                raise
            warn(
                f"BackupAndRestore: {self._weights_path.name} cannot be read, the backup before it "
                f"is taken. {short(error, 200)}"
            )
            self._training().restore(backup.load(self.model, self._prev_weights_path))
