"""The traced formula of a scalar function as ONNX operators."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from nkeras.backend.derive import Expression
from nkeras.core import dtypes
from nkeras.export.onnx.graph import Value, constant, graph, node

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


class Formula:
    """Writes expressions in one dtype."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self.is_floating = dtypes.is_floating(dtypes.name_of(dtype))

    def write(self, expression: Any, names: dict[str, Value]) -> Value:
        """The value of an expression for values of its arguments."""
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
        """A number of the formula."""
        dtype = np.dtype(bool) if isinstance(value, (bool, np.bool_)) else self.dtype
        return constant(value, dtype)

    def call(self, operation: str, operands: list[Value]) -> Value:
        """One operation of the formula."""
        if operation == "!=":
            return self.truth("Not", self.truth("Equal", *self.alike(operands)))
        if operation in _COMPARISONS:
            return self.truth(_COMPARISONS[operation], *self.alike(operands))
        if operation in _LOGIC:
            if all(operand.dtype == np.dtype(bool) for operand in operands):
                return self.truth(_LOGIC[operation], *operands)
            return self.run(_BITS[operation], *[self.wanted(one) for one in operands])
        if operation == "where":
            condition, *branches = operands
            result = node("Where", self.condition(condition), *self.alike(branches))
            result.dtype = self.alike(branches)[0].dtype
            return result
        operands = [self.wanted(one) for one in operands]
        if operation in _OPERATORS:
            return self.run(_OPERATORS[operation], *operands)
        composed = _COMPOSED.get(operation)
        if composed is not None:
            return composed(self, *operands)
        graph().missing[f"the scalar function {operation}"] = None
        return operands[0]

    def run(self, operator: str, *operands: Value, **attributes: Any) -> Value:
        """An operator whose result is of the formula's dtype."""
        if operator in _ROUNDING and not self.is_floating:
            return operands[0]
        result = node(operator, *operands, **attributes)
        result.dtype = self.dtype
        return result

    def truth(self, operator: str, *operands: Value) -> Value:
        """An operator whose result is a truth value."""
        result = node(operator, *operands)
        result.dtype = np.dtype(bool)
        return result

    def wanted(self, value: Value) -> Value:
        """A value as one of the formula's dtype."""
        return cast(value, self.dtype)

    def condition(self, value: Value) -> Value:
        """A value as a truth value."""
        return cast(value, np.dtype(bool))

    def alike(self, values: list[Value]) -> list[Value]:
        """Both of the formula's dtype, unless both are conditions."""
        if all(value.dtype == np.dtype(bool) for value in values):
            return values
        return [self.wanted(value) for value in values]

    # Operations that ONNX lacks, by others.

    def either(self, condition: Value, one: Value, other: Value) -> Value:
        """One value where a condition holds, else the other."""
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
_COMPOSED: dict[str, Callable[..., Value]] = {
    name: getattr(Formula, f"_{method}")
    for name, method in {
        "//": "floor_divide",
        "%": "remainder",
        "<<": "shift_left",
        ">>": "shift_right",
        **{
            name: name
            for name in "isnan isinf isfinite signbit expm1 log1p log2 log10 trunc arctan2".split()
        },
    }.items()
}
