"""The recurrent kernels of numba_cpu: tails of tiles and vectors, missing gradients, threads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recurrent_cases import GATES, STATES, arguments, grad_arguments, normal, static

from nkeras_numba_cpu import threads
from nkeras_numba_cpu.kernels import KERNELS
from nkeras_numba_cpu.launch import tasks
from nkeras_numpy.kernels import KERNELS as REFERENCE

CELLS = pytest.mark.parametrize(
    ("cell", "reset_after"), [("lstm", True), ("gru", True), ("gru", False), ("simple_rnn", True)]
)


def wide(arrays):
    return [one if one is None or one.dtype == bool else one.astype(np.float64) for one in arrays]


def narrow(arrays):
    return [one if one is None or one.dtype == bool else one.astype(np.float32) for one in arrays]


def assert_close(found, want):
    for item, other in zip(found, want, strict=True):
        assert (item is None) == (other is None)
        if other is not None:
            assert item.shape == other.shape
            scale = max(1.0, np.abs(other).max(initial=0.0))
            np.testing.assert_allclose(item, other, rtol=3e-5, atol=3e-5 * scale)


@CELLS
@settings(max_examples=25, deadline=None)
@given(
    st.tuples(st.integers(1, 33), st.integers(1, 4), st.integers(1, 9), st.integers(1, 40)),
    st.sampled_from([(True, False), (False, True), (True, True)]),
    st.sampled_from([{}, {"mask": True}, {"dropout": True}]),
    st.booleans(),
)
def test_any_size(cell, reset_after, sizes, present, options, reverse):
    arrays = arguments(cell, sizes, reset_after=reset_after, **options)
    values = static(cell, reverse, reset_after)
    want = REFERENCE[cell](*wide(arrays), **values)
    assert_close(KERNELS[cell](*arrays, **values), want)
    upstream = [
        normal(*one.shape, seed=7 + i) if present[min(i, 1)] else None
        for i, one in enumerate(want[: 1 + STATES[cell]])
    ]
    calls = grad_arguments(cell, wide(arrays), want, wide(upstream))
    values = values | {"by_x": True}
    name = f"{cell}_grad"
    assert_close(KERNELS[name](*narrow(calls), **values), REFERENCE[name](*calls, **values))


@CELLS
def test_no_sequences(cell, reset_after):
    arrays = arguments(cell, (0, 3, 2, 4), reset_after=reset_after)
    values = static(cell, reset_after=reset_after)
    results = KERNELS[cell](*arrays, **values)
    assert [one.shape for one in results[:2]] == [(0, 3, 4), (0, 4)]
    upstream = results[: 1 + STATES[cell]]
    calls = grad_arguments(cell, arrays, results, upstream)
    grads = KERNELS[f"{cell}_grad"](*calls, **values, by_x=True)
    assert [grad.shape for grad in grads] == [one.shape for one in arrays if one is not None]
    assert not any(grad.any() for grad in grads)


@CELLS
def test_large_inputs_saturate_and_nan_stays_in_its_sequence(cell, reset_after):
    arrays = arguments(cell, (3, 4, 2, 20), reset_after=reset_after)
    arrays[0][0] *= 1e4
    arrays[0][1, 2] = np.nan
    values = static(cell, reset_after=reset_after)
    y = KERNELS[cell](*arrays, **values)[0]
    assert np.isfinite(y[0]).all()
    assert np.isnan(y[1, 2:]).all()
    assert np.isfinite(y[2]).all()
    expected = REFERENCE[cell](*arrays, **values)[0][0]
    np.testing.assert_allclose(y[0], expected, rtol=1e-4, atol=1e-4)


@CELLS
def test_nan_in_a_masked_step_does_no_harm(cell, reset_after):
    arrays = arguments(cell, (3, 4, 2, 20), reset_after=reset_after, mask=True)
    arrays[0][~arrays[-2]] = np.nan
    y = KERNELS[cell](*arrays, **static(cell, reset_after=reset_after))[0]
    assert np.isfinite(y).all()


@pytest.mark.parametrize("cell", GATES)
@pytest.mark.parametrize("batch", [5, 33])
def test_the_same_bits_for_one_and_two_threads(cell, batch, monkeypatch):
    if threads.limit() < 2:
        pytest.skip("one thread is all this machine has")
    monkeypatch.setattr(tasks, "SERIAL_BELOW", 0)
    arrays = arguments(cell, (batch, 6, 5, 24))
    values = static(cell)
    results = []
    before = threads.get_num_threads()
    try:
        for count in (1, 2):
            threads.set_num_threads(count)
            made = KERNELS[cell](*arrays, **values)
            calls = grad_arguments(cell, arrays, made, made[: 1 + STATES[cell]])
            results.append((*made, *KERNELS[f"{cell}_grad"](*calls, **values, by_x=True)))
    finally:
        threads.set_num_threads(before)
    for result, other in zip(*results, strict=True):
        np.testing.assert_array_equal(result, other)
