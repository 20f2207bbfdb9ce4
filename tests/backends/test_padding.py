"""Columns that fill up panels are 0: old bits there may be denormal floats, which are slow."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from nkeras_numba_cpu.kernels import KERNELS
from nkeras_numba_cpu.products import gemm, local

RANDOM = np.random.default_rng(1)


@pytest.fixture(autouse=True)
def _old_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """New arrays are full of denormal floats."""

    def empty(shape: object, dtype: object) -> np.ndarray:
        tiny = np.finfo(dtype).smallest_subnormal  # type: ignore[arg-type]
        return np.full(shape, 1000 * tiny, dtype)  # type: ignore[call-overload]

    for module in (gemm, local):
        monkeypatch.setattr(module, "empty", empty)


def panels_of(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """The second operands of the products that are run."""
    seen: list[np.ndarray] = []
    run = module.run

    def watched(phases: object, first: np.ndarray, panels: np.ndarray, *others: object) -> None:
        seen.append(panels.copy())
        run(phases, first, panels, *others)

    monkeypatch.setattr(module, "run", watched)
    return seen


def has_denormals(array: np.ndarray) -> bool:
    return bool(((array != 0) & (np.abs(array) < np.finfo(array.dtype).tiny)).any())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("columns", [2, 5, 17, 33, 70, 300])
def test_product(
    columns: int, transposed: bool, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = panels_of(gemm, monkeypatch)
    a = RANDOM.normal(size=(40, 64)).astype(dtype)
    b = RANDOM.normal(size=(columns, 64) if transposed else (64, columns)).astype(dtype)
    found = gemm.product(a, b, (40, columns, 64), transposed_b=transposed)
    assert seen
    assert not any(map(has_denormals, seen))
    expected = a @ (b.T if transposed else b)
    np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("filters", [1, 3, 5, 19])
def test_locally_connected(filters: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x = RANDOM.normal(size=(5, 6, 6, 3)).astype("float32")
    kernel = RANDOM.normal(size=(16, 27, filters)).astype("float32")
    where = {"window": (3, 3), "strides": (1, 1)}
    seen = panels_of(local, monkeypatch)
    y = KERNELS["locally_connected"](x, kernel, None, activation="linear", **where)
    KERNELS["locally_connected_grad_kernel"](x, y, **where)
    KERNELS["locally_connected_grad_input"](y, kernel, input_shape=x.shape, **where)
    assert len(seen) >= 3
    assert not any(map(has_denormals, seen))
