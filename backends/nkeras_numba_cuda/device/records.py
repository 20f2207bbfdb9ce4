"""Names for the numbers that kernels get packed into one array, from one declaration.

    class Sizes(NamedTuple):
        rows: int
        columns: int

    AT = places(Sizes)
    fill.launch(y.size, y, constants(*Sizes(rows=2, columns=3)))    # Python fills it in

    rows = sizes[AT.rows]                                           # the kernel reads it

Numba takes `AT` for a constant: the names cost nothing. One array is cheaper to launch with than
many scalars.
"""

from __future__ import annotations

from typing import Any, TypeVar

_Record = TypeVar("_Record", bound=tuple)


def places(kind: type[_Record]) -> _Record:
    """The record whose fields are their own places."""
    named: Any = kind
    return named(*range(len(named._fields)))
