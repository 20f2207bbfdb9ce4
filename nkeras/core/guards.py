"""Guards: what a recorded step depends on beside its tensors, and whether that has changed since.

A recording notes the objects that it meets: layers, losses, metrics, optimizers, variables. Setting
an attribute of one changes the guards of the recordings that met it, and of no others. What comes
and goes, such as `trainable`, is a switch: its state is part of the key of a plan instead.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

from nkeras.core.python_values import PythonValues, is_of_users

_MANY = 10_000  # a longer container holds data, not objects that a step depends on

# A function that each replay calls; what a constructor was given, which attributes follow from;
# where the value of a variable lies.
_PASSED_BY = ("_learning_rate", "_captured", "_tensor", "_storage", "_home")

switchings = 0
"""Counts changes of switches."""


class Guard:
    """Counts the changes of all that a recorded step met.

    Attributes:
        changes: how many there were.
        latest: what has changed last.
    """

    def __init__(self) -> None:
        self.changes = 0
        self.latest = ""
        self._values = PythonValues(self._meet_guarded)
        self._containers: dict[int, object] = {}
        _guards.add(self)

    def check(self) -> int:
        """`changes`, after a look at the plain values of users' functions."""
        if self._values and (what := self._values.change()) is not None:
            self.count(what)
        return self.changes

    def met_users_code(self) -> bool:
        """Whether it met code of users."""
        return self._values.has_code()

    def met_iterators(self) -> bool:
        """Whether code of users can reach what gives another value each time it is asked."""
        return self._values.has_iterators()

    def count(self, what: str) -> None:
        """A thing has changed."""
        self.changes += 1
        self.latest = what

    def _meet_guarded(self, value: object) -> bool:
        is_guarded = isinstance(value, Guarded)
        if is_guarded:
            self.meet(value)
        return is_guarded

    def meet(self, value: object) -> None:
        """The step depends on the guarded objects in a value: itself, its attributes and items."""
        if isinstance(value, Guarded):
            met_by = value.__dict__.get("_met_by")
            if met_by is None:
                met_by = value.__dict__["_met_by"] = _MetBy()
            elif self in met_by.guards:
                return
            met_by.guards.add(self)
            if is_of_users(type(value)):
                self._values.note_object(value)
        elif isinstance(value, (list, tuple, dict, set)):
            if id(value) in self._containers or len(value) > _MANY:
                return
            self._containers[id(value)] = value
        elif not _is_of_training(value):
            self._values.note(value)
            return
        for item in _items(value):
            self.meet(item)


_guards: weakref.WeakSet[Guard] = weakref.WeakSet()


class _MetBy:
    """The guards of the recordings that met an object. A copy of the object was met by none."""

    __slots__ = ("guards",)

    def __init__(self) -> None:
        self.guards: weakref.WeakSet[Guard] = weakref.WeakSet()

    def __deepcopy__(self, memo: object) -> _MetBy:
        return _MetBy()

    def __reduce__(self) -> tuple[type[_MetBy], tuple[()]]:
        return _MetBy, ()


class Guarded:
    """An object that recorded steps depend on; it says itself what has changed."""


class GuardedAttributes(Guarded):
    """An object all of whose attributes recorded steps depend on."""

    def __setattr__(self, name: str, value: object) -> None:
        if is_change(self, name, value):
            changed(self, name)
        super().__setattr__(name, value)


def changed(owner: object, name: str) -> None:
    """An attribute of a guarded object has changed."""
    met_by = owner.__dict__.get("_met_by")
    if met_by is not None:
        for guard in list(met_by.guards):
            guard.count(f"{type(owner).__name__}.{name}")


def all_changed(what: str) -> None:
    """Something has changed that every step may depend on, such as a setting."""
    for guard in list(_guards):
        guard.count(what)


def switched() -> None:
    """A switch has changed."""
    global switchings
    switchings += 1


def is_change(owner: object, name: str, value: object) -> bool:
    """Whether setting an attribute replaces a value, one of the class included, by another one."""
    before = owner.__dict__.get(name, _unset)
    if before is _unset:
        before = getattr(type(owner), name, _unset)
    if before is value or before is _unset:
        return False
    if type(before) is type(value) and type(value) in (bool, int, float, str):
        return before != value or value == 0  # 0.0 and -0.0 are equal
    return True


_unset = object()


def _is_of_training(value: object) -> bool:
    """What `compile` made holds losses and metrics."""
    return type(value).__module__.startswith("nkeras.training.compil")


def _items(value: Any) -> Iterator[object]:
    if isinstance(value, (list, tuple, set)):
        return iter(list(value))
    named = value if isinstance(value, dict) else vars(value)
    return iter([item for name, item in list(named.items()) if name not in _PASSED_BY])


class GuardedAttribute:
    """An attribute that recorded steps depend on."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = f"_{name}"

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else instance.__dict__[self.name]

    def __set__(self, instance: Any, value: object) -> None:
        if instance.__dict__.get(self.name, value) is not value:
            changed(instance, self.name)
        instance.__dict__[self.name] = value
