"""Errors of nkeras' own; bad arguments are `ValueError` and `TypeError`, as in Keras."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, NoReturn

import numpy as np


class BackendError(RuntimeError):
    """A backend is missing, failed to load, or lacks what was asked of it."""


def refuse(argument: str, value: object, expected: str, owner: str) -> NoReturn:
    """Raise a ValueError that says what came for an argument and what would be right."""
    raise ValueError(f"{owner}: argument `{argument}` must be {expected}. Received: {short(value)}")


def short(value: object, most: int = 100) -> str:
    """What `repr` says of a value, cut to so many characters: a message is no place for data."""
    text = repr(value)
    return text if len(text) <= most else f"{text[: most - 3]}..."


def nearest(name: object, known: Iterable[str]) -> str:
    """The end of a message on an unknown name: the three known names that are most like it."""
    if not isinstance(name, str):
        return ""
    spellings: dict[str, str] = {}  # the last one of those that differ by case and underscores
    for one in sorted(known):
        spellings[one.lower().replace("_", "")] = one
    wanted = name[:100].lower().replace("_", "")
    found = [spellings[one] for one in get_close_matches(wanted, spellings, 3, cutoff=0.4)]
    return f" Did you mean {', '.join(map(repr, found))}?" if found else ""


def as_bool(value: Any, argument: str, owner: str) -> bool:
    """A switch: True or False, or 1 or 0, but no text such as "False", which would be true.

    Raises:
        TypeError: it is something else.
    """
    if isinstance(value, (bool, np.bool_, int)) and value in (0, 1):
        return bool(value)
    raise TypeError(
        f"{owner}: argument `{argument}` must be True or False. Received: {short(value)}"
    )
