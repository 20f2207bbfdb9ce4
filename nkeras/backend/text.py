"""Text as kernels take it: bytes with offsets, how it is cut into tokens, and tables of words."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

PUNCTUATION = string.punctuation.encode()
END = b"\xff"  # no byte of UTF-8: ends each token of a row that others have cut

SPARE = 64

Salt = tuple[int, int] | None
"""The key of SipHash; FarmHash for None."""


class Tokens(NamedTuple):
    """How a row of text becomes tokens, in this order.

    Attributes:
        lower: letters of ASCII become small, as `tf.strings.lower` does.
        strip: the punctuation of ASCII goes.
        split: `"whitespace"` (of ASCII), `"character"`, `"ended"` (each token is followed by `END`)
            or `""`: the row is one token.
        ngrams: sizes; the n-grams of the first one come first. None: the tokens themselves.
    """

    lower: bool = False
    strip: bool = False
    split: str = ""
    ngrams: tuple[int, ...] | None = None


class Table:
    """Numbers of words.

    Args:
        words: each once.
        numbers: of the words.
        missing: the number of other words.
        first: number of the first bucket, where there are several.
        buckets: other words have the numbers `first + hash % buckets` where there are any.
        salt: of that hash.
    """

    def __init__(
        self,
        words: Sequence[bytes],
        numbers: Sequence[int],
        missing: int,
        first: int = 0,
        buckets: int = 0,
        salt: Salt = None,
    ) -> None:
        self.words = words
        self.numbers = numbers
        self.missing = missing
        self.first = first
        self.buckets = buckets
        self.salt = salt
        self.prepared: Any = None  # what a backend makes of it


class Words:
    """Words by their numbers.

    Args:
        words: numbers 0, 1, 2...
        missing: the word of other numbers.
    """

    def __init__(self, words: Sequence[str], missing: str) -> None:
        self.words = np.array([*words, missing], object)


class Packed(NamedTuple):
    """Rows of text in one array.

    Attributes:
        data: UTF-8, uint8; `SPARE` more bytes may be read behind the last row.
        offsets: where each row begins, and the end of the last one: int64.
    """

    data: np.ndarray
    offsets: np.ndarray


class TextCounter(Protocol):
    """Counts tokens."""

    def add(self, x: np.ndarray, rows: int) -> None:
        """Count the tokens of an array of text, of which each so many elements are a document."""
        ...

    def result(self) -> tuple[list[bytes], np.ndarray, np.ndarray]:
        """The words in the order they came, how often each was there, and in how many documents."""
        ...


def to_bytes(text: str | bytes) -> bytes:
    """UTF-8; halves of characters, which Python may hold, as if they were some."""
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")


def to_text(data: bytes) -> str | bytes:
    """A string where the bytes are one."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def packed(x: np.ndarray) -> Packed:
    """The rows of an array of objects, `str` or `bytes`."""
    rows = x.ravel().tolist()
    joined = _joined(rows)
    if joined is None or not joined.isascii():
        rows = [to_bytes(row) for row in rows]
        data = b"".join([*rows, bytes(SPARE)])
    else:
        data = joined.encode()
    offsets = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, rows), np.int64, len(rows)), out=offsets[1:])
    return Packed(np.frombuffer(data, np.uint8), offsets)


def _joined(rows: list[Any]) -> str | None:
    try:
        return "".join([*rows, "\0" * SPARE])
    except TypeError:  # there are bytes among them
        return None
