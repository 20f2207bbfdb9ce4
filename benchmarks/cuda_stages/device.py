"""The GPU, or the simulator in a dry run: arrays, and times."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import nkeras
from nkeras.backend import registry
from nkeras.core.errors import short
from nkeras_numba_cuda import memory

DRY = os.environ.get("NUMBA_ENABLE_CUDASIM", "0") == "1"
"""A dry run: the simulator, tiny shapes, times that say nothing."""

BLOCK = (1 << 22) + 3
"""Numbers that are made on the host: odd, so that no rows of a matrix are the same."""
ROUNDS = 3
_SLOW = 0.3  # seconds, beyond which a call is timed once


def backend() -> Any:
    """The CUDA backend, made the active one."""
    nkeras.set_backend("cuda")
    return registry.active()


def xp() -> Any:
    """The module of device arrays: CuPy, or what stands in for it."""
    return memory.array_module()


def pick(full: Any, tiny: Any) -> Any:
    """A size for the GPU, or one for the simulator."""
    return tiny if DRY else full


def normal(*shape: int, dtype: str = "float32", seed: int = 0) -> Any:
    """Normal numbers on the device; many are some millions again and again."""
    size = int(np.prod(shape))
    block = np.random.default_rng(seed).standard_normal(min(size, BLOCK), "float32")
    values = backend().asarray(block, dtype)
    if size > BLOCK:
        found = backend().empty((size,), dtype)
        for start in range(0, size, BLOCK):
            part = found[start : start + BLOCK]
            part[...] = values[: part.size]
        values = found
    return values.reshape(shape)


def wait() -> None:
    """Until the device has done what was launched."""
    backend().synchronize()


def times(functions: Mapping[str, Callable[[], object]], seconds: float = 0.05) -> dict[str, float]:
    """The median time of a call of each function on the device; they take turns.

    Args:
        functions: by name; called once beforehand.
        seconds: about how long a turn is.
    """
    calls = {}
    for name, function in functions.items():
        function()
        wait()
        elapsed = _elapsed(function, 1)
        calls[name] = max(1, min(200, int(seconds / max(elapsed, 1e-6))))
    found: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(1 if DRY else ROUNDS):
        for name, function in functions.items():
            if found[name] and found[name][-1] > _SLOW:
                continue
            found[name].append(_elapsed(function, calls[name]))
    return {name: statistics.median(values) for name, values in found.items()}


def _elapsed(function: Callable[[], object], calls: int) -> float:
    """Seconds of a call, by the device's own clock."""
    if DRY:
        started = time.perf_counter()
        function()
        return time.perf_counter() - started
    events = xp().cuda
    first, last = events.Event(), events.Event()
    first.record()
    for _ in range(calls):
        function()
    last.record()
    last.synchronize()
    return events.get_elapsed_time(first, last) * 1e-3 / calls


def torch_on_gpu() -> Any:
    """The module torch where it sees the GPU, else None."""
    if DRY:
        return None
    try:
        import torch
    except ImportError:
        return None
    return torch if torch.cuda.is_available() else None


def in_torch(array: Any) -> Any:
    """A CuPy array as a torch tensor of the same memory."""
    torch = torch_on_gpu()
    if array.dtype.name == "bfloat16":  # the exchange protocol of CuPy has no such dtype
        return torch.from_dlpack(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_dlpack(array)


def largest_error(got: Any, want: np.ndarray) -> float:
    """The largest difference, as a share of the largest number that is right."""
    found = backend().to_numpy(got).astype("float64")
    if found.shape != want.shape:
        raise ValueError(f"The shape is {short(found.shape)}, not {short(want.shape)}.")
    scale = max(float(np.abs(want).max(initial=0.0)), 1e-30)
    difference = np.abs(found - want).max(initial=0.0)
    return float(difference) / scale
