"""Linear algebra: gradients are those of Keras on JAX; what has no result; namespaces."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import ops
from nkeras.backend.registry import use_backend
from nkeras.core.primitive import PRIMITIVES
from nkeras.core.tape import GradientTape
from tests.harness import oracle
from tests.ops.cases_linalg import definite, floats, regular

_GRADIENT = """
def loss(x):
    results = eval(expression, {"ops": ops, "x": x})
    results = results if isinstance(results, (list, tuple)) else [results]
    return sum(ops.sum(ops.sin(y + 0.5)) for y in results)

result = jax.jit(jax.grad(loss))(jnp.asarray(x))
"""

# An expression of x, and x.
GRADIENTS: dict[str, tuple[str, Any]] = {
    "cholesky": ("ops.cholesky(x)", definite(2, 3, 3)),
    "cholesky-upper": ("ops.cholesky(x, upper=True)", definite(2, 3, 3)),
    "cholesky_inverse": ("ops.cholesky_inverse(ops.cholesky(x))", definite(3, 3)),
    "det": ("ops.det(x)", regular(2, 3, 3)),
    "det-singular": ("ops.det(x)", np.diag([2.0, 1.0, 0.0]).astype("float32")),
    "eigh-values": ("ops.eigh(x)[0]", definite(2, 3, 3)),
    "eigh-vectors": ("ops.square(ops.eigh(x)[1])", definite(2, 3, 3)),
    "inv": ("ops.inv(x)", regular(2, 3, 3)),
    "logdet": ("ops.logdet(x)", regular(2, 3, 3)),
    "slogdet": ("ops.slogdet(x)", regular(2, 3, 3)),
    "lu_factor": ("ops.lu_factor(x)[0]", floats(2, 3, 3)),
    "lu_factor-tall": ("ops.lu_factor(x)[0]", floats(4, 2)),
    "lu_factor-wide": ("ops.lu_factor(x)[0]", floats(2, 4)),
    "qr": ("ops.qr(x)", floats(2, 4, 3)),
    "svd-values": ("ops.svd(x, compute_uv=False)", floats(2, 4, 3)),
    "svd-vectors": ("[ops.square(y) for y in ops.svd(x, full_matrices=False)]", floats(2, 3, 4)),
    "pinv": ("ops.pinv(x)", floats(4, 3)),
    "lstsq": ("ops.lstsq(x, x[:, 0] * 2.0)", floats(4, 3)),
    "solve": ("ops.solve(x, x[:, :2] + 1.0)", regular(3, 3)),
    "solve_triangular": ("ops.solve_triangular(x, x[:, 0], lower=True)", regular(3, 3)),
    **{
        f"norm-{order}": (f"ops.norm(x, ord={order})", floats(3, 4))
        for order in ("'fro'", "'nuc'", "1", "-1", "2", "-2")
    },
    **{
        f"norm-{order}-vectors": (f"ops.norm(x, ord={order}, axis=1)", floats(3, 4))
        for order in ("None", "1", "3", "0.5", "float('inf')")
    },
}


@oracle.requires_keras
@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_are_those_of_keras(name: str) -> None:
    expression, x = GRADIENTS[name]
    want = oracle.run(_GRADIENT, expression=expression, x=x)
    source = ops.convert_to_tensor(x)
    with GradientTape() as tape:
        tape.watch(source)
        results = eval(expression, {"ops": ops, "x": source})
        results = results if isinstance(results, (list, tuple)) else [results]
        loss = ops.sum(ops.stack([ops.sum(ops.sin(y + 0.5)) for y in results]))
    np.testing.assert_allclose(tape.gradient(loss, source), want, 2e-3, 2e-4)


SINGULAR = np.stack([np.eye(3), np.zeros((3, 3)), 2 * np.eye(3)]).astype("float32")


@pytest.mark.parametrize("backend", ["numpy", "numba_cpu"])
def test_one_matrix_without_result_leaves_the_others(backend: str) -> None:
    with use_backend(backend):
        inverse = np.asarray(ops.inv(SINGULAR))
        np.testing.assert_array_equal(inverse[::2], np.stack([np.eye(3), np.eye(3) / 2]))
        assert np.isnan(inverse[1]).all()
        assert np.isnan(ops.inv(SINGULAR[1])).all()
        holes = SINGULAR.copy()
        holes[1, 0, 0] = np.nan
        values = np.asarray(ops.svd(holes, compute_uv=False))
        np.testing.assert_array_equal(values[2], [2, 2, 2])
        assert np.isnan(values[1]).all()


def test_cholesky_of_an_indefinite_matrix() -> None:
    with pytest.raises(ValueError, match=r"cholesky: argument `x`, of shape \(3, 3, 3\), has a"):
        ops.cholesky(SINGULAR - 1)


def test_a_plan_repeats_it() -> None:
    @nkeras.function
    def whitened(x: Any) -> Any:
        factor = ops.cholesky(ops.matmul(x, ops.transpose(x)) + ops.eye(3))
        return ops.solve_triangular(factor, x, lower=True), ops.det(factor), ops.eigh(factor)[0]

    for _ in range(5):
        x = floats(3, 4)
        factor = np.linalg.cholesky(x @ x.T + np.eye(3, dtype="float32"))
        found, determinant, _ = whitened(x)
        np.testing.assert_allclose(found, np.linalg.solve(factor, x), 1e-4, 1e-5)
        np.testing.assert_allclose(determinant, np.linalg.det(factor), 1e-4)
    assert whitened.refusals() == []


def test_vectors_in_a_batch() -> None:
    a, b = regular(2, 3, 3), floats(2, 3)
    want = np.linalg.solve(a, b[..., None])[..., 0]
    np.testing.assert_allclose(ops.solve(a, b), want, 1e-5, 1e-6)
    a, b = regular(3, 3, 3), floats(3, 3)  # as in TensorFlow and torch; JAX takes b for a matrix
    want = np.linalg.solve(a, b[..., None])[..., 0]
    np.testing.assert_allclose(ops.solve(a, b), want, 1e-5, 1e-6)


def test_sizes_of_a_batch_may_be_unknown() -> None:
    a = nkeras.KerasTensor((None, 3, 3))
    assert ops.solve(a, nkeras.KerasTensor((None, 3))).shape == (None, 3)
    assert ops.det(a).shape == (None,)
    assert [y.shape for y in ops.svd(a)] == [(None, 3, 3), (None, 3), (None, 3, 3)]


def test_half_types_are_computed_in_float32() -> None:
    x = ops.cast(definite(3, 3), "bfloat16")
    found = ops.cholesky(x)
    assert found.dtype == "bfloat16"
    want = np.linalg.cholesky(np.asarray(x).astype("float32"))
    np.testing.assert_allclose(np.asarray(found).astype("float32"), want, 1e-2, 1e-2)


def test_empty_matrices() -> None:
    nothing = np.zeros((0, 3, 3), "float32")
    assert ops.inv(nothing).shape == ops.cholesky(nothing).shape == (0, 3, 3)
    assert ops.det(np.zeros((2, 0, 0), "float32")).numpy().tolist() == [1.0, 1.0]
    assert ops.svd(nothing)[1].shape == (0, 3)
    assert ops.lu_factor(nothing)[1].shape == (0, 3)
    assert ops.lu_factor(np.zeros((5, 0), "float32"))[1].shape == (0,)


@pytest.mark.parametrize("shape", [(2, 90, 70), (40, 130)])
def test_more_columns_than_are_done_at_once(shape: tuple[int, ...]) -> None:
    x = floats(*shape).astype("float64")
    both, _, order = (np.asarray(y) for y in PRIMITIVES["lu"](x))
    inner = min(shape[-2:])
    lower = np.tril(both[..., :inner], -1) + np.eye(shape[-2], inner)
    rows = np.take_along_axis(x, order[..., None], -2)
    np.testing.assert_allclose(lower @ np.triu(both[..., :inner, :]), rows, 1e-9, 1e-9)
    a, b = regular(150, 150).astype("float64") + 4 * np.eye(150), floats(2, 150, 3)
    for lower in (True, False):
        y = np.asarray(ops.solve_triangular(a, b, lower=lower))
        np.testing.assert_allclose((np.tril(a) if lower else np.triu(a)) @ y, b, 1e-6, 1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ops.det(floats(2, 3)), r"det: argument `x` must be square.*\(2, 3\)"),
        (lambda: ops.svd(floats(3)), r"svd: argument `x` must be a matrix.*\(3,\)"),
        (lambda: ops.solve(floats(2, 3), floats(2)), r"solve: argument `a` must be square"),
        (lambda: ops.solve(floats(3, 3), floats(2)), r"solve: a matrix of shape \(3, 3\) needs 3"),
        (lambda: ops.solve(floats(3, 3), 1.0), r"solve: argument `b` must be a vector"),
        (lambda: ops.qr(floats(3, 3), mode="r"), r"qr: argument `mode` .*mode='r'"),
        (lambda: ops.norm(floats(3, 3), 3), r"norm: argument `ord` .*ord=3"),
        (lambda: ops.norm(floats(3), "fro", axis=0), r"norm: argument `ord` .*ord='fro'"),
        (lambda: ops.norm(floats(1, 2, 3), 2), r"norm: argument `ord` .*shape \(1, 2, 3\)"),
        (lambda: ops.lstsq(floats(3, 2), floats(2)), r"lstsq: `a` must have shape"),
    ],
)
def test_refusals(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert len(str(caught.value)) <= 400


@pytest.mark.parametrize("function", [ops.qr, ops.svd])
def test_vectors_that_are_added_have_no_gradient(function: Any) -> None:
    x = ops.convert_to_tensor(floats(4, 2))
    with GradientTape() as tape:
        tape.watch(x)
        made = function(x, "complete") if function is ops.qr else function(x)
        loss = ops.sum(made[0])
    with pytest.raises(NotImplementedError, match="have no derivative"):
        tape.gradient(loss, x)


@oracle.requires_keras
def test_namespaces_are_those_of_keras() -> None:
    code = "result = {s: [n for n in dir(getattr(ops, s)) if n[0] != '_'] for s in spaces}"
    spaces = {"numpy": ops.numpy, "nn": ops.nn, "linalg": ops.linalg}
    wanted = oracle.run(code, spaces=list(spaces))
    for space, module in spaces.items():
        assert set(dir(module)) >= set(module.__all__)
        assert set(module.__all__) - set(wanted[space]) == set()
        for name in module.__all__:
            assert getattr(module, name) is getattr(ops, name)
        for name in set(wanted[space]) - set(module.__all__):
            assert nkeras.core.missing.reason(f"ops.{space}.{name}") is not None


def test_a_namespace_knows_what_is_missing() -> None:
    with pytest.raises(AttributeError, match=r"module 'nkeras.ops.linalg' has no attribute 'deet'"):
        ops.linalg.deet  # noqa: B018


def test_nothing_warns() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ops.pinv(SINGULAR)
        ops.slogdet(SINGULAR)
        ops.lu_factor(SINGULAR)
