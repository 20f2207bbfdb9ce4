"""Stage 7: replayed steps (CUDA graphs) against steps that run as they come, bit by bit."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

import nkeras
from benchmarks.cuda_stages.device import backend, pick, wait
from benchmarks.cuda_stages.rows import Row


def rows(part: int, parts: int) -> Iterator[Row]:
    """One row, or the word that there is nothing yet."""
    if not hasattr(backend(), "lowering"):
        yield Row("replayed steps", verdict="absent", note="not built yet")
        return
    eager, slow = _train(run_eagerly=True)
    replayed, fast = _train(run_eagerly=False)
    same = all((one == other).all() for one, other in zip(eager, replayed, strict=True))
    numbers = {"eager s": slow, "replayed s": fast, "ratio": slow / fast}
    yield Row("step of an MLP", numbers, "ok" if same else "WRONG")


def _train(run_eagerly: bool) -> tuple[list[np.ndarray], float]:
    """Weights after some steps, and the time of one."""
    nkeras.utils.set_random_seed(1)
    layers: Any = nkeras.layers
    units = pick(256, 4)
    model = nkeras.Sequential(
        [nkeras.Input((units,)), layers.Dense(units, activation="relu"), layers.Dense(10)]
    )
    model.compile("adam", "mse", run_eagerly=run_eagerly)
    x, y = np.ones((64, units), "float32"), np.zeros((64, 10), "float32")
    for _ in range(5):
        model.train_on_batch(x, y)
    wait()
    steps = pick(50, 1)
    started = time.perf_counter()
    for _ in range(steps):
        model.train_on_batch(x, y)
    wait()
    return model.get_weights(), (time.perf_counter() - started) / steps
