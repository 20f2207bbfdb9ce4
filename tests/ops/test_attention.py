"""Dot-product attention: rows that see nothing, dropout, decompositions, memory, messages."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import ops
from nkeras.core.primitive import PRIMITIVES
from nkeras.ops.attention import attend
from tests.harness import check_op as harness
from tests.ops.cases_attention import CASES

_random = np.random.default_rng(3)


def normal(*shape: int) -> np.ndarray:
    return _random.standard_normal(shape).astype("float32")


def test_a_row_that_sees_nothing_has_the_mean_of_all_values() -> None:
    mask = np.array([[True, False, True], [False, False, False]])
    value = normal(1, 3, 2, 4)

    def run(*arrays: Any) -> Any:
        return ops.dot_product_attention(*arrays, mask=mask, is_causal=True)

    harness.check_op(run, normal(1, 2, 2, 3), normal(1, 3, 2, 3), value)
    y = run(normal(1, 2, 2, 3), normal(1, 3, 2, 3), value).numpy()
    np.testing.assert_allclose(y[:, 1], value.mean(1), rtol=1e-5)
    np.testing.assert_allclose(y[:, 0], value[:, 0], rtol=1e-5)


@pytest.mark.parametrize("shared", range(3))
def test_a_batch_of_one_serves_all_samples(shared: int) -> None:
    arrays = [normal(2, 3, 1, 4) for _ in range(3)]
    arrays[shared] = arrays[shared][:1]
    harness.check_op(ops.dot_product_attention, *arrays)
    many = [x.repeat(3 - len(x), 0) for x in arrays]
    found, wanted = ops.dot_product_attention(*arrays), ops.dot_product_attention(*many)
    np.testing.assert_array_equal(found.numpy(), wanted.numpy())


@pytest.mark.parametrize("backend", ["numpy", "numba_cpu"])
def test_dropout_has_the_bits_of_random_dropout(backend: str) -> None:
    query, key, value = normal(2, 5, 3, 4), normal(2, 7, 3, 4), normal(2, 7, 3, 4)
    with nkeras.use_backend(backend):
        got = attend(query, key, value, rate=0.3, seed=9)
        scores = ops.einsum("btnh,bsnh->bnts", query, key) / 2.0
        weights = nkeras.random.dropout(ops.softmax(scores), 0.3, seed=9)
        want = ops.einsum("bnts,bsnh->btnh", weights, value)
    np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=1e-5, atol=1e-6)


def test_all_weights_dropped() -> None:
    x = normal(1, 2, 1, 3)
    assert (attend(x, x, x, rate=1.0).numpy() == 0).all()


@pytest.mark.parametrize("name", ["attention", "attention_grad", "attention_grad_bias"])
def test_decompositions_are_the_kernels(name: str) -> None:
    decompose = PRIMITIVES[name].decompose
    assert decompose is not None
    for case in CASES[name]:
        with nkeras.use_backend("numpy"):
            given = [None if x is None else ops.convert_to_tensor(x) for x in case.arrays]
            results = [f(*given, **case.static) for f in (PRIMITIVES[name], decompose)]
            kernel, found = (
                [one.numpy() for one in (y if isinstance(y, tuple) else (y,))] for y in results
            )
        harness.assert_same(found, kernel)


def test_infinite_biases_hide_too() -> None:
    """A whole block of keys may be hidden from a query that sees later ones."""
    x = normal(1, 600, 1, 4)
    bias = np.where(np.arange(600) < 590, -np.inf, 0.0).astype("float32")
    y = ops.dot_product_attention(x, x, x, bias=bias).numpy()
    want = ops.dot_product_attention(x, x[:, 590:], x[:, 590:]).numpy()
    np.testing.assert_allclose(y, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_stay_in_their_row(value: float) -> None:
    query, key = normal(1, 40, 2, 4), normal(1, 50, 2, 4)
    query[0, 7, 1, 2] = value
    y = ops.dot_product_attention(query, key, key).numpy()
    assert np.isnan(y[0, 7, 1]).all()
    y[0, 7, 1] = 0
    assert np.isfinite(y).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_types_are_computed_in_float32(dtype: str) -> None:
    arrays = [ops.cast(normal(1, 70, 2, 8) * 4, dtype) for _ in range(3)]
    wide = [ops.cast(x, "float32") for x in arrays]
    with nkeras.GradientTape(persistent=True) as tape:
        tape.watch([*arrays, *wide])
        y, want = ops.dot_product_attention(*arrays), ops.dot_product_attention(*wide)
    assert y.dtype == dtype
    tolerance = {"float16": 1e-3, "bfloat16": 8e-3}[dtype]
    pairs = zip([y, *tape.gradient(y, arrays)], [want, *tape.gradient(want, wide)], strict=True)
    for got, wanted in pairs:
        a, b = (ops.cast(x, "float32").numpy() for x in (got, wanted))
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * np.abs(b).max())


def test_memory_grows_with_the_lengths_alone() -> None:
    x = ops.convert_to_tensor(normal(1, 4096, 1, 16))

    def step() -> None:
        with nkeras.GradientTape() as tape:
            tape.watch(x)
            y = ops.dot_product_attention(x, x, x, is_causal=True)
        tape.gradient(y, x)

    step()
    tracemalloc.start()
    step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30 * x.numpy().nbytes < 4096 * 4096


@pytest.mark.parametrize(
    ("shapes", "options", "message"),
    [
        (((1, 2, 3), (1, 2, 3), (1, 2, 3)), {}, "must have the axes"),
        (((1, 2, 4, 3), (1, 2, 3, 3), (1, 2, 3, 3)), {}, "a multiple of those of key"),
        (((1, 2, 4, 3), (1, 2, 4, 3), (1, 5, 4, 3)), {}, "one length"),
        (((1, 2, 4, 3), (1, 0, 4, 3), (1, 0, 4, 3)), {}, "must not be 0"),
        (((1, 2, 4, 3),) * 3, {"mask": np.ones((2, 3), bool)}, "argument `mask` must broadcast"),
        (((1, 2, 4, 3),) * 3, {"bias": np.ones((3, 1, 2, 2))}, "argument `bias` must broadcast"),
        (((1, 2, 4, 3),) * 3, {"attn_logits_soft_cap": 0}, "a positive float"),
    ],
)
def test_messages(shapes: tuple[Any, ...], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ops.dot_product_attention(*(np.zeros(shape, "float32") for shape in shapes), **options)
