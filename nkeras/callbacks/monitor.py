"""Callbacks that watch a result: EarlyStopping, ReduceLROnPlateau, TerminateOnNaN."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from nkeras.callbacks.callback import Callback, Logs
from nkeras.core.errors import cut_text, is_a, nearest, refuse, short, warn
from nkeras.utils import io_utils


def direction_of(model: object, monitored: str) -> str | None:
    """Whether the best value of a result is the `"min"` or the `"max"`; None if nobody knows.

    Args:
        model: whose metrics are asked.
        monitored: such as `"val_accuracy"`.
    """
    name = monitored.removeprefix("val_")
    if name == "loss":
        return "min"
    for metric in getattr(model, "metrics", []):
        for inner in getattr(metric, "metrics", [metric]):
            direction = getattr(inner, "_direction", None)
            if inner.name == name and direction is not None:
                return "max" if direction == "up" else "min"
    return None


class MonitorCallback(Callback):
    """Base of callbacks that watch one result and know when it gets better.

    Args:
        monitor: name of the result.
        mode: `"min"`, `"max"`, or `"auto"`: by the metric's own direction.
        baseline: what must be beaten first.
        min_delta: how much better counts as better.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        mode: str = "auto",
        baseline: float | None = None,
        min_delta: float = 0,
    ) -> None:
        super().__init__()
        if not is_a(monitor, str):
            refuse("monitor", monitor, "the name of a result", type(self).__name__)
        if mode not in ("auto", "min", "max"):
            warn(
                f"{type(self).__name__}: mode {short(mode)} is unknown, 'auto' is used instead of "
                "it ('min' and 'max' are the others).",
            )
            mode = "auto"
        self.monitor = monitor
        self.mode = mode
        self.best: Any = baseline
        self.min_delta = abs(min_delta)
        self.monitor_op: Callable[[float, float], bool] | None = None

    def _set_monitor_op(self) -> None:
        mode = self._direction() if self.mode == "auto" else self.mode
        self.monitor_op = np.less if mode == "min" else np.greater
        if mode == "min":
            self.min_delta *= -1

    def _direction(self) -> str:
        found = direction_of(self.model, self.monitor)
        if found is not None:
            return found
        raise ValueError(
            f"{type(self).__name__}: it cannot be told whether monitor={short(self.monitor)} is "
            "better high or low. Pass mode='max' or mode='min'."
        )

    def _is_improvement(self, value: float, reference: float | None) -> bool:
        if reference is None:
            return True
        if self.monitor_op is None:
            self._set_monitor_op()
        assert self.monitor_op is not None
        return bool(self.monitor_op(value - self.min_delta, reference))

    def get_monitor_value(self, logs: Logs) -> float | None:
        """The watched result, or None with a warning."""
        value = (logs or {}).get(self.monitor)
        if value is None:
            warn(
                f"{type(self).__name__}: there is no result {short(self.monitor)} to watch; there "
                f"are: {cut_text(', '.join(logs or {}))}.{nearest(self.monitor, logs or {})}",
            )
        return value


def _check_epochs(callback: Callback, **arguments: int) -> None:
    """Refuse numbers of epochs that are negative or no numbers."""
    for name, value in arguments.items():
        if not isinstance(value, numbers.Real) or not value >= 0:
            refuse(name, value, "a number of epochs, at least 0", type(callback).__name__)


class EarlyStopping(MonitorCallback):
    """Stops training when a result has not become better for a while.

    Args:
        monitor: name of the result, for example `"val_loss"`.
        min_delta: how much better counts as better.
        patience: number of epochs without anything better before training stops.
        verbose: 1 to say so.
        mode: `"min"`, `"max"` or `"auto"`.
        baseline: training also stops if the result does not beat this one.
        restore_best_weights: go back to the weights of the best epoch at the end.
        start_from_epoch: number of epochs that are not watched.

    Example:
        >>> import nkeras
        >>> stop = nkeras.callbacks.EarlyStopping(monitor="loss", patience=3)

    Source: https://keras.io/api/callbacks/early_stopping/
    """

    saved_attributes: ClassVar[Sequence[str]] = (
        "wait",
        "stopped_epoch",
        "best",
        "best_weights",
        "best_epoch",
    )

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta=min_delta)
        _check_epochs(self, patience=patience, start_from_epoch=start_from_epoch)
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self.on_train_begin()

    def on_train_begin(self, logs: Logs = None) -> None:
        """Begin anew: an instance can serve several `fit` calls."""
        self.wait = 0
        self.stopped_epoch = 0
        self.best = None
        self.best_weights: list[np.ndarray] | None = None
        self.best_epoch = 0

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Compare with the best, and stop when patience is exceeded."""
        if self.monitor_op is None:
            self._set_monitor_op()
        current = self.get_monitor_value(logs)
        if current is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            # A baseline may never be beaten: then the first weights are the best.
            self._keep(epoch)
        self.wait += 1
        if self._is_improvement(current, self.best):
            self.best = current
            self.best_epoch = epoch
            if self.restore_best_weights:
                self._keep(epoch)
            if self.baseline is None or self._is_improvement(current, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def _keep(self, epoch: int) -> None:
        self.best_weights = self.model.get_weights()
        self.best_epoch = epoch

    def on_train_end(self, logs: Logs = None) -> None:
        """Say what happened, and go back to the best weights."""
        if self.stopped_epoch > 0 and self.verbose > 0:
            io_utils.print_msg(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose > 0:
                io_utils.print_msg(
                    "Restoring model weights from the end of the best epoch: "
                    f"{self.best_epoch + 1}."
                )
            self.model.set_weights(self.best_weights)


class ReduceLROnPlateau(MonitorCallback):
    """Lowers the learning rate when a result has not become better for a while.

    Args:
        monitor: name of the result, for example `"val_loss"`.
        factor: the learning rate is multiplied by it; less than 1.
        patience: number of epochs without anything better before that.
        verbose: 1 to say so.
        mode: `"min"`, `"max"` or `"auto"`.
        min_delta: how much better counts as better.
        cooldown: number of epochs to wait after that.
        min_lr: the learning rate does not go below it.

    Example:
        >>> import nkeras
        >>> slower = nkeras.callbacks.ReduceLROnPlateau(factor=0.5, patience=2, min_lr=1e-4)

    Source: https://keras.io/api/callbacks/reduce_lr_on_plateau/
    """

    saved_attributes: ClassVar[Sequence[str]] = ("best", "cooldown_counter", "wait")

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta=min_delta)
        if factor >= 1.0:
            raise ValueError(
                "ReduceLROnPlateau: argument `factor` must be less than 1. "
                f"Received: factor={short(factor)}"
            )
        _check_epochs(self, patience=patience, cooldown=cooldown)
        self.factor = factor
        self.min_lr = min_lr
        self.patience = patience
        self.verbose = verbose
        self.cooldown = cooldown
        self.on_train_begin()

    def on_train_begin(self, logs: Logs = None) -> None:
        """Begin anew."""
        self.best = None
        self.cooldown_counter = 0
        self.wait = 0

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Compare with the best, and lower the rate when patience is exceeded."""
        if self.monitor_op is None:
            self._set_monitor_op()
        logs = {} if logs is None else logs
        logs["learning_rate"] = float(self.model.optimizer.learning_rate)
        current = self.get_monitor_value(logs)
        if current is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self._is_improvement(current, self.best):
            self.best = current
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience and self._reduce(epoch):
                self.cooldown_counter = self.cooldown
                self.wait = 0

    def _reduce(self, epoch: int) -> bool:
        optimizer = self.model.optimizer
        old = float(optimizer.learning_rate)
        if old <= np.float32(self.min_lr):
            return False
        new = max(old * self.factor, self.min_lr)
        optimizer.learning_rate = new
        if self.verbose > 0:
            io_utils.print_msg(
                f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {new}."
            )
        return True

    def in_cooldown(self) -> bool:
        """Whether it waits after a reduction."""
        return self.cooldown_counter > 0


class TerminateOnNaN(Callback):
    """Stops training when the loss is NaN or infinite.

    Args:
        raise_error: raise a RuntimeError instead of ending `fit` quietly.

    Example:
        >>> import nkeras
        >>> guard = nkeras.callbacks.TerminateOnNaN()

    Source: https://keras.io/api/callbacks/terminate_on_nan/
    """

    def __init__(self, raise_error: bool = False) -> None:
        super().__init__()
        self.raise_error = raise_error

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Look at the loss."""
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(
                f"TerminateOnNaN: the loss is {loss} at batch {batch}; training ends here."
            )
        io_utils.print_msg(f"Batch {batch}: Invalid loss, terminating training")
        self.model.stop_training = True
