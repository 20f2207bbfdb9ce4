"""Elementwise kernels: maps of the scalar functions, and how their arguments are broadcast."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, lru_cache, partial
from typing import Any, NamedTuple

import numpy as np

from nkeras.backend.derive import Function
from nkeras.backend.scalar import Scalar
from nkeras_numba_cpu.compile.waiting import Missing
from nkeras_numba_cpu.emit import special, vector_math, wide_math
from nkeras_numba_cpu.emit.division import Noting
from nkeras_numba_cpu.emit.values import Note, Value, as_value
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.numpy_calls import by_numpy
from nkeras_numba_cpu.launch.tasks import launch
from nkeras_numba_cpu.loops.maps import (
    BLOCK,
    BLOCKS,
    DIRECT,
    EACH,
    GROUP,
    LINES,
    ONCE,
    PLANES,
    TASK,
    Argument,
    Map,
    Walk,
    Within,
    block_task,
    geometry_of,
    task_length,
)
from nkeras_numba_cpu.loops.operands import compute_dtype, is_floating, is_half, operand, stored
from nkeras_numba_cpu.loops.rounding import keeps_bits
from nkeras_numba_cpu.memory.allocation import empty
from nkeras_numpy.elementwise import elementwise as in_numpy


@cache
def elementwise(scalar: Scalar) -> Callable[..., np.ndarray]:
    """A kernel that maps `scalar` over broadcast arrays of one dtype; NumPy does complex ones."""
    first = next((i for i, p in enumerate(scalar.parameters) if p not in scalar.conditions), 0)
    keeps = cache(partial(keeps_bits, scalar))
    return _kernel(partial(_of_scalar, scalar), keeps, first, partial(in_numpy, scalar))


LARGE = 1 << 17
"""Elements from which on what is one number in a line or plane is read once, by code of its own."""


@KERNELS.register
def nextafter(x1: np.ndarray, x2: np.ndarray) -> np.ndarray:
    if is_half(x1.dtype):
        return by_numpy(np.nextafter, x1, x2)
    return _nextafter(x1, x2)


Same = tuple[bool, ...]
"""Which arguments are one number in each call of the flat loop; empty where none is."""


def _kernel(
    make: Callable[[np.dtype, Same], _Map],
    keeps: Callable[[Same], bool],
    first: int = 0,
    of_complex: Callable[[], Callable[..., np.ndarray]] | None = None,
) -> Callable[..., np.ndarray]:
    """A kernel that maps over broadcast arrays; `make` makes the map for the dtype of the first.

    `keeps` says whether it makes no difference that some arguments are read once.
    """
    maps: dict[tuple[np.dtype, Same], _Map] = {}

    def kernel(*arrays: np.ndarray) -> np.ndarray:
        dtype = arrays[first].dtype
        found = maps.get((dtype, ()))
        if found is None:
            if dtype.kind == "c" and of_complex is not None:
                return by_numpy(of_complex(), *arrays)
            found = maps[dtype, ()] = make(dtype, ())
        shapes = tuple([array.shape for array in arrays])
        steps = None
        is_ready = not found.half and all([array.flags.carray for array in arrays])
        if not (is_ready or found.half or all([array.flags.c_contiguous for array in arrays])):
            arrays = tuple([_walkable(array) for array in arrays])
            steps = tuple([_steps(array) for array in arrays])
        shape, count, work, geometry, expand, same = _layout(shapes, steps)
        if same and not keeps(same):
            shape, count, work, geometry, expand, same = _layout(shapes, steps, reads_once=False)
        if same:
            found = maps.get((dtype, same)) or maps.setdefault((dtype, same), make(dtype, same))
        out = empty(shape, found.result)
        if count:
            if expand:  # a pattern of broadcasting that three strides do not describe
                arrays = tuple([np.broadcast_to(array, shape) for array in arrays])
            if found.half:
                arrays = tuple([operand(array) for array in arrays])
            if expand or not (is_ready or steps):
                arrays = tuple([x if x.flags.carray else operand(x) for x in arrays])
            given = (block_task(), geometry, *arrays, out)
            launch(found.run or found.prepared(given), count, work * found.cost, given)
        return stored(out, dtype) if found.half and found.result != np.bool_ else out

    return kernel


class _Map(Map):
    """The loop over one function for one dtype.

    Args:
        outputs: as `function` of `Map`.
        name: unique, for the disk cache.
        dtype: of the arrays; half types are computed in float32.
        result: of the result.
        cost: of an element, in simple operations, roughly, for the choice of one thread or all.
        options: as in `Map`.
    """

    def __init__(
        self,
        outputs: Callable[..., tuple[Value, ...]],
        name: str,
        dtype: np.dtype,
        result: np.dtype,
        cost: int,
        **options: Any,
    ) -> None:
        super().__init__(outputs, name, **options)
        self.result = result
        self.half = compute_dtype(dtype) != dtype
        self.cost = cost
        self.run: Callable[..., None] | None = None

    def prepared(self, arguments: tuple[Any, ...]) -> Callable[..., None]:
        """The compiled loop: one for arrays of all ranks, since it only takes their addresses."""
        flat = [np.empty(0, argument.dtype) for argument in arguments[1:]]
        run = self.compiled((arguments[0], *flat))
        if not isinstance(run, Missing):
            self.run = run
        return run


def _of_scalar(scalar: Scalar, dtype: np.dtype, same: Same = ()) -> _Map:
    computed = compute_dtype(dtype)
    name = computed.name if is_floating(computed) else None
    own = special.FUNCTIONS.get((scalar.name, name or ""))
    has_limits = name == "float32" and (_is_periodic(scalar) or _divides(scalar))
    return _Map(
        _outputs(own or scalar.bind(wide_math.functions(name), name)),
        f"{scalar.name}_{scalar.digest(computed.name)}{_suffix(same)}",
        dtype,
        np.dtype(np.bool_) if scalar.result == "bool" else computed,
        1 + 8 * _costly(scalar),
        same=same,
        within=_within(scalar, "float32") if has_limits else None,
        origin=(_of_scalar, (scalar, dtype, same)),
    )


def _next(dtype: np.dtype, same: Same) -> _Map:
    outputs, name = _outputs(special.nextafter), f"nextafter_{dtype.name}{_suffix(same)}"
    return _Map(outputs, name, dtype, dtype, 2, same=same, origin=(_next, (dtype, same)))


def _suffix(same: Same) -> str:
    """What tells maps of one function apart."""
    return "".join(["_", *("vs"[is_same] for is_same in same)]) if same else ""


_nextafter = _kernel(_next, lambda same: True)


def _outputs(function: Callable[..., Any]) -> Callable[..., tuple[Value, ...]]:
    return lambda *x: (as_value(function(*x), x[0]),)


def _within(scalar: Scalar, name: str) -> Within:
    """The scalar with sin, cos and tan for arguments, and division for quotients, of usual size."""

    def outputs(note: Note) -> Callable[..., tuple[Value, ...]]:
        bound = _outputs(scalar.bind(wide_math.functions_within(name, note), name))
        return lambda *x: bound(*[Noting.of(value, note) for value in x])

    return outputs


def _divides(scalar: Scalar) -> bool:
    """Whether the scalar rounds quotients down or takes remainders."""
    return "//" in scalar.formula or "%" in scalar.formula


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
    same: Same


Steps = tuple[tuple[int, ...], ...]
"""For each argument the distance of neighbours along its axes, in elements."""


@lru_cache(maxsize=4096)
def _layout(
    shapes: tuple[tuple[int, ...], ...], steps: Steps | None = None, reads_once: bool = True
) -> _Layout:
    shape = np.broadcast_shapes(*shapes)
    size = math.prod(shape)
    lengths, strides = _strides(shape, shapes, steps)
    expand = len(lengths) > 3
    if expand:
        lengths, strides = [size], [[1]] * len(shapes)
    lengths = [1] * (3 - len(lengths)) + lengths
    strides = [[0] * (3 - len(stride)) + stride for stride in strides]
    _, rows, columns = lengths
    contiguous = [rows * columns, columns, 1]
    ends = BLOCKS
    if columns > BLOCK // 2 or not size:
        ends = LINES
    elif rows * columns >= 4 * BLOCK:
        ends = PLANES
    kinds = [_kind(stride, contiguous, lengths, ends) for stride in strides]
    same: Same = ()
    if reads_once and size >= LARGE:
        same = tuple([_is_same(stride, lengths, ends) for stride in strides])
        kinds = [DIRECT if one else kind for one, kind in zip(same, kinds, strict=True)]
    buffers = sum(kind != DIRECT for kind in kinds)
    if ends == LINES:
        length = task_length(size)
        block = BLOCK if buffers else length
    else:
        block = BLOCK // columns * columns
        length = block * TASK
    walk = Walk(size, columns, rows, block, length, len(shapes) + 1, buffers, ends)
    arguments = [
        Argument(kind, *stride)
        for kind, stride in zip([*kinds, DIRECT], [*strides, contiguous], strict=True)
    ]
    count = -(-size // length) if size else 0
    geometry = geometry_of(walk, arguments)
    return _Layout(shape, count, size, geometry, expand, same if any(same) else ())


def _kind(strides: list[int], contiguous: list[int], lengths: list[int], ends: int) -> int:
    needed = [stride for stride, length in zip(strides, lengths, strict=True) if length > 1]
    if (ends == LINES and strides[2]) or needed == [
        stride for stride, length in zip(contiguous, lengths, strict=True) if length > 1
    ]:
        return DIRECT
    if not (strides[0] or strides[1]):
        return ONCE
    return GROUP if ends == LINES or (ends == PLANES and not strides[1]) else EACH


def _is_same(strides: list[int], lengths: list[int], ends: int) -> bool:
    """Whether an argument is one number in each call of the flat loop."""
    axes = {BLOCKS: slice(0, 3), PLANES: slice(1, 3), LINES: slice(2, 3)}[ends]
    pairs = list(zip(strides, lengths, strict=True))[axes]
    return not any([stride for stride, length in pairs if length > 1])


def _strides(
    shape: tuple[int, ...], shapes: tuple[tuple[int, ...], ...], steps: Steps | None
) -> tuple[list[int], list[list[int]]]:
    """Axes along which all arguments go on in the same way, merged: their lengths, and for each
    argument its steps in elements along them."""
    rank = len(shape)
    given = [_contiguous(own) for own in shapes] if steps is None else steps
    walks = [
        [0] * (rank - len(own)) + [0 if n == 1 else step for n, step in zip(own, by, strict=True)]
        for own, by in zip(shapes, given, strict=True)
    ]
    lengths: list[int] = []
    strides: list[list[int]] = [[] for _ in shapes]
    for axis, length in enumerate(shape):
        if length == 1:
            continue
        walked = zip(strides, walks, strict=True)
        goes_on = all([stride[-1:] == [walk[axis] * length] for stride, walk in walked])
        if goes_on:
            length *= lengths.pop()
        lengths.append(length)
        for stride, walk in zip(strides, walks, strict=True):
            stride[-1:] = [walk[axis]] if goes_on else [*stride[-1:], walk[axis]]
    return lengths, strides


def _contiguous(shape: tuple[int, ...]) -> list[int]:
    """Steps of an array without gaps."""
    steps, step = [], 1
    for size in reversed(shape):
        steps.append(step)
        step *= size
    return steps[::-1]


def _walkable(x: np.ndarray) -> np.ndarray:
    """x, or a copy where neighbours along its last axis neither lie side by side nor are one."""
    if x.flags.aligned and not x.flags.c_contiguous:
        along = zip(x.shape[::-1], x.strides[::-1], strict=True)
        inner = next((step for n, step in along if n > 1), 0)
        if inner in (0, x.itemsize) and not any([step % x.itemsize for step in x.strides]):
            return x
    return operand(x)


def _steps(x: np.ndarray) -> tuple[int, ...]:
    return tuple([step // x.itemsize for step in x.strides])
