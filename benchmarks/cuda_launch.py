"""What a launch costs Python, without a GPU: the driver's call does nothing.

    python benchmarks/cuda_launch.py

Primitives on small arrays: microseconds of the processor for a call, by the median of bursts, and
how many launches it makes. Then a launch alone, with arguments packed anew and as they were. Arrays
are NumPy's here, whose `empty` takes about as long as CuPy's. Needs numba-cuda, neither NVVM nor a
driver.
"""

from __future__ import annotations

import functools
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "backends")]

from nkeras_numba_cuda.kernels import KERNELS  # noqa: E402
from nkeras_numba_cuda.kernels.elementwise import elementwise  # noqa: E402
from nkeras_numba_cuda.kernels.registry import TOGETHER  # noqa: E402
from nkeras_numba_cuda.launch import KERNELS as LIST  # noqa: E402
from nkeras_numba_cuda.launch import Kernel  # noqa: E402
from tests.harness.bare_device import bare, bare_device  # noqa: E402

CALLS, BURSTS = 200, 15
CONV = {"strides": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}
POOL = {"pool_size": (2, 2), "strides": (2, 2), "padding": ((0, 0), (0, 0))}


def ones(*shape: int, dtype: str = "float32") -> Any:
    """An array on the stand-in."""
    return bare(np.ones(shape, dtype))


def primitives() -> dict[str, Callable[[], Any]]:
    """Calls by the names of primitives."""
    x, kernel, bias = ones(8, 16, 16, 32), ones(3, 3, 32, 32), ones(32)
    rows, weights = ones(64, 128), ones(128, 64)
    labels = ones(64, dtype="int32")
    scale = ones(128)
    add = elementwise(_scalar("add"))
    variables = [[ones(128, 64), ones(128, 64), None] for _ in range(6)]
    query = ones(2, 16, 2, 32)
    static = {"scale": 0.1, "is_causal": False, "soft_cap": None, "rate": 0.0, "seed": (0, 0)}
    of = KERNELS
    return {
        "conv_bias": lambda: of["conv_bias"](x, kernel, bias, activation="relu", **CONV),
        "conv_grad_kernel": lambda: of["conv_grad_kernel"](
            x, x, kernel_shape=(3, 3, 32, 32), **CONV
        ),
        "dense": lambda: of["dense"](rows, weights, None, activation="relu"),
        "matmul": lambda: of["matmul"](rows, weights),
        "max_pool": lambda: of["max_pool"](x, **POOL),
        "softmax": lambda: of["softmax"](rows, axis=1),
        "sparse_softmax_cross_entropy": lambda: of["sparse_softmax_cross_entropy"](rows, labels),
        "layer_norm": lambda: of["layer_norm"](rows, scale, scale, epsilon=1e-3),
        "add": lambda: add(rows, rows),
        "attention": lambda: of["attention"](query, query, query, None, None, **static),
        "sgd_update of 6": lambda: TOGETHER["sgd_update"](
            variables, learning_rate=0.1, momentum=0.0, nesterov=False
        ),
    }


def _scalar(name: str) -> Any:
    from nkeras.backend.scalar import SCALARS

    return SCALARS[name]


def microseconds(call: Callable[[], Any]) -> float:
    """The median of bursts."""
    call()
    found = []
    for _ in range(BURSTS):
        started = time.process_time()
        for _ in range(CALLS):
            call()
        found.append((time.process_time() - started) / CALLS * 1e6)
    return statistics.median(found)


def touch(arrays: int) -> tuple[Kernel, list[Any]]:
    """A kernel of so many arrays, and its arguments."""
    kernel = LIST["store_key"]
    made = Kernel(kernel.function, (f"void({', '.join(['int64[::1]'] * arrays)})",))
    return made, [ones(32, dtype="int64") for _ in range(arrays)]


def main() -> None:
    """Print the table."""
    print(f"{'primitive':32s} {'us':>7s} launches")
    counts: dict[str, int] = {}
    queued: list[Any] = []
    with bare_device(lambda signature, call: queued.append(call) or 0):
        for name, call in primitives().items():
            call()
            queued.clear()
            call()
            counts[name] = len(queued)
    with bare_device():
        for name, call in primitives().items():
            print(f"{name:32s} {microseconds(call):7.1f} {counts[name]}")
        print(f"{'launch alone':32s} {'packed':>7s} prepared")
        for arrays in (1, 4, 8, 12):
            kernel, given = touch(arrays)
            prepared = kernel.prepared((1,), 256, tuple(given))
            packed = microseconds(functools.partial(kernel.run, (1,), 256, tuple(given)))
            print(f"{f'  {arrays} arrays':32s} {packed:7.2f} {microseconds(prepared):.2f}")


if __name__ == "__main__":
    main()
