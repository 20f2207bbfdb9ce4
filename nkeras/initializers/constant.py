"""Base of initializers, and those that are not random.

Source: https://keras.io/api/layers/initializers/
"""

from __future__ import annotations

import numpy as np

from nkeras.core import dtypes
from nkeras.core.configurable import Configurable
from nkeras.core.errors import short
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import DTypeLike, ShapeLike, TensorLike
from nkeras.ops.core import full, ones, zeros
from nkeras.ops.elementwise import multiply
from nkeras.ops.shape import cast


class Initializer(Configurable):
    """Base of initializers: a callable from a shape and a dtype to a tensor. Subclass it.

    Example:
        >>> import nkeras
        >>> class Twos(nkeras.initializers.Initializer):
        ...     def __call__(self, shape, dtype=None):
        ...         return 2.0 * nkeras.ops.ones(shape, dtype)
        >>> Twos()((2,)).numpy()
        array([2., 2.], dtype=float32)
    """

    def __call__(self, shape: ShapeLike, dtype: DTypeLike = None) -> Tensor:
        """A tensor of `shape`; `floatx` is the default dtype."""
        raise NotImplementedError(f"{type(self).__name__} does not implement __call__().")

    def clone(self) -> Initializer:
        """A new one with the same arguments."""
        return self.from_config(self.get_config())


class Constant(Initializer):
    """The same value everywhere, or values that broadcast to the shape.

    Args:
        value: number, list or array.

    Example:
        >>> import nkeras
        >>> nkeras.initializers.Constant(3.0)((2,)).numpy()
        array([3., 3.], dtype=float32)
    """

    def __init__(self, value: TensorLike = 0.0) -> None:
        self.value = value

    def __call__(self, shape: ShapeLike, dtype: DTypeLike = None) -> Tensor:
        """A tensor of `shape`."""
        name = dtypes.standardize(dtype)
        return full(shape, cast(to_tensor(self.value), name), name)


class Zeros(Initializer):
    """All 0.

    Example:
        >>> import nkeras
        >>> nkeras.initializers.Zeros()((2,)).numpy()
        array([0., 0.], dtype=float32)
    """

    def __call__(self, shape: ShapeLike, dtype: DTypeLike = None) -> Tensor:
        """A tensor of `shape`."""
        return zeros(shape, dtype)


class Ones(Initializer):
    """All 1.

    Example:
        >>> import nkeras
        >>> nkeras.initializers.Ones()((2,)).numpy()
        array([1., 1.], dtype=float32)
    """

    def __call__(self, shape: ShapeLike, dtype: DTypeLike = None) -> Tensor:
        """A tensor of `shape`."""
        return ones(shape, dtype)


class Identity(Initializer):
    """`gain` on the diagonal of a matrix, 0 elsewhere.

    Args:
        gain: number on the diagonal.

    Raises:
        ValueError: in a call, the shape is not that of a matrix.

    Example:
        >>> import nkeras
        >>> nkeras.initializers.Identity()((2, 2)).numpy()
        array([[1., 0.],
               [0., 1.]], dtype=float32)
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, shape: ShapeLike, dtype: DTypeLike = None) -> Tensor:
        """A tensor of `shape`."""
        if len(shape) != 2:
            raise ValueError(
                "Identity: an identity matrix has two dimensions. "
                f"Received: shape={short(tuple(shape))} of rank {len(shape)}"
            )
        return multiply(to_tensor(np.eye(shape[0], shape[1]), dtypes.standardize(dtype)), self.gain)
