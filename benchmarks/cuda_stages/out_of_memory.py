"""Stage 9: an allocation that fails is a clear error, and the model trains on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

import nkeras
from benchmarks.cuda_stages.device import DRY, backend, pick, xp
from benchmarks.cuda_stages.rows import Row
from nkeras.core.errors import OutOfMemoryError, cut_text
from tests.harness.device_arrays import Fails, empty_arrays

HUGE = 1 << 20  # the product of vectors of this length needs 4.4 TB


def rows(part: int, parts: int) -> Iterator[Row]:
    """One array too many, then a batch too large."""
    backend()
    if not DRY:
        yield _one_array()
    yield _a_batch()


def _one_array() -> Row:
    matmul = backend().kernels["matmul"]
    column, row = (np.ones(shape, "float32") for shape in ((HUGE, 1), (1, HUGE)))
    told = _refusal(lambda: matmul(*(backend().asarray(one, "float32") for one in (column, row))))
    return Row("an array of 4.4 TB", {}, "ok" if told else "WRONG", told or "no error")


def _a_batch() -> Row:
    """A step that does not fit, then small ones."""
    layers: Any = nkeras.layers
    model = nkeras.Sequential([nkeras.Input((4,)), layers.Dense(8, "relu"), layers.Dense(1)])
    model.compile(nkeras.optimizers.Adam(0.05), "mse")
    x = np.linspace(-1.0, 1.0, 64, dtype="float32").reshape(16, 4)
    y = x.sum(axis=1, keepdims=True)
    first = float(model.train_on_batch(x, y))
    count = pick(1 << 21, 16)
    with _little_memory():
        told = _refusal(
            lambda: model.train_on_batch(np.resize(x, (count, 4)), np.resize(y, (count, 1)))
        )
    last = first
    for _ in range(pick(50, 3)):
        last = float(model.train_on_batch(x, y))
    learned = last < first and all(np.isfinite(one).all() for one in model.get_weights())
    verdict = "ok" if told and learned else "WRONG"
    numbers = {"loss before": first, "loss after": last}
    return Row("a batch that does not fit", numbers, verdict, told or "no error")


@contextmanager
def _little_memory() -> Iterator[None]:
    """64 MB on a GPU; in the simulator the fifth array from now on fails."""
    if not DRY:
        pool = xp().get_default_memory_pool()
        pool.free_all_blocks()
        pool.set_limit(size=64 << 20)
        try:
            yield
        finally:
            pool.set_limit(size=0)
        return
    with empty_arrays(Fails(after=5)):
        yield


def _refusal(function: Any) -> str:
    """The message of nkeras' error, or nothing where there is none."""
    try:
        function()
        backend().synchronize()
    except OutOfMemoryError as error:
        return cut_text(str(error), 300)
    return ""
