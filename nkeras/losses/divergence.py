"""Divergences between distributions.

Source: https://keras.io/api/losses/probabilistic_losses/
"""

from __future__ import annotations

from nkeras.core import config
from nkeras.core.primitive import op
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.losses.loss import NamedLoss
from nkeras.losses.weighting import aligned
from nkeras.ops.elementwise import clip, log
from nkeras.ops.reduction import mean
from nkeras.ops.reduction import sum as sum_


@op
def kl_divergence(y_true: TensorLike, y_pred: TensorLike) -> Tensor:
    """`sum(y_true * log(y_true / y_pred))` over the last axis, both clipped to [epsilon, 1].

    Args:
        y_true: probabilities `(batch, ..., classes)`.
        y_pred: probabilities of the same shape.

    Returns:
        Tensor `(batch, ...)`.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> import nkeras
        >>> nkeras.losses.kl_divergence([[0.5, 0.5]], [[0.5, 0.5]]).numpy()
        array([0.], dtype=float32)
    """
    y_true, y_pred = aligned(y_true, y_pred, "kl_divergence")
    y_true = clip(y_true, config.epsilon(), 1.0)
    y_pred = clip(y_pred, config.epsilon(), 1.0)
    return sum_(y_true * log(y_true / y_pred), axis=-1)


@op
def poisson(y_true: TensorLike, y_pred: TensorLike) -> Tensor:
    """`mean(y_pred - y_true * log(y_pred + epsilon))` over the last axis.

    Args:
        y_true: counts `(batch, ..., outputs)`.
        y_pred: expected counts of the same shape.

    Returns:
        Tensor `(batch, ...)`.

    Raises:
        ValueError: the shapes differ.
    """
    y_true, y_pred = aligned(y_true, y_pred, "poisson")
    return mean(y_pred - y_true * log(y_pred + config.epsilon()), axis=-1)


class KLDivergence(NamedLoss, fn=kl_divergence):
    """Kullback-Leibler divergence: see `nkeras.losses.kl_divergence`."""


class Poisson(NamedLoss, fn=poisson):
    """Negative log-likelihood of counts: see `nkeras.losses.poisson`."""
