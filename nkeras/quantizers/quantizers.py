"""Floats as integers and a scale: `x` is about `q / scale`.

Source: https://keras.io/api/quantizers/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from nkeras.core.config import epsilon as default_epsilon
from nkeras.core.configurable import Configurable
from nkeras.core.errors import refuse
from nkeras.core.guards import GuardedAttributes
from nkeras.core.primitive import op, to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import DTypeLike, TensorLike
from nkeras.core.variable import Variable
from nkeras.ops.elementwise import absolute, add, clip, divide, multiply
from nkeras.ops.numeric import round
from nkeras.ops.reduction import max
from nkeras.ops.shape import cast


class Quantizer(Configurable, GuardedAttributes):
    """Base of quantizers: a callable from a tensor to integers and their scale.

    Args:
        output_dtype: dtype of the integers.

    Example:
        >>> Quantizer().output_dtype
        'int8'
    """

    def __init__(self, output_dtype: str = "int8") -> None:
        self.output_dtype = output_dtype

    def __call__(self, x: Any) -> Any:
        """The tensor itself: subclasses do more."""
        return x


@op
def abs_max_quantize(
    inputs: TensorLike,
    axis: int | Sequence[int],
    value_range: tuple[int, int] = (-127, 127),
    dtype: DTypeLike = "int8",
    epsilon: float | None = None,
    to_numpy: bool = False,
) -> tuple[Tensor, Tensor]:
    """Integers in a range, and the scale by which the largest absolute value is the range's end.

    Args:
        inputs: tensor.
        axis: axes along which one scale serves.
        value_range: least and largest integer.
        dtype: dtype of the integers.
        epsilon: small number that keeps the quotient finite; `config.epsilon()` for None.
        to_numpy: compute with NumPy, as for weights.

    Returns:
        The integers `round(inputs * scale)`, and the scale, with size 1 along `axis`.

    Example:
        >>> import nkeras
        >>> q, scale = abs_max_quantize(nkeras.ops.array([[1.0, -2.0]]), axis=-1)
        >>> q.numpy().tolist(), scale.numpy().round(3).tolist()
        ([[64, -127]], [[63.5]])
    """
    small = default_epsilon() if epsilon is None else epsilon
    low, high = value_range
    x = to_tensor(inputs)
    axes = axis if isinstance(axis, int) else tuple(axis)
    if to_numpy:
        values = x.numpy()
        scales = np.divide(high, np.add(np.max(np.abs(values), axis=axes, keepdims=True), small))
        found = np.clip(np.round(np.multiply(values, scales)), low, high)
        return to_tensor(found, str(dtype)), to_tensor(scales, x.dtype)
    scale = divide(high, add(max(absolute(x), axis=axes, keepdims=True), small))
    scale = cast(scale, x.dtype)
    return cast(clip(round(multiply(x, scale)), low, high), dtype), scale


class AbsMaxQuantizer(Quantizer):
    """Quantizes by the largest absolute value: see `abs_max_quantize`.

    Args:
        axis: axes along which one scale serves, where a call names none; the last one for None.
        value_range: least and largest integer.
        epsilon: small number that keeps the quotient finite.
        output_dtype: dtype of the integers.

    Raises:
        ValueError: int8 has no such range.

    Example:
        >>> import nkeras
        >>> q, scale = AbsMaxQuantizer()(nkeras.ops.array([[1.0, -2.0]]))
        >>> q.dtype, scale.shape
        ('int8', (1, 1))
    """

    config_omits: ClassVar[Mapping[str, object]] = {"axis": None}

    def __init__(
        self,
        axis: int | Sequence[int] | None = None,
        value_range: tuple[int, int] = (-127, 127),
        epsilon: float = 1e-7,
        output_dtype: str = "int8",
    ) -> None:
        super().__init__(output_dtype)
        self.axis = (axis,) if isinstance(axis, int) else None if axis is None else tuple(axis)
        self.value_range = value_range
        self.epsilon = epsilon
        if output_dtype == "int8" and not -128 <= value_range[0] <= value_range[1] <= 127:
            refuse("value_range", value_range, "within (-128, 127) for int8", "AbsMaxQuantizer")

    def __call__(
        self,
        x: TensorLike | Variable,
        axis: int | Sequence[int] | None = None,
        to_numpy: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """The integers and their scale.

        Args:
            x: tensor.
            axis: axes along which one scale serves; those of the constructor for None.
            to_numpy: compute with NumPy.
        """
        axes = self.axis if axis is None else axis
        where = -1 if axes is None else axes
        range_ = self.value_range
        return abs_max_quantize(x, where, range_, self.output_dtype, self.epsilon, to_numpy)
