"""The arguments of TensorBoard, checked."""

from __future__ import annotations

from typing import Any

from nkeras.core.errors import refuse


def checked_count(argument: str, value: Any) -> int:
    """A number of epochs, or 0."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        refuse(argument, value, "an int of at least 0", "TensorBoard")
    return value


def checked_update(value: Any) -> int | str:
    """`"epoch"`, or a number of steps."""
    if value == "epoch":
        return "epoch"
    steps = 1 if value == "batch" else value
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        refuse("update_freq", value, '"batch", "epoch" or a positive int', "TensorBoard")
    return steps


def profiled_batches(value: Any) -> tuple[int, int]:
    """The first and the last step to be profiled; `(0, 0)` for none."""
    first, last = _pair(value)
    if (first, last) != (0, 0) and not 0 < first <= last:
        refuse(
            "profile_batch",
            value,
            "a non-negative int or a pair of positive int, the first and the last step",
            "TensorBoard",
        )
    return first, last


def _pair(value: Any) -> tuple[int, int]:
    """What the argument says; `(-1, -1)` where it is something else."""
    found: Any = value
    if isinstance(found, str):
        parts = found.split(",")
        found = [int(part) if part.strip().isdecimal() else -1 for part in parts]
        found = found[0] if len(found) == 1 else found
    pair = found if isinstance(found, (tuple, list)) else (found, found)
    if len(pair) != 2 or not all(type(one) is int for one in pair):
        return -1, -1
    return pair[0], pair[1]
