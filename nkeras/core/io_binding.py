"""IO binding: a replay works on the caller's large arrays instead of copies in the plan's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from nkeras.backend.protocol import Array, Step

LARGE = 128 * 1024  # bytes: below, a copy is faster than making the arguments of steps anew

Make = Callable[[Sequence[Array]], Any]


class IOBinding:
    """Steps and outputs of a plan with other arrays in the place of some of its own.

    Args:
        steps: the plan's.
        outputs: the plan's.
        places: the arrays that others may stand for; each has its memory to itself.
    """

    def __init__(
        self, steps: Sequence[Step], outputs: Sequence[Array], places: Sequence[Array]
    ) -> None:
        self._steps = list(steps)
        self._ranges = [_range(place) for place in places]
        made = ((i, self._make_of(arguments)) for i, (_, arguments) in enumerate(steps))
        self._makes = [(i, make) for i, make in made if make is not None]
        self._outputs = [(output, self._make_of(output)) for output in outputs]

    def run(self, arrays: Sequence[Array], do: Callable[[Sequence[Step]], None]) -> list[Array]:
        """`do` the steps on `arrays`, which are C-contiguous, instead of the places.

        Returns:
            The outputs: in `arrays` where they lie in a place, else copies.
        """
        memory = [array.reshape(-1).view(np.uint8) for array in arrays]
        steps = self._steps.copy()
        for i, make in self._makes:
            steps[i] = steps[i][0], make(memory)
        do(steps)
        return [output.copy() if make is None else make(memory) for output, make in self._outputs]

    def uses_places(self) -> bool:
        """Whether a step uses the memory of a place."""
        return bool(self._makes)

    def _make_of(self, structure: object) -> Make | None:
        """What makes the structure with its arrays moved; None where it has none to move."""
        if isinstance(structure, np.ndarray):
            return self._make_array(structure)
        if not isinstance(structure, (tuple, list)):
            return None
        parts = [(i, make) for i, part in enumerate(structure) if (make := self._make_of(part))]
        if not parts:
            return None

        def make_sequence(memory: Sequence[Array]) -> Any:
            items = list(structure)
            for i, make in parts:
                items[i] = make(memory)
            return type(structure)(items)

        return make_sequence

    def _make_array(self, array: Array) -> Make | None:
        first = array.__array_interface__["data"][0]
        for k, (start, stop) in enumerate(self._ranges):
            if start <= first < stop:
                shape, dtype, strides, offset = (
                    array.shape,
                    array.dtype,
                    array.strides,
                    first - start,
                )
                return lambda memory: np.ndarray(shape, dtype, memory[k], offset, strides)
        return None


def can_stand_in(array: Array, place: Array) -> bool:
    """Whether compiled code can work on `array` as it works on `place`."""
    return array.flags.carray and array.shape == place.shape and array.dtype == place.dtype


def is_used(places: Iterable[Array], steps: Sequence[Step]) -> list[bool]:
    """For each array whether a step uses its memory."""
    return [IOBinding(steps, (), (place,)).uses_places() for place in places]


def _range(array: Array) -> tuple[int, int]:
    start = array.__array_interface__["data"][0]
    return start, start + array.nbytes
