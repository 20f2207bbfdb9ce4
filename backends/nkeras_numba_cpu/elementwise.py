"""Elementwise kernels: one loop template per number of arguments, bound to a scalar function.

Numba's disk cache recompiles a loop that captures its function, so the template's global `fn` is
bound instead, under a qualified name that carries the scalar's digest.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, lru_cache
from itertools import groupby
from types import FunctionType
from typing import Any

import numba
import numpy as np
from numba import prange

from nkeras.backend.scalar import Scalar
from nkeras_numba_cpu.compile import OPTIONS, Driver
from nkeras_numba_cpu.memory import compute_dtype, empty, is_floating, operand, stored

BLOCK = 8192  # columns that one task works on


@numba.njit(**OPTIONS)
def _where(condition: Any, x1: Any, x2: Any) -> Any:
    return x1 if condition else x2


TABLE: dict[str, Any] = {
    "where": _where,
    "absolute": abs,
    "exp": math.exp,
    "expm1": math.expm1,
    "log": math.log,
    "log1p": math.log1p,
    "log2": math.log2,
    "log10": math.log10,
    "sqrt": math.sqrt,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "arcsin": math.asin,
    "arccos": math.acos,
    "arctan": math.atan,
    "arctan2": math.atan2,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "arcsinh": math.asinh,
    "arccosh": math.acosh,
    "arctanh": math.atanh,
    "erf": math.erf,
    "floor": np.floor,
    "ceil": np.ceil,
    "trunc": np.trunc,
    "rint": np.rint,
    "isnan": np.isnan,
    "isinf": np.isinf,
    "isfinite": np.isfinite,
    "signbit": np.signbit,
}


def fn(*arguments: Any) -> Any:
    """Stands for the scalar function that a template is bound to."""
    raise TypeError("A loop template must be bound to a scalar function.")


def map1(x0, r0, c0, out, rows, columns):
    blocks = (columns + BLOCK - 1) // BLOCK
    for task in prange(rows * blocks):
        row = task // blocks
        start = (task - row * blocks) * BLOCK
        for j in range(start, min(start + BLOCK, columns)):
            out[row * columns + j] = fn(x0[row * r0 + j * c0])


def map2(x0, r0, c0, x1, r1, c1, out, rows, columns):
    blocks = (columns + BLOCK - 1) // BLOCK
    for task in prange(rows * blocks):
        row = task // blocks
        start = (task - row * blocks) * BLOCK
        for j in range(start, min(start + BLOCK, columns)):
            out[row * columns + j] = fn(x0[row * r0 + j * c0], x1[row * r1 + j * c1])


def map3(x0, r0, c0, x1, r1, c1, x2, r2, c2, out, rows, columns):
    blocks = (columns + BLOCK - 1) // BLOCK
    for task in prange(rows * blocks):
        row = task // blocks
        start = (task - row * blocks) * BLOCK
        for j in range(start, min(start + BLOCK, columns)):
            out[row * columns + j] = fn(
                x0[row * r0 + j * c0], x1[row * r1 + j * c1], x2[row * r2 + j * c2]
            )


def map4(x0, r0, c0, x1, r1, c1, x2, r2, c2, x3, r3, c3, out, rows, columns):
    blocks = (columns + BLOCK - 1) // BLOCK
    for task in prange(rows * blocks):
        row = task // blocks
        start = (task - row * blocks) * BLOCK
        for j in range(start, min(start + BLOCK, columns)):
            out[row * columns + j] = fn(
                x0[row * r0 + j * c0],
                x1[row * r1 + j * c1],
                x2[row * r2 + j * c2],
                x3[row * r3 + j * c3],
            )


def map5(x0, r0, c0, x1, r1, c1, x2, r2, c2, x3, r3, c3, x4, r4, c4, out, rows, columns):
    blocks = (columns + BLOCK - 1) // BLOCK
    for task in prange(rows * blocks):
        row = task // blocks
        start = (task - row * blocks) * BLOCK
        for j in range(start, min(start + BLOCK, columns)):
            out[row * columns + j] = fn(
                x0[row * r0 + j * c0],
                x1[row * r1 + j * c1],
                x2[row * r2 + j * c2],
                x3[row * r3 + j * c3],
                x4[row * r4 + j * c4],
            )


_TEMPLATES: tuple[FunctionType, ...] = (map1, map2, map3, map4, map5)


@cache
def elementwise(scalar: Scalar) -> Callable[..., np.ndarray]:
    """A kernel that maps `scalar` over broadcast arrays of one dtype."""
    count = len(scalar.parameters)
    if count > len(_TEMPLATES):
        raise ValueError(
            f"{scalar.name} has {count} parameters; numba_cpu maps at most {len(_TEMPLATES)}."
        )
    first = next((i for i, p in enumerate(scalar.parameters) if p not in scalar.conditions), 0)
    is_bool = scalar.result == "bool"
    drivers: dict[np.dtype, Driver] = {}

    def kernel(*arrays: np.ndarray) -> np.ndarray:
        dtype = arrays[first].dtype
        compute = compute_dtype(dtype)
        shape, rows, columns, strides = _layout(tuple(array.shape for array in arrays))
        out = empty(shape, np.bool_ if is_bool else compute)
        if out.size == 0:
            return stored(out, np.dtype(np.bool_) if is_bool else dtype)
        if strides is None:  # a pattern of broadcasting that two strides do not describe
            arrays = tuple(np.broadcast_to(array, shape) for array in arrays)
            strides = ((0, 1),) * count
        arguments: list[Any] = []
        for array, (row, column) in zip(arrays, strides, strict=True):
            arguments += (operand(array).reshape(-1), row, column)
        driver = drivers.get(compute)
        if driver is None:
            driver = drivers[compute] = _driver(scalar, compute)
        driver(out.size, *arguments, out.reshape(-1), rows, columns)
        return out if is_bool else stored(out, dtype)

    return kernel


def _driver(scalar: Scalar, dtype: np.dtype) -> Driver:
    """The loop template with `fn` bound to the scalar for one dtype."""
    name = dtype.name if is_floating(dtype) else None
    template = _TEMPLATES[len(scalar.parameters) - 1]
    function = scalar.bind_with(TABLE, name, lambda bound: numba.njit(**OPTIONS)(bound))
    loop = FunctionType(template.__code__, {**globals(), "fn": function}, template.__name__)
    loop.__qualname__ = f"{template.__name__}_{scalar.name}_{scalar.digest(name)}"
    loop.__module__ = __name__
    return Driver(loop)


_Layout = tuple[tuple[int, ...], int, int, tuple[tuple[int, int], ...] | None]


@lru_cache(maxsize=4096)
def _layout(shapes: tuple[tuple[int, ...], ...]) -> _Layout:
    """Result shape, rows, columns, and for each array its element steps by row and by column."""
    shape = np.broadcast_shapes(*shapes)
    size = math.prod(shape)
    if all(one == shape for one in shapes):
        return shape, 1, size, ((0, 1),) * len(shapes)
    rank = len(shape)
    aligned = [(1,) * (rank - len(one)) + one for one in shapes]
    patterns = [
        (tuple(one[axis] != 1 for one in aligned), shape[axis])
        for axis in range(rank)
        if shape[axis] != 1
    ]
    groups = [
        (pattern, math.prod(length for _, length in members))
        for pattern, members in groupby(patterns, key=lambda item: item[0])
    ]
    if len(groups) > 2:
        return shape, 1, size, None
    groups = [((True,) * len(shapes), 1)] * (2 - len(groups)) + groups
    (by_row, rows), (by_column, columns) = groups
    strides = tuple(
        (
            (columns if in_column else 1) if in_row and rows > 1 else 0,
            int(in_column and columns > 1),
        )
        for in_row, in_column in zip(by_row, by_column, strict=True)
    )
    return shape, rows, columns, strides
