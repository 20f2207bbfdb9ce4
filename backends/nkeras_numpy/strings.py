"""Text: how it is packed, what moves its elements, what makes numbers of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nkeras.backend.packed import PackedText, in_one, packed_rows, to_bytes
from nkeras.backend.text import END, PUNCTUATION, Salt, Table, Tokens, Words
from nkeras_numpy.hashes import crossed, hashed
from nkeras_numpy.registry import KERNELS


@KERNELS.register
def pack_text(rows: Sequence[str | bytes] | np.ndarray) -> PackedText:
    """The text of a list of rows, or of an array of NumPy's; a TypeError where one is no text."""
    if isinstance(rows, np.ndarray):
        return reshaped(pack_text(rows.ravel().tolist()), rows.shape)
    return packed_rows([to_bytes(row) for row in rows])


def reshaped(x: PackedText, shape: tuple[int, ...]) -> PackedText:
    """The text in another shape."""
    return PackedText(x.data, x.spans.reshape(shape))


@KERNELS.register
def move_text(*xs: Any, move: str, static: Mapping[str, Any]) -> PackedText:
    """What a kernel makes of text that moves elements, and looks at none: it moves their places."""
    texts = iter(in_one([x for x in xs if isinstance(x, PackedText)]))
    moved = [next(texts) if isinstance(x, PackedText) else x for x in xs]
    places = [x.spans if isinstance(x, PackedText) else x for x in moved]
    text = next(x for x in moved if isinstance(x, PackedText))
    return PackedText(text.data, KERNELS[move](*places, **static))


@KERNELS.register
def lookup_text(x: PackedText, *, table: Table) -> np.ndarray:
    index = _index(table)
    numbers = [number_of(word, index, table) for word in x.rows()]
    return np.array(numbers, np.int64).reshape(x.shape)


def _index(table: Table) -> dict[bytes, int]:
    return dict(zip(map(to_bytes, table.words), table.numbers, strict=True))


def number_of(word: bytes, index: dict[bytes, int], table: Table) -> int:
    """The number of a word by a table whose words have the numbers of `index`."""
    if word in index or table.buckets == 0:
        return index.get(word, table.missing)
    return table.first + hashed(word, table.salt) % table.buckets


@KERNELS.register
def text_at(x: np.ndarray, *, words: Words) -> PackedText:
    """The words of numbers."""
    count = words.text.size - 1
    known = np.where((x >= 0) & (x < count), x, count).astype(np.int64)
    return words.text[known, ...]  # also the word of one number is an array


@KERNELS.register
def hash_text(x: PackedText, *, bins: int, salt: Salt, mask: bytes | None) -> np.ndarray:
    """Hash of each text; where there is a mask it has bin 0, and others begin at 1."""
    first = 0 if mask is None else 1
    numbers = [0 if row == mask else first + hashed(row, salt) % (bins - first) for row in x.rows()]
    return np.array(numbers, np.int64).reshape(x.shape)


@KERNELS.register
def hash_integers(x: np.ndarray, *, bins: int, salt: Salt) -> np.ndarray:
    """Hash of each integer, written in decimal digits."""
    return hash_text(pack_text(x.astype(str)), bins=bins, salt=salt, mask=None)


@KERNELS.register
def cross_hashes(*xs: PackedText | np.ndarray, bins: int) -> np.ndarray:
    """Hash of what stands at one place in all arrays: integers, or the hashes of text."""
    columns = [_features(x) for x in xs]
    numbers = [crossed(row) % bins for row in zip(*columns, strict=True)]
    return np.array(numbers, np.int64).reshape(xs[0].shape)


def _features(x: PackedText | np.ndarray) -> list[int]:
    if isinstance(x, PackedText):
        return [hashed(row, None) for row in x.rows()]
    return [number % (1 << 64) for number in x.ravel().tolist()]


def tokens_of(row: bytes, how: Tokens) -> list[bytes]:
    """The tokens of a row of text."""
    text = row.lower() if how.lower else row
    text = text.translate(None, PUNCTUATION) if how.strip else text
    if how.split == "whitespace":
        tokens = text.split()
    elif how.split == "character":
        tokens = [character.encode() for character in text.decode(errors="replace")]
    else:
        tokens = text.split(END)[:-1] if how.split == "ended" else [text]
    if how.ngrams is None:
        return tokens
    return [
        b" ".join(tokens[first : first + size])
        for size in how.ngrams
        for first in range(len(tokens) - size + 1)
    ]


@KERNELS.register
def token_lengths(x: PackedText, *, how: Tokens) -> np.ndarray:
    """How many tokens each row has."""
    return np.array([len(tokens_of(row, how)) for row in x.rows()], np.int64).reshape(x.shape)


@KERNELS.register
def tokens(x: PackedText, *, how: Tokens, table: Table, length: int, fill: int) -> np.ndarray:
    """The numbers of each row's first tokens, filled up."""
    result, index = np.full((x.size, length), fill, np.int64), _index(table)
    for numbers, row in zip(result, x.rows(), strict=True):
        words = tokens_of(row, how)[:length]
        numbers[: len(words)] = [number_of(word, index, table) for word in words]
    return result


@KERNELS.register
def token_counts(
    x: PackedText, *, how: Tokens, table: Table, depth: int, binary: bool, dtype: str
) -> np.ndarray:
    """How many tokens of each row have each number, or whether there is one."""
    result, index = np.zeros((x.size, depth), dtype), _index(table)
    for numbers, row in zip(result, x.rows(), strict=True):
        for word in tokens_of(row, how):
            number = number_of(word, index, table)
            if 0 <= number < depth:
                numbers[number] = 1 if binary else numbers[number] + 1
    return result


class Counting:
    """Counts tokens; see `nkeras.backend.text.TextCounter`."""

    def __init__(self, how: Tokens) -> None:
        self._how = how
        self._counts: Counter[bytes] = Counter()
        self._documents: Counter[bytes] = Counter()

    def add(self, x: PackedText, rows: int) -> None:
        """Count the tokens of an array."""
        elements = x.rows()
        for first in range(0, len(elements), rows):
            document = [
                word for row in elements[first : first + rows] for word in tokens_of(row, self._how)
            ]
            self._counts.update(document)
            self._documents.update(set(document))

    def result(self) -> tuple[list[bytes], np.ndarray, np.ndarray]:
        """What was counted."""
        words = list(self._counts)
        counts = [np.array([table[w] for w in words], np.int64) for table in self._tables()]
        return words, counts[0], counts[1]

    def _tables(self) -> tuple[Counter[bytes], Counter[bytes]]:
        return self._counts, self._documents


@KERNELS.register
def text_counter(*, how: Tokens) -> Counting:
    """What counts tokens."""
    return Counting(how)
