"""Layers as configurations, and back."""

from __future__ import annotations

from collections.abc import Mapping

from nkeras.core.errors import is_a, short
from nkeras.core.serialization import deserialize_keras_object, serialize_keras_object
from nkeras.core.typing import Config
from nkeras.layers.base import Layer


def serialize(layer: Layer) -> Config:
    """A layer as a dict that is ready for JSON, without its weights.

    Args:
        layer: a layer or model.

    Returns:
        Dict with `class_name`, `config` and where the class is found.

    Example:
        >>> import nkeras
        >>> nkeras.layers.serialize(nkeras.layers.Dense(3))["class_name"]
        'Dense'

    Source: https://keras.io/api/models/model_saving_apis/serialization_utils/
    """
    return serialize_keras_object(layer)


def deserialize(config: Config, custom_objects: Mapping[str, object] | None = None) -> Layer:
    """A layer from what `serialize` returned.

    Args:
        config: dict with `class_name` and `config`.
        custom_objects: classes and functions of the user's by name.

    Returns:
        A layer with new weights.

    Raises:
        ValueError: the dict describes no layer.

    Example:
        >>> import nkeras
        >>> config = nkeras.layers.serialize(nkeras.layers.Dense(3))
        >>> nkeras.layers.deserialize(config).units
        3

    Source: https://keras.io/api/models/model_saving_apis/serialization_utils/
    """
    layer = deserialize_keras_object(config, custom_objects=custom_objects)
    if not is_a(layer, Layer):
        raise ValueError(
            "layers.deserialize: argument `config` must describe a layer. Received: "
            f"config={short(config)}"
        )
    return layer
