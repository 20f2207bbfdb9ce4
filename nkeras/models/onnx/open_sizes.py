"""Reshaping where several sizes are open: axes are joined and split by names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from nkeras import ops
from nkeras.models.onnx.values import AnySize, Size, divided

_Group: TypeAlias = "tuple[list[AnySize], list[AnySize]]"
"""Neighbouring axes before and after, with as many elements."""


def rearranged(tensor: Any, before: Sequence[AnySize], after: Sequence[AnySize]) -> Any:
    """A tensor in another shape with the same elements in the same order.

    Args:
        tensor: symbolic tensor.
        before: its sizes.
        after: sizes of the result.

    Returns:
        Symbolic tensor; None where the sizes do not say which axes are joined and which are split.
    """
    groups = _groups(before, after)
    if groups is None or any(_open_axes(new) > 1 and len(old) != len(new) for old, new in groups):
        return None
    if any(len(old) > 1 for old, _ in groups):
        tensor = ops.rearrange(tensor, _pattern([len(old) for old, _ in groups], joins=True))
    counts = [len(new) for _, new in groups]
    if max(counts) == 1:
        return tensor
    lengths: dict[str, int] = {}
    for number, (_, new) in enumerate(groups):
        known = [i for i, size in enumerate(new) if not isinstance(size, Size)]
        if len(known) == len(new):  # one length follows from the others
            known = known[1:]
        lengths |= {f"a{number}_{i}": size for i in known if isinstance(size := new[i], int)}
    return ops.rearrange(tensor, _pattern(counts, joins=False), **lengths)


def _pattern(counts: list[int], joins: bool) -> str:
    names = [[f"a{group}_{i}" for i in range(count)] for group, count in enumerate(counts)]
    apart = " ".join(" ".join(group) for group in names)
    together = " ".join(f"({' '.join(group)})" if len(group) > 1 else group[0] for group in names)
    return f"{apart} -> {together}" if joins else f"{together} -> {apart}"


def _open_axes(sizes: list[AnySize]) -> int:
    return sum(isinstance(size, Size) for size in sizes)


def _groups(before: Sequence[AnySize], after: Sequence[AnySize]) -> list[_Group] | None:
    """Axes that belong together, from the left, as few as make up the same number of elements."""
    sources, targets = list(before), list(after)
    found: list[_Group] = []
    while sources and targets:
        old, new = [sources.pop(0)], [targets.pop(0)]
        left, right = old[0], new[0]
        while left != right:
            if divided(left, right) is not None and targets:
                new.append(targets.pop(0))
                right = right * new[-1]
            elif divided(right, left) is not None and sources:
                old.append(sources.pop(0))
                left = left * old[-1]
            else:
                return None
        found.append((old, new))
    if not found or any(size != 1 for size in sources + targets):
        return None
    found[-1][0].extend(sources)
    found[-1][1].extend(targets)
    return found
