"""Pillow, which reads and writes files of images."""

from __future__ import annotations

from typing import Any


def require_pillow(owner: str) -> Any:
    """The module `PIL.Image`.

    Args:
        owner: what needs it, for the error.

    Raises:
        ImportError: it is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            f"{owner}: images are read and written by the package pillow, which cannot be imported "
            f"({error}). Install it: pip install 'nkeras[image]'"
        ) from error
    return Image
