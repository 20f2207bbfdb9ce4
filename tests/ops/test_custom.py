"""Users' own elementwise operations: signatures, defaults, and names used twice."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras.core.primitive import PRIMITIVES


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    """What a test registers is forgotten after it."""
    before = dict(PRIMITIVES)
    yield
    PRIMITIVES.clear()
    PRIMITIVES.update(before)


def slope(operation: Any) -> float:
    return float(nkeras.grad(operation)(2.0))


def test_operations_of_one_name_keep_their_own_gradients() -> None:
    double, triple = nkeras.elementwise(lambda x: x * 2.0), nkeras.elementwise(lambda x: x * 3.0)
    assert slope(double) == 2.0
    assert slope(triple) == 3.0
    assert slope(double) == 2.0

    def curve(x: Any) -> Any:
        return x * x

    first = nkeras.elementwise(curve)

    def curve(x: Any) -> Any:  # defined again before the first gradient was asked for
        return x * x * x

    second = nkeras.elementwise(curve)
    assert (slope(first), slope(second)) == (4.0, 12.0)
    assert float(nkeras.grad(nkeras.grad(first))(2.0)) == 2.0
    assert float(nkeras.grad(nkeras.grad(second))(2.0)) == 12.0


def test_defaults_are_those_of_the_function() -> None:
    @nkeras.elementwise
    def scaled_by(x: Any, factor: Any = 2.5) -> Any:
        return x * factor

    np.testing.assert_array_equal(scaled_by([2.0]), [5.0])
    np.testing.assert_array_equal(scaled_by(x=[2.0], factor=1.0), [2.0])
    assert scaled_by(nkeras.KerasTensor((None, 3))).shape == (None, 3)


def test_what_cannot_be_mapped_is_refused() -> None:
    with pytest.raises(ValueError, match="result"):
        nkeras.elementwise(lambda x: x, result="int32")
    for function in (
        lambda x, *, limit: x * limit,
        lambda *xs: xs[0],
        lambda **xs: xs["x"],
        lambda: 1.0,
        np.tanh,
        len,
        functools.partial(max, 0.0),
    ):
        with pytest.raises(TypeError, match="elementwise"):
            nkeras.elementwise(function)
