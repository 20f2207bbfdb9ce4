"""Element by element: arithmetic, comparisons, choices, casts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nkeras import ops
from nkeras.core import dtypes
from nkeras.core.errors import short
from nkeras.models.onnx.table import Call, operator
from nkeras.models.onnx.tensors import dtype_of
from nkeras.models.onnx.values import AnySize, Size, Traced, Value

_ONE: dict[str, Callable[[Any], Any]] = {
    "Abs": ops.abs,
    "Neg": ops.negative,
    "Sign": ops.sign,
    "Log": ops.log,
    "Sqrt": ops.sqrt,
    "Reciprocal": ops.reciprocal,
    "Floor": ops.floor,
    "Ceil": ops.ceil,
    "Round": ops.round,
    "Erf": ops.erf,
    "Sin": ops.sin,
    "Cos": ops.cos,
    "Tan": ops.tan,
    "Asin": ops.arcsin,
    "Acos": ops.arccos,
    "Atan": ops.arctan,
    "Sinh": ops.sinh,
    "Cosh": ops.cosh,
    "Asinh": ops.arcsinh,
    "Acosh": ops.arccosh,
    "Atanh": ops.arctanh,
    "Not": ops.logical_not,
    "IsNaN": ops.isnan,
    "BitwiseNot": ops.bitwise_not,
}


@operator(*_ONE)
def _one(call: Call) -> Value:
    x = call.traced()
    return call.alike(_ONE[call.operator](x.tensor), x)


@operator("Identity")
def _identity(call: Call) -> Value:
    return call.value()


@operator("IsInf")
def _is_inf(call: Call) -> Value:
    x = call.traced()
    positive, negative = call.flag("detect_positive", True), call.flag("detect_negative", True)
    if positive and negative:
        return call.alike(ops.isinf(x.tensor), x)
    if not positive and not negative:
        return call.alike(ops.zeros_like(x.tensor, dtype="bool"), x)
    return call.alike((ops.isposinf if positive else ops.isneginf)(x.tensor), x)


@operator("Cast", "CastLike")
def _cast(call: Call) -> Value:
    x = call.traced()
    if call.operator == "CastLike":
        dtype = call.value(1).dtype
    else:
        dtype = dtype_of(call.integer("to", 0), f"node {short(call.node.name, 60)}")
    return x if dtype == x.dtype else call.alike(ops.cast(x.tensor, dtype), x)


def joined(call: Call, function: Callable[..., Any], places: list[int]) -> Traced:
    """The result of an op on some inputs, which broadcast, in the layout that most are in.

    Args:
        call: the node.
        function: op of as many tensors.
        places: numbers of the inputs.
    """
    values = [call.value(place) for place in places]
    rank = max(value.rank for value in values)
    traced = [value for value in values if isinstance(value, Traced)]
    is_last = any(value.is_last and value.rank == rank for value in traced)
    is_last = is_last and all(value.rank in (0, rank) for value in traced)
    if not traced:
        first = call.traced(places[0])
        operands = [first.first, *(call.operand(place) for place in places[1:])]
    else:
        operands = [call.operand(place, is_last, rank) for place in places]
    return call.made(function(*operands), broadcast([value.sizes for value in values]), is_last)


def broadcast(shapes: list[tuple[AnySize, ...]]) -> list[AnySize]:
    """The sizes of the result; where one is open and the other a number, it is the number."""
    rank = max(len(shape) for shape in shapes)
    found: list[AnySize] = []
    for axis in range(rank):
        sizes = [s[axis - rank + len(s)] for s in shapes if axis - rank + len(s) >= 0]
        wide = [size for size in sizes if size != 1]
        numbers = [size for size in wide if not isinstance(size, Size)]
        found.append((numbers or wide or [1])[0])
    return found


def _divided(x: Any, y: Any) -> Any:
    if not dtypes.is_integer(x.dtype if hasattr(x, "dtype") else y.dtype):
        return ops.divide(x, y)
    quotient = ops.floor_divide(ops.abs(x), ops.abs(y))
    same = ops.equal(ops.less(x, 0), ops.less(y, 0))
    return ops.where(same, quotient, ops.negative(quotient))


def _power(x: Any, y: Any) -> Any:
    return ops.cast(ops.power(x, y), str(x.dtype))


_TWO: dict[str, Callable[..., Any]] = {
    "Add": ops.add,
    "Sub": ops.subtract,
    "Mul": ops.multiply,
    "Div": _divided,
    "Pow": _power,
    "Equal": ops.equal,
    "Greater": ops.greater,
    "GreaterOrEqual": ops.greater_equal,
    "Less": ops.less,
    "LessOrEqual": ops.less_equal,
    "And": ops.logical_and,
    "Or": ops.logical_or,
    "Xor": ops.logical_xor,
    "BitwiseAnd": ops.bitwise_and,
    "BitwiseOr": ops.bitwise_or,
    "BitwiseXor": ops.bitwise_xor,
}


@operator(*_TWO)
def _two(call: Call) -> Value:
    return joined(call, _TWO[call.operator], [0, 1])


@operator("Mod")
def _mod(call: Call) -> Value:
    return joined(call, ops.fmod if call.flag("fmod", False) else ops.mod, [0, 1])


def _many(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def folded(first: Any, *others: Any) -> Any:
        for other in others:
            first = function(first, other)
        return first

    return folded


def _mean(*operands: Any) -> Any:
    return ops.divide(_many(ops.add)(*operands), float(len(operands)))


_MANY: dict[str, Callable[..., Any]] = {
    "Max": _many(ops.maximum),
    "Min": _many(ops.minimum),
    "Sum": _many(ops.add),
    "Mean": _mean,
}


@operator(*_MANY)
def _several(call: Call) -> Value:
    return joined(call, _MANY[call.operator], list(range(len(call.inputs))))


@operator("Where")
def _where(call: Call) -> Value:
    return joined(call, ops.where, [0, 1, 2])
