"""Elementwise kernels: maps of the scalar functions, and how their arguments are broadcast."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, lru_cache
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from nkeras.backend.derive import Function
from nkeras.backend.scalar import Scalar
from nkeras_numba_cpu.compile.waiting import Missing
from nkeras_numba_cpu.emit import vector_math, wide_math
from nkeras_numba_cpu.emit.values import Value, as_value
from nkeras_numba_cpu.launch.numpy_calls import by_numpy
from nkeras_numba_cpu.launch.tasks import launch
from nkeras_numba_cpu.loops.maps import (
    BLOCK,
    DIRECT,
    EACH,
    ONCE,
    TASK,
    Argument,
    Map,
    Walk,
    Within,
    block_task,
    geometry_of,
    task_length,
)
from nkeras_numba_cpu.loops.operands import compute_dtype, is_floating, operand, stored
from nkeras_numba_cpu.memory.allocation import empty
from nkeras_numpy.elementwise import elementwise as in_numpy


@cache
def elementwise(scalar: Scalar) -> Callable[..., np.ndarray]:
    """A kernel that maps `scalar` over broadcast arrays of one dtype; NumPy does complex ones."""
    first = next((i for i, p in enumerate(scalar.parameters) if p not in scalar.conditions), 0)
    is_bool = scalar.result == "bool"
    maps: dict[np.dtype, _Map] = {}

    def kernel(*arrays: np.ndarray) -> np.ndarray:
        dtype = arrays[first].dtype
        found = maps.get(dtype)
        if found is None:
            if dtype.kind == "c":
                return by_numpy(in_numpy(scalar), *arrays)
            found = maps[dtype] = _Map(scalar, dtype)
        shapes = tuple([array.shape for array in arrays])
        shape, count, work, geometry, expand = _layout(shapes)
        out = empty(shape, found.result)
        if count:
            if expand:  # a pattern of broadcasting that three strides do not describe
                arrays = tuple([np.broadcast_to(array, shape) for array in arrays])
            if found.half:
                arrays = tuple([operand(array) for array in arrays])
            inputs = [x if x.flags.carray else operand(x) for x in arrays]
            given = (block_task(), geometry, *inputs, out)
            launch(found.run or found.prepared(given), count, work * found.cost, given)
        return stored(out, dtype) if found.half and not is_bool else out

    return kernel


class _Map(Map):
    """The loop over one scalar function for one dtype."""

    def __init__(self, scalar: Scalar, dtype: np.dtype) -> None:
        self.dtype = compute_dtype(dtype)
        self.result = np.dtype(np.bool_) if scalar.result == "bool" else self.dtype
        self.half = self.dtype != dtype
        # In simple operations, roughly: for the choice between one thread and all.
        self.cost = 1 + 8 * _costly(scalar)
        name = self.dtype.name if is_floating(self.dtype) else None
        digest = scalar.digest(self.dtype.name)
        super().__init__(
            _outputs(scalar.bind(wide_math.functions(name), name)),
            f"{scalar.name}_{digest}",
            within=_within(scalar, name) if name == "float32" and _is_periodic(scalar) else None,
            origin=(_Map, (scalar, dtype)),
        )
        self.run: Callable[..., None] | None = None

    def prepared(self, arguments: tuple[Any, ...]) -> Callable[..., None]:
        """The compiled loop: one for arrays of all ranks, since it only takes their addresses."""
        flat = [argument.reshape(-1) for argument in arguments[1:]]
        run = self.compiled((arguments[0], *flat))
        if not isinstance(run, Missing):
            self.run = run
        return run


def _outputs(function: Callable[..., Any]) -> Callable[..., tuple[Value, ...]]:
    return lambda *x: (as_value(function(*x), x[0]),)


def _within(scalar: Scalar, name: str) -> Within:
    """The scalar with sin, cos and tan for arguments of the usual size."""
    return lambda note: _outputs(scalar.bind(wide_math.functions_within(name, note), name))


def _is_periodic(scalar: Scalar) -> bool:
    """Whether the scalar calls sin, cos or tan."""
    return any(
        _is_periodic(value)
        if isinstance(value, Scalar)
        else isinstance(value, Function) and wide_math.is_periodic(value.name)
        for value in scalar.names.values()
    )


def _costly(scalar: Scalar) -> int:
    """How many functions such as exp the scalar calls."""
    return sum(
        _costly(value)
        if isinstance(value, Scalar)
        else isinstance(value, Function) and value.name not in vector_math.CHEAP
        for name, value in scalar.names.items()
    )


class _Layout(NamedTuple):
    """The result's shape, and how the block task goes through the arguments."""

    shape: tuple[int, ...]
    tasks: int
    work: int
    geometry: np.ndarray
    expand: bool


@lru_cache(maxsize=4096)
def _layout(shapes: tuple[tuple[int, ...], ...]) -> _Layout:
    shape = np.broadcast_shapes(*shapes)
    size = math.prod(shape)
    lengths, strides = _strides(shape, shapes)
    expand = len(lengths) > 3
    if expand:
        lengths, strides = [size], [[1]] * len(shapes)
    lengths = [1] * (3 - len(lengths)) + lengths
    strides = [[0] * (3 - len(stride)) + stride for stride in strides]
    _, rows, columns = lengths
    contiguous = [rows * columns, columns, 1]
    wide = columns > BLOCK // 2 or not size
    kinds = [_kind(stride, contiguous, lengths, wide) for stride in strides]
    buffers = sum(kind != DIRECT for kind in kinds)
    if wide:
        length = task_length(size)
        block = BLOCK if buffers else length
    else:
        block = BLOCK // columns * columns
        length = block * TASK
    walk = Walk(size, columns, rows, block, length, len(shapes) + 1, buffers, wide)
    arguments = [
        Argument(kind, *stride)
        for kind, stride in zip([*kinds, DIRECT], [*strides, contiguous], strict=True)
    ]
    count = -(-size // length) if size else 0
    return _Layout(shape, count, size, geometry_of(walk, arguments), expand)


def _kind(strides: list[int], contiguous: list[int], lengths: list[int], wide: bool) -> int:
    needed = [stride for stride, length in zip(strides, lengths, strict=True) if length > 1]
    if (wide and strides[2]) or needed == [
        stride for stride, length in zip(contiguous, lengths, strict=True) if length > 1
    ]:
        return DIRECT
    return EACH if strides[0] or strides[1] else ONCE


def _strides(
    shape: tuple[int, ...], shapes: tuple[tuple[int, ...], ...]
) -> tuple[list[int], list[list[int]]]:
    """Axes along which the same arguments are broadcast, merged: their lengths, and for each
    argument its steps in elements along them."""
    rank = len(shape)
    aligned = [(1,) * (rank - len(own)) + own for own in shapes]
    patterns = [
        (tuple(own[axis] != 1 for own in aligned), shape[axis])
        for axis in range(rank)
        if shape[axis] != 1
    ]
    groups = [
        (pattern, math.prod(length for _, length in members))
        for pattern, members in groupby(patterns, key=lambda item: item[0])
    ]
    strides: list[list[int]] = []
    for i in range(len(shapes)):
        step, steps = 1, []
        for pattern, length in reversed(groups):
            steps.append(step if pattern[i] else 0)
            step *= length if pattern[i] else 1
        strides.append(steps[::-1])
    return [length for _, length in groups], strides
