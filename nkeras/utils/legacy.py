"""Configurations in the format of Keras 2: class names without modules.

Source: https://keras.io/api/utils/
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from nkeras.core import missing
from nkeras.core.errors import short
from nkeras.core.serialization import (
    custom_object_scope,
    get_registered_name,
    get_registered_object,
)
from nkeras.core.typing import Config

__all__ = ["deserialize_keras_object", "serialize_keras_object"]

_NESTED = "__passive_serialization__"


def serialize_keras_object(instance: Any) -> Any:
    """A dict of class name and configuration, or the name of a function.

    Args:
        instance: object with `get_config`, function, or None.

    Returns:
        dict, name or None.

    Raises:
        ValueError: it has neither `get_config` nor a name.

    Example:
        >>> import nkeras
        >>> config = serialize_keras_object(nkeras.regularizers.L1(0.5))
        >>> config["class_name"], config["config"]
        ('L1', {'l1': 0.5})
    """
    instance = inspect.unwrap(instance)
    if instance is None:
        return None
    if hasattr(instance, "get_config"):
        config = {name: _nested(value) for name, value in instance.get_config().items()}
        return {"class_name": get_registered_name(type(instance)), "config": config}
    if hasattr(instance, "__name__"):
        return get_registered_name(instance)
    raise ValueError(
        f"serialize_keras_object: {short(instance)} has neither `get_config()` nor a name."
    )


def _nested(value: Any) -> Any:
    if not hasattr(value, "get_config") and not hasattr(value, "__name__"):
        return value
    described = serialize_keras_object(value)
    return {**described, _NESTED: True} if isinstance(described, dict) else described


def deserialize_keras_object(
    identifier: Any,
    module_objects: Mapping[str, Any] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    printable_module_name: str = "object",
) -> Any:
    """The inverse of `serialize_keras_object`.

    Args:
        identifier: what `serialize_keras_object` returned, a function, or None.
        module_objects: classes and functions by name.
        custom_objects: further ones, which come first.
        printable_module_name: what such an object is, for error messages.

    Returns:
        The object or function, or None.

    Raises:
        ValueError: it names nothing known.

    Example:
        >>> from nkeras import regularizers
        >>> config = {"class_name": "L1", "config": {"l1": 0.5}}
        >>> deserialize_keras_object(config, {"L1": regularizers.L1})
        L1(l1=0.5)
    """
    if identifier is None or inspect.isfunction(identifier):
        return identifier
    with custom_object_scope({**(module_objects or {}), **(custom_objects or {})}):
        if isinstance(identifier, str):
            found = _known(identifier, printable_module_name)
            return found() if inspect.isclass(found) else found
        if not isinstance(identifier, dict) or not {"class_name", "config"} <= set(identifier):
            raise ValueError(
                f"Improper config format for {short(identifier)}. A dict with the keys "
                "`class_name` and `config` is expected."
            )
        cls = _known(identifier["class_name"], printable_module_name)
        config: Config = {name: _restored(value) for name, value in identifier["config"].items()}
        return cls.from_config(config) if hasattr(cls, "from_config") else cls(**config)


def _restored(value: Any) -> Any:
    if isinstance(value, dict) and _NESTED in value:
        return deserialize_keras_object({**value}, printable_module_name="config_item")
    if isinstance(value, str):
        found = get_registered_object(value)
        return found if inspect.isfunction(found) else value
    return value


def _known(name: str, kind: str) -> Any:
    found = get_registered_object(name)
    if found is None:
        raise ValueError(
            f"Unknown {kind}: {short(name)}. Give it in `custom_objects`, or open a "
            "`nkeras.utils.custom_object_scope` that knows it."
        )
    return found


missing.explain(__name__)
