"""Pooling, element by element and four channels at a time."""

import numpy as np

from tests.ptx.case import COMPUTED, Case, arrays

HALVES = ("float16", "bfloat16")
MOVED = (*COMPUTED, *HALVES)
STORED = ("float32", *HALVES)

APART = {"pool_size": (2, 2), "strides": (2, 2), "padding": ((0, 0), (0, 1))}
OVER = {"pool_size": (3, 2), "strides": (1, 1), "padding": ((1, 1), (1, 0))}
LARGE = {"pool_size": (17, 17), "strides": (17, 17), "padding": ((0, 0), (0, 0))}


def with_winners(y, cells, dtype="uint8"):
    """A function that makes gradients of `y` and winners among so many cells."""

    def make(wanted):
        winner = np.random.default_rng(3).integers(0, cells, y).astype(dtype)
        return (*arrays(y)(wanted), winner)

    return make


def pools(x, y, settings, suffixes, name, dtypes=MOVED, winner="uint8"):
    """Both kinds of pooling, and their gradients."""
    forward, backward, average, average_back = suffixes
    floats = tuple(d for d in dtypes if not d.startswith("int"))
    cells = settings["pool_size"][0] * settings["pool_size"][1]
    more = {**settings, "input_shape": x}
    winners = with_winners(y, cells, winner)
    return [
        Case("max_pool", (f"max_pool_forward{forward}",), arrays(x), settings, dtypes, name),
        Case("max_pool_grad", (f"max_pool_backward{backward}",), winners, more, dtypes, name),
        Case(
            "average_pool", (f"average_pool_forward{average}",), arrays(x), settings, floats, name
        ),
        Case(
            "average_pool_grad",
            (f"average_pool_backward{average_back}",),
            arrays(y),
            more,
            floats,
            name,
        ),
    ]


def take(dtype):
    x, (_, winner) = arrays((2, 5, 4, 3))(dtype), with_winners((2, 5, 4, 3), 6)(dtype)
    return (*x, winner)


CASES = [
    *pools((2, 5, 4, 3), (2, 5, 4, 3), OVER, ("", "", "", ""), "over"),
    *pools((1, 17, 17, 2), (1, 1, 1, 2), LARGE, ("",) * 4, "large", ("float32",), "int32"),
    *pools((2, 5, 4, 8), (2, 5, 4, 8), OVER, ("_4",) * 4, "over-4", STORED),
    *pools(
        (2, 4, 5, 8),
        (2, 2, 3, 8),
        APART,
        ("_2x2", "_apart_4", "_4", "_apart_4"),
        "apart-4",
        STORED,
    ),
    Case("max_pool_take", ("max_pool_gather",), take, OVER, MOVED),
]
