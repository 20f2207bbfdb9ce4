"""Activations over a whole axis."""

from __future__ import annotations

from nkeras.core.tensor import Tensor
from nkeras.core.typing import Axis, TensorLike
from nkeras.ops import activation as ops
from nkeras.ops import normalization


def softmax(x: TensorLike, axis: Axis = -1) -> Tensor:
    """`exp(x) / sum(exp(x))` along an axis: positive numbers that sum to 1.

    Args:
        x: tensor.
        axis: int, tuple of int, or None for all axes.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import nkeras
        >>> nkeras.activations.softmax([0.0, 0.0]).numpy()
        array([0.5, 0.5], dtype=float32)
    """
    return normalization.softmax(x, axis)


def log_softmax(x: TensorLike, axis: Axis = -1) -> Tensor:
    """`log(softmax(x))` along an axis, stable for any x.

    Args:
        x: tensor.
        axis: int, tuple of int, or None for all axes.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import nkeras
        >>> nkeras.activations.log_softmax([200.0, 0.0]).numpy()
        array([   0., -200.], dtype=float32)
    """
    return normalization.log_softmax(x, axis)


def sparsemax(x: TensorLike, axis: int = -1) -> Tensor:
    """The point of the probability simplex nearest to x along an axis; many zeros.

    Args:
        x: tensor.
        axis: axis that sums to 1.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import nkeras
        >>> nkeras.activations.sparsemax([1.0, 0.5, -3.0]).numpy()
        array([0.75, 0.25, 0.  ], dtype=float32)

    Source: Martins and Astudillo 2016, https://arxiv.org/abs/1602.02068
    """
    return ops.sparsemax(x, axis)


def glu(x: TensorLike, axis: int = -1) -> Tensor:
    """Gated linear unit: the first half of x times the sigmoid of the second half.

    Args:
        x: tensor.
        axis: where to halve.

    Returns:
        Tensor of half the size along `axis`.

    Raises:
        ValueError: the size along `axis` is odd.

    Example:
        >>> import nkeras
        >>> nkeras.activations.glu([3.0, 0.0]).numpy()
        array([1.5], dtype=float32)

    Source: Dauphin et al. 2016, https://arxiv.org/abs/1612.08083
    """
    return ops.glu(x, axis)
