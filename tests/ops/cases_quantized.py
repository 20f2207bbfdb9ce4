"""Products of 8 bit integers; a gradient is that of the floats, not of what was rounded."""

from __future__ import annotations

import numpy as np

from tests.ops.cases import Case, floats, ints, positive

_RANGE = {"low": -127, "high": 127, "epsilon": 1e-7}


def _bytes(*shape: int) -> np.ndarray:
    return (ints(255, *shape) - 127).astype("int8")


CASES: dict[str, list[Case]] = {
    "int8_matmul": [
        Case((_bytes(2, 3, 5), _bytes(5, 4)), {}, False),
        Case((_bytes(2, 3, 5), _bytes(2, 5, 4)), {}, False),
    ],
    "int8_dense": [
        Case((floats(2, 3, 5), _bytes(5, 4), positive(4), floats(4)), _RANGE, False),
        Case((floats(3, 5), _bytes(5, 4), positive(4), None), _RANGE, False),
    ],
}
