"""Text: arrays of `str` or `bytes`, which tensors of dtype "string" hold on the host.

Whatever the backend, such an array is NumPy's, of Python objects: layers for text make numbers of
it, which go to the backend.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nkeras.core.errors import short

STRING = "string"
_KINDS = frozenset((str, bytes, np.str_, np.bytes_))


def is_text(value: Any) -> bool:
    """Whether an array, or a nested list, holds text: among its elements there is some."""
    if isinstance(value, (list, tuple)):
        return any(is_text(item) for item in value[:1]) or _holds_text(value)
    if not isinstance(value, np.ndarray):
        return isinstance(value, (str, bytes))
    if value.dtype.kind == "O":
        return not _KINDS.isdisjoint(map(type, value.ravel().tolist()))
    return value.dtype.kind in "UST"


def _holds_text(values: list[Any] | tuple[Any, ...]) -> bool:
    return any(isinstance(value, (str, bytes)) for value in values)


def is_of_text(array: Any) -> bool:
    """Whether an array of a tensor's is that of text."""
    return array is not None and array.dtype == object


def text_array(value: Any, owner: str) -> np.ndarray:
    """An array of text as its tensor has it: contiguous, each element a `str` or `bytes`.

    Args:
        value: array or nested list that `is_text`.
        owner: what the text is, for the message.

    Raises:
        ValueError: an element is no text, such as None; the message says which.
    """
    array = np.asarray(value, dtype=object, order="C")
    if not (isinstance(value, np.ndarray) and value.dtype.kind in "US"):
        check_text(array, owner)
    return array


def check_text(array: np.ndarray, owner: str) -> None:
    """Refuse an array of objects with an element that is no text."""
    elements = array.ravel().tolist()
    if _KINDS.issuperset(map(type, elements)):
        return
    first = next(i for i, element in enumerate(elements) if type(element) not in _KINDS)
    found = elements[first]
    place = [int(index) for index in np.unravel_index(first, array.shape)]
    if isinstance(found, (list, tuple)):
        raise ValueError(
            f"{owner}: its rows of text have different lengths. Received at {short(place)}: "
            f"{short(found)}; fill them up with '', or join each to one string."
        )
    raise ValueError(
        f"{owner}: text is needed throughout, str or bytes. Received at {short(place)}: "
        f"{short(found)} (of type {type(found).__name__}); put a string in its place, such as ''."
    )


def blank(shape: tuple[int, ...]) -> np.ndarray:
    """An array of empty strings."""
    return np.full(shape, "", object)


def no_numbers(owner: str, dtype: str) -> TypeError:
    """What is raised where text is needed and numbers came."""
    return TypeError(
        f"{owner}: text is needed here, `str` or `bytes`. Received numbers of dtype {dtype}; make "
        "text of them before, such as `array.astype(str)`."
    )


class TextGiven(TypeError):
    """Numbers are needed, and text came."""


def no_text(owner: str) -> TextGiven:
    """What is raised where numbers are needed and text came."""
    return TextGiven(
        f"{owner}: numbers are needed here. Received text, a tensor of dtype string; make numbers "
        "of it first with `nkeras.layers.StringLookup`, `Hashing` or `TextVectorization`."
    )
