"""Quotients rounded down and remainders, without calls, so that LLVM vectorises the loops.

A remainder of float32 is exact, for in float64 the product of a quotient below 2**29 and the
divisor is. Integers of 32 bits and less are divided in float64, where their quotients are told from
the next whole number.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numba import types

from nkeras_numba_cpu.emit.values import Note, Value, call, define, where
from nkeras_numba_cpu.emit.vector_math import signed

for _kind in (types.int8, types.int16, types.int32, types.uint8, types.uint16, types.uint32):
    define(operator.floordiv, _kind, lambda x, y: _divided(x, y)[0])
    define(operator.mod, _kind, lambda x, y: _divided(x, y)[1])

_MOST = np.float64(2.0**29)  # the largest quotient of a remainder that is exact
_INFINITY = np.float64(np.inf)


class Noting(Value):
    """A float32 that is divided fast; where the quotient is too large, `note` is told."""

    __slots__ = ("note",)
    __hash__ = Value.__hash__

    def __init__(self, context: Any, builder: Any, kind: Any, data: Any, note: Note) -> None:
        super().__init__(context, builder, kind, data)
        self.note = note

    @classmethod
    def of(cls, value: Value, note: Note) -> Noting:
        """The same number."""
        return cls(value.context, value.builder, value.kind, value.data, note)

    def like(self, data: Any, kind: Any = None) -> Noting:
        """Another value of this code."""
        return Noting(self.context, self.builder, kind or self.kind, data, self.note)

    def __floordiv__(self, other: Any) -> Value:
        return self._divided(operator.floordiv, other)

    def __rfloordiv__(self, other: Any) -> Value:
        return self._divided(operator.floordiv, other, is_reflected=True)

    def __mod__(self, other: Any) -> Value:
        return self._divided(operator.mod, other)

    def __rmod__(self, other: Any) -> Value:
        return self._divided(operator.mod, other, is_reflected=True)

    def _divided(self, function: Any, other: Any, is_reflected: bool = False) -> Value:
        if not isinstance(other, Value):
            other = self.constant(float(other))
        x, y = (other, self) if is_reflected else (self, other)
        if self.kind != types.float32 or other.kind != types.float32:
            return call(function, x, y)
        return (
            _floor_divide(x, y, self.note)
            if function is operator.floordiv
            else _remainder(x, y, self.note)
        )


def _remainder(x: Value, y: Value, note: Note) -> Value:
    return _parts(x, y, note)[1]


def _floor_divide(x: Value, y: Value, note: Note) -> Value:
    div, _ = _parts(x, y, note)
    zero, half, one = (np.float32(number) for number in (0, 0.5, 1))
    down = call(np.floor, div)
    down = where(div - down > half, down + one, down)
    # A zero with the sign of the quotient.
    down = where(div == zero, signed(abs(div), x / y), down)
    return where(y == zero, x / y, down)


def _parts(x: Value, y: Value, note: Note) -> tuple[Value, Value]:
    """As CPython does it: the quotient before it is rounded, and the remainder."""
    zero, one = np.float32(0), np.float32(1)
    wide_x, wide_y = x.cast(types.float64), y.cast(types.float64)
    quotient = wide_x / wide_y
    note((abs(quotient) > _MOST) & (abs(quotient) < _INFINITY) | (abs(wide_y) == _INFINITY))
    rest = (wide_x - call(np.trunc, quotient) * wide_y).cast(x.kind)
    div = (x - rest) / y
    turns = call(operator.xor, rest < zero, y < zero) & (rest != zero)
    rest = where(turns, rest + y, where(rest == zero, signed(abs(rest), y), rest))
    return where(turns, div - one, div), rest


def _divided(x: Value, y: Value) -> tuple[Value, Value]:
    """Integers: the quotient rounded down and the remainder, both 0 where y is 0."""
    zero, one = x.constant(0), x.constant(1)
    safe = where(y == zero, one, y)
    is_opposite = None
    if x.kind.signed:
        is_opposite = y == x.constant(-1)  # the lowest integer has no quotient
        safe = where(is_opposite, one, safe)
    down = call(np.floor, x.cast(types.float64) / safe.cast(types.float64))
    quotient = down.cast(x.kind)
    rest = x - quotient * safe
    if is_opposite is not None:
        quotient = where(is_opposite, -x, quotient)
    return where(y == zero, zero, quotient), where(y == zero, zero, rest)
