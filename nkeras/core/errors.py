"""Errors of nkeras' own; bad arguments are `ValueError` and `TypeError`, as in Keras."""

from __future__ import annotations

from typing import NoReturn


class BackendError(RuntimeError):
    """A backend is missing, failed to load, or lacks what was asked of it."""


def refuse(argument: str, value: object, expected: str, owner: str) -> NoReturn:
    """Raise a ValueError that says what came for an argument and what would be right."""
    raise ValueError(f"{owner}: argument `{argument}` must be {expected}. Received: {value!r}")
