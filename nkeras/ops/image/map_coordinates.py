"""Values of a tensor at any coordinates."""

from __future__ import annotations

from nkeras.core import dtypes
from nkeras.core.errors import refuse
from nkeras.core.primitive import op, to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.ops.elementwise import trunc
from nkeras.ops.image.layout import as_before, as_float
from nkeras.ops.image.sampling import checked_mode, sample
from nkeras.ops.shape import cast, reshape

MOST_AXES = 8


@op
def map_coordinates(
    inputs: TensorLike,
    coordinates: TensorLike,
    order: int,
    fill_mode: str = "constant",
    fill_value: float = 0,
) -> Tensor:
    """Values of a tensor at coordinates between its cells.

    Args:
        inputs: tensor of rank 1 to 8; any dtype. Integers are rounded, halves away from zero.
        coordinates: tensor `(rank of inputs, *points)`, in cells: 0.0 is the first one.
        order: 0 for the nearest cell, 1 for linear interpolation.
        fill_mode: what lies beyond the edges of `a b c d`: `"constant"` for `fill_value`,
            `"nearest"` for `a a | a b c d | d d`, `"wrap"` for `c d | a b c d | a b`, `"mirror"`
            for `c b | a b c d | c b`, `"reflect"` for `b a | a b c d | d c`.
        fill_value: the value for `"constant"`.

    Returns:
        Tensor of the shape of the points and the dtype of `inputs`. With order 1, gradients flow
        to the coordinates too.

    Raises:
        ValueError: the coordinates do not fit, or an argument is unknown.

    Example:
        >>> import nkeras
        >>> nkeras.ops.image.map_coordinates([0.0, 10.0], [[0.5, 0.9, 3.0]], order=1).numpy()
        array([5., 9., 0.], dtype=float32)

    Source: https://keras.io/api/ops/image/
    """
    inputs, coordinates = to_tensor(inputs), to_tensor(coordinates)
    rank = len(inputs.shape)
    if not 1 <= rank <= MOST_AXES:
        raise ValueError(
            f"map_coordinates: argument `inputs` must have 1 to {MOST_AXES} axes. "
            f"Received shape {inputs.shape}"
        )
    if len(coordinates.shape) < 2 or coordinates.shape[0] != rank:
        raise ValueError(
            "map_coordinates: argument `coordinates` must have the shape (rank of `inputs`, "
            f"*points). Received shape {coordinates.shape} for inputs of rank {rank}"
        )
    if order not in (0, 1):
        refuse("order", order, "0 or 1", "map_coordinates")
    mode = checked_mode(fill_mode, "map_coordinates")
    x = as_float(inputs)
    sampled = sample(
        reshape(x, (1, *x.shape, 1)),
        reshape(cast(coordinates, x.dtype), (1, *coordinates.shape)),
        order=int(order),
        mode=mode,
        fill_value=float(fill_value),
    )
    return as_sampled(reshape(sampled, coordinates.shape[1:]), inputs.dtype)


def as_sampled(y: Tensor, dtype: str) -> Tensor:
    """Samples in the dtype of what they were taken from; of integers, halves go away from zero."""
    if dtypes.is_integer(dtype):
        whole = trunc(y)
        y = whole + trunc((y - whole) * 2.0)
    return as_before(y, dtype)
