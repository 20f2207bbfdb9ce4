"""LearningRateScheduler: a learning rate for each epoch."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature

import numpy as np

from nkeras.callbacks.callback import Callback, Logs
from nkeras.core.errors import short
from nkeras.utils import io_utils


class LearningRateScheduler(Callback):
    """Sets the learning rate at the beginning of each epoch.

    Args:
        schedule: function `(epoch, learning_rate)` or `(epoch)` of the new learning rate, a float.
        verbose: 1 to say so.

    Raises:
        ValueError: `schedule` returns something else than a float.

    Example:
        >>> import nkeras
        >>> halve = nkeras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5)

    Source: https://keras.io/api/callbacks/learning_rate_scheduler/
    """

    def __init__(self, schedule: Callable[..., object], verbose: int = 0) -> None:
        super().__init__()
        self.schedule = schedule
        self.verbose = verbose

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Set the learning rate."""
        optimizer = self.model.optimizer
        if not hasattr(optimizer, "learning_rate"):
            raise ValueError('LearningRateScheduler: the optimizer has no "learning_rate".')
        if _takes_two(self.schedule):
            rate = self.schedule(epoch, float(optimizer.learning_rate))
        else:
            rate = self.schedule(epoch)
        if not isinstance(rate, (float, np.floating)):
            raise ValueError(
                "LearningRateScheduler: argument `schedule` must return a float. "
                f"Received: {short(rate)} (of type {type(rate).__name__})"
            )
        optimizer.learning_rate = rate
        if self.verbose > 0:
            io_utils.print_msg(
                f"\nEpoch {epoch + 1}: LearningRateScheduler setting learning rate to {rate}."
            )

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Add the learning rate to the results."""
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)


def _takes_two(function: Callable[..., object]) -> bool:
    try:
        signature(function).bind(0, 0.0)
    except TypeError:
        return False
    except ValueError:  # a builtin without signature
        return True
    return True
