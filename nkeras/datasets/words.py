"""Texts as lists of numbers of words: what `imdb` and `reuters` do with them."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nkeras.core.errors import cut_text, is_a, refuse

Integers = npt.NDArray[np.int64]
Split = tuple[npt.NDArray[Any], npt.NDArray[Any]]


def shuffled(
    texts: npt.NDArray[Any], labels: npt.NDArray[Any], generator: np.random.RandomState
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Texts `(samples,)` and labels `(samples,)` in the order that Keras gives them."""
    if texts.ndim != 1 or labels.shape != texts.shape or labels.dtype.kind not in "biu":
        raise ValueError(
            f"arrays of shapes {texts.shape} and {labels.shape} (dtype {labels.dtype}) are no "
            "texts with a label each"
        )
    order = np.arange(len(texts))
    generator.shuffle(order)
    return texts[order], labels[order]


class Rules:
    """What the arguments of `load_data` say of words, checked.

    Args:
        owner: the function, for errors.
        num_words: how many numbers of words there are, or None.
        skip_top: the lowest number that is kept.
        maxlen: texts of this length and above are left out; None keeps all.
        start_char: number at the beginning of each text, or None.
        oov_char: number in place of words that are not kept, or None to leave them out.
        index_from: what is added to each number.
    """

    def __init__(
        self,
        owner: str,
        num_words: int | None,
        skip_top: int,
        maxlen: int | None,
        start_char: int | None,
        oov_char: int | None,
        index_from: int | None,
    ) -> None:
        self._owner = owner
        self._num_words = _integer("num_words", num_words, owner, 0)
        self._skip_top = _integer("skip_top", skip_top, owner) or 0
        self._maxlen = _integer("maxlen", maxlen, owner, 0)
        self._start_char = _integer("start_char", start_char, owner)
        self._oov_char = _integer("oov_char", oov_char, owner)
        self._index_from = _integer("index_from", index_from, owner) or 0

    def begin(
        self, texts: npt.NDArray[Any], labels: npt.NDArray[Any]
    ) -> tuple[Integers, Integers, npt.NDArray[Any]]:
        """Words of all texts in a row, the lengths of the texts, and labels: those that are kept.

        Each text has its start, and each word its number.
        """
        words, lengths = _flat(texts)
        words = words + self._index_from
        if self._start_char is not None:
            words = np.insert(words, np.cumsum(lengths) - lengths, self._start_char)
            lengths = lengths + 1
        if self._maxlen:
            short_enough = lengths < self._maxlen
            words = words[np.repeat(short_enough, lengths)]
            lengths, labels = lengths[short_enough], labels[short_enough]
            if not len(lengths):
                refuse("maxlen", self._maxlen, "larger: no text is shorter", self._owner)
        return words, lengths, labels

    def end(self, words: Integers, lengths: Integers) -> npt.NDArray[Any]:
        """The texts, an array `(samples,)` of lists, with the words that are kept."""
        most = self._num_words or words.max(initial=0)
        kept = (words >= self._skip_top) & (words < most)
        if self._oov_char is not None:
            words = np.where(kept, words, self._oov_char)
        else:
            texts = np.repeat(np.arange(len(lengths)), lengths)
            words, lengths = words[kept], np.bincount(texts[kept], minlength=len(lengths))
        numbers: list[int] = words.tolist()
        found = np.empty(len(lengths), object)
        start = 0
        for index, length in enumerate(lengths.tolist()):
            found[index] = numbers[start : start + length]
            start += length
        return found


def read_word_index(path: Path) -> dict[str, int]:
    """The number of each word, from a JSON file.

    Raises:
        ValueError: the file is something else.
    """
    try:
        found: Any = json.loads(path.read_text("utf-8"))
        if not isinstance(found, dict) or not all(type(n) is int for n in found.values()):  # pyright: ignore[reportUnknownVariableType]
            raise ValueError("it is no dict of words with their numbers")
        return found  # pyright: ignore[reportUnknownVariableType]
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{cut_text(str(path), 200)} is damaged: {error}") from error


def _flat(texts: npt.NDArray[Any]) -> tuple[Integers, Integers]:
    for index, text in enumerate(texts):
        if not isinstance(text, list):
            raise ValueError(f"text {index} is no list of numbers")
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    try:
        numbers = chain.from_iterable(texts)
        return np.fromiter(numbers, np.int64, int(lengths.sum())), lengths
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError("a text holds what is no number of a word") from error


def _integer(argument: str, value: object, owner: str, least: int | None = None) -> int | None:
    if value is None:
        return None
    if is_a(value, (int, np.integer)) or (is_a(value, float) and float(value).is_integer()):  # type: ignore[arg-type]
        number = int(value)  # type: ignore[call-overload]
        if abs(number) < 2**31 and (least is None or number >= least):
            return number
    expected = "an int" if least is None else f"an int of at least {least}, or None"
    refuse(argument, value, expected, owner)
