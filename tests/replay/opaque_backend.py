"""A backend with plans whose arrays are opaque handles, as those of a device would be.

Its kernels are those of numpy. What touches a handle other than through the backend fails.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nkeras.backend import registry
from nkeras.backend.protocol import KernelCall, Rounds, Span, Step
from nkeras.core.dtypes import DTYPES, to_numpy

_GRAIN = 64  # bytes


class Handle:
    """An array that only its backend can read."""

    __slots__ = ("_inside", "dtype", "shape")

    def __init__(self, inside: np.ndarray) -> None:
        self._inside = inside
        self.shape = inside.shape
        self.dtype = inside.dtype

    def __array__(self, *arguments: object) -> np.ndarray:
        raise AssertionError("NumPy reads an array of a device")


def inside(value: Any) -> Any:
    """The memory behind a handle."""
    return value._inside if isinstance(value, Handle) else value


def wrapped(result: Any) -> Any:
    """Handles of new arrays."""
    if isinstance(result, tuple):
        return tuple(map(wrapped, result))
    return None if result is None else Handle(np.array(result))


def on_handles(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel of numpy on handles."""

    @functools.wraps(kernel)
    def wrapper(*arrays: Handle | None, **static: Any) -> Any:
        return wrapped(kernel(*map(inside, arrays), **static))

    return wrapper


class OpaqueBackend:
    """See `nkeras.backend.protocol.SupportsPlans`."""

    name = "opaque"
    loops = True
    dtypes = frozenset(DTYPES)
    device = "nowhere"

    def __init__(self) -> None:
        self._numpy = registry.load("numpy")
        self.kernels = {name: on_handles(kernel) for name, kernel in self._numpy.kernels.items()}
        self.elementwise = functools.cache(
            lambda scalar: on_handles(self._numpy.elementwise(scalar))
        )

    def asarray(self, value: np.ndarray, dtype: str) -> Handle:
        return Handle(np.array(value, to_numpy(dtype)))

    def to_numpy(self, array: Handle) -> np.ndarray:
        return array._inside.copy()

    def empty(self, shape: tuple[int, ...], dtype: str) -> Handle:
        return Handle(np.empty(shape, to_numpy(dtype)))

    def synchronize(self) -> None:
        pass

    def describe(self) -> dict[str, str]:
        return {}

    def plan_state(self) -> tuple[()]:
        return ()

    def copy(self, array: Handle) -> Handle:
        return Handle(array._inside.copy())

    def copy_to(self, target: Handle, source: Handle) -> None:
        np.copyto(target._inside, source._inside)

    def write(self, target: Handle, value: Any) -> None:
        target._inside[...] = value

    def overlap(self, array: Handle, other: Handle) -> bool:
        return np.may_share_memory(array._inside, other._inside)

    def lowering(self) -> Lowering:
        return Lowering(self)


class Lowering:
    """Kernels are called again, and their results copied to where they belong."""

    def __init__(
        self,
        backend: OpaqueBackend,
        offsets: Sequence[int | None] | None = None,
        memory: Handle | None = None,
    ) -> None:
        self._backend = backend
        self._offsets = offsets
        self._memory = memory
        self._spans: list[Span] = []
        self._blocks: dict[int, int] = {}  # by the identity of a handle in use
        self._handles: list[Handle] = []  # so that identities stay
        self._events = 0

    def _allocate(self, shape: tuple[int, ...], dtype: np.dtype) -> Handle:
        size = -(-max(math.prod(shape), 1) * dtype.itemsize // _GRAIN) * _GRAIN
        offset = None if self._offsets is None else self._offsets[len(self._spans)]
        if offset is None or self._memory is None:
            handle = Handle(np.empty(shape, dtype))
        else:
            handle = Handle(np.ndarray(shape, dtype, self._memory._inside, offset))
        handle._inside[...] = 0  # it may hold indices
        self._blocks[id(handle)] = len(self._spans)
        self._handles.append(handle)
        self._events += 1
        self._spans.append(Span(size, self._events, -1, False))
        return handle

    def _mark(self, handle: Handle, **facts: Any) -> None:
        block = self._blocks.get(id(handle))
        if block is not None:
            self._spans[block] = self._spans[block]._replace(**facts)

    def number(
        self, value: Any, shape: tuple[int, ...] | None = None, dtype: str | None = None
    ) -> tuple[Handle, Callable[[Any], None]]:
        values = value if isinstance(value, tuple) else [value]
        made = Handle(np.array(values) if shape is None else np.full(shape, value, dtype))
        return made, functools.partial(self._backend.write, made)

    def call(self, call: KernelCall) -> tuple[tuple[Handle | None, ...], list[Step], list[Step]]:
        result = call.kernel(*call.arrays, **call.static)
        results = result if isinstance(result, tuple) else (result,)
        outputs = tuple(
            None if made is None else self._allocate(made.shape, made.dtype) for made in results
        )
        steps: list[Step] = [(_again, (self._backend, call, outputs))]
        if not all(call.fixed) or call.cells or call.asked:
            return outputs, [], steps
        for output in outputs:
            self.keep(output)
        return outputs, steps, []

    def release(self, array: Handle) -> None:
        self._events += 1
        self._mark(array, last=self._events)

    def keep(self, array: Handle) -> None:
        self._mark(array, stays=True)

    def redirect(
        self,
        steps: list[Step],
        array: Handle,
        target: Handle,
        inputs: Sequence[Handle | None],
        donated: Sequence[int],
    ) -> list[Step] | None:
        if not donated or not steps:
            return None
        ((function, (backend, call, outputs)),) = steps
        moved = tuple(target if output is array else output for output in outputs)
        return [(function, (backend, call, moved))]

    def spans(self) -> list[Span]:
        end = self._events + 1
        return [span if span.last >= 0 else span._replace(last=end) for span in self._spans]

    def place(self, shape: tuple[int, ...], dtype: str) -> Handle:
        return self._allocate(shape, np.dtype(to_numpy(dtype)))

    def straight(self, array: Handle) -> tuple[Handle, list[Step]]:
        copy = self._allocate(array.shape, array.dtype)
        return copy, [(self._backend.copy_to, (copy, array))]

    def loop(self, rounds: Rounds) -> list[Step]:
        return [(_do_rounds, (rounds,))]

    def perform(self, size: int, offsets: list[int | None], memory: list[Handle]) -> Lowering:
        if not memory or memory[0].shape[0] < size:
            memory[:] = [Handle(np.empty(size, np.uint8))]
        return Lowering(self._backend, offsets, memory[0])

    def bind(
        self,
        steps: Sequence[Step],
        early: Sequence[Step],
        inputs: Sequence[Handle],
        outputs: Sequence[Handle],
    ) -> Binding:
        return Binding(self._backend, self.freeze(list(steps)), inputs, outputs)

    def freeze(self, steps: list[Step]) -> list[Step]:
        """Kernels that follow each other are one step."""
        frozen: list[Step] = []
        for step in steps:
            if step[0] is not _again:
                frozen.append(step)
            elif frozen and frozen[-1][0] is _run:
                frozen[-1] = (_run, (*frozen[-1][1], step))
            else:
                frozen.append((_run, (step,)))
        return frozen

    def ready(self) -> bool:
        return True


class Binding:
    """Copies in and out."""

    def __init__(
        self,
        backend: OpaqueBackend,
        steps: Sequence[Step],
        inputs: Sequence[Handle],
        outputs: Sequence[Handle],
    ) -> None:
        self._backend = backend
        self._steps = steps
        self._inputs = inputs
        self._outputs = outputs

    def run(self, arrays: Sequence[Handle], do: Callable[[Sequence[Step]], None]) -> list[Handle]:
        for buffer, array in zip(self._inputs, arrays, strict=True):
            self._backend.copy_to(buffer, array)
        do(self._steps)
        return [self._backend.copy(output) for output in self._outputs]


def _do_rounds(rounds: Rounds) -> None:
    for i in range(rounds.length)[:: -1 if rounds.backwards else 1]:
        for place, rows in rounds.reads:
            place._inside[...] = rows._inside[i]
        _run(*rounds.steps)
        for rows, array in rounds.writes:
            rows._inside[i] = array._inside
        for place, array in rounds.moves:
            place._inside[...] = array._inside


def _run(*steps: Step) -> None:
    for function, arguments in steps:
        function(*arguments)


def _again(backend: OpaqueBackend, call: KernelCall, outputs: Sequence[Handle | None]) -> None:
    changed = {name: _number(cell) for name, cell in call.cells.items()}
    changed |= {name: ask() for name, ask in call.asked.items()}
    result = call.kernel(*call.arrays, **{**call.static, **changed})
    results = result if isinstance(result, tuple) else (result,)
    for target, made in zip(outputs, results, strict=True):
        if target is not None:
            backend.copy_to(target, made)


def _number(cell: Handle) -> Any:
    value = cell._inside
    return tuple(value.tolist()) if value.size > 1 else value.item()
