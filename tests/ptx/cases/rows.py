"""Rows and columns: softmax, losses, reductions, normalizations; infinities and NaN too."""

import numpy as np

from tests.ptx.case import FLOATS, Case, arrays, normal

SPECIAL = np.array(
    [
        [1, 2, np.inf, 0],
        [1, np.nan, 3, 4],
        [-np.inf, -np.inf, 0, 1],
        [-np.inf] * 4,
        [1e30, -1e30, 3e38, 0],
        [np.inf, -np.inf, np.nan, 1],
        [np.nan] * 4,
    ]
)
LAST = {"axis": 1}
EPSILON = {"epsilon": 1e-3}
GROUPS = {"groups": 2, "epsilon": 1e-3}


def special(count):
    """A function that makes arrays with infinities and NaN."""

    def make(dtype):
        with np.errstate(all="ignore"):
            return tuple(np.roll(SPECIAL, k, 0).astype(dtype) for k in range(count))

    return make


def softmax(name, forward, backward):
    """Rows of any length, in multiples of four, longer than a block takes at once; columns."""
    rows, rows_grad = f"{forward}_rows", f"{forward}_rows_grad"
    cases = []
    for shape, width in (((5, 37), 1), ((3, 8), 4), ((2, 1032), 4), ((2, 1027), 1)):
        dtypes = FLOATS if width == 1 else ("float32",)
        label = "x".join(map(str, shape))
        cases += [
            Case(name, (f"{rows}_{width}",), arrays(shape), LAST, dtypes, label),
            Case(
                backward, (f"{rows_grad}_{width}",), arrays(shape, shape), LAST, dtypes, label, 2e-5
            ),
        ]
    lines, lines_grad = f"{forward}_lines", f"{forward}_lines_grad"
    return [
        *cases,
        Case(name, (lines,), arrays((3, 5, 2)), LAST, name="lines"),
        Case(backward, (lines_grad,), arrays((3, 5, 2), (3, 5, 2)), LAST, name="lines"),
        Case(name, (f"{rows}_4",), special(1), LAST, ("float32",), "special"),
        Case(backward, (f"{rows_grad}_4",), special(2), LAST, ("float32",), "special"),
    ]


def labels(*parts):
    """A function that makes what the letters say: logits, chances, labels, target, gradient."""

    def make(dtype):
        shape = 9, 37
        known = {
            "x": normal(*shape),
            "p": abs(normal(*shape)) + 0.01,
            "t": abs(normal(*shape, seed=1)),
            "g": normal(9, seed=2),
        }
        places = (abs(normal(9)) * 30).astype("int32") % 37
        places[[2, 5]] = -1, 37  # out of range
        return tuple(places if p == "l" else known[p].astype(dtype) for p in parts)

    return make


def reduction(name, kernel, width=4):
    """Over rows, columns, both, and over so many that there are partial results."""
    axes = {"keepdims": False}
    cases = [
        Case(name, (f"{kernel}_rows_1",), arrays((9, 37)), {"axis": (1,), **axes}, name="rows"),
        Case(name, (f"{kernel}_columns",), arrays((37, 5)), {"axis": (0,), **axes}, name="columns"),
        Case(
            name,
            (f"{kernel}_columns", f"{kernel}_rows_1"),
            arrays((3, 7, 5)),
            {"axis": (0, 2), **axes},
            name="both",
        ),
        Case(
            name,
            (f"{kernel}_columns", f"{kernel}_rows_{width}"),
            lambda dtype: (SPECIAL.astype(dtype)[:, None].repeat(2, 1),),
            {"axis": (0, 2), **axes},
            ("float32",),
            "special",
        ),
    ]
    if width == 4:
        cases.append(
            Case(
                name,
                (f"{kernel}_rows_4",),
                arrays((2, 1032)),
                {"axis": (1,), **axes},
                ("float32",),
                "long",
            )
        )
    return cases


def normalized(kind):
    """What gradients of normalizations get, for 9 rows of 37 columns."""

    def make(dtype):
        x, grad_y = (normal(9, 37, seed=k) for k in (0, 1))
        gamma, beta = (normal(37, seed=k) for k in (2, 3))
        mean, spread = normal(kind, seed=4), abs(normal(kind, seed=5)) + 0.5
        return tuple(a.astype(dtype) for a in (grad_y, x, gamma, mean, spread, beta))

    return make


def picked(make, *places):
    return lambda dtype: tuple(make(dtype)[place] for place in places)


COLUMNS, ROWS = normalized(37), normalized(9)


def grouped(dtype):
    x, grad_y = (normal(2, 5, 6, seed=k).astype(dtype) for k in (0, 1))
    gamma, mean = normal(6, seed=2).astype(dtype), normal(2, 2, seed=3).astype(dtype)
    return grad_y, x, gamma, mean, abs(mean) + np.array(0.5, dtype)


def booleans(dtype):
    return (normal(5, 70) > 1.5,)


SPARSE = ("sparse_softmax_loss",)
ONE = {"axis": (1,), "keepdims": False}
PLACE = {"axis": 1, "keepdims": False}
FLOAT = {"dtype": "float32"}


def hits(dtype):
    scores = (3 * normal(40, 5)).round().astype(dtype)  # with ties
    return (abs(normal(40, seed=1)) * 2).astype("int32") % 5, scores


def hits_of_targets(dtype):
    return (normal(40, 5, seed=1) * 2).round().astype(dtype), hits(dtype)[1]


CASES = [
    *softmax("softmax", "softmax", "softmax_grad"),
    *softmax("log_softmax", "softmax", "log_softmax_grad"),
    Case("sparse_softmax_cross_entropy", SPARSE, labels(*"xl")),
    Case("sparse_softmax_cross_entropy_grad", ("sparse_softmax_loss_grad",), labels(*"gxl")),
    Case("softmax_cross_entropy", ("softmax_loss",), labels(*"tx")),
    Case("softmax_cross_entropy_grad", ("softmax_loss_grad",), labels(*"gtx")),
    Case("sparse_cross_entropy", ("sparse_loss",), labels(*"pl"), EPSILON),
    Case("sparse_cross_entropy_grad", ("sparse_loss_grad",), labels(*"gpl"), EPSILON),
    Case("cross_entropy", ("dense_loss",), labels(*"tp"), EPSILON),
    Case("cross_entropy_grad", ("dense_loss_grad",), labels(*"gtp"), EPSILON),
    *reduction("reduce_sum", "sum"),
    *reduction("reduce_max", "largest"),
    *reduction("reduce_min", "smallest"),
    *reduction("reduce_prod", "product", 1),
    *reduction("reduce_fmax", "largest_number", 1),
    *reduction("reduce_fmin", "smallest_number", 1),
    Case(
        "reduce_sum",
        ("sum_rows_1", "sum_rows_4"),
        arrays((9000,)),
        {**ONE, "axis": (0,)},
        ("float32",),
        "parts",
    ),
    Case(
        "reduce_sum",
        ("sum_columns",),
        arrays((2100, 3)),
        {**ONE, "axis": (0,)},
        ("float32",),
        "parts",
        1e-5,
    ),
    Case("sum_of_squares", ("sum_of_squares_rows_1",), arrays((5, 7))),
    Case("sum_of_squares", ("sum_of_squares_rows_4",), arrays((5, 8)), {}, ("float32",), "4"),
    Case("reduce_any", ("any_of_lines",), booleans, ONE, ("bool",)),
    Case("label_hits", ("hits_of_labels",), hits, FLOAT),
    Case("target_hits", ("hits_of_targets",), hits_of_targets, FLOAT),
    Case("argmax", ("argmax_rows",), arrays((9, 37)), PLACE),
    Case("argmax", ("argmax_rows",), arrays((2, 1030)), PLACE, name="long"),
    Case("argmax", ("argmax_rows",), special(1), PLACE, ("float32",), "special"),
    Case("argmin", ("argmin_rows",), special(1), PLACE),
    Case("argmax", ("argmax_lines",), arrays((3, 5, 2)), PLACE, name="lines"),
    Case("argmin", ("argmin_lines",), arrays((3, 5, 2)), PLACE, name="lines"),
    Case(
        "batch_norm",
        ("column_statistics", "normalize_columns"),
        picked(COLUMNS, 1, 2, 5),
        EPSILON,
    ),
    Case(
        "batch_norm",
        ("column_statistics", "joined_statistics", "normalize_columns"),
        lambda dtype: (normal(2100, 3).astype(dtype), None, None),
        EPSILON,
        name="parts",
    ),
    Case(
        "batch_norm",
        ("column_statistics",),
        lambda dtype: (*special(1)(dtype), None, None),
        EPSILON,
        ("float32",),
        "special",
    ),
    Case(
        "batch_norm_grad",
        ("sums_of_columns", "normalize_columns_grad"),
        picked(COLUMNS, 0, 1, 2, 3, 4),
        EPSILON,
        tolerance=1e-5,
        dtypes=("float32",),
    ),
    Case(
        "batch_norm_grad",
        ("sums_of_columns", "normalize_columns_grad"),
        picked(COLUMNS, 0, 1, 2, 3, 4),
        EPSILON,
        ("float64",),
        "wide",
    ),
    Case("layer_norm", ("normalize_rows_1",), picked(ROWS, 1, 2, 5), EPSILON),
    Case(
        "layer_norm",
        ("normalize_rows_4",),
        lambda dtype: (*special(1)(dtype), *arrays((4,), (4,))(dtype)),
        EPSILON,
        ("float32",),
        "special",
    ),
    Case(
        "layer_norm_grad",
        ("normalize_rows_grad_1", "sums_of_rows"),
        picked(ROWS, 0, 1, 2, 3, 4),
        {},
        FLOATS,
        tolerance=1e-5,
    ),
    Case(
        "layer_norm_grad",
        ("normalize_rows_grad_4", "sums_of_rows"),
        lambda dtype: (*arrays((3, 8), (3, 8), (8,), (3,))(dtype), *arrays((3,))(dtype)),
        {},
        ("float32",),
        "4",
        1e-5,
    ),
    Case("rms_norm", ("normalize_rows_1",), picked(ROWS, 1, 2), EPSILON),
    Case(
        "rms_norm_grad",
        ("normalize_rows_grad_1", "sums_of_rows"),
        picked(ROWS, 0, 1, 2, 4),
        tolerance=1e-5,
    ),
    Case(
        "group_norm",
        ("normalize_groups",),
        lambda dtype: (*picked(grouped, 1, 2)(dtype), grouped(dtype)[2]),
        GROUPS,
    ),
    Case(
        "group_norm_grad",
        ("normalize_groups_grad", "sums_of_groups"),
        grouped,
        {"groups": 2},
        tolerance=1e-5,
    ),
]
