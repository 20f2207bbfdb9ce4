"""Work: what a plan queues on the device, with arrays that stay where they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nkeras_numba_cuda.memory import Pointers
from nkeras_numba_cuda.replay.places import Place, array_at
from nkeras_numba_cuda.replay.strides import bounds


class Work:
    """A launch, or a function of CuPy's that makes no new arrays.

    Args:
        function: what is called in each replay.
        arguments: places, tables of places, arrays and numbers.
    """

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self.function = function
        self.arguments = arguments
        self._found: list[Any] | None = None

    def __call__(self) -> None:
        """Queue it."""
        if self._found is None:
            self._found = list(map(_found, self.arguments))
        self.function(*self._found)

    def uses(self, low: int, high: int) -> bool:
        """Whether an argument lies between two addresses."""
        return any(_lies_in(one, low, high) for one in self.arguments)

    def moved(self, array: Place, target: Any) -> Work | None:
        """The same with `target` in the place of an array; None where more is read or written."""
        try:
            return Work(self.function, tuple(_moved(one, array, target) for one in self.arguments))
        except _Tied:
            return None


class Again:
    """A kernel that is called as it comes, and its results copied to where they belong.

    Args:
        kernel: the kernel.
        arrays: its inputs, or their places.
        static: its other arguments; of places, what lies there.
        asked: what gives those that are numbers of each replay.
        targets: where the results belong.
        send: brings the numbers of the plan to the device.
    """

    def __init__(
        self,
        kernel: Callable[..., Any],
        arrays: Sequence[Any],
        static: Mapping[str, Any],
        asked: Mapping[str, Callable[[], Any]],
        targets: Sequence[Place | None],
        send: Callable[[], None],
    ) -> None:
        self._given = kernel, arrays, static, asked, targets, send
        self.targets = targets

    @property
    def name(self) -> str:
        """What the kernel is called."""
        return self._given[0].__name__

    def __call__(self) -> None:
        """Call it."""
        kernel, arrays, static, asked, targets, send = self._given
        send()
        values = {name: array_at(value) for name, value in static.items()}
        values |= {name: ask() for name, ask in asked.items()}
        result = kernel(*map(array_at, arrays), **values)
        results = result if isinstance(result, tuple) else (result,)
        for target, made in zip(targets, results, strict=True):
            if target is not None and target.size:
                target.array()[...] = made

    def uses(self, low: int, high: int) -> bool:
        """Whether a result or input lies between two addresses."""
        arrays = [one for one in (*self._given[1], *self.targets) if one is not None]
        return any(_lies_in(one, low, high) for one in arrays)

    def moved(self, array: Place, target: Any) -> Again:
        """The same with `target` in the place of a result."""
        kernel, arrays, static, asked, targets, send = self._given
        others = [target if one is array else one for one in targets]
        return Again(kernel, arrays, static, asked, others, send)


class _Tied(Exception):
    """An argument has a part of what is moved, and more."""


def _found(argument: Any) -> Any:
    if isinstance(argument, Pointers):
        return Pointers([array_at(one) for one in argument.arrays])
    return array_at(argument)


def _lies_in(argument: Any, low: int, high: int) -> bool:
    if isinstance(argument, Pointers):
        return any(_lies_in(one, low, high) for one in argument.arrays)
    if not isinstance(argument, Place):
        return False
    first, last = bounds(argument)
    return first < high and low < last


def _moved(argument: Any, array: Place, target: Any) -> Any:
    if isinstance(argument, Pointers):
        return Pointers([_moved(one, array, target) for one in argument.arrays])
    if not isinstance(argument, Place):
        return argument
    (low, high), (first, last) = bounds(array), bounds(argument)
    if last <= low or high <= first:
        return argument
    if first < low or last > high:
        raise _Tied
    return argument.shifted(target.address - low, target.owner)
