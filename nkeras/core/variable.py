"""Variable: a named tensor that `assign` replaces."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from nkeras.backend import registry
from nkeras.backend.protocol import Array
from nkeras.core import (
    dtypes,
    graph,
    guards,
    host,
    naming,
    observer,
    recomputing,
    slices,
    storage_lock,
    tape,
)
from nkeras.core.compile_ahead import compile_ahead, settled
from nkeras.core.errors import as_bool, is_a, short
from nkeras.core.scope import Scope
from nkeras.core.strings import STRING, no_text
from nkeras.core.tensor import Operators, Tensor, as_tensor, from_numpy
from nkeras.core.typing import DTypeLike, TensorLike

_autocast: ContextVar[str | None] = ContextVar("nkeras_autocast", default=None)


def autocast_scope(dtype: str | None) -> Scope[str | None]:
    """Inside, floating variables are read as `dtype` (None: as they are)."""
    return Scope(_autocast, dtype if dtype is not None and dtypes.is_floating(dtype) else None)


_postponed: ContextVar[list[Variable] | None] = ContextVar("nkeras_postponed", default=None)


@contextmanager
def postponed_values() -> Generator[list[Variable], None, None]:
    """Inside, new variables get no value by their initializer before somebody wants it.

    A trace that meets such a variable goes on with its shape and dtype, so that a model can be
    built, and compared with a file, before any array is made. At the end of the block those that
    have no value yet get one; after an error none does.

    Yields:
        The variables, as they come.
    """
    variables: list[Variable] = []
    token = _postponed.set(variables)
    try:
        yield variables
    finally:
        _postponed.reset(token)
    for variable in variables:
        variable.settle()


def stored(store: Any, key: str) -> Any:
    """An entry of a mapping; if it is an array in a file, one that is not read yet."""
    return store.stored(key) if hasattr(store, "stored") else np.asarray(store[key])


changes = 0  # counts changes of the values of any variables
moves = 0  # counts how often any variable has left its storage for another backend


class _Trainable(host.Switch):
    """A switch that is True or False."""

    def __set__(self, instance: Variable, value: object) -> None:
        super().__set__(instance, as_bool(value, "trainable", "Variable"))


_NO_STORAGE = {"_storage": None, "_home": None, "_is_away": False, "_initializer": None}


class _Value:
    """The value of a variable on its way into a copy, which has the tensor, or into a file.

    Attributes:
        tensor: None where it came from a file.
        array: the value, from a file.
    """

    __slots__ = ("array", "tensor")

    def __init__(self, tensor: Tensor | None, array: Array | None = None) -> None:
        self.tensor = tensor
        self.array = array

    def __deepcopy__(self, memo: object) -> _Value:
        return self

    def __reduce__(self) -> tuple[type[_Value], tuple[None, np.ndarray]]:
        assert self.tensor is not None
        return _Value, (None, self.tensor.backend.to_numpy(self.tensor.data))


class Variable(Operators, guards.Guarded):
    """A named tensor that can be replaced: the state of layers, optimizers and metrics.

    Args:
        initializer: value (number, array, tensor), a function `(shape, dtype=...)` of it, or the
            name of an initializer, such as `"zeros"`.
        shape: shape of the value; needed with a function or a name.
        dtype: dtype name; that of the value, or `floatx` with a function, by default.
        trainable: whether training updates it.
        autocast: whether layers with a mixed-precision policy may read it as their compute dtype.
        aggregation: kept for Keras' sake: nkeras trains on one device.
        synchronization: kept for Keras' sake.
        name: name without `/`.
        host: keep the value in NumPy whatever the active backend is.

    Example:
        >>> import nkeras
        >>> v = nkeras.Variable([1.0, 2.0], name="scale")
        >>> v.assign_add([1.0, 1.0]).numpy()
        array([2., 3.], dtype=float32)

    Source: https://keras.io/api/ops/core/ (keras.Variable)
    """

    trainable = _Trainable()
    regularizer = guards.GuardedAttribute()
    constraint = guards.GuardedAttribute()
    overwrite_with_gradient = guards.GuardedAttribute()

    def __init__(
        self,
        initializer: TensorLike | Callable[..., TensorLike] | str,
        shape: Sequence[int] | None = None,
        dtype: DTypeLike = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str = "none",
        synchronization: str = "auto",
        name: str | None = None,
        *,
        host: bool = False,
    ) -> None:
        self.name = name or naming.auto_name(type(self).__name__)
        if not is_a(self.name, str) or "/" in self.name:
            raise ValueError(
                f"Variable: argument `name` must be a string without '/'. Received: {short(name)}"
            )
        if aggregation not in (None, "none", "mean", "sum", "only_first_replica"):
            raise ValueError(f"Variable: invalid argument `aggregation`: {short(aggregation)}")
        self.path = "/".join((*naming.scope_path(), self.name))
        self.trainable = self.made_trainable = as_bool(trainable, "trainable", "Variable")
        self.autocast = bool(autocast)
        self.aggregation = aggregation
        self.synchronization = synchronization
        self.regularizer = None
        self.constraint = None
        self.overwrite_with_gradient = False
        self.host = host
        self.version = 0  # counts changes of the value
        self._home: Any = None
        self._storage: Any = None  # where plans read and write the value, once there are any
        self._is_away = False  # on another backend: the storage holds an old value
        self._initializer: Callable[[], Tensor] | None = None
        self._tensor: Tensor | None = None
        first: TensorLike | Callable[..., TensorLike] = (
            # Initializers stand on a floor above this one.
            import_module("nkeras.initializers").get(initializer)
            if isinstance(initializer, str)
            else initializer
        )
        postponed = _postponed.get()
        if postponed is not None and callable(first) and shape is not None and not host:
            self.shape = self._size(shape)
            self._dtype = dtypes.standardize(dtype)
            self._initializer = partial(self._initial, first, self.shape, self._dtype)
            postponed.append(self)
            return
        tensor = self._initial(first, shape, dtype)
        self.shape = tensor.shape
        self._dtype = tensor.dtype
        if graph.tracing() and callable(first):
            # Tapes and traces around a build must not see how the first value came about.
            tensor = Tensor(tensor.data, tensor.backend)
        # None after a plan has written the storage, until somebody wants the value.
        self._tensor = tensor

    @staticmethod
    def _size(shape: Sequence[int]) -> tuple[int, ...]:
        if None in shape:
            raise ValueError(
                "Variable: argument `shape` must be known in full, without None. "
                f"Received: {short(shape)}"
            )
        size = tuple(int(length) for length in shape)
        if any(length < 0 for length in size):
            raise ValueError(
                f"Variable: argument `shape` must not be negative. Received: {short(shape)}"
            )
        return size

    def _initial(
        self,
        initializer: TensorLike | Callable[..., TensorLike],
        shape: Sequence[int] | None,
        dtype: DTypeLike,
    ) -> Tensor:
        if callable(initializer):
            if shape is None:
                raise ValueError(
                    "Variable: argument `shape` is needed when `initializer` is a name or function."
                )
            size = self._size(shape)
            with tape.paused(), compile_ahead():
                value = initializer(size, dtype=dtypes.standardize(dtype))
            tensor = self._convert(value, dtypes.standardize(dtype))
        else:
            tensor = self._convert(
                initializer, None if dtype is None else dtypes.standardize(dtype)
            )
            size = tensor.shape if shape is None else tuple(shape)
        if tensor.dtype == STRING:
            raise no_text(f"Variable {short(self.name)}")
        if tensor.shape != size:
            raise ValueError(
                f"Variable {short(self.name)}: the initial value has shape {tensor.shape}, "
                f"expected {size}."
            )
        return tensor

    def as_value(self, value: TensorLike) -> Tensor:
        """A tensor that may stand for the value; one of its dtype is taken as it is."""
        if isinstance(value, Variable):
            value = value.value
        if type(value) is Tensor and value.dtype == self._dtype and not self.host:
            return value
        return self._convert(value, self._dtype)

    def _convert(self, value: Any, dtype: str | None) -> Tensor:
        if isinstance(value, Variable):
            value = value.value
        if self.host and dtype is not None:
            return Tensor(np.array(value, dtypes.to_numpy(dtype)), registry.load("numpy"))
        if isinstance(value, np.ndarray):
            value = value.copy()
        if not self.host:
            if isinstance(value, Tensor) and value.backend is not registry.active():
                value = value.to(registry.active().name)
            with tape.paused():
                return as_tensor(value, dtype)
        with registry.use_backend("numpy"):
            return from_numpy(np.array(value), dtype)

    @property
    def value(self) -> Tensor:
        """The current value, on the active backend."""
        if self._tensor is None and self.is_symbolic():
            return graph.symbolic(self.shape, self.dtype)
        tensor = self._current()
        run = recomputing.active()
        is_own = run is None or run.is_own(self)
        if run is not None:
            tensor = run.value(self, tensor)
        if tensor.backend is not registry.active():
            tensor = tensor.to(registry.active().name)
            if is_own and not self.host:
                self._tensor = tensor
                if self._storage is not None:
                    self._store(tensor)
        if is_own:
            recorder = observer.active()
            if recorder is not None:
                recorder.read(self, tensor)
            for watching in tape.active():
                watching.read(self, tensor)
        dtype = _autocast.get()
        if dtype is not None and self.autocast and dtype != tensor.dtype:
            if dtypes.is_floating(tensor.dtype):
                return self.operators["cast"](tensor, dtype)
        return tensor

    def settle(self) -> None:
        """Have a value, where it was postponed."""
        self._current()

    def is_symbolic(self) -> bool:
        """Whether a trace goes on without its value, which is postponed."""
        return self._tensor is None and self._storage is None and graph.tracing()

    @property
    def dtype(self) -> str:
        """The dtype that `value` has here."""
        dtype = _autocast.get()
        if dtype is not None and self.autocast and dtypes.is_floating(self._dtype):
            return dtype
        return self._dtype

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    def assign(self, value: Any) -> Variable:
        """Replace the value by one of the same shape; where shapes are inferred, keep it.

        The variable takes a new handle of the data, so that to a tape the tensor that was assigned
        and the variable stay two things.

        Raises:
            ValueError: the shape differs.
        """
        slices.refuse("a variable is assigned")
        shape = tuple(value.shape if hasattr(value, "shape") else np.shape(value))
        if shape != self.shape:
            raise ValueError(
                f"The shape of variable {short(self.path)} is {self.shape}; "
                f"a value of shape {short(shape)} cannot be assigned to it."
            )
        if isinstance(value, graph.KerasTensor) or graph.tracing():
            return self
        if type(value) is not Tensor or value.dtype != self._dtype or self.host:
            value = self._convert(value, self._dtype)
        run = recomputing.active()
        if run is not None and run.keeps(self, value):
            return self
        self._tensor = tensor = value.handle()
        recorder = observer.active()
        if recorder is not None:
            recorder.assign(self, tensor)
        if self._storage is not None:
            self._store(tensor)
        self._changed()  # last: a plan of another thread must not take the old value for the new
        return self

    def assign_add(self, value: TensorLike) -> Variable:
        """Replace the value by its sum with `value`."""
        slices.refuse("a variable is assigned")
        if self.host:
            return self._count(np.asarray(value))
        with autocast_scope(None):
            return self.assign(self.operators["add"](self.value, value))

    def _count(self, number: np.ndarray) -> Variable:
        """Add a number to a variable of the host; a plan does so in each replay."""
        run = recomputing.active()
        if graph.tracing():
            return self
        if run is not None and observer.active() is None:
            return self.assign(self._seen().numpy() + number)
        if run is None or not run.keeps(self, None):
            host.on_host(lambda: self._replace(self._seen().data + number))
        return self

    def _changed(self) -> None:
        global changes
        changes += 1
        self.version += 1

    def _replace(self, number: float | np.ndarray) -> None:
        """Assign a number to a variable of the host, many times in a step."""
        before = self._current()
        self._tensor = Tensor(np.array(number, before.data.dtype), before.backend)
        self._changed()

    def assign_sub(self, value: TensorLike) -> Variable:
        """Replace the value by its difference from `value`."""
        slices.refuse("a variable is assigned")
        if self.host:
            return self._count(-np.asarray(value))
        with autocast_scope(None):
            return self.assign(self.operators["subtract"](self.value, value))

    # How plans reach the value: it lives in an array of its own, at one address.

    def storage(self) -> Array:
        """The array that holds the value, for plans to read and write from now on."""
        with storage_lock.lock:
            if self._storage is None:
                tensor = self.value
                self._home = tensor.backend
                self._storage = self._home.copy(settled(tensor))
                self._tensor = None
            elif self._is_away:
                self.value  # noqa: B018  comes home
            return self._storage

    @staticmethod
    def overwrite(variables: Sequence[Variable]) -> None:
        """A plan writes their storage. Tensors that were read before keep their values."""
        global changes
        changes += 1
        for variable in variables:
            variable._tensor = None
            variable.version += 1

    def _current(self) -> Tensor:
        tensor = self._tensor
        if tensor is None:
            with storage_lock.lock:
                if self._storage is None:
                    assert self._initializer is not None
                    self._tensor = tensor = self._initializer()
                    self._initializer = None
                    return tensor
                home = self._home
                tensor = self._tensor = Tensor(home.copy(self._storage), home)
        return tensor

    def _store(self, tensor: Tensor) -> None:
        global moves
        if tensor.backend is self._home:
            copying = self._home.copy_to, (self._storage, settled(tensor))
            storage_lock.write(frozenset((self,)), [copying])
            self._is_away = False
        else:
            self._is_away = True
            moves += 1

    def __getstate__(self) -> dict[str, object]:
        """A copy has a storage of its own, when a plan wants one."""
        return {**self.__dict__, "_tensor": _Value(self._current()), **_NO_STORAGE}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """The value stays where it was, or goes to the active backend when somebody wants it."""
        value = state["_tensor"]
        self.__dict__.update(state, _tensor=value.tensor)
        if value.tensor is not None:
            return
        if self.host:
            self._tensor = Tensor(value.array, registry.load("numpy"))
        else:
            self._initializer = partial(from_numpy, value.array, self._dtype)

    def _seen(self) -> Tensor:
        """The value, for Python to look at."""
        recorder = observer.active()
        if recorder is not None:
            recorder.fail(f"Python looks at the variable {self.path!r}")
        run = recomputing.active()
        if run is not None and not run.is_own(self):
            return run.value(self, self._current())
        return self._current()

    def numpy(self) -> np.ndarray:
        """A copy of the value as NumPy array."""
        return np.array(self._seen().numpy())

    def frozen(self) -> np.ndarray:
        """The value as a NumPy array that nobody can write; without a copy where it is in memory.

        It stays as it is when the variable gets another value.
        """
        array = self._seen().numpy().view()
        array.flags.writeable = False
        return array

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        array = self.numpy()
        return array if dtype is None else array.astype(dtype)

    def _number(self) -> float:
        tensor = self._seen()
        return tensor.data.item() if self.host else tensor.item()

    def __float__(self) -> float:
        return float(self._number())

    def __int__(self) -> int:
        return int(self._number())

    def __bool__(self) -> bool:
        return bool(self._seen())

    def __index__(self) -> int:
        return self._seen().__index__()

    def __len__(self) -> int:
        return len(self._seen())

    def __format__(self, spec: str) -> str:
        return format(self._seen(), spec) if spec else str(self)

    def __repr__(self) -> str:
        facts = f"path={self.path}, shape={self.shape}, dtype={self._dtype}"
        return f"<Variable {facts}, value={self.numpy()}>"
