"""Updates by gradients of rows, sums and decay; they are never differentiated."""

from __future__ import annotations

from tests.ops.cases import Case, floats, ints, positive

_ROWS = floats(5, 2), floats(2, 4, 2), ints(5, 2, 4)

CASES: dict[str, list[Case]] = {
    "accumulate_update": [Case((floats(2, 3), floats(2, 3)), {"by": 0.5}, False)],
    "clip_together": [
        Case((floats(2, 3), floats(5), floats(0, 2)), {"clipnorm": 0.5}, False),
        Case((floats(2, 3), floats(1)), {"clipnorm": 100.0}, False),
    ],
    "decay_update": [Case((floats(2, 3),), {"keep": 0.9}, False)],
    "sgd_row_update": [Case(_ROWS, {"learning_rate": 0.1}, False)],
    "adagrad_row_update": [
        Case((*_ROWS, positive(5, 2)), {"learning_rate": 0.1, "epsilon": 1e-7}, False)
    ],
}
