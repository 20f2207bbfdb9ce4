"""Who takes down what a step does: the engine reports to it, and knows no more of it than this."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from nkeras.backend.protocol import Array, Kernel
from nkeras.core.guards import Guard
from nkeras.core.typing import Structure

if TYPE_CHECKING:
    from nkeras.core.calls_together import CallsTogether
    from nkeras.core.graph import Node
    from nkeras.core.host import Choice, Live
    from nkeras.core.operation import Operation
    from nkeras.core.primitive import Primitive
    from nkeras.core.tensor import Tensor
    from nkeras.core.variable import Variable


class Turns(Protocol):
    """What is told of each round of a loop; see `nkeras.replay.turns.Turns`."""

    def begin(self, carries: Sequence[Any], rows: Sequence[Any]) -> None:
        """A round begins with these tensors."""
        ...

    def end(self, carries: Sequence[Any], results: Sequence[Any]) -> None:
        """It has made these."""
        ...

    def are_alike(self) -> bool:
        """Whether the last two rounds were the same, so that others may be a loop."""
        ...

    def repeat(
        self, stacks: Sequence[Tensor], count: int, backwards: bool
    ) -> tuple[list[Tensor], list[tuple[Tensor, Tensor | None]]] | None:
        """Do more rounds without Python; None where that cannot be.

        Args:
            stacks: tensors with a row for each round.
            count: how many there are.
            backwards: whether to begin with the last rows.

        Returns:
            The carries, and for each result its rows, and what to take instead of that of the last
            round: the carry which it is.
        """
        ...


class Observer:
    """What is told of each operation in its context. This one lets all happen as it comes.

    See `nkeras.replay.record.Recorder`, and `nkeras.callbacks.tensorboard.profiler.Profiler`.

    Attributes:
        guard: notes the objects that the step meets.
        losses: pairs of a layer and a loss that it has added.
        takes_many: whether calls by a kernel of many may come as one, of `CallsTogether`.
    """

    takes_many = False

    def __init__(self) -> None:
        self.guard = Guard()
        self.losses: list[tuple[Any, Tensor]] = []

    def enter(self, layer: Operation) -> None:
        """A layer is called; what comes until `leave` is its own, or that of layers inside."""

    def leave(self, layer: Operation, outputs: Structure) -> None:
        """The call is over; `outputs` is None behind an exception."""

    def operation(self, node: Node, outputs: Structure) -> None:
        """A functional model has called an op of its graph."""

    def run(
        self,
        primitive: Primitive[Any],
        kernel: Kernel,
        arrays: Sequence[Array | None],
        static: Mapping[str, object],
    ) -> Any:
        """Call a kernel, and give what it gives."""
        return kernel(*arrays, **static)

    def backward(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """What a tape shall do on its way back, in place of `step`."""
        return step

    def call(
        self,
        primitive: Primitive[Any] | CallsTogether,
        kernel: Kernel,
        tensors: Sequence[Tensor | None],
        static: dict[str, object],
        results: Any,
    ) -> None:
        """A kernel was called by `run`; live numbers are in `static`."""

    def read(self, variable: Variable, tensor: Tensor) -> None:
        """A variable's value was read."""

    def assign(self, variable: Variable, tensor: Tensor) -> None:
        """A variable was assigned."""

    def look(self, tensor: Tensor) -> None:
        """Python looks at the values of a tensor."""

    def same(self, tensor: Tensor, handle: Tensor) -> None:
        """Another handle of a tensor was made."""

    def number(self, tensor: Tensor, source: Live) -> None:
        """A tensor was made of a live number."""

    def look_at_switch(self, owner: object, name: str) -> None:
        """Python looks at an attribute that comes and goes."""

    def live(self, function: Callable[[], Any], key: Hashable = None) -> Any:
        """A number that the host computes anew in each step."""
        return function()

    def choice(self, choice: Choice) -> Any:
        """The answer of now to a question to the host."""
        return choice.ask()

    def turns(self, function: Callable[..., Any], stacks: Sequence[Any]) -> Turns | None:
        """Who takes down the rounds of a loop; None where nobody does.

        Args:
            function: what a round calls.
            stacks: tensors of which each round gets a slice.
        """

    def on_host(self, function: Callable[..., object], tensors: Sequence[Tensor]) -> None:
        """The host does something, here in each step."""
        function(*[tensor.on_host() for tensor in tensors])

    def either(self, flag: Tensor, body: Callable[[], None], otherwise: Callable[[], None]) -> None:
        """Do a part of the step, or something else instead."""
        if bool(flag):
            body()
        else:
            otherwise()

    def fail(self, reason: str) -> None:
        """The step cannot be repeated without Python."""


_observer: ContextVar[Observer | None] = ContextVar("nkeras_observer", default=None)
active: Callable[[], Observer | None] = _observer.get
begin = _observer.set
end = _observer.reset
