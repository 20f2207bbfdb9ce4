"""The rounds of a loop over slices, one by one; those of a recorded step that are alike, as one.

See `nkeras.replay.turns`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from nkeras.core import observer, tree
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Structure
from nkeras.ops.shape import concatenate, section, stack, swapaxes

FEWEST = 16  # rounds: fewer are not worth a loop
HEAD = 4  # rounds that run one by one first, as the last one does

Step = Callable[[Any, Any], tuple[Any, Any]]
Slices = Callable[[Any, int], Sequence[Any]]
"""All slices of tensors, so many, as a step takes them."""


def take_turns(
    step: Step,
    carry: Any,
    xs: Structure,
    slices: Slices,
    count: int,
    function: Callable[..., Any],
    *,
    backwards: bool,
    axis: int = 0,
) -> tuple[Any, Any, Any]:
    """`carry, y = step(carry, x)` for each slice x.

    Args:
        step: function of carry and slice; gives the new carry and an output, or None.
        carry: the first one, a structure.
        xs: structure of tensors; one without any for rounds that get nothing.
        slices: gives those of such a structure, as `step` takes them.
        count: how many there are, at least one.
        function: of the user's, or another, that `step` calls.
        backwards: whether to begin with the last slice.
        axis: along which slices lie and outputs are stacked.

    Returns:
        The last carry, the last output, and all outputs stacked, None where the last is None.
    """
    recorder = observer.active()
    turns = None if recorder is None or count < FEWEST else recorder.turns(function, _leaves(xs))
    outputs: list[Any] = []
    middle = None
    if turns is None:
        for x in _in_order(slices(xs, count), backwards):
            carry, y = step(carry, x)
            outputs.append(y)
    else:
        # Sections come first, so that gradients by the whole are summed as from all slices.
        bounds = (0, 1, count - HEAD, count) if backwards else (0, HEAD, count - 1, count)
        parts = [_section(xs, axis, *pair) for pair in pairwise(bounds)]
        head, between, last = parts[::-1] if backwards else parts
        given = _in_order(slices(head, HEAD), backwards), slices(last, 1)
        for x in given[0]:
            turns.begin(_leaves(carry), _leaves(x))
            carry, y = step(carry, x)
            turns.end(_leaves(carry), _leaves(y))
            outputs.append(y)
        if turns.are_alike():
            stacks = [leaf if axis == 0 else swapaxes(leaf, 0, axis) for leaf in _leaves(between)]
            middle = turns.repeat(stacks, count - 1 - HEAD, backwards)
        if middle is not None:
            flat = iter(middle[0])
            carry = tree.map_structure(lambda leaf: None if leaf is None else next(flat), carry)
        rest = [] if middle is not None else _in_order(slices(between, count - 1 - HEAD), backwards)
        for x in (*rest, *given[1]):
            carry, y = step(carry, x)
            outputs.append(y)
    last = outputs[-1]
    if last is None:
        return carry, None, None
    if middle is not None:
        return carry, last, _joined(outputs, middle[1], backwards, axis)
    return carry, last, _stacked(_in_order(outputs, backwards), axis)


def _in_order(rounds: Sequence[Any], backwards: bool) -> Sequence[Any]:
    return rounds[::-1] if backwards else rounds


def _section(xs: Structure, axis: int, first: int, last: int) -> Structure:
    return tree.map_structure(
        lambda leaf: leaf if leaf is None else section(leaf, axis, first, last), xs
    )


def _leaves(structure: Structure) -> list[Any]:
    return [leaf for leaf in tree.flatten(structure) if leaf is not None]


def _stacked(rows: Sequence[Structure], axis: int) -> Structure:
    return tree.map_structure(lambda *leaves: stack(leaves, axis), *rows)


def _joined(
    outputs: Sequence[Structure],
    middle: Sequence[tuple[Tensor, Tensor | None]],
    backwards: bool,
    axis: int,
) -> Structure:
    """All outputs: those of the first rounds, of the loop, and of the last round."""
    found = iter(middle)

    def join(*leaves: Tensor) -> Tensor:
        rows, instead = next(found)
        behind = [leaves[-1]]
        if instead is not None:  # of the loop's last row
            behind.insert(0, instead)
            first = 1 if backwards else 0
            rows = section(rows, 0, first, first + rows.shape[0] - 1)
        rows = rows if axis == 0 else swapaxes(rows, 0, axis)
        parts = [stack(_in_order(part, backwards), axis) for part in (leaves[:-1], behind)]
        return concatenate(_in_order([parts[0], rows, parts[1]], backwards), axis)

    return tree.map_structure(join, *outputs)
