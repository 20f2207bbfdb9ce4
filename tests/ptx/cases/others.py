"""Products, sums and joints at places, random numbers."""

import numpy as np

from tests.ptx.case import COMPUTED, FLOATS, Case, arrays, normal


def at_places(dtype):
    """Gradients of rows that were taken, some of them several times."""
    indices = np.array([4, 1, 1, 0, 4, 4], "int32")
    return (normal(3, 6, 2) * 4).astype(dtype), indices


def taken(inner):
    """Where negative indices count from the end."""
    indices = np.array([[4, -1, 1], [0, -5, 2]], "int32")
    return lambda dtype: ((normal(2, 5, inner) * 4).astype(dtype), indices)


def joined(dtype):
    indices = np.array([[4], [1], [1], [0], [4], [4]], "int32")
    return (normal(5, 2) * 4).astype(dtype), indices, (normal(6, 2) * 4).astype(dtype)


KEY = {"key": (0xFFFFFFFF, 0xDEADBEEF)}

CASES = [
    Case(
        "take_grad",
        ("sum_segments", "segment_starts", "rows_from_start"),
        at_places,
        {"shape": (3, 5, 2), "axis": 1},
        COMPUTED,
    ),
    Case("take", ("take_slices_1",), taken(3), {"axis": 1}, COMPUTED),
    Case("take", ("take_slices_4",), taken(8), {"axis": 1}, ("float32",), "4"),
    Case("scatter_update", ("join_segments",), joined, {}, COMPUTED),
    Case("scatter_reduce", ("join_segments",), joined, {"reduction": "max"}, COMPUTED),
    Case("random_bits", ("philox_bits", "store_key"), lambda dtype: (), {**KEY, "size": 18}),
    Case("dropout", ("philox_dropout",), arrays((5, 7)), {**KEY, "rate": 0.3}, FLOATS),
]
