"""Stage 4: matrix products, ragged ones first, against cuBLAS at the same precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

import nkeras
from benchmarks.cuda_stages.device import (
    backend,
    in_torch,
    largest_error,
    normal,
    pick,
    times,
    torch_on_gpu,
    xp,
)
from benchmarks.cuda_stages.rows import Row, bar, failed

RAGGED = ((1000, 777, 333), (4095, 4097, 4093), (129, 65, 1027))
SQUARE = ((1024,) * 3, (2048,) * 3, (4096,) * 3, (8192,) * 3)
SKINNY = ((64, 4096, 4096), (4096, 16, 4096), (64, 64, 262144))  # rows, columns, inner
FEW = (RAGGED[1], *SQUARE[2:], SKINNY[0])

PRECISIONS = {
    "float32": ("float32", (*RAGGED, *SQUARE, *SKINNY), 1.0, 1e-5),
    "tensorfloat32": ("float32", FEW, 0.55, 2e-3),
    "bfloat16": ("bfloat16", FEW, 0.55, 2e-2),
}
"""By name: dtype of the operands, shapes, the bar against cuBLAS, and the largest error."""


def rows(part: int, parts: int) -> Iterator[Row]:
    """A row for each precision and shape."""
    backend()
    for precision, (dtype, shapes, least, most) in PRECISIONS.items():
        with _precision(precision):
            for shape in shapes:
                name = f"{precision} {'x'.join(map(str, shape))}"
                try:
                    yield _row(name, precision, dtype, shape, least, most)
                except Exception as error:  # the other shapes are still worth their time
                    yield failed(name, error)


def _row(
    name: str, precision: str, dtype: str, shape: tuple[int, ...], least: float, most: float
) -> Row:
    rows, columns, inner = (pick(size, 3 + size % 5) for size in shape)
    x, y = normal(rows, inner, dtype=dtype), normal(inner, columns, dtype=dtype, seed=1)
    matmul = backend().kernels["matmul"]
    functions: dict[str, Callable[[], object]] = {"nkeras": lambda: matmul(x, y)}
    peer = _cublas(precision, x, y)
    if peer is not None:
        functions["cuBLAS"] = peer
    taken = times(functions)
    error = largest_error(matmul(x, y)[:32], _exact(x[:32], y))
    flops = 2.0 * rows * columns * inner
    numbers = {"s": taken["nkeras"], "TFLOP/s": flops / taken["nkeras"] / 1e12, "error": error}
    if peer is None:
        return Row(name, numbers, "WRONG" if error > most else "ok")
    numbers["of cuBLAS ratio"] = taken["cuBLAS"] / taken["nkeras"]
    least = pick(least, 0.0)
    verdict = "WRONG" if error > most else bar(numbers["of cuBLAS ratio"], least)
    return Row(name, numbers, verdict)


def _exact(x: Any, y: Any) -> np.ndarray:
    """The product in float64."""
    wide = [one.astype("float64") for one in (x, y)]
    return backend().to_numpy(xp().matmul(*wide))


def _cublas(precision: str, x: Any, y: Any) -> Callable[[], object] | None:
    """cuBLAS for the same arrays: through CuPy for float32, through torch for what CuPy hides."""
    if precision == "float32":
        return lambda: xp().matmul(x, y)
    torch = torch_on_gpu()
    if torch is None:
        return None
    torch.backends.cuda.matmul.allow_tf32 = precision == "tensorfloat32"
    a, b = in_torch(x), in_torch(y)
    return lambda: torch.matmul(a, b)


@contextmanager
def _precision(name: str) -> Iterator[None]:
    """The setting of nkeras, where it is not that of every day."""
    if name != "tensorfloat32":
        yield
        return
    before = nkeras.config.matmul_precision()
    nkeras.config.set_matmul_precision(name)
    try:
        yield
    finally:
        nkeras.config.set_matmul_precision(before)
