"""Progress: how far a training is, and all that goes on from one step to the next in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from nkeras.callbacks.callback import Callback
from nkeras.callbacks.callback_list import CallbackList, to_numbers
from nkeras.core.errors import short, warn
from nkeras.core.random import random_states, restore_random_states
from nkeras.core.typing import Config, Logs, Structure
from nkeras.training.epochs import Epochs
from nkeras.training.remembered import (
    count_of,
    part_of,
    restore_attributes,
    saved_attributes,
)

if TYPE_CHECKING:
    from nkeras.training.trainer import Trainer


class Follower(Callback):
    """A callback that knows how far the training is.

    Attributes:
        progress: of the training that it was told of last.
    """

    progress: Progress | None = None


class Progress:
    """How far a call of `fit` is.

    Beside weights and optimizer, which belong to the model, its state is: epoch and step, the
    metrics of the epoch under way, the order of the data and the position in it, what callbacks
    remember, and random numbers that no layer draws.

    Args:
        trainer: the model.
        data: its data.
        callbacks: who is told.
        epoch: the first epoch.

    Attributes:
        epoch: epoch under way, or the next one.
        step: steps of it that are done.
        logs: the latest results.
        keepers: called when a step or an epoch is done and all callbacks were told.
        resume: puts back a state that was kept, once more: after callbacks were told that the
            training begins, and in an epoch under way that the epoch begins, which they answer by
            changing something.
    """

    def __init__(self, trainer: Trainer, data: Epochs, callbacks: CallbackList, epoch: int) -> None:
        self._trainer = trainer
        self._data = data
        self._callbacks = callbacks
        self.epoch = epoch
        self.step = 0
        self.logs: Logs = {}
        self.keepers: list[Callable[[], None]] = []
        self.resume: Callable[[], None] | None = None
        for callback in callbacks.callbacks:
            if isinstance(callback, Follower):
                callback.progress = self

    def prepare(self) -> None:
        """Make all that a state is put into; its values are of no meaning yet."""
        self._trainer.try_step(self._data)

    def begin_training(self) -> None:
        """All callbacks know that the training begins."""
        if self.resume is not None and self.step == 0:
            self._resume()

    def begin_epoch(self) -> None:
        """All callbacks know that an epoch begins."""
        if self.resume is not None:
            self._data.begin_source()
            self._resume()

    def _resume(self) -> None:
        assert self.resume is not None
        self.resume()
        self.resume = None

    def is_over(self, epochs: int) -> bool:
        """Whether a callback has ended a training that is resumed, or there is no epoch left."""
        return self.epoch >= epochs or (self.step == 0 and self._trainer.stop_training)

    def end_step(self, last: int, logs: Logs) -> None:
        """All callbacks know that the steps up to `last` are done."""
        self.step = last + 1
        if self.keepers:
            self.logs = logs
            self._tell()

    def end_epoch(self, epoch: int, logs: Logs) -> None:
        """All callbacks know that an epoch is done."""
        self.epoch, self.step, self.logs = epoch + 1, 0, logs
        self._tell()

    def _tell(self) -> None:
        for keep in self.keepers:
            keep()

    def state(self) -> Config:
        """All of it as plain values and arrays."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "logs": {
                name: value for name, value in to_numbers(self.logs).items() if type(value) is float
            },
            "stop_training": self._trainer.stop_training,
            "metrics": [
                [variable.numpy() for variable in metric.variables]
                for metric in self._trainer.metrics
            ],
            "data": self._data.state(),
            "callbacks": [
                [type(callback).__name__, saved_attributes(callback)]
                for callback in self._callbacks.callbacks
            ],
            "random": random_states(),
        }

    def restore(self, state: Config) -> None:
        """Put back what `state` returned.

        Raises:
            ValueError: it does not fit this training.
        """
        self.epoch = count_of(state, "epoch")
        self.step = count_of(state, "step")
        self.logs = part_of(state, "logs", dict)
        self._trainer.stop_training = part_of(state, "stop_training", bool)
        if self.step:  # else they begin anew
            self._restore_metrics(part_of(state, "metrics", list))
        self._restore_callbacks(part_of(state, "callbacks", list))
        self._data.restore(part_of(state, "data", dict), self.step)
        restore_random_states(part_of(state, "random", dict))

    def _restore_metrics(self, stored: Sequence[Structure]) -> None:
        metrics = self._trainer.metrics
        shapes = [[variable.shape for variable in metric.variables] for metric in metrics]
        found = [[tuple(array.shape) for array in arrays] for arrays in stored]
        if shapes != found:
            raise ValueError(
                "The state of a training has other metrics than the model, whose variables have "
                f"the shapes {short(shapes)}. Received: {short(found)}. Call `compile` as before."
            )
        for metric, arrays in zip(metrics, stored, strict=True):
            for variable, array in zip(metric.variables, arrays, strict=True):
                variable.assign(array)

    def _restore_callbacks(self, stored: Sequence[Structure]) -> None:
        left = [(str(name), state) for name, state in stored]
        for callback in self._callbacks.callbacks:
            name = type(callback).__name__
            found = next((i for i, pair in enumerate(left) if pair[0] == name), None)
            if found is not None:
                restore_attributes(callback, left.pop(found)[1])
        lost = [name for name, state in left if state]
        if lost:
            warn(
                f"The training that is resumed had the callbacks {short(lost)}, which are not "
                "among those of this one; what they remembered is lost."
            )
