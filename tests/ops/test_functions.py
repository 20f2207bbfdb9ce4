"""vectorize, jvp, rearrange and view: how often functions run, symbols, plans, what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import KerasTensor, ops
from nkeras.backend.registry import use_backend
from tests.ops.cases import floats


def test_vectorize_calls_once() -> None:
    calls = []

    def product(a: Any, b: Any) -> Any:
        calls.append(a)
        return ops.matmul(a, b)

    made = ops.vectorize(product, signature="(m,n),(n,k)->(m,k)")
    a, b = floats(5, 1, 2, 3), floats(4, 3, 2)
    np.testing.assert_allclose(made(a, b), a @ b, 1e-5, 1e-6)
    assert len(calls) == 1
    assert made(a[0, 0], b[0]).shape == (2, 2)
    assert made(KerasTensor((5, 1, 2, 3)), b).shape == (5, 4, 2, 2)


def test_vectorize_goes_one_by_one_where_values_are_asked_for() -> None:
    def clipped(x: Any, least: float, scale: float = 1.0) -> Any:
        return x * scale if float(x) > least else x * 0.0

    x = floats(2, 3)
    made = ops.vectorize(clipped, excluded={1})
    np.testing.assert_allclose(made(x, 0.5, scale=2.0), np.where(x > 0.5, 2 * x, 0), 1e-6)
    assert made.__name__ == "clipped"
    shifted = ops.vectorize(lambda a, b: a if b is None else a + b)
    np.testing.assert_array_equal(shifted(x, None), x)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: ops.vectorize(3), "argument `pyfunc`"),
        (lambda x: ops.vectorize(ops.sum, signature="n->"), "argument `signature` .*'n->'"),
        (lambda x: ops.vectorize(ops.sum, signature="(n),(n)->()")(x), "has 2 arguments. Rec.* 1"),
        (lambda x: ops.vectorize(ops.dot, signature="(n),(n)->()")(x, x[:, :2]), "axis n has the"),
        (lambda x: ops.vectorize(ops.sum, signature="(a,b,c)->()")(x), r"axes \(a, b, c\)"),
        (lambda x: ops.vectorize(ops.sum, signature="(n)->(n)")(x), "a result must have the axes"),
        (lambda x: ops.vectorize(ops.sum, signature="(n)->(),()")(x), "has 2 results"),
        (lambda x: ops.vectorize(lambda a: ops.stack([a, a]))(x), "scalars none"),
        (lambda x: ops.vectorize(ops.sin)(x[:0]), "at least one element"),
    ],
)
def test_vectorize_refuses(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"vectorize: .*{message}"):
        call(floats(2, 3))


@pytest.mark.parametrize("backend", ["numpy", "numba_cpu"])
def test_jvp_is_the_change_along_a_direction(backend: str) -> None:
    kernel = floats(3, 3, 2, 4).astype("float64")

    def f(x: Any) -> Any:
        y = ops.conv(x, kernel, padding="same")
        return ops.layer_normalization(ops.max_pool(ops.tanh(y), 2)), ops.argmax(y, -1)

    with use_backend(backend):
        x, direction = floats(1, 4, 4, 2).astype("float64"), floats(1, 4, 4, 2).astype("float64")
        (value, winner), (slope, flat) = ops.jvp(f, (x,), (direction,))
        step = 1e-6
        high, low = (np.asarray(f(x + sign * step * direction)[0]) for sign in (1, -1))
        np.testing.assert_allclose(slope, (high - low) / (2 * step), 1e-4, 1e-6)
        np.testing.assert_allclose(value, f(x)[0], 1e-12)
        assert (winner.dtype, flat.dtype) == ("int32", "int32")
        assert not np.asarray(flat).any()


def test_jvp_in_a_plan_and_on_symbols() -> None:
    @nkeras.function
    def slope(x: Any, d: Any) -> Any:
        return ops.jvp(lambda a: ops.sum(ops.exp(a) * a), (x,), (d,))[1]

    for _ in range(5):
        x, d = floats(4), floats(4)
        np.testing.assert_allclose(slope(x, d), ((np.exp(x) * (x + 1)) * d).sum(), 1e-4, 1e-5)
    value, change, aux = ops.jvp(
        lambda a: (ops.sum(a, axis=1), a), (KerasTensor((2, 3)),), (KerasTensor((2, 3)),), True
    )
    assert (value.shape, change.shape, aux.shape) == ((2,), (2,), (2, 3))


@pytest.mark.parametrize(
    ("primals", "tangents", "message"),
    [
        (1.0, (1.0,), "must be tuples or lists"),
        ((floats(2),), (floats(3),), r"shapes \(2,\) and \(3,\)"),
        ((np.arange(2),), (np.arange(2),), "must be floating"),
    ],
)
def test_jvp_refuses(primals: Any, tangents: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"jvp: .*{message}"):
        ops.jvp(ops.sin, primals, tangents)


@pytest.mark.parametrize(
    ("pattern", "sizes", "message"),
    [
        ("a b", {}, "two sides of one `->`"),
        ("a b -> a -> b", {}, "two sides of one `->`"),
        ("a ... -> a", {}, "two sides of one `->`"),
        ("a b c -> a b c", {}, r"names 3 axes, the tensor has the shape \(4, 6\)"),
        ("a b -> a c", {}, "each name must stand once"),
        ("a a -> a a", {}, "each name must stand once"),
        ("a (b c) -> a b c", {}, "an axis of size 6 is not"),
        ("a (b c) -> a b c", {"b": 4}, "an axis of size 6 is not"),
        ("a b -> b a", {"b": 5}, "an axis of size 6 is not"),
        ("a b -> b a", {"q": 5}, "does not have the names q"),
        (3, {}, "two sides of one `->`"),
    ],
)
def test_rearrange_refuses(pattern: Any, sizes: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=f"rearrange: argument `pattern`: .*{message}"):
        ops.rearrange(floats(4, 6), pattern, **sizes)


def test_rearrange_on_symbols_and_backwards() -> None:
    assert ops.rearrange(KerasTensor((None, 6)), "b (h w) -> b w h", h=2).shape == (None, 3, 2)
    x = ops.array(floats(4, 6))
    gradient = nkeras.grad(lambda y: ops.sum(ops.rearrange(y, "a (b c) -> c a b", b=2) ** 2))(x)
    np.testing.assert_allclose(gradient, 2 * np.asarray(x), 1e-6)


def test_view_refuses() -> None:
    with pytest.raises(ValueError, match=r"view: the last axis .*\(3,\) and dtype float32"):
        ops.view(floats(3), "float64")
    with pytest.raises(ValueError, match="view: bits of uint8 are no bool"):
        ops.view(np.ones(3, "uint8"), "bool")
    assert ops.view(ops.array(floats(3, 4)).T, "uint8").shape == (4, 12)
    assert ops.view(np.ones(2, "bool"), "uint8").numpy().tolist() == [1, 1]
