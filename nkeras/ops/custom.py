"""Users' own elementwise operations."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from types import FunctionType
from typing import overload

from nkeras.backend.scalar import Scalar
from nkeras.core.elementwise import Elementwise
from nkeras.core.errors import short
from nkeras.core.primitive import PRIMITIVES

_own: dict[str, Elementwise] = {}


@overload
def elementwise(function: Callable[..., object], *, result: str = "same") -> Elementwise: ...
@overload
def elementwise(
    function: None = None, *, result: str = "same"
) -> Callable[[Callable[..., object]], Elementwise]: ...
def elementwise(
    function: Callable[..., object] | None = None, *, result: str = "same"
) -> Elementwise | Callable[[Callable[..., object]], Elementwise]:
    """Decorator: an operation on tensors from a scalar function; shape and gradient are automatic.

    The body is free of branches (use `where`), and calls only `exp, log, tanh, erf, where, ...`
    (the names of `nkeras.backend.derive.FUNCTIONS`, bare or imported as in `from numpy import
    tanh`) and other operations made by this decorator; numbers that are constants of the module may
    be used. Defining an operation of your own again replaces it, as for any function.

    Args:
        function: scalars in, scalar out.
        result: `"same"` (a floating dtype) or `"bool"`.

    Returns:
        Operation that broadcasts, differentiates, and runs on every backend. Give its derivative by
        hand with `operation.scalar.derivative`.

    Raises:
        ValueError: nkeras has a primitive of that name, or the body uses an unknown name.
        TypeError: the body branches, or `function` is no function of plain parameters.

    Example:
        >>> import nkeras
        >>> @nkeras.elementwise
        ... def soft_clip(x, limit):
        ...     return limit * tanh(x / limit)
        >>> nkeras.ops.convert_to_numpy(soft_clip([0.0, 100.0], 1.0))
        array([0., 1.], dtype=float32)
    """
    if function is None:
        return lambda function: elementwise(function, result=result)
    if result not in ("same", "bool"):
        raise ValueError(
            f'elementwise: argument `result` must be "same" or "bool". Received: {short(result)}'
        )
    if not isinstance(function, FunctionType):
        raise TypeError(f"elementwise: a Python function is needed. Received: {short(function)}")
    special = [
        parameter
        for parameter in signature(function).parameters.values()
        if parameter.kind is not parameter.POSITIONAL_OR_KEYWORD
    ]
    if special or not signature(function).parameters:
        raise TypeError(
            f"elementwise: {function.__name__} must have one or more parameters, all of them plain "
            f"ones. Received: {function.__name__}{signature(function)}"
        )
    scalar = Scalar(function, result)
    scalar.check()
    name = scalar.name
    if name in _own and PRIMITIVES.get(name) is _own[name]:
        for old in [
            known for known in PRIMITIVES if known == name or known.startswith(f"{name}_grad_")
        ]:
            del PRIMITIVES[old]
    _own[name] = made = Elementwise(scalar, "float", function.__defaults__ or (), function.__doc__)
    return made
