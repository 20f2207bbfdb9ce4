"""Functions of float32 that are computed in float64: over the whole range, against NumPy's."""

from __future__ import annotations

import numpy as np
import pytest

import nkeras.ops
from nkeras.backend.scalar import SCALARS
from nkeras_numba_cpu.kernels.elementwise import elementwise

SPECIAL = np.float32(
    (0, -0.0, 1, -1, 0.5, -0.5, 2, -3, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 1e-38, 3.4e38, -1e30)
)
NAMES = ["sin", "cos", "tan", "arctan", "arcsin", "arccos", "arcsinh", "arccosh", "arctanh"]


def samples(seed: int) -> np.ndarray:
    """Special values, every exponent, and where functions have zeros and ends."""
    generator = np.random.default_rng(seed)
    bits = generator.integers(0, 2**32, 200_000, dtype=np.uint32).view("float32")
    near_one = 1 - 10.0 ** generator.uniform(-7, 0, 20_000)
    parts = [SPECIAL, bits, generator.uniform(-10, 10, 50_000), near_one, 2 - near_one]
    parts += [[np.pi / 2, 2.0**24, 2.0**24 + 2, np.tan(np.pi / 8), 1 / np.tan(np.pi / 8)]]
    return np.concatenate([np.asarray(part).astype("float32") for part in parts])


def assert_close(got: np.ndarray, exact: np.ndarray, units: float) -> None:
    with np.errstate(all="ignore"):
        want = exact.astype("float32")
        error = np.abs(got.astype("float64") - exact) / np.spacing(np.abs(want))
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    ends = np.isinf(want) | (want == 0)
    np.testing.assert_array_equal(got[ends], want[ends])
    np.testing.assert_array_equal(np.signbit(got[ends]), np.signbit(want[ends]))
    assert error[np.isfinite(want) & ~ends].max() < units


@pytest.mark.parametrize("name", NAMES)
def test_one_argument(name: str) -> None:
    x = samples(1)
    with np.errstate(all="ignore"):
        exact = getattr(np, name)(x.astype("float64"))
    assert_close(elementwise(SCALARS[name])(x), exact, 1.3)
    usual = x[np.abs(x) < 1e6]  # whole blocks in which no argument is too large for the fast way
    with np.errstate(all="ignore"):
        exact = getattr(np, name)(usual.astype("float64"))
    assert_close(elementwise(SCALARS[name])(usual), exact, 1.1)


@pytest.mark.parametrize("name", ["cbrt", "erfinv"])
def test_written_again_for_vectors(name: str) -> None:
    with np.errstate(all="ignore"):
        x = samples(5) if name == "cbrt" else np.clip(samples(5), -1.5, 1.5)
        wide = x.astype("float64")
        exact = np.cbrt(wide) if name == "cbrt" else elementwise(SCALARS[name])(wide)
    assert_close(elementwise(SCALARS[name])(x), exact, 0.7)


def test_scaled_by_power() -> None:
    x, n = (grid.ravel() for grid in np.meshgrid(SPECIAL, np.float32(range(-290, 290, 7))))
    with np.errstate(all="ignore"):
        exact = np.ldexp(x.astype("float64"), n.astype("int32"))
    assert_close(elementwise(SCALARS["scaled_by_power"])(x, n), exact, 0.51)


@pytest.mark.parametrize("name", ["power", "arctan2"])
def test_two_arguments(name: str) -> None:
    all_pairs = [grid.ravel() for grid in np.meshgrid(SPECIAL, SPECIAL)]
    generator = np.random.default_rng(2)
    moderate = generator.uniform(0, 20, 100_000), generator.uniform(-20, 20, 100_000)
    whole = -generator.integers(0, 50, 10_000), generator.integers(-9, 9, 10_000)
    x, y = (
        np.concatenate([part.astype("float32") for part in parts])
        for parts in zip(all_pairs, moderate, whole, (samples(3), samples(4)), strict=True)
    )
    with np.errstate(all="ignore"):
        exact = getattr(np, name)(x.astype("float64"), y.astype("float64"))
    assert_close(elementwise(SCALARS[name])(x, y), exact, 0.6)


def test_a_large_argument_leaves_its_neighbours_alone() -> None:
    """A block with one is computed by the library: its other numbers are right as well."""
    x = np.linspace(-3, 3, 5000, dtype="float32")
    x[1234] = 1e10
    exact = np.sin(x.astype("float64"))
    got = elementwise(SCALARS["sin"])(x)
    np.testing.assert_allclose(got, exact, 1e-6, 1e-7)
    assert got[1234] == np.float32(exact[1234])


def test_constants_as_base_and_exponent() -> None:
    @nkeras.elementwise
    def curve(x):
        return 2.0**x + x**1.7 + x**-3.0

    x = np.linspace(0.1, 9, 99, dtype="float32")
    wide = x.astype("float64")
    np.testing.assert_allclose(curve(x), 2.0**wide + wide**1.7 + wide**-3.0, 3e-7)
