"""Products of Jacobians with vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nkeras.core import dtypes, graph, missing, tree
from nkeras.core.errors import short
from nkeras.core.primitive import has_symbolic, op, to_tensor
from nkeras.core.tape import GradientTape
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Structure
from nkeras.ops.core import zeros, zeros_like


@op
def jvp(
    fun: Callable[..., Structure],
    primals: Sequence[Structure],
    tangents: Sequence[Structure],
    has_aux: bool = False,
) -> tuple[Any, ...]:
    """A function's value, and how it changes along a direction.

    Two reverse passes take the place of one forward: the gradient is linear in the gradient by the
    results, so its own derivative by that is the product.

    Args:
        fun: function of as many arguments as there are primals: tensors or structures of them. With
            `has_aux` it returns a pair, of which the second part is not differentiated.
        primals: where, a tuple or list of arguments.
        tangents: the direction, of the same structure and shapes.
        has_aux: whether `fun` returns something beside its result.

    Returns:
        The result, and its derivative along the direction, of the same structure; with `has_aux`
        the second part of what `fun` returns, too.

    Raises:
        ValueError: primals and tangents have other structures or shapes, or an argument is not
            floating.

    Example:
        >>> import nkeras
        >>> value, slope = nkeras.ops.jvp(lambda x: x * x, (nkeras.ops.array(3.0),), (2.0,))
        >>> float(value), float(slope)
        (9.0, 12.0)

    Source: https://keras.io/api/ops/linalg/
    """
    if not all(isinstance(given, (tuple, list)) for given in (primals, tangents)):
        raise ValueError(
            "jvp: `primals` and `tangents` must be tuples or lists of arguments. Received: "
            f"{short(primals)} and {short(tangents)}"
        )
    where: list[Any] = tree.map_structure(to_tensor, list(primals))
    sources = tree.flatten(where)
    directions = _directions(where, sources, tangents)
    if has_symbolic(sources):
        result, aux = _called(fun, where, has_aux)
        slopes = tree.map_structure(lambda y: graph.symbolic(y.shape, y.dtype), result)
        return (result, slopes, *aux)
    with GradientTape(watch_accessed_variables=False) as outer:
        with GradientTape(watch_accessed_variables=False) as inner:
            inner.watch(sources)
            result, aux = _called(fun, where, has_aux)
        results = [to_tensor(y) for y in tree.flatten(result)]
        smooth = [y for y in results if dtypes.is_differentiable(y.dtype)]
        seeds = [zeros(y.shape, y.dtype) for y in smooth]
        outer.watch(seeds)
        grads = inner.gradient(smooth, sources, seeds, unconnected_gradients="zero")
    found = iter(outer.gradient(grads, seeds, directions, unconnected_gradients="zero"))
    slopes = [next(found) if dtypes.is_differentiable(y.dtype) else zeros_like(y) for y in results]
    return (
        tree.pack_sequence_as(result, results),
        tree.pack_sequence_as(result, slopes),
        *aux,
    )


def _called(
    fun: Callable[..., Any], where: list[Any], has_aux: bool
) -> tuple[Any, tuple[Any, ...]]:
    made = fun(*where)
    return (made[0], (made[1],)) if has_aux else (made, ())


def _directions(
    where: list[Any], sources: list[Any], tangents: Sequence[Structure]
) -> list[Tensor]:
    """Tangents as tensors of the dtypes of what they belong to."""
    given = tree.flatten(
        tree.map_structure(lambda x, tangent: to_tensor(tangent, x.dtype), where, list(tangents))
    )
    for x, tangent in zip(sources, given, strict=True):
        if not dtypes.is_differentiable(x.dtype) or tangent.shape != x.shape:
            raise ValueError(
                "jvp: each primal must be floating and have a tangent of its shape. Received "
                f"shapes {x.shape} and {tangent.shape}, dtype {x.dtype}"
            )
    return given


missing.explain(__name__)
