"""A number as exponent: a product, root or reciprocal in place of the general power."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import ops
from nkeras.backend.registry import use_backend
from nkeras.core.tape import GradientTape

EXPONENTS = (1, 2, 2.0, 3, 4, 0.5, -0.5, -1, -2, np.float64(2.0))
VALUES = np.array([0.0, -0.0, -1.5, 2.5, np.nan, np.inf, -np.inf, 1e-20, 3e18, -7e-30], "float32")


@pytest.fixture(params=["numpy", "numba_cpu"], autouse=True)
def _backend(request: Any) -> Any:
    with use_backend(request.param):
        yield


def slope(exponent: Any, values: np.ndarray) -> np.ndarray:
    x = ops.convert_to_tensor(values)
    with GradientTape() as tape:
        tape.watch(x)
        y = x**exponent
    return tape.gradient(y, x).numpy()


@pytest.mark.parametrize("exponent", EXPONENTS)
def test_values_are_those_of_the_power(exponent: float) -> None:
    values = VALUES if float(exponent).is_integer() else np.delete(VALUES, 6)  # a root of -infinity
    with np.errstate(all="ignore"):
        want = (values.astype("float64") ** exponent).astype("float32")
    np.testing.assert_allclose(ops.power(values, exponent), want, 4e-7)


@pytest.mark.parametrize("exponent", EXPONENTS)
def test_gradients_are_those_of_the_power(exponent: float) -> None:
    with np.errstate(all="ignore"):
        inside = VALUES[:6].astype("float64")
        want = exponent * inside ** (exponent - 1)
        if exponent == 1:
            want = np.ones_like(want)
        want[1] = want[1] if exponent > 0 else slope(exponent, VALUES[1:2])[0]
    np.testing.assert_allclose(slope(exponent, VALUES[:6]), want, 1e-6)


@pytest.mark.parametrize("exponent", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["int8", "int32", "uint16", "bool", "float16", "bfloat16"])
def test_dtypes_stay(exponent: int, dtype: str) -> None:
    x = ops.cast(np.array([0, 1, 2, 3]), dtype)
    y = x**exponent
    assert y.dtype == ("int32" if dtype == "bool" else dtype)
    with np.errstate(over="ignore"):
        want = np.power(ops.cast(x, y.dtype).numpy(), np.asarray(exponent, y.numpy().dtype))
    np.testing.assert_array_equal(y.numpy(), want)


def test_integers_to_fractions() -> None:
    i = np.array([1, 4, 9], "int32")
    assert ops.power(i, 0.5).dtype == ops.power(i, 2.0).dtype == "float32"
    np.testing.assert_array_equal(ops.power(i, 0.5), [1, 2, 3])


def test_it_runs_the_square() -> None:
    x = ops.convert_to_tensor(VALUES)
    for y in (x**2, ops.power(x, 2.0), ops.power(x1=x, x2=2), pow(x, 2)):
        np.testing.assert_array_equal(y.numpy(), ops.square(x).numpy())
    np.testing.assert_array_equal(ops.power([3, 2], 2), [9, 4])


def test_symbolic_powers_run_the_square_too() -> None:
    x = nkeras.Input((3,))
    model = nkeras.Model(x, x**2 + ops.power(x, 0.5))
    np.testing.assert_array_equal(model(np.array([[0.0, 1.0, 4.0]], "float32")), [[0, 2, 18]])


def test_a_loss_of_ones_own_trains_as_the_square_does() -> None:
    def trained(loss: Any) -> np.ndarray:
        nkeras.utils.set_random_seed(0)
        model = nkeras.Sequential([nkeras.Input((4,)), nkeras.layers.Dense(3)])
        model.compile("sgd", loss)
        x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
        model.fit(x, x[:, :3], batch_size=16, epochs=2, verbose=0)
        return model.get_weights()[0]

    got = trained(lambda y, z: ops.mean((y - z) ** 2))
    np.testing.assert_array_equal(got, trained(lambda y, z: ops.mean(ops.square(y - z))))


@nkeras.elementwise
def _polynomial(x):
    return x**3 + 2.0 * x**2 - x**1.0 + x**-1.0


def test_powers_in_scalar_functions() -> None:
    x = np.array([-1.5, 0.5, 2.0], "float32")
    np.testing.assert_allclose(_polynomial(x), x**3 + 2 * x**2 - x + 1 / x, 1e-6)
    with GradientTape() as tape:
        source = ops.convert_to_tensor(x)
        tape.watch(source)
        y = _polynomial(source)
    np.testing.assert_allclose(tape.gradient(y, source), 3 * x**2 + 4 * x - 1 - x**-2.0, 1e-5)
