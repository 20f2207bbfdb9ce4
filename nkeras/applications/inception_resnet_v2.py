"""Inception-ResNet V2: the branches of Inception, added to a shortcut after scaling them down.

Source: C. Szegedy and others, "Inception-v4, Inception-ResNet and the Impact of Residual
Connections on Learning", 2016, https://arxiv.org/abs/1602.07261
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from nkeras import layers
from nkeras.applications.architecture import Architecture, Request, architecture
from nkeras.applications.heads import AVERAGE, averaging_head
from nkeras.applications.imagenet_utils import decode_predictions
from nkeras.applications.imagenet_utils import from_minus_one_to_one as preprocess_input
from nkeras.applications.images import channel_axis, image_input, image_shape
from nkeras.applications.inception_v3 import averaged, convolved, side_by_side, stem
from nkeras.applications.pretrained import finished_model, tensorflow_kernels
from nkeras.core.graph import KerasTensor
from nkeras.layers.base import Layer
from nkeras.models import Functional

__all__ = ["InceptionResNetV2", "decode_predictions", "preprocess_input"]

_HASHES = ("e693bd0210a403b3192acc6073ad2e96", "d19885ff4a710c122648d3b5c3b684e4")


class CustomScaleLayer(Layer):
    """A shortcut and a branch: `inputs[0] + scale * inputs[1]`.

    Keras calls it so, and its files contain the name.

    Args:
        scale: factor of the branch.

    Input shape: two tensors of one shape. Output shape: the same.

    Example:
        >>> import nkeras
        >>> CustomScaleLayer(0.5)([nkeras.ops.ones(2), nkeras.ops.ones(2)]).numpy()
        array([1.5, 1.5], dtype=float32)
    """

    keras_module: ClassVar[str] = "keras.src.applications.inception_resnet_v2"

    def __init__(self, scale: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, inputs: Any) -> Any:
        """The sum."""
        return inputs[0] + inputs[1] * self.scale


@architecture(Architecture, "inception_resnet_v2")
def InceptionResNetV2(request: Request) -> Functional:
    """Inception-ResNet V2, 55.9 million numbers, for images of 299 x 299 and at least 75 x 75.

    Images go through `nkeras.applications.inception_resnet_v2.preprocess_input` first.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.InceptionResNetV2(
        ...     weights=None, include_top=False, input_shape=(75, 75, 3), pooling="max"
        ... )
        >>> model.output_shape
        (None, 1536)

    Source: https://arxiv.org/abs/1602.07261
    """
    images = image_input(request, image_shape(request, 299, smallest=75))
    x = _first_mix(stem(images))
    for i in range(1, 11):
        x = _small_windows(x, f"block35_{i}")
    x = _first_reduction(x)
    for i in range(1, 21):
        x = _long_windows(x, f"block17_{i}")
    x = _second_reduction(x)
    for i in range(1, 10):
        x = _short_windows(x, f"block8_{i}", 0.2)
    x = _short_windows(x, "block8_10", 1.0, is_last=True)
    x = convolved(x, 1536, 1, name="conv_7b", relu="conv_7b_ac")
    x = averaging_head(request, x, AVERAGE)
    files = tensorflow_kernels("inception_resnet_v2", "inception_resnet_v2", _HASHES)
    return finished_model(request, images, x, files)


def _first_mix(x: KerasTensor) -> KerasTensor:
    """1x1, 5x5, twice 3x3, and means."""
    one = convolved(x, 96, 1)
    five = convolved(convolved(x, 48, 1), 64, 5)
    double = convolved(convolved(convolved(x, 64, 1), 96, 3), 96, 3)
    return side_by_side([one, five, double, averaged(x, 64)], "mixed_5b")


def _small_windows(x: KerasTensor, name: str) -> KerasTensor:
    """1x1, 3x3, twice 3x3."""
    one = convolved(x, 32, 1)
    three = convolved(convolved(x, 32, 1), 32, 3)
    double = convolved(convolved(convolved(x, 32, 1), 48, 3), 64, 3)
    return _added(x, [one, three, double], name, 0.17)


def _first_reduction(x: KerasTensor) -> KerasTensor:
    three = convolved(x, 384, 3, strides=2, padding="valid")
    double = convolved(convolved(x, 256, 1), 256, 3)
    double = convolved(double, 384, 3, strides=2, padding="valid")
    return side_by_side([three, double, layers.MaxPooling2D(3, strides=2)(x)], "mixed_6a")


def _long_windows(x: KerasTensor, name: str) -> KerasTensor:
    """1x1, and 7x7 as 1x7 and 7x1."""
    one = convolved(x, 192, 1)
    seven = convolved(convolved(convolved(x, 128, 1), 160, (1, 7)), 192, (7, 1))
    return _added(x, [one, seven], name, 0.1)


def _second_reduction(x: KerasTensor) -> KerasTensor:
    first = convolved(convolved(x, 256, 1), 384, 3, strides=2, padding="valid")
    second = convolved(convolved(x, 256, 1), 288, 3, strides=2, padding="valid")
    double = convolved(convolved(x, 256, 1), 288, 3)
    double = convolved(double, 320, 3, strides=2, padding="valid")
    largest = layers.MaxPooling2D(3, strides=2)(x)
    return side_by_side([first, second, double, largest], "mixed_7a")


def _short_windows(x: KerasTensor, name: str, scale: float, is_last: bool = False) -> KerasTensor:
    """1x1, and 3x3 as 1x3 and 3x1."""
    one = convolved(x, 192, 1)
    three = convolved(convolved(convolved(x, 192, 1), 224, (1, 3)), 256, (3, 1))
    return _added(x, [one, three], name, scale, is_last)


def _added(
    x: KerasTensor,
    branches: Sequence[KerasTensor],
    name: str,
    scale: float,
    is_last: bool = False,
) -> KerasTensor:
    """The input and, scaled, as many channels made of all branches; relu but after the last."""
    mixed = side_by_side(branches, f"{name}_mixed")
    branch = layers.Conv2D(x.shape[channel_axis()], 1, padding="same", name=f"{name}_conv")(mixed)
    x = CustomScaleLayer(scale)([x, branch])
    return x if is_last else layers.Activation("relu", name=f"{name}_ac")(x)
