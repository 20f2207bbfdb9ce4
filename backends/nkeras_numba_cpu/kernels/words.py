"""Tables of words in compiled code: open addressing, built once and then only read; and counting.

A table is a tuple: the words' bytes, begin and end of each, and cells of some integers of 64 bits,
so that words of up to 16 bytes are told, and counted, in one line of the cache:

    number of the word + 1 (0: the cell is empty), and above 32 bits its size, at most 255
    its first 8 bytes, its last 8 bytes, and what is known of it: what it is looked up for

Empty cells of a table have what other words are looked up for.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from nkeras.backend.packed import PackedText
from nkeras.backend.text import Table
from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit.words import word64_at
from nkeras_numba_cpu.kernels.hashes import bucket, tail_at
from nkeras_numba_cpu.launch.numpy_calls import run_now
from nkeras_numba_cpu.launch.tasks import tasks

inlined = functools.partial(inner, forceinline=True)  # a call costs as much as the search

_U = np.uint64
_FACTOR = _U(0x9E3779B97F4A7C15)
_SMALLEST = 16  # cells


@inlined
def ends_of(data, place, size):
    """The first 8 bytes of a word and the last; twice the same, and 0 behind it, if it is shorter.

    There is no branch: nobody could foresee how long the next word is.
    """
    known = (_U(1) << _U(8 * min(size, 7))) - _U(1)
    known |= _U(0) - _U(size >= 8)
    return word64_at(data, place) & known, word64_at(data, place + max(size - 8, 0)) & known


@inlined
def hash_of(data, place, size, first, last):
    """A hash for the cells: quick, and of no other use."""
    found = (_U(size) * _FACTOR ^ first) * _FACTOR
    if size > 16:
        for i in range(1, size >> 3):
            found ^= found >> _U(29)
            found = (found ^ word64_at(data, place + 8 * i)) * _FACTOR
    found ^= found >> _U(29)
    found = (found ^ last) * _FACTOR
    return found ^ (found >> _U(32))


@inner
def are_equal(data, place, other, start, size):
    for i in range(size >> 3):
        if word64_at(data, place + 8 * i) != word64_at(other, start + 8 * i):
            return False
    rest, last = size & 7, size & ~7
    return tail_at(data, place + last, rest) == tail_at(other, start + last, rest)


@inlined
def _is_end(cells, i, short, first, last):
    """Whether a search ends at a cell: it is empty, or that of a word with these ends."""
    head = cells[i, 0]
    is_same = (head >> _U(32) == short) & (cells[i, 1] == first) & (cells[i, 2] == last)
    return (head == 0) | is_same


@inner
def _cell_of_long(data, place, size, first, last, words, bounds, cells, i):
    """The same for a word that its ends do not tell from others."""
    while True:
        if _is_end(cells, i, _U(min(size, 255)), first, last):
            word = np.int64(cells[i, 0] & _U(0xFFFFFFFF)) - 1
            if word < 0:
                return i
            begin = bounds[word, 0]
            if bounds[word, 1] - begin == size and are_equal(data, place, words, begin, size):
                return i
        i = (i + _U(1)) & _U(cells.shape[0] - 1)


@inlined
def cell_of(data, place, size, first, last, words, bounds, cells):
    """The cell of a word, or the empty one where it would be.

    Two cells are looked at together: whether the first one is the word's is as random as words are,
    and a wrong guess costs more than the second look.
    """
    most, short = _U(cells.shape[0] - 1), _U(min(size, 255))
    i = hash_of(data, place, size, first, last) & (most ^ _U(1))
    if size > 16:
        return _cell_of_long(data, place, size, first, last, words, bounds, cells, i)
    while True:
        is_here = _is_end(cells, i, short, first, last)
        if is_here | _is_end(cells, i + _U(1), short, first, last):
            return i + _U(not is_here)
        i = (i + _U(2)) & most


@inner
def put(cells, i, word, size, first, last):
    """Make a word's cell; nothing is known of it yet."""
    cells[i, 0] = _U(word + 1) | (_U(min(size, 255)) << _U(32))
    cells[i, 1], cells[i, 2] = first, last


@inlined
def number_of(data, place, size, table):
    """The number of a word."""
    words, bounds, cells, first_bucket, buckets, salt = table
    first, last = ends_of(data, place, size)
    i = cell_of(data, place, size, first, last, words, bounds, cells)
    if buckets == 0 or cells[i, 0] > 0:
        return np.int64(cells[i, 3])
    return first_bucket + bucket(data, place, size, buckets, salt)


@tasks
def _place_words(task, words, bounds, known, cells):
    for i in range(known.shape[0]):
        begin, size = bounds[i, 0], bounds[i, 1] - bounds[i, 0]
        first, last = ends_of(words, begin, size)
        cell = cell_of(words, begin, size, first, last, words, bounds, cells)
        put(cells, cell, i, size, first, last)
        for k in range(known.shape[1]):
            cells[cell, 3 + k] = _U(known[i, k])


def placed(words: np.ndarray, bounds: np.ndarray, known: np.ndarray, room: int) -> np.ndarray:
    """Cells of words, with room for so many: at most half of them are taken.

    known: int64 `(words, any)`, what is known of each.
    """
    cells = max(_SMALLEST, 1 << (2 * room).bit_length())
    made = np.zeros((cells, 3 + known.shape[1]), np.uint64)
    run_now(_place_words, 1, len(known), words, bounds, known, made)
    return made


def known_of(cells: np.ndarray) -> np.ndarray:
    """What is known of the words in cells, as `placed` takes it."""
    used = cells[cells[:, 0] > 0]
    known = np.empty((len(used), cells.shape[1] - 3), np.int64)
    known[(used[:, 0] & _U(0xFFFFFFFF)).astype(np.int64) - 1] = used[:, 3:]
    return known


def salted(salt: tuple[int, int] | None) -> tuple[bool, int, int]:
    """A salt as compiled code takes it: whether it is used, and its words."""
    if salt is None:
        return False, 0, 0
    first, second = (int(np.array(part % (1 << 64), np.uint64).view(np.int64)) for part in salt)
    return True, first, second


def prepared(table: Table, words: PackedText) -> tuple[Any, ...]:
    """A table as compiled code takes it, with its words packed."""
    bounds, numbers = words.bounds(), np.array(table.numbers, np.int64)
    cells = placed(words.data, bounds, numbers[:, None], len(numbers))
    cells.view(np.int64)[cells[:, 0] == 0, 3] = table.missing
    return words.data, bounds, cells, table.first, table.buckets, salted(table.salt)
