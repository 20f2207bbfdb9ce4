"""MobileNet V3: blocks of V2, found by search, with hard swish and squeeze-and-excite.

Source: A. Howard and others, "Searching for MobileNetV3", 2019, https://arxiv.org/abs/1905.02244
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

from nkeras import layers
from nkeras.applications.architecture import Request, Weights, architecture
from nkeras.applications.heads import AVERAGE, MAXIMUM, pooled
from nkeras.applications.imagenet_utils import decode_predictions
from nkeras.applications.imagenet_utils import unchanged as preprocess_input
from nkeras.applications.images import (
    check_agreement,
    check_size,
    given_shape,
    image_input,
    last_axis,
    sides_of,
    with_channels,
)
from nkeras.applications.mobile import divisible, halved_depthwise
from nkeras.applications.pretrained import GOOGLE, files_of, finished_model
from nkeras.core.errors import refuse, warn
from nkeras.core.graph import KerasTensor
from nkeras.core.typing import ActivationLike, PartialShape
from nkeras.models import Functional

# Keras has the two functions in `keras.applications` alone.
__all__ = ["decode_predictions", "preprocess_input"]

_FILES = {
    "large_224_0.75_float": (
        "765b44a33ad4005b3ac83185abf1d0eb",
        "40af19a13ebea4e2ee0c676887f69a2e",
    ),
    "large_224_1.0_float": (
        "59e551e166be033d707958cf9e29a6a7",
        "07fb09a5933dd0c8eaafa16978110389",
    ),
    "large_minimalistic_224_1.0_float": (
        "675e7b876c45c57e9e63e6d90a36599c",
        "ec5221f64a2f6d1ef965a614bdae7973",
    ),
    "small_224_0.75_float": (
        "cb65d4e5be93758266aa0a7f2c6708b7",
        "ebdb5cc8e0b497cd13a7c275d475c819",
    ),
    "small_224_1.0_float": (
        "8768d4c2e7dee89b9d02b2d03d65d862",
        "d3e8ec802a04aa4fc771ee12a9a9b836",
    ),
    "small_minimalistic_224_1.0_float": (
        "99cd97fb2fcdad2bf028eb838de69e37",
        "cde8136e733e811080d9fcd8a252f7e4",
    ),
}
_SIZE = 224

# Of each block: widening, filters, kernel size, stride, whether it squeezes, whether its activation
# is hard swish. In the minimalistic models none squeezes, kernels are 3x3, and all is relu.
Block: TypeAlias = "tuple[float, int, int, int, bool, bool]"
_SMALL: Sequence[Block] = (
    (1, 16, 3, 2, True, False),
    (72 / 16, 24, 3, 2, False, False),
    (88 / 24, 24, 3, 1, False, False),
    (4, 40, 5, 2, True, True),
    (6, 40, 5, 1, True, True),
    (6, 40, 5, 1, True, True),
    (3, 48, 5, 1, True, True),
    (3, 48, 5, 1, True, True),
    (6, 96, 5, 2, True, True),
    (6, 96, 5, 1, True, True),
    (6, 96, 5, 1, True, True),
)
_LARGE: Sequence[Block] = (
    (1, 16, 3, 1, False, False),
    (4, 24, 3, 2, False, False),
    (3, 24, 3, 1, False, False),
    (3, 40, 5, 2, True, False),
    (3, 40, 5, 1, True, False),
    (3, 40, 5, 1, True, False),
    (6, 80, 3, 2, False, True),
    (2.5, 80, 3, 1, False, True),
    (2.3, 80, 3, 1, False, True),
    (2.3, 80, 3, 1, False, True),
    (6, 112, 3, 1, True, True),
    (6, 112, 3, 1, True, True),
    (6, 160, 5, 2, True, True),
    (6, 160, 5, 1, True, True),
    (6, 160, 5, 1, True, True),
)


class _MobileNetV3(Protocol):
    """What the two take.

    Args:
        alpha: factor of the number of filters; with the weights of ImageNet 0.75 or 1, in the
            minimalistic models 1.
        minimalistic: whether to have 3x3 kernels, relu and nothing else, for processors to which
            these come easily.
        dropout_rate: share of the features that is left out in training, before the classifier.
        include_preprocessing: whether the model begins with a layer that scales pixels from 0 to
            255 to -1 .. 1.
    """

    __name__: str

    def __call__(
        self,
        input_shape: PartialShape | None = None,
        alpha: float = 1.0,
        minimalistic: bool = False,
        include_top: bool = True,
        weights: Weights = "imagenet",
        input_tensor: Any = None,
        classes: int = 1000,
        pooling: str | None = None,
        dropout_rate: float = 0.2,
        classifier_activation: ActivationLike = "softmax",
        include_preprocessing: bool = True,
        name: str = ...,
    ) -> Functional:
        """The model."""
        ...


@architecture(_MobileNetV3, "MobileNetV3Small")
def MobileNetV3Small(request: Request, **own: Any) -> Functional:
    """The smaller MobileNet V3, 2.6 million numbers.

    Images have values from 0 to 255, unless `include_preprocessing=False`, and any size by default.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.MobileNetV3Small((64, 64, 3), weights=None, classes=10)
        >>> model.output_shape
        (None, 10)

    Source: https://arxiv.org/abs/1905.02244
    """
    return _mobilenet_v3(request, "small", _SMALL, 1024, **own)


@architecture(_MobileNetV3, "MobileNetV3Large")
def MobileNetV3Large(request: Request, **own: Any) -> Functional:
    """The larger MobileNet V3, 5.5 million numbers.

    Images have values from 0 to 255, unless `include_preprocessing=False`, and any size by default.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.MobileNetV3Large(weights=None, include_top=False)
        >>> model.input_shape, model.output_shape
        ((None, None, None, 3), (None, None, None, 960))

    Source: https://arxiv.org/abs/1905.02244
    """
    return _mobilenet_v3(request, "large", _LARGE, 1280, **own)


def _mobilenet_v3(
    request: Request,
    size: str,
    blocks: Sequence[Block],
    last_filters: int,
    alpha: float,
    minimalistic: bool,
    dropout_rate: float,
    include_preprocessing: bool,
) -> Functional:
    shape = _shape(request)
    if request.is_imagenet:
        known = (1.0,) if minimalistic else (0.75, 1.0)
        if alpha not in known:
            refuse("alpha", alpha, f"one of {known} with `weights='imagenet'`", request.owner)
    activation = _relu if minimalistic else _hard_swish
    images = x = image_input(request, shape)
    if include_preprocessing:
        x = layers.Rescaling(1.0 / 127.5, offset=-1.0)(x)
    x = layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False, name="conv")(x)
    x = activation(_normalized(x, "conv_bn"))
    for i, (expansion, filters, kernel_size, stride, squeezes, swishes) in enumerate(blocks):
        x = _block(
            x,
            f"expanded_conv_{i}_" if i else "expanded_conv_",
            expansion if i else None,
            divisible(filters * alpha),
            3 if minimalistic else kernel_size,
            stride,
            squeezes and not minimalistic,
            activation if swishes else _relu,
        )
    x = _pointwise(x, divisible(x.shape[last_axis()] * 6), "conv_1", "conv_1_bn")
    x = activation(x)
    if request.include_top:
        last = divisible(last_filters * alpha) if alpha > 1.0 else last_filters
        x = layers.GlobalAveragePooling2D(keepdims=True)(x)
        x = activation(layers.Conv2D(last, 1, padding="same", name="conv_2")(x))
        if dropout_rate > 0:
            x = layers.Dropout(dropout_rate)(x)
        x = layers.Conv2D(request.classes, 1, padding="same", name="logits")(x)
        x = layers.Flatten()(x)
        x = layers.Activation(request.classifier_activation, name="predictions")(x)
    else:
        x = pooled(request, x, AVERAGE, MAXIMUM)
    key = f"{size}{'_minimalistic' if minimalistic else ''}_{_SIZE}_{alpha}_float"
    stem = f"weights_mobilenet_v3_{key}"
    names = (f"{stem}.h5", f"{stem}_no_top_v2.h5")
    files = files_of(f"{GOOGLE}mobilenet_v3/", names, _FILES.get(key, (None, None)))
    return finished_model(request, images, x, files)


def _shape(request: Request) -> PartialShape:
    """Images of any size by default, with the classifier too: it sees one pixel alone."""
    check_agreement(request)
    shape = with_channels(None, None, 3)
    if request.input_shape is not None:
        shape = given_shape(request)
    elif request.input_tensor is not None:
        shape = image_input(request, ()).shape[1:]
    check_size(request, shape, 32)
    if request.is_imagenet and sides_of(shape) != (_SIZE, _SIZE):
        warn(
            f"{request.owner}: the weights were trained with images of {_SIZE} x {_SIZE}, and are "
            f"taken for others too. Received: input_shape={request.input_shape}"
        )
    return shape


def _relu(x: KerasTensor) -> KerasTensor:
    return layers.ReLU()(x)


def _hard_swish(x: KerasTensor) -> KerasTensor:
    return layers.Activation("hard_swish")(x)


def _hard_sigmoid(x: KerasTensor) -> KerasTensor:
    return layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0)


def _normalized(x: KerasTensor, name: str) -> KerasTensor:
    norm = layers.BatchNormalization(axis=last_axis(), epsilon=1e-3, momentum=0.999, name=name)
    return norm(x)


def _pointwise(x: KerasTensor, filters: int, name: str, norm: str) -> KerasTensor:
    x = layers.Conv2D(filters, 1, padding="same", use_bias=False, name=name)(x)
    return _normalized(x, norm)


def _block(
    inputs: KerasTensor,
    prefix: str,
    expansion: float | None,
    filters: int,
    kernel_size: int,
    stride: int,
    squeezes: bool,
    activation: Callable[[KerasTensor], KerasTensor],
) -> KerasTensor:
    """Wider unless `expansion` is None, depthwise, squeezed, narrower; beside a shortcut."""
    channels = inputs.shape[last_axis()]
    x, width = inputs, channels
    if expansion is not None:
        width = divisible(channels * expansion)
        x = activation(_pointwise(x, width, f"{prefix}expand", f"{prefix}expand_bn"))
    x = halved_depthwise(x, kernel_size, stride, f"{prefix}depthwise_pad", f"{prefix}depthwise")
    x = activation(_normalized(x, f"{prefix}depthwise_bn"))
    if squeezes:
        x = _squeezed(x, width, f"{prefix}squeeze_excite_")
    x = _pointwise(x, filters, f"{prefix}project", f"{prefix}project_bn")
    if stride == 1 and channels == filters:
        return layers.Add(name=f"{prefix}add")([inputs, x])
    return x


def _squeezed(inputs: KerasTensor, channels: int, prefix: str) -> KerasTensor:
    """Channels by a factor each, which two small layers find from the means of all channels."""
    x = layers.GlobalAveragePooling2D(keepdims=True, name=f"{prefix}avg_pool")(inputs)
    x = layers.Conv2D(divisible(channels * 0.25), 1, padding="same", name=f"{prefix}conv")(x)
    x = layers.ReLU(name=f"{prefix}relu")(x)
    x = layers.Conv2D(channels, 1, padding="same", name=f"{prefix}conv_1")(x)
    return layers.Multiply(name=f"{prefix}mul")([inputs, _hard_sigmoid(x)])
