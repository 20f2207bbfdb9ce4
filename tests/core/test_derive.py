"""Derived derivatives: the chain rule, shared subexpressions, branches that were not taken."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from nkeras.backend import derive
from nkeras.backend.registry import load
from nkeras.backend.scalar import Scalar

exp, log, sqrt, where, tanh, floor = (
    derive.FUNCTIONS[name] for name in ("exp", "log", "sqrt", "where", "tanh", "floor")
)


def slope(function: Any, *values: float, by: str = "x") -> float:
    scalar = Scalar(function)
    gradient = scalar.gradient(by)
    if gradient is None:
        return 0.0
    known = dict(zip(scalar.parameters, map(np.float64, values), strict=True))
    kernel = load("numpy").elementwise(gradient)
    arguments = [known.get(name, np.float64(1.0)) for name in gradient.parameters]
    return float(kernel(*[np.asarray(argument) for argument in arguments]))


def chained(x):
    return tanh(x * x) / (1.0 + exp(-x))


def guarded(x):
    return where(x > 0.0, sqrt(where(x > 0.0, x, 1.0)), 0.0)


def powers(x, n):
    return x**n


def square(x):
    return x**2.0


def stairs(x):
    return floor(x) + 2.0


def twice(x):
    return exp(x) * exp(x)


def test_chain_rule() -> None:
    x, h = 0.7, 1e-6
    value = lambda t: math.tanh(t * t) / (1.0 + math.exp(-t))  # noqa: E731
    want = (value(x + h) - value(x - h)) / (2 * h)
    assert slope(chained, x) == pytest.approx(want, rel=1e-8)


def test_the_branch_not_taken_has_no_say() -> None:
    assert slope(guarded, 4.0) == 0.25
    assert slope(guarded, -1.0) == 0.0
    assert slope(guarded, 0.0) == 0.0


def test_powers_at_zero() -> None:
    assert slope(powers, 0.0, 0.0) == 0.0
    assert slope(powers, 0.0, 2.0) == 0.0
    assert slope(powers, 3.0, 2.0) == 6.0
    assert slope(powers, 2.0, 3.0, by="n") == pytest.approx(8.0 * math.log(2.0))
    assert slope(powers, 0.0, 2.0, by="n") == 0.0


def test_the_derivative_of_a_square_is_no_power() -> None:
    result, used = derive.derivative(Scalar(square).trace, ("x",), "x")
    assert "**" not in derive.to_source("square_grad", used, result)
    assert slope(square, -3.0) == -6.0


def test_flat_functions_have_no_derivative() -> None:
    assert Scalar(stairs).gradient("x") is None


def test_equal_subexpressions_are_computed_once() -> None:
    result, used = derive.derivative(Scalar(twice).trace, ("x",), "x")
    source = derive.to_source("twice_grad", used, result)
    assert used == ["x"]
    assert source.count("exp(x)") == 1


def test_branches_are_refused() -> None:
    def branching(x):
        return 1.0 if x > 0.0 else x

    with pytest.raises(TypeError, match="where"):
        derive.derivative(branching, ("x",), "x")


def test_table_functions_need_a_traced_argument() -> None:
    with pytest.raises(TypeError, match="at least one traced argument"):
        log(2.0)
