"""What `lstm`, `gru` and `simple_rnn` share: checks of shapes, and their steps in simpler ops."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nkeras.core.gradient_rule import gradient_through
from nkeras.core.spec import Shape, Spec, Typed
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Gradients
from nkeras.ops.arranging import split
from nkeras.ops.core import where, zeros_like
from nkeras.ops.elementwise import add, multiply
from nkeras.ops.matrix_product import matmul
from nkeras.ops.shape import concatenate
from nkeras.ops.subscripts import getitem


def sizes(owner: str, x: Typed, recurrent_kernel: Typed) -> tuple[int, int, int, int]:
    """Batch, time, features and units.

    Raises:
        ValueError: x or the recurrent kernel has another rank, or there is no step, feature or
            unit.
    """
    if len(x.shape) != 3 or len(recurrent_kernel.shape) != 2:
        raise ValueError(
            f"{owner}: x must be (batch, time, features) and recurrent_kernel a matrix. Received "
            f"shapes: {tuple(x.shape)} and {tuple(recurrent_kernel.shape)}"
        )
    batch, time, features = x.shape
    units = recurrent_kernel.shape[0]
    if 0 in (time, features, units):
        raise ValueError(
            f"{owner}: x {tuple(x.shape)} and {units} units must have a step, a feature and a unit."
        )
    return batch, time, features, units


def check_shapes(owner: str, x: Typed, wanted: dict[str, tuple[Typed | None, Shape]]) -> None:
    """Refuse arguments of other shapes.

    Args:
        owner: name of the primitive.
        x: its first argument, for the message.
        wanted: by name, an argument (or None) and its shape.

    Raises:
        ValueError: a shape differs.
    """
    for name, (value, shape) in wanted.items():
        if value is not None and tuple(value.shape) != shape:
            raise ValueError(
                f"{owner}: argument `{name}` must have shape {shape} for x of shape "
                f"{tuple(x.shape)}. Received shape: {tuple(value.shape)}"
            )


def common(
    x: Typed,
    gates: int,
    sizes: tuple[int, int, int, int],
    kernel: Typed | None,
    recurrent_kernel: Typed,
    mask: Typed | None,
    dropout: Typed | None,
) -> dict[str, tuple[Typed | None, Shape]]:
    """The shapes of what all three take."""
    batch, time, features, units = sizes
    columns = gates * units
    return {
        "x": (x if kernel is None else None, (batch, time, columns)),
        "kernel": (kernel, (features, columns)),
        "recurrent_kernel": (recurrent_kernel, (units, columns)),
        "mask": (mask, (batch, time)),
        "dropout": (dropout, (gates, batch, units)),
    }


def gradient_specs(by_x: bool, x: Typed, *like: Typed | None) -> tuple[Spec | None, ...]:
    """What a gradient by x and by other arguments, None where there is none, looks like."""
    given = (x if by_x else None, *like)
    return tuple(None if one is None else Spec(one.shape, x.dtype) for one in given)


def order(time: int, reverse: bool) -> list[int]:
    """The steps as they are computed."""
    return list(range(time))[:: -1 if reverse else 1]


def inputs(x: Tensor, kernel: Tensor | None, bias: Tensor | None) -> Tensor:
    """The products of all steps; x are products already where there is no kernel."""
    products = x if kernel is None else matmul(x, kernel)
    return products if bias is None else add(products, bias)


def recurrent(h: Tensor, kernel: Tensor, dropout: Tensor | None) -> Tensor:
    """The product of a state with the recurrent kernel."""
    if dropout is None:
        return matmul(h, kernel)
    count = dropout.shape[0]
    blocks = split(kernel, count, axis=1)
    parts = [matmul(multiply(h, getitem(dropout, i)), blocks[i]) for i in range(count)]
    return concatenate(parts, axis=-1)


def kept(mask: Tensor | None, step: int, new: Tensor, old: Tensor) -> Tensor:
    """The new values of the sequences that have this step, the old ones of the others."""
    if mask is None:
        return new
    return where(getitem(mask, (slice(None), slice(step, step + 1))), new, old)


def in_time(parts: Sequence[Tensor], reverse: bool) -> list[Tensor]:
    """What steps made, in the order of time."""
    return list(parts[::-1] if reverse else parts)


def gradients_through(
    steps: Callable[..., Sequence[Tensor]], sources: Gradients, grads: Gradients
) -> Gradients:
    """Gradients by the sources of the first results of the steps; None are zeros."""

    def first(*sources: Tensor | None) -> Sequence[Tensor]:
        return list(steps(*sources))[: len(grads)]

    if all(gradient is None for gradient in grads):
        return tuple(None if source is None else zeros_like(source) for source in sources)
    filled = list(grads)
    if None in filled:
        results = first(*sources)
        filled = [
            zeros_like(like) if one is None else one
            for one, like in zip(grads, results, strict=True)
        ]
    return gradient_through(first, sources, filled)
