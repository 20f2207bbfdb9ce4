"""MobileNet V2: blocks that widen, convolve by channel, and narrow again without an activation.

Source: M. Sandler and others, "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018,
https://arxiv.org/abs/1801.04381
"""

from __future__ import annotations

from typing import Any, Protocol

from nkeras import layers
from nkeras.applications.architecture import Request, Weights, architecture
from nkeras.applications.heads import averaging_head
from nkeras.applications.imagenet_utils import decode_predictions
from nkeras.applications.imagenet_utils import from_minus_one_to_one as preprocess_input
from nkeras.applications.images import (
    check_agreement,
    image_input,
    image_shape,
    last_axis,
)
from nkeras.applications.mobile import divisible, halved_depthwise, sizes_of_weights
from nkeras.applications.pretrained import GOOGLE, files_of, finished_model
from nkeras.core.errors import refuse
from nkeras.core.graph import KerasTensor
from nkeras.core.typing import ActivationLike, PartialShape
from nkeras.models import Functional

__all__ = ["MobileNetV2", "decode_predictions", "preprocess_input"]

_SIZES = (96, 128, 160, 192, 224)
_ALPHAS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
# Filters, how many blocks have them, the stride of the first one, and how much they widen.
_STAGES = (
    (16, 1, 1, 1),
    (24, 2, 2, 6),
    (32, 3, 2, 6),
    (64, 4, 2, 6),
    (96, 3, 1, 6),
    (160, 3, 2, 6),
    (320, 1, 1, 6),
)


class _MobileNetV2(Protocol):
    """What MobileNetV2 takes.

    Args:
        alpha: factor of the number of filters; with the weights of ImageNet 0.35, 0.5, 0.75, 1, 1.3
            or 1.4.
        name: name of the model; `mobilenetv2_1.00_224`, of `alpha` and height, by default.
    """

    __name__: str

    def __call__(
        self,
        input_shape: PartialShape | None = None,
        alpha: float = 1.0,
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


@architecture(_MobileNetV2)
def MobileNetV2(request: Request, alpha: float) -> Functional:
    """MobileNet V2, 3.5 million numbers with `alpha=1`.

    Images go through `nkeras.applications.mobilenet_v2.preprocess_input` first.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.MobileNetV2(
        ...     (96, 96, 3), alpha=0.35, weights=None, include_top=False
        ... )
        >>> model.output_shape
        (None, 3, 3, 1280)

    Source: https://arxiv.org/abs/1801.04381
    """
    check_agreement(request)
    size, height = sizes_of_weights(request, _SIZES, also_of_tensor=True)
    shape = image_shape(request, size)
    if request.is_imagenet and alpha not in _ALPHAS:
        expected = f"one of {_ALPHAS} with `weights='imagenet'`"
        refuse("alpha", alpha, expected, request.owner)
    images = image_input(request, shape)
    x = layers.Conv2D(
        divisible(32 * alpha), 3, strides=2, padding="same", use_bias=False, name="Conv1"
    )(images)
    x = _relu(_normalized(x, "bn_Conv1"), "Conv1_relu")
    block = 0
    for filters, count, stride, expansion in _STAGES:
        for i in range(count):
            width = divisible(int(filters * alpha))
            x = _block(x, block, width, stride if i == 0 else 1, expansion)
            block += 1
    last = divisible(1280 * alpha) if alpha > 1.0 else 1280
    x = layers.Conv2D(last, 1, use_bias=False, name="Conv_1")(x)
    x = _relu(_normalized(x, "Conv_1_bn"), "out_relu")
    x = averaging_head(request, x)
    stem = f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{float(alpha)}_{height}"
    files = files_of(f"{GOOGLE}mobilenet_v2/", (f"{stem}.h5", f"{stem}_no_top.h5"))
    return finished_model(request, images, x, files, f"mobilenetv2_{alpha:0.2f}_{height}")


def _normalized(x: KerasTensor, name: str) -> KerasTensor:
    norm = layers.BatchNormalization(axis=last_axis(), epsilon=1e-3, momentum=0.999, name=name)
    return norm(x)


def _relu(x: KerasTensor, name: str) -> KerasTensor:
    return layers.ReLU(6.0, name=name)(x)


def _block(
    inputs: KerasTensor, block: int, filters: int, stride: int, expansion: int
) -> KerasTensor:
    """Wider, depthwise, narrower; beside a shortcut where nothing changes its size."""
    channels = inputs.shape[last_axis()]
    prefix = f"block_{block}_" if block else "expanded_conv_"
    x = inputs
    if block:
        x = _pointwise(x, expansion * channels, f"{prefix}expand")
        x = _relu(x, f"{prefix}expand_relu")
    x = halved_depthwise(x, 3, stride, f"{prefix}pad", f"{prefix}depthwise")
    x = _relu(_normalized(x, f"{prefix}depthwise_BN"), f"{prefix}depthwise_relu")
    x = _pointwise(x, filters, f"{prefix}project")
    if stride == 1 and channels == filters:
        return layers.Add(name=f"{prefix}add")([inputs, x])
    return x


def _pointwise(x: KerasTensor, filters: int, name: str) -> KerasTensor:
    x = layers.Conv2D(filters, 1, padding="same", use_bias=False, name=name)(x)
    return _normalized(x, f"{name}_BN")
