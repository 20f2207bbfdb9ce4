"""Stage 1: does a kernel run at all, what does a launch cost from Python, do streams keep order."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.cuda_stages.device import DRY, backend, normal, pick, wait, xp
from benchmarks.cuda_stages.rows import Row
from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.launch import Kernel

MOST = 3e-6  # seconds that a launch may take from Python


def rows(part: int, parts: int) -> Iterator[Row]:
    """The first kernels, launches by number of arguments, and streams."""
    yield _first_kernel()
    for arrays, scalars in ((1, 0), (2, 0), (4, 0), (8, 0), (12, 0), (2, 4)):
        yield _launch_cost(arrays, scalars)
    yield _exchange()
    yield _streams()


def _first_kernel() -> Row:
    x, y = normal(5, 7), normal(7, 3, seed=1)
    started = time.perf_counter()
    z = backend().to_numpy(backend().kernels["matmul"](x, y))
    elapsed = time.perf_counter() - started
    right = np.allclose(z, backend().to_numpy(x) @ backend().to_numpy(y), atol=1e-5)
    return Row("first product, with compiling", {"s": elapsed}, "ok" if right else "WRONG")


def _launch_cost(arrays: int, scalars: int) -> Row:
    """The time until a launch is queued, by the median of bursts."""
    names = [f"a{n}" for n in range(arrays)]
    numbers = [f"n{n}" for n in range(scalars)]
    source = (
        f"def touch({', '.join(names + numbers)}):\n"
        "    for i in range(cuda.grid(1), 1, cuda.gridsize(1)):\n"
        f"        a0[i] = {' + '.join([f'{name}[i]' for name in names] + ['0'] + numbers)}\n"
    )
    scope: dict[str, Any] = {"cuda": cuda}
    exec(compile(source, "<touch>", "exec"), scope)
    signature = f"void({', '.join(['int64[::1]'] * arrays + ['int64'] * scalars)})"
    kernel = Kernel(scope["touch"], (signature,))
    values = [backend().asarray(np.zeros(32, "int64"), "int64") for _ in names]
    given = [*values, *range(scalars)]
    kernel.launch(1, *given)
    wait()
    launches, bursts = pick((200, 15), (3, 1))
    found = []
    for _ in range(bursts):
        started = time.perf_counter()
        for _ in range(launches):
            kernel.launch(1, *given)
        found.append((time.perf_counter() - started) / launches)
        wait()
    cost = sorted(found)[len(found) // 2]
    verdict = "" if DRY else "ok" if cost <= MOST else "below"
    return Row(f"launch, {arrays} arrays, {scalars} scalars", {"s": cost}, verdict)


def _exchange() -> Row:
    """To the device and back, in each dtype of the backend."""
    values = np.arange(6).reshape(2, 3)
    wrong = []
    for dtype in sorted(backend().dtypes):
        found = backend().to_numpy(backend().asarray(values, dtype))
        want = (values > 0) if dtype == "bool" else values
        if found.dtype.name != dtype or not (found == want).all():
            wrong.append(dtype)
    return Row(
        f"{len(backend().dtypes)} dtypes there and back",
        verdict="WRONG" if wrong else "ok",
        note=", ".join(wrong),
    )


def _streams() -> Row:
    """Kernels of ours and of CuPy's in turns on a stream of CuPy's, without waiting between."""
    name = "kernels of ours and CuPy's on a stream"
    if DRY:
        return Row(name, verdict="absent", note="the simulator has no streams")
    matmul = backend().kernels["matmul"]
    size = pick(512, 4)
    x = normal(size, size) / np.float32(size**0.5)
    wait()

    def chain() -> Any:
        y = x
        for _ in range(20):
            y = matmul(y, x)
            y = y * np.float32(1.01)  # CuPy's
        return y

    stream = xp().cuda.Stream(non_blocking=True)
    with stream:
        found = chain()
        stream.synchronize()
    want = chain()
    wait()
    same = bool((found == want).all())
    return Row(name, verdict="ok" if same else "WRONG")
