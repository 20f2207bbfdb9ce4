"""Small helpers on arrays: `to_categorical` and `normalize`."""

from __future__ import annotations

from typing import Any

import numpy as np

from nkeras.core.errors import is_a, refuse
from nkeras.core.graph import KerasTensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike


def to_categorical(x: TensorLike, num_classes: int | None = None) -> Any:
    """Turn classes into rows with a one at the class and zeros elsewhere.

    Args:
        x: integers from 0 to `num_classes - 1`, of any shape; a last axis of size 1 is dropped.
        num_classes: number of classes; `max(x) + 1` by default. Needed if `x` is a tensor.

    Returns:
        float array of shape `(*x.shape, num_classes)`: NumPy's, or a tensor if `x` is a tensor.

    Raises:
        ValueError: a class is out of range.

    Example:
        >>> to_categorical([0, 2], num_classes=3)
        array([[1., 0., 0.],
               [0., 0., 1.]])

    Source: https://keras.io/api/utils/python_utils/
    """
    if isinstance(x, (Tensor, KerasTensor)):
        return _one_hot_tensor(x, num_classes)
    is_count = isinstance(num_classes, (int, np.integer)) and num_classes >= 0
    if not (num_classes is None or is_count):
        refuse("num_classes", num_classes, "a positive int or None", "to_categorical")
    classes = np.array(x, dtype="int64")
    if classes.ndim > 1 and classes.shape[-1] == 1:
        classes = classes[..., 0]
    if not num_classes:
        if classes.size == 0:
            raise ValueError("to_categorical: argument `num_classes` is needed for an empty `x`.")
        num_classes = int(classes.max()) + 1
    if classes.size and not (classes.min() >= 0 and classes.max() < num_classes):
        raise ValueError(
            f"to_categorical: argument `x` must hold classes from 0 to {num_classes - 1}. Received "
            f"values from {classes.min()} to {classes.max()}, num_classes={num_classes}"
        )
    return np.eye(num_classes)[classes]


def _one_hot_tensor(x: Tensor | KerasTensor, num_classes: int | None) -> Tensor:
    from nkeras import ops

    if num_classes is None:
        raise ValueError("to_categorical: argument `num_classes` is needed for a tensor `x`.")
    if len(x.shape) > 1 and x.shape[-1] == 1:
        x = ops.squeeze(x, -1)
    return ops.one_hot(x, num_classes)


def normalize(x: TensorLike, axis: int = -1, order: float = 2) -> Any:
    """Divide by the norm along an axis, so that it becomes 1; zeros stay zeros.

    Args:
        x: array or tensor.
        axis: axis whose norm is taken.
        order: which norm; 2 is the Euclidean one.

    Returns:
        NumPy array for NumPy input, else tensor, of the shape of `x`.

    Example:
        >>> import numpy as np
        >>> normalize(np.array([3.0, 4.0]))
        array([0.6, 0.8])

    Source: https://keras.io/api/utils/python_utils/
    """
    if not isinstance(x, np.ndarray):
        from nkeras import ops

        return ops.normalize(x, axis=axis, order=order)  # pyright: ignore[reportArgumentType]
    if not is_a(order, (int, float)):
        refuse("order", order, "a number", "normalize")
    norm: np.ndarray = np.asarray(np.linalg.norm(x, order, axis, keepdims=True))
    return x / np.where(norm == 0, 1, norm)
