"""Rows of bytes cut into tokens, which are numbered or counted: one pass, without any object.

A row is standardized into a buffer, whose pieces are the tokens. For n-grams tokens are written to
a second buffer with a space between each two, so that n-grams are pieces of that.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nkeras.backend.packed import PackedText
from nkeras.backend.text import END, Tokens
from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit.words import BLOCK, copy_block, first_bit, punctuation_at, spaces_at
from nkeras_numba_cpu.kernels.words import cell_of, ends_of, inlined, number_of, put
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.memory.allocation import own

_WHOLE, _SPACES, _CHARACTERS, _ENDED = range(4)
_SPLITS = {"": _WHOLE, "whitespace": _SPACES, "character": _CHARACTERS, "ended": _ENDED}
_NUMBERS, _COUNTS, _BINARY = range(3)
_END = END[0]


class Cutting(NamedTuple):
    """How compiled code cuts rows; see `nkeras.backend.text.Tokens`.

    Attributes:
        lower: whether letters become small.
        strip: whether punctuation goes.
        split: which of the four ways.
        sizes: of n-grams; of size 0 where tokens are not joined.
    """

    lower: bool
    strip: bool
    split: int
    sizes: np.ndarray

    @property
    def widths(self) -> int:
        """Tokens in all n-grams that begin at one place."""
        return int(self.sizes.sum()) if self.sizes.size else 1


class Room(NamedTuple):
    """Where rows are worked on: each lies behind its place, or behind twice that.

    Attributes:
        places: of the rows.
        own: standardized rows.
        marks: where each token begins and ends, behind the beginning of the row; twice as far.
        joined: the tokens with spaces between them; twice as far.
    """

    places: np.ndarray
    own: np.ndarray
    marks: np.ndarray
    joined: np.ndarray


def room(text: PackedText, how: Cutting) -> Room:
    """Room for all rows."""
    bounds = text.bounds()
    places = np.zeros(len(bounds) + 1, np.int64)
    np.cumsum(bounds[:, 1] - bounds[:, 0] + BLOCK, out=places[1:])
    size = int(places[-1]) + BLOCK
    joined = 2 * size if how.sizes.size else 1
    made = own((size,), np.uint8), own((2 * size,), np.int32), own((joined,), np.uint8)
    return Room(places, *made)


def cutting(how: Tokens) -> Cutting:
    """A way of cutting for compiled code."""
    sizes = np.array(() if how.ngrams is None else how.ngrams, np.int64)
    return Cutting(how.lower, how.strip, _SPLITS[how.split], sizes)


@inner
def _standardized(data, start, stop, how, own, base):
    """Write a row to `own[base:]`; its size there. More bytes are written, which are not its own.

    Pieces between punctuation are copied as blocks; the next one begins where a piece ends.
    """
    lower, strip = how[0], how[1]
    end = base
    for i in range(start, stop, BLOCK):
        size, first = min(BLOCK, stop - i), 0
        if strip:
            bits = punctuation_at(data, i) & ((np.uint64(1) << np.uint64(size)) - np.uint64(1))
            while bits:
                place = first_bit(bits)
                bits &= bits - np.uint64(1)
                if place > first:
                    copy_block(data, i + first, own, end, lower)
                    end += place - first
                first = place + 1
        if size > first:
            copy_block(data, i + first, own, end, lower)
            end += size - first
    return end - base


@inner
def _mark(own, base, size, split, marks, first):
    """Put down where the tokens of a row begin and end; how many there are."""
    count = first
    if split == _SPACES:
        inside = np.uint64(0)
        for i in range(0, size, BLOCK):
            known = np.uint64((1 << BLOCK) - 1)
            if size - i < BLOCK:
                known = (np.uint64(1) << np.uint64(size - i)) - np.uint64(1)
            words = ~spaces_at(own, base + i) & known
            edges = (words ^ ((words << np.uint64(1)) | inside)) & np.uint64((1 << BLOCK) - 1)
            inside = words >> np.uint64(BLOCK - 1)
            while edges:
                marks[count] = i + first_bit(edges)
                edges &= edges - np.uint64(1)
                count += 1
        if (count - first) & 1:
            marks[count] = size
            count += 1
        return (count - first) >> 1
    if split == _WHOLE:
        marks[first], marks[first + 1] = 0, size
        return 1
    place = 0
    while place < size:
        marks[count] = place
        if split == _CHARACTERS:
            byte = own[base + place]
            place += 1 + (byte >= 0xC0) + (byte >= 0xE0) + (byte >= 0xF0)
            marks[count + 1] = min(place, size)
        else:
            while own[base + place] != _END:
                place += 1
            marks[count + 1] = place
            place += 1
        count += 2
    return (count - first) >> 1


@inner
def _joined(own, base, marks, count, joined):
    """Write the tokens of a row with spaces between them, and put down where they are then."""
    write = 0
    for i in range(count):
        place, end = marks[2 * base + 2 * i], marks[2 * base + 2 * i + 1]
        marks[2 * base + 2 * i] = write
        for k in range(0, end - place, BLOCK):  # what is too much is written over, or behind a row
            copy_block(own, base + place + k, joined, 2 * base + write + k, False)
        write += end - place
        marks[2 * base + 2 * i + 1] = write
        joined[2 * base + write] = 32
        write += 1


@inner
def _cut(data, r, bounds, how, room):
    """Standardize a row and mark its tokens; how many there are."""
    places, own, marks, joined = room
    base = places[r]
    size = _standardized(data, bounds[r, 0], bounds[r, 1], how, own, base)
    count = _mark(own, base, size, how[2], marks, 2 * base)
    if how[3].size:
        _joined(own, base, marks, count, joined)
    return count


@tasks
def count_tokens(task, rows, data, bounds, how, room, result):
    sizes = how[3]
    for r in range(task * rows, min(task * rows + rows, result.size)):
        found = _cut(data, r, bounds, how, room)
        total = found if sizes.size == 0 else 0
        for size in sizes:
            total += max(found - size + 1, 0)
        result[r] = total


@inlined
def _note(row, count, number, way):
    """Put the number of a row's token down, or count it, or that there is one."""
    if way == _NUMBERS:
        row[count] = number
    elif 0 <= number < row.size:
        row[number] = 1 if way == _BINARY else row[number] + 1


@inner
def _number_row(data, r, bounds, how, room, table, way, row):
    """Number the tokens of a row, as many as there is room for; how many there are."""
    sizes = how[3]
    places, own, marks, joined = room
    most = row.size if way == _NUMBERS else np.iinfo(np.int64).max
    found, base = _cut(data, r, bounds, how, room), places[r]
    if sizes.size == 0:
        found = min(found, most)
        for i in range(found):
            begin, end = marks[2 * base + 2 * i], marks[2 * base + 2 * i + 1]
            _note(row, i, number_of(own, base + begin, np.int64(end - begin), table), way)
        return found
    count = 0
    for size in sizes:
        for i in range(min(found - size + 1, most - count)):
            begin, end = marks[2 * base + 2 * i], marks[2 * base + 2 * (i + size) - 1]
            number = number_of(joined, 2 * base + begin, np.int64(end - begin), table)
            _note(row, count, number, way)
            count += 1
    return count


@tasks
def number_tokens(task, rows, data, bounds, how, room, table, fill, result):
    for r in range(task * rows, min(task * rows + rows, result.shape[0])):
        row = result[r]
        count = _number_row(data, r, bounds, how, room, table, _NUMBERS, row)
        for i in range(count, row.size):
            row[i] = fill


@tasks
def add_tokens(task, rows, data, bounds, how, room, table, binary, result):
    for r in range(task * rows, min(task * rows + rows, result.shape[0])):
        row = result[r]
        for i in range(row.size):
            row[i] = 0
        way = _BINARY if binary else _COUNTS
        _number_row(data, r, bounds, how, room, table, way, row)


@inlined
def _tally(buffer, begin, size, document, words, known, cells, state):
    """Count a token: as one more of its word, or as a new word.

    Of a word is known how often it was there, in how many documents, and the last one's number + 1.
    """
    first, last = ends_of(buffer, begin, size)
    i = cell_of(buffer, begin, size, first, last, words, known, cells)
    if cells[i, 0] == 0:
        word, place = state[0], _used(known, state)
        put(cells, i, word, size, first, last)
        for k in range(size):
            words[place + k] = buffer[begin + k]
        known[word, 0], known[word, 1] = place, place + size
        state[0] = word + 1
    cells[i, 3] += np.uint64(1)
    cells[i, 4] += np.uint64(cells[i, 5] != np.uint64(document + 1))  # no branch: it is random
    cells[i, 5] = np.uint64(document + 1)


@inlined
def _used(known, state):
    """Bytes of the words that there are."""
    return known[state[0] - 1, 1] if state[0] > 0 else 0


@tasks
def tally_rows(task, data, bounds, how, room, together, words, known, cells, state):
    """Count the tokens of rows from `state[1]` on, as far as there is room.

    state: how many words there are, the next row, the document of the first row.
    """
    sizes = how[3]
    places, own, marks, joined = room
    widths = 0 if sizes.size else 1
    for size in sizes:
        widths += size
    while state[1] < bounds.shape[0]:
        r = state[1]
        length, base = bounds[r, 1] - bounds[r, 0], places[r]
        if 2 * (state[0] + (length + 1) * max(sizes.size, 1)) > cells.shape[0]:
            return
        if _used(known, state) + widths * (2 * length + 1) + 8 > words.size:
            return
        document = state[2] + r // together
        found = _cut(data, r, bounds, how, room)
        if sizes.size == 0:
            for i in range(found):
                place, end = marks[2 * base + 2 * i], marks[2 * base + 2 * i + 1]
                begin, size = base + place, np.int64(end - place)
                _tally(own, begin, size, document, words, known, cells, state)
        for width in sizes:
            for i in range(found - width + 1):
                place, end = marks[2 * base + 2 * i], marks[2 * base + 2 * (i + width) - 1]
                begin, size = 2 * base + place, np.int64(end - place)
                _tally(joined, begin, size, document, words, known, cells, state)
        state[1] = r + 1
