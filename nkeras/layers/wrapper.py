"""A layer around another one."""

from __future__ import annotations

from collections.abc import Mapping

from nkeras.core.errors import is_a, short
from nkeras.core.serialization import deserialize_keras_object
from nkeras.core.typing import AllLayerOptions, Config, Self, Shapes, Unpack
from nkeras.layers.base import Layer


class Wrapper(Layer):
    """What layers around another layer share; a subclass defines `call`.

    Args:
        layer: the layer inside.

    Raises:
        ValueError: `layer` is no layer.

    Example:
        >>> import nkeras
        >>> class Twice(Wrapper):
        ...     def call(self, inputs):
        ...         return self.layer(self.layer(inputs))
        >>> Twice(nkeras.layers.Dense(3))(nkeras.ops.ones((2, 3))).shape
        (2, 3)

    Source: https://keras.io/api/layers/core_layers/
    """

    def __init__(self, layer: Layer, **kwargs: Unpack[AllLayerOptions]) -> None:
        if not is_a(layer, Layer):
            raise ValueError(
                f"{type(self).__name__}: argument `layer` must be a layer. Received: {short(layer)}"
            )
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, input_shape: Shapes) -> None:
        """Build the layer inside."""
        if not self.layer.built:
            self.layer.build(input_shape)

    @classmethod
    def from_config(
        cls, config: Config, custom_objects: Mapping[str, object] | None = None
    ) -> Self:
        """A layer from what `get_config` returned, with names of the user's own classes."""
        return cls(**deserialize_keras_object(config, custom_objects=custom_objects))
