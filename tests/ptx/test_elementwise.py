"""Every scalar function of the registry, as Numba compiled it, against the numpy backend."""

from __future__ import annotations

import numpy as np
import pytest

import nkeras.backend.scalars
import nkeras_numpy
from nkeras.backend.scalar import SCALARS, Scalar
from nkeras_numba_cuda.kernels.elementwise import kernel_for
from tests.ptx import empty, launch

assert nkeras.backend.scalars.__all__
NUMPY = nkeras_numpy.backend()
FLOATING = [name for name in SCALARS if "bitwise" not in name]
INTEGERS = (
    "add subtract multiply floor_divide mod maximum minimum clip sign square relu equal less where "
    "bitwise_and bitwise_or bitwise_xor bitwise_not bitwise_left_shift bitwise_right_shift floor"
).split()
SIZE = 70
TOLERANCE = {"float32": 5e-6, "float64": 1e-13}


def arguments(scalar: Scalar, dtype: str) -> list[np.ndarray]:
    """Numbers inside the domain of every scalar function but arccosh, half of them negative."""
    generator = np.random.default_rng(1)
    values = []
    for name in scalar.parameters:
        if name in scalar.conditions or dtype == "bool":
            values.append(generator.integers(0, 2, SIZE).astype(bool))
        elif np.dtype(dtype).kind in "iu":
            values.append(generator.integers(1, 7, SIZE).astype(dtype))
        else:
            sign = np.where(np.arange(SIZE) % 2, 1, -1)
            size = generator.uniform(0.1, 0.9, SIZE)
            values.append((size + 1.5 if "arccosh" in scalar.name else size * sign).astype(dtype))
    return values


def check(scalar: Scalar, dtype: str, seed: int = 0) -> None:
    values = arguments(scalar, dtype)
    with np.errstate(all="ignore"):
        expected = NUMPY.elementwise(scalar)(*values)
    found = empty(SIZE, expected.dtype)
    kernel = kernel_for(scalar, dtype, False)
    launch(kernel, grid=2, block=64, arguments=[found, *values], seed=seed)
    tolerance = TOLERANCE.get(expected.dtype.name, 0)
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance / 10)


def check_with_gradients(name: str, dtype: str) -> None:
    scalar = SCALARS[name]
    for one in [scalar, *(scalar.gradient(by) for by in scalar.parameters)]:
        if one is not None:
            check(one, dtype)


@pytest.mark.parametrize("name", FLOATING)
def test_functions_and_gradients(name):
    check_with_gradients(name, "float32")


@pytest.mark.long
@pytest.mark.parametrize("name", FLOATING)
def test_functions_and_gradients_of_float64(name):
    check_with_gradients(name, "float64")


@pytest.mark.parametrize("name", INTEGERS)
def test_integers(name):
    check(SCALARS[name], "int32", seed=1)


@pytest.mark.long
@pytest.mark.parametrize("dtype", ["int64", "uint8"])
@pytest.mark.parametrize("name", INTEGERS)
def test_other_integers(name, dtype):
    check(SCALARS[name], dtype, seed=2)


@pytest.mark.parametrize("name", ["logical_and", "logical_or", "logical_not", "equal"])
def test_booleans(name):
    check(SCALARS[name], "bool")


def test_broadcasting():
    """Of two shapes, walked by strides."""
    from tests.ptx.backend import interpreted

    x, y = np.arange(6, dtype="float32").reshape(2, 1, 3), np.arange(4, dtype="float32")[:, None]
    with interpreted() as session:
        moved = [session.backend.asarray(a, "float32") for a in (x, y)]
        found = session.backend.elementwise(SCALARS["subtract"])(*moved)
        np.testing.assert_array_equal(session.backend.to_numpy(found), x - y)
