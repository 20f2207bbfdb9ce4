"""The LSTM kernels of numba_cpu: tails of tiles and vectors, missing gradients, threads."""

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


def arguments(batch, time, features, units, dtype=np.float32):
    shapes = (batch, time, features), (batch, units), (batch, units)
    shapes = *shapes, (features, 4 * units), (units, 4 * units), (4 * units,)
    arrays = [normal(*shape, seed=i, dtype=dtype) for i, shape in enumerate(shapes)]
    arrays[4] /= dtype(np.sqrt(units))
    return arrays


def assert_close(found, want):
    for item, other in zip(found, want, strict=True):
        assert item.shape == other.shape
        scale = max(1.0, np.abs(other).max(initial=0.0))
        np.testing.assert_allclose(item, other, rtol=3e-5, atol=3e-5 * scale)


@settings(max_examples=50, deadline=None)
@given(
    st.integers(1, 33),
    st.integers(1, 4),
    st.integers(1, 9),
    st.integers(1, 40),
    st.sampled_from([(True, False, False), (False, True, True), (True, True, True)]),
)
def test_lstm_of_any_size(batch, time, features, units, present):
    arrays = arguments(batch, time, features, units)
    wide = [array.astype(np.float64) for array in arrays]
    want = REFERENCE["lstm"](*wide)
    assert_close(KERNELS["lstm"](*arrays), want)
    y, last_h, last_c, gates, cells = want
    upstream = [
        normal(*one.shape, seed=7 + i) if given else None
        for i, (one, given) in enumerate(zip((y, last_h, last_c), present, strict=True))
    ]
    saved = [one.astype(np.float32) for one in (y, gates, cells)]
    found = KERNELS["lstm_grad"](*upstream, *arrays[:5], *saved)
    wide_upstream = [
        None if gradient is None else gradient.astype(np.float64) for gradient in upstream
    ]
    assert_close(found, REFERENCE["lstm_grad"](*wide_upstream, *wide[:5], y, gates, cells))


def test_no_sequences():
    arrays = arguments(0, 3, 2, 4)
    y, last_h, last_c, gates, cells = KERNELS["lstm"](*arrays)
    assert (y.shape, last_h.shape, gates.shape) == ((0, 3, 4), (0, 4), (0, 3, 16))
    grads = KERNELS["lstm_grad"](y, last_h, last_c, *arrays[:5], y, gates, cells)
    assert [grad.shape for grad in grads] == [array.shape for array in arrays]
    assert not any(grad.any() for grad in grads)


def test_large_inputs_saturate_and_nan_stays_in_its_sequence():
    arrays = arguments(3, 4, 2, 20)
    arrays[0][0] *= 1e4
    arrays[0][1, 2] = np.nan
    y = KERNELS["lstm"](*arrays)[0]
    assert np.isfinite(y[0]).all()
    assert np.isnan(y[1, 2:]).all()
    assert np.isfinite(y[2]).all()
    np.testing.assert_allclose(y[0], REFERENCE["lstm"](*arrays)[0][0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("batch", [5, 33])
def test_the_same_bits_for_one_and_two_threads(batch, monkeypatch):
    if threads.limit() < 2:
        pytest.skip("one thread is all this machine has")
    monkeypatch.setattr(tasks, "SERIAL_BELOW", 0)
    arrays = arguments(batch, 6, 5, 24)
    results = []
    before = threads.get_num_threads()
    try:
        for count in (1, 2):
            threads.set_num_threads(count)
            y, last_h, last_c, gates, cells = KERNELS["lstm"](*arrays)
            saved = y, gates, cells
            grads = KERNELS["lstm_grad"](y, last_h, last_c, *arrays[:5], *saved)
            results.append((*saved, *grads))
    finally:
        threads.set_num_threads(before)
    for result, other in zip(*results, strict=True):
        np.testing.assert_array_equal(result, other)
