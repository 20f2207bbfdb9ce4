"""Configurable: objects that are described by the arguments they were made with."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from types import FunctionType
from typing import TYPE_CHECKING, ClassVar

from nkeras.core.errors import nearest, short
from nkeras.core.policies import DTypePolicy
from nkeras.core.primitive import Primitive
from nkeras.core.serialization import deserialize_keras_object
from nkeras.core.serialization import serialize_keras_object as serialized
from nkeras.core.typing import Config, Self

ANY = object()
"""In `config_omits`: left out whatever its value is."""

_PLAIN = (bool, int, float, str)
_missing = object()


class _Signature:
    """`inspect.signature` of a class is that of its constructor; `__new__` hides it otherwise."""

    def __get__(self, instance: object, owner: type) -> inspect.Signature:
        if instance is not None:
            raise AttributeError("__signature__")
        if owner.__init__ is object.__init__:
            return inspect.Signature()
        return inspect.Signature(list(inspect.signature(owner.__init__).parameters.values())[1:])


class Configurable:
    """An object with a configuration: the arguments of its constructor, as they are now.

    Arguments are captured when the object is made. `get_config` reads each from the attribute of
    its name, and takes what was captured where there is none. Where `**kwargs` go on to a base
    class, its arguments belong to the configuration as well. What differs is declared:

    Attributes:
        config_reads: by argument, the attribute that it is read from instead.
        config_first: arguments that come first, in this order.
        config_omits: by argument, the value with which configurations leave it out; `ANY` for all.
        config_takes_more: whether the `**kwargs` of this very class's constructor end there, so
            that arguments of `config_reads` may be among them.
    """

    config_reads: ClassVar[Mapping[str, str]] = {}
    config_first: ClassVar[tuple[str, ...]] = ()
    config_omits: ClassVar[Mapping[str, object]] = {}
    config_takes_more: ClassVar[bool] = False
    __signature__ = _Signature()
    _captured: dict[str, object]

    if not TYPE_CHECKING:  # editors shall show the constructor's arguments

        def __new__(cls, *args: object, **kwargs: object) -> Self:
            """Remember the constructor's arguments."""
            made = super().__new__(cls)
            made.__dict__["_captured"] = _bound(cls, args, kwargs)
            return made

    def get_config(self) -> Config:
        """The constructor's arguments, ready for JSON.

        In a `get_config` of the user's own, `super().get_config()` has the arguments of the nearest
        class of nkeras, as in Keras.
        """
        return {name: serialized(value) for name, value in self._arguments().items()}

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """An object from what `get_config` returned."""
        return cls(**deserialize_keras_object(config))

    def __repr__(self) -> str:
        """The call that makes such an object: arguments that differ from their defaults."""
        parameters, _ = _parameters(type(self))
        first: list[str] = []
        named: list[str] = []
        arguments = self._arguments()
        for name in sorted(arguments, key=[*parameters, *arguments].index):
            value = arguments[name]
            default = parameters[name].default if name in parameters else _missing
            if default is inspect.Parameter.empty and not named:
                first.append(_described(value))
            elif self._is_given(name, value, default):
                named.append(f"{name}={_described(value)}")
        return f"{type(self).__name__}({', '.join(first + named)})"

    def _is_given(self, name: str, value: object, default: object) -> bool:
        """Whether an argument differs from its default: as it is now, or as it was given."""
        if name == "name" or (isinstance(value, _PLAIN) and isinstance(default, _PLAIN)):
            return _described(value) != _described(default)
        return not _equal(self._captured.get(name, default), default)

    def _arguments(self) -> dict[str, object]:
        """The values of now, by argument."""
        cls = type(self)
        ours = next(filter(_is_ours, cls.__mro__))
        describing = next(base for base in cls.__mro__ if "get_config" in base.__dict__)
        if _is_ours(describing):
            parameters, takes_more = _parameters(cls)
            # What a constructor of the user's gives its base class, it will give again.
            names = [*(parameters if cls is ours else ()), *self._captured]
            names += [name for name in self.config_reads if takes_more or name in parameters]
        else:
            parameters, takes_more = _parameters(ours)
            names = [*parameters, *(self.config_reads if takes_more else ())]
        first = [name for name in self.config_first if name in names]
        values = {name: self._argument(name) for name in [*first, *names]}
        return {name: value for name, value in values.items() if self._is_listed(name, value)}

    def _argument(self, name: str) -> object:
        if name in self.config_reads:
            return getattr(self, self.config_reads[name], _missing)
        known = self.__dict__
        return known[name] if name in known else self._captured.get(name, _missing)

    def _is_listed(self, name: str, value: object) -> bool:
        if value is _missing:
            return False
        without = self.config_omits.get(name, _missing)
        return without is not ANY and not _equal(value, without)


def _is_ours(cls: type) -> bool:
    return cls.__module__.partition(".")[0] == "nkeras"


def argument_names(cls: type) -> list[str]:
    """The arguments of a class's constructor, those that go on to a base class included."""
    return list(_parameters(cls)[0])


_signature_of = lru_cache(1024)(inspect.signature)


def _bound(cls: type, args: tuple[object, ...], kwargs: dict[str, object]) -> dict[str, object]:
    """A constructor's arguments by name, defaults included."""
    captured = None if args else _named(_defaults_of(cls.__init__), kwargs)
    if captured is not None:
        return captured
    signature = _signature_of(cls.__init__)
    try:
        bound = signature.bind(None, *args, **kwargs)
    except TypeError as error:
        for name in kwargs:
            if name not in signature.parameters:
                known = argument_names(cls)
                raise TypeError(f"{cls.__name__}: {error}.{nearest(name, known)}") from None
        return {}  # the constructor itself raises the error, with a better message
    bound.apply_defaults()
    captured = dict(list(bound.arguments.items())[1:])
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            captured.update(captured.pop(parameter.name, {}))
        elif parameter.kind is parameter.VAR_POSITIONAL:
            captured.pop(parameter.name, None)
    return captured


def _named(
    defaults: Iterable[tuple[str, object, object]], kwargs: dict[str, object]
) -> dict[str, object] | None:
    """The arguments where all are given by name, in a tenth of the time; None for others."""
    captured: dict[str, object] = {}
    given = 0
    takes_more = False
    for name, default, kind in defaults:
        if kind is inspect.Parameter.POSITIONAL_ONLY:
            return None
        if name in kwargs:
            captured[name] = kwargs[name]
            given += 1
        elif kind is inspect.Parameter.VAR_KEYWORD:
            takes_more = True
        elif kind is not inspect.Parameter.VAR_POSITIONAL:
            if default is inspect.Parameter.empty:
                return None
            captured[name] = default
    if given < len(kwargs):
        if not takes_more:
            return None
        captured.update((name, value) for name, value in kwargs.items() if name not in captured)
    return captured


@lru_cache(1024)
def _defaults_of(constructor: Callable[..., object]) -> list[tuple[str, object, object]]:
    """Name, default and kind of each parameter behind the first."""
    parameters = list(_signature_of(constructor).parameters.values())[1:]
    found = [(one.name, one.default, one.kind) for one in parameters]
    more = inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL
    # A `**kwargs` may hold an argument of that very name, which then is none of these.
    return [(f"*{name}" if kind in more else name, default, kind) for name, default, kind in found]


def _parameters(cls: type) -> tuple[dict[str, inspect.Parameter], bool]:
    """The parameters of a constructor and of those its `**kwargs` go to; whether it takes more."""
    found: dict[str, inspect.Parameter] = {}
    for base in cls.__mro__:
        if "__init__" in base.__dict__ and issubclass(base, Configurable):
            parameters = list(_signature_of(base.__init__).parameters.values())[1:]
            for parameter in parameters:
                if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                    found.setdefault(parameter.name, parameter)
            if base.__dict__.get("config_takes_more", False):
                return found, True
            if all(parameter.kind is not parameter.VAR_KEYWORD for parameter in parameters):
                return found, False
    return found, bool(found)


def _equal(a: object, b: object) -> bool:
    return a is b or (type(a) is type(b) and isinstance(a, (*_PLAIN, tuple)) and a == b)


def _described(value: object) -> str:
    if isinstance(value, (FunctionType, Primitive)):
        return f'"{value.__name__}"'
    if isinstance(value, DTypePolicy):
        return f'"{value.name}"'
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, float):
        value = float(f"{value:.6g}")  # without what float32 adds
    return " ".join(short(value, 60).split())  # arrays have several lines
