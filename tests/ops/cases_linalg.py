"""Calls of the primitives of linear algebra."""

from __future__ import annotations

import numpy as np

from tests.ops.cases import Case, floats


def definite(*shape: int) -> np.ndarray:
    x = floats(*shape)
    return x @ np.swapaxes(x, -1, -2) + np.eye(shape[-1], dtype="float32")


def regular(*shape: int) -> np.ndarray:
    """Square, not singular."""
    return floats(*shape, low=-0.5, high=0.5) + 1.5 * np.eye(shape[-1], dtype="float32")


CASES: dict[str, list[Case]] = {
    "solve": [
        Case((regular(3, 3), floats(3, 2)), {}),
        Case((regular(2, 1, 3, 3), floats(4, 3, 1)), {}),
    ],
    "solve_triangular": [
        Case((regular(3, 3), floats(3, 2)), {"lower": True}),
        Case((regular(2, 3, 3), floats(3, 2)), {"lower": False}),
    ],
    "pinv": [
        Case((floats(2, 4, 3),), {"rcond": 1e-5}),
        Case((floats(2, 4),), {"rcond": 1e-5}),
    ],
    "det": [Case((regular(2, 3, 3),), {})],
    "cofactors": [Case((regular(2, 3, 3),), {})],
    "slogdet": [Case((regular(2, 3, 3),), {})],
    "cholesky": [Case((definite(3, 3),), {}), Case((definite(2, 2, 2),), {})],
    "qr": [
        Case((floats(2, 4, 3),), {"mode": "reduced"}),
        Case((floats(3, 3),), {"mode": "complete"}),
        Case((floats(2, 4),), {"mode": "complete"}),
        Case((floats(4, 2),), {"mode": "complete"}, False),
    ],
    "lu": [
        Case((floats(2, 3, 3),), {}),
        Case((floats(4, 2),), {}),
        Case((floats(2, 4),), {}),
    ],
    "eig": [Case((definite(2, 3, 3),), {}, False)],
    "real": [Case((floats(2, 3),), {}, False)],
    "imag": [Case((floats(2, 3),), {}, False)],
    "conj": [Case((floats(2, 3),), {}, False)],
    "make_complex": [Case((floats(2, 3), floats(2, 3)), {})],
    "eigh": [Case((definite(2, 3, 3),), {})],
    "svd": [
        Case((floats(2, 4, 3),), {"full_matrices": False}),
        Case((floats(2, 3),), {"full_matrices": False}),
        Case((floats(3, 3),), {"full_matrices": True}),
        Case((floats(2, 3),), {"full_matrices": True}, False),
    ],
    "matrix_rank": [
        Case((floats(2, 3, 4),), {"tol": None}, False),
        Case((floats(3, 3),), {"tol": 1.5}, False),
    ],
}
