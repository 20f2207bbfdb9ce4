"""Pipeline: layers one after the other, as one layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from nkeras.core.errors import is_a, refuse, short
from nkeras.core.serialization import deserialize_keras_object
from nkeras.core.typing import Config, Masks, Self, Structure
from nkeras.layers.base import Layer
from nkeras.layers.calling import masks_of, signature_of
from nkeras.layers.preprocessing.data_layer import DataLayer


class Pipeline(DataLayer):
    """Calls layers one after the other; made for preprocessing and augmentation of data.

    Other than a `Sequential` model it is a plain layer, and called outside of a model it trains:
    random layers draw unless `training=False` is given.

    Args:
        layers: list of layers.
        name: name.

    Call arguments: `inputs`, whatever the first layer takes; `training`, True by default; `mask`.

    Raises:
        ValueError: `layers` is no list of layers.

    Example:
        >>> import nkeras
        >>> steps = [nkeras.layers.Rescaling(1 / 255), nkeras.layers.Normalization()]
        >>> Pipeline(steps)([[0, 255]]).numpy()
        array([[0., 1.]], dtype=float32)

    Source: https://keras.io/api/layers/preprocessing_layers/pipeline/
    """

    config_reads: ClassVar[Mapping[str, str]] = {"name": "name", "layers": "layers"}
    saved_as: ClassVar[Mapping[str, str]] = {"_pipeline_layers": "layers"}

    def __init__(self, layers: Sequence[Layer], name: str | None = None) -> None:
        super().__init__(name=name, autocast=False)
        if not is_a(layers, (list, tuple)) or not all(is_a(one, Layer) for one in layers):
            refuse("layers", layers, "a list of layers", "Pipeline")
        self._pipeline_layers = list(layers)

    @property
    def layers(self) -> list[Layer]:
        """The layers, in the order in which they are called."""
        return self._pipeline_layers

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """A pipeline from what `get_config` returned."""
        if not is_a(config.get("layers"), (list, tuple)):
            raise ValueError(
                "Pipeline: its configuration must have a list of `layers`. Received: "
                f"layers={short(config.get('layers'))}"
            )
        return cls(**deserialize_keras_object(config))

    def call(
        self, inputs: Structure, training: bool | None = True, mask: Masks = None
    ) -> Structure:
        """What the last layer gives."""
        for layer in self._pipeline_layers:
            takes = signature_of(type(layer).call)
            named = dict[str, object]()
            if "mask" in takes.mask_names and mask is not None:
                named["mask"] = mask
            if takes.has_training and training is not None:
                named["training"] = training
            inputs = layer(inputs, **named)
            mask = masks_of(inputs)
        return inputs
