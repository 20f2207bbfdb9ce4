"""Every kernel of the backend, as Numba compiled it, against the numpy kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras.ops.accumulating
import nkeras.ops.hits
from nkeras.backend import registry
from nkeras.core.primitive import PRIMITIVES
from nkeras_numba_cuda import launch as launching
from nkeras_numpy.kernels import KERNELS as REFERENCE
from tests.ptx.backend import interpreted
from tests.ptx.case import Case
from tests.ptx.cases import collected
from tests.ptx.tiled import ELSEWHERE

CASES = collected()
assert nkeras.ops.hits, nkeras.ops.accumulating
TOLERANCE = {"float32": 2e-6, "float64": 1e-13, "float16": 1e-3, "bfloat16": 8e-3}


def results(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def reference(name: str) -> Any:
    """The numpy kernel; what is made of simpler operations there is computed so."""

    def composed(*arrays: Any, **static: Any) -> Any:
        with registry.use_backend("numpy"):
            found = PRIMITIVES[name](*arrays, **static)
            several = isinstance(found, tuple)
            return tuple(one.numpy() for one in found) if several else found.numpy()

    return REFERENCE.get(name, composed)


def kernel_of(backend: Any, name: str) -> Any:
    """The kernel; where there is one for many calls only, that with one call."""

    def together(*arrays: Any, **static: Any) -> Any:
        return backend.together[name]([arrays], **static)[0]

    return backend.kernels.get(name, together)


def check(case: Case, dtype: str, seed: int) -> None:
    arrays = case.inputs(dtype)
    expected = results(reference(case.primitive)(*arrays, **case.static))
    with interpreted(seed=seed) as session:
        moved = [None if a is None else session.backend.asarray(a, a.dtype.name) for a in arrays]
        found = results(kernel_of(session.backend, case.primitive)(*moved, **case.static))
        found = [None if one is None else session.backend.to_numpy(one) for one in found]
    for one, other in zip(found, expected, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            tolerance = case.tolerance or TOLERANCE.get(one.dtype.name, 0)
            wide = [a.astype("float64") if tolerance else a for a in (one, other)]
            np.testing.assert_allclose(*wide, rtol=tolerance, atol=10 * tolerance)
    missing = case.launched(dtype) - set(session.launched)
    assert not missing, f"{missing} were not launched, but {dict(session.launched)}"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_kernels(case):
    check(case, case.dtypes[0], seed=0)


@pytest.mark.long
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("case", "dtype"), [(c, d) for c in CASES for d in c.dtypes], ids=lambda x: str(x)
)
def test_kernels_of_all_dtypes_in_another_order(case, dtype, seed):
    check(case, dtype, seed)


def test_every_kernel_has_a_case():
    """A kernel is in a case's list only if the case launches it: `check` looks."""
    covered = {name for case in CASES for dtype in case.dtypes for name in case.launched(dtype)}
    covered |= ELSEWHERE
    assert set(launching.KERNELS) - covered == set()
    assert covered - set(launching.KERNELS) == set()
