"""What a backend is: the contract on one screen. Kernels are listed in docs/kernels.md."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np

from nkeras.backend.scalar import Scalar

Array = Any
Kernel = Callable[..., Any]
Step = tuple[Callable[..., Any], tuple[Any, ...]]


class Lowering(Protocol):
    """How a backend replays kernel calls whose arrays stay where they are; see `nkeras.core.plan`.

    A step is a function and its arguments.
    """

    def call(
        self,
        name: str,
        kernel: Kernel,
        arrays: Sequence[Array | None],
        static: Mapping[str, object],
        cells: Mapping[str, Array],
        fixed: Sequence[bool],
    ) -> tuple[tuple[Array | None, ...], list[Step], list[Step]]:
        """Call a kernel; gives its outputs and the steps that compute them again in place.

        The first list has those that need not be repeated while the `fixed` ones among the arrays
        stay the same; where all are fixed, all steps.

        `cells` has arrays of one dimension with those numbers of `static` that change: one float64
        or int64, or the two uint32 of a key.
        """
        ...

    def release(self, array: Array) -> None:
        """An output is not used by what comes behind: its memory may serve again."""
        ...

    def keep(self, array: Array) -> None:
        """An output of the plan: its memory, where it has some of its own, is no other's."""
        ...

    def is_kept(self, array: Array) -> bool:
        """Whether an array fills memory of its own, so that another may take its place."""
        ...

    def redirect(
        self,
        name: str,
        steps: list[Step],
        output: int,
        array: Array,
        target: Array,
        inputs: Sequence[Array | None],
    ) -> list[Step] | None:
        """The steps of a call with its output `array` written to `target`, perhaps an input.

        None where the kernel cannot do that.
        """
        ...

    def perform(self, memory: list[Array]) -> Lowering:
        """The lowering of the same calls, in the same order, once more, for good.

        Now the backend knows all calls, and can lay out its memory: in that of the list, which
        plans share, or in new memory that it puts there.
        """
        ...

    def ready(self) -> bool:
        """Prepare this thread for a replay; False where the steps must be lowered anew."""
        ...


class Backend(Protocol):
    """A plugin found through the entry-point group `nkeras.backends`.

    The entry point is a function without arguments that returns the backend, or raises ImportError
    or `BackendError` with the reason why it cannot work here.
    """

    name: str
    """The name of the entry point."""

    kernels: Mapping[str, Kernel]
    """By primitive name: `kernel(*arrays, **static)` gives an array or a tuple of arrays."""

    dtypes: frozenset[str]
    """Names of the dtypes that arrays of this backend can have."""

    device: str
    """Where arrays live, in words: `"cpu, 2 threads"`."""

    def elementwise(self, scalar: Scalar) -> Kernel:
        """A kernel `f(*arrays)` that maps a scalar function over broadcast arrays of one dtype."""
        ...

    def asarray(self, value: np.ndarray, dtype: str) -> Array:
        """A NumPy array moved to this backend as `dtype`; may share memory."""
        ...

    def to_numpy(self, array: Array) -> np.ndarray:
        """The array as NumPy array; may share memory."""
        ...

    def empty(self, shape: tuple[int, ...], dtype: str) -> Array:
        """An array with undefined contents."""
        ...

    def synchronize(self) -> None:
        """Wait until all launched kernels are done."""
        ...

    def describe(self) -> dict[str, str]:
        """Facts for `python -m nkeras doctor`: versions, threads, cache folder, device."""
        ...


class SupportsCompileAhead(Protocol):
    """What a backend may have besides: kernels are compiled ahead, on all cores."""

    def compile_ahead(self) -> AbstractContextManager[None]:
        """Around a step. Inside, the backend may put off launches; all have run at the end.

        Python goes on meanwhile, and may meet arrays without their values. `to_numpy` gives them.
        """
        ...

    def settle(self, *arrays: Array) -> None:
        """Run the launches that were put off, at least those that work on the arrays."""
        ...


class SupportsPlans(Protocol):
    """What a backend may have besides: plans. Without it steps always run as they come."""

    def lowering(self) -> Lowering:
        """A lowering for one plan."""
        ...

    def plan_state(self) -> Hashable:
        """What plans depend on beside the step, such as the number of threads."""
        ...
