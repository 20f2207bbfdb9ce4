"""NaN, infinities, empty arrays and bad arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nkeras import losses, ops
from nkeras.backend.registry import use_backend
from nkeras.constraints import MaxNorm, UnitNorm
from nkeras.core.graph import KerasTensor
from nkeras.core.tape import GradientTape
from nkeras.optimizers.clipping import clip_by_norm

NAN, INF = float("nan"), float("inf")
SPECIAL = np.array([NAN, INF, -INF, 0.0, -1.0, 2.0], "float32")


@pytest.fixture(params=["numpy", "numba_cpu"], autouse=True)
def _backend(request: Any) -> Any:
    with use_backend(request.param):
        yield


def test_nan_is_kept() -> None:
    np.testing.assert_array_equal(ops.clip(SPECIAL, -1.0, 1.0), [NAN, 1, -1, 0, -1, 1])
    np.testing.assert_array_equal(ops.relu(SPECIAL), [NAN, INF, 0, 0, 0, 2])
    np.testing.assert_array_equal(ops.maximum(SPECIAL, 0.5), [NAN, INF, 0.5, 0.5, 0.5, 2])
    np.testing.assert_array_equal(ops.sort(SPECIAL), [-INF, -1, 0, 2, INF, NAN])
    assert np.isnan(ops.max(SPECIAL))
    assert np.isnan(ops.min(SPECIAL))
    assert int(ops.argmax(SPECIAL)) == 0
    assert np.isnan(ops.median(SPECIAL))
    assert np.isnan(ops.softmax(SPECIAL)).all()


@pytest.mark.parametrize("kind", ["int8", "int16", "int32", "int64", "uint8", "uint32"])
@pytest.mark.parametrize("name", ["fmod", "mod", "floor_divide"])
def test_division_at_the_ends_of_integers(name: str, kind: str) -> None:
    """Also by the lowest integer, whose absolute value does not exist, and of it by -1."""
    low, high = np.iinfo(kind).min, np.iinfo(kind).max
    signed = [-100, -7, -2, -1] if low else []
    values = np.array([low, low + 1, *signed, 1, 2, 3, 7, 100, high - 1, high], kind)
    x1, x2 = (grid.ravel() for grid in np.meshgrid(values, values))
    x1, x2 = x1[x2 != 0], x2[x2 != 0]
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(getattr(ops, name)(x1, x2), getattr(np, name)(x1, x2))


def test_infinities() -> None:
    np.testing.assert_array_equal(ops.softmax(np.array([0.0, -INF], "float32")), [1, 0])
    np.testing.assert_array_equal(ops.logsumexp(np.array([-INF, -INF], "float32")), -INF)
    np.testing.assert_array_equal(ops.logsumexp(np.array([INF, 0.0], "float32")), INF)
    big = np.array([1e4, -1e4], "float32")
    np.testing.assert_allclose(ops.softmax(big), [1, 0])
    np.testing.assert_allclose(ops.sigmoid(big), [1, 0])
    np.testing.assert_allclose(ops.softplus(big), [1e4, 0])


def test_empty_arrays() -> None:
    empty = np.zeros((0, 3), "float32")
    assert float(ops.sum(empty)) == 0.0
    assert float(ops.prod(empty)) == 1.0
    with np.errstate(all="ignore"):
        assert np.isnan(ops.mean(empty))
    assert ops.mean(empty, axis=1).shape == (0,)
    assert ops.sort(empty, axis=0).shape == (0, 3)
    assert ops.softmax(empty).shape == (0, 3)
    assert ops.relu(empty).shape == (0, 3)
    assert ops.matmul(empty, np.ones((3, 2), "float32")).shape == (0, 2)
    assert ops.matmul(empty.T, empty).numpy().tolist() == [[0.0] * 3] * 3
    assert ops.concatenate([empty, empty]).shape == (0, 3)
    assert float(ops.max(empty, initial=5.0)) == 5.0
    for function in (ops.max, ops.min, ops.amax, ops.argmax):
        with pytest.raises(ValueError, match="empty"):
            function(empty, axis=0)


def test_gradients_of_equal_extremes_are_shared() -> None:
    x = ops.convert_to_tensor([1.0, 3.0, 3.0])
    with GradientTape() as tape:
        tape.watch(x)
        y = ops.max(x)
    np.testing.assert_allclose(tape.gradient(y, x), [0.0, 0.5, 0.5])


def test_gradient_of_logsumexp_is_softmax() -> None:
    x = ops.convert_to_tensor([[0.0, 1.0, -2.0]])
    with GradientTape() as tape:
        tape.watch(x)
        y = ops.logsumexp(x, axis=1)
    np.testing.assert_allclose(tape.gradient(y, x), ops.softmax(x), rtol=1e-6)


def test_sparsemax_is_the_nearest_point_of_the_simplex() -> None:
    y = ops.sparsemax(np.array([[0.2, 0.1, -3.0], [5.0, 0.0, 0.0]], "float32")).numpy()
    np.testing.assert_allclose(y, [[0.55, 0.45, 0.0], [1.0, 0.0, 0.0]], rtol=1e-6)


@pytest.mark.parametrize("axis", [0, 1])
def test_labels_out_of_range_are_named(axis: int) -> None:
    logits = np.zeros((4, 4), "float32")
    with pytest.raises(ValueError, match=r"label 7 in `target`.*\[0, 3\]"):
        ops.sparse_categorical_crossentropy(np.array([0, 7, 1, 2]), logits, True, axis)
    with pytest.raises(ValueError, match="label -1"):
        ops.sparse_categorical_crossentropy(np.array([0, -1, 1, 2]), logits, axis=axis)


def test_indices_out_of_range_are_named() -> None:
    with pytest.raises(ValueError, match="index 5 is out of range"):
        ops.take(np.zeros(3, "float32"), [1, 5])
    with pytest.raises(ValueError, match="out of range"):
        ops.scatter_update(np.zeros(3, "float32"), [[3]], [1.0])
    with pytest.raises(IndexError, match="Index 3"):
        ops.get_item(np.zeros(3, "float32"), 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: ops.quantile(x, 1.5), "`q` must be between 0 and 1"),
        (lambda x: ops.quantile(x, 0.5, method="no"), "`method`"),
        (lambda x: ops.split(x, 2, axis=1), "divisor of the size 3"),
        (lambda x: ops.top_k(x, 4), "`k` must be in"),
        (lambda x: ops.top_k(x, 0), r"`k` must be in \[1, 3\]"),
        (lambda x: ops.one_hot(x, -1), "`num_classes` must be an int, at least 0. Received: -1"),
        (lambda x: ops.einsum("ij,jk->ik", x, x), "axis 'j'"),
        (lambda x: ops.einsum("ij,jk->ik", x), "names 2 operands"),
        (lambda x: ops.one_hot(x, 3, sparse=True), "`sparse`"),
        (lambda x: ops.tensordot(x, x, 1), "different sizes"),
        (lambda x: ops.normalize(x, order=0), "`order`"),
        (lambda x: ops.slice(x, (0, 0), (5, 5)), "does not lie in"),
        (lambda x: ops.conv_transpose(x[None], x[None, :, :], padding="full"), "`padding`"),
        (lambda x: ops.nonzero(KerasTensor((2, 3))), "symbolic"),
        (lambda x: ops.searchsorted(x, x), "rank 1"),
        (lambda x: ops.scan(lambda c, y: (c, y), x), "`length`"),
    ],
)
def test_bad_arguments(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(np.ones((2, 3), "float32"))


NORMS = {
    "normalize": lambda x: ops.normalize(x, axis=-1),
    "normalize, order 1": lambda x: ops.normalize(x, axis=-1, order=1),
    "normalize, order 3": lambda x: ops.normalize(x, axis=-1, order=3),
    "cdist": lambda x: ops.cdist(x, x),
    "std": lambda x: ops.std(x, axis=0),
    "nanstd": lambda x: ops.nanstd(x, axis=0),
    "hypot": lambda x: ops.hypot(x[:, 0], x[:, 1]),
    "UnitNorm": lambda x: UnitNorm(axis=-1)(x),
    "MaxNorm": lambda x: MaxNorm(axis=-1)(x),
    "clip_by_norm": lambda x: clip_by_norm(x[0], 1.0),
    "cosine_similarity": lambda x: losses.cosine_similarity(x[::-1], x),
}


@pytest.mark.parametrize("name", NORMS)
def test_gradient_at_norm_zero(name: str) -> None:
    """A row of zeros, equal points or a constant column: the gradient stays finite."""
    x = ops.convert_to_tensor(np.array([[0, 0], [3, 0], [0, 0]], "float32"))
    with GradientTape() as tape:
        tape.watch(x)
        y = ops.sum(NORMS[name](x))
    assert np.isfinite(y.numpy())
    assert np.isfinite(tape.gradient(y, x).numpy()).all()


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_normalize_of_zero_is_a_division_by_epsilon(dtype: str, order: int) -> None:
    x = ops.convert_to_tensor(np.array([[0, 0], [3, 4]], dtype))
    with GradientTape() as tape:
        tape.watch(x)
        y = ops.normalize(x, axis=-1, order=order, epsilon=1e-3)
    found = tape.gradient(y, x, np.array([[1, 2], [0, 0]], dtype)).numpy()
    np.testing.assert_allclose(found, [[1e3, 2e3], [0, 0]], rtol=1e-3)
    norm = (3**order + 4**order) ** (1 / order)
    np.testing.assert_allclose(y.numpy(), [[0, 0], [3 / norm, 4 / norm]], rtol=2e-3)
    assert not ops.normalize(ops.zeros((2, 2), dtype), order=order).numpy().any()


@pytest.mark.parametrize(
    ("shift", "axis"), [((1,), (0, 1)), (1, (0, 1)), ((1, 2), 0), ((1, 2), (0, 0)), ((1, 2), None)]
)
def test_shifts_and_axes_of_roll_broadcast(shift: Any, axis: Any) -> None:
    x = np.arange(12).reshape(3, 4)
    np.testing.assert_array_equal(ops.roll(x, shift, axis), np.roll(x, shift, axis))
    with pytest.raises(ValueError, match="roll: arguments `shift` and `axis`"):
        ops.roll(x, (1, 2, 3), (0, 1))


def test_in_top_k_of_a_negative_target() -> None:
    """-1 is no class, and not the last one."""
    found = ops.in_top_k(np.array([-1, 2, 0]), np.array([[1.0, 2.0, 3.0]] * 3, "float32"), 1)
    np.testing.assert_array_equal(found, [False, True, False])


@pytest.mark.parametrize("name", ["bitwise_and", "bitwise_or", "bitwise_xor", "left_shift"])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32"])
def test_dtype_of_bits_with_a_python_number(name: str, dtype: str) -> None:
    function, symbol, ones = getattr(ops, name), KerasTensor((2,), dtype), np.ones(2, dtype)
    for one, traced in (
        (function(ones, 3), function(symbol, 3)),
        (function(3, ones), function(3, symbol)),
    ):
        assert one.dtype == traced.dtype == dtype
        assert one.shape == traced.shape == (2,)
