"""Values of images between their cells: the one operation behind all geometric transformations."""

from __future__ import annotations

from nkeras.core.errors import refuse
from nkeras.core.primitive import primitive
from nkeras.core.spec import Shape, Spec, Typed
from nkeras.core.tensor import Tensor
from nkeras.ops.core import zeros_like
from nkeras.ops.elementwise import floor
from nkeras.ops.reduction import reduce_sum
from nkeras.ops.shape import concatenate, slice_, stack

FILL_MODES = ("constant", "nearest", "wrap", "mirror", "reflect")
ORDERS = {"nearest": 0, "bilinear": 1}
"""Names of interpolations, and the order of their splines."""


@primitive()
def sample(x: Typed, coordinates: Typed, *, order: int, mode: str, fill_value: float) -> Spec:
    """Images x `(batch, *sizes, channels)` at coordinates `(batch, rank, *points)`, in cells."""
    rank = len(x.shape) - 2
    if coordinates.shape[:2] != (x.shape[0], rank):
        raise ValueError(
            f"sample: coordinates of shape {coordinates.shape} do not fit images of shape "
            f"{x.shape}; they must begin with ({x.shape[0]}, {rank})."
        )
    return Spec((x.shape[0], *coordinates.shape[2:], x.shape[-1]), x.dtype)


@sample.vjp("x")
def _(grad_y: Tensor, x_spec: Spec, coordinates: Tensor, order: int, mode: str) -> Tensor:
    return sample_grad(grad_y, coordinates, shape=x_spec.shape, order=order, mode=mode)


@sample.vjp("coordinates")
def _(
    grad_y: Tensor, x: Tensor, coordinates: Tensor, order: int, mode: str, fill_value: float
) -> Tensor:
    return by_coordinates(grad_y, x, coordinates, order, mode, fill_value)


@primitive(outputs=("grad_x",))
def sample_grad(grad_y: Typed, coordinates: Typed, *, shape: Shape, order: int, mode: str) -> Spec:
    """The transpose of `sample`: of images of that shape."""
    return Spec(shape, grad_y.dtype)


@sample_grad.vjp("grad_y")
def _(grad_grad_x: Tensor, coordinates: Tensor, order: int, mode: str) -> Tensor:
    return sample(grad_grad_x, coordinates, order=order, mode=mode, fill_value=0.0)


@sample_grad.vjp("coordinates")
def _(grad_grad_x: Tensor, grad_y: Tensor, coordinates: Tensor, order: int, mode: str) -> Tensor:
    return by_coordinates(grad_y, grad_grad_x, coordinates, order, mode, 0.0)


def by_coordinates(
    grad_y: Tensor, x: Tensor, coordinates: Tensor, order: int, mode: str, fill_value: float
) -> Tensor:
    """The gradient by the coordinates.

    Between two cells the slope along an axis is the difference of the values there.
    """
    if order == 0:
        return zeros_like(coordinates)
    lower = floor(coordinates)
    slopes: list[Tensor] = []
    for axis in range(coordinates.shape[1]):
        low, high = (
            sample(
                x,
                _with_plane(coordinates, axis, lower + step),
                order=1,
                mode=mode,
                fill_value=fill_value,
            )
            for step in (0.0, 1.0)
        )
        product = grad_y * (high - low)
        slopes.append(reduce_sum(product, axis=(len(product.shape) - 1,), keepdims=False))
    return stack(slopes, 1)


def _with_plane(coordinates: Tensor, axis: int, others: Tensor) -> Tensor:
    """Coordinates that along one axis are others."""

    def plane(x: Tensor, number: int) -> Tensor:
        index = [(0, size, 1) for size in x.shape]
        index[1] = (number, number + 1, 1)
        return slice_(x, index=tuple(index))

    planes = [
        plane(others if number == axis else coordinates, number)
        for number in range(coordinates.shape[1])
    ]
    return concatenate(planes, 1)


def order_of(interpolation: str, owner: str) -> int:
    """The order of the splines of an interpolation.

    Raises:
        ValueError: its name is unknown.
    """
    if interpolation not in ORDERS:
        refuse("interpolation", interpolation, '"nearest" or "bilinear"', owner)
    return ORDERS[interpolation]


def checked_mode(fill_mode: str, owner: str) -> str:
    """The name of what lies beyond the edges.

    Raises:
        ValueError: it is unknown.
    """
    if fill_mode not in FILL_MODES:
        refuse("fill_mode", fill_mode, f"one of {', '.join(map(repr, FILL_MODES))}", owner)
    return fill_mode
