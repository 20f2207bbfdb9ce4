"""Xception: Inception in the extreme, where each channel is convolved by itself.

Source: F. Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions", 2016,
https://arxiv.org/abs/1610.02357
"""

from __future__ import annotations

from nkeras import layers
from nkeras.applications.architecture import Architecture, Request, architecture
from nkeras.applications.heads import AVERAGE, averaging_head
from nkeras.applications.imagenet_utils import decode_predictions
from nkeras.applications.imagenet_utils import from_minus_one_to_one as preprocess_input
from nkeras.applications.images import image_input, image_shape, last_axis
from nkeras.applications.pretrained import finished_model, tensorflow_kernels
from nkeras.core.graph import KerasTensor
from nkeras.models import Functional

__all__ = ["Xception", "decode_predictions", "preprocess_input"]

_HASHES = ("0a58e3b7378bc2990ea3b43d5981f1f6", "b0042744bf5b25fce3cb969f33bebb97")


@architecture(Architecture, "xception")
def Xception(request: Request) -> Functional:
    """Xception, 22.9 million numbers, for images of 299 x 299 and at least 71 x 71.

    Images go through `nkeras.applications.xception.preprocess_input` first.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.Xception(
        ...     weights=None, include_top=False, input_shape=(71, 71, 3)
        ... )
        >>> model.output_shape
        (None, 3, 3, 2048)

    Source: https://arxiv.org/abs/1610.02357
    """
    images = image_input(request, image_shape(request, 299, smallest=71))
    x = layers.Conv2D(32, 3, strides=2, use_bias=False, name="block1_conv1")(images)
    x = _relu(_normalized(x, "block1_conv1_bn"), "block1_conv1_act")
    x = layers.Conv2D(64, 3, use_bias=False, name="block1_conv2")(x)
    x = _relu(_normalized(x, "block1_conv2_bn"), "block1_conv2_act")
    for block, filters in ((2, 128), (3, 256), (4, 728)):
        x = _halved(x, block, filters, filters)
    for block in range(5, 13):
        x = _middle(x, block)
    x = _halved(x, 13, 728, 1024)
    for i, filters in ((1, 1536), (2, 2048)):
        x = _separable(x, filters, f"block14_sepconv{i}")
        x = _relu(x, f"block14_sepconv{i}_act")
    x = averaging_head(request, x, AVERAGE)
    files = tensorflow_kernels("xception", "xception", _HASHES)
    return finished_model(request, images, x, files)


def _normalized(x: KerasTensor, name: str | None = None) -> KerasTensor:
    return layers.BatchNormalization(axis=last_axis(), name=name)(x)


def _relu(x: KerasTensor, name: str) -> KerasTensor:
    return layers.Activation("relu", name=name)(x)


def _separable(x: KerasTensor, filters: int, name: str) -> KerasTensor:
    x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False, name=name)(x)
    return _normalized(x, f"{name}_bn")


def _halved(inputs: KerasTensor, block: int, first: int, second: int) -> KerasTensor:
    """Two separable convolutions and max pooling, beside a convolution with stride 2."""
    shortcut = layers.Conv2D(second, 1, strides=2, padding="same", use_bias=False)(inputs)
    shortcut = _normalized(shortcut)
    x = inputs
    if block > 2:
        x = _relu(x, f"block{block}_sepconv1_act")
    x = _separable(x, first, f"block{block}_sepconv1")
    x = _relu(x, f"block{block}_sepconv2_act")
    x = _separable(x, second, f"block{block}_sepconv2")
    x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"block{block}_pool")(x)
    return layers.Add()([x, shortcut])


def _middle(inputs: KerasTensor, block: int) -> KerasTensor:
    """Three separable convolutions beside a shortcut."""
    x = inputs
    for i in (1, 2, 3):
        x = _relu(x, f"block{block}_sepconv{i}_act")
        x = _separable(x, 728, f"block{block}_sepconv{i}")
    return layers.Add()([x, inputs])
