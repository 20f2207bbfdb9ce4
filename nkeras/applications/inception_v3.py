"""Inception V3: convolutions of several sizes side by side, large ones in two steps.

Source: C. Szegedy and others, "Rethinking the Inception Architecture for Computer Vision", 2015,
https://arxiv.org/abs/1512.00567
"""

from __future__ import annotations

from collections.abc import Sequence

from nkeras import layers
from nkeras.applications.architecture import Architecture, Request, architecture
from nkeras.applications.heads import AVERAGE, averaging_head
from nkeras.applications.imagenet_utils import decode_predictions
from nkeras.applications.imagenet_utils import from_minus_one_to_one as preprocess_input
from nkeras.applications.images import channel_axis, image_input, image_shape
from nkeras.applications.pretrained import finished_model, tensorflow_kernels
from nkeras.core.graph import KerasTensor
from nkeras.models import Functional

__all__ = ["InceptionV3", "decode_predictions", "preprocess_input"]

_HASHES = ("9a0d58056eeedaa3f26cb7ebd46da564", "bcbd6486424b2319ff4ef7d526e38f63")


@architecture(Architecture, "inception_v3")
def InceptionV3(request: Request) -> Functional:
    """Inception V3, 23.9 million numbers, for images of 299 x 299 and at least 75 x 75.

    Images go through `nkeras.applications.inception_v3.preprocess_input` first.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.InceptionV3(
        ...     weights=None, include_top=False, input_shape=(75, 75, 3)
        ... )
        >>> model.output_shape
        (None, 1, 1, 2048)

    Source: https://arxiv.org/abs/1512.00567
    """
    images = image_input(request, image_shape(request, 299, smallest=75))
    x = stem(images)
    for block, width in ((0, 32), (1, 64), (2, 64)):
        x = _small_windows(x, width, f"mixed{block}")
    x = _first_reduction(x)
    for block, width in ((4, 128), (5, 160), (6, 160), (7, 192)):
        x = _long_windows(x, width, f"mixed{block}")
    x = _second_reduction(x)
    for block in (0, 1):
        x = _crossed_windows(x, block)
    x = averaging_head(request, x, AVERAGE)
    files = tensorflow_kernels("inception_v3", "inception_v3", _HASHES)
    return finished_model(request, images, x, files)


def convolved(
    x: KerasTensor,
    filters: int,
    kernel_size: int | tuple[int, int],
    strides: int = 1,
    padding: str = "same",
    name: str | None = None,
    relu: str | None = None,
) -> KerasTensor:
    """A convolution, batch normalization without a scale, relu; also by names of their own."""
    norm = None if name is None else f"{name}_bn"
    x = layers.Conv2D(
        filters, kernel_size, strides=strides, padding=padding, use_bias=False, name=name
    )(x)
    x = layers.BatchNormalization(axis=channel_axis(), scale=False, name=norm)(x)
    return layers.Activation("relu", name=relu)(x)


def stem(images: KerasTensor) -> KerasTensor:
    """The first layers, also of Inception-ResNet: an eighth of height and width."""
    x = convolved(images, 32, 3, strides=2, padding="valid")
    x = convolved(x, 32, 3, padding="valid")
    x = convolved(x, 64, 3)
    x = layers.MaxPooling2D(3, strides=2)(x)
    x = convolved(x, 80, 1, padding="valid")
    x = convolved(x, 192, 3, padding="valid")
    return layers.MaxPooling2D(3, strides=2)(x)


def averaged(x: KerasTensor, filters: int) -> KerasTensor:
    """The branch of means of 3x3 pixels."""
    return convolved(layers.AveragePooling2D(3, strides=1, padding="same")(x), filters, 1)


def side_by_side(branches: Sequence[KerasTensor], name: str | None = None) -> KerasTensor:
    """The channels of all branches."""
    return layers.Concatenate(axis=channel_axis(), name=name)(branches)


def _small_windows(x: KerasTensor, width: int, name: str) -> KerasTensor:
    """1x1, 5x5, twice 3x3, and means."""
    one = convolved(x, 64, 1)
    five = convolved(convolved(x, 48, 1), 64, 5)
    double = convolved(convolved(convolved(x, 64, 1), 96, 3), 96, 3)
    return side_by_side([one, five, double, averaged(x, width)], name)


def _first_reduction(x: KerasTensor) -> KerasTensor:
    three = convolved(x, 384, 3, strides=2, padding="valid")
    double = convolved(convolved(x, 64, 1), 96, 3)
    double = convolved(double, 96, 3, strides=2, padding="valid")
    return side_by_side([three, double, layers.MaxPooling2D(3, strides=2)(x)], "mixed3")


def _long_windows(x: KerasTensor, width: int, name: str) -> KerasTensor:
    """1x1, 7x7 as 1x7 and 7x1, the same twice, and means."""
    one = convolved(x, 192, 1)
    seven = convolved(convolved(convolved(x, width, 1), width, (1, 7)), 192, (7, 1))
    double = convolved(x, width, 1)
    for kernel_size in ((7, 1), (1, 7), (7, 1)):
        double = convolved(double, width, kernel_size)
    double = convolved(double, 192, (1, 7))
    return side_by_side([one, seven, double, averaged(x, 192)], name)


def _second_reduction(x: KerasTensor) -> KerasTensor:
    three = convolved(convolved(x, 192, 1), 320, 3, strides=2, padding="valid")
    seven = convolved(convolved(convolved(x, 192, 1), 192, (1, 7)), 192, (7, 1))
    seven = convolved(seven, 192, 3, strides=2, padding="valid")
    return side_by_side([three, seven, layers.MaxPooling2D(3, strides=2)(x)], "mixed8")


def _crossed_windows(x: KerasTensor, block: int) -> KerasTensor:
    """1x1, 1x3 beside 3x1, the same of a 3x3, and means."""
    one = convolved(x, 320, 1)
    three = convolved(x, 384, 1)
    three = side_by_side(
        [convolved(three, 384, (1, 3)), convolved(three, 384, (3, 1))], f"mixed9_{block}"
    )
    double = convolved(convolved(x, 448, 1), 384, 3)
    double = side_by_side([convolved(double, 384, (1, 3)), convolved(double, 384, (3, 1))])
    return side_by_side([one, three, double, averaged(x, 192)], f"mixed{9 + block}")
