"""Outline: arguments with their tensors left out, by which a call of a function is known again."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Structure

_PLAIN = (bool, int, float, complex, str, bytes, type(None))


class _Is:
    """A value that is a part of what is called: equal by type and value, or by identity."""

    __slots__ = ("key", "value")

    def __init__(self, value: Structure) -> None:
        self.value = value
        self.key = (type(value), repr(value) if isinstance(value, _PLAIN) else id(value))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Is) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


_TENSOR = "tensor"


def outlined(value: Structure, tensors: list[Tensor]) -> Structure:
    """The value with its tensors, which go to the list, left out: hashable."""
    if type(value) is Tensor:
        tensors.append(value)
        return _TENSOR
    if isinstance(value, (np.ndarray, np.generic)):
        tensors.append(to_tensor(value))
        return _TENSOR
    if isinstance(value, (list, tuple)):
        return (type(value), *[outlined(item, tensors) for item in value])
    if isinstance(value, dict):
        return (dict, *[(key, outlined(item, tensors)) for key, item in value.items()])
    return _Is(value)


def filled(outline: Structure, tensors: Iterator[Tensor]) -> Structure:
    """The value again, with the next tensors."""
    if outline is _TENSOR:
        return next(tensors)
    if type(outline) is _Is:
        return outline.value
    kind, *items = outline
    if kind is dict:
        return {key: filled(item, tensors) for key, item in items}
    values = [filled(item, tensors) for item in items]
    return kind(*values) if hasattr(kind, "_fields") else kind(values)
