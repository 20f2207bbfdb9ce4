"""A scalar function written once, bound by each backend to its own functions and dtype.

    @scalar
    def softsign(x):
        return x / (1.0 + absolute(x))

The body is free of branches and calls only the names of `nkeras.backend.derive.FUNCTIONS` and other
scalars; module constants must be floats.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from nkeras.backend import derive
from nkeras.core.errors import short

TABLE_VERSION = 1
SCALARS: dict[str, Scalar] = {}


class Scalar:
    """A scalar function, its parameters and its derivatives.

    Args:
        function: the Python function; the body may use parameters, float constants, table functions
            and other scalars only.
        result: `"same"` (the compute dtype) or `"bool"`.
        conditions: names of parameters that are booleans.
    """

    def __init__(
        self, function: FunctionType, result: str = "same", conditions: tuple[str, ...] = ()
    ) -> None:
        self.function = function
        self.name = function.__name__
        self.result = result
        self.conditions = conditions
        self.parameters = tuple(inspect.signature(function).parameters)
        self.output = _free_name(self.parameters)
        self._gradients: dict[str, Scalar | None] = {}
        self.names = _resolve(function)
        # Of a derivative: the scalar, and the parameter by which.
        self.origin: tuple[Scalar, str] | None = None

    def __repr__(self) -> str:
        return f"<scalar {self.name}({', '.join(self.parameters)})>"

    def __call__(self, *arguments: derive.Operand) -> Any:
        """Trace the scalar inside another one."""
        return self.trace(*arguments)

    @property
    def trace(self) -> Callable[..., Any]:
        """The function over `derive.Expression` objects, table functions unbound."""
        return self.bind(derive.FUNCTIONS, None)

    @property
    def formula(self) -> str:
        """The traced body with parameters named a, b, ...: equal for equal formulas."""
        names = [chr(ord("a") + i) for i in range(len(self.parameters))]
        traced = self.trace(*(derive.Expression("argument", name) for name in names))
        return derive.to_source("f", names, traced)

    @functools.cached_property
    def takes_complex(self) -> bool:
        """Whether the body means something for complex numbers; its derivative is then one too."""
        return derive.takes_complex(
            self.trace(*(derive.Expression("argument", name) for name in self.parameters))
        )

    def check(self) -> None:
        """Raise the error that a branch or an unknown operation in the body deserves."""
        self.trace(*(derive.Expression("argument", name) for name in self.parameters))

    def bind(self, table: Mapping[str, object], dtype: str | None) -> Callable[..., Any]:
        """The same code with the names of `table`, its constants narrowed to `dtype`."""
        return self.bind_with(table, dtype, lambda function: function)

    def bind_with(
        self, table: Mapping[str, object], dtype: str | None, wrap: Callable[[FunctionType], Any]
    ) -> Any:
        """As `bind`, with each function (this one, the scalars it calls) passed through `wrap`."""
        names: dict[str, object] = {"__builtins__": {}}
        for name, value in self.names.items():
            if isinstance(value, Scalar):
                names[name] = value.bind_with(table, dtype, wrap)
            elif isinstance(value, derive.Function):
                names[name] = table[value.name]
            else:
                names[name] = _narrow(value, dtype)
        code = self.function.__code__
        code = code.replace(co_consts=tuple(_narrow(value, dtype) for value in code.co_consts))
        bound = FunctionType(code, names, self.name)
        bound.__qualname__ = f"{self.name}_{self.digest(dtype)}"
        bound.__module__ = __name__
        return wrap(bound)

    def digest(self, dtype: str | None) -> str:
        """Identifies body, constants, callees, dtype and table version, for kernel caches."""
        code: CodeType = self.function.__code__
        parts: list[object] = [TABLE_VERSION, np.__version__, dtype, code.co_code, code.co_names]
        parts += [repr(constant) for constant in code.co_consts]
        for name, value in sorted(self.names.items()):
            parts += [name, value.digest(dtype) if isinstance(value, Scalar) else _identity(value)]
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]

    def gradient(self, by: str) -> Scalar | None:
        """The scalar `grad_y * d self / d by`, or None where the derivative is zero everywhere.

        Its parameters are the gradient by the result (`grad_y`, or `grad_` and the name in
        `output`), those arguments that the derivative uses and, for a derivative given by hand,
        possibly the result itself.
        """
        if by not in self._gradients:
            self._gradients[by] = made = self._derive(by)
            if made is not None:
                made.origin = self, by
        return self._gradients[by]

    def _derive(self, by: str) -> Scalar | None:
        if self.result == "bool" or by in self.conditions:
            return None
        result, used = derive.derivative(self.trace, self.parameters, by)
        if isinstance(result, (int, float)) and result == 0.0:
            return None
        upstream = f"grad_{self.output}"
        product = derive.Expression("argument", upstream) * result
        name = f"{self.name}_grad_{by}"
        namespace: dict[str, Any] = dict(derive.FUNCTIONS)
        source = derive.to_source("derivative", [upstream, *used], product)
        exec(compile(source, f"<derivative of {self.name} by {by}>", "exec"), namespace)
        conditions = tuple(condition for condition in self.conditions if condition in used)
        namespace["derivative"].__name__ = name  # may be no identifier: that of a lambda
        return Scalar(namespace["derivative"], conditions=conditions)

    def derivative(self, function: FunctionType) -> Scalar:
        """Give the derivative by the parameter that the function's name ends with, by hand.

        The function `f_grad_x(grad_y, ...)` may use any parameters of the scalar and `y`.
        """
        by = function.__name__.rpartition("_grad_")[2]
        if by not in self.parameters:
            raise ValueError(
                f"The name {short(function.__name__)} must end in `_grad_` and a parameter of "
                f"{self.name}: {', '.join(self.parameters)}."
            )
        known = {f"grad_{self.output}", self.output, *self.parameters}
        unknown = set(inspect.signature(function).parameters) - known
        if unknown:
            raise ValueError(
                f"{function.__name__} has unknown parameters: {short(sorted(unknown))}."
            )
        used = inspect.signature(function).parameters
        self._gradients[by] = given = Scalar(
            function, conditions=tuple(name for name in self.conditions if name in used)
        )
        given.origin = self, by
        return given


def scalar(
    function: FunctionType | None = None, *, result: str = "same", conditions: tuple[str, ...] = ()
) -> Any:
    """Decorator: register a scalar function under its name.

    Raises:
        ValueError: the name is taken by another scalar, or the body uses an unknown name.
    """
    if function is None:
        return lambda function: scalar(function, result=result, conditions=conditions)
    made = Scalar(function, result, conditions)
    if function.__name__ in SCALARS:
        raise ValueError(f"There is a scalar named {short(function.__name__)} already.")
    SCALARS[function.__name__] = made
    return made


def _free_name(parameters: tuple[str, ...]) -> str:
    """A name for the result that no parameter has: `y`, or `y2`, `y3` ..."""
    taken = (
        {"y", *(name.removeprefix("grad_") for name in parameters)}
        if any(name in ("y", "grad_y") for name in parameters)
        else set()
    )
    return next(name for name in ("y", "y2", "y3", "y4", "y5") if name not in taken)


def _resolve(function: FunctionType) -> dict[str, object]:
    """The globals and closure cells that the function's body names."""
    if function.__code__.co_freevars:
        cells = inspect.getclosurevars(function).nonlocals
        raise ValueError(
            f"The scalar function {function.__name__} captures {short(sorted(cells))} from the "
            "function around it; pass them as arguments or make them module constants."
        )
    names: dict[str, object] = {}
    for name in function.__code__.co_names:
        value = function.__globals__.get(name, derive.FUNCTIONS.get(name))
        value = getattr(value, "scalar", value)  # an operation made of a scalar function
        value = _SAME_AS_TABLE.get(value, value) if callable(value) else value
        if isinstance(value, ModuleType):
            raise ValueError(
                f"The scalar function {function.__name__} uses the module {short(name)}: import "
                "what is needed by its name, for example `from numpy import tanh`."
            )
        if not isinstance(value, (Scalar, derive.Function, float, int)):
            raise ValueError(
                f"The scalar function {function.__name__} uses the name {short(name)}, which is "
                "neither a parameter, a float constant, a scalar nor one of the table functions "
                f"{', '.join(sorted(derive.FUNCTIONS))}."
            )
        names[name] = value
    return names


_SAME_AS_TABLE: dict[object, derive.Function] = {
    getattr(np, name): function for name, function in derive.FUNCTIONS.items() if hasattr(np, name)
}


def _narrow(value: Any, dtype: str | None) -> Any:
    """A float literal would make Numba compute in float64: give it the kernel's dtype."""
    if dtype in ("float32", "float64") and type(value) in (int, float):
        return np.dtype(dtype).type(value)
    return value


def _identity(value: object) -> str:
    return value.name if isinstance(value, derive.Function) else repr(value)
