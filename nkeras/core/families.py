"""Kinds of objects, such as losses: found by name, class or configuration."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any, TypeVar

from nkeras.core import naming
from nkeras.core.errors import nearest, short
from nkeras.core.serialization import (
    deserialize_keras_object,
    get_registered_object,
    serialize_keras_object,
)
from nkeras.core.typing import Structure

T = TypeVar("T")


def resolve(
    identifier: object, table: Mapping[str, object], family: str, base: type | None = None
) -> Any:
    """What `get(identifier)` of a family of objects does.

    Args:
        identifier: name, config dict, class, instance or callable.
        table: classes and functions of the family by class name.
        family: for the error message, for example `"initializer"`.
        base: a class: instances of it are returned as they are.

    Raises:
        ValueError: it names nothing of the family.
    """
    found = identifier
    if isinstance(identifier, dict):
        found = deserialize_keras_object(identifier)
    elif isinstance(identifier, str):
        found = get_registered_object(identifier) or _by_name(identifier, table)
    if inspect.isclass(found):
        found = found()
    if found is not None and (callable(found) or (base is not None and isinstance(found, base))):
        return found
    hint = nearest(identifier, table) or " A name, a configuration or an object is expected."
    raise ValueError(f"Could not interpret {family} identifier: {short(identifier)}.{hint}")


def _by_name(name: str, table: Mapping[str, object]) -> object:
    if name in table:
        return table[name]
    lowered = {key.lower(): value for key, value in table.items()}
    snake = {naming.to_snake_case(key): value for key, value in table.items()}
    return snake.get(name) or lowered.get(name.lower())


def classes_in(modules: Iterable[ModuleType], base: type[T]) -> dict[str, type[T]]:
    """The public subclasses of a class that modules define, by name; also itself."""
    return {
        name: thing
        for module in modules
        for name, thing in vars(module).items()
        if isinstance(thing, type) and issubclass(thing, base)
        if thing.__module__ == module.__name__ and not name.startswith("_")
    }


class Family:
    """`get`, `serialize` and `deserialize` of one kind of objects, such as losses.

    Args:
        noun: for error messages, for example `"loss"`.
        table: classes and functions by name.
        base: a class whose instances belong to the family even if they cannot be called.
    """

    def __init__(self, noun: str, table: Mapping[str, object], base: type | None = None) -> None:
        self.noun = noun
        self.table = table
        self.base = base

    def get(self, identifier: object) -> Any:
        """What a name, config, class or object stands for; None stays None.

        Args:
            identifier: class or function name (also in snake case), dict from `serialize`, class,
                object, callable or None.

        Returns:
            The object or function, or None.

        Raises:
            ValueError: there is nothing of that name.
        """
        if identifier is None:
            return None
        if isinstance(identifier, dict):
            identifier = self.deserialize(identifier)
        return resolve(identifier, self.table, self.noun, self.base)

    def serialize(self, thing: object) -> Any:
        """The configuration: a dict, or the name of a built-in function.

        Args:
            thing: object with `get_config`, or a named function.

        Returns:
            What `deserialize` takes.
        """
        return serialize_keras_object(thing)

    def deserialize(
        self, config: Structure, custom_objects: Mapping[str, object] | None = None
    ) -> Any:
        """The inverse of `serialize`.

        Args:
            config: name, `{"class_name": ..., "config": {...}}` or None.
            custom_objects: further classes and functions by name.

        Returns:
            The object or function, or None.

        Raises:
            ValueError, TypeError: it names nothing known.
        """
        known = {**self.table, **(custom_objects or {})}
        if isinstance(config, str):
            return resolve(config, known, self.noun, self.base)
        return deserialize_keras_object(config, known)
