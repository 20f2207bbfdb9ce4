"""Regularizers: a penalty on a tensor, added to the loss.

Source: https://keras.io/api/layers/regularizers/
"""

from __future__ import annotations

import math

import numpy as np

from nkeras.core import config
from nkeras.core.configurable import Configurable
from nkeras.core.errors import short
from nkeras.core.guards import GuardedAttributes
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.ops.elementwise import absolute, maximum, multiply, sqrt, square
from nkeras.ops.matrix_product import matmul
from nkeras.ops.reduction import sum
from nkeras.ops.shape import cast, transpose


class Regularizer(Configurable, GuardedAttributes):
    """Base of regularizers: a callable from a tensor to a scalar. Subclass it for your own.

    Example:
        >>> import nkeras
        >>> class Square(nkeras.regularizers.Regularizer):
        ...     def __call__(self, x):
        ...         return nkeras.ops.sum(x * x)
        >>> float(Square()(nkeras.ops.ones((3,))))
        3.0
    """

    def __call__(self, x: TensorLike) -> TensorLike:
        """The penalty of a tensor."""
        return 0.0


class L1L2(Regularizer):
    """Penalty `l1 * sum(|x|) + l2 * sum(x**2)`.

    Args:
        l1: factor of the absolute values; None counts as 0.
        l2: factor of the squares; None counts as 0.

    Raises:
        ValueError: a factor is negative or not finite.

    Example:
        >>> import nkeras
        >>> float(nkeras.regularizers.L1L2(0.5, 0.25)(nkeras.ops.ones((4,))))
        3.0
    """

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0) -> None:
        self.l1 = _factor(0.0 if l1 is None else l1, "l1", "L1L2")
        self.l2 = _factor(0.0 if l2 is None else l2, "l2", "L1L2")

    def __call__(self, x: TensorLike) -> Tensor:
        """The penalty, a scalar tensor of the dtype of `x`."""
        x = to_tensor(x)
        penalty = cast(0.0, x.dtype)
        if self.l1 != 0.0:
            penalty = penalty + sum(absolute(x)) * self.l1
        if self.l2 != 0.0:
            penalty = penalty + sum(square(x)) * self.l2
        return penalty


class L1(Regularizer):
    """Penalty `l1 * sum(|x|)`.

    Args:
        l1: factor; None counts as 0.01.

    Raises:
        ValueError: the factor is negative or not finite.

    Example:
        >>> import nkeras
        >>> float(nkeras.regularizers.L1(0.5)(nkeras.ops.ones((4,))))
        2.0
    """

    def __init__(self, l1: float | None = 0.01) -> None:
        self.l1 = _factor(0.01 if l1 is None else l1, "l1", "L1")

    def __call__(self, x: TensorLike) -> Tensor:
        """The penalty, a scalar tensor of the dtype of `x`."""
        return multiply(sum(absolute(to_tensor(x))), self.l1)


class L2(Regularizer):
    """Penalty `l2 * sum(x**2)`.

    Args:
        l2: factor; None counts as 0.01.

    Raises:
        ValueError: the factor is negative or not finite.

    Example:
        >>> import nkeras
        >>> float(nkeras.regularizers.L2(0.5)(2.0 * nkeras.ops.ones((4,))))
        8.0
    """

    def __init__(self, l2: float | None = 0.01) -> None:
        self.l2 = _factor(0.01 if l2 is None else l2, "l2", "L2")

    def __call__(self, x: TensorLike) -> Tensor:
        """The penalty, a scalar tensor of the dtype of `x`."""
        return multiply(sum(square(to_tensor(x))), self.l2)


class OrthogonalRegularizer(Regularizer):
    """Pushes the rows (or columns) of a matrix towards pairwise right angles.

    The penalty is `factor` times the mean over all pairs of the absolute cosine of their angle.

    Args:
        factor: factor.
        mode: `"rows"` or `"columns"`.

    Raises:
        ValueError: the factor is negative or not finite, or the mode unknown; in a call, the input
            is no matrix.

    Example:
        >>> import nkeras
        >>> penalty = nkeras.regularizers.OrthogonalRegularizer(0.5)(nkeras.ops.ones((2, 2)))
        >>> round(float(penalty), 5)
        0.5
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        self.factor = _factor(factor, "factor", "OrthogonalRegularizer")
        if mode not in ("rows", "columns"):
            raise ValueError(
                'OrthogonalRegularizer: argument `mode` must be "rows" or "columns". '
                f"Received: mode={short(mode)}"
            )
        self.mode = mode

    def __call__(self, inputs: TensorLike) -> Tensor:
        """The penalty, a scalar tensor of the dtype of `inputs`."""
        x = to_tensor(inputs)
        if len(x.shape) != 2:
            raise ValueError(
                f"OrthogonalRegularizer: the input must have rank 2. Received: shape {x.shape}"
            )
        x = x if self.mode == "rows" else transpose(x)
        squares = sum(square(x), axis=1, keepdims=True)
        x = x / sqrt(maximum(squares, config.epsilon() ** 2))
        size = x.shape[0]
        cosines = absolute(matmul(x, transpose(x)))
        others = to_tensor(1.0 - np.eye(size), x.dtype)
        pairs = max(size * (size - 1) / 2, 1.0)  # a single row has none, and no penalty
        return sum(cosines * others) * (0.5 * self.factor / pairs)


def _factor(value: object, name: str, owner: str) -> float:
    number = isinstance(value, (int, float, np.integer, np.floating))
    if not number or not math.isfinite(value) or value < 0:
        raise ValueError(
            f"{owner}: argument `{name}` must be a finite number >= 0. Received: "
            f"{name}={short(value)}"
        )
    return float(value)
