"""Calls of the primitive of `nkeras.ops.ctc_loss`."""

from __future__ import annotations

import numpy as np

from tests.ops.cases import Case, log_probabilities


def _int(*values: object) -> np.ndarray:
    return np.array(values, "int32")


CASES: dict[str, list[Case]] = {
    "ctc": [
        Case(
            (
                log_probabilities(3, 5, 4),
                _int([1, 2], [3, 3], [2, 0]),
                _int(2, 2, 1),
                _int(5, 4, 3),
            ),
            {"mask_index": 0},
        ),
        Case(
            (
                log_probabilities(4, 3, 3),
                _int([1, 0], [0, 0], [1, 1], [1, 0]),
                _int(0, 1, 2, 0),
                _int(2, 3, 3, 0),
            ),
            {"mask_index": 2},
        ),
    ],
}
