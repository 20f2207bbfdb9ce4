"""Calls of what accuracies count; it is never differentiated."""

from __future__ import annotations

import numpy as np

from tests.ops.cases import Case, floats, ints

_DTYPE = {"dtype": "float32"}
_TIES = np.array([[1, 1, 0], [0, np.nan, np.nan], [2, 1, 2]], "float32")

CASES: dict[str, list[Case]] = {
    "label_hits": [
        Case((ints(5, 7), floats(7, 5)), _DTYPE, False),
        Case((np.array([0, 1, 2]), _TIES), _DTYPE, False),
        Case((np.array([[0.0, 1.0, 0.5]], "float32"), _TIES[None]), _DTYPE, False),
        Case((ints(5, 0), floats(0, 5)), _DTYPE, False),
    ],
    "target_hits": [
        Case((floats(2, 4, 3), floats(2, 4, 3)), _DTYPE, False),
        Case((_TIES, np.eye(3, dtype="float32")), {"dtype": "float64"}, False),
        Case((ints(3, 4, 3), floats(4, 3)), _DTYPE, False),
    ],
}
