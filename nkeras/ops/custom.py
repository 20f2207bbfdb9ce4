"""Users' own elementwise operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nkeras.backend.scalar import Scalar
from nkeras.core.primitive import PRIMITIVES, Elementwise


def elementwise(
    function: Callable[..., Any] | None = None, *, result: str = "same", replace: bool = False
) -> Any:
    """Decorator: an operation on tensors from a scalar function; shape and gradient are automatic.

    The body is free of branches (use `where`), and calls only `exp, log, tanh, erf, where, ...`
    (the names of `nkeras.backend.derive.FUNCTIONS`, as bare names or NumPy functions) and other
    operations made by this decorator; float constants of the module may be used.

    Args:
        function: scalars in, scalar out.
        result: `"same"` (a floating dtype) or `"bool"`.
        replace: allow a name that is taken, for notebooks.

    Returns:
        Operation that broadcasts, differentiates, and runs on every backend. Give its derivative by
        hand with `operation.scalar.derivative`.

    Raises:
        ValueError: the name is taken, or the body uses an unknown name.
        TypeError: the body branches.

    Example:
        >>> import nkeras
        >>> @nkeras.elementwise
        ... def soft_clip(x, limit):
        ...     return limit * tanh(x / limit)
        >>> nkeras.ops.convert_to_numpy(soft_clip([0.0, 100.0], 1.0))
        array([0., 1.], dtype=float32)
    """
    if function is None:
        return lambda function: elementwise(function, result=result, replace=replace)
    if replace:
        for name in [n for n in PRIMITIVES if n == function.__name__]:
            del PRIMITIVES[name]
            for derived in [n for n in PRIMITIVES if n.startswith(f"{name}_grad_")]:
                del PRIMITIVES[derived]
    scalar = Scalar(function, result)  # type: ignore[arg-type]
    scalar.check()
    return Elementwise(scalar, "float", doc=function.__doc__)
