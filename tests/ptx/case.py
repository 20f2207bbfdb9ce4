"""A call of the backend on tiny shapes, and which kernels it launches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

FLOATS = ("float32", "float64")
COMPUTED = (*FLOATS, "int32", "int64")


@dataclass(frozen=True)
class Case:
    """A call of a primitive's kernel.

    Args:
        primitive: its name.
        kernels: what it launches; `{dtype}` in a name stands for the dtype.
        inputs: a function of a dtype that makes the arrays.
        static: the other arguments.
        dtypes: those that it is tried with; the first one by default, others in long tests.
        name: of the case.
        tolerance: relative, and ten times absolute; by default what fits the dtype.
    """

    primitive: str
    kernels: tuple[str, ...]
    inputs: Callable[[str], tuple[Any, ...]]
    static: dict[str, Any] = field(default_factory=dict)
    dtypes: tuple[str, ...] = FLOATS
    name: str = ""
    tolerance: float | None = None

    def launched(self, dtype: str) -> set[str]:
        """The names of its kernels for a dtype."""
        return {name.format(dtype=dtype) for name in self.kernels}

    def __str__(self) -> str:
        return f"{self.primitive}{'-' if self.name else ''}{self.name}"


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    """Normal numbers."""
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def arrays(*shapes: tuple[int, ...] | None) -> Callable[[str], tuple[np.ndarray | None, ...]]:
    """A function that makes arrays of these shapes; of integers, small ones."""

    def make(dtype: str) -> tuple[np.ndarray | None, ...]:
        scale = 4 if dtype.startswith("int") else 1
        return tuple(
            None if shape is None else (scale * normal(*shape, seed=k)).astype(dtype)
            for k, shape in enumerate(shapes)
        )

    return make
