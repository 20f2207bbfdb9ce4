"""IO binding: a replay works on the caller's large arrays instead of copies in the plan's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nkeras.backend.packed import PackedText
from nkeras.backend.protocol import Step
from nkeras_numba_cpu.memory.allocation import empty

LARGE = 128 * 1024  # bytes: below, a copy is faster than making the arguments of steps anew

Make = Callable[[Sequence[np.ndarray]], Any]


class IOBinding:
    """A plan's steps with arrays of the caller's in the place of the plan's own.

    Args:
        steps: the plan's.
        early: what the plan does only when a variable has changed.
        inputs: the plan's buffers.
        outputs: what the steps leave their results in.
        kept: for each output whether it has memory to itself.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        early: Sequence[Step],
        inputs: Sequence[np.ndarray],
        outputs: Sequence[np.ndarray],
        kept: Sequence[bool],
    ) -> None:
        self._inputs = inputs
        self._bound = [i for i, item in enumerate(inputs) if _is_large(item)]
        self._given = [
            output
            for output, is_kept in zip(outputs, kept, strict=True)
            if is_kept
            and _is_large(output)
            # Written in each replay, and by no early step.
            and _Moves(steps, [output]).makes
            and not _Moves(early, [output]).makes
        ]
        self._moves = _Moves(steps, [*[inputs[i] for i in self._bound], *self._given])
        self._outputs = [(output, self._moves.make_of(output)) for output in outputs]

    def run(
        self, arrays: Sequence[np.ndarray], do: Callable[[Sequence[Step]], None]
    ) -> list[np.ndarray]:
        """`do` the steps for these inputs; the outputs belong to the caller."""
        places: list[np.ndarray] = []
        for i, (buffer, array) in enumerate(zip(self._inputs, arrays, strict=True)):
            is_bound = i in self._bound and _can_stand_in(array, buffer)
            if not is_bound:
                buffer[...] = array
            if i in self._bound:
                places.append(array if is_bound else buffer)
        places += [empty(output.shape, output.dtype) for output in self._given]
        memory = [place.reshape(-1).view(np.uint8) for place in places]
        do(self._moves.moved(memory))
        return [output.copy() if make is None else make(memory) for output, make in self._outputs]


class _Moves:
    """Steps with their arrays moved from some places to others.

    Args:
        steps: steps.
        places: arrays; each has its memory to itself.
    """

    def __init__(self, steps: Sequence[Step], places: Sequence[np.ndarray]) -> None:
        self._steps = list(steps)
        self._ranges = [_range(place) for place in places]
        made = ((i, self.make_of(arguments)) for i, (_, arguments) in enumerate(steps))
        self.makes = [(i, make) for i, make in made if make is not None]

    def moved(self, memory: Sequence[np.ndarray]) -> list[Step]:
        """The steps with the arrays of the places in `memory`, bytes for each of them."""
        steps = self._steps.copy()
        for i, make in self.makes:
            steps[i] = steps[i][0], make(memory)
        return steps

    def make_of(self, structure: object) -> Make | None:
        """What makes the structure with its arrays moved; None where it has none to move."""
        if isinstance(structure, np.ndarray):
            return self._make_array(structure)
        if not isinstance(structure, (tuple, list)):
            return None
        parts = [(i, make) for i, part in enumerate(structure) if (make := self.make_of(part))]
        if not parts:
            return None

        def make_sequence(memory: Sequence[np.ndarray]) -> Any:
            items = list(structure)
            for i, make in parts:
                items[i] = make(memory)
            return type(structure)(items)

        return make_sequence

    def _make_array(self, array: np.ndarray) -> Make | None:
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


def _is_large(array: np.ndarray) -> bool:
    return not isinstance(array, PackedText) and array.nbytes >= LARGE


def _can_stand_in(array: np.ndarray, place: np.ndarray) -> bool:
    """Whether compiled code can work on `array` as it works on `place`."""
    return array.flags.carray and array.shape == place.shape and array.dtype == place.dtype


def _range(array: np.ndarray) -> tuple[int, int]:
    start = array.__array_interface__["data"][0]
    return start, start + array.nbytes
