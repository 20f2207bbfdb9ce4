"""The host: what Python decides and computes anew in each step, said so that a replay does it too.

Numbers that the host computes in each step (learning rates, seeds) are made by `live`: a plain
number where nothing is recorded, else a `Live`, which a replay asks again.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Hashable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nkeras.core import guards
from nkeras.core.observer import Observer, active

if TYPE_CHECKING:
    from nkeras.core.tensor import Tensor
    from nkeras.core.variable import Variable


class Choice(NamedTuple):
    """A question to the host; the answer decides how a step goes on.

    Attributes:
        variable: the host's variable from which the answer follows.
    """

    ask: Callable[[], Any]
    variable: Variable


class Live:
    """A number (or tuple of numbers) of the host that each replay computes again.

    Arithmetic gives further ones. What needs the value itself, such as `float()`, ends the
    recording, for the replay would go on with the number of now.
    """

    __slots__ = ("function", "observer", "value")

    def __init__(self, function: Callable[[], Any], observer: Observer) -> None:
        self.function = function
        self.observer = observer
        self.refresh()

    def refresh(self) -> None:
        """Compute it again."""
        self.value = self.function()

    @property
    def __class__(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """To `isinstance` it is the number; `type()` says Live."""
        return type(self.value)

    @property
    def dtype(self) -> str:
        """The weak dtype of a Python number."""
        return "float" if isinstance(self.value, float) else "int"

    def _escape(self) -> Any:
        self.observer.fail("Python looks at a number that changes from step to step")
        return self.value

    def __float__(self) -> float:
        return float(self._escape())

    def __int__(self) -> int:
        return int(self._escape())

    def __index__(self) -> int:
        return self._escape().__index__()

    def __bool__(self) -> bool:
        return bool(self._escape())

    def __array__(self, *arguments: Any, **named: object) -> np.ndarray:
        return np.array(self._escape(), *arguments)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._escape())

    def __getitem__(self, key: int) -> Any:
        return self._escape()[key]

    def __len__(self) -> int:
        return len(self.value)

    def __round__(self, digits: int | None = None) -> Any:
        return round(self._escape(), digits)

    def __str__(self) -> str:
        return str(self._escape())

    def __format__(self, spec: str) -> str:
        return format(self._escape(), spec)

    def __divmod__(self, other: float) -> Any:
        return divmod(self._escape(), plain(other))

    def __rdivmod__(self, other: float) -> Any:
        return divmod(other, self._escape())

    def __hash__(self) -> int:
        return id(self)


def _arithmetic(function: Callable[[Any, Any], Any], reflected: bool = False) -> Any:
    def method(self: Live, other: object) -> Any:
        if not isinstance(other, (int, float, Live)):
            return NotImplemented
        key = (function, reflected, self, other)
        if reflected:
            return live(lambda: function(plain(other), self.value), key)
        return live(lambda: function(self.value, plain(other)), key)

    return method


def _unary(function: Callable[[Any], Any]) -> Any:
    return lambda self: live(lambda: function(self.value), (function, self))


def _comparison(function: Callable[[Any, Any], bool]) -> Any:
    return lambda self, other: function(self._escape(), plain(other))


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
    setattr(Live, f"__{_name}__", _arithmetic(getattr(operator, _name)))
    setattr(Live, f"__r{_name}__", _arithmetic(getattr(operator, _name), reflected=True))
for _name in ("neg", "pos", "abs"):
    setattr(Live, f"__{_name}__", _unary(getattr(operator, _name)))
for _name in ("trunc", "floor", "ceil"):
    setattr(Live, f"__{_name}__", _unary(getattr(math, _name)))
for _name in ("eq", "lt", "le", "gt", "ge"):
    setattr(Live, f"__{_name}__", _comparison(getattr(operator, _name)))


def plain(value: Any) -> Any:
    """The number of now of a Live; everything else is itself."""
    return value.value if type(value) is Live else value


def number(value: float | Live) -> float | Live:
    """`float(value)`, or the Live that it is."""
    return value if type(value) is Live else float(value)


def live(function: Callable[[], Any], key: Hashable = None) -> Any:
    """`function()`; while a step is recorded, a Live that each replay computes at this place.

    Where a `key` is given and nothing happened on the host since it was given last, the Live is the
    same.
    """
    observer = active()
    return function() if observer is None else observer.live(function, key)


def choice(ask: Callable[[], Any], variable: Variable) -> Any:
    """`ask()`, by which Python goes one way or another: each answer has a plan of its own.

    The answer must follow from `variable`, one of the host, as it is when the step begins. Asking
    again gives an equal function, such as a method.
    """
    observer = active()
    return ask() if observer is None else observer.choice(Choice(ask, variable))


def on_host(function: Callable[..., object], *tensors: Tensor) -> None:
    """Call `function` with the values of tensors, NumPy arrays, now and here in each replay.

    It may raise, count, or assign variables of the host; it must not compute what other operations
    use.
    """
    observer = active()
    if observer is None:
        function(*[tensor.on_host() for tensor in tensors])
    else:
        observer.on_host(function, tensors)


def either(flag: Tensor, body: Callable[[], None], otherwise: Callable[[], None]) -> None:
    """Call `body` where a boolean tensor holds, else `otherwise`, also in each replay.

    What `body` computes is not used behind it, and what it assigns is assigned there only.
    `otherwise` works on variables of the host.
    """
    observer = active()
    if observer is not None:
        observer.either(flag, body, otherwise)
    elif bool(flag):
        body()
    else:
        otherwise()


class Switch:
    """An attribute that comes and goes, so that each of its values has plans of its own."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        observer = active()
        if observer is not None:
            observer.look_at_switch(instance, self.name)
        return instance.__dict__[self.name]

    def __set__(self, instance: Any, value: object) -> None:
        if instance.__dict__.get(self.name, value) is not value:
            guards.switched()
        instance.__dict__[self.name] = value
