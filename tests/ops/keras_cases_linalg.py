# ruff: noqa: E501
"""Expressions of linear algebra, evaluated by nkeras and by Keras."""

from __future__ import annotations

import numpy as np

from tests.ops.keras_cases import INPUTS, add

_random = np.random.default_rng(23)
_square = _random.uniform(-1, 1, (2, 3, 3)).astype("float32")
INPUTS.update(
    matrices=_square + 2 * np.eye(3, dtype="float32"),
    definite=_square @ _square.swapaxes(1, 2) + np.eye(3, dtype="float32"),
    tall=_random.uniform(-1, 1, (2, 4, 3)).astype("float32"),
    columns=_random.uniform(-1, 1, (2, 3, 5)).astype("float32"),
    deficient=np.outer([1.0, 2.0, 3.0], [1.0, 0.5, 2.0]).astype("float32"),
)

add(
    "cholesky",
    "{}(definite)",
    "{}(definite[0], upper=True)",
    "{}(definite[0] + ops.triu(x[:3, :3]))",
)
add("cholesky_inverse", "{}(ops.cholesky(definite[0]))",
    "{}(ops.cholesky(definite[0], upper=True), upper=True)")  # fmt: skip
add("det logdet inv", "{}(matrices)", "{}(matrices[0])")
add("det", "{}(deficient)", "{}(i[:, :3])")
add("inv", "{}(j[:, :3] + 5 * np.eye(3, dtype='int32'))")
add("slogdet", "{}(matrices)", "{}(-matrices[0])")
add("eigh", "{}(definite)[0]", "ops.abs({}(definite)[1])", "{}(matrices[0])[0]")
add("svd", "{}(tall, compute_uv=False)", "{}(deficient)[1]", "ops.abs({}(tall, full_matrices=False)[0])",
    "ops.abs({}(tall)[2])", "{}(tall)[0].shape", "{}(tall, full_matrices=False)[2].shape",
    "{}(j, compute_uv=False)")  # fmt: skip
add("qr", "{}(tall)", "{}(tall[0].T)", "{}(tall, mode='complete')", "{}(matrices[0], 'complete')")
add("lu_factor", "{}(matrices)", "{}(tall[0])", "{}(tall[0].T)", "{}(columns)")
add("matrix_rank", "{}(deficient)", "{}(tall)", "{}(matrices, tol=2.0)", "{}(j)")
add("pinv", "{}(tall)", "{}(deficient)", "{}(tall[0].T, rcond=0.5)")
add("lstsq", "{}(tall[0], row)", "{}(tall[0].T, x[:, :2])", "{}(deficient, columns[0], rcond=1e-3)")
add("solve", "{}(matrices, columns)", "{}(matrices[0], row[:3])", "{}(definite[:1], columns)")
add("solve_triangular", "{}(matrices, columns)", "{}(matrices[0], row[:3], lower=True)")
add(
    "norm",
    "{}(x)",
    "{}(cube)",
    "{}(i, axis=1)",
    *[f"{{}}(x, {order!r})" for order in ("fro", "nuc", 1, -1, 2, -2)],
    *[f"{{}}(x, ord={order}np.inf, axis=(0, 1))" for order in ("", "-")],
    *[f"{{}}(x, ord={order}, axis=-1)" for order in ("np.inf", "-np.inf", 0, 1, -1, 2, -2, 3, 0.5)],
    "{}(cube, 'nuc', axis=(2, 0), keepdims=True)",
    "{}(cube, 2, axis=(0, -1))",
    "{}(cube, 1, axis=(2, 1), keepdims=True)",
    "{}(cube, axis=1, keepdims=True)",
    "{}(row)",
    "{}(row, 3)",
    "{}(b, axis=0)",
)
