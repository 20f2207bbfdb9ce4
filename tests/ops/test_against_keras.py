"""Every op of `nkeras.ops` has the values, shapes and dtypes of `keras.ops` on JAX."""

from __future__ import annotations

import types
from typing import Any

import numpy as np
import pytest

from nkeras import ops
from tests.harness import oracle
from tests.ops.tables import INPUTS
from tests.ops.tables import KERAS_CASES as CASES

_EVALUATE = """
def evaluate(expression):
    try:
        return eval(expression, {**globals(), **inputs})
    except Exception as error:
        return f"{type(error).__name__}: {error}"

def together(expressions):
    # One compilation for many expressions instead of several for each. Those that look at values,
    # or whose results are no arrays, are found by halves and run by themselves.
    def compute(given):
        results = [eval(one, {**globals(), **given}) for one in expressions]
        if not all(isinstance(one, jax.Array) for one in jax.tree.leaves(results)):
            raise TypeError("no arrays")
        return results

    try:
        return jax.jit(compute)(inputs)
    except Exception:
        if len(expressions) == 1:
            return [evaluate(expressions[0])]
        half = len(expressions) // 2
        return together(expressions[:half]) + together(expressions[half:])

result = together(expressions)
"""
_ALL = [case for cases in CASES.values() for case in cases]
_SHORT = [cases[0] for cases in list(CASES.values())[::4]]  # JAX compiles each: it takes a while
_LONG = [one for one in _ALL if one not in _SHORT]
_PARTS = 20  # among the workers of pytest-xdist


def test_every_op_has_a_case() -> None:
    public = _public(ops)
    if (image := getattr(ops, "image", None)) is not None:
        public |= {f"image.{name}" for name in _public(image)}
    assert public == set(CASES)


@oracle.requires_keras
def test_short_table() -> None:
    assert _differences(_SHORT) == []


@pytest.mark.long
@oracle.requires_keras
@pytest.mark.parametrize("part", range(_PARTS))
def test_long_table(part: int) -> None:
    assert _differences(_LONG[part::_PARTS]) == []


def _public(module: types.ModuleType) -> set[str]:
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }


def _differences(expressions: list[str]) -> list[str]:
    expected: list[Any] = []
    for start in range(0, len(expressions), 50):  # each call has a time limit
        part = expressions[start : start + 50]
        expected += oracle.run(_EVALUATE, expressions=part, inputs=INPUTS)
    found = []
    for expression, want in zip(expressions, expected, strict=True):
        assert not isinstance(want, str) or expression.startswith("str("), (expression, want)
        got = eval(expression, {"ops": ops, "np": np, **INPUTS})
        message = _compare(got, want)
        if message:
            found.append(f"{expression}: {message}")
    return found


def _compare(got: Any, want: Any) -> str | None:
    if isinstance(want, (list, tuple)):
        if not isinstance(got, (list, tuple)) or len(got) != len(want):
            return f"{len(want)} results wanted, got {got!r}"
        messages = [_compare(a, b) for a, b in zip(got, want, strict=True)]
        return next((message for message in messages if message), None)
    if isinstance(want, (str, bool)) or want is None:
        return None if got == want else f"{want!r} wanted, got {got!r}"
    is_array = isinstance(want, np.ndarray)
    got, want = np.asarray(got), np.asarray(want)
    if is_array and got.dtype != want.dtype:
        return f"dtype {want.dtype} wanted, got {got.dtype}"
    if got.shape != want.shape:
        return f"shape {want.shape} wanted, got {got.shape}"
    if not np.allclose(got, want, rtol=2e-5, atol=2e-6, equal_nan=True):
        return f"wanted\n{want}\ngot\n{got}"
    return None
