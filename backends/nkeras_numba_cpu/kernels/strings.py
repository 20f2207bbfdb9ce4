"""Text: arrays of objects, `str` or `bytes`, packed into bytes on which compiled code works.

Everything that reads text is called by `by_numpy`: plans repeat the packing too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from nkeras.backend.text import Packed, Salt, Table, Tokens, packed, to_bytes
from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.kernels import tokens as cut
from nkeras_numba_cpu.kernels.hashes import bucket, crossed, fingerprint, start_of_crossing
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.kernels.words import number_of, placed, prepared, salted
from nkeras_numba_cpu.launch.numpy_calls import by_numpy, run_now
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numpy import strings as reference

_GRAIN = 1 << 15  # bytes of text that a task reads
_COST = 4  # operations for each byte

KERNELS.register(reference.reshape_text)


def _by_rows(kernel: Callable[..., None], text: Packed, *arguments: Any) -> None:
    """Run tasks of some rows each: `kernel(rows of a task, ...)`."""
    count, size = len(text.offsets) - 1, int(text.offsets[-1])
    if count:
        rows = max(1, _GRAIN * count // (size + 8 * count))
        run_now(kernel, -(-count // rows), _COST * size + 8 * count, rows, *text, *arguments)


@inner
def _stop(task, rows, offsets):
    return min(task * rows + rows, offsets.size - 1)


@KERNELS.register
def lookup_text(x: np.ndarray, *, table: Table) -> np.ndarray:
    return by_numpy(_lookup_text, x, table=table)


def _lookup_text(x: np.ndarray, table: Table) -> np.ndarray:
    result = np.empty(x.shape, np.int64)
    _by_rows(_number_rows, packed(x), prepared(table), result.reshape(-1))
    return result


@tasks
def _number_rows(task, rows, data, offsets, table, result):
    for i in range(task * rows, _stop(task, rows, offsets)):
        result[i] = number_of(data, offsets[i], offsets[i + 1] - offsets[i], table)


@KERNELS.register
def text_at(x: np.ndarray, *, words: Any) -> np.ndarray:
    return by_numpy(reference.text_at, x, words=words)


@KERNELS.register
def hash_text(x: np.ndarray, *, bins: int, salt: Salt, mask: bytes | None) -> np.ndarray:
    return by_numpy(_hash_text, x, bins=bins, salt=salt, mask=mask)


def _hash_text(x: np.ndarray, bins: int, salt: Salt, mask: bytes | None) -> np.ndarray:
    result, first = np.empty(x.shape, np.int64), 0 if mask is None else 1
    _by_rows(_hash_rows, packed(x), bins - first, first, salted(salt), result.reshape(-1))
    if mask is not None:
        masked = [to_bytes(row) == mask for row in x.ravel().tolist()]
        result.reshape(-1)[masked] = 0
    return result


@tasks
def _hash_rows(task, rows, data, offsets, bins, first, salt, result):
    for i in range(task * rows, _stop(task, rows, offsets)):
        size = offsets[i + 1] - offsets[i]
        result[i] = first + bucket(data, offsets[i], size, bins, salt)


@KERNELS.register
def hash_integers(x: np.ndarray, *, bins: int, salt: Salt) -> np.ndarray:
    return by_numpy(_hash_integers, x, bins=bins, salt=salt)


def _hash_integers(x: np.ndarray, bins: int, salt: Salt) -> np.ndarray:
    return _hash_text(x.astype(str).astype(object), bins, salt, None)


@KERNELS.register
def cross_hashes(*xs: np.ndarray, bins: int) -> np.ndarray:
    return by_numpy(_cross_hashes, *xs, bins=bins)


def _cross_hashes(*xs: np.ndarray, bins: int) -> np.ndarray:
    hashes = np.empty((len(xs), xs[0].size), np.uint64)
    for row, x in zip(hashes, xs, strict=True):
        if x.dtype.hasobject:
            _by_rows(_fingerprints, packed(x), row)
        else:
            row.view(np.int64)[:] = x.ravel()
    result = np.empty(xs[0].shape, np.int64)
    if result.size:
        run_now(_cross, 1, hashes.size, hashes, bins, result.reshape(-1))
    return result


@tasks
def _fingerprints(task, rows, data, offsets, result):
    for i in range(task * rows, _stop(task, rows, offsets)):
        result[i] = fingerprint(data, offsets[i], offsets[i + 1] - offsets[i])


@tasks
def _cross(task, hashes, bins, result):
    for i in range(result.size):
        found = start_of_crossing()
        for k in range(hashes.shape[0]):
            found = crossed(found, hashes[k, i])
        result[i] = np.int64(found % np.uint64(bins))


@functools.lru_cache(maxsize=64)
def _cutting(how: Tokens) -> cut.Cutting:
    return cut.cutting(how)


def _cuttable(x: np.ndarray, how: Tokens) -> Packed:
    """The rows as bytes; characters are cut where UTF-8 is valid."""
    if how.split == "character":
        rows = [
            row.decode(errors="replace") if isinstance(row, bytes) else row
            for row in x.ravel().tolist()
        ]
        x = np.array(rows, object)
    return packed(x)


def _by_tokens(kernel: Any, x: np.ndarray, how: Tokens, *arguments: Any) -> None:
    text, cutting = _cuttable(x, how), _cutting(how)
    _by_rows(kernel, text, tuple(cutting), tuple(cut.room(text, cutting)), *arguments)


@KERNELS.register
def token_lengths(x: np.ndarray, *, how: Tokens) -> np.ndarray:
    return by_numpy(_token_lengths, x, how=how)


def _token_lengths(x: np.ndarray, how: Tokens) -> np.ndarray:
    result = np.empty(x.shape, np.int64)
    _by_tokens(cut.count_tokens, x, how, result.reshape(-1))
    return result


@KERNELS.register
def tokens(x: np.ndarray, *, how: Tokens, table: Table, length: int, fill: int) -> np.ndarray:
    return by_numpy(_tokens, x, how=how, table=table, length=length, fill=fill)


def _tokens(x: np.ndarray, how: Tokens, table: Table, length: int, fill: int) -> np.ndarray:
    result = np.empty((len(x), length), np.int64)
    if length:
        _by_tokens(cut.number_tokens, x, how, prepared(table), fill, result)
    return result


@KERNELS.register
def token_counts(
    x: np.ndarray, *, how: Tokens, table: Table, depth: int, binary: bool, dtype: str
) -> np.ndarray:
    given = {"how": how, "table": table, "depth": depth, "binary": binary, "dtype": dtype}
    return by_numpy(_token_counts, x, **given)


def _token_counts(
    x: np.ndarray, how: Tokens, table: Table, depth: int, binary: bool, dtype: str
) -> np.ndarray:
    result = np.empty((len(x), depth), np.float64 if dtype == "float64" else np.float32)
    _by_tokens(cut.add_tokens, x, how, prepared(table), binary, result)
    return result.astype(dtype, copy=False)


class Counting:
    """Counts tokens; see `nkeras.backend.text.TextCounter`."""

    def __init__(self, how: Tokens) -> None:
        self._how = how
        self._state = np.zeros(3, np.int64)
        self._words = np.zeros(1 << 16, np.uint8)
        self._starts = np.zeros(2, np.int64)
        self._tallies = np.zeros((1, 3), np.int64)
        self._make_room(1 << 12, 0)

    def _make_room(self, words: int, size: int) -> None:
        """For so many words, and so many bytes of words."""
        count = int(self._state[0])
        known = Packed(self._words, self._starts[: count + 1])
        self._cells = placed(known, np.arange(count), words)
        room = len(self._cells) // 2 + 2
        self._starts = _longer(self._starts, room)
        self._tallies = _longer(self._tallies, room)
        self._words = _longer(self._words, size)

    def add(self, x: np.ndarray, rows: int) -> None:
        """Count the tokens of an array."""
        text, how = _cuttable(x, self._how), _cutting(self._how)
        room = tuple(cut.room(text, how))
        self._state[1] = 0
        count = len(text.offsets) - 1
        while self._state[1] < count:
            run_now(
                cut.tally_rows,
                1,
                count,
                *text,
                tuple(how),
                room,
                rows,
                self._words,
                self._starts,
                self._cells,
                self._tallies,
                self._state,
            )
            if self._state[1] < count:
                self._grow(text, how)
        self._state[2] += -(-count // rows)

    def _grow(self, text: Packed, how: cut.Cutting) -> None:
        """Make room for the next row, and as many words again."""
        words, row = int(self._state[0]), int(self._state[1])
        length = int(text.offsets[row + 1] - text.offsets[row]) + 1
        size = int(self._starts[words]) + 2 * how.widths * length + 16
        self._make_room(2 * (words + length * max(how.sizes.size, 1)), 2 * size)

    def result(self) -> tuple[list[bytes], np.ndarray, np.ndarray]:
        """What was counted."""
        count = int(self._state[0])
        data, starts = self._words.tobytes(), self._starts.tolist()
        words = [data[starts[i] : starts[i + 1]] for i in range(count)]
        return words, self._tallies[:count, 0].copy(), self._tallies[:count, 1].copy()


def _longer(array: np.ndarray, size: int) -> np.ndarray:
    """An array with more room at the end."""
    if len(array) >= size:
        return array
    made = np.zeros((size, *array.shape[1:]), array.dtype)
    made[: len(array)] = array
    return made


@KERNELS.register
def text_counter(*, how: Tokens) -> Counting:
    return Counting(how)
