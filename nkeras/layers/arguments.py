"""Checks of arguments that several families of layers share."""

from __future__ import annotations

from typing import Any

from nkeras.core.errors import refuse


def int_tuple(value: Any, count: int, argument: str, owner: str, least: int = 1) -> tuple[int, ...]:
    """`count` ints from one int or from as many.

    Raises:
        ValueError: wrong number of ints, or one below `least`.
    """
    expected = f"an int or {count} ints, each at least {least}"
    if isinstance(value, bool) or not (hasattr(value, "__index__") or hasattr(value, "__iter__")):
        refuse(argument, value, expected, owner)
    values = tuple(value) if hasattr(value, "__iter__") else (value,) * count
    if len(values) != count or not all(hasattr(number, "__index__") for number in values):
        refuse(argument, value, expected, owner)
    numbers = tuple(int(number) for number in values)
    if min(numbers) < least:
        refuse(argument, value, expected, owner)
    return numbers


def int_pairs(value: Any, rank: int, argument: str, owner: str) -> tuple[tuple[int, ...], ...]:
    """One (low, high) pair for each of `rank` axes, from an int, one int or one pair for each axis.

    Raises:
        ValueError: it is none of these, or negative.
    """
    if hasattr(value, "__index__"):
        value = (value,) * rank
    if not hasattr(value, "__len__") or len(value) != rank:
        refuse(argument, value, f"an int, or {rank} ints or pairs of ints", owner)
    return tuple(int_tuple(item, 2, argument, owner, least=0) for item in value)


def padding_mode(value: Any, owner: str, causal: bool = False) -> str:
    """`"valid"`, `"same"` or (if allowed) `"causal"`.

    Raises:
        ValueError: it is something else.
    """
    accepted = ("valid", "same", "causal") if causal else ("valid", "same")
    mode = value.lower() if isinstance(value, str) else value
    if mode not in accepted:
        refuse("padding", value, f"one of {', '.join(accepted)}", owner)
    return mode


def positive_int(value: Any, argument: str, owner: str) -> int:
    """A positive int.

    Raises:
        ValueError: it is no int, or not positive.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__") or int(value) <= 0:
        refuse(argument, value, "a positive int", owner)
    return int(value)
