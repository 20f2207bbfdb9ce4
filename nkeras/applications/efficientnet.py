"""EfficientNet: one network, found by search, made wider, deeper and sharper all at once.

Source: M. Tan and Q. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural
Networks", 2019, https://arxiv.org/abs/1905.11946
"""

from __future__ import annotations

import math

from nkeras import layers
from nkeras.applications.architecture import Architecture, Request, architecture
from nkeras.applications.efficient import (
    KERNELS,
    activated,
    convolved,
    head,
    normalized,
    residual,
    squeezed,
)
from nkeras.applications.imagenet_utils import DEVIATIONS, decode_predictions
from nkeras.applications.imagenet_utils import unchanged as preprocess_input
from nkeras.applications.images import channel_axis, image_input, image_shape
from nkeras.applications.mobile import divisible, halved_depthwise, padding_before_halving
from nkeras.applications.pretrained import files_of, finished_model
from nkeras.core.graph import KerasTensor
from nkeras.models import Functional

__all__ = [
    "EfficientNetB0",
    "EfficientNetB1",
    "EfficientNetB2",
    "EfficientNetB3",
    "EfficientNetB4",
    "EfficientNetB5",
    "EfficientNetB6",
    "EfficientNetB7",
    "decode_predictions",
    "preprocess_input",
]

_FOLDER = "https://storage.googleapis.com/keras-applications/"
_HASHES = (
    ("902e53a9f72be733fc0bcb005b3ebbac", "50bc09e76180e00e4465e1a485ddc09d"),
    ("1d254153d4ab51201f1646940f018540", "74c4e6b3e1f6a1eea24c589628592432"),
    ("b15cce36ff4dcbd00b6dd88e7857a6ad", "111f8e2ac8aa800a7a99e3239f7bfb39"),
    ("ffd1fdc53d0ce67064dc6a9c7960ede0", "af6d107764bb5b1abb91932881670226"),
    ("18c95ad55216b8f92d7e70b3a046e2fc", "ebc24e6d6c33eaebbd558eafbeedf1ba"),
    ("ace28f2a6363774853a83a0b21b9421a", "38879255a25d3c92d5e44e04ae6cec6f"),
    ("165f6e37dce68623721b423839de8be5", "9ecce42647a20130c1f39a5d4cb75743"),
    ("8c03f828fec3ef71311cd463b6759d99", "cbcfe4450ddf6f3ad90b1b398090fe4a"),
)
# Kernel size, blocks, filters in and out, widening, stride of the first block.
_STAGES = (
    (3, 1, 32, 16, 1, 1),
    (3, 2, 16, 24, 6, 2),
    (5, 2, 24, 40, 6, 2),
    (3, 3, 40, 80, 6, 2),
    (5, 3, 80, 112, 6, 1),
    (5, 4, 112, 192, 6, 2),
    (3, 1, 192, 320, 6, 1),
)
_DROPPED = 0.2  # the share of the last block's branch that is left out in training


@architecture(Architecture, "efficientnetb0")
def EfficientNetB0(request: Request) -> Functional:
    """EfficientNet B0, 5.3 million numbers, for images of 224 x 224.

    Images have values from 0 to 255: the model begins with scaling them.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.EfficientNetB0(
        ...     weights=None, include_top=False, input_shape=(32, 32, 3)
        ... )
        >>> model.output_shape
        (None, 1, 1, 1280)

    Source: https://arxiv.org/abs/1905.11946
    """
    return _efficientnet(request, 0, width=1.0, depth=1.0, size=224, dropout=0.2)


@architecture(Architecture, "efficientnetb1")
def EfficientNetB1(request: Request) -> Functional:
    """EfficientNet B1, 7.9 million numbers, for images of 240 x 240.

    Images have values from 0 to 255: the model begins with scaling them.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.EfficientNetB1(
        ...     weights=None, include_top=False, input_shape=(32, 32, 3)
        ... )
        >>> model.output_shape
        (None, 1, 1, 1280)

    Source: https://arxiv.org/abs/1905.11946
    """
    return _efficientnet(request, 1, width=1.0, depth=1.1, size=240, dropout=0.2)


@architecture(Architecture, "efficientnetb2")
def EfficientNetB2(request: Request) -> Functional:
    """EfficientNet B2, 9.2 million numbers, for images of 260 x 260.

    Images have values from 0 to 255: the model begins with scaling them.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.EfficientNetB2(
        ...     weights=None, include_top=False, input_shape=(32, 32, 3)
        ... )
        >>> model.output_shape
        (None, 1, 1, 1408)

    Source: https://arxiv.org/abs/1905.11946
    """
    return _efficientnet(request, 2, width=1.1, depth=1.2, size=260, dropout=0.3)


@architecture(Architecture, "efficientnetb3")
def EfficientNetB3(request: Request) -> Functional:
    """EfficientNet B3, 12.3 million numbers, for images of 300 x 300.

    Images have values from 0 to 255: the model begins with scaling them.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.EfficientNetB3(
        ...     weights=None, include_top=False, input_shape=(32, 32, 3)
        ... )
        >>> model.output_shape
        (None, 1, 1, 1536)

    Source: https://arxiv.org/abs/1905.11946
    """
    return _efficientnet(request, 3, width=1.2, depth=1.4, size=300, dropout=0.3)


@architecture(Architecture, "efficientnetb4")
def EfficientNetB4(request: Request) -> Functional:
    """EfficientNet B4, 19.5 million numbers, for images of 380 x 380.

    Images have values from 0 to 255: the model begins with scaling them.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.EfficientNetB4(
        ...     weights=None, include_top=False, input_shape=(32, 32, 3)
        ... )
        >>> model.output_shape
        (None, 1, 1, 1792)

    Source: https://arxiv.org/abs/1905.11946
    """
    return _efficientnet(request, 4, width=1.4, depth=1.8, size=380, dropout=0.4)


@architecture(Architecture, "efficientnetb5")
def EfficientNetB5(request: Request) -> Functional:
    """EfficientNet B5, 30.6 million numbers, for images of 456 x 456.

    Images have values from 0 to 255: the model begins with scaling them.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.EfficientNetB5(
        ...     weights=None, include_top=False, input_shape=(32, 32, 3)
        ... )
        >>> model.output_shape
        (None, 1, 1, 2048)

    Source: https://arxiv.org/abs/1905.11946
    """
    return _efficientnet(request, 5, width=1.6, depth=2.2, size=456, dropout=0.4)


@architecture(Architecture, "efficientnetb6")
def EfficientNetB6(request: Request) -> Functional:
    """EfficientNet B6, 43.3 million numbers, for images of 528 x 528.

    Images have values from 0 to 255: the model begins with scaling them.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.EfficientNetB6(
        ...     weights=None, include_top=False, input_shape=(32, 32, 3)
        ... )
        >>> model.output_shape
        (None, 1, 1, 2304)

    Source: https://arxiv.org/abs/1905.11946
    """
    return _efficientnet(request, 6, width=1.8, depth=2.6, size=528, dropout=0.5)


@architecture(Architecture, "efficientnetb7")
def EfficientNetB7(request: Request) -> Functional:
    """EfficientNet B7, 66.7 million numbers, for images of 600 x 600.

    Images have values from 0 to 255: the model begins with scaling them.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.EfficientNetB7(
        ...     weights=None, include_top=False, input_shape=(32, 32, 3)
        ... )
        >>> model.output_shape
        (None, 1, 1, 2560)

    Source: https://arxiv.org/abs/1905.11946
    """
    return _efficientnet(request, 7, width=2.0, depth=3.1, size=600, dropout=0.5)


def _efficientnet(
    request: Request, variant: int, width: float, depth: float, size: int, dropout: float
) -> Functional:
    """A model of the family.

    Args:
        request: what the caller asked for.
        variant: its number.
        width: factor of the number of filters.
        depth: factor of the number of blocks.
        size: height and width of images.
        dropout: share of the features that is left out in training, before the classifier.
    """
    images = image_input(request, image_shape(request, size))
    x = layers.Rescaling(1.0 / 255.0)(images)
    x = layers.Normalization(axis=channel_axis())(x)
    if request.is_imagenet:
        # The normalization in the files divides by roots of deviations; their authors divided by
        # the deviations. So says Keras, and https://github.com/tensorflow/tensorflow/issues/49930.
        x = layers.Rescaling([1.0 / math.sqrt(deviation) for deviation in DEVIATIONS])(x)
    x = layers.ZeroPadding2D(padding_before_halving(x, 3), name="stem_conv_pad")(x)
    x = convolved(x, divisible(32 * width), 3, "stem_conv", strides=2, padding="valid")
    x = activated(normalized(x, "stem_bn"), "stem_activation")
    counts = [math.ceil(depth * count) for _, count, *_ in _STAGES]
    block = 0
    for stage, (kernel_size, _, before, after, widening, stride) in enumerate(_STAGES):
        for i in range(counts[stage]):
            x = _block(
                x,
                f"block{stage + 1}{chr(ord('a') + i)}_",
                divisible((before if i == 0 else after) * width),
                divisible(after * width),
                kernel_size,
                stride if i == 0 else 1,
                widening,
                _DROPPED * block / float(sum(counts)),
            )
            block += 1
    x = convolved(x, divisible(1280 * width), 1, "top_conv")
    x = activated(normalized(x, "top_bn"), "top_activation")
    x = head(request, x, dropout)
    name = f"efficientnetb{variant}"
    files = files_of(_FOLDER, (f"{name}.h5", f"{name}_notop.h5"), _HASHES[variant])
    return finished_model(request, images, x, files)


def _block(
    inputs: KerasTensor,
    name: str,
    before: int,
    after: int,
    kernel_size: int,
    stride: int,
    widening: int,
    dropped: float,
) -> KerasTensor:
    """Wider, depthwise, squeezed, narrower; beside a shortcut."""
    x, width = inputs, before * widening
    if widening != 1:
        x = convolved(x, width, 1, f"{name}expand_conv")
        x = activated(normalized(x, f"{name}expand_bn"), f"{name}expand_activation")
    x = halved_depthwise(
        x, kernel_size, stride, f"{name}dwconv_pad", f"{name}dwconv", depthwise_initializer=KERNELS
    )
    x = activated(normalized(x, f"{name}bn"), f"{name}activation")
    x = squeezed(x, width, max(1, int(before * 0.25)), name)
    x = normalized(convolved(x, after, 1, f"{name}project_conv"), f"{name}project_bn")
    return residual(inputs, x, dropped, name) if stride == 1 and before == after else x
