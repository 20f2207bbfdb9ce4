"""Margin losses of targets -1 and 1.

Source: https://keras.io/api/losses/hinge_losses/
"""

from __future__ import annotations

from nkeras.core.primitive import op
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.losses.loss import NamedLoss
from nkeras.losses.weighting import aligned
from nkeras.ops.elementwise import equal, logical_or, maximum, square, where_
from nkeras.ops.reduction import max as max_
from nkeras.ops.reduction import mean, reduce_all
from nkeras.ops.reduction import sum as sum_


def _margin(y_true: TensorLike, y_pred: TensorLike, owner: str) -> Tensor:
    """`max(1 - y_true * y_pred, 0)`; targets that are all 0 or 1 become -1 and 1."""
    y_true, y_pred = aligned(y_true, y_pred, owner)
    binary = logical_or(equal(y_true, 0.0), equal(y_true, 1.0))
    is_binary = reduce_all(binary, axis=tuple(range(len(y_true.shape))), keepdims=False)
    y_true = where_(is_binary, 2.0 * y_true - 1.0, y_true)
    return maximum(1.0 - y_true * y_pred, 0.0)


@op
def hinge(y_true: TensorLike, y_pred: TensorLike) -> Tensor:
    """`mean(max(1 - y_true * y_pred, 0))` over the last axis.

    Args:
        y_true: targets -1 and 1 `(batch, ..., outputs)`; if all are 0 or 1, 0 counts as -1.
        y_pred: predictions of the same shape.

    Returns:
        Tensor `(batch, ...)`.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> import nkeras
        >>> nkeras.losses.hinge([[1.0, -1.0]], [[0.5, 0.5]]).numpy()
        array([1.], dtype=float32)
    """
    return mean(_margin(y_true, y_pred, "hinge"), axis=-1)


@op
def squared_hinge(y_true: TensorLike, y_pred: TensorLike) -> Tensor:
    """`mean(max(1 - y_true * y_pred, 0)**2)` over the last axis.

    Args:
        y_true: targets -1 and 1 `(batch, ..., outputs)`; if all are 0 or 1, 0 counts as -1.
        y_pred: predictions of the same shape.

    Returns:
        Tensor `(batch, ...)`.

    Raises:
        ValueError: the shapes differ.
    """
    return mean(square(_margin(y_true, y_pred, "squared_hinge")), axis=-1)


@op
def categorical_hinge(y_true: TensorLike, y_pred: TensorLike) -> Tensor:
    """`max(neg - pos + 1, 0)`: pos is the prediction of the true class, neg the best of the others.

    Args:
        y_true: one-hot targets `(batch, ..., classes)`.
        y_pred: predictions of the same shape.

    Returns:
        Tensor `(batch, ...)`.

    Raises:
        ValueError: the shapes differ.
    """
    y_true, y_pred = aligned(y_true, y_pred, "categorical_hinge")
    positive = sum_(y_true * y_pred, axis=-1)
    negative = max_((1.0 - y_true) * y_pred, axis=-1)
    return maximum(negative - positive + 1.0, 0.0)


class Hinge(NamedLoss, fn=hinge):
    """Margin loss: see `nkeras.losses.hinge`."""


class SquaredHinge(NamedLoss, fn=squared_hinge):
    """Squared margin loss: see `nkeras.losses.squared_hinge`."""


class CategoricalHinge(NamedLoss, fn=categorical_hinge):
    """Margin between the true class and the best other: see `nkeras.losses.categorical_hinge`."""
