"""Overlap losses for image segmentation.

Source: https://keras.io/api/losses/
"""

from __future__ import annotations

from collections.abc import Sequence

from nkeras.core import config
from nkeras.core.primitive import op
from nkeras.core.tensor import Tensor
from nkeras.core.typing import PolicyLike, TensorLike
from nkeras.losses.loss import NamedLoss
from nkeras.losses.weighting import aligned
from nkeras.ops.reduction import sum as sum_

Axis = int | Sequence[int] | None


@op
def dice(y_true: TensorLike, y_pred: TensorLike, axis: Axis = None) -> Tensor:
    """`1 - 2 * sum(y_true * y_pred) / (sum(y_true) + sum(y_pred) + epsilon)`.

    Args:
        y_true: targets in [0, 1].
        y_pred: predictions in [0, 1] of the same shape.
        axis: axes of the sums; None for all.

    Returns:
        Tensor without the axes: a scalar for None.

    Raises:
        ValueError: the shapes differ.
    """
    y_true, y_pred = aligned(y_true, y_pred, "dice")
    both = sum_(y_true * y_pred, axis=axis)
    total = sum_(y_true, axis=axis) + sum_(y_pred, axis=axis) + config.epsilon()
    return 1.0 - 2.0 * both / total


@op
def tversky(
    y_true: TensorLike, y_pred: TensorLike, alpha: float = 0.5, beta: float = 0.5, axis: Axis = None
) -> Tensor:
    """`1 - tp / (tp + alpha * excess + beta * missed + epsilon)`, with sums over elements.

    tp is the sum of `y_true * y_pred`, excess of `y_pred * (1 - y_true)`, missed of
    `y_true * (1 - y_pred)`.

    (Salehi et al., https://arxiv.org/abs/1706.05721; Keras 3.15 has alpha and beta exchanged, see
    https://github.com/keras-team/keras/pull/23333)

    Args:
        y_true: targets in [0, 1].
        y_pred: predictions in [0, 1] of the same shape.
        alpha: weight of what is found wrongly.
        beta: weight of what is missed.
        axis: axes of the sums; None for all.

    Returns:
        Tensor without the axes: a scalar for None.

    Raises:
        ValueError: the shapes differ.
    """
    y_true, y_pred = aligned(y_true, y_pred, "tversky")
    both = sum_(y_true * y_pred, axis=axis)
    missed = sum_((1.0 - y_pred) * y_true, axis=axis)
    excess = sum_(y_pred * (1.0 - y_true), axis=axis)
    return 1.0 - both / (both + excess * alpha + missed * beta + config.epsilon())


class Dice(NamedLoss, fn=dice):
    """Dice loss: see `nkeras.losses.dice`."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "dice",
        axis: Axis = None,
        dtype: PolicyLike = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.axis = axis


class Tversky(NamedLoss, fn=tversky):
    """Tversky loss: see `nkeras.losses.tversky`."""

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str = "tversky",
        axis: Axis = None,
        dtype: PolicyLike = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.alpha = alpha
        self.beta = beta
        self.axis = axis
