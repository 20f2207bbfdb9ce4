"""Calls of the primitives of `nkeras.ops.rearranging`."""

from __future__ import annotations

from tests.ops.cases import Case, floats, ints

CASES: dict[str, list[Case]] = {
    "bitcast": [
        Case((floats(2, 3),), {"dtype": "int32"}, False),
        Case((ints(9, 2, 4),), {"dtype": "float64"}, False),
        Case((floats(2, 3),), {"dtype": "uint8"}, False),
    ]
}
