"""Regularizers by name: the table, `get`, `serialize` and `deserialize`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nkeras.core.serialization import deserialize_keras_object, resolve, serialize_keras_object
from nkeras.regularizers.regularizers import L1, L1L2, L2, OrthogonalRegularizer, Regularizer

REGULARIZERS = {cls.__name__: cls for cls in (Regularizer, L2, L1, L1L2, OrthogonalRegularizer)}
REGULARIZERS |= {"l1": L1, "l2": L2, "l1_l2": L1L2, "l1l2": L1L2}


def get(identifier: Any) -> Any:
    """The regularizer that a name, config, class or callable stands for; None stays None.

    Args:
        identifier: class name (also in snake case), dict from `serialize`, class, callable or None.

    Returns:
        Callable or None.

    Raises:
        ValueError: there is no such regularizer.

    Example:
        >>> import nkeras
        >>> type(nkeras.regularizers.get("L2")).__name__
        'L2'
    """
    if identifier is None:
        return None
    if isinstance(identifier, dict):
        identifier = deserialize(identifier)
    return resolve(identifier, REGULARIZERS, "regularizer")


def serialize(regularizer: Any) -> Any:
    """The configuration of a regularizer as a dict.

    Args:
        regularizer: object with `get_config`, or a named function.

    Returns:
        dict.

    Example:
        >>> import nkeras
        >>> nkeras.regularizers.serialize(nkeras.regularizers.L2())["class_name"]
        'L2'
    """
    return serialize_keras_object(regularizer)


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
        >>> config = {"class_name": "L2", "config": {}}
        >>> type(nkeras.regularizers.deserialize(config)).__name__
        'L2'
    """
    return deserialize_keras_object(config, {**REGULARIZERS, **(custom_objects or {})})
