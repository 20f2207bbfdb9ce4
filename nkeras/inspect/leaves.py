"""An outline without its nesting: the boxes that compute, and which tensors they take."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from nkeras.inspect.outline import Box, Ends, Outline
from nkeras.inspect.placing import Path


@dataclass(frozen=True)
class Leaf:
    """A box without boxes inside.

    Attributes:
        path: its numbers, those of the models around first.
        key: its name as in `Model.activations`: `"encoder/dense#2"`.
        box: the box.
        sources: for each tensor that it takes the leaf that makes it, and which of its tensors; of
            an input of the model nothing, of that of a nested model the tensor outside.
    """

    path: Path
    key: str
    box: Box
    sources: list[Ends]


def leaves_of(outline: Outline) -> tuple[list[Leaf], list[Ends]]:
    """The leaves of a model in the order in which they are computed, and its outputs."""
    found: list[Leaf] = []
    counts: Counter[str] = Counter()
    outputs = _add(found, counts, outline, (), (), None)
    return found, outputs


def _add(
    found: list[Leaf],
    counts: Counter[str],
    outline: Outline,
    path: Path,
    names: tuple[str, ...],
    given: list[Ends] | None,
) -> list[Ends]:
    """Add the leaves of one model; gives what makes its outputs. `given` are tensors outside."""
    made: dict[Ends, Ends] = {}
    sources: dict[int, dict[int, Ends]] = {}
    for source, (target, position) in outline.edges:
        sources.setdefault(target, {})[position] = source
    inputs = {number: place for place, (number, _) in enumerate(outline.inputs)}
    for number, box in enumerate(outline.boxes):
        taken = [made[end] for _, end in sorted(sources.get(number, {}).items())]
        if box.inner is not None:
            inner = _add(found, counts, box.inner, (*path, number), (*names, box.name), taken)
            made |= {(number, index): end for index, end in enumerate(inner)}
            continue
        if given is not None and number in inputs:
            taken = [given[inputs[number]]]
        key = "/".join((*names, box.name))
        counts[key] += 1
        if counts[key] > 1:
            key = f"{key}#{counts[key]}"
        for index in range(max(len(box.outputs), 1)):
            made[number, index] = (len(found), index)
        found.append(Leaf((*path, number), key, box, taken))
    return [made[end] for end in outline.outputs]
