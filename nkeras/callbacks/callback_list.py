"""CallbackList: one callback that tells many; and logs that are computed when somebody looks."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from nkeras.callbacks.callback import Callback
from nkeras.callbacks.history import History, ProgbarLogger
from nkeras.core import tree
from nkeras.core.errors import short
from nkeras.core.typing import CallbacksLike, Config, Logs

if TYPE_CHECKING:
    from nkeras.models.model import Model

_Kind = TypeVar("_Kind", bound=Callback)

_ALIASES = {
    "on_train_batch_begin": "on_batch_begin",
    "on_train_batch_end": "on_batch_end",
}


class LazyLogs(Mapping[str, Any]):
    """Results of a step that are computed at the first look, which must come before the next step.

    Args:
        compute: function that returns the results, a dict of numbers or tensors.
    """

    def __init__(self, compute: Callable[[], Logs]) -> None:
        self._compute = compute
        self._found: Logs | None = None

    def _results(self) -> Logs:
        if self._found is None:
            self._found = self._compute()
        return self._found

    def __getitem__(self, name: str) -> Any:
        return self._results()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._results())

    def __len__(self) -> int:
        return len(self._results())


def to_numbers(logs: Logs | None) -> Config:
    """A new dict of Python floats by name; what is no single number stays what it is."""
    numbers: Config = {}
    for name, value in sorted((logs or {}).items()):
        if isinstance(value, Mapping):
            numbers.update(to_numbers(value))
            continue
        try:
            numbers[name] = float(value)
        except (TypeError, ValueError):  # an array or a text: the callback knows what it asked for
            numbers[name] = value
    return numbers


class CallbackList(Callback):
    """Several callbacks in one, for `fit` and for training loops of your own.

    Args:
        callbacks: list of callbacks, or one.
        add_history: add a `History` unless there is one.
        add_progbar: add a `ProgbarLogger` unless there is one.
        model: the model that is trained.
        **params: what callbacks find in `params`: `verbose`, `epochs`, `steps`.

    Example:
        >>> import nkeras
        >>> told = nkeras.callbacks.CallbackList(
        ...     [nkeras.callbacks.LambdaCallback(on_train_begin=lambda logs: print("begin"))])
        >>> told.on_train_begin()
        begin

    Source: https://keras.io/api/callbacks/
    """

    def __init__(
        self,
        callbacks: CallbacksLike = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: object,
    ) -> None:
        super().__init__()
        self.callbacks: list[Callback] = tree.flatten(callbacks) if callbacks else []
        for callback in self.callbacks:
            if isinstance(callback, type) or not hasattr(callback, "set_model"):
                raise TypeError(
                    "Argument `callbacks` must hold instances of nkeras.callbacks.Callback. "
                    f"Received: {short(callback)} (of type {type(callback).__name__})"
                )
        self._listeners: dict[str, list[Callback]] = {}
        self._history = self._find(History)
        if self._history is None and add_history:
            self._history = History()
            self.callbacks.append(self._history)
        if self._find(ProgbarLogger) is None and add_progbar:
            self.callbacks.append(ProgbarLogger())
        self.set_model(model)
        self.set_params(params)

    def _find(self, kind: type[_Kind]) -> _Kind | None:
        return next((callback for callback in self.callbacks if isinstance(callback, kind)), None)

    def append(self, callback: Callback) -> None:
        """Add a callback at the end."""
        self.callbacks.append(callback)
        self._listeners.clear()

    def set_params(self, params: Config) -> None:
        """Hand on the parameters."""
        self.params = params
        if params:
            for callback in self.callbacks:
                callback.set_params(params)

    def set_model(self, model: Model | None) -> None:
        """Hand on the model, and give it the History."""
        if model is None:
            return
        super().set_model(model)
        if self._history is not None:
            model.history = self._history
        for callback in self.callbacks:
            callback.set_model(model)

    def _tell(self, event: str, *arguments: object, logs: Logs | None) -> None:
        numbers = to_numbers(logs)
        for callback in self.callbacks:
            getattr(callback, event)(*arguments, numbers)

    def _tell_batch(
        self, event: str, batch: int, logs: Logs | None, as_numbers: bool = True
    ) -> None:
        # Steps are many: only those are told who listen, and numbers are made only for them.
        if event not in self._listeners:
            self._listeners[event] = [
                callback for callback in self.callbacks if _listens(callback, event)
            ]
        numbers = None
        for callback in self._listeners[event]:
            if not as_numbers or getattr(callback, "accepts_lazy_logs", False):
                getattr(callback, event)(batch, logs=logs)
                continue
            if numbers is None:
                numbers = to_numbers(logs)
            getattr(callback, event)(batch, logs=numbers)

    @contextmanager
    def telling(self) -> Generator[None, None, None]:
        """Around all events; callbacks that hold something let go of it after an exception."""
        try:
            yield
        except BaseException:
            with ExitStack() as stack:  # each is told, whatever others raise
                for callback in reversed(self.callbacks):
                    # Users may pass objects that only look like callbacks.
                    stack.callback(getattr(callback, "_on_interruption", lambda: None))
            raise

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Tell all."""
        self._tell_batch("on_batch_begin", batch, logs)

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Tell all."""
        self._tell_batch("on_batch_end", batch, logs)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Tell all."""
        self._tell("on_epoch_begin", epoch, logs=logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Tell all."""
        self._tell("on_epoch_end", epoch, logs=logs)

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Tell all."""
        self._tell_batch("on_train_batch_begin", batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Tell all."""
        self._tell_batch("on_train_batch_end", batch, logs)

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Tell all."""
        self._tell_batch("on_test_batch_begin", batch, logs)

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Tell all."""
        self._tell_batch("on_test_batch_end", batch, logs)

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Tell all."""
        self._tell_batch("on_predict_batch_begin", batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Tell all; outputs stay arrays."""
        self._tell_batch("on_predict_batch_end", batch, logs, as_numbers=False)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Tell all."""
        self._tell("on_train_begin", logs=logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Tell all."""
        self._tell("on_train_end", logs=logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Tell all."""
        self._tell("on_test_begin", logs=logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Tell all."""
        self._tell("on_test_end", logs=logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Tell all."""
        self._tell("on_predict_begin", logs=logs)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Tell all."""
        self._tell("on_predict_end", logs=logs)


def _listens(callback: object, event: str) -> bool:
    """Whether the callback does anything at an event of a step."""
    names = [event, _ALIASES[event]] if event in _ALIASES else [event]
    if not isinstance(callback, Callback):
        return True
    return any(
        name in vars(callback) or getattr(type(callback), name) is not getattr(Callback, name)
        for name in names
    )
