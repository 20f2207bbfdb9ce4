"""Convolution and pooling of numba_cpu against the numpy backend over drawn geometries."""

import math

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nkeras_numba_cpu.kernels import KERNELS
from nkeras_numpy.kernels import KERNELS as REFERENCE
from nkeras_numpy.windows import output_sizes


@st.composite
def geometries(draw):
    """Sizes, window, strides, padding and dilation of one to three dimensions, with some output."""
    rank = draw(st.integers(1, 3))

    def each(low, high):
        return tuple(draw(st.lists(st.integers(low, high), min_size=rank, max_size=rank)))

    sizes, window, strides, dilation = each(1, 7), each(1, 3), each(1, 4), each(1, 3)
    padding = tuple(zip(each(0, 3), each(0, 3), strict=True))
    assume(all(output_sizes(sizes, window, strides, padding, dilation)))
    return sizes, window, strides, padding, dilation


def same(name, *arrays, **static):
    actual, expected = KERNELS[name](*arrays, **static), REFERENCE[name](*arrays, **static)
    if name == "max_pool":
        np.testing.assert_array_equal(actual[1], expected[1])
        actual, expected = actual[0], expected[0]
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4)


def integers(*shape):
    """Small whole numbers: sums are exact in float32, and maxima have ties."""
    values = np.arange(math.prod(shape)) * 7919 % 11 - 5
    return values.reshape(shape).astype(np.float32)


@settings(max_examples=100, deadline=None)
@given(geometries(), st.integers(1, 2), st.integers(1, 3), st.integers(1, 3), st.integers(1, 2))
def test_conv(geometry, batch, groups, group_channels, group_filters):
    sizes, window, strides, padding, dilation = geometry
    x = integers(batch, *sizes, groups * group_channels)
    kernel = integers(*window, group_channels, groups * group_filters)
    static = {"strides": strides, "padding": padding, "dilation": dilation, "groups": groups}
    same("conv", x, kernel, **static)
    counts = output_sizes(sizes, window, strides, padding, dilation)
    grad_y = integers(batch, *counts, groups * group_filters)
    same("conv_grad_input", grad_y, kernel, input_shape=x.shape, **static)
    same("conv_grad_kernel", x, grad_y, kernel_shape=kernel.shape, **static)


@settings(max_examples=100, deadline=None)
@given(geometries(), st.integers(1, 2), st.integers(1, 20))
def test_pooling(geometry, batch, channels):
    sizes, window, strides, padding, _ = geometry
    x = integers(batch, *sizes, channels)
    static = {"pool_size": window, "strides": strides, "padding": padding}
    same("max_pool", x, **static)
    same("average_pool", x, **static)
    y, winner = REFERENCE["max_pool"](x, **static)
    same("max_pool_take", x, winner, **static)
    grad_y = integers(*y.shape)
    same("max_pool_grad", grad_y, winner, input_shape=x.shape, **static)
    same("average_pool_grad", grad_y, input_shape=x.shape, **static)
