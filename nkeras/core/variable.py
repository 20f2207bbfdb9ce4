"""Variable: a named tensor that `assign` replaces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from nkeras.backend import registry
from nkeras.core import dtypes, graph, naming, tape
from nkeras.core.tensor import Operators, Tensor, as_tensor, from_numpy

_autocast: ContextVar[str | None] = ContextVar("nkeras_autocast", default=None)


@contextmanager
def autocast_scope(dtype: str | None) -> Iterator[None]:
    """Inside, floating variables are read as `dtype` (None: as they are)."""
    token = _autocast.set(dtype if dtype is not None and dtypes.is_floating(dtype) else None)
    try:
        yield
    finally:
        _autocast.reset(token)


class Variable(Operators):
    """A named tensor that can be replaced: the state of layers, optimizers and metrics.

    Args:
        initializer: value (number, array, tensor), or a function `(shape, dtype=...)` of it.
        shape: shape of the value; needed with a function.
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

    def __init__(
        self,
        initializer: Any,
        shape: Sequence[int] | None = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str = "none",
        synchronization: str = "auto",
        name: str | None = None,
        *,
        host: bool = False,
    ) -> None:
        self.name = name or naming.auto_name(type(self).__name__)
        if not isinstance(self.name, str) or "/" in self.name:
            raise ValueError(
                f"Variable: argument `name` must be a string without '/'. Received: {name!r}"
            )
        if aggregation not in (None, "none", "mean", "sum", "only_first_replica"):
            raise ValueError(f"Variable: invalid argument `aggregation`: {aggregation!r}")
        self.path = "/".join((*naming.scope_path(), self.name))
        self.trainable = self._made_trainable = bool(trainable)
        self.autocast = bool(autocast)
        self.aggregation = aggregation
        self.synchronization = synchronization
        self.regularizer: Callable[[Any], Any] | None = None
        self.constraint: Callable[[Any], Any] | None = None
        self.overwrite_with_gradient = False
        self.host = host
        self._tensor = self._initial(initializer, shape, dtype)
        self.shape = self._tensor.shape
        self._dtype = self._tensor.dtype
        if graph.tracing() and callable(initializer):
            # Tapes and traces around a build must not see how the first value came about.
            self._tensor = Tensor(self._tensor.data, self._tensor.backend)

    def _initial(self, initializer: Any, shape: Sequence[int] | None, dtype: Any) -> Tensor:
        if callable(initializer):
            if shape is None:
                raise ValueError(
                    "Variable: argument `shape` is needed when `initializer` is a function."
                )
            size = tuple(int(one) for one in shape)
            if any(one < 0 for one in size):
                raise ValueError(
                    f"Variable: argument `shape` must not be negative. Received: {shape}"
                )
            with tape.paused():
                value = initializer(size, dtype=dtypes.standardize(dtype))
            tensor = self._convert(value, dtypes.standardize(dtype))
        else:
            tensor = self._convert(
                initializer, None if dtype is None else dtypes.standardize(dtype)
            )
            size = tensor.shape if shape is None else tuple(shape)
        if tensor.shape != size:
            raise ValueError(
                f"Variable {self.name!r}: the initial value has shape {tensor.shape}, "
                f"expected {size}."
            )
        return tensor

    def _convert(self, value: Any, dtype: str | None) -> Tensor:
        if isinstance(value, Variable):
            value = value.value
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
        tensor = self._tensor
        if tensor.backend is not registry.active():
            tensor = tensor.to(registry.active().name)
            if not self.host:
                self._tensor = tensor
        for one in tape.active():
            one.read(self, tensor)
        dtype = _autocast.get()
        if dtype is not None and self.autocast and dtype != tensor.dtype:
            if dtypes.is_floating(tensor.dtype):
                return self.operators["cast"](tensor, dtype)
        return tensor

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
        """Replace the value by one of the same shape.

        The variable takes a new handle of the data, so that to a tape the tensor that was assigned
        and the variable stay two things.

        Raises:
            ValueError: the shape differs.
        """
        shape = tuple(value.shape if hasattr(value, "shape") else np.shape(value))
        if shape != self.shape:
            raise ValueError(
                f"The shape of variable {self.path!r} is {self.shape}; "
                f"a value of shape {shape} cannot be assigned to it."
            )
        if type(value) is Tensor and value.dtype == self._dtype and not self.host:
            self._tensor = Tensor(value.data, value.backend)
        elif not isinstance(value, graph.KerasTensor):
            tensor = self._convert(value, self._dtype)
            self._tensor = Tensor(tensor.data, tensor.backend)
        return self

    def assign_add(self, value: Any) -> Variable:
        """Replace the value by its sum with `value`."""
        if self.host:
            return self.assign(self._tensor.numpy() + np.asarray(value))
        with autocast_scope(None):
            return self.assign(self.operators["add"](self.value, value))

    def assign_sub(self, value: Any) -> Variable:
        """Replace the value by its difference from `value`."""
        if self.host:
            return self.assign(self._tensor.numpy() - np.asarray(value))
        with autocast_scope(None):
            return self.assign(self.operators["subtract"](self.value, value))

    def numpy(self) -> np.ndarray:
        """A copy of the value as NumPy array."""
        return np.array(self._tensor.numpy())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = self.numpy()
        return array if dtype is None else array.astype(dtype)

    def __float__(self) -> float:
        return float(self._tensor)

    def __int__(self) -> int:
        return int(self._tensor)

    def __bool__(self) -> bool:
        return bool(self._tensor)

    def __index__(self) -> int:
        return self._tensor.__index__()

    def __len__(self) -> int:
        return len(self._tensor)

    def __format__(self, spec: str) -> str:
        return format(self._tensor, spec) if spec else str(self)

    def __repr__(self) -> str:
        facts = f"path={self.path}, shape={self.shape}, dtype={self._dtype}"
        return f"<Variable {facts}, value={self.numpy()}>"
