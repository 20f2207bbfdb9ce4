"""Functions of small arrays made functions of large ones."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any

from nkeras.core import graph, missing
from nkeras.core.errors import refuse, short
from nkeras.core.primitive import has_symbolic, op, to_tensor
from nkeras.core.spec import Shape, broadcast_shapes
from nkeras.core.tensor import Tensor
from nkeras.ops.control import vectorized_map
from nkeras.ops.shape import broadcast_to, reshape

Names = tuple[str, ...]
"""Of the axes of one array that the function sees."""

_ARRAY = r"\(\s*(?:\w+\s*(?:,\s*\w+\s*)*)?\)"
_SIGNATURE = re.compile(rf"\s*{_ARRAY}\s*(?:,\s*{_ARRAY}\s*)*->\s*{_ARRAY}\s*(?:,\s*{_ARRAY}\s*)*")


def vectorize(
    pyfunc: Callable[..., Any],
    *,
    excluded: Collection[int] | None = None,
    signature: str | None = None,
) -> Callable[..., Any]:
    """A function of arrays, made of one of scalars or of the last axes of arrays.

    The function is called once for all elements where that can be, as in `vectorized_map`.

    Args:
        pyfunc: function of tensors that returns a tensor or a tuple of them.
        excluded: positions of arguments that are passed on as they are.
        signature: the axes that the function sees and returns, such as `"(m,n),(n)->(m)"`; scalars
            by default.

    Returns:
        Function of the same arguments, whose other axes broadcast. Named arguments and None are
        passed on as they are.

    Raises:
        ValueError: an argument is none of these; in a call, shapes do not fit the signature.

    Example:
        >>> import nkeras
        >>> dot = nkeras.ops.vectorize(nkeras.ops.dot, signature="(n),(n)->()")
        >>> dot(nkeras.ops.ones((4, 1, 3)), nkeras.ops.ones((2, 3))).shape
        (4, 2)

    Source: https://keras.io/api/ops/numpy/
    """
    if not callable(pyfunc):
        refuse("pyfunc", pyfunc, "a function", "vectorize")
    dimensions = None if signature is None else _parsed(signature)
    kept = frozenset(excluded or ())

    @functools.wraps(pyfunc)
    def vectorized(*arguments: Any, **named: Any) -> Any:
        return _applied(pyfunc, kept, dimensions, arguments, named)

    return vectorized


@op
def _applied(
    function: Callable[..., Any],
    kept: frozenset[int],
    dimensions: tuple[list[Names], list[Names]] | None,
    arguments: Sequence[Any],
    named: dict[str, Any],
) -> Any:
    places = [i for i, x in enumerate(arguments) if i not in kept and x is not None]
    tensors = [to_tensor(arguments[i]) for i in places]
    inputs, outputs = dimensions or ([()] * len(arguments), None)
    if dimensions is None:
        cores: list[Names] = [()] * len(places)
    else:
        if len(inputs) not in (len(places), len(arguments)):
            raise ValueError(
                f"vectorize: the signature has {len(inputs)} arguments. Received {len(places)}"
            )
        cores = inputs if len(inputs) == len(places) else [inputs[i] for i in places]
    sizes = _sizes(tensors, cores)
    shapes = [x.shape[: len(x.shape) - len(core)] for x, core in zip(tensors, cores, strict=True)]
    batch = broadcast_shapes(*shapes, owner="vectorize")

    def each(xs: list[Tensor]) -> Any:
        given = list(arguments)
        for i, x in zip(places, xs, strict=True):
            given[i] = x
        made = function(*given, **named)
        return _checked(made, outputs, sizes)

    if has_symbolic(tensors):
        one = [
            graph.symbolic(x.shape[len(x.shape) - len(core) :], x.dtype)
            for x, core in zip(tensors, cores, strict=True)
        ]
        return _with(each(one), lambda y: graph.symbolic((*batch, *y.shape), y.dtype))
    if not batch:
        return each(tensors)
    count = math.prod(batch)
    if not count:
        raise ValueError(f"vectorize: there must be at least one element. Received shapes {shapes}")
    rows = [
        reshape(broadcast_to(x, (*batch, *core)), (count, *core))
        for x, core in ((x, x.shape[len(s) :]) for x, s in zip(tensors, shapes, strict=True))
    ]
    return _with(vectorized_map(each, rows), lambda y: reshape(y, (*batch, *y.shape[1:])))


def _with(result: Any, function: Callable[[Tensor], Tensor]) -> Any:
    return tuple(map(function, result)) if isinstance(result, tuple) else function(result)


def _sizes(tensors: Sequence[Tensor], cores: Sequence[Names]) -> dict[str, int]:
    """The size that each name of the signature stands for."""
    sizes: dict[str, int] = {}
    for x, core in zip(tensors, cores, strict=True):
        if len(x.shape) < len(core):
            raise ValueError(
                f"vectorize: the signature asks for the axes ({', '.join(core)}) of an argument. "
                f"Received shape {x.shape}"
            )
        _match(x.shape[len(x.shape) - len(core) :], core, sizes)
    return sizes


def _match(shape: Shape, core: Names, sizes: dict[str, int]) -> None:
    for name, size in zip(core, shape, strict=True):
        if sizes.setdefault(name, size) != size:
            raise ValueError(
                f"vectorize: the signature's axis {name} has the sizes {sizes[name]} and {size}."
            )


def _checked(made: Any, outputs: list[Names] | None, sizes: dict[str, int]) -> Any:
    """The function's results, of the shapes that the signature says."""
    results = made if isinstance(made, tuple) else (made,)
    cores = [()] * len(results) if outputs is None else outputs
    if len(cores) != len(results):
        raise ValueError(
            f"vectorize: the signature has {len(cores)} results. The function returned "
            f"{len(results)}"
        )
    known = dict(sizes)
    tensors = [to_tensor(y) for y in results]
    for y, core in zip(tensors, cores, strict=True):
        if len(y.shape) != len(core):
            raise ValueError(
                f"vectorize: a result must have the axes ({', '.join(core)}), scalars none. The "
                f"function returned shape {y.shape}"
            )
        _match(y.shape, core, known)
    return tuple(tensors) if isinstance(made, tuple) else tensors[0]


def _parsed(signature: object) -> tuple[list[Names], list[Names]]:
    text = signature if isinstance(signature, str) else ""
    if not _SIGNATURE.fullmatch(text):
        raise ValueError(
            "vectorize: argument `signature` must be lists of names on two sides of one `->`, such "
            f"as '(m,n),(n)->(m)'. Received: {short(signature)}"
        )
    before, after = (
        [tuple(re.findall(r"\w+", part)) for part in re.findall(_ARRAY, side)]
        for side in text.split("->")
    )
    return before, after


missing.explain(__name__)
