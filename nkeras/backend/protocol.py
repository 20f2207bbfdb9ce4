"""What a backend is: the contract on one screen. Kernels are listed in docs/kernels.md."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

import numpy as np

from nkeras.backend.body import Body
from nkeras.backend.scalar import Scalar

Array = Any
"""A backend's own array: a handle with `shape` and `dtype`, a NumPy dtype."""
Kernel = Callable[..., Any]
Step = tuple[Callable[..., Any], tuple[Any, ...]]


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
        """A NumPy array moved to this backend as `dtype`, for readers; may share memory."""
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


class IsSymbolic(Protocol):
    """What a backend may say besides: it computes nothing, but notes what would be computed.

    Tensors of other backends become its constants, and operations that change nothing for the sizes
    of now are called too, for the sizes stand for others.
    """

    is_symbolic: bool


class SupportsArrayKernels(Protocol):
    """What a backend may have besides: array kernels of users, see `nkeras.kernel`."""

    def array_kernel(self, body: Body) -> Kernel:
        """A kernel `f(*arrays, specs=..., **static)` that runs a body for each work item.

        `specs` has shape and dtype of each result.
        """
        ...


class TakesAnyIndex(Protocol):
    """What a backend on a device may say besides: `take` sees to indices itself.

    Negative ones count from the end; a slice out of range is NaN, or 0 where there is none.
    """

    takes_any_index: bool


class TakesText(Protocol):
    """What a backend on the host may say besides: its kernels take arrays of text too.

    Elsewhere the kernels of "numba_cpu" do so, and what they give goes to the backend.
    """

    takes_text: bool


class SupportsCallsTogether(Protocol):
    """What a backend may have besides: kernels that answer several calls at once."""

    together: Mapping[str, Kernel]
    """By primitive name: `kernel(calls, **static)`, with the arrays of each call, gives a list of
    tuples; arrays are float32, or all are float64."""


class SupportsFull(Protocol):
    """What a backend may have besides: arrays of one value, made without one on the host."""

    def full(self, shape: tuple[int, ...], value: complex, dtype: str) -> Array:
        """An array of one value, for readers only."""
        ...


class SupportsDevices(Protocol):
    """What a backend may have besides: several devices, each of which has arrays of its own."""

    def on_device(self, number: int) -> Backend:
        """The backend on another device than the first one, called `"name:number"`.

        Raises:
            BackendError: there is no such device.
        """
        ...


class Uploads(Protocol):
    """Copies of batches to a device, beside what it computes."""

    def begin(
        self, arrays: Sequence[np.ndarray], dtypes: Sequence[str]
    ) -> tuple[list[Array], Callable[[], None]]:
        """Begin to copy the arrays of a batch.

        Returns:
            Arrays of the device, and a function to be called before they are used: it lets what is
            computed from then on wait for the copy, not the host.
        """
        ...


class SupportsUploads(Protocol):
    """What a backend on a device may have besides: copies that run while it computes."""

    def uploads(self) -> Uploads:
        """For the batches of one epoch."""
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


class Span(NamedTuple):
    """A block of memory that kernels of a plan take.

    Attributes:
        size: in bytes.
        first: when it is taken; times count what happens to blocks.
        last: when it is given back.
        stays: whether it keeps what it holds from replay to replay.
    """

    size: int
    first: int
    last: int
    stays: bool


class KernelCall(NamedTuple):
    """A call of a kernel that a plan repeats.

    Attributes:
        arrays: where its inputs lie in each replay.
        static: the static values of now.
        cells: arrays with those of them that change, which the kernel reads when it runs.
        asked: what gives them, for a kernel that wants the number itself.
        fixed: for each input whether it stays the same until a variable is assigned.
        results: shape and dtype of each output; None for one that is None.
    """

    kernel: Kernel
    arrays: Sequence[Array | None]
    static: Mapping[str, object]
    cells: Mapping[str, Array]
    asked: Mapping[str, Callable[[], Any]]
    fixed: Sequence[bool]
    results: Sequence[tuple[tuple[int, ...], str] | None] = ()


class Rounds(NamedTuple):
    """What a loop of a plan does again and again, on places that stay.

    Attributes:
        length: how many rounds there are.
        backwards: whether the first one is that of the last rows.
        reads: pairs of a place and an array of `length` rows: one row is copied before the steps.
        writes: pairs of an array of `length` rows and what is copied to its row behind the steps.
        moves: pairs of a place and what is copied there behind that, in this order.
    """

    length: int
    backwards: bool
    reads: Sequence[tuple[Array, Array]]
    steps: Sequence[Step]
    writes: Sequence[tuple[Array, Array]]
    moves: Sequence[tuple[Array, Array]]


class Binding(Protocol):
    """A plan's steps on arrays of the caller's."""

    def run(self, arrays: Sequence[Array], do: Callable[[Sequence[Step]], None]) -> list[Array]:
        """`do` the steps for these inputs; gives outputs that belong to the caller."""
        ...


class Lowering(Protocol):
    """How a backend replays kernel calls whose arrays stay where they are; see `nkeras.replay`.

    A step is a function and its arguments. Nothing has to be computed while a plan is made.
    """

    def number(
        self, value: Any, shape: tuple[int, ...] | None = None, dtype: str | None = None
    ) -> tuple[Array, Callable[[Any], None]]:
        """An array with a number that changes, or several, and what is called with new ones.

        Without a shape it has one dimension, for kernels that read it there: float64 or int64, or
        the two uint32 of a key.
        """
        ...

    def call(self, call: KernelCall) -> tuple[tuple[Array | None, ...], list[Step], list[Step]]:
        """The outputs of a call, and the steps that compute them in place.

        The first list has those that need not be repeated while the `fixed` ones among the arrays
        stay the same; where all are fixed, all steps.
        """
        ...

    def release(self, array: Array) -> None:
        """An output is not used by what comes behind: its memory may serve again."""
        ...

    def keep(self, array: Array) -> None:
        """An output of the plan: its memory, where it has some of its own, is no other's."""
        ...

    def redirect(
        self,
        steps: list[Step],
        array: Array,
        target: Array,
        inputs: Sequence[Array | None],
        donated: Sequence[int],
    ) -> list[Step] | None:
        """The steps of a call with its output `array` written to `target`; None if that cannot be.

        `target` may be the memory of an input whose position is among `donated`.
        """
        ...

    def place(self, shape: tuple[int, ...], dtype: str) -> Array:
        """Memory that serves until it is released, for a backend with loops."""
        ...

    def straight(self, array: Array) -> tuple[Array, list[Step]]:
        """An array whose rows a loop can read, and the steps that make it, where it is a copy.

        It serves until it is released.
        """
        ...

    def loop(self, rounds: Rounds) -> list[Step]:
        """The steps of a loop, for a backend with loops."""
        ...

    def spans(self) -> list[Span]:
        """The blocks of memory that the calls have taken."""
        ...

    def perform(self, size: int, offsets: list[int | None], memory: list[Array]) -> Lowering:
        """The lowering of the same calls, in the same order, once more, for good.

        Blocks lie at the offsets (None: in memory of their own) of `size` bytes: those in the list,
        which plans share, or new ones that are put there.
        """
        ...

    def bind(
        self,
        steps: Sequence[Step],
        early: Sequence[Step],
        inputs: Sequence[Array],
        outputs: Sequence[Array],
    ) -> Binding:
        """The finished plan for callers who give arrays of theirs and want such."""
        ...

    def freeze(self, steps: list[Step]) -> list[Step]:
        """Steps of kernels that follow each other as fewer ones, such as one CUDA graph."""
        ...

    def ready(self) -> bool:
        """Prepare this thread for a replay; False where the steps must be lowered anew."""
        ...


class SupportsPlans(Backend, Protocol):
    """What a backend may have besides: plans. Without it steps always run as they come."""

    def lowering(self) -> Lowering:
        """A lowering for one plan."""
        ...

    # Where it is True, lowerings have `place` and `loop`; elsewhere all rounds are in the plan.
    # loops: bool

    # Where it is True, `to_numpy` waits for a device: what a step returns is read when it is looked
    # at, and is a copy until then.
    # waits: bool

    def plan_state(self) -> Hashable:
        """What plans depend on beside the step, such as the number of threads."""
        ...

    def copy(self, array: Array) -> Array:
        """A new array with the same values."""
        ...

    def copy_to(self, target: Array, source: Array) -> None:
        """Write the values of an array into another of the same shape and dtype."""
        ...

    def write(self, target: Array, value: Any) -> None:
        """Write a NumPy array, or numbers, into an array."""
        ...

    def overlap(self, array: Array, other: Array) -> bool:
        """Whether two arrays may have memory in common."""
        ...
