"""Calls of the primitives of group normalization."""

from __future__ import annotations

from tests.ops.cases import Case, floats, positive

_STATIC = {"groups": 2, "epsilon": 0.1}

CASES = {
    "group_norm": [
        Case((floats(2, 3, 4), floats(4), floats(4)), _STATIC),
        Case((floats(2, 2, 2, 6), None, None), {"groups": 3, "epsilon": 0.1}),
    ],
    "group_norm_grad": [
        Case(
            (floats(2, 3, 4), floats(2, 3, 4), floats(4), floats(2, 2), positive(2, 2)),
            {"groups": 2},
        ),
        Case(
            (floats(2, 2, 2, 6), floats(2, 2, 2, 6), None, floats(2, 3), positive(2, 3)),
            {"groups": 3},
        ),
    ],
}
