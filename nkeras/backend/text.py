"""What kernels for text are told: how it is cut into tokens, and tables of words."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from nkeras.backend.packed import PackedText, packed_rows, to_bytes

PUNCTUATION = string.punctuation.encode()
END = b"\xff"  # no byte of UTF-8: ends each token of a row that others have cut

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
        words: Sequence[str | bytes],
        numbers: Sequence[int] | np.ndarray,
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
        self.text = packed_rows([to_bytes(word) for word in (*words, missing)])


class TextCounter(Protocol):
    """Counts tokens."""

    def add(self, x: PackedText, rows: int) -> None:
        """Count the tokens of an array of text, of which each so many elements are a document."""
        ...

    def result(self) -> tuple[list[bytes], np.ndarray, np.ndarray]:
        """The words in the order they came, how often each was there, and in how many documents."""
        ...
