"""Constraints by name: the table, `get`, `serialize` and `deserialize`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nkeras.constraints.constraints import Constraint, MaxNorm, MinMaxNorm, NonNeg, UnitNorm
from nkeras.core.serialization import deserialize_keras_object, resolve, serialize_keras_object

CONSTRAINTS = {cls.__name__: cls for cls in (Constraint, MaxNorm, MinMaxNorm, NonNeg, UnitNorm)}


def get(identifier: Any) -> Any:
    """The constraint that a name, config, class or callable stands for; None stays None.

    Args:
        identifier: class name (also in snake case), dict from `serialize`, class, callable or None.

    Returns:
        Callable or None.

    Raises:
        ValueError: there is no such constraint.

    Example:
        >>> import nkeras
        >>> type(nkeras.constraints.get("MaxNorm")).__name__
        'MaxNorm'
    """
    if identifier is None:
        return None
    if isinstance(identifier, dict):
        identifier = deserialize(identifier)
    return resolve(identifier, CONSTRAINTS, "constraint")


def serialize(constraint: Any) -> Any:
    """The configuration of a constraint as a dict.

    Args:
        constraint: object with `get_config`, or a named function.

    Returns:
        dict.

    Example:
        >>> import nkeras
        >>> nkeras.constraints.serialize(nkeras.constraints.MaxNorm())["class_name"]
        'MaxNorm'
    """
    return serialize_keras_object(constraint)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The inverse of `serialize`.

    Args:
        config: what `serialize` returned, `{"class_name": ..., "config": {...}}` or None.
        custom_objects: classes and functions by name.

    Returns:
        Callable or None.

    Raises:
        TypeError: the config names something unknown.

    Example:
        >>> import nkeras
        >>> config = {"class_name": "MaxNorm", "config": {}}
        >>> type(nkeras.constraints.deserialize(config)).__name__
        'MaxNorm'
    """
    return deserialize_keras_object(config, {**CONSTRAINTS, **(custom_objects or {})})
