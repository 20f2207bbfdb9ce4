"""Pooling kernels of numba_cpu: tails of vectors, clipped windows, hard numbers, threads."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nkeras_numba_cpu import threads
from nkeras_numba_cpu.emit.registers import lane_count
from nkeras_numba_cpu.kernels import KERNELS
from nkeras_numba_cpu.launch import tasks
from nkeras_numpy.kernels import KERNELS as REFERENCE
from nkeras_numpy.windows import output_sizes

LANES = lane_count("float32")
# Around one and two vectors, of float32 and of float64.
CHANNELS = sorted({1, 2, 3, 5} | {n * LANES // 2 + d for n in (1, 2, 4) for d in (-1, 0, 1)})
SPECIAL = np.array([np.nan, np.inf, -np.inf, -np.inf, 0.0, -0.0, 1.0, 1.0, -1.0])


@st.composite
def geometries(draw):
    rank = draw(st.integers(1, 3))

    def each(low, high):
        return tuple(draw(st.lists(st.integers(low, high), min_size=rank, max_size=rank)))

    sizes, window, strides = each(1, 7), each(1, 4), each(1, 4)
    padding = tuple(zip(each(0, 4), each(0, 4), strict=True))
    assume(all(output_sizes(sizes, window, strides, padding, (1,) * rank)))
    return sizes, {"pool_size": window, "strides": strides, "padding": padding}


def check_all(x, **static):
    """Every kernel against the reference: equal winners, values to rounding."""
    y, winner = REFERENCE["max_pool"](x, **static)
    found, found_winner = KERNELS["max_pool"](x, **static)
    assert (found.dtype, found_winner.dtype) == (y.dtype, winner.dtype)
    np.testing.assert_array_equal(found, y)
    np.testing.assert_array_equal(found_winner, winner)
    grad_y = np.arange(y.size, dtype=x.dtype).reshape(y.shape) % 13 - 6
    for name, arrays, more in [
        ("max_pool_take", (x, winner), {}),
        ("max_pool_grad", (grad_y, winner), {"input_shape": x.shape}),
        ("average_pool", (x,), {}),
        ("average_pool_grad", (grad_y,), {"input_shape": x.shape}),
    ]:
        found, want = (kernels[name](*arrays, **static, **more) for kernels in (KERNELS, REFERENCE))
        np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@settings(max_examples=60, deadline=None)
@given(geometry=geometries(), channels=st.sampled_from(CHANNELS), seed=st.integers(0, 9))
def test_any_geometry(dtype, geometry, channels, seed):
    sizes, static = geometry
    random = np.random.default_rng(seed)
    x = random.integers(-4, 5, (2, *sizes, channels)).astype(dtype)  # whole numbers have ties
    check_all(x, **static)


@settings(max_examples=60, deadline=None)
@given(geometry=geometries(), channels=st.sampled_from(CHANNELS), seed=st.integers(0, 9))
def test_special_numbers(geometry, channels, seed):
    sizes, static = geometry
    random = np.random.default_rng(seed)
    x = random.choice(SPECIAL, (1, *sizes, channels)).astype(np.float32)
    check_all(x, **static)


@pytest.mark.parametrize("channels", [3, LANES + 1])
def test_windows_of_more_than_256_cells(channels):
    x = np.random.default_rng(0).permutation(20 * 21 * channels).astype(np.float32)
    static = {"pool_size": (17, 16), "strides": (2, 3), "padding": ((1, 0), (0, 2))}
    assert KERNELS["max_pool"](x.reshape(1, 20, 21, channels), **static)[1].dtype == np.int32
    check_all(x.reshape(1, 20, 21, channels), **static)


@pytest.mark.parametrize("channels", [3, 20, 32])
@pytest.mark.parametrize("stride", [1, 2])
def test_the_same_bits_for_one_and_two_threads(channels, stride, monkeypatch):
    if threads.limit() < 2:
        pytest.skip("one thread is all this machine has")
    monkeypatch.setattr(tasks, "SERIAL_BELOW", 0)
    x = np.random.default_rng(0).standard_normal((9, 21, 22, channels)).astype(np.float32)
    static = {"pool_size": (3, 2), "strides": (stride, 2), "padding": ((1, 1), (0, 1))}
    results = []
    before = threads.get_num_threads()
    try:
        for count in (1, 2):
            threads.set_num_threads(count)
            y, winner = KERNELS["max_pool"](x, **static)
            mean = KERNELS["average_pool"](x, **static)
            static_grad = {**static, "input_shape": x.shape}
            grad = KERNELS["max_pool_grad"](y, winner, **static_grad)
            results.append((y, winner, mean, grad, KERNELS["average_pool_grad"](y, **static_grad)))
    finally:
        threads.set_num_threads(before)
    for result, other in zip(*results, strict=True):
        np.testing.assert_array_equal(result, other)
