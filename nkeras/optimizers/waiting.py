"""Updates of variables that wait for each other, so that one launch does them all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from nkeras.core.primitive import Primitive
from nkeras.core.tensor import Tensor
from nkeras.core.variable import Variable

LARGEST = 2**26
"""Elements of the variables that are updated together: all that is new is in memory at once."""


class Update(NamedTuple):
    """An update of one variable.

    Attributes:
        variable: the variable.
        gradient: its gradient, of its dtype.
        state: what the optimizer knows of it; None where the settings need nothing.
    """

    variable: Variable
    gradient: Tensor
    state: list[Variable | None]

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The arguments of the primitive."""
        return (self.variable, self.gradient, *self.state)

    @property
    def targets(self) -> tuple[Variable | None, ...]:
        """What its results are assigned to."""
        return (self.variable, *self.state)


class Group(NamedTuple):
    """Updates by one primitive with the same numbers."""

    kernel: Primitive[Any]
    numbers: Mapping[str, object]
    updates: list[Update]


class Waiting:
    """The updates of a step that have not been done yet."""

    def __init__(self) -> None:
        self._groups: list[Group] = []

    def add(self, kernel: Primitive[Any], numbers: Mapping[str, object], update: Update) -> None:
        """One more."""
        for group in self._groups:
            if group.kernel is kernel and group.numbers == numbers:
                group.updates.append(update)
                return
        self._groups.append(Group(kernel, numbers, [update]))

    def groups(self) -> Iterator[Group]:
        """Groups that are not too large for the memory."""
        for kernel, numbers, updates in self._groups:
            part: list[Update] = []
            size = 0
            for update in updates:
                if part and size + update.variable.size > LARGEST:
                    yield Group(kernel, numbers, part)
                    part, size = [], 0
                part.append(update)
                size += update.variable.size
            yield Group(kernel, numbers, part)
