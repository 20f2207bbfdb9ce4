"""Records: what Python fills in is what compiled code reads under the same names."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
import pytest

from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit.records import at, bytes_of, numbers, record, row, stacked, table
from nkeras_numba_cpu.launch.tasks import tasks


class Place(NamedTuple):
    y: int
    x: int


class Piece(NamedTuple):
    first: int
    place: Place
    last: int


PIECES = [Piece(1, Place(2, 3), 4), Piece(last=8, first=5, place=Place(x=7, y=6))]


def test_numbers_lie_in_the_order_of_the_declaration():
    assert numbers(PIECES[1]) == (5, 6, 7, 8)
    assert type(numbers(PIECES[0])) is tuple


def test_a_table_has_a_row_for_each_record():
    made = table(Piece, PIECES)
    assert made.dtype == np.int64
    assert made.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert table(Piece, []).shape == (0, 4)


def test_columns_are_stacked_under_their_names():
    y, x = np.ix_([2, 6], [3, 7])
    made = stacked(Piece, last=x > 3, place={"x": x, "y": y}, first=0)
    assert made.dtype == np.int64
    assert made.tolist() == [[0, 2, 3, 0], [0, 2, 7, 1], [0, 6, 3, 0], [0, 6, 7, 1]]
    with pytest.raises(TypeError, match="height"):
        stacked(Place, y=y, height=x)


@inner
def _inside(place):
    return 10 * place.y + place.x


@tasks
def _read(task, given, pieces, result):
    piece, place = record(Piece, given), row(Piece, pieces, task).place
    result[task, 0] = piece.last - piece.first + _inside(piece.place)
    result[task, 1] = row(Piece, pieces, task).last
    result[task, 2] = _inside(place)


def test_kernels_read_tuples_and_rows():
    result = np.zeros((2, 3), np.int64)
    _read(2, 2, numbers(Piece(100, Place(1, 2), 103)), table(Piece, PIECES), result)
    assert result.tolist() == [[15, 4, 23], [15, 8, 67]]


@tasks
def _read_at(task, address, result):
    piece = at(Piece, address, task)
    result[task] = 10 * piece.place.x + piece.last


def test_kernels_read_records_at_an_address():
    pieces = table(Piece, PIECES)
    assert pieces.nbytes == 2 * bytes_of(Piece)
    result = np.zeros(2, np.int64)
    _read_at(2, 2, pieces.ctypes.data, result)
    assert result.tolist() == [34, 78]


@pytest.mark.parametrize("given", [(1, 2, 3), (1, 2, 3, 4, 5)])
def test_a_tuple_of_another_length_is_refused(given):
    with pytest.raises(numba.TypingError):
        _read(2, 2, given, table(Piece, PIECES), np.zeros((2, 3), np.int64))


@tasks
def _misspelt(task, pieces, result):
    result[task] = row(Piece, pieces, task).width  # pyright: ignore[reportAttributeAccessIssue]


def test_an_unknown_name_is_refused():
    with pytest.raises(numba.TypingError, match="width"):
        _misspelt(1, 1, table(Piece, PIECES), np.zeros(1, np.int64))
