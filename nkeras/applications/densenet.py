"""DenseNet: each convolution sees the outputs of all before it in its block, side by side.

Source: G. Huang and others, "Densely Connected Convolutional Networks", 2016,
https://arxiv.org/abs/1608.06993
"""

from __future__ import annotations

from collections.abc import Sequence

from nkeras import layers
from nkeras.applications.architecture import Architecture, Request, architecture
from nkeras.applications.heads import AVERAGE, MAXIMUM, averaging_head
from nkeras.applications.imagenet_utils import decode_predictions
from nkeras.applications.imagenet_utils import normalized_by_channel as preprocess_input
from nkeras.applications.images import image_input, image_shape, needs_channels_last
from nkeras.applications.pretrained import finished_model, tensorflow_kernels
from nkeras.applications.resnet import normalized_relu
from nkeras.core.graph import KerasTensor
from nkeras.models import Functional

__all__ = ["DenseNet121", "DenseNet169", "DenseNet201", "decode_predictions", "preprocess_input"]

_GROWTH = 32  # features that each convolution adds
_FILES = {
    "densenet121": ("9d60b8095a5708f2dcce2bca79d332c7", "30ee3e1110167f948a6b9946edeeb738"),
    "densenet169": ("d699b8f76981ab1b30698df4c175e90b", "b8c4d4c20dd625c148057b9ff1c1176b"),
    "densenet201": ("1ceb130c1ea1b78c3bf6114dbdfd8807", "c13680b51ded0fb44dff2d8f86ac8bb1"),
}


@architecture(Architecture, "densenet121")
def DenseNet121(request: Request) -> Functional:
    """DenseNet with 121 layers that have weights, 8.1 million numbers.

    Images go through `nkeras.applications.densenet.preprocess_input` first.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.DenseNet121(
        ...     weights=None, include_top=False, input_shape=(64, 64, 3)
        ... )
        >>> model.output_shape
        (None, 2, 2, 1024)

    Source: https://arxiv.org/abs/1608.06993
    """
    return _densenet(request, "densenet121", (6, 12, 24, 16))


@architecture(Architecture, "densenet169")
def DenseNet169(request: Request) -> Functional:
    """DenseNet with 169 layers that have weights, 14.3 million numbers.

    Images go through `nkeras.applications.densenet.preprocess_input` first.

    Example:
        >>> import nkeras
        >>> nkeras.applications.DenseNet169(weights=None, classes=10).output_shape
        (None, 10)

    Source: https://arxiv.org/abs/1608.06993
    """
    return _densenet(request, "densenet169", (6, 12, 32, 32))


@architecture(Architecture, "densenet201")
def DenseNet201(request: Request) -> Functional:
    """DenseNet with 201 layers that have weights, 20.2 million numbers.

    Images go through `nkeras.applications.densenet.preprocess_input` first.

    Example:
        >>> import nkeras
        >>> nkeras.applications.DenseNet201(weights=None, classes=10).output_shape
        (None, 10)

    Source: https://arxiv.org/abs/1608.06993
    """
    return _densenet(request, "densenet201", (6, 12, 48, 32))


def _densenet(request: Request, name: str, counts: Sequence[int]) -> Functional:
    needs_channels_last(request)
    images = image_input(request, image_shape(request, 224))
    x = layers.ZeroPadding2D(3)(images)
    x = layers.Conv2D(64, 7, strides=2, use_bias=False, name="conv1_conv")(x)
    x = normalized_relu(x, "conv1_bn", "conv1_relu")
    x = layers.ZeroPadding2D(1)(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    for block, count in enumerate(counts, 2):
        if block > 2:
            x = _transition(x, f"pool{block - 1}")
        for i in range(1, count + 1):
            x = _grown(x, f"conv{block}_block{i}")
    x = normalized_relu(x, "bn", "relu")
    x = averaging_head(request, x, AVERAGE, AVERAGE, MAXIMUM)
    return finished_model(request, images, x, tensorflow_kernels("densenet", name, _FILES[name]))


def _grown(x: KerasTensor, name: str) -> KerasTensor:
    """The features, and beside them those that a convolution of all of them finds."""
    new = normalized_relu(x, f"{name}_0_bn", f"{name}_0_relu")
    new = layers.Conv2D(4 * _GROWTH, 1, use_bias=False, name=f"{name}_1_conv")(new)
    new = normalized_relu(new, f"{name}_1_bn", f"{name}_1_relu")
    new = layers.Conv2D(_GROWTH, 3, padding="same", use_bias=False, name=f"{name}_2_conv")(new)
    return layers.Concatenate(axis=3, name=f"{name}_concat")([x, new])


def _transition(x: KerasTensor, name: str) -> KerasTensor:
    """Half as many features, of half the height and width."""
    half = x.shape[3] // 2
    x = normalized_relu(x, f"{name}_bn", f"{name}_relu")
    x = layers.Conv2D(half, 1, use_bias=False, name=f"{name}_conv")(x)
    return layers.AveragePooling2D(2, strides=2, name=f"{name}_pool")(x)
