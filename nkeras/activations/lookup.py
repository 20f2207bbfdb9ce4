"""Activations by name: the table, `get`, `serialize` and `deserialize`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

from nkeras.activations import along_axis, rectified, smooth
from nkeras.activations.keras2 import keras2_hard_sigmoid
from nkeras.activations.smooth import linear
from nkeras.backend.scalars import activation as scalars
from nkeras.core.elementwise import Elementwise
from nkeras.core.families import resolve
from nkeras.core.serialization import deserialize_keras_object, serialize_keras_object
from nkeras.core.tensor import Tensor
from nkeras.core.typing import ActivationLike, Config
from nkeras.ops import activation as ops

# Operations made of the scalar functions; functions with a docstring of their own in their place.
ACTIVATIONS: dict[str, Callable[..., Any]] = {
    name: getattr(ops, name)
    for name in vars(scalars)
    if isinstance(getattr(ops, name, None), Elementwise)
} | {
    name: function
    for module in (along_axis, rectified, smooth)
    for name, function in vars(module).items()
    if isinstance(function, FunctionType) and function.__module__ == module.__name__
}

_KNOWN = {**ACTIVATIONS, "keras2_hard_sigmoid": keras2_hard_sigmoid}


def get(identifier: ActivationLike) -> Callable[..., Any]:
    """The activation function that a name, config or callable stands for.

    Args:
        identifier: name, dict from `serialize`, callable, or None for `linear`.

    Returns:
        The function.

    Raises:
        ValueError: there is no such activation.

    Example:
        >>> import nkeras
        >>> nkeras.activations.get("relu").__name__
        'relu'

    Source: https://keras.io/api/layers/activations/
    """
    if identifier is None:
        return linear
    if isinstance(identifier, dict):
        identifier = deserialize(identifier)
    return resolve(identifier, _KNOWN, "activation function")


def serialize(activation: Callable[..., object]) -> str | Config:
    """The name of an activation function, or the config of a custom one.

    Args:
        activation: function, or object with `get_config`.

    Returns:
        str or dict.

    Raises:
        ValueError: it has no name, as a lambda.

    Example:
        >>> import nkeras
        >>> nkeras.activations.serialize(nkeras.activations.relu)
        'relu'
    """
    return serialize_keras_object(activation)


def deserialize(
    config: str | Config, custom_objects: Mapping[str, object] | None = None
) -> Callable[..., Tensor]:
    """The activation function of a name or config.

    Args:
        config: what `serialize` returned, or what Keras saved.
        custom_objects: functions and classes by name.

    Returns:
        The function.

    Raises:
        ValueError: the name is unknown.
        TypeError: the config names something unknown.

    Example:
        >>> import nkeras
        >>> nkeras.activations.deserialize("relu").__name__
        'relu'
    """
    if isinstance(config, dict) and config.get("class_name") == "function":
        name = config["config"]
        if name in ACTIVATIONS and config.get("registered_name") in (None, "function", name):
            return ACTIVATIONS[name]
    if isinstance(config, str):
        known = {**_KNOWN, **(custom_objects or {})}
        return resolve(config, known, "activation function")
    return deserialize_keras_object(config, custom_objects)
