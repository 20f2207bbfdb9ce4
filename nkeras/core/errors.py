"""Errors of nkeras' own; bad arguments are `ValueError` and `TypeError`, as in Keras."""

from __future__ import annotations

import inspect
import os
import re
import sys
import warnings
from collections.abc import Iterable, Sized
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

import numpy as np

# Files whose frames are not the user's: nkeras and its backends, installed or in a checkout.
_HOME = Path(__file__).parents[2]
OURS = (
    str(_HOME / "nkeras") + os.sep,
    *(str(_HOME / folder / "nkeras_") for folder in ("", "backends")),
)


class BackendError(RuntimeError):
    """A backend is missing, failed to load, or lacks what was asked of it."""


class OutOfMemoryError(BackendError, MemoryError):
    """A device has no memory for an array; models and tensors that were there are as before."""


class SettingError(ValueError):
    """An environment variable has a value that means nothing: no backend is at fault."""


def refuse(argument: str, value: object, expected: str, owner: str) -> NoReturn:
    """Raise a ValueError that says what came for an argument and what would be right."""
    raise ValueError(f"{owner}: argument `{argument}` must be {expected}. Received: {short(value)}")


def refuse_ragged(value: object, owner: str) -> None:
    """Refuse rows of different lengths, which TensorFlow has tensors for.

    Raises:
        ValueError: `value` is such a tensor.
    """
    if type(value).__name__ == "RaggedTensor":
        raise ValueError(
            f"{owner}: nkeras has no ragged tensors. Received: {short(value)}; fill its rows up, "
            "numbers with `x.to_tensor()`, text with `x.to_tensor('')`: a lookup with "
            "`mask_token=''` leaves the filling out."
        )


def short(value: object, most: int = 100) -> str:
    """What `repr` says of a value, on one line of so many characters, with its size if cut."""
    kind = type(value).__name__[:20]
    try:
        text = re.sub(r"\s*\n\s*", " ", repr(value))
        if len(text) <= most or isinstance(value, type):
            return cut_text(text, most)
        shape = getattr(value, "shape", None)
        size = f" (shape {shape})" if shape is not None else ""
        size = size or (f" ({kind} of length {len(value)})" if isinstance(value, Sized) else "")
    except Exception as error:  # the user's own, or nested too deeply
        return f"<{kind} whose repr raises {type(error).__name__[:20]}>"
    size = size if len(size) < most // 2 else ""
    return cut_text(text, most - len(size)) + size


def cut_text(text: str, most: int = 100) -> str:
    """A text without its middle, where it has more characters than so many."""
    half = (most - 5) // 2
    return text if len(text) <= most else f"{text[:half]} ... {text[-half:]}"


def nearest(name: object, known: Iterable[str]) -> str:
    """The end of a message on an unknown name: the three known names that are most like it."""
    if not isinstance(name, str):
        return ""
    spellings: dict[str, str] = {}  # the last one of those that differ by case and underscores
    for spelling in sorted(known):
        spellings[spelling.lower().replace("_", "")] = spelling
    wanted = name[:100].lower().replace("_", "")
    found = [spellings[match] for match in get_close_matches(wanted, spellings, 3, cutoff=0.4)]
    return f" Did you mean {', '.join(short(item, 40) for item in found)}?" if found else ""


def as_bool(value: object, argument: str, owner: str) -> bool:
    """A switch: True or False, or 1 or 0, but no text such as "False", which would be true.

    Raises:
        TypeError: it is something else.
    """
    if isinstance(value, (bool, np.bool_, int)) and value in (0, 1):
        return bool(value)
    raise TypeError(
        f"{owner}: argument `{argument}` must be True or False. Received: {short(value)}"
    )


def is_a(value: object, kinds: type | tuple[type, ...]) -> bool:
    """`isinstance` for an argument, where users may pass what its declared type forbids."""
    return isinstance(value, kinds)


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn, at the innermost line that is not in nkeras: that is the one the user can change."""
    if sys.version_info >= (3, 12):
        warnings.warn(message, category, stacklevel=2, skip_file_prefixes=OURS)
    else:
        warnings.warn(message, category, stacklevel=_levels_to_the_user())


def _levels_to_the_user() -> int:
    """The `stacklevel` of that line for `warn`; `warnings` does not count frames of imports."""
    level, frame = 0, inspect.currentframe()
    while frame is not None and frame.f_back is not None:
        frame = frame.f_back
        name = frame.f_code.co_filename
        level += not ("importlib" in name and "_bootstrap" in name)
        if not name.startswith((*OURS, "<frozen importlib")):
            break
    return level
