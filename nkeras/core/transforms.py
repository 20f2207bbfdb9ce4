"""Gradients of functions: thin on top of the tape."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from nkeras.core import tree
from nkeras.core.errors import short
from nkeras.core.primitive import to_tensor
from nkeras.core.tape import GradientTape
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Structure, TensorLike
from nkeras.core.variable import Variable


def value_and_grad(
    function: Callable[..., Structure], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Structure]:
    """A function that returns the value of `function` and its gradient.

    Args:
        function: returns a scalar tensor, or `(scalar, aux)` with `has_aux`.
        argnums: which positional arguments to differentiate by.
        has_aux: whether `function` returns something beside the scalar.

    Returns:
        Function of the same arguments that returns `(value, gradient)`; the gradient has the
        structure of the argument (a tuple of them for several `argnums`).

    Raises:
        ValueError: the value is no scalar.

    Example:
        >>> import nkeras
        >>> value, slope = nkeras.value_and_grad(lambda x: x**3)(2.0)
        >>> float(value), float(slope)
        (8.0, 12.0)
    """
    positions = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    @functools.wraps(function)
    def wrapper(*arguments: Structure, **named: Structure) -> Structure:
        given = list(arguments)
        with GradientTape(watch_accessed_variables=False) as tape:
            for position in positions:
                given[position] = tree.map_structure(_source, given[position])
                tape.watch(given[position])
            result = function(*given, **named)
            value = result[0] if has_aux else result
        if not isinstance(value, Tensor) or value.shape != ():
            raise ValueError(
                f"The function to differentiate must return a scalar tensor. Received: "
                f"{short(value)}"
            )
        sources = [given[position] for position in positions]
        grads = tape.gradient(value, sources, unconnected_gradients="zero")
        return result, grads[0] if isinstance(argnums, int) else tuple(grads)

    return wrapper


def grad(
    function: Callable[..., Structure], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Structure]:
    """A function that returns the gradient of `function`; see `value_and_grad`.

    Args:
        function: returns a scalar tensor, or `(scalar, aux)` with `has_aux`.
        argnums: which positional arguments to differentiate by.
        has_aux: whether `function` returns something beside the scalar.

    Returns:
        Function that returns the gradient, or `(gradient, aux)` with `has_aux`.

    Example:
        >>> import nkeras
        >>> float(nkeras.grad(nkeras.grad(lambda x: x**3))(2.0))
        12.0
    """
    both = value_and_grad(function, argnums, has_aux)

    @functools.wraps(function)
    def wrapper(*arguments: Structure, **named: Structure) -> Structure:
        result, gradient = both(*arguments, **named)
        return (gradient, result[1]) if has_aux else gradient

    return wrapper


def _source(leaf: TensorLike) -> Variable | Tensor:
    return leaf if isinstance(leaf, Variable) else to_tensor(leaf)
