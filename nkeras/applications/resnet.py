"""ResNet: residual blocks of a narrow 3x3 convolution between two of 1x1.

Source: K. He and others, "Deep Residual Learning for Image Recognition", 2015,
https://arxiv.org/abs/1512.03385
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from nkeras import layers
from nkeras.applications.architecture import Architecture, Request, architecture
from nkeras.applications.heads import AVERAGE, MAXIMUM, averaging_head
from nkeras.applications.imagenet_utils import decode_predictions
from nkeras.applications.imagenet_utils import zero_centered as preprocess_input
from nkeras.applications.images import channel_axis, image_input, image_shape
from nkeras.applications.pretrained import finished_model, tensorflow_kernels
from nkeras.core.graph import KerasTensor
from nkeras.models import Functional

__all__ = ["ResNet50", "ResNet101", "ResNet152", "decode_predictions", "preprocess_input"]

_EPSILON = 1.001e-5  # of the weights' authors
_FILES = {
    "resnet50": ("2cb95161c43110f7111970584f804107", "4d473c1dd8becc155b73f8504c6f6626"),
    "resnet101": ("f1aeb4b969a6efcfb50fad2f0c20cfc5", "88cf7a10940856eca736dc7b7e228a21"),
    "resnet152": ("100835be76be38e30d865e96f2aaae62", "ee4c566cf9a93f14d82f913c2dc6dd0c"),
    "resnet50v2": ("3ef43a0b657b3be2300d5770ece849e0", "fac2f116257151a9d068a22e544a4917"),
    "resnet101v2": ("6343647c601c52e1368623803854d971", "c0ed64b8031c3730f411d2eb4eea35b5"),
    "resnet152v2": ("a49b44d1979771252814e80f8ec446f9", "ed17cf2e0169df9d443503ef94b23b33"),
}

Stages: TypeAlias = Callable[[KerasTensor], KerasTensor]


@architecture(Architecture, "resnet50")
def ResNet50(request: Request) -> Functional:
    """ResNet with 50 layers that have weights, 25.6 million numbers.

    Images go through `nkeras.applications.resnet.preprocess_input` first.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.ResNet50(
        ...     weights=None, include_top=False, input_shape=(64, 64, 3), pooling="avg"
        ... )
        >>> model.output_shape
        (None, 2048)

    Source: https://arxiv.org/abs/1512.03385
    """
    return _resnet(request, "resnet50", (3, 4, 6, 3))


@architecture(Architecture, "resnet101")
def ResNet101(request: Request) -> Functional:
    """ResNet with 101 layers that have weights, 44.7 million numbers.

    Images go through `nkeras.applications.resnet.preprocess_input` first.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.ResNet101(weights=None, classes=10)
        >>> model.output_shape
        (None, 10)

    Source: https://arxiv.org/abs/1512.03385
    """
    return _resnet(request, "resnet101", (3, 4, 23, 3))


@architecture(Architecture, "resnet152")
def ResNet152(request: Request) -> Functional:
    """ResNet with 152 layers that have weights, 60.4 million numbers.

    Images go through `nkeras.applications.resnet.preprocess_input` first.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.ResNet152(weights=None, classes=10)
        >>> model.output_shape
        (None, 10)

    Source: https://arxiv.org/abs/1512.03385
    """
    return _resnet(request, "resnet152", (3, 8, 36, 3))


def _resnet(request: Request, name: str, counts: Sequence[int]) -> Functional:
    def stages(x: KerasTensor) -> KerasTensor:
        for stage, count in enumerate(counts):
            filters, stride = 64 * 2**stage, 1 if stage == 0 else 2
            x = _block(x, f"conv{stage + 2}_block1", filters, stride, widens=True)
            for block in range(2, count + 1):
                x = _block(x, f"conv{stage + 2}_block{block}", filters)
        return x

    return residual_model(request, name, stages)


def residual_model(
    request: Request, name: str, stages: Stages, is_normalized_first: bool = False
) -> Functional:
    """The stem, stages of residual blocks, and the classifier.

    Args:
        request: what the caller asked for.
        name: of the architecture among the files of weights.
        stages: what stands between.
        is_normalized_first: whether blocks begin with their normalization, as those of the second
            version; then one stands behind the last block, and none in the stem.
    """
    images = image_input(request, image_shape(request, 224))
    x = layers.ZeroPadding2D(3, name="conv1_pad")(images)
    x = layers.Conv2D(64, 7, strides=2, name="conv1_conv")(x)
    if not is_normalized_first:
        x = normalized_relu(x, "conv1_bn", "conv1_relu")
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    x = stages(x)
    if is_normalized_first:
        x = normalized_relu(x, "post_bn", "post_relu")
    x = averaging_head(request, x, AVERAGE, AVERAGE, MAXIMUM)
    return finished_model(request, images, x, tensorflow_kernels("resnet", name, _FILES[name]))


def normalized(x: KerasTensor, name: str) -> KerasTensor:
    """Batch normalization, also in DenseNet."""
    return layers.BatchNormalization(axis=channel_axis(), epsilon=_EPSILON, name=name)(x)


def normalized_relu(x: KerasTensor, norm: str, relu: str) -> KerasTensor:
    """Batch normalization and relu, by the names of the two layers."""
    return layers.Activation("relu", name=relu)(normalized(x, norm))


def _block(
    x: KerasTensor, name: str, filters: int, stride: int = 1, widens: bool = False
) -> KerasTensor:
    """Three convolutions beside a shortcut, which is a convolution where the sizes change."""
    shortcut = x
    if widens:
        shortcut = layers.Conv2D(4 * filters, 1, strides=stride, name=f"{name}_0_conv")(x)
        shortcut = normalized(shortcut, f"{name}_0_bn")
    x = layers.Conv2D(filters, 1, strides=stride, name=f"{name}_1_conv")(x)
    x = normalized_relu(x, f"{name}_1_bn", f"{name}_1_relu")
    x = layers.Conv2D(filters, 3, padding="same", name=f"{name}_2_conv")(x)
    x = normalized_relu(x, f"{name}_2_bn", f"{name}_2_relu")
    x = layers.Conv2D(4 * filters, 1, name=f"{name}_3_conv")(x)
    x = normalized(x, f"{name}_3_bn")
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.Activation("relu", name=f"{name}_out")(x)
