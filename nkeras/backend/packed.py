"""Text as backends have it: the bytes of all elements in one array, and where each of them lies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

SPARE = 64  # bytes that may be read behind the last element

SPAN = np.dtype([("begin", np.int64), ("end", np.int64)])


class PackedText:
    """An array of text. What moves or selects elements does so with their places alone.

    Args:
        data: UTF-8, uint8, with `SPARE` more bytes at the end; never written again.
        spans: where each element lies in it: of dtype `SPAN`, in the shape of the array.
    """

    __slots__ = ("data", "spans")
    dtype = np.dtype(object)  # what text is in NumPy

    def __init__(self, data: np.ndarray, spans: np.ndarray) -> None:
        self.data = data
        self.spans = spans

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape."""
        return self.spans.shape

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.spans.size

    def __getitem__(self, index: Any) -> PackedText:
        return PackedText(self.data, self.spans[index])

    def __setitem__(self, index: Any, other: PackedText) -> None:
        """Hold another text, with `[...]` as index: the place in a plan where it is put."""
        self.data, self.spans = other.data, other.spans

    def copy(self) -> PackedText:
        """Another handle."""
        return PackedText(self.data, self.spans)

    def bounds(self) -> np.ndarray:
        """Begin and end of each element, in row-major order: int64 `(elements, 2)`."""
        return np.ascontiguousarray(self.spans).reshape(-1).view(np.int64).reshape(-1, 2)

    def tolist(self) -> Any:
        """Nested lists of `str`, or of `bytes` where these are no UTF-8."""
        return self.numpy().tolist()

    def rows(self) -> list[bytes]:
        """The elements in row-major order."""
        bounds = self.bounds()
        first = bounds.min(initial=self.data.size)
        data = self.data[first : bounds.max(initial=0)].tobytes()
        begins, ends = (bounds - first).T.tolist()
        return [data[begin:end] for begin, end in zip(begins, ends, strict=True)]

    def numpy(self) -> np.ndarray:
        """An array of `str`, or of `bytes` where these are no UTF-8."""
        found = np.empty(self.size, object)
        found[:] = to_texts(self.rows())
        return found.reshape(self.shape)


def to_bytes(text: str | bytes) -> bytes:
    """UTF-8; halves of characters, which Python may hold, as if they were some."""
    return text if isinstance(text, bytes) else str.encode(text, "utf-8", "surrogatepass")


def to_text(data: bytes) -> str | bytes:
    """A string where the bytes are one."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def to_texts(rows: Sequence[bytes]) -> list[str | bytes]:
    """Strings where rows are some; all at once, unless one is none or holds a zero."""
    try:
        found: list[Any] = b"\0".join(rows).decode().split("\0")
    except UnicodeDecodeError:
        found = []
    return found if len(found) == len(rows) else [to_text(row) for row in rows]


def packed_rows(rows: Sequence[bytes]) -> PackedText:
    """The text of some rows."""
    data = b"".join([*rows, bytes(SPARE)])
    ends = np.cumsum(np.fromiter(map(len, rows), np.int64, len(rows)))
    spans = np.zeros(len(rows), SPAN)
    spans["begin"][1:], spans["end"] = ends[:-1], ends
    return PackedText(np.frombuffer(data, np.uint8), spans)


def in_one(texts: Sequence[PackedText]) -> list[PackedText]:
    """The same texts with one array of bytes."""
    if all(text.data is texts[0].data for text in texts):
        return [*texts]
    data = np.concatenate([text.data for text in texts])
    starts = np.cumsum([0, *[text.data.size for text in texts[:-1]]])
    return [
        PackedText(data, (text.bounds() + start).view(SPAN).reshape(text.shape))
        for text, start in zip(texts, starts, strict=True)
    ]
