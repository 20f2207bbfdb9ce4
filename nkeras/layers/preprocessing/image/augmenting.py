"""What RandAugment and AugMix have in common: layers, of which some are chosen at random."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from nkeras.core.errors import refuse
from nkeras.core.graph import KerasTensor
from nkeras.core.primitive import to_tensor
from nkeras.core.typing import TensorLike
from nkeras.layers.preprocessing.image.base_image import (
    BaseImagePreprocessingLayer,
    BoxOptions,
    Factor,
)
from nkeras.layers.preprocessing.image.colors import RandomColorDegeneration
from nkeras.layers.preprocessing.image.filters import RandomSharpness
from nkeras.layers.preprocessing.image.histograms import AutoContrast, Equalization
from nkeras.layers.preprocessing.image.random_rotation import RandomRotation
from nkeras.layers.preprocessing.image.random_shear import RandomShear
from nkeras.layers.preprocessing.image.random_translation import RandomTranslation
from nkeras.layers.preprocessing.image.tones import (
    RandomBrightness,
    RandomContrast,
    RandomPosterization,
    Solarization,
)


class AugmentingLayer(BaseImagePreprocessingLayer):
    """A layer of layers, each of which is an attribute.

    Which ones are run is drawn from the seed and read by Python, so that the others cost nothing.
    A training step with such a layer inside of its model therefore runs as it comes, without a
    plan; in a data pipeline, where these layers belong, that makes no difference.
    """

    _USE_BASE_FACTOR: ClassVar[bool] = False
    _FACTOR_BOUNDS: ClassVar[tuple[float, float]] = (0, 1)

    def _set_strength(
        self, factor: Factor, value_range: Sequence[float], interpolation: str, seed: int | None
    ) -> None:
        self._set_factor(factor)
        self._set_value_range(value_range)
        if interpolation not in ("nearest", "bilinear"):
            owner = type(self).__name__
            refuse("interpolation", interpolation, '"nearest" or "bilinear"', owner)
        self.interpolation = interpolation
        self._set_seed(seed)

    def _make_layers(self, names: Sequence[str], options: BoxOptions) -> None:
        """Make those layers; their options are the layer's own but for its name."""
        shared: dict[str, Any] = {**options, "data_format": self.data_format}
        shared.pop("name", None)
        factor, seeded = self.factor, {"seed": self.seed}
        ranged: dict[str, Any] = {"value_range": self.value_range}
        moved = {"interpolation": self.interpolation, **seeded}
        toned = {**ranged, **seeded}
        bits = max(1, int(8 * factor[1]))
        makers: dict[str, tuple[Callable[..., BaseImagePreprocessingLayer], dict[str, Any]]] = {
            "random_shear": (RandomShear, {"x_factor": factor, "y_factor": factor, **moved}),
            "random_translation": (
                RandomTranslation,
                {"height_factor": factor, "width_factor": factor, **moved},
            ),
            "random_rotation": (RandomRotation, {"factor": factor, **moved}),
            "random_posterization": (RandomPosterization, {"factor": bits, **toned}),
            "solarization": (
                Solarization,
                {"addition_factor": factor, "threshold_factor": factor, **toned},
            ),
            "auto_contrast": (AutoContrast, ranged),
            "equalization": (Equalization, ranged),
            "random_brightness": (RandomBrightness, {"factor": factor, **toned}),
            "random_color_degeneration": (RandomColorDegeneration, {"factor": factor, **toned}),
            "random_contrast": (RandomContrast, {"factor": factor, **toned}),
            "random_sharpness": (RandomSharpness, {"factor": factor, **toned}),
        }
        for name in names:
            make, own = makers[name]
            setattr(self, name, make(**own, **shared))

    def _layer(self, name: str) -> BaseImagePreprocessingLayer:
        return getattr(self, name)


def as_ints(values: TensorLike) -> list[int]:
    """The numbers of a tensor for Python; of a symbolic one, where any will do, zeros."""
    if isinstance(values, KerasTensor):
        return [0] * (values.shape[0] or 0)
    return [int(value) for value in to_tensor(values)]
