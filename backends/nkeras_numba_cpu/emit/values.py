"""Scalar functions as LLVM code, by running them on values that write the code down.

A scalar function is free of branches, so Python can run it once, on `Value`s, to learn what it
computes. That takes a hundredth of the time that Numba needs to compile the same function.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

# Contraction only, whatever the flags of the function around: reassociation would undo the
# reductions of exp and log.
FLAGS = ("contract",)


class Value:
    """A number that compiled code will have: its Numba type, and the instruction that gives it."""

    __array_ufunc__ = None  # NumPy's scalars leave operations with a Value to it
    __hash__ = object.__hash__
    __slots__ = ("builder", "context", "data", "kind")

    def __init__(self, context: Any, builder: Any, kind: Any, data: Any) -> None:
        self.context = context
        self.builder = builder
        self.kind = kind
        self.data = data

    def like(self, data: Any, kind: Any = None) -> Value:
        """Another value of this code."""
        return Value(self.context, self.builder, kind or self.kind, data)

    def constant(self, number: float) -> Value:
        """A constant of the type of this value."""
        return self.like(self.context.get_constant(self.kind, number))

    def cast(self, kind: Any) -> Value:
        """As another Numba type."""
        data = self.context.cast(self.builder, self.data, self.kind, kind)
        return self.like(data, kind)

    def __add__(self, other: Any) -> Value:
        return call(operator.add, self, other)

    def __radd__(self, other: Any) -> Value:
        return call(operator.add, other, self)

    def __sub__(self, other: Any) -> Value:
        return call(operator.sub, self, other)

    def __rsub__(self, other: Any) -> Value:
        return call(operator.sub, other, self)

    def __mul__(self, other: Any) -> Value:
        return call(operator.mul, self, other)

    def __rmul__(self, other: Any) -> Value:
        return call(operator.mul, other, self)

    def __truediv__(self, other: Any) -> Value:
        return call(operator.truediv, self, other)

    def __rtruediv__(self, other: Any) -> Value:
        return call(operator.truediv, other, self)

    def __lt__(self, other: Any) -> Value:
        return call(operator.lt, self, other)

    def __gt__(self, other: Any) -> Value:
        return call(operator.gt, self, other)

    def __and__(self, other: Any) -> Value:
        return call(operator.and_, self, other)

    def __or__(self, other: Any) -> Value:
        return call(operator.or_, self, other)

    def __abs__(self) -> Value:
        return call(abs, self)

    def __neg__(self) -> Value:
        if isinstance(self.kind, types.Float):
            return self.like(self.builder.fneg(self.data))
        if isinstance(self.kind, types.Integer) and self.kind.signed:
            return self.like(self.builder.neg(self.data))
        return call(operator.neg, self)

    def __invert__(self) -> Value:
        return call(operator.invert, self)

    def __pow__(self, other: Any) -> Value:
        known = None if isinstance(other, Value) else _POWERS.get(float(other))
        if known is None or not isinstance(self.kind, types.Float):
            return _power(self, other)
        return known(self)

    def __rpow__(self, other: Any) -> Value:
        return _power(other, self)

    def __bool__(self) -> bool:
        raise TypeError("A scalar function must be free of branches.")


def _binary(function: Any, reflected: bool) -> Callable[[Value, Any], Value]:
    if reflected:
        return lambda self, other: call(function, other, self)
    return lambda self, other: call(function, self, other)


for _name in ("floordiv", "mod", "lshift", "rshift"):
    setattr(Value, f"__{_name}__", _binary(getattr(operator, _name), False))
    setattr(Value, f"__r{_name}__", _binary(getattr(operator, _name), True))
for _name in ("le", "ge", "eq", "ne", "xor"):
    setattr(Value, f"__{_name}__", _binary(getattr(operator, _name), False))

_POWERS: dict[float, Callable[[Value], Value]] = {
    1.0: lambda x: x,
    2.0: lambda x: x * x,
    3.0: lambda x: x * x * x,
    4.0: lambda x: (x * x) * (x * x),
    0.5: lambda x: call(math.sqrt, x),
    -0.5: lambda x: 1.0 / call(math.sqrt, x),
    -1.0: lambda x: 1.0 / x,
}
"""By exponent: powers that are products, roots or reciprocals."""

_FLOAT_OPERATIONS: dict[Any, str] = {
    operator.add: "fadd",
    operator.sub: "fsub",
    operator.mul: "fmul",
    operator.truediv: "fdiv",
}


Note = Callable[[Value], object]
"""Told a condition under which a faster function is not right."""

_DEFINED: dict[tuple[Any, Any], Callable[[Value, Value], Value]] = {}


def define(function: Any, kind: Any, emit: Callable[[Value, Value], Value]) -> None:
    """Let `emit` compute an operator of two numbers of a Numba type, in place of Numba."""
    _DEFINED[function, kind] = emit


_DEFINED_POWERS: dict[Any, Callable[[Any, Any], Value]] = {}


def define_power(kind: Any, function: Callable[[Any, Any], Value]) -> None:
    """Let a function compute the powers of a Numba type, in place of the library's."""
    _DEFINED_POWERS[kind] = function


def _power(base: Any, exponent: Any) -> Value:
    some = base if isinstance(base, Value) else exponent
    kinds = {value.kind for value in (base, exponent) if isinstance(value, Value)}
    if len(kinds) == 1 and some.kind in _DEFINED_POWERS:
        return _DEFINED_POWERS[some.kind](base, exponent)
    return call(operator.pow, base, exponent)


def call(function: Any, *operands: Any) -> Value:
    """What Numba would compute for `function(*operands)`; operands may be constants."""
    some = next(operand for operand in operands if isinstance(operand, Value))
    context, builder = some.context, some.builder
    values = [
        operand if isinstance(operand, Value) else _constant(some, operand) for operand in operands
    ]
    kinds = tuple(value.kind for value in values)
    direct = _FLOAT_OPERATIONS.get(function)
    if direct and kinds[0] == kinds[1] and isinstance(kinds[0], types.Float):
        emit = getattr(builder, direct)
        return some.like(emit(values[0].data, values[1].data, flags=FLAGS), kinds[0])
    defined = _DEFINED.get((function, kinds[0])) if len(set(kinds)) == 1 else None
    if defined is not None:
        return defined(*values)
    if function is operator.pow and all(isinstance(kind, types.Integer) for kind in kinds):
        return _integer_power(*values)
    known = context.typing_context.resolve_value_type(function)
    signature = context.typing_context.resolve_function_type(known, kinds, {})
    implementation = context.get_function(known, signature)
    arguments = [value.cast(kind).data for value, kind in zip(values, signature.args, strict=True)]
    result = implementation(builder, arguments)
    context.add_linking_libs(getattr(implementation, "libs", ()))
    return some.like(result, signature.return_type)


def _integer_power(base: Value, exponent: Value) -> Value:
    """By repeated squaring, wrapping round; negative powers are 0, but for those of 1 and -1."""
    builder, one = base.builder, base.constant(1)
    exponent = exponent.cast(base.kind)
    bits, factor, power = exponent.data, base.data, one.data
    zero = base.constant(0).data
    is_negative = ir.Constant(ir.IntType(1), 0)
    if base.kind.signed:
        is_negative = builder.icmp_signed("<", bits, zero)
        bits = builder.select(is_negative, builder.neg(bits), bits)
    for _ in range(base.kind.bitwidth):
        is_set = builder.trunc(bits, ir.IntType(1))
        power = builder.select(is_set, builder.mul(power, factor), power)
        factor = builder.mul(factor, factor)
        bits = builder.lshr(bits, one.data)
    is_unit = builder.icmp_signed("==", builder.mul(base.data, base.data), one.data)
    is_fraction = builder.and_(is_negative, builder.not_(is_unit))
    return base.like(builder.select(is_fraction, zero, power))


def _constant(some: Value, number: Any) -> Value:
    kind = numba.typeof(number)
    return some.like(some.context.get_constant(kind, number), kind)


def as_value(result: Any, like: Value) -> Value:
    """A result that may be a constant."""
    return result if isinstance(result, Value) else _constant(like, result)


def where(condition: Any, x1: Any, x2: Any) -> Any:
    """`x1` where the condition holds, else `x2`; both are computed."""
    if not isinstance(condition, Value):
        return x1 if condition else x2
    values = [x if isinstance(x, Value) else _constant(condition, x) for x in (x1, x2)]
    kind = condition.context.typing_context.unify_types(*(value.kind for value in values))
    test = condition.cast(types.boolean).data
    x1, x2 = (value.cast(kind).data for value in values)
    return condition.like(condition.builder.select(test, x1, x2), kind)


def compiled(function: Callable[[Value], Value]) -> Any:
    """A function of one Value, as code compiled by Numba can call it with a number."""

    @intrinsic
    def emit(typingctx, x):
        def codegen(context, builder, signature, values):
            return function(Value(context, builder, x, values[0])).data

        return x(x), codegen

    return emit
