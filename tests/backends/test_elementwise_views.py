"""Elementwise kernels on views: any strides, and broadcasting; whole rows are not copied."""

from __future__ import annotations

import numpy as np
import pytest

from nkeras.backend.scalar import SCALARS
from nkeras_numba_cpu.kernels import elementwise as kernels
from nkeras_numba_cpu.kernels.elementwise import elementwise

SHAPES = [
    *((5,), (3, 7), (1, 9), (2, 3, 7), (3, 1, 2, 5), (2, 3, 2, 3, 2)),
    *((4, 999), (3, 1500), (9, 3000), (2, 5, 1)),
]


def views(shape: tuple[int, ...], seed: int) -> list[np.ndarray]:
    """Arrays of a shape, or of one that broadcasts to it, that lie in different ways."""
    generator = np.random.default_rng(seed)
    wide = generator.normal(size=[2 * n + 2 for n in shape]).astype("float32")
    whole = tuple(slice(1, 1 + n) for n in shape)
    first = wide[tuple(slice(0, 1) if i % 2 else slice(0, n) for i, n in enumerate(shape))]
    read_only = np.ascontiguousarray(wide[whole])
    read_only.flags.writeable = False
    return [
        np.ascontiguousarray(wide[whole]),
        read_only,
        wide[whole],  # rows are whole
        wide[whole][::-1],
        wide[whole][..., ::-1],
        wide[tuple(slice(0, 2 * n, 2) for n in shape)],
        first,
        np.broadcast_to(first, shape),
        wide[whole].T.copy().T,
        wide[(0,) * len(shape)],
    ]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_any_two_views(shape: tuple[int, ...]) -> None:
    add, where = elementwise(SCALARS["subtract"]), elementwise(SCALARS["where"])
    for x in views(shape, 1):
        for y in views(shape, 2):
            np.testing.assert_array_equal(add(x, y), x - y)
            chosen = where(x > 0, x, y)
            np.testing.assert_array_equal(chosen, np.where(x > 0, x, y))


def test_whole_rows_are_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.arange(60, dtype="float32").reshape(6, 10)
    monkeypatch.setattr(kernels, "operand", None)
    result = elementwise(SCALARS["subtract"])(x[:, 1:], x[:, :-1])
    np.testing.assert_array_equal(result, np.ones((6, 9)))
