"""The vectorised functions against wider NumPy: in units in the last place, and at the ends."""

import functools
import math

import numba
import numpy as np
import pytest

import nkeras.backend.scalars  # noqa: F401 - registers them
from nkeras.backend.scalar import SCALARS
from nkeras_numba_cpu.compile import native
from nkeras_numba_cpu.kernels.elementwise import elementwise

# The largest error, in units in the last place of the result.
ULPS = {
    "exp": 1.1,
    "expm1": 1.9,
    "log": 1.3,
    "log1p": 1.6,
    "log2": 2.0,
    "log10": 2.1,
    "tanh": 2.5,
    "sinh": 2.5,
    "cosh": 1.6,
    "sigmoid": 2.4,
}
WIDER = {"float32": np.float64, "float64": np.longdouble}
EVERY = [(name, dtype) for name in ULPS for dtype in WIDER] + [("erf", "float32")]

longer_double = np.finfo(np.longdouble).nmant > np.finfo(np.float64).nmant


def wide(name, x):
    if name == "erf":
        return np.array([math.erf(value) for value in x])
    if name == "sigmoid":
        return 1 / (1 + np.exp(-x))
    return getattr(np, name)(x)


def arguments(dtype):
    """Every magnitude and sign, the ranges where results change quickly, and special values."""
    number = np.dtype(dtype).type
    info = np.finfo(dtype)
    integer = f"int{info.bits}"
    bits = np.arange(-(2 ** (info.bits - 1)), 2 ** (info.bits - 1), 2**info.bits // 150_001)
    end = 110.0 if dtype == "float32" else 760.0
    ranges = [np.linspace(-end, end, 100_003), np.linspace(-2, 2, 100_003)]
    overflow, underflow = math.log(float(info.max)), math.log(float(info.smallest_subnormal))
    for edge in (overflow, underflow, overflow + math.log(2), -0.5, math.sqrt(0.5), 1.0, -1.0):
        ranges.append(edge + np.linspace(-1, 1, 2_001) * 2**-10)
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, info.max, info.min, info.tiny, -info.tiny]
    special += [info.smallest_subnormal, -info.smallest_subnormal, info.tiny * number(0.3)]
    with np.errstate(invalid="ignore"):
        every = [
            np.asarray(one).astype(dtype)
            for one in (bits.astype(integer).view(dtype), *ranges, special)
        ]
    return np.concatenate(every)


@pytest.mark.parametrize(("name", "dtype"), EVERY, ids=lambda leaf: leaf)
def test_error_and_ends(name, dtype):
    if dtype == "float64" and not longer_double:
        pytest.skip("nothing wider than float64 to compare with")
    x = arguments(dtype)
    got = elementwise(SCALARS[name])(x)
    with np.errstate(all="ignore"):
        want = wide(name, x.astype(WIDER[dtype]))
        rounded = want.astype(dtype)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(rounded))
    # The last place before the largest number may be rounded to infinity, or not.
    near = np.abs(want) > np.finfo(dtype).max * (1 - 4 * np.finfo(dtype).eps)
    infinite = np.isinf(rounded)
    np.testing.assert_array_equal(np.isinf(got)[~near], infinite[~near])
    np.testing.assert_array_equal(np.signbit(got[infinite]), np.signbit(rounded[infinite]))
    zero = (rounded == 0) & (got == 0)
    np.testing.assert_array_equal(np.signbit(got[zero]), np.signbit(rounded[zero]))
    finite = np.isfinite(got) & np.isfinite(rounded)
    unit = np.spacing(np.maximum(np.abs(rounded[finite]), np.finfo(dtype).tiny))
    errors = np.abs(got[finite] - want[finite]) / unit
    worst = np.argmax(errors)
    assert errors[worst] <= ULPS.get(name, 1.5), (x[finite][worst], got[finite][worst])


def test_exact_values():
    powers = np.float32(2.0) ** np.arange(-149, 128, dtype=np.float32)
    np.testing.assert_array_equal(elementwise(SCALARS["log2"])(powers), np.arange(-149, 128))
    one = np.ones(1, np.float32)
    for name in ("log", "log2", "log10"):
        assert elementwise(SCALARS[name])(one) == 0
    assert elementwise(SCALARS["exp"])(one * 0) == 1


@pytest.mark.parametrize("name", ["exp", "log1p", "tanh", "gelu", "softplus"])
def test_loops_are_vectorised(name):
    """One call among vector instructions would make the loop scalar."""
    x = np.ones(64, np.float32)
    kernel = elementwise(SCALARS[name])
    kernel(x)
    (loop,) = (
        cell.cell_contents[np.dtype(np.float32), ()]
        for cell in kernel.__closure__
        if isinstance(cell.cell_contents, dict)
    )
    types = numba.typeof((0, np.zeros(1, np.int64), x, x))
    code = native.optimized(f"test_{name}", functools.partial(loop._emit, types)).get_llvm_str()
    assert " x float>" in code
