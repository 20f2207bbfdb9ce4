"""Who takes down what a step does: the engine reports to it, and knows no more of it than this."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from nkeras.backend.protocol import Kernel
from nkeras.core.guards import Guard

if TYPE_CHECKING:
    from nkeras.core.host import Choice, Live
    from nkeras.core.primitive import Primitive
    from nkeras.core.tensor import Tensor
    from nkeras.core.variable import Variable


class Observer(Protocol):
    """What is told of each operation in its context; see `nkeras.replay.record.Recorder`."""

    guard: Guard
    """Notes the objects that the step meets."""

    losses: list[tuple[Any, Tensor]]
    """Pairs of a layer and a loss that it has added."""

    def call(
        self,
        primitive: Primitive[Any],
        kernel: Kernel,
        tensors: Sequence[Tensor | None],
        static: dict[str, object],
        results: Any,
    ) -> None:
        """A kernel was called; live numbers are in `static`."""
        ...

    def read(self, variable: Variable, tensor: Tensor) -> None:
        """A variable's value was read."""
        ...

    def assign(self, variable: Variable, tensor: Tensor) -> None:
        """A variable was assigned."""
        ...

    def look(self, tensor: Tensor) -> None:
        """Python looks at the values of a tensor."""
        ...

    def same(self, tensor: Tensor, handle: Tensor) -> None:
        """Another handle of a tensor was made."""
        ...

    def number(self, tensor: Tensor, source: Live) -> None:
        """A tensor was made of a live number."""
        ...

    def look_at_switch(self, owner: object, name: str) -> None:
        """Python looks at an attribute that comes and goes."""
        ...

    def live(self, function: Callable[[], Any], key: Hashable = None) -> Any:
        """A number that the host computes anew in each step."""
        ...

    def choice(self, choice: Choice) -> Any:
        """The answer of now to a question to the host."""
        ...

    def on_host(self, function: Callable[..., object], tensors: Sequence[Tensor]) -> None:
        """The host does something, here in each step."""
        ...

    def either(self, flag: Tensor, body: Callable[[], None], otherwise: Callable[[], None]) -> None:
        """Do a part of the step, or something else instead."""
        ...

    def fail(self, reason: str) -> None:
        """The step cannot be repeated without Python."""
        ...


_observer: ContextVar[Observer | None] = ContextVar("nkeras_observer", default=None)
active: Callable[[], Observer | None] = _observer.get
begin = _observer.set
end = _observer.reset
