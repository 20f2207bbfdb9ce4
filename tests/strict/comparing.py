"""The same computation on numpy and on numba_cuda."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import nkeras
from nkeras.core import tree

BACKENDS = ("numpy", "numba_cuda")


def compare(compute: Callable[[], Any], rounding: float = 1e-4, names: Any = BACKENDS) -> None:
    """Run it on both backends, with the same seeds; what it returns must be equal but for rounding.

    Args:
        compute: returns a structure of tensors, arrays, numbers and Nones.
        rounding: largest error, relative to numbers above 1.
        names: the backends.
    """
    wanted, found = (_results(compute, name) for name in names)
    assert len(found) == len(wanted)
    largest = max([1.0, *(np.abs(one).max(initial=0.0) for one in wanted if _is_finite(one))])
    for mine, reference in zip(found, wanted, strict=True):
        assert (mine is None) == (reference is None)
        if mine is not None:
            assert mine.shape == reference.shape
            np.testing.assert_allclose(mine, reference, rtol=rounding, atol=rounding * largest)


def _results(compute: Callable[[], Any], name: str) -> list[Any]:
    nkeras.utils.set_random_seed(5)
    with nkeras.use_backend(name):
        return [_array(one) for one in tree.flatten(compute())]


def _array(value: Any) -> np.ndarray | None:
    if value is None:
        return None
    array = np.asarray(value)
    return array if array.dtype.kind == "c" else array.astype("float64")


def _is_finite(array: np.ndarray | None) -> bool:
    return array is not None and bool(np.isfinite(array).all())
