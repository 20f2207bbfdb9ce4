"""Constraints: what an optimizer applies to a weight after each update.

Source: https://keras.io/api/layers/constraints/
"""

from __future__ import annotations

from nkeras.core import config, dtypes
from nkeras.core.configurable import Configurable
from nkeras.core.guards import GuardedAttributes
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Axis, TensorLike
from nkeras.ops.elementwise import clip, maximum, root_of_squares, square
from nkeras.ops.reduction import sum
from nkeras.ops.shape import cast


class Constraint(Configurable, GuardedAttributes):
    """Base of constraints: a callable from a weight to a weight of the same shape.

    Example:
        >>> import nkeras
        >>> class Halve(nkeras.constraints.Constraint):
        ...     def __call__(self, w):
        ...         return w / 2
        >>> Halve()(nkeras.ops.ones((2,))).numpy()
        array([0.5, 0.5], dtype=float32)
    """

    def __call__(self, w: TensorLike) -> TensorLike:
        """The weight as it should be."""
        return w


class MaxNorm(Constraint):
    """Shortens vectors that are longer than `max_value`.

    Args:
        max_value: greatest norm.
        axis: axes along which norms are taken: 0 for each unit of a Dense kernel
            `(inputs, units)`, `(0, 1, 2)` for each filter of a Conv2D kernel.

    Example:
        >>> import nkeras
        >>> w = nkeras.ops.convert_to_tensor([[3.0], [4.0]])
        >>> nkeras.constraints.MaxNorm(10)(w).numpy().round(2)
        array([[3.],
               [4.]], dtype=float32)
    """

    def __init__(self, max_value: float = 2, axis: Axis = 0) -> None:
        self.max_value = max_value
        self.axis = axis

    def __call__(self, w: TensorLike) -> Tensor:
        """The weight with shortened vectors."""
        w, norms = _with_norms(w, self.axis)
        return w * (clip(norms, 0, self.max_value) / (norms + config.epsilon()))


class NonNeg(Constraint):
    """Replaces negative weights by 0.

    Example:
        >>> import nkeras
        >>> nkeras.constraints.NonNeg()([-1.0, 2.0]).numpy()
        array([0., 2.], dtype=float32)
    """

    def __call__(self, w: TensorLike) -> Tensor:
        """The weight without negative values."""
        return maximum(to_tensor(w), 0)


class UnitNorm(Constraint):
    """Scales vectors to norm 1.

    Args:
        axis: axes along which norms are taken, as in `MaxNorm`.

    Example:
        >>> import nkeras
        >>> nkeras.constraints.UnitNorm()([[3.0], [4.0]]).numpy().round(2)
        array([[0.6],
               [0.8]], dtype=float32)
    """

    def __init__(self, axis: Axis = 0) -> None:
        self.axis = axis

    def __call__(self, w: TensorLike) -> Tensor:
        """The weight with vectors of norm 1."""
        w, norms = _with_norms(w, self.axis)
        return w / (norms + config.epsilon())


class MinMaxNorm(Constraint):
    """Moves the norm of vectors into an interval.

    Args:
        min_value: least norm.
        max_value: greatest norm.
        rate: how far to go: 1 for the whole way, 0 for none of it.
        axis: axes along which norms are taken, as in `MaxNorm`.

    Example:
        >>> import nkeras
        >>> nkeras.constraints.MinMaxNorm(10.0, 20.0)([[3.0], [4.0]]).numpy().round(2)
        array([[6.],
               [8.]], dtype=float32)
    """

    def __init__(
        self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Axis = 0
    ) -> None:
        self.min_value = min_value
        self.max_value = max_value
        self.rate = rate
        self.axis = axis

    def __call__(self, w: TensorLike) -> Tensor:
        """The weight with norms in the interval."""
        w, norms = _with_norms(w, self.axis)
        limited = clip(norms, self.min_value, self.max_value)
        desired = limited * self.rate + norms * (1.0 - self.rate)
        return w * (desired / (norms + config.epsilon()))


def _with_norms(w: TensorLike, axis: Axis) -> tuple[Tensor, Tensor]:
    w = to_tensor(w)
    w = cast(w, dtypes.result_type(w.dtype, float))
    axis = tuple(axis) if isinstance(axis, list) else axis
    return w, root_of_squares(sum(square(w), axis=axis, keepdims=True))
