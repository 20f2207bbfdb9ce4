"""What stands behind the features: pooling and a classifier."""

from __future__ import annotations

from nkeras import layers
from nkeras.applications.architecture import Request
from nkeras.core.graph import KerasTensor
from nkeras.core.typing import InitializerLike

# Its layers for pooling have these names in some families; in others automatic ones.
AVERAGE, MAXIMUM = "avg_pool", "max_pool"


def pooled(
    request: Request, x: KerasTensor, average: str | None = None, maximum: str | None = None
) -> KerasTensor:
    """Features without a classifier, pooled as the caller asked.

    Args:
        request: what the caller asked for.
        x: `(batch, height, width, features)`.
        average: name of the layer that takes means.
        maximum: name of the layer that takes maxima.
    """
    if request.pooling == "avg":
        return layers.GlobalAveragePooling2D(name=average)(x)
    if request.pooling == "max":
        return layers.GlobalMaxPooling2D(name=maximum)(x)
    return x


def dense_classifier(
    request: Request,
    x: KerasTensor,
    kernel_initializer: InitializerLike = "glorot_uniform",
    bias_initializer: InitializerLike = "zeros",
) -> KerasTensor:
    """The last layer: probabilities of the classes, from `(batch, features)`."""
    return layers.Dense(
        request.classes,
        activation=request.classifier_activation,
        kernel_initializer=kernel_initializer,
        bias_initializer=bias_initializer,
        name="predictions",
    )(x)


def averaging_head(
    request: Request,
    x: KerasTensor,
    name: str | None = None,
    average: str | None = None,
    maximum: str | None = None,
) -> KerasTensor:
    """A classifier of the means of all pixels, or the features pooled.

    Args:
        request: what the caller asked for.
        x: `(batch, height, width, features)`.
        name: name of the layer that takes means for the classifier.
        average: name of the layer that takes means without a classifier.
        maximum: name of the layer that takes maxima.
    """
    if not request.include_top:
        return pooled(request, x, average, maximum)
    return dense_classifier(request, layers.GlobalAveragePooling2D(name=name)(x))
