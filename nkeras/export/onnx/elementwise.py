"""Scalar functions as ONNX operators: by name where there is one operator, else by their formula.

The formula comes from the trace that derivatives are made of, so users' `@nkeras.elementwise`
functions are written like ours.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nkeras.backend.derive import Expression
from nkeras.backend.scalar import SCALARS, Scalar
from nkeras.export.onnx.formulas import Formula, cast, wider
from nkeras.export.onnx.graph import Value, node
from nkeras.export.onnx.shortcuts import DIRECT, ONLY_FLOAT32

_OF_BITS = {  # of truth values they are logic
    "bitwise_and": "And",
    "bitwise_or": "Or",
    "bitwise_xor": "Xor",
    "bitwise_not": "Not",
}


def write_formula(scalar: Scalar, values: Sequence[Value]) -> Value:
    """The operators that map a scalar function over values of one dtype, and bools."""
    if scalar.name in _OF_BITS and all(value.dtype == np.dtype(bool) for value in values):
        return node(_OF_BITS[scalar.name], *values)
    of_conditions = all(name in scalar.conditions for name in scalar.parameters)
    given = values[-1].dtype
    assert given is not None
    dtype = given if of_conditions else wider(given)
    arguments = [
        value if name in scalar.conditions else cast(value, dtype)
        for name, value in zip(scalar.parameters, values, strict=True)
    ]
    formula = Formula(dtype)
    direct = DIRECT.get(scalar.name) if SCALARS.get(scalar.name) is scalar else None
    if dtype == np.float64 and scalar.name in ONLY_FLOAT32:
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
