"""Quotients rounded down and remainders, against NumPy's: bit by bit."""

from __future__ import annotations

import numpy as np
import pytest

from nkeras.backend.scalar import SCALARS
from nkeras_numba_cpu.kernels import KERNELS
from nkeras_numba_cpu.kernels.elementwise import elementwise

NAMES = ["mod", "fmod", "floor_divide"]
SPECIAL = np.float32([0, -0.0, 1, -1, 0.5, np.inf, -np.inf, np.nan, 1e-45, 3e38, -7, 3, 2.5])


def assert_same(got: np.ndarray, want: np.ndarray, zeros: bool = True) -> None:
    np.testing.assert_array_equal(got, want)
    numbers = (want == want) & (zeros | (want != 0))
    np.testing.assert_array_equal(np.signbit(got[numbers]), np.signbit(want[numbers]))


@pytest.mark.parametrize("name", NAMES)
def test_floats(name: str) -> None:
    generator = np.random.default_rng(1)
    x = generator.normal(size=20_000) * 10 ** generator.uniform(-3, 3, 20_000)
    y = generator.normal(size=20_000) * 10 ** generator.uniform(-2, 2, 20_000)
    bits = generator.integers(0, 2**32, (2, 20_000), dtype=np.uint32).view("float32")
    pairs = [
        (x, y),
        (np.round(x * 4) / 4, np.round(y) + 0.5),  # many remainders are 0
        tuple(grid.ravel() for grid in np.meshgrid(SPECIAL, SPECIAL)),
        (bits[0], bits[1]),  # quotients that are too large for the fast way
    ]
    for pair in pairs:
        a, b = (np.asarray(part, np.float32) for part in pair)
        with np.errstate(all="ignore"):
            want = getattr(np, name)(a, b)
        # The remainder 0 of fmod has no sign.
        assert_same(elementwise(SCALARS[name])(a, b), want, zeros=name != "fmod")


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"])
@pytest.mark.parametrize("name", NAMES)
def test_integers(name: str, dtype: str) -> None:
    info, generator = np.iinfo(dtype), np.random.default_rng(2)
    wide = generator.integers(info.min, info.max, (2, 5000), dtype=dtype, endpoint=True)
    small = generator.integers(max(info.min, -9), 9, 5000, dtype=dtype)
    wide[0, :18] = info.min
    small[:18] = np.arange(18) - 9 * (info.min < 0)
    for y in (wide[1], small):
        with np.errstate(all="ignore"):
            want = getattr(np, name)(wide[0], y)
        got = elementwise(SCALARS[name])(wide[0], y)
        np.testing.assert_array_equal(got[y != 0], want[y != 0])


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_next_floats(dtype: str) -> None:
    x, y = (grid.ravel().astype(dtype) for grid in np.meshgrid(SPECIAL, SPECIAL))
    with np.errstate(all="ignore"):
        got, want = KERNELS["nextafter"](x, y), np.nextafter(x, y)
    assert_same(got.astype("float64"), want.astype("float64"))
