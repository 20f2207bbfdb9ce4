"""ResNet V2: normalization and relu come before each convolution, and shortcuts stay as they are.

Source: K. He and others, "Identity Mappings in Deep Residual Networks", 2016,
https://arxiv.org/abs/1603.05027
"""

from __future__ import annotations

from collections.abc import Sequence

from nkeras import layers
from nkeras.applications.architecture import Architecture, Request, architecture
from nkeras.applications.imagenet_utils import decode_predictions
from nkeras.applications.imagenet_utils import from_minus_one_to_one as preprocess_input
from nkeras.applications.resnet import normalized_relu, residual_model
from nkeras.core.graph import KerasTensor
from nkeras.models import Functional

__all__ = ["ResNet50V2", "ResNet101V2", "ResNet152V2", "decode_predictions", "preprocess_input"]


@architecture(Architecture, "resnet50v2")
def ResNet50V2(request: Request) -> Functional:
    """ResNet V2 with 50 layers that have weights, 25.6 million numbers.

    Images go through `nkeras.applications.resnet_v2.preprocess_input` first.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.ResNet50V2(
        ...     weights=None, include_top=False, input_shape=(64, 64, 3)
        ... )
        >>> model.output_shape
        (None, 2, 2, 2048)

    Source: https://arxiv.org/abs/1603.05027
    """
    return _resnet_v2(request, "resnet50v2", (3, 4, 6, 3))


@architecture(Architecture, "resnet101v2")
def ResNet101V2(request: Request) -> Functional:
    """ResNet V2 with 101 layers that have weights, 44.7 million numbers.

    Images go through `nkeras.applications.resnet_v2.preprocess_input` first.

    Example:
        >>> import nkeras
        >>> nkeras.applications.ResNet101V2(weights=None, classes=10).output_shape
        (None, 10)

    Source: https://arxiv.org/abs/1603.05027
    """
    return _resnet_v2(request, "resnet101v2", (3, 4, 23, 3))


@architecture(Architecture, "resnet152v2")
def ResNet152V2(request: Request) -> Functional:
    """ResNet V2 with 152 layers that have weights, 60.4 million numbers.

    Images go through `nkeras.applications.resnet_v2.preprocess_input` first.

    Example:
        >>> import nkeras
        >>> nkeras.applications.ResNet152V2(weights=None, classes=10).output_shape
        (None, 10)

    Source: https://arxiv.org/abs/1603.05027
    """
    return _resnet_v2(request, "resnet152v2", (3, 8, 36, 3))


def _resnet_v2(request: Request, name: str, counts: Sequence[int]) -> Functional:
    def stages(x: KerasTensor) -> KerasTensor:
        for stage, count in enumerate(counts):
            filters, is_last = 64 * 2**stage, stage == len(counts) - 1
            x = _block(x, f"conv{stage + 2}_block1", filters, widens=True)
            for block in range(2, count):
                x = _block(x, f"conv{stage + 2}_block{block}", filters)
            x = _block(x, f"conv{stage + 2}_block{count}", filters, 1 if is_last else 2)
        return x

    return residual_model(request, name, stages, is_normalized_first=True)


def _block(
    x: KerasTensor, name: str, filters: int, stride: int = 1, widens: bool = False
) -> KerasTensor:
    """Three convolutions beside a shortcut of the block's input."""
    ready = normalized_relu(x, f"{name}_preact_bn", f"{name}_preact_relu")
    shortcut = x
    if widens:
        shortcut = layers.Conv2D(4 * filters, 1, strides=stride, name=f"{name}_0_conv")(ready)
    elif stride > 1:
        shortcut = layers.MaxPooling2D(1, strides=stride)(x)
    x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_1_conv")(ready)
    x = normalized_relu(x, f"{name}_1_bn", f"{name}_1_relu")
    x = layers.ZeroPadding2D(1, name=f"{name}_2_pad")(x)
    x = layers.Conv2D(filters, 3, strides=stride, use_bias=False, name=f"{name}_2_conv")(x)
    x = normalized_relu(x, f"{name}_2_bn", f"{name}_2_relu")
    x = layers.Conv2D(4 * filters, 1, name=f"{name}_3_conv")(x)
    return layers.Add(name=f"{name}_out")([shortcut, x])
