# ruff: noqa: E501
"""Expressions of complex numbers, evaluated by nkeras and by Keras."""

from __future__ import annotations

import numpy as np

from tests.ops.keras_cases import INPUTS, add

_random = np.random.default_rng(31)


def _numbers(*shape: int) -> np.ndarray:
    return (_random.uniform(-1, 1, shape) + 1j * _random.uniform(-1, 1, shape)).astype("complex64")


_z = _numbers(3, 3)
INPUTS.update(
    z=_z,
    w=_numbers(3, 3),
    zs=_numbers(2, 3, 4),
    hermitian=(_z @ _z.conj().T + np.eye(3)).astype("complex64"),
    parts=_random.uniform(-1, 1, (3, 4, 2)).astype("float32"),
    flawed=np.array([1 + 2j, complex(np.nan, 0), complex(0, np.inf), 0], "complex64"),
)

add("real imag conj conjugate angle isreal view_as_real", "{}(z)", "{}(zs)")
add("real imag conj conjugate angle isreal view_as_real", "{}(x)")
add("real imag conj isreal", "{}(i)")
add("angle", "{}(-x)", "{}(flawed[:1])")
add("isreal", "{}(flawed)")
add("polar", "{}(x, y)", "{}(x[:1], y)")
add("view_as_complex", "{}(parts)", "ops.view_as_real({}(parts))")
add(
    "eig",
    "ops.sort(ops.real({}(matrices)[0]), -1)",
    "ops.abs({}(hermitian)[1])[..., 0].shape",
    "{}(matrices)[1].shape",
)

add(
    "abs absolute sign negative square sqrt rsqrt reciprocal exp exp2 expm1 log log1p log2 log10 sin cos tan "
    "sinh cosh tanh arcsin arccos arctan arcsinh arccosh arctanh sinc isnan isinf isfinite logical_not deg2rad",
    "{}(z)",
)
add("isnan isinf isfinite abs", "{}(flawed)")
add("add subtract multiply divide true_divide divide_no_nan power equal not_equal logical_and isclose",
    "{}(z, w)", "{}(z, z)", "{}(z, x[:, :3])", "{}(z, 2)", "{}(x, 1 + 2j)")  # fmt: skip
add("power", "{}(z, 0.5)", "{}(z, -1)", "{}(z, 2.0)", "{}(z, 1.3)")
add("multiply", "{}(i, 2j)", "{}(b, 2j)", "z * 2j + 1", "1j - z", "z / (1 + 1j)", "-z", "2.0 ** z")
add("where", "{}(b[:3, :3], z, w)", "{}(b[:3, :3], z, 0.0)")
add("allclose", "{}(z, z)", "{}(z, w)")

add("sum mean prod cumsum cumprod any all count_nonzero std", "{}(zs)", "{}(zs, axis=1)")
add("var", "ops.real({}(zs, axis=1))")
add("nansum nanmean", "{}(flawed[:2])")
add("average trace diagonal", "{}(z)")
add("norm", "{}(z)", "{}(z, 1)", "{}(z, 'nuc')", "{}(zs, axis=1)", "{}(zs, 3, axis=-1)")
add("matmul dot inner outer tensordot vdot kron", "{}(z, w)")
add("matmul", "{}(zs, zs.transpose(0, 2, 1))", "{}(z, x)", "z @ w")
add("einsum", "{}('ij,kj->ik', z, w)")
add("cross", "{}(z, w)")
add("corrcoef", "{}(z)")
add("transpose ravel flip rot90 squeeze tril triu diag copy", "{}(z)")
add("reshape", "{}(z, (9,))")
add("concatenate stack hstack vstack", "{}([z, w])", "{}([z, x[:, :3]])")
add("pad", "{}(z, 1)", "{}(z, ((1, 0), (0, 2)), constant_values=1)")
add("take", "{}(z, [0, 2, 0], axis=1)")
add("take_along_axis", "{}(z, labels[None] % 3, axis=0)")
add("repeat tile roll", "{}(z, 2)")
add("split", "{}(z, 3)")
add("scatter", "{}(ids[:, None], z, (4, 3))")
add("get_item", "{}(z, 1)", "z[1:, ::2]")
add("cast", "{}(z, 'float32')", "{}(x, 'complex64')", "{}(i, 'complex64')", "{}(z, 'bool')")
add("zeros_like ones_like", "{}(z)")
add("zeros ones", "{}((2, 3), 'complex64')")
add("convert_to_tensor array", "{}(2j)", "{}([1.0, 2j])", "{}(z)")
add("diff", "{}(z)")

add("cholesky inv det slogdet logdet", "{}(hermitian)")
add("cholesky", "{}(hermitian, upper=True)")
add("cholesky_inverse", "{}(ops.cholesky(ops.real(hermitian)))")
add("eigh", "{}(hermitian)[0]", "ops.abs({}(hermitian)[1])")
add("svd", "{}(zs, compute_uv=False)", "ops.abs({}(z)[0])")
add("qr lu_factor pinv matrix_rank", "{}(z)")
add("solve", "{}(z, w)", "{}(z, x[:, 0])")
add("solve_triangular", "{}(z, w, lower=True)")
add("lstsq", "{}(zs[0], z)")
