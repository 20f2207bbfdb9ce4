"""What both versions of EfficientNet are made of."""

from __future__ import annotations

from nkeras import layers
from nkeras.applications.architecture import Request
from nkeras.applications.heads import AVERAGE, MAXIMUM, dense_classifier, pooled
from nkeras.applications.images import channel_axis, is_channels_first
from nkeras.core.graph import KerasTensor
from nkeras.core.typing import Config, InitializerLike

KERNELS: Config = {
    "class_name": "VarianceScaling",
    "config": {"scale": 2.0, "mode": "fan_out", "distribution": "truncated_normal"},
}
_OF_CLASSIFIER: Config = {
    "class_name": "VarianceScaling",
    "config": {"scale": 1.0 / 3.0, "mode": "fan_out", "distribution": "uniform"},
}


def convolved(
    x: KerasTensor,
    filters: int,
    kernel_size: int,
    name: str,
    strides: int = 1,
    padding: str = "same",
) -> KerasTensor:
    """A convolution without bias."""
    return layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding=padding,
        use_bias=False,
        kernel_initializer=KERNELS,
        name=name,
    )(x)


def normalized(x: KerasTensor, name: str, momentum: float = 0.99) -> KerasTensor:
    """Batch normalization."""
    return layers.BatchNormalization(axis=channel_axis(), momentum=momentum, name=name)(x)


def activated(x: KerasTensor, name: str) -> KerasTensor:
    """Swish, which Keras also calls silu."""
    return layers.Activation("swish", name=name)(x)


def squeezed(x: KerasTensor, channels: int, narrow: int, name: str) -> KerasTensor:
    """Channels by a factor each, which two small layers find from the means of all channels.

    Source: J. Hu and others, "Squeeze-and-Excitation Networks", https://arxiv.org/abs/1709.01507
    """
    means = layers.GlobalAveragePooling2D(name=f"{name}se_squeeze")(x)
    pixel = (channels, 1, 1) if is_channels_first() else (1, 1, channels)
    means = layers.Reshape(pixel, name=f"{name}se_reshape")(means)
    few = layers.Conv2D(
        narrow,
        1,
        padding="same",
        activation="swish",
        kernel_initializer=KERNELS,
        name=f"{name}se_reduce",
    )(means)
    factors = layers.Conv2D(
        channels,
        1,
        padding="same",
        activation="sigmoid",
        kernel_initializer=KERNELS,
        name=f"{name}se_expand",
    )(few)
    return layers.Multiply(name=f"{name}se_excite")([x, factors])


def residual(inputs: KerasTensor, x: KerasTensor, dropped: float, name: str) -> KerasTensor:
    """The sum with a shortcut; in training the branch is left out for some of the images."""
    if dropped > 0:
        x = layers.Dropout(dropped, noise_shape=(None, 1, 1, 1), name=f"{name}drop")(x)
    return layers.Add(name=f"{name}add")([x, inputs])


def head(
    request: Request, x: KerasTensor, dropout: float, bias_initializer: InitializerLike = "zeros"
) -> KerasTensor:
    """The classifier, or the features pooled."""
    if not request.include_top:
        return pooled(request, x, AVERAGE, MAXIMUM)
    x = layers.GlobalAveragePooling2D(name=AVERAGE)(x)
    x = layers.Dropout(dropout, name="top_dropout")(x)
    return dense_classifier(request, x, _OF_CLASSIFIER, bias_initializer)
