"""The numpy convolution and pooling kernels against loops over single elements."""

import itertools
import math
import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_calls import normal, run, slope

from nkeras_numpy.kernels import KERNELS


@st.composite
def geometries(draw, rank):
    def per_dimension(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(rank))

    window, dilation = per_dimension(1, 3), per_dimension(1, 2)
    padding = tuple(zip(per_dimension(0, 2), per_dimension(0, 2), strict=True))
    spare = per_dimension(-1, 5 - rank)  # cells beyond one window: -1 leaves room for none
    sizes = tuple(
        max(1, (k - 1) * d + 1 - sum(pads) + extra)
        for k, d, pads, extra in zip(window, dilation, padding, spare, strict=True)
    )
    return types.SimpleNamespace(
        sizes=sizes,
        window=window,
        strides=per_dimension(1, 3),
        padding=padding,
        dilation=dilation,
        groups=draw(st.integers(1, 3)),
        seed=draw(st.integers(0, 1000)),
    )


def window_starts(size, window, stride, pads, dilation):
    """Where a window may start in the padded dimension."""
    span = (window - 1) * dilation + 1
    return range(0, size + sum(pads) - span + 1, stride)


def window_cells(g, dilation):
    """For each output cell the list of (position in the window, cell of x or None if padding)."""
    starts = [
        window_starts(*dimension)
        for dimension in zip(g.sizes, g.window, g.strides, g.padding, dilation, strict=True)
    ]
    for cell in np.ndindex(*map(len, starts)):
        met = []
        for tap in np.ndindex(*g.window):
            spot = tuple(
                begin[c] + t * d - low
                for begin, c, t, d, (low, _) in zip(
                    starts, cell, tap, dilation, g.padding, strict=True
                )
            )
            inside = all(0 <= i < size for i, size in zip(spot, g.sizes, strict=True))
            met.append((tap, spot if inside else None))
        yield cell, met


def output_sizes(g, dilation):
    return tuple(
        len(window_starts(*dimension))
        for dimension in zip(g.sizes, g.window, g.strides, g.padding, dilation, strict=True)
    )


@pytest.mark.parametrize("rank", [1, 2, 3])
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_conv_and_its_gradients(rank, data):
    g = data.draw(geometries(rank))
    channels, filters = 2, 2  # per group
    x = normal(g.groups * channels, *g.sizes, 2, seed=g.seed).T  # batch 2, channels last, strided
    x = x.transpose(0, *range(x.ndim - 2, 0, -1), x.ndim - 1)
    kernel = normal(*g.window, channels, g.groups * filters, seed=g.seed + 1)
    static = {
        "strides": g.strides,
        "padding": g.padding,
        "dilation": g.dilation,
        "groups": g.groups,
    }

    expected = np.zeros((2, *output_sizes(g, g.dilation), g.groups * filters))
    for cell, met in window_cells(g, g.dilation):
        for (tap, spot), f in itertools.product(met, range(g.groups * filters)):
            if spot is not None:
                begin = f // filters * channels
                cells = x[(slice(None), *spot, slice(begin, begin + channels))]
                expected[(slice(None), *cell, f)] += cells @ kernel[(*tap, slice(None), f)]
    y = run("conv", x, kernel, **static)
    np.testing.assert_allclose(y, expected, atol=1e-12)
    assert y.shape == expected.shape

    grad_y = normal(*y.shape, seed=g.seed + 2)
    grad_x = run("conv_grad_input", grad_y, kernel, input_shape=x.shape, **static)
    grad_kernel = run("conv_grad_kernel", x, grad_y, kernel_shape=kernel.shape, **static)
    assert grad_x.shape == x.shape
    assert grad_kernel.shape == kernel.shape
    inner = np.vdot(expected, grad_y)
    np.testing.assert_allclose(np.vdot(x, grad_x), inner, atol=1e-10)
    np.testing.assert_allclose(np.vdot(kernel, grad_kernel), inner, atol=1e-10)


def test_conv_gradients_by_finite_differences():
    static = {"strides": (2, 1), "padding": ((1, 0), (0, 1)), "dilation": (1, 2), "groups": 2}
    x, kernel = normal(1, 4, 5, 2), normal(3, 2, 1, 4, seed=1)
    grad_y = normal(*KERNELS["conv"](x, kernel, **static).shape, seed=2)

    def loss(x, kernel):
        return np.vdot(KERNELS["conv"](x, kernel, **static), grad_y)

    grad_x = run("conv_grad_input", grad_y, kernel.copy(), input_shape=x.shape, **static)
    grad_kernel = run("conv_grad_kernel", x.copy(), grad_y, kernel_shape=kernel.shape, **static)
    np.testing.assert_allclose(grad_x, slope(lambda v: loss(v, kernel), x), atol=1e-7)
    np.testing.assert_allclose(grad_kernel, slope(lambda v: loss(x, v), kernel), atol=1e-7)


def test_depthwise_conv_keeps_filters_of_a_channel_together():
    x = np.array([[[1.0, 10.0, 100.0]]])
    kernel = np.arange(1.0, 7.0).reshape(1, 1, 6)
    static = {"strides": (1,), "padding": ((0, 0),), "dilation": (1,), "groups": 3}
    y = run("conv", x, kernel, **static)
    np.testing.assert_array_equal(y[0, 0], [1, 2, 30, 40, 500, 600])


def pool_input(g):
    """Few distinct values, so that windows hold ties, NaN and -inf."""
    values = np.array([-np.inf, -1.0, 0.0, 1.0, 1.0, 2.0, np.nan])
    return np.random.default_rng(g.seed).choice(values, (2, *g.sizes, 2))


@pytest.mark.parametrize("rank", [1, 2, 3])
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_max_pool_and_its_gradient(rank, data):
    g = data.draw(geometries(rank))
    x, ones = pool_input(g), (1,) * len(g.sizes)
    static = {"pool_size": g.window, "strides": g.strides, "padding": g.padding}
    shape = (2, *output_sizes(g, ones), 2)
    y, winner = np.zeros(shape), np.zeros(shape, np.uint8)
    finite, grad_y = normal(*x.shape, seed=g.seed), normal(*shape, seed=g.seed + 1)
    grad_x, taken = np.zeros(x.shape), np.zeros(shape)
    for cell, met in window_cells(g, ones):
        for n, c in np.ndindex(2, 2):
            values = [-np.inf if spot is None else x[(n, *spot, c)] for _, spot in met]
            bad = [i for i, value in enumerate(values) if math.isnan(value)]
            best = bad[0] if bad else values.index(max(values))
            y[(n, *cell, c)], winner[(n, *cell, c)] = values[best], best
            if met[best][1] is not None:
                taken[(n, *cell, c)] = finite[(n, *met[best][1], c)]
                grad_x[(n, *met[best][1], c)] += grad_y[(n, *cell, c)]

    actual, actual_winner = run("max_pool", x, **static)
    np.testing.assert_array_equal(actual, y)
    np.testing.assert_array_equal(actual_winner, winner)
    assert actual_winner.dtype == np.uint8
    scattered = run("max_pool_grad", grad_y, winner, input_shape=x.shape, **static)
    np.testing.assert_allclose(scattered, grad_x, atol=1e-12)
    np.testing.assert_array_equal(run("max_pool_take", finite, winner, **static), taken)


def test_max_pool_of_integers_and_bools():
    static = {"pool_size": (2,), "strides": (2,), "padding": ((1, 1),)}
    y, _ = run("max_pool", np.array([[[-5], [-3]]], np.int8), **static)
    np.testing.assert_array_equal(y[0, :, 0], np.array([-5, -3], np.int8))
    y, _ = run("max_pool", np.array([[[False], [True]]]), **static)
    np.testing.assert_array_equal(y[0, :, 0], [False, True])


@pytest.mark.parametrize("rank", [1, 2, 3])
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_average_pool_and_its_gradient(rank, data):
    g = data.draw(geometries(rank))
    x, ones = normal(2, *g.sizes, 3, seed=g.seed), (1,) * len(g.sizes)
    static = {"pool_size": g.window, "strides": g.strides, "padding": g.padding}
    expected = np.zeros((2, *output_sizes(g, ones), 3))
    for cell, met in window_cells(g, ones):
        inside = [spot for _, spot in met if spot is not None]
        for n, c in np.ndindex(2, 3):
            total = sum(x[(n, *spot, c)] for spot in inside)
            expected[(n, *cell, c)] = total / max(len(inside), 1)
    np.testing.assert_allclose(run("average_pool", x, **static), expected, atol=1e-12)
    grad_y = normal(*expected.shape, seed=g.seed + 1)
    grad_x = run("average_pool_grad", grad_y, input_shape=x.shape, **static)
    assert grad_x.shape == x.shape
    np.testing.assert_allclose(np.vdot(x, grad_x), np.vdot(expected, grad_y), atol=1e-10)
