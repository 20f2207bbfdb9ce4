"""The arrays of a page as text: those of one sample in one sheet, so that it is shown at once."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import numpy as np

from nkeras.inspect.recording import Kept

_ALIGNED = 4  # bytes: arrays of float32 begin there


class Arrays:
    """What goes into a page beside its text.

    A *sheet* has what all layers gave for one sample at one moment, as bytes behind each other.

    Args:
        prefix: of the names of arrays by themselves.
    """

    def __init__(self, prefix: str = "a") -> None:
        self._prefix = prefix
        self._arrays: list[str] = []
        self._sheets: dict[int, list[bytearray]] = {}  # by the moment; of each sample

    def add(self, values: np.ndarray) -> dict[str, Any]:
        """Keep an array by itself; gives what the page has to know to find it."""
        self._arrays.append(_text(np.ascontiguousarray(values, "<f4").tobytes()))
        return {"id": f"{self._prefix}{len(self._arrays) - 1}", "shape": list(values.shape)}

    def place(self, kept: Kept, moment: int) -> dict[str, Any]:
        """Put what was kept of a layer into the sheets of a moment; gives where it is."""
        sheets = self._sheets.setdefault(moment, [bytearray() for _ in kept.values])
        begin = len(sheets[0])
        room = -(-kept.values[0].nbytes // _ALIGNED) * _ALIGNED
        is_rounded = kept.low is not None
        for sheet, values in zip(sheets, kept.values, strict=True):
            sheet += (values if is_rounded else values.astype("<f4")).tobytes().ljust(room, b"\0")
        about: dict[str, Any] = {"at": begin, "shape": list(kept.values.shape)}
        about |= {"whole": list(kept.shape), "step": kept.step}
        dead = int((~kept.alive).sum())
        if dead:
            about |= {"dead": dead, "channels": len(kept.alive)}
        return about | ({"low": kept.low, "scale": kept.scale} if is_rounded else {})

    def texts(self) -> Iterator[tuple[str, str]]:
        """Names and texts in the order in which a page needs them: the last moment first."""
        moments = sorted(self._sheets, reverse=True)
        for moment in moments[:1]:
            yield from self._named(moment)
        for number, text in enumerate(self._arrays):
            yield f"{self._prefix}{number}", text
        for moment in moments[1:]:
            yield from self._named(moment)

    def _named(self, moment: int) -> Iterator[tuple[str, str]]:
        for sample, sheet in enumerate(self._sheets[moment]):
            yield f"s{moment}-{sample}", _text(sheet)


def _text(raw: bytes | bytearray) -> str:
    return b64encode(raw).decode("ascii")
