"""MobileNet: depthwise convolutions for the space, 1x1 convolutions for the channels.

Source: A. Howard and others, "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
Applications", 2017, https://arxiv.org/abs/1704.04861
"""

from __future__ import annotations

from typing import Any, Protocol

from nkeras import layers
from nkeras.applications.architecture import Request, Weights, architecture
from nkeras.applications.heads import pooled
from nkeras.applications.imagenet_utils import decode_predictions
from nkeras.applications.imagenet_utils import from_minus_one_to_one as preprocess_input
from nkeras.applications.images import image_input, image_shape, last_axis
from nkeras.applications.mobile import sizes_of_weights
from nkeras.applications.pretrained import GOOGLE, files_of, finished_model
from nkeras.core.errors import refuse
from nkeras.core.graph import KerasTensor
from nkeras.core.typing import ActivationLike, PartialShape
from nkeras.models import Functional

__all__ = ["MobileNet", "decode_predictions", "preprocess_input"]

_SIZES = (128, 160, 192, 224)
_ALPHAS = {0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"}  # as names of files have them
# Filters of the blocks, and those whose stride is 2.
_FILTERS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
_HALVING = (2, 4, 6, 12)


class _MobileNet(Protocol):
    """What MobileNet takes.

    Args:
        alpha: factor of the number of filters; with the weights of ImageNet 0.25, 0.5, 0.75 or 1.
        depth_multiplier: outputs of a depthwise convolution for each channel; 1 with the weights of
            ImageNet.
        dropout: share of the features that is left out in training, before the classifier.
        name: name of the model; `mobilenet_1.00_224`, of `alpha` and height, by default.
    """

    __name__: str

    def __call__(
        self,
        input_shape: PartialShape | None = None,
        alpha: float = 1.0,
        depth_multiplier: int = 1,
        dropout: float = 1e-3,
        include_top: bool = True,
        weights: Weights = "imagenet",
        input_tensor: Any = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: ActivationLike = "softmax",
        name: str | None = None,
    ) -> Functional:
        """The model."""
        ...


@architecture(_MobileNet)
def MobileNet(request: Request, alpha: float, depth_multiplier: int, dropout: float) -> Functional:
    """MobileNet, 4.3 million numbers with `alpha=1`.

    Images go through `nkeras.applications.mobilenet.preprocess_input` first.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.MobileNet((64, 64, 3), alpha=0.25, weights=None, classes=10)
        >>> model.name, model.output_shape
        ('mobilenet_0.25_64', (None, 10))

    Source: https://arxiv.org/abs/1704.04861
    """
    size, height = sizes_of_weights(request, _SIZES)
    shape = image_shape(request, size)
    if request.is_imagenet and depth_multiplier != 1:
        expected = "1 with `weights='imagenet'`"
        refuse("depth_multiplier", depth_multiplier, expected, request.owner)
    if request.is_imagenet and alpha not in _ALPHAS:
        refuse("alpha", alpha, "0.25, 0.5, 0.75 or 1 with `weights='imagenet'`", request.owner)
    images = image_input(request, shape)
    x = layers.Conv2D(int(32 * alpha), 3, strides=2, padding="same", use_bias=False, name="conv1")(
        images
    )
    x = _normalized_relu(x, "conv1")
    for block, filters in enumerate(_FILTERS, 1):
        x = _block(x, block, int(filters * alpha), depth_multiplier)
    x = _classifier(request, x, dropout) if request.include_top else pooled(request, x)
    name = f"mobilenet_{alpha:0.2f}_{height}"
    stem = f"mobilenet_{_ALPHAS.get(alpha)}_{height}_tf"
    files = files_of(f"{GOOGLE}mobilenet/", (f"{stem}.h5", f"{stem}_no_top.h5"))
    return finished_model(request, images, x, files, name)


def _normalized_relu(x: KerasTensor, name: str) -> KerasTensor:
    x = layers.BatchNormalization(axis=last_axis(), name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x)


def _block(x: KerasTensor, block: int, filters: int, depth_multiplier: int) -> KerasTensor:
    """A depthwise convolution, then one of 1x1."""
    halves = block in _HALVING
    if halves:
        x = layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"conv_pad_{block}")(x)
    x = layers.DepthwiseConv2D(
        3,
        strides=2 if halves else 1,
        padding="valid" if halves else "same",
        depth_multiplier=depth_multiplier,
        use_bias=False,
        name=f"conv_dw_{block}",
    )(x)
    x = _normalized_relu(x, f"conv_dw_{block}")
    x = layers.Conv2D(filters, 1, padding="same", use_bias=False, name=f"conv_pw_{block}")(x)
    return _normalized_relu(x, f"conv_pw_{block}")


def _classifier(request: Request, x: KerasTensor, dropout: float) -> KerasTensor:
    """A convolution of the one pixel that is left, where others have a dense layer."""
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Conv2D(request.classes, 1, padding="same", name="conv_preds")(x)
    x = layers.Reshape((request.classes,), name="reshape_2")(x)
    return layers.Activation(request.classifier_activation, name="predictions")(x)
