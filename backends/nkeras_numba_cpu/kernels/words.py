"""Tables of words in compiled code: open addressing, built once and then only read; and counting.

A table is a tuple: the words' bytes one after the other, where each begins (and the end of the
last), and cells of four words of 64 bits, so that most words are told from one line of the cache:

    number of the word + 1 (0: the cell is empty), and above 32 bits its size, at most 255
    its first 8 bytes, a hash of all, and what it is looked up for
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nkeras.backend.text import SPARE, Packed, Table
from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit.words import word64_at
from nkeras_numba_cpu.kernels.hashes import bucket, tail_at
from nkeras_numba_cpu.launch.numpy_calls import run_now
from nkeras_numba_cpu.launch.tasks import tasks

_U = np.uint64
_FACTOR = _U(0x9E3779B97F4A7C15)
_SMALLEST = 16  # cells


@inner
def first_of(data, place, size):
    """The first 8 bytes of a word, with 0 where there are fewer."""
    return word64_at(data, place) if size >= 8 else tail_at(data, place, size)


@inner
def hash_of(data, place, size, first):
    """A hash for the cells: quick, and of no other use."""
    found = (_U(size) * _FACTOR ^ first) * _FACTOR
    if size > 8:
        for i in range(1, size >> 3):
            found ^= found >> _U(29)
            found = (found ^ word64_at(data, place + 8 * i)) * _FACTOR
        found ^= found >> _U(29)
        found = (found ^ tail_at(data, place + (size & ~7), size & 7)) * _FACTOR
    return found ^ (found >> _U(32))


@inner
def _are_equal(data, place, other, start, size):
    for i in range(size >> 3):
        if word64_at(data, place + 8 * i) != word64_at(other, start + 8 * i):
            return False
    rest, last = size & 7, size & ~7
    return tail_at(data, place + last, rest) == tail_at(other, start + last, rest)


@inner
def cell_of(data, place, size, first, code, words, starts, cells):
    """The cell of a word, or the empty one where it would be."""
    last, short = _U(cells.shape[0] - 1), _U(min(size, 255))
    i = code & last
    while True:
        cell = cells[i]
        if cell[0] == 0:
            return i
        if cell[0] >> _U(32) == short and cell[1] == first:
            if size <= 8:
                return i
            if cell[2] == code:
                word = np.int64(cell[0] & _U(0xFFFFFFFF)) - 1
                start = starts[word]
                if starts[word + 1] - start == size:
                    if _are_equal(data, place, words, start, size):
                        return i
        i = (i + _U(1)) & last


@inner
def put(cell, word, size, first, code, number):
    """Make a word's cell."""
    cell[0] = _U(word + 1) | (_U(min(size, 255)) << _U(32))
    cell[1], cell[2], cell[3] = first, code, _U(number)


@inner
def number_of(data, place, size, table):
    """The number of a word."""
    words, starts, cells, missing, first_bucket, buckets, salt = table
    first = first_of(data, place, size)
    code = hash_of(data, place, size, first)
    cell = cells[cell_of(data, place, size, first, code, words, starts, cells)]
    if cell[0] > 0:
        return np.int64(cell[3])
    return missing if buckets == 0 else first_bucket + bucket(data, place, size, buckets, salt)


@tasks
def _place_words(task, words, starts, numbers, cells):
    for i in range(numbers.size):
        size = starts[i + 1] - starts[i]
        first = first_of(words, starts[i], size)
        code = hash_of(words, starts[i], size, first)
        cell = cells[cell_of(words, starts[i], size, first, code, words, starts, cells)]
        put(cell, i, size, first, code, numbers[i])


def placed(packed: Packed, numbers: np.ndarray, room: int) -> np.ndarray:
    """Cells of words, with room for so many: at most half of them are taken."""
    cells = np.zeros((max(_SMALLEST, 1 << (2 * room).bit_length()), 4), np.uint64)
    run_now(_place_words, 1, len(numbers), *packed, numbers, cells)
    return cells


def salted(salt: tuple[int, int] | None) -> tuple[bool, int, int]:
    """A salt as compiled code takes it: whether it is used, and its words."""
    if salt is None:
        return False, 0, 0
    first, second = (int(np.array(part % (1 << 64), np.uint64).view(np.int64)) for part in salt)
    return True, first, second


def prepared(table: Table) -> tuple[Any, ...]:
    """A table as compiled code takes it."""
    if table.prepared is None:
        data = np.frombuffer(b"".join(table.words) + bytes(SPARE), np.uint8)
        offsets = np.zeros(len(table.words) + 1, np.int64)
        np.cumsum([len(word) for word in table.words], out=offsets[1:])
        table.prepared = (
            data,
            offsets,
            placed(Packed(data, offsets), np.array(table.numbers, np.int64), len(table.words)),
            table.missing,
            table.first,
            table.buckets,
            salted(table.salt),
        )
    return table.prepared
