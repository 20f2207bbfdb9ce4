"""Text: how it is packed into bytes, and compiled code that works on them.

Everything that reads text is called by `by_numpy`: each replay has other bytes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nkeras.backend.packed import SPAN, SPARE, PackedText
from nkeras.backend.text import Salt, Table, Tokens
from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit.words import BLOCK, first_bit, zeros_at
from nkeras_numba_cpu.kernels import tokens as cut
from nkeras_numba_cpu.kernels.hashes import bucket, crossed, fingerprint, start_of_crossing
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.kernels.words import are_equal, known_of, number_of, placed, prepared, salted
from nkeras_numba_cpu.launch.numpy_calls import by_numpy, run_now
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numpy import strings as reference

_GRAIN = 1 << 15  # bytes of text that a task reads
_COST = 4  # operations for each byte
_END = "\0" * (SPARE + 1)


def _by_rows(kernel: Callable[..., None], text: PackedText, *arguments: Any) -> None:
    """Run tasks of some rows each: `kernel(rows of a task, data, bounds, ...)`."""
    bounds = text.bounds()
    count = len(bounds)
    if count:
        size = int(bounds[:, 1].sum() - bounds[:, 0].sum())
        rows = max(1, _GRAIN * count // (size + 8 * count))
        work = _COST * size + 8 * count
        run_now(kernel, -(-count // rows), work, rows, text.data, bounds, *arguments)


@inner
def _stop(task, rows, bounds):
    return min(task * rows + rows, bounds.shape[0])


@KERNELS.register
def pack_text(rows: Sequence[Any] | np.ndarray) -> PackedText:
    """Rows of `str` are joined with zeros between them, which compiled code finds again."""
    if isinstance(rows, np.ndarray):
        return _packed_array(rows)
    try:
        data = np.frombuffer(("\0".join(rows) + _END).encode(), np.uint8)
    except (TypeError, UnicodeEncodeError):  # bytes, or half a character; or no text at all
        return reference.pack_text(rows)
    text = PackedText(data, np.empty(len(rows), SPAN))
    found = np.zeros(1, np.int64)
    run_now(_find_zeros, 1, data.size, data, text.bounds(), found)
    return text if found[0] == len(rows) else reference.pack_text(rows)


@tasks
def _find_zeros(task, data, bounds, found):
    """Put down the pieces in front of zeros, and how many there are."""
    begin, count, stop = 0, 0, data.size - SPARE
    for i in range(0, stop, BLOCK):
        zeros = zeros_at(data, i)
        while zeros:
            end = i + first_bit(zeros)
            zeros &= zeros - np.uint64(1)
            if end < stop:
                if count < bounds.shape[0]:
                    bounds[count, 0], bounds[count, 1] = begin, end
                begin, count = end + 1, count + 1
    found[0] = count


def _packed_array(x: np.ndarray) -> PackedText:
    """The text of an array: of objects, or of a fixed width, which zeros fill up."""
    if x.dtype.kind not in "US":
        return reference.reshaped(pack_text(x.ravel().tolist()), x.shape)
    unit = np.dtype(np.uint32 if x.dtype.kind == "U" else np.uint8)
    flat = np.ascontiguousarray(x, x.dtype.newbyteorder("=")).reshape(-1)
    units = flat.view(unit).reshape(x.size, x.itemsize // unit.itemsize)
    text = PackedText(np.empty(x.nbytes + SPARE, np.uint8), np.empty(x.shape, SPAN))
    bounds = text.bounds()
    run_now(_encode, 1, units.size, units, x.dtype.kind == "U", text.data, bounds)
    return PackedText(text.data[: bounds.max(initial=0) + SPARE], text.spans)


@tasks
def _encode(task, units, are_characters, data, bounds):
    """Write rows of characters, or of bytes, behind each other."""
    end = 0
    for r in range(units.shape[0]):
        size = units.shape[1]
        while size > 0 and units[r, size - 1] == 0:
            size -= 1
        bounds[r, 0] = end
        for i in range(size):
            unit = np.uint32(units[r, i])
            if unit < 0x80 or not are_characters:
                data[end] = unit
                end += 1
                continue
            more = 1 + (unit >= 0x800) + (unit >= 0x10000)
            data[end] = (unit >> np.uint32(6 * more)) | np.uint32((0xFF00 >> (more + 1)) & 0xFF)
            for k in range(1, more + 1):
                data[end + k] = 0x80 | ((unit >> np.uint32(6 * (more - k))) & 0x3F)
            end += 1 + more
        bounds[r, 1] = end
    for i in range(end, end + SPARE):
        data[i] = 0


@KERNELS.register
def move_text(*xs: Any, move: str, static: Mapping[str, Any]) -> PackedText:
    return by_numpy(reference.move_text, *xs, move=move, static=static)


def _prepared(table: Table) -> tuple[Any, ...]:
    if table.prepared is None:
        table.prepared = prepared(table, pack_text(table.words))
    return table.prepared


@KERNELS.register
def lookup_text(x: PackedText, *, table: Table) -> np.ndarray:
    return by_numpy(_lookup_text, x, table=table)


def _lookup_text(x: PackedText, table: Table) -> np.ndarray:
    result = np.empty(x.shape, np.int64)
    _by_rows(_number_rows, x, _prepared(table), result.reshape(-1))
    return result


@tasks
def _number_rows(task, rows, data, bounds, table, result):
    for i in range(task * rows, _stop(task, rows, bounds)):
        result[i] = number_of(data, bounds[i, 0], bounds[i, 1] - bounds[i, 0], table)


@KERNELS.register
def text_at(x: np.ndarray, *, words: Any) -> np.ndarray:
    return by_numpy(reference.text_at, x, words=words)


@KERNELS.register
def hash_text(x: PackedText, *, bins: int, salt: Salt, mask: bytes | None) -> np.ndarray:
    return by_numpy(_hash_text, x, bins=bins, salt=salt, mask=mask)


def _hash_text(x: PackedText, bins: int, salt: Salt, mask: bytes | None) -> np.ndarray:
    result = np.empty(x.shape, np.int64)
    masked = np.frombuffer((mask or b"") + bytes(SPARE), np.uint8)
    given = (mask is not None, masked, salted(salt), result.reshape(-1))
    _by_rows(_hash_rows, x, bins, *given)
    return result


@tasks
def _hash_rows(task, rows, data, bounds, bins, is_masked, mask, salt, result):
    for i in range(task * rows, _stop(task, rows, bounds)):
        begin, size = bounds[i, 0], bounds[i, 1] - bounds[i, 0]
        if not is_masked:
            result[i] = bucket(data, begin, size, bins, salt)
        elif size == mask.size - SPARE and are_equal(data, begin, mask, 0, size):
            result[i] = 0
        else:
            result[i] = 1 + bucket(data, begin, size, bins - 1, salt)


@KERNELS.register
def hash_integers(x: np.ndarray, *, bins: int, salt: Salt) -> np.ndarray:
    return by_numpy(_hash_integers, x, bins=bins, salt=salt)


def _hash_integers(x: np.ndarray, bins: int, salt: Salt) -> np.ndarray:
    return _hash_text(pack_text(x.astype(str)), bins, salt, None)


@KERNELS.register
def cross_hashes(*xs: PackedText | np.ndarray, bins: int) -> np.ndarray:
    return by_numpy(_cross_hashes, *xs, bins=bins)


def _cross_hashes(*xs: PackedText | np.ndarray, bins: int) -> np.ndarray:
    hashes = np.empty((len(xs), xs[0].size), np.uint64)
    for row, x in zip(hashes, xs, strict=True):
        if isinstance(x, PackedText):
            _by_rows(_fingerprints, x, row)
        else:
            row.view(np.int64)[:] = x.ravel()
    result = np.empty(xs[0].shape, np.int64)
    if result.size:
        run_now(_cross, 1, hashes.size, hashes, bins, result.reshape(-1))
    return result


@tasks
def _fingerprints(task, rows, data, bounds, result):
    for i in range(task * rows, _stop(task, rows, bounds)):
        result[i] = fingerprint(data, bounds[i, 0], bounds[i, 1] - bounds[i, 0])


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


def _cuttable(x: PackedText, how: Tokens) -> PackedText:
    """Text of valid UTF-8, where characters are cut."""
    if how.split == "character":
        try:
            str(x.data.data, "utf-8")
        except UnicodeDecodeError:
            return pack_text([row.decode(errors="replace") for row in x.rows()])
    return x


def _by_tokens(kernel: Any, x: PackedText, how: Tokens, *arguments: Any) -> None:
    text, cutting = _cuttable(x, how), _cutting(how)
    _by_rows(kernel, text, tuple(cutting), tuple(cut.room(text, cutting)), *arguments)


@KERNELS.register
def token_lengths(x: PackedText, *, how: Tokens) -> np.ndarray:
    return by_numpy(_token_lengths, x, how=how)


def _token_lengths(x: PackedText, how: Tokens) -> np.ndarray:
    result = np.empty(x.shape, np.int64)
    _by_tokens(cut.count_tokens, x, how, result.reshape(-1))
    return result


@KERNELS.register
def tokens(x: PackedText, *, how: Tokens, table: Table, length: int, fill: int) -> np.ndarray:
    return by_numpy(_tokens, x, how=how, table=table, length=length, fill=fill)


def _tokens(x: PackedText, how: Tokens, table: Table, length: int, fill: int) -> np.ndarray:
    result = np.empty((x.size, length), np.int64)
    if length:
        _by_tokens(cut.number_tokens, x, how, _prepared(table), fill, result)
    return result


@KERNELS.register
def token_counts(
    x: PackedText, *, how: Tokens, table: Table, depth: int, binary: bool, dtype: str
) -> np.ndarray:
    given = {"how": how, "table": table, "depth": depth, "binary": binary, "dtype": dtype}
    return by_numpy(_token_counts, x, **given)


def _token_counts(
    x: PackedText, how: Tokens, table: Table, depth: int, binary: bool, dtype: str
) -> np.ndarray:
    result = np.empty((x.size, depth), np.float64 if dtype == "float64" else np.float32)
    _by_tokens(cut.add_tokens, x, how, _prepared(table), binary, result)
    return result.astype(dtype, copy=False)


class Counting:
    """Counts tokens; see `nkeras.backend.text.TextCounter`."""

    def __init__(self, how: Tokens) -> None:
        self._how = how
        self._state = np.zeros(3, np.int64)
        self._words = np.zeros(1 << 16, np.uint8)
        self._bounds = np.zeros((1, 2), np.int64)
        self._cells = np.zeros((0, 6), np.uint64)
        self._make_room(1 << 12, 0)

    def _make_room(self, words: int, size: int) -> None:
        """For so many words, and so many bytes of words."""
        self._cells = placed(self._words, self._bounds, known_of(self._cells), words)
        room = len(self._cells) // 2 + 2
        self._bounds = _longer(self._bounds, room)
        self._words = _longer(self._words, size)

    def add(self, x: PackedText, rows: int) -> None:
        """Count the tokens of an array."""
        text, how = _cuttable(x, self._how), _cutting(self._how)
        room, bounds = tuple(cut.room(text, how)), text.bounds()
        self._state[1] = 0
        count = len(bounds)
        while self._state[1] < count:
            run_now(
                cut.tally_rows,
                1,
                count,
                text.data,
                bounds,
                tuple(how),
                room,
                rows,
                self._words,
                self._bounds,
                self._cells,
                self._state,
            )
            if self._state[1] < count:
                self._grow(bounds, how)
        self._state[2] += -(-count // rows)

    def _grow(self, bounds: np.ndarray, how: cut.Cutting) -> None:
        """Make room for the next row, and as many words again."""
        words, row = int(self._state[0]), int(self._state[1])
        length = int(bounds[row, 1] - bounds[row, 0]) + 1
        size = self._used() + 2 * how.widths * length + 16
        self._make_room(2 * (words + length * max(how.sizes.size, 1)), 2 * size)

    def _used(self) -> int:
        """Bytes of the words that there are."""
        return int(self._bounds[self._state[0] - 1, 1]) if self._state[0] else 0

    def result(self) -> tuple[list[bytes], np.ndarray, np.ndarray]:
        """What was counted."""
        count = int(self._state[0])
        words = PackedText(self._words, self._bounds[:count].view(SPAN)[:, 0]).rows()
        counts, documents, _ = known_of(self._cells).T
        return words, counts, documents


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
