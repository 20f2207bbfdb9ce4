"""Scalar functions as ONNX operators: by name where there is one operator, else by their formula.

The formula comes from the trace that derivatives are made of, so users' `@nkeras.elementwise`
functions are written like ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nkeras.backend.derive import Expression
from nkeras.backend.scalar import SCALARS, Scalar
from nkeras.core import dtypes
from nkeras.export.onnx.graph import Value, constant, node

# What operators compute in where runtimes have none for the dtype itself.
_WIDER = {
    "bfloat16": "float32",
    "float16": "float32",
    "int8": "int32",
    "int16": "int32",
    "uint8": "int32",
    "uint16": "int32",
    "uint32": "int64",
    "bool": "int32",
}


def wider(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype that operators compute in for values of another one."""
    return np.dtype(_WIDER.get(dtypes.name_of(dtype), dtype))


def cast(value: Value, dtype: np.dtype[Any]) -> Value:
    """The value as another dtype."""
    if value.dtype == dtype:
        return value
    if value.data is not None and value.path is None:
        return constant(value.data, dtype)
    result = node("Cast", value, to=dtype)
    result.dtype = dtype
    return result


def write_formula(scalar: Scalar, values: Sequence[Value]) -> Value:
    """The operators that map a scalar function over values of one dtype, and bools."""
    of_conditions = all(name in scalar.conditions for name in scalar.parameters)
    given = values[-1].dtype
    assert given is not None
    dtype = given if of_conditions else wider(given)
    arguments = [
        value if name in scalar.conditions else cast(value, dtype)
        for name, value in zip(scalar.parameters, values, strict=True)
    ]
    formula = _Formula(dtype)
    direct = _DIRECT.get(scalar.name) if SCALARS.get(scalar.name) is scalar else None
    if dtype == np.float64 and scalar.name in _ONLY_FLOAT32:
        direct = None
    result = None if direct is None else direct(formula, *arguments)
    if result is None:
        names = dict(zip(scalar.parameters, arguments, strict=True))
        traced = scalar.trace(*(Expression("argument", name) for name in scalar.parameters))
        result = formula.write(traced, names)
    if scalar.result == "bool":
        return _own(formula.condition(result), values)
    formula_dtype = dtype if result.dtype is None else result.dtype
    result.dtype = formula_dtype
    return _own(cast(result, given), values)


def _own(result: Value, values: Sequence[Value]) -> Value:
    """A new value: what is handed on unchanged, or a constant, is another value's."""
    if result.data is not None or any(result is value for value in values):
        return node("Identity", result)
    return result


class _Formula:
    """Writes expressions in one dtype."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self.is_floating = dtypes.is_floating(dtypes.name_of(dtype))

    def write(self, expression: Any, names: dict[str, Value]) -> Value:
        known: dict[int, Value] = {}

        def visit(one: Any) -> Value:
            if not isinstance(one, Expression):
                return self.number(one)
            if one.operation == "argument":
                return names[one.operands[0]]
            if id(one) not in known:
                known[id(one)] = self.call(one.operation, [visit(part) for part in one.operands])
            return known[id(one)]

        return visit(expression)

    def number(self, value: Any) -> Value:
        dtype = np.dtype(bool) if isinstance(value, (bool, np.bool_)) else self.dtype
        return constant(value, dtype)

    def call(self, operation: str, operands: list[Value]) -> Value:
        if operation == "!=":
            return self.truth("Not", self.truth("Equal", *self.alike(operands)))
        if operation in _COMPARISONS:
            return self.truth(_COMPARISONS[operation], *self.alike(operands))
        if operation in _LOGIC:
            if all(operand.dtype == np.dtype(bool) for operand in operands):
                return self.truth(_LOGIC[operation], *operands)
            return self.run(_BITS[operation], *[self.wanted(one) for one in operands])
        if operation in ("isnan", "isinf", "isfinite", "signbit"):
            return getattr(self, f"_{operation}")(operands[0])
        if operation == "where":
            condition, *branches = operands
            result = node("Where", self.condition(condition), *self.alike(branches))
            result.dtype = self.alike(branches)[0].dtype
            return result
        operands = [self.wanted(one) for one in operands]
        if operation in _OPERATORS:
            return self.run(_OPERATORS[operation], *operands)
        return getattr(self, f"_{_NAMES.get(operation, operation)}")(*operands)

    def run(self, operator: str, *operands: Value, **attributes: Any) -> Value:
        if operator in _ROUNDING and not self.is_floating:
            return operands[0]
        result = node(operator, *operands, **attributes)
        result.dtype = self.dtype
        return result

    def truth(self, operator: str, *operands: Value) -> Value:
        result = node(operator, *operands)
        result.dtype = np.dtype(bool)
        return result

    def wanted(self, value: Value) -> Value:
        return cast(value, self.dtype)

    def condition(self, value: Value) -> Value:
        return cast(value, np.dtype(bool))

    def alike(self, values: list[Value]) -> list[Value]:
        """Both of the formula's dtype, unless both are conditions."""
        if all(value.dtype == np.dtype(bool) for value in values):
            return values
        return [self.wanted(value) for value in values]

    # Operations that ONNX lacks, by others.

    def either(self, condition: Value, one: Value, other: Value) -> Value:
        return self.run("Where", condition, one, other)

    def _isnan(self, x: Value) -> Value:
        return self.truth("IsNaN", x) if self.is_floating else self.truth("Less", x, x)

    def _isinf(self, x: Value) -> Value:
        return self.truth("IsInf", x) if self.is_floating else self.truth("Less", x, x)

    def _isfinite(self, x: Value) -> Value:
        return self.truth("Not", self.truth("Or", self._isnan(x), self._isinf(x)))

    def _signbit(self, x: Value) -> Value:
        negative = self.truth("Less", x, self.number(0.0))
        if not self.is_floating:
            return negative
        below = self.truth("Less", self.run("Reciprocal", x), self.number(0.0))
        return self.truth("Or", negative, below)

    def _floor_divide(self, x: Value, y: Value) -> Value:
        quotient = self.run("Div", x, y)
        if self.is_floating:
            return self.run("Floor", quotient)
        rest = self.run("Sub", x, self.run("Mul", quotient, y))  # Div cuts towards zero
        is_over = self._turns(rest, y)
        return self.either(is_over, self.run("Sub", quotient, self.number(1)), quotient)

    def _remainder(self, x: Value, y: Value) -> Value:
        if not self.is_floating:
            return self.run("Mod", x, y)
        rest = self.run("Mod", x, y, fmod=1)
        return self.either(self._turns(rest, y), self.run("Add", rest, y), rest)

    def _shift_left(self, x: Value, y: Value) -> Value:
        """By powers of two: runtimes shift unsigned integers only."""
        return self.run("Mul", x, self.run("Pow", self.number(2), y))

    def _shift_right(self, x: Value, y: Value) -> Value:
        return self._floor_divide(x, self.run("Pow", self.number(2), y))

    def _turns(self, rest: Value, y: Value) -> Value:
        """Whether there is a rest whose sign is not that of y."""
        zero = self.number(0)
        signs = [self.truth("Less", one, zero) for one in (rest, y)]
        is_other = self.truth("Xor", *signs)
        return self.truth("And", is_other, self.truth("Not", self.truth("Equal", rest, zero)))

    def _expm1(self, x: Value) -> Value:
        """Through tanh near 0, where exp(x) - 1 would cancel."""
        half = self.run("Tanh", self.run("Mul", x, self.number(0.5)))
        near = self.run("Div", self.run("Add", half, half), self.run("Sub", self.number(1), half))
        far = self.run("Sub", self.run("Exp", x), self.number(1))
        is_near = self.truth("Less", self.run("Abs", x), self.number(0.5))
        return self.either(is_near, near, far)

    def _log1p(self, x: Value) -> Value:
        """`log(u) * x / (u - 1)` of u = 1 + x as it is rounded: the errors of both cancel."""
        one = self.number(1)
        u = self.run("Add", x, one)
        rounded = self.run("Sub", u, one)
        is_none = self.truth("Equal", rounded, self.number(0))
        logarithm = self.run("Log", u)
        safe = self.either(is_none, one, rounded)
        near = self.either(is_none, x, self.run("Mul", logarithm, self.run("Div", x, safe)))
        return self.either(self.truth("Less", x, self.number(1)), near, logarithm)

    def _log2(self, x: Value) -> Value:
        return self.run("Mul", self.run("Log", x), self.number(1.0 / math.log(2.0)))

    def _log10(self, x: Value) -> Value:
        return self.run("Mul", self.run("Log", x), self.number(1.0 / math.log(10.0)))

    def _trunc(self, x: Value) -> Value:
        if not self.is_floating:
            return x
        is_below = self.truth("Less", x, self.number(0))
        return self.either(is_below, self.run("Ceil", x), self.run("Floor", x))

    def _arctan2(self, y: Value, x: Value) -> Value:
        zero = self.number(0.0)
        is_none = self.truth("Equal", x, zero)
        below = self._signbit(y)
        half = self.either(below, self.number(-math.pi / 2.0), self.number(math.pi / 2.0))
        slope = self.run("Atan", self.run("Div", y, self.either(is_none, self.number(1.0), x)))
        turn = self.either(below, self.number(-math.pi), self.number(math.pi))
        behind = self.either(self._signbit(x), self.run("Add", slope, turn), slope)
        across = self.truth("And", is_none, self.truth("Not", self.truth("Equal", y, zero)))
        return self.either(across, half, behind)


_COMPARISONS = {
    "<": "Less",
    "<=": "LessOrEqual",
    ">": "Greater",
    ">=": "GreaterOrEqual",
    "==": "Equal",
}
_ROUNDING = frozenset(("Floor", "Ceil", "Round"))
_LOGIC = {"&": "And", "|": "Or", "^": "Xor", "~": "Not"}
_BITS = {"&": "BitwiseAnd", "|": "BitwiseOr", "^": "BitwiseXor", "~": "BitwiseNot"}
_NAMES = {"//": "floor_divide", "%": "remainder", "<<": "shift_left", ">>": "shift_right"}
_OPERATORS = {
    "+": "Add",
    "-": "Sub",
    "*": "Mul",
    "/": "Div",
    "**": "Pow",
    "neg": "Neg",
    "exp": "Exp",
    "log": "Log",
    "sqrt": "Sqrt",
    "sin": "Sin",
    "cos": "Cos",
    "tan": "Tan",
    "arcsin": "Asin",
    "arccos": "Acos",
    "arctan": "Atan",
    "sinh": "Sinh",
    "cosh": "Cosh",
    "tanh": "Tanh",
    "arcsinh": "Asinh",
    "arccosh": "Acosh",
    "arctanh": "Atanh",
    "erf": "Erf",
    "absolute": "Abs",
    "floor": "Floor",
    "ceil": "Ceil",
    "rint": "Round",
}


# Scalar functions of nkeras that are one operator, or a short formula of some.

_Direct = Callable[..., Value | None]


def _operator(name: str, **attributes: Any) -> _Direct:
    return lambda formula, *operands: formula.run(name, *operands, **attributes)


def _truth(name: str) -> _Direct:
    return lambda formula, *operands: formula.truth(name, *operands)


def _with_slope(name: str) -> _Direct:
    """An operator that takes its second argument as a number."""

    def write(formula: _Formula, x: Value, alpha: Value) -> Value | None:
        if alpha.data is None or alpha.data.size != 1 or alpha.shape != ():
            return None
        return formula.run(name, x, alpha=float(alpha.data.item()))

    return write


def _silu(formula: _Formula, x: Value) -> Value:
    return formula.run("Mul", x, formula.run("Sigmoid", x))


def _log_sigmoid(formula: _Formula, x: Value) -> Value:
    return formula.run("Neg", formula.run("Softplus", formula.run("Neg", x)))


def _relu(formula: _Formula, x: Value) -> Value:
    return (
        formula.run("Relu", x) if formula.is_floating else formula.run("Max", x, formula.number(0))
    )


def _relu6(formula: _Formula, x: Value) -> Value:
    return formula.run("Clip", x, formula.number(0.0), formula.number(6.0))


def _clip(formula: _Formula, x: Value, low: Value, high: Value) -> Value | None:
    if low.shape != () or high.shape != ():
        return None
    return formula.run("Clip", x, low, high)


_ONLY_FLOAT32 = frozenset(  # in runtimes, or because of numbers of theirs
    "softplus log_sigmoid softsign mish selu gelu gelu_tanh hard_sigmoid hard_silu".split()
)
_DIRECT: dict[str, _Direct] = {
    "relu": _relu,
    "relu6": _relu6,
    "sigmoid": _operator("Sigmoid"),
    "softplus": _operator("Softplus"),
    "softsign": _operator("Softsign"),
    "log_sigmoid": _log_sigmoid,
    "silu": _silu,
    "mish": _operator("Mish"),
    "selu": _operator("Selu"),
    "elu": _with_slope("Elu"),
    "celu": _with_slope("Celu"),
    "leaky_relu": _with_slope("LeakyRelu"),
    "gelu": _operator("Gelu"),
    "gelu_tanh": _operator("Gelu", approximate="tanh"),
    "hard_sigmoid": _operator("HardSigmoid", alpha=1.0 / 6.0, beta=0.5),
    "hard_silu": _operator("HardSwish"),
    "clip": _clip,
    "sign": _operator("Sign"),
    "maximum": _operator("Max"),
    "minimum": _operator("Min"),
    "reciprocal": _operator("Reciprocal"),
    "logical_not": _truth("Not"),
    "logical_xor": _truth("Xor"),
}
