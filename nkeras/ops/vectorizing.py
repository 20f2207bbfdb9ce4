"""One run of a function for all slices of its argument along axis 0.

The function is given `Slice`s: symbolic tensors of the shape of one slice, which hold the tensor of
all of them. A primitive that meets one calls itself on all slices at once, by a rule that says how
its arguments and static values change. Without a rule, or where Python asks for values, the caller
goes slice by slice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from nkeras.core import tree
from nkeras.core.elementwise import Elementwise
from nkeras.core.graph import KerasTensor
from nkeras.core.primitive import Primitive, to_tensor
from nkeras.core.slices import NotVectorizedError, interpreted_by
from nkeras.core.spec import Spec
from nkeras.core.tensor import Tensor
from nkeras.core.typing import T
from nkeras.ops.indexing import take_
from nkeras.ops.shape import broadcast_to, concatenate, reshape, transpose

R = TypeVar("R")
Static = dict[str, Any]
Operands = Sequence[Any]  # tensors, slices, or None
Rule = Callable[[Primitive[Any], int, Operands, Static], Any]


class Slice(KerasTensor):
    """Each slice of a tensor along axis 0, while a function runs for all of them.

    Args:
        whole: tensor `(count, *shape)`.
    """

    def __init__(self, whole: Tensor) -> None:
        super().__init__(whole.shape[1:], whole.dtype, name="slice")
        self.whole = whole


def for_all(function: Callable[[T], R], elements: T, count: int) -> R:
    """The results of a function of slices, stacked.

    Args:
        function: of a structure of slices.
        elements: structure of tensors `(count, ...)`.
        count: how many slices there are.

    Returns:
        What the function returns, each tensor with an additional first axis.

    Raises:
        NotVectorizedError: the function does something that has no rule.
    """

    def interpret(
        operation: Any, infer: Callable[..., Any], arguments: tuple[Any, ...], named: Static
    ) -> Any:
        if isinstance(operation, Primitive):
            return _applied(operation, count, arguments, named)
        return infer(*arguments, **named)

    def stacked(leaf: Any) -> Tensor:
        if isinstance(leaf, Slice):
            return leaf.whole
        if isinstance(leaf, KerasTensor):
            raise NotVectorizedError("a result without values")
        value = to_tensor(leaf)
        return broadcast_to(value, (count, *value.shape))

    with interpreted_by(interpret):
        result = function(tree.map_structure(lambda leaf: Slice(to_tensor(leaf)), elements))
    return tree.map_structure(stacked, result)


def _applied(operation: Primitive[Any], count: int, arguments: Operands, static: Static) -> Any:
    if isinstance(operation, Elementwise):
        rank = max(len(getattr(x, "shape", ())) for x in arguments)
        return Slice(operation(*[_of_rank(x, rank) for x in arguments]))
    tensors = [to_tensor(argument) for argument in arguments]
    if any(isinstance(x, KerasTensor) and not isinstance(x, Slice) for x in tensors):
        raise NotVectorizedError("a tensor without values")
    rule = RULES.get(operation.name)
    if rule is None:
        raise NotVectorizedError(f"the primitive {operation.name} has no rule")
    specs = operation.shape_rule(*tensors, **static)
    with interpreted_by(None):
        made = rule(operation, count, tensors, static)
        if isinstance(specs, Spec):
            return _slice(made, specs, count)
        return tuple(_slice(y, spec, count) for y, spec in zip(made, specs, strict=True))


def _slice(made: Tensor | None, spec: Spec | None, count: int) -> Slice | None:
    if made is None or spec is None:
        return None
    return Slice(reshape(made, (count, *spec.shape)))


def _of_rank(x: Any, rank: int) -> Any:
    """All slices, with axes of size 1 so that they broadcast as each slice would."""
    if not isinstance(x, Slice):
        if isinstance(x, KerasTensor):
            raise NotVectorizedError("a tensor without values")
        return x
    if len(x.shape) == rank:
        return x.whole
    shape = (x.whole.shape[0], *(1,) * (rank - len(x.shape)), *x.shape)
    return reshape(x.whole, shape)


def _all(x: Any, count: int) -> Tensor:
    """All slices; a tensor that is the same for each of them is repeated."""
    return x.whole if isinstance(x, Slice) else broadcast_to(x, (count, *x.shape))


def _only_first(xs: Operands) -> list[Any]:
    """All slices of the first argument; the others must be the same for each slice."""
    if not isinstance(xs[0], Slice) or any(isinstance(x, Slice) for x in xs[1:]):
        raise NotVectorizedError("other arguments than the first one differ from slice to slice")
    return [xs[0].whole, *xs[1:]]


def _unchanged(operation: Primitive[Any], count: int, xs: Operands, static: Static) -> Any:
    return operation(*_only_first(xs), **static)


def _behind(*names: str) -> Rule:
    """Static axes count on behind that of the slices."""

    def rule(operation: Primitive[Any], count: int, xs: Operands, static: Static) -> Any:
        moved = {name: _later(static[name]) for name in names}
        return operation(*_only_first(xs), **{**static, **moved})

    return rule


def _later(axis: int | tuple[int, ...]) -> int | tuple[int, ...]:
    return axis + 1 if isinstance(axis, int) else tuple(one + 1 for one in axis)


def _to_shape(operation: Primitive[Any], count: int, xs: Operands, static: Static) -> Tensor:
    whole = _of_rank(xs[0], len(static["shape"])) if operation.name != "reshape" else xs[0].whole
    return operation(whole, shape=(count, *static["shape"]))


def _transposed(operation: Primitive[Any], count: int, xs: Operands, static: Static) -> Tensor:
    return operation(xs[0].whole, axes=(0, *(axis + 1 for axis in static["axes"])))


def _padded(operation: Primitive[Any], count: int, xs: Operands, static: Static) -> Tensor:
    return operation(xs[0].whole, **{**static, "pad_width": ((0, 0), *static["pad_width"])})


def _sliced(operation: Primitive[Any], count: int, xs: Operands, static: Static) -> Tensor:
    return operation(xs[0].whole, index=((0, count, 1), *static["index"]))


def _concatenated(operation: Primitive[Any], count: int, xs: Operands, static: Static) -> Tensor:
    return operation(*[_all(x, count) for x in xs], axis=static["axis"] + 1)


def _product(operation: Primitive[Any], count: int, xs: Operands, static: Static) -> Tensor:
    rank = max(len(x.shape) for x in xs)
    return operation(*[_of_rank(x, rank) for x in xs], **static)


def _taken(operation: Primitive[Any], count: int, xs: Operands, static: Static) -> Tensor:
    x, indices = xs
    axis = static["axis"]
    if not isinstance(indices, Slice):
        return operation(x.whole, indices, axis=axis + 1)
    if not isinstance(x, Slice):
        y = operation(x, indices.whole, axis=axis)
        order = [axis, *range(axis), *range(axis + 1, len(y.shape))]
        return transpose(y, order)
    if axis != 0:
        raise NotVectorizedError("positions along a later axis that differ from slice to slice")
    size = x.shape[0]
    first = np.arange(count, dtype="int32").reshape(-1, *(1,) * len(indices.shape)) * size
    joined = reshape(x.whole, (count * size, *x.shape[1:]))
    return take_(joined, indices.whole + first, axis=0)


def _along_axis(operation: Primitive[Any], count: int, xs: Operands, static: Static) -> Tensor:
    both = [x.whole if isinstance(x, Slice) else reshape(x, (1, *x.shape)) for x in xs]
    return operation(*both, axis=static["axis"] + 1)


def _coordinates(indices: Any, count: int) -> Tensor:
    """Coordinates in front of which the number of the slice stands."""
    whole = _all(indices, count)
    numbers = np.arange(count).reshape(-1, *(1,) * (len(whole.shape) - 1))
    first = to_tensor(np.broadcast_to(numbers, (*whole.shape[:-1], 1)).copy(), whole.dtype)
    return concatenate([first, whole], -1)


def _gathered(operation: Primitive[Any], count: int, xs: Operands, static: Static) -> Tensor:
    x, indices = xs
    if not isinstance(x, Slice):
        return operation(x, indices.whole)
    return operation(x.whole, _coordinates(indices, count))


def _scattered(operation: Primitive[Any], count: int, xs: Operands, static: Static) -> Tensor:
    """Of x (if any), indices and values."""
    *into, indices, values = xs
    wholes = [_all(x, count) for x in into]
    if "shape" in static:
        static = {**static, "shape": (count, *static["shape"])}
    return operation(*wholes, _coordinates(indices, count), _all(values, count), **static)


def _joined(operation: Primitive[Any], count: int, xs: Operands, static: Static) -> Any:
    """Slices are more rows of the first axis; what else there is must be the same for all."""
    whole, *others = _only_first(xs)
    return operation(reshape(whole, (-1, *whole.shape[2:])), *others, **static)


def _all_joined(operation: Primitive[Any], count: int, xs: Operands, static: Static) -> Any:
    """Slices of all arguments are more rows of the first axis."""
    wholes = [_all(x, count) for x in xs]
    return operation(*[reshape(x, (-1, *x.shape[2:])) for x in wholes], **static)


def _warped(operation: Primitive[Any], count: int, xs: Operands, static: Static) -> Any:
    """Each image gets a matrix of its own, also where one is for all images of a slice."""
    images, matrices = [_all(x, count) for x in xs]
    matrices = broadcast_to(matrices, (*images.shape[:2], matrices.shape[2]))
    joined = [reshape(x, (-1, *x.shape[2:])) for x in (images, matrices)]
    return operation(*joined, **static)


_REDUCTIONS = (
    "reduce_sum reduce_mean reduce_prod reduce_max reduce_min reduce_fmax reduce_fmin "
    "reduce_any reduce_all linear_recurrence"
)
_LINES = "argmax argmin cumsum cumprod sort argsort softmax log_softmax flip resample"
_LOSSES = "sparse_softmax_cross_entropy softmax_cross_entropy sparse_cross_entropy cross_entropy"
_LAST_AXES = """rfft irfft pinv det cofactors slogdet cholesky qr lu eig eigh svd matrix_rank real
imag conj"""
RULES: dict[str, Rule] = {
    **dict.fromkeys(f"{_REDUCTIONS} {_LINES}".split(), _behind("axis")),
    "fft": _behind("axes"),
    "make_complex": _product,
    **dict.fromkeys(
        "cast bitcast stop_gradient top_k dense batch_norm_inference".split(), _unchanged
    ),
    **dict.fromkeys("layer_norm rms_norm".split(), _unchanged),
    **dict.fromkeys(_LAST_AXES.split(), _unchanged),
    **dict.fromkeys("matmul solve solve_triangular".split(), _product),
    **dict.fromkeys("conv conv_bias max_pool average_pool resize_images".split(), _joined),
    **dict.fromkeys(f"{_LOSSES} sample flip_images".split(), _all_joined),
    "warp": _warped,
    **dict.fromkeys("reshape broadcast_to".split(), _to_shape),
    **dict.fromkeys("scatter_nd scatter_update scatter_reduce".split(), _scattered),
    "transpose": _transposed,
    "pad": _padded,
    "slice": _sliced,
    **dict.fromkeys(("concatenate", "stack"), _concatenated),
    "nextafter": _product,
    "take": _taken,
    "take_along_axis": _along_axis,
    "gather_nd": _gathered,
}
"""By name of the primitive."""
