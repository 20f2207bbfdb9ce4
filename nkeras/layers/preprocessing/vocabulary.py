"""Vocabularies of lookup layers: where they come from, what they must be, how they are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np

from nkeras.backend.packed import to_bytes, to_text
from nkeras.core.errors import is_a, short
from nkeras.core.files import replacing
from nkeras.core.strings import STRING, check_text, is_text, text_array
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Config

Token: TypeAlias = "str | bytes | int"
FILE = "vocabulary.txt"


def tokens_of(vocabulary: Any, dtype: str, owner: str) -> list[Token]:
    """The terms of an array, tensor or list, as Python has them.

    Raises:
        TypeError, ValueError: they are none of the dtype, or not in one row.
    """
    array = vocabulary.numpy() if isinstance(vocabulary, Tensor) else vocabulary
    if dtype == STRING:
        array = np.asarray(array, object) if not isinstance(array, np.ndarray) else array
        if array.size and is_text(array):
            array = text_array(array, f"{owner}: argument `vocabulary`")
        else:
            check_text(array.astype(object), f"{owner}: argument `vocabulary`")
    else:
        array = np.asarray(array)
        if array.size and array.dtype.kind not in "iu":
            raise ValueError(
                f"{owner}: argument `vocabulary` must be integers. Received: {short(vocabulary)}"
            )
    if array.ndim != 1:
        raise ValueError(
            f"{owner}: argument `vocabulary` must have one dimension. Received shape {array.shape}"
        )
    terms: list[Any] = array.tolist()
    return [to_text(to_bytes(term)) for term in terms] if dtype == STRING else terms


def without_special(
    tokens: list[Token], special: Sequence[Token | None], vocabulary: Any, owner: str
) -> list[Token]:
    """The terms behind those that the layer itself has, where the vocabulary begins with them.

    Raises:
        ValueError: there are none at all, or one stands twice; the message says which and where.
    """
    if not tokens:
        raise ValueError(
            f"Cannot set an empty vocabulary. Received: vocabulary={short(vocabulary)}"
        )
    found = tokens[len(special) :] if tokens[: len(special)] == list(special) else tokens
    repeated = [token for token, count in Counter(found).items() if count > 1]
    if repeated:
        places = [place for place, token in enumerate(tokens) if token == repeated[0]]
        raise ValueError(
            "The passed vocabulary has at least one repeated term. Please uniquify your dataset. "
            f"{owner} received {short(repeated[0])} at the places {short(places)} of `vocabulary`; "
            f"the repeated terms are: {short(repeated)}"
        )
    return found


def read(path: str | Path, dtype: str, owner: str) -> list[Token]:
    """The terms of a text file, one in each line.

    Raises:
        ValueError: there is no such file, or a line is no integer where there must be some.
    """
    if not Path(path).is_file():
        raise ValueError(f"{owner}: Vocabulary file {path} does not exist.")
    return _parsed(_lines(Path(path)), dtype, f"{owner}: vocabulary file {path}")


def _lines(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _parsed(lines: list[str], dtype: str, source: str) -> list[Token]:
    if dtype == STRING:
        return [*lines]
    for number, line in enumerate(lines, 1):
        if not line.strip().lstrip("+-").isdecimal():
            raise ValueError(f"{source} must hold integers. Received: line {number}, {short(line)}")
    return [int(line) for line in lines]


def read_asset(folder: str, dtype: str, special: Sequence[Token | None]) -> list[Token]:
    """The terms that `write` has written, behind the special ones."""
    lines = _lines(Path(folder, FILE))
    if lines[: len(special)] == [str(token) for token in special]:
        lines = lines[len(special) :]
    return _parsed(lines, dtype, f"The file {FILE}")


def write(folder: str, tokens: Sequence[Token | None], owner: str) -> None:
    """Write the terms to a folder, as Keras reads them.

    Raises:
        ValueError: a term would be two lines.
    """
    lines = [str(token) for token in tokens]
    for line, token in zip(lines, tokens, strict=True):
        if isinstance(token, bytes) or "\n" in line or "\r" in line:
            raise ValueError(
                f"{owner}: the vocabulary cannot be saved: its file has a term in each line. "
                f"Received: {short(token)}; give it as argument `vocabulary`, or leave it out."
            )
    ended = [*lines, ""] if lines and lines[-1] == "" else lines
    with replacing(Path(folder, FILE), "wb") as file:
        file.write("\n".join(ended).encode("utf-8"))


def refuse_path(config: Config, owner: str) -> None:
    """Refuse a configuration that would open a file: it may come from anywhere."""
    if is_a(config.get("vocabulary"), str):
        raise ValueError(
            f"{owner}: a configuration may not name a vocabulary file. Received: "
            f"vocabulary={short(config['vocabulary'])}; make the layer with it, or call "
            "`set_vocabulary(path)`."
        )


class TokenCounter(Protocol):
    """Counts terms: see `nkeras.backend.text.TextCounter`; integers likewise."""

    def add(self, x: Any, rows: int) -> None:
        """Count an array, of which each so many elements are a document."""
        ...

    def result(self) -> tuple[list[Any], np.ndarray, np.ndarray]:
        """The terms, how often each was there, and in how many documents."""
        ...


class IntegerCounter:
    """Counts integers."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._documents: Counter[int] = Counter()

    def add(self, x: np.ndarray, rows: int) -> None:
        """Count an array, of which each so many elements are a document."""
        flat = x.reshape(-1).astype(np.int64)
        terms, places, counts = np.unique(flat, return_inverse=True, return_counts=True)
        documents = np.arange(flat.size) // rows
        pairs = np.unique(np.stack([documents, places.reshape(-1)]), axis=1)[1]
        self._counts.update(dict(zip(terms.tolist(), counts.tolist(), strict=True)))
        in_documents = np.bincount(pairs, minlength=terms.size)
        self._documents.update(dict(zip(terms.tolist(), in_documents.tolist(), strict=True)))

    def result(self) -> tuple[list[int], np.ndarray, np.ndarray]:
        """The integers, how often each was there, and in how many documents."""
        terms = list(self._counts)
        counts = np.array([self._counts[term] for term in terms], np.int64)
        return terms, counts, np.array([self._documents[term] for term in terms], np.int64)
