"""Text: what tensors of dtype "string" are made of, on the host whatever the backend.

They hold `PackedText`; layers for text make numbers of it, which go to the backend.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nkeras.backend import registry
from nkeras.backend.packed import SPAN, SPARE, PackedText
from nkeras.backend.protocol import Backend
from nkeras.core.errors import BackendError, short

STRING = "string"
_KINDS = frozenset((str, bytes, np.str_, np.bytes_))


def is_text(value: Any) -> bool:
    """Whether an array, or a nested list, holds text: among its elements there is some."""
    if isinstance(value, (list, tuple)):
        return begins_with_text(value) or _holds_text(value)
    if not isinstance(value, np.ndarray):
        return isinstance(value, (str, bytes))
    if value.dtype.kind == "O":
        return not _KINDS.isdisjoint(map(type, value.ravel().tolist()))
    return value.dtype.kind in "UST"


def begins_with_text(value: object) -> bool:
    """Whether the first element of a nested list is text: the others then must be."""
    while isinstance(value, (list, tuple)) and value:
        value = value[0]
    return isinstance(value, (str, bytes))


def _holds_text(values: list[Any] | tuple[Any, ...]) -> bool:
    return any(isinstance(value, (str, bytes)) for value in values)


def host_backend(backend: Backend) -> Backend:
    """The backend that computes with text: the active one if it does, else that of the CPU."""
    if getattr(backend, "takes_text", False):
        return backend
    try:
        return registry.load("numba_cpu")
    except BackendError:  # it cannot work here
        return registry.load("numpy")


def packed(value: Any, owner: str) -> PackedText:
    """Text as its tensor has it.

    Args:
        value: array or nested list that `is_text`; packed text is itself.
        owner: what the text is, for the message.

    Raises:
        ValueError: an element is no text, such as None; the message says which.
    """
    if isinstance(value, PackedText):
        return value
    is_row = isinstance(value, (list, tuple)) and type(value[0]) in _KINDS
    rows: Any = value if is_row or isinstance(value, np.ndarray) else np.asarray(value, object)
    try:
        return host_backend(registry.active()).kernels["pack_text"](rows)
    except TypeError:
        check_text(np.asarray(rows, object), owner)
        raise


def text_array(value: Any, owner: str) -> np.ndarray:
    """An array of text of NumPy's: contiguous, each element a `str` or `bytes`.

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


def blank(shape: tuple[int, ...]) -> PackedText:
    """Empty strings."""
    return PackedText(np.zeros(SPARE, np.uint8), np.zeros(shape, SPAN))


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
