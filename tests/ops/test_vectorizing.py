"""vectorized_map runs a function once for all slices, with the results of a loop over them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import ops
from nkeras.backend.registry import use_backend
from nkeras.core.tape import GradientTape

_random = np.random.default_rng(5)


def floats(*shape: int) -> np.ndarray:
    return _random.normal(size=shape).astype("float32")


ROW, SQUARE, CUBE, MATRIX = floats(4), floats(4, 4), floats(3, 4, 4), floats(5, 4)
IMAGES, KERNEL = floats(3, 2, 8, 8, 2), floats(3, 3, 2, 4)
WARP = np.array([0.9, 0.2, 0.1, -0.1, 1.1, 0.3, 0.0, 0.01], "float32")
PLACES = _random.integers(0, 4, (3, 2)).astype("int32")

# A function of one slice, and what it is mapped over.
CASES: dict[str, tuple[Callable[..., Any], Any]] = {
    "elementwise": (lambda r: ops.tanh(r) * 2.0 + ROW, MATRIX),
    "broadcast": (lambda m: m * ops.max(m, axis=1, keepdims=True) + ROW, CUBE),
    "power": (lambda r: r**2 + ops.abs(r) ** 0.7, MATRIX),
    "ranks": (lambda r: ops.sum(r) * SQUARE, MATRIX),
    "scalars": (lambda s: s + 1.0, ROW),
    "reductions": (lambda m: (ops.mean(m), ops.max(m, 0), ops.var(m, axis=(0, 1))), CUBE),
    "lines": (
        lambda m: (ops.argmax(m, 1), ops.cumsum(m, 0), ops.sort(m, -1), ops.argsort(m)),
        CUBE,
    ),
    "softmax": (lambda m: (ops.softmax(m, 0), ops.log_softmax(m), ops.logsumexp(m, 1)), CUBE),
    "resized": (lambda x: ops.image.resize(x, (5, 9), "bicubic"), IMAGES),
    "warped": (lambda x: ops.image.affine_transform(x, WARP), IMAGES[:, :1]),
    "warped by one matrix": (lambda x: ops.image.affine_transform(x, WARP), IMAGES),
    "top_k": (lambda m: ops.top_k(m, 2), CUBE),
    "shapes": (lambda m: ops.concatenate([ops.reshape(m, (2, 8)), ops.ones((1, 8))], 0), CUBE),
    "moves": (lambda m: ops.flip(ops.transpose(m)[1:, ::2], 0), CUBE),
    "pad": (lambda m: ops.pad(m, ((1, 0), (0, 2)), constant_values=3.0), CUBE),
    "stack": (lambda r: ops.stack([r, ROW, r * 0.0], axis=1), MATRIX),
    "repeat": (lambda r: ops.tile(ops.expand_dims(r, 0), (2, 2)), MATRIX),
    "matmul": (lambda m: (m @ SQUARE, SQUARE @ m, m @ m, ops.matmul(m, ROW)), CUBE),
    "vectors": (lambda r: (ops.dot(r, r), ops.outer(r, ROW), ops.matmul(SQUARE, r)), MATRIX),
    "linear algebra": (
        lambda m: (ops.det(m), ops.inv(m), ops.norm(m, 2), ops.solve_triangular(m, SQUARE)),
        CUBE,
    ),
    "complex": (lambda m: (ops.stft(m[0], 4, 1, 4), ops.real(m * 2j), ops.fft2((m, m))), CUBE),
    "einsum": (lambda m: ops.einsum("ij,kj->ik", m, SQUARE), CUBE),
    "take": (lambda i: (ops.take(SQUARE, i, axis=0), ops.take(SQUARE, i, axis=1)), PLACES),
    "getitem": (lambda m: (m[1], m[..., -1], m[None, 1:3]), CUBE),
    "both differ": (lambda both: ops.take(both[0], both[1], axis=0), (CUBE, PLACES)),
    "along an axis": (
        lambda both: ops.take_along_axis(both[0], ops.expand_dims(both[1], 0), axis=1),
        (CUBE, PLACES),
    ),
    "one hot": (lambda i: ops.one_hot(i, 5), PLACES),
    "scatter": (lambda i: ops.scatter(i[:, None], ops.ones((2,)), (4,)), PLACES),
    "convolution": (lambda x: ops.max_pool(ops.conv(x, KERNEL, padding="same"), 2), IMAGES),
    "layer norm": (lambda m: ops.layer_normalization(m, ROW, ROW), CUBE),
    "loss": (
        lambda both: ops.sparse_categorical_crossentropy(both[1], both[0], from_logits=True),
        (CUBE[:, :2], PLACES),
    ),
    "where": (lambda r: ops.where(r > 0.0, r, ops.sum(r)), MATRIX),
    "dict": (lambda d: {"y": d["a"] + d["b"]}, {"a": MATRIX, "b": MATRIX}),
    "constant": (lambda r: (ROW, 2.0), MATRIX),
    "nextafter": (lambda r: ops.nextafter(r, 9.0), MATRIX),
    "stack of views": (lambda r: ops.stack([r, r[::-1], ROW]), MATRIX),
    "cond": (lambda r: ops.cond(ops.sum(r) > 0.0, lambda: r, lambda: -r), MATRIX),
    "nested": (lambda m: ops.vectorized_map(lambda r: r / ops.sum(r), m), CUBE),
}
# These are called slice by slice.
LOOPS: dict[str, tuple[Callable[..., Any], Any]] = {
    "python": (lambda r: r if float(r[0]) > 0 else -r, MATRIX),
    "values": (lambda r: np.asarray(r) * 2.0, MATRIX),
    "no rule": (lambda x: ops.batch_normalization(x, ROW[:2], ROW[:2] ** 2, -1), IMAGES),
    "on the host": (lambda r: ops.unique(ops.cast(r * 0.0, "int32")), MATRIX),
}


def leaves(result: Any) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in nkeras.tree.flatten(result)]


@pytest.fixture(params=["numpy", "numba_cpu"])
def backend(request: Any) -> Any:
    with use_backend(request.param):
        yield request.param


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("name", [*CASES, *LOOPS])
def test_results_are_those_of_a_loop(name: str) -> None:
    function, elements = {**CASES, **LOOPS}[name]
    got, want = ops.vectorized_map(function, elements), ops.map(function, elements)
    for one, other in zip(leaves(got), leaves(want), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, 2e-6, 1e-6)


@pytest.mark.parametrize("name", CASES)
def test_the_function_is_called_once(name: str) -> None:
    function, elements = CASES[name]
    calls = []

    def counted(one: Any) -> Any:
        calls.append(one)
        return function(one)

    ops.vectorized_map(counted, elements)
    assert len(calls) == 1


def test_gradients_flow_through() -> None:
    x = ops.convert_to_tensor(CUBE)
    gradients = []
    for mapped in (ops.vectorized_map, ops.map):
        with GradientTape() as tape:
            tape.watch(x)
            y = mapped(lambda m: ops.softmax(m @ SQUARE) * m[0], x)
            total = ops.sum(y * y)
        gradients.append(tape.gradient(total, x).numpy())
    np.testing.assert_allclose(*gradients, 1e-5, 1e-6)


def test_each_slice_draws_and_assigns_for_itself() -> None:
    seeds = nkeras.random.SeedGenerator(1)
    drawn = ops.vectorized_map(lambda r: r * 0 + nkeras.random.uniform((4,), seed=seeds), MATRIX)
    assert len(np.unique(drawn.numpy())) == MATRIX.size
    calls = nkeras.Variable(0.0)

    def counted(r: Any) -> Any:
        calls.assign_add(1.0)
        return r

    ops.vectorized_map(counted, MATRIX)
    assert float(calls) == len(MATRIX)


def test_mistakes_are_those_of_the_function() -> None:
    with pytest.raises(ValueError, match="matmul"):
        ops.vectorized_map(lambda r: ops.matmul(r, floats(3, 2)), MATRIX)
    with pytest.raises(KeyError):
        ops.vectorized_map(lambda r: {}["missing"], MATRIX)
    with pytest.raises(ValueError, match="same size along axis 0"):
        ops.vectorized_map(lambda both: both[0], (MATRIX, CUBE))


def test_in_a_function_that_is_replayed() -> None:
    step = nkeras.function(lambda x: ops.vectorized_map(lambda m: ops.sum(m @ SQUARE, 0), x))
    for _ in range(4):
        x = floats(3, 4, 4)
        np.testing.assert_allclose(step(x).numpy(), (x @ SQUARE).sum(1), 1e-5, 1e-5)
