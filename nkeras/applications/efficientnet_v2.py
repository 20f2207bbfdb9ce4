"""EfficientNet V2: the first blocks convolve in space and channels at once, which trains faster.

Source: M. Tan and Q. Le, "EfficientNetV2: Smaller Models and Faster Training", 2021,
https://arxiv.org/abs/2104.00298
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

from nkeras import initializers, layers
from nkeras.applications.architecture import Request, Weights, architecture
from nkeras.applications.efficient import (
    KERNELS,
    activated,
    convolved,
    head,
    normalized,
    residual,
    squeezed,
)
from nkeras.applications.imagenet_utils import DEVIATIONS, MEANS, decode_predictions
from nkeras.applications.imagenet_utils import unchanged as preprocess_input
from nkeras.applications.images import channel_axis, image_input, image_shape
from nkeras.applications.pretrained import GOOGLE, files_of, finished_model
from nkeras.core.graph import KerasTensor
from nkeras.core.typing import ActivationLike, PartialShape
from nkeras.models import Functional

__all__ = [
    "EfficientNetV2B0",
    "EfficientNetV2B1",
    "EfficientNetV2B2",
    "EfficientNetV2B3",
    "EfficientNetV2L",
    "EfficientNetV2M",
    "EfficientNetV2S",
    "decode_predictions",
    "preprocess_input",
]

_HASHES = {
    "b0": ("21ecbf6da12460d5c40bb2f29ceb2188", "893217f2bb855e2983157299931e43ff"),
    "b1": ("069f0534ff22adf035c89e2d9547a9dc", "0e80663031ca32d657f9caa404b6ec37"),
    "b2": ("424e49f28180edbde1e94797771950a7", "1dfe2e7a5d45b6632553a8961ea609eb"),
    "b3": ("1f1fc43bd98a6e4fd8fdfd551e02c7a0", "f6abf7b5849ac99a89b50dd3fd532856"),
    "s": ("e1d88a8495beba45748fedd0cecbe016", "af0682fb74e8c54910f2d4393339c070"),
    "m": ("a3bf6aa3276309f4fc6a34aa114c95cd", "1b8dc055df72dde80d614482840fe342"),
    "l": ("27e6d408b53c7ebc868fefa357689935", "b0b66b5c863aef5b46e8608fe1711615"),
}
# Blocks, filters in and out, widening, stride of the first block, and whether they are fused: then
# they squeeze nothing.
Stage: TypeAlias = "tuple[int, int, int, int, int, bool]"
_B: Sequence[Stage] = (
    (1, 32, 16, 1, 1, True),
    (2, 16, 32, 4, 2, True),
    (2, 32, 48, 4, 2, True),
    (3, 48, 96, 4, 2, False),
    (5, 96, 112, 6, 1, False),
    (8, 112, 192, 6, 2, False),
)
_S: Sequence[Stage] = (
    (2, 24, 24, 1, 1, True),
    (4, 24, 48, 4, 2, True),
    (4, 48, 64, 4, 2, True),
    (6, 64, 128, 4, 2, False),
    (9, 128, 160, 6, 1, False),
    (15, 160, 256, 6, 2, False),
)
_M: Sequence[Stage] = (
    (3, 24, 24, 1, 1, True),
    (5, 24, 48, 4, 2, True),
    (5, 48, 80, 4, 2, True),
    (7, 80, 160, 4, 2, False),
    (14, 160, 176, 6, 1, False),
    (18, 176, 304, 6, 2, False),
    (5, 304, 512, 6, 1, False),
)
_L: Sequence[Stage] = (
    (4, 32, 32, 1, 1, True),
    (7, 32, 64, 4, 2, True),
    (7, 64, 96, 4, 2, True),
    (10, 96, 192, 4, 2, False),
    (19, 192, 224, 6, 1, False),
    (25, 224, 384, 6, 2, False),
    (7, 384, 640, 6, 1, False),
)
_DROPPED = 0.2  # about the share of the last block's branch that is left out in training
_MOMENTUM = 0.9


class _EfficientNetV2(Protocol):
    """What the family takes.

    Args:
        include_preprocessing: whether the model begins with layers that scale pixels from 0 to 255.
            Without, images have values from -1 to 1, in the models B0 to B3 those of ImageNet's
            mean and deviation.
    """

    __name__: str

    def __call__(
        self,
        include_top: bool = True,
        weights: Weights = "imagenet",
        input_tensor: Any = None,
        input_shape: PartialShape | None = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: ActivationLike = "softmax",
        include_preprocessing: bool = True,
        name: str = ...,
    ) -> Functional:
        """The model."""
        ...


@architecture(_EfficientNetV2, "efficientnetv2-b0")
def EfficientNetV2B0(request: Request, include_preprocessing: bool) -> Functional:
    """EfficientNet V2 B0, 7.2 million numbers, for images of 224 x 224.

    Images have values from 0 to 255, unless `include_preprocessing=False`.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.EfficientNetV2B0(
        ...     weights=None, include_top=False, input_shape=(32, 32, 3)
        ... )
        >>> model.output_shape
        (None, 1, 1, 1280)

    Source: https://arxiv.org/abs/2104.00298
    """
    return _efficientnet_v2(request, "b0", _B, 224, include_preprocessing)


@architecture(_EfficientNetV2, "efficientnetv2-b1")
def EfficientNetV2B1(request: Request, include_preprocessing: bool) -> Functional:
    """EfficientNet V2 B1, 8.2 million numbers, for images of 240 x 240.

    Images have values from 0 to 255, unless `include_preprocessing=False`.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.EfficientNetV2B1(
        ...     weights=None, include_top=False, input_shape=(32, 32, 3)
        ... )
        >>> model.output_shape
        (None, 1, 1, 1280)

    Source: https://arxiv.org/abs/2104.00298
    """
    return _efficientnet_v2(request, "b1", _B, 240, include_preprocessing, width=1.0, depth=1.1)


@architecture(_EfficientNetV2, "efficientnetv2-b2")
def EfficientNetV2B2(request: Request, include_preprocessing: bool) -> Functional:
    """EfficientNet V2 B2, 10.2 million numbers, for images of 260 x 260.

    Images have values from 0 to 255, unless `include_preprocessing=False`.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.EfficientNetV2B2(
        ...     weights=None, include_top=False, input_shape=(32, 32, 3)
        ... )
        >>> model.output_shape
        (None, 1, 1, 1408)

    Source: https://arxiv.org/abs/2104.00298
    """
    return _efficientnet_v2(request, "b2", _B, 260, include_preprocessing, width=1.1, depth=1.2)


@architecture(_EfficientNetV2, "efficientnetv2-b3")
def EfficientNetV2B3(request: Request, include_preprocessing: bool) -> Functional:
    """EfficientNet V2 B3, 14.5 million numbers, for images of 300 x 300.

    Images have values from 0 to 255, unless `include_preprocessing=False`.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.EfficientNetV2B3(
        ...     weights=None, include_top=False, input_shape=(32, 32, 3)
        ... )
        >>> model.output_shape
        (None, 1, 1, 1536)

    Source: https://arxiv.org/abs/2104.00298
    """
    return _efficientnet_v2(request, "b3", _B, 300, include_preprocessing, width=1.2, depth=1.4)


@architecture(_EfficientNetV2, "efficientnetv2-s")
def EfficientNetV2S(request: Request, include_preprocessing: bool) -> Functional:
    """EfficientNet V2 S, 21.6 million numbers, for images of 384 x 384.

    Images have values from 0 to 255, unless `include_preprocessing=False`.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.EfficientNetV2S(
        ...     weights=None, include_top=False, input_shape=(32, 32, 3)
        ... )
        >>> model.output_shape
        (None, 1, 1, 1280)

    Source: https://arxiv.org/abs/2104.00298
    """
    return _efficientnet_v2(request, "s", _S, 384, include_preprocessing)


@architecture(_EfficientNetV2, "efficientnetv2-m")
def EfficientNetV2M(request: Request, include_preprocessing: bool) -> Functional:
    """EfficientNet V2 M, 54.4 million numbers, for images of 480 x 480.

    Images have values from 0 to 255, unless `include_preprocessing=False`.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.EfficientNetV2M(
        ...     weights=None, include_top=False, input_shape=(32, 32, 3)
        ... )
        >>> model.output_shape
        (None, 1, 1, 1280)

    Source: https://arxiv.org/abs/2104.00298
    """
    return _efficientnet_v2(request, "m", _M, 480, include_preprocessing)


@architecture(_EfficientNetV2, "efficientnetv2-l")
def EfficientNetV2L(request: Request, include_preprocessing: bool) -> Functional:
    """EfficientNet V2 L, 119.0 million numbers, for images of 480 x 480.

    Images have values from 0 to 255, unless `include_preprocessing=False`.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.EfficientNetV2L(
        ...     weights=None, include_top=False, input_shape=(32, 32, 3)
        ... )
        >>> model.output_shape
        (None, 1, 1, 1280)

    Source: https://arxiv.org/abs/2104.00298
    """
    return _efficientnet_v2(request, "l", _L, 480, include_preprocessing)


def _efficientnet_v2(
    request: Request,
    variant: str,
    stages: Sequence[Stage],
    size: int,
    include_preprocessing: bool,
    width: float = 1.0,
    depth: float = 1.0,
) -> Functional:
    """A model of the family.

    Args:
        request: what the caller asked for.
        variant: its name among the files of weights.
        stages: its blocks.
        size: height and width of images.
        include_preprocessing: whether it begins with scaling pixels.
        width: factor of the number of filters.
        depth: factor of the number of blocks.
    """
    images = x = image_input(request, image_shape(request, size))
    if include_preprocessing:
        x = _scaled(x, variant)
    x = convolved(x, _filters(stages[0][1] * width), 3, "stem_conv", strides=2)
    x = activated(normalized(x, "stem_bn", _MOMENTUM), "stem_activation")
    total = float(sum(count for count, *_ in stages))
    block = 0
    for stage, (count, before, after, widening, stride, is_fused) in enumerate(stages, 1):
        for i in range(math.ceil(depth * count)):
            x = (_fused_block if is_fused else _block)(
                x,
                f"block{stage}{chr(ord('a') + i)}_",
                _filters((before if i == 0 else after) * width),
                _filters(after * width),
                stride if i == 0 else 1,
                widening,
                _DROPPED * block / total,
            )
            block += 1
    x = convolved(x, _filters(1280 * width), 1, "top_conv")
    x = activated(normalized(x, "top_bn", _MOMENTUM), "top_activation")
    x = head(request, x, 0.2, initializers.Constant(0.0))
    name = f"efficientnetv2-{variant}"
    folder = f"{GOOGLE}efficientnet_v2/"
    files = files_of(folder, (f"{name}.h5", f"{name}_notop.h5"), _HASHES[variant])
    return finished_model(request, images, x, files)


def _filters(count: float) -> int:
    """The nearest multiple of 8, at least 8."""
    return max(8, int(count + 4) // 8 * 8)


def _scaled(images: KerasTensor, variant: str) -> KerasTensor:
    """Pixels by mean and deviation in the models B0 to B3 if they have three channels."""
    axis = channel_axis()
    if not (variant.startswith("b") and images.shape[axis] == 3):
        return layers.Rescaling(1.0 / 128.0, offset=-1)(images)
    x = layers.Rescaling(1.0 / 255)(images)
    variances = [deviation**2 for deviation in DEVIATIONS]
    return layers.Normalization(axis=axis, mean=list(MEANS), variance=variances)(x)


def _block(
    inputs: KerasTensor,
    name: str,
    before: int,
    after: int,
    stride: int,
    widening: int,
    dropped: float,
) -> KerasTensor:
    """Wider, depthwise, squeezed, narrower; beside a shortcut."""
    width = before * widening
    x = convolved(inputs, width, 1, f"{name}expand_conv")
    x = activated(normalized(x, f"{name}expand_bn", _MOMENTUM), f"{name}expand_activation")
    x = layers.DepthwiseConv2D(
        3,
        strides=stride,
        padding="same",
        use_bias=False,
        depthwise_initializer=KERNELS,
        name=f"{name}dwconv2",
    )(x)
    x = activated(normalized(x, f"{name}bn", _MOMENTUM), f"{name}activation")
    x = squeezed(x, width, max(1, int(before * 0.25)), name)
    x = convolved(x, after, 1, f"{name}project_conv")
    x = normalized(x, f"{name}project_bn", _MOMENTUM)
    return residual(inputs, x, dropped, name) if stride == 1 and before == after else x


def _fused_block(
    inputs: KerasTensor,
    name: str,
    before: int,
    after: int,
    stride: int,
    widening: int,
    dropped: float,
) -> KerasTensor:
    """Wider by a 3x3 convolution, narrower by one of 1x1; one of 3x3 alone that does not widen."""
    x = inputs
    if widening != 1:
        x = convolved(x, before * widening, 3, f"{name}expand_conv", strides=stride)
        x = activated(normalized(x, f"{name}expand_bn", _MOMENTUM), f"{name}expand_activation")
        x = convolved(x, after, 1, f"{name}project_conv")
    else:
        x = convolved(x, after, 3, f"{name}project_conv", strides=stride)
    x = normalized(x, f"{name}project_bn", _MOMENTUM)
    if widening == 1:
        x = activated(x, f"{name}project_activation")
    return residual(inputs, x, dropped, name) if stride == 1 and before == after else x
