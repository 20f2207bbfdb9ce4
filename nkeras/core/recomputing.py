"""What a run of a function met that a second run must meet again, so that both compute the same.

Variables, random seeds and added losses ask `active()` whether such a run goes on. The first run is
a `Recording`, each further one a `Replaying`: it reads the variables as they were, draws the same
seeds, and neither its assignments nor its losses reach anything outside. A `StatelessScope`
(`core/stateless.py`) is such a run too, with values of the caller's.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, Protocol

from nkeras.core.scope import Scope

if TYPE_CHECKING:
    from nkeras.core.tensor import Tensor
    from nkeras.core.variable import Variable


class Run(Protocol):
    """What variables, seeds and added losses ask."""

    def value(self, variable: Variable, current: Tensor) -> Tensor:
        """The value that reading a variable gives."""
        ...

    def is_own(self, variable: Variable) -> bool:
        """Whether that value is one the variable has, or had."""
        ...

    def keeps(self, variable: Variable, value: Tensor | None) -> bool:
        """Whether an assignment must not reach the variable."""
        ...

    def seed(self, draw: Callable[[], Any]) -> Any:
        """The seed that is drawn."""
        ...

    def keeps_loss(self, loss: Tensor) -> bool:
        """Whether an added loss must not reach its layer."""
        ...


_run: ContextVar[Run | None] = ContextVar("nkeras_recomputing", default=None)
active: Callable[[], Run | None] = _run.get


enter: Callable[[Run], Token[Run | None]] = _run.set
leave: Callable[[Token[Run | None]], None] = _run.reset


def scope(run: Run) -> Scope[Run | None]:
    """The block in which a run is asked."""
    return Scope(_run, run)


class Recording:
    """The first run.

    Attributes:
        values: of the variables that were read before the run assigned them.
        others: those whose value was not their own.
        seeds: in the order in which they were drawn.
        losses: that layers added.
    """

    def __init__(self) -> None:
        self._outer = active()
        self._assigned: set[Variable] = set()
        self.others: set[Variable] = set()
        self.values: dict[Variable, Tensor] = {}
        self.seeds: list[Any] = []
        self.losses: list[Tensor] = []

    def scope(self) -> Scope[Run | None]:
        """The block in which the function runs."""
        return scope(self)

    def value(self, variable: Variable, current: Tensor) -> Tensor:
        """The value that reading a variable gives."""
        tensor = current if self._outer is None else self._outer.value(variable, current)
        if variable not in self._assigned:
            self.values.setdefault(variable, tensor)
        return tensor

    def is_own(self, variable: Variable) -> bool:
        """As the run around says."""
        if self._outer is None or self._outer.is_own(variable):
            return True
        self.others.add(variable)
        return False

    def keeps(self, variable: Variable, value: Tensor | None) -> bool:
        """Whether an assignment must not reach the variable."""
        self._assigned.add(variable)
        return self._outer is not None and self._outer.keeps(variable, value)

    def seed(self, draw: Callable[[], Any]) -> Any:
        """The seed that is drawn."""
        seed = draw() if self._outer is None else self._outer.seed(draw)
        self.seeds.append(seed)
        return seed

    def keeps_loss(self, loss: Tensor) -> bool:
        """Whether an added loss must not reach its layer."""
        self.losses.append(loss)
        return self._outer is not None and self._outer.keeps_loss(loss)


class Replaying:
    """A further run of the function.

    Args:
        recorded: the first one.

    Attributes:
        losses: that layers would have added.
    """

    def __init__(self, recorded: Recording) -> None:
        self._values = recorded.values
        self._others = recorded.others
        self._seeds = iter(recorded.seeds)
        self._assigned: dict[Variable, Tensor | None] = {}
        self.losses: list[Tensor] = []

    def scope(self) -> Scope[Run | None]:
        """The block in which the function runs."""
        return scope(self)

    def value(self, variable: Variable, current: Tensor) -> Tensor:
        """The value that the variable had in the first run at this place."""
        value = self._assigned.get(variable)
        return self._values.get(variable, current) if value is None else value

    def is_own(self, variable: Variable) -> bool:
        """As in the first run."""
        return variable not in self._others

    def keeps(self, variable: Variable, value: Tensor | None) -> bool:
        """All assignments are kept away from the variable."""
        self._assigned[variable] = value
        return True

    def seed(self, draw: Callable[[], Any]) -> Any:
        """The seed of the first run; `draw` is not called."""
        try:
            return next(self._seeds)
        except StopIteration:
            raise RuntimeError(
                "remat: the function drew more random numbers in its second run than in its first. "
                "What it does must depend on its arguments alone."
            ) from None

    def keeps_loss(self, loss: Tensor) -> bool:
        """All losses are kept away from the layers."""
        self.losses.append(loss)
        return True
