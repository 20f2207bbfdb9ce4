"""Normalization kernels of numba_cpu: tails of vectors and parts, hard numbers, threads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nkeras_numba_cpu import threads
from nkeras_numba_cpu.kernels import KERNELS
from nkeras_numba_cpu.launch import tasks
from nkeras_numpy.kernels import KERNELS as REFERENCE


def normal(*shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def assert_close(name, *arrays, tolerance=2e-5, **static):
    """The kernel on float32 against the reference in float64."""
    found = KERNELS[name](*arrays, **static)
    wide = [x if x is None else x.astype(np.float64) for x in arrays]
    want = REFERENCE[name](*wide, **static)
    pairs = zip(found, want, strict=True) if isinstance(found, tuple) else [(found, want)]
    for variable, other in pairs:
        scale = max(1.0, np.abs(other).max(initial=0.0))
        np.testing.assert_allclose(variable, other, rtol=tolerance, atol=tolerance * scale)


def with_threads(count, function):
    before = threads.get_num_threads()
    threads.set_num_threads(count)
    try:
        return function()
    finally:
        threads.set_num_threads(before)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.booleans(), st.floats(-100, 100))
def test_batch_norm_of_any_size(rows, channels, affine, offset):
    x = normal(rows, channels) + np.float32(offset)
    vectors = (normal(channels, seed=1), normal(channels, seed=2)) if affine else (None, None)
    static = {"epsilon": 1e-2}
    tolerance = 3e-5 * max(1.0, abs(offset))  # x itself is rounded
    assert_close("batch_norm", x, *vectors, tolerance=tolerance, **static)
    _, mean, variance = REFERENCE["batch_norm"](x, *vectors, **static)
    assert_close("batch_norm_inference", x, mean, variance, *vectors, tolerance=tolerance, **static)
    grad_y = normal(rows, channels, seed=3)
    arrays = (grad_y, x, vectors[0], mean, variance)
    assert_close("batch_norm_grad", *arrays, tolerance=3 * tolerance, **static)


def test_batch_norm_of_many_parts_and_a_mean_far_from_zero():
    x = normal(9001, 40) + np.float32(300)
    gamma, beta = normal(40, seed=1), normal(40, seed=2)
    _, mean, variance = KERNELS["batch_norm"](x, gamma, beta, epsilon=1e-3)
    wide = x.astype(np.float64)
    np.testing.assert_allclose(mean, wide.mean(0), rtol=1e-6)
    np.testing.assert_allclose(variance, wide.var(0), rtol=2e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 1, 4])
def test_batch_norm_keeps_nan_and_infinity_in_their_channel(value, row):
    x = normal(5, 20)
    x[row, 17] = value
    found = KERNELS["batch_norm"](x, None, None, epsilon=1e-3)
    want = REFERENCE["batch_norm"](x, None, None, epsilon=1e-3)
    for item, other in zip(found, want, strict=True):
        np.testing.assert_allclose(item, other, rtol=1e-5, atol=1e-5)


def test_batch_norm_of_nothing():
    x = np.zeros((0, 3), np.float32)
    for name in ("batch_norm", "batch_norm_grad"):
        arrays = (x, None, None) if name == "batch_norm" else (x, x, None, x.sum(0), x.sum(0) + 1)
        found = KERNELS[name](*arrays, epsilon=1e-3)
        assert [item.shape for item in found] == [(0, 3), (3,), (3,)]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 20), st.integers(1, 140), st.booleans(), st.floats(-100, 100))
def test_layer_and_rms_norm_of_any_size(rows, size, affine, offset):
    x, grad_y = normal(rows, size) + np.float32(offset), normal(rows, size, seed=3)
    gamma, beta = (normal(size, seed=1), normal(size, seed=2)) if affine else (None, None)
    static = {"epsilon": 1e-2}
    tolerance = 3e-5 * max(1.0, abs(offset))
    assert_close("layer_norm", x, gamma, beta, tolerance=tolerance, **static)
    _, mean, inverse = REFERENCE["layer_norm"](x, gamma, beta, **static)
    assert_close("layer_norm_grad", grad_y, x, gamma, mean, inverse, tolerance=3 * tolerance)
    assert_close("rms_norm", x, gamma, tolerance=tolerance, **static)
    inverse = REFERENCE["rms_norm"](x, gamma, **static)[1]
    assert_close("rms_norm_grad", grad_y, x, gamma, inverse, tolerance=3 * tolerance)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_layer_norm_keeps_nan_and_infinity_in_their_row(value):
    x = normal(4, 37)
    x[2, 35] = value
    for name, arrays in [("layer_norm", (x, None, None)), ("rms_norm", (x, None))]:
        found = KERNELS[name](*arrays, epsilon=1e-3)
        for item, other in zip(found, REFERENCE[name](*arrays, epsilon=1e-3), strict=True):
            np.testing.assert_allclose(item, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(3000, 33), (90, 700)])
def test_layer_norm_has_the_same_bits_for_one_and_two_threads(shape, monkeypatch):
    if threads.limit() < 2:
        pytest.skip("one thread is all this machine has")
    monkeypatch.setattr(tasks, "SERIAL_BELOW", 0)
    x, grad_y, gamma = normal(*shape), normal(*shape, seed=1), normal(shape[1], seed=2)

    def results():
        y, mean, inverse = KERNELS["layer_norm"](x, gamma, gamma, epsilon=1e-3)
        return y, *KERNELS["layer_norm_grad"](grad_y, x, gamma, mean, inverse)

    for thread, other in zip(with_threads(1, results), with_threads(2, results), strict=True):
        np.testing.assert_array_equal(thread, other)


@pytest.mark.parametrize("shape", [(9000, 33), (700, 128)])
def test_batch_norm_has_the_same_bits_for_one_and_two_threads(shape, monkeypatch):
    if threads.limit() < 2:
        pytest.skip("one thread is all this machine has")
    monkeypatch.setattr(tasks, "SERIAL_BELOW", 0)
    x, grad_y, gamma = normal(*shape), normal(*shape, seed=1), normal(shape[1], seed=2)

    def results():
        y, mean, variance = KERNELS["batch_norm"](x, gamma, gamma, epsilon=1e-3)
        arrays = (grad_y, x, gamma, mean, variance)
        return y, mean, variance, *KERNELS["batch_norm_grad"](*arrays, epsilon=1e-3)

    for thread, other in zip(with_threads(1, results), with_threads(2, results), strict=True):
        np.testing.assert_array_equal(thread, other)
