"""Roots, reciprocals, and what the hardware approximates."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tests.ptx.arithmetic import HALVES, in_halves, with_rounding
from tests.ptx.machine import Instructed, Step, opcode
from tests.ptx.rounding import flushing

Array = npt.NDArray[Any]


@opcode("sqrt")
def sqrt(one: Instructed) -> Step:
    one.drop("approx")
    return with_rounding(one, "sqrt", np.sqrt, one.kind())


@opcode("rcp")
def reciprocal(one: Instructed) -> Step:
    kind = one.kind()
    if one.take("approx") and kind == "f64":
        one.take("ftz")
        return one.values(_upper_half_of_reciprocal, one.result(kind), *one.inputs(kind))
    return with_rounding(one, "rcp", np.reciprocal, kind)


def _upper_half_of_reciprocal(x: Array) -> Array:
    """The hardware gives the upper word of 1 / x alone."""
    bits = np.reciprocal(x).view(np.uint64)
    return (bits & np.uint64(0xFFFFFFFF00000000)).view(np.float64)


def _exp2(x: Array) -> Array:
    return np.exp2(x.astype(np.float64)).astype(x.dtype)


def _sine(x: Array) -> Array:
    return np.sin(x.astype(np.float64)).astype(x.dtype)


def _cosine(x: Array) -> Array:
    return np.cos(x.astype(np.float64)).astype(x.dtype)


def _log2(x: Array) -> Array:
    return np.log2(x.astype(np.float64)).astype(x.dtype)


def _inverse_root(x: Array) -> Array:
    return (1.0 / np.sqrt(x.astype(np.float64))).astype(x.dtype)


def _tanh(x: Array) -> Array:
    return np.tanh(x.astype(np.float64)).astype(x.dtype)


_APPROXIMATE = {
    "ex2": _exp2,
    "lg2": _log2,
    "sin": _sine,
    "cos": _cosine,
    "rsqrt": _inverse_root,
    "tanh": _tanh,
}


@opcode(*_APPROXIMATE)
def approximate(one: Instructed) -> Step:
    """What the hardware approximates, here rounded once."""
    kind = one.kind()
    one.take("approx")
    function = _APPROXIMATE[one.instruction.root]
    flush = one.take("ftz")
    if kind in HALVES:
        function = in_halves(kind, function)
    elif flush:
        function = flushing(function)
    return one.values(function, one.result(kind), *one.inputs(kind))
