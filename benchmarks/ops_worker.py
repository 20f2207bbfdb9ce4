"""The worker's side of ops.py: hands a case to the framework's own file, with the same numbers."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np


def make(framework: str, case: dict[str, Any]) -> Callable[[], Any] | None:
    """The function to time; `what` is forward, backward, or both."""
    return import_module(f"ops_{framework}").make(case, arrays(case), upstream)


def arrays(case: dict[str, Any]) -> list[np.ndarray]:
    """The inputs, the same in every framework; later ones, the weights, are small."""
    generator = np.random.default_rng(zlib.crc32(case["op"].encode()))
    result: list[np.ndarray] = []
    for wanted in case["inputs"]:
        if isinstance(wanted, dict):
            result.append(generator.integers(0, wanted["below"], wanted["shape"], np.int32))
            continue
        array = generator.standard_normal(wanted, np.float32)
        result.append(array * np.float32(0.1) if result else array)
    return result


def upstream(shape: tuple[int, ...]) -> np.ndarray:
    """The gradient that flows into a result of a shape."""
    return np.random.default_rng(1).standard_normal(shape, np.float32)
