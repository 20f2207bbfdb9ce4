"""Sorted rows, places of the largest, running sums and products."""

import numpy as np

from tests.ptx.case import COMPUTED, Case, arrays, normal


def tied(dtype):
    """Rows of which many elements are equal, with NaN and infinities."""
    x = (2 * normal(3, 37)).round()
    if dtype.startswith("float"):
        x[1, [3, 9]], x[2, 5], x[2, 6] = np.nan, np.inf, -np.inf
    return (x.astype(dtype),)


LAST, FIRST = {"axis": 1}, {"axis": 0}
SORT = ("sort_rows",)
CASES = [
    Case("sort", SORT, tied, LAST, COMPUTED),
    Case("sort", SORT, arrays((1, 700)), LAST, COMPUTED, "long"),
    Case("argsort", SORT, tied, LAST, COMPUTED),
    Case("argsort", SORT, arrays((5, 3)), FIRST, COMPUTED, "columns"),
    Case("top_k", SORT, tied, {"k": 5}, COMPUTED),
    Case("top_k", SORT, arrays((2, 1)), {"k": 1}, COMPUTED, "one"),
    *[
        Case(name, (f"{name}_{kind}",), arrays(shape), {"axis": 1}, COMPUTED, kind, 1e-5)
        for name in ("cumsum", "cumprod")
        for kind, shape in (("rows", (3, 300)), ("lines", (2, 5, 3)))
    ],
]
