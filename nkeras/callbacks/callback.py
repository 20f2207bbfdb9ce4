"""Callback: what `fit`, `evaluate` and `predict` tell while they run; and LambdaCallback."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from nkeras.core.configurable import Configurable
from nkeras.core.typing import Config

if TYPE_CHECKING:
    from nkeras.models.model import Model

Logs: TypeAlias = "Config | None"


class Callback(Configurable):
    """Base class of callbacks; override the methods of the moments that matter.

    `logs` hold Python floats. Methods for batches cost time on each step only if they are
    overridden.

    Attributes:
        params: dict with `verbose`, `epochs` and `steps`.
        model: the model that is trained.
        saved_attributes: names of attributes that go on in a training that `BackupAndRestore`
            resumes: numbers, texts, arrays, and lists and dicts of them. Those of base classes
            need not be repeated.

    Example:
        >>> import nkeras
        >>> class Shout(nkeras.callbacks.Callback):
        ...     def on_train_begin(self, logs=None):
        ...         print("Here we go!")
        >>> Shout().on_train_begin()
        Here we go!

    Source: https://keras.io/api/callbacks/base_callback/
    """

    saved_attributes: ClassVar[Sequence[str]] = ()
    accepts_lazy_logs = False  # True: batch methods get the mapping as it is, perhaps not computed

    def __init__(self) -> None:
        self.params: Config | None = None
        self._model: Any = None

    def set_params(self, params: Config) -> None:
        """Called before the first event with `verbose`, `epochs` and `steps`."""
        self.params = params

    def set_model(self, model: Model) -> None:
        """Called before the first event with the model."""
        self._model = model

    @property
    def model(self) -> Model:
        """The model that is trained."""
        return self._model

    def on_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """The older name of `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        """The older name of `on_train_batch_end`."""

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """An epoch of `fit` begins.

        Args:
            epoch: index of the epoch, from 0.
            logs: nothing at present.
        """

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """An epoch of `fit`, with its validation, is over.

        Args:
            epoch: index of the epoch, from 0.
            logs: results of the epoch; those of the validation have the prefix `val_`.
        """

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """A step of `fit` begins (or several, with `steps_per_execution`)."""
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """A step of `fit` is over; `logs` are the results of the epoch up to it."""
        self.on_batch_end(batch, logs=logs)

    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """A step of `evaluate`, or of the validation in `fit`, begins."""

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """A step of `evaluate`, or of the validation in `fit`, is over."""

    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """A step of `predict` begins."""

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        """A step of `predict` is over; `logs["outputs"]` are its outputs."""

    def on_train_begin(self, logs: Logs = None) -> None:
        """`fit` begins."""

    def on_train_end(self, logs: Logs = None) -> None:
        """`fit` is over; `logs` are those of the last epoch."""

    def on_test_begin(self, logs: Logs = None) -> None:
        """`evaluate`, or the validation in `fit`, begins."""

    def on_test_end(self, logs: Logs = None) -> None:
        """`evaluate`, or the validation in `fit`, is over."""

    def on_predict_begin(self, logs: Logs = None) -> None:
        """`predict` begins."""

    def on_predict_end(self, logs: Logs = None) -> None:
        """`predict` is over."""

    def _on_interruption(self) -> None:
        """An exception ends `fit`, `evaluate` or `predict`, which no `on_..._end` will tell."""


class LambdaCallback(Callback):
    """A callback made of functions, for short things.

    Args:
        on_epoch_begin: function `(epoch, logs)`.
        on_epoch_end: function `(epoch, logs)`.
        on_train_begin: function `(logs)`.
        on_train_end: function `(logs)`.
        on_train_batch_begin: function `(batch, logs)`.
        on_train_batch_end: function `(batch, logs)`.
        **kwargs: any other method of `Callback` by name.

    Example:
        >>> import nkeras
        >>> losses = []
        >>> keep = nkeras.callbacks.LambdaCallback(
        ...     on_epoch_end=lambda epoch, logs: losses.append(logs["loss"]))

    Source: https://keras.io/api/callbacks/lambda_callback/
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., object] | None = None,
        on_epoch_end: Callable[..., object] | None = None,
        on_train_begin: Callable[..., object] | None = None,
        on_train_end: Callable[..., object] | None = None,
        on_train_batch_begin: Callable[..., object] | None = None,
        on_train_batch_end: Callable[..., object] | None = None,
        **kwargs: Callable[..., object],
    ) -> None:
        super().__init__()
        given = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
        }
        self.__dict__.update(kwargs)
        self.__dict__.update({name: value for name, value in given.items() if value is not None})
