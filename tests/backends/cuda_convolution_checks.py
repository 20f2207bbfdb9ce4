"""Convolutions and pooling of the CUDA backend in the simulator against the numpy kernels.

The simulator must be chosen before Numba is imported: `test_cuda_convolutions.py` runs this file in
a process of its own.
"""

import itertools

import numpy as np
import pytest
from kernel_calls import normal

import nkeras_numba_cuda
import nkeras_numba_cuda.launch
from nkeras_numba_cuda.kernels.convolution import plain_chunks
from nkeras_numpy.kernels import KERNELS

BACKEND = nkeras_numba_cuda.backend()


@pytest.fixture
def launched(monkeypatch):
    """The names of the kernels that run."""
    names = []

    def launch(kernel, grid, threads, arguments):
        names.append(kernel.function.__name__)
        kernel.run(grid, threads, arguments)

    monkeypatch.setattr(nkeras_numba_cuda.launch, "launcher", launch)
    return names


def compare(name, *arrays, **static):
    """The kernel against the numpy kernel, in float32; the first result is returned."""
    on_device = [None if a is None else BACKEND.asarray(a, a.dtype.name) for a in arrays]
    got, expected = BACKEND.kernels[name](*on_device, **static), KERNELS[name](*arrays, **static)
    results = zip(*[r if isinstance(r, tuple) else (r,) for r in (got, expected)], strict=True)
    found = []
    for one, other in results:
        found.append(BACKEND.to_numpy(one))
        assert (found[-1].shape, found[-1].dtype) == (other.shape, other.dtype)
        tolerance = {"float16": 1e-3, "bfloat16": 8e-3}.get(other.dtype.name, 2e-6)
        wide = found[-1].astype("float64"), other.astype("float64")
        np.testing.assert_allclose(*wide, rtol=tolerance, atol=10 * tolerance)
    return found if isinstance(got, tuple) else found[0]


# Spatial sizes, window, strides, padding, dilation, channels, filters, and whether channels are
# served in fours.
DEPTHWISE = [
    ((5, 4), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 4, 4, True),
    ((5, 6), (2, 3), (2, 3), ((0, 1), (2, 1)), (1, 1), 8, 8, True),
    ((6,), (3,), (1,), ((2, 2),), (2,), 4, 4, True),
    ((3, 2, 3), (2, 2, 2), (1, 2, 1), ((0, 0), (1, 1), (0, 1)), (1, 1, 2), 4, 4, True),
    ((4, 4), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 4, 8, False),
    ((4, 4), (3, 3), (2, 2), ((0, 1), (0, 1)), (1, 1), 6, 6, False),
]


@pytest.mark.parametrize("case", DEPTHWISE)
def test_depthwise(case, launched):
    sizes, window, strides, padding, dilation, channels, filters, fours = case
    settings = {"strides": strides, "padding": padding, "dilation": dilation, "groups": channels}
    x = normal(2, *sizes, channels, dtype="float32")
    kernel = normal(*window, 1, filters, seed=1, dtype="float32")
    y = compare("conv", x, kernel, **settings)
    grad_y = normal(*y.shape, seed=2, dtype="float32")
    compare("conv_grad_input", grad_y, kernel, input_shape=x.shape, **settings)
    assert launched == [
        "depthwise_forward" if fours else "conv_forward",
        "depthwise_backward_input" if fours else "conv_backward_input",
    ]
    compare("conv_grad_kernel", x, grad_y, kernel_shape=kernel.shape, **settings)
    bias, addend = normal(filters, seed=3, dtype="float32"), normal(*y.shape, dtype="float32")
    for activation in ("linear", "relu", "relu6"):
        given = (bias, 4 * addend) if activation != "relu" else (None, addend)
        compare("conv_bias", x, kernel, *given, activation=activation, **settings)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "int32"])
def test_bias_addend_and_activation(dtype):
    settings = {"strides": (1,), "padding": ((1, 1),), "dilation": (1,), "groups": 1}
    x, kernel = (3 * normal(2, 4, 3)).astype(dtype), (3 * normal(3, 3, 5, seed=1)).astype(dtype)
    bias, addend = normal(5, seed=2).astype(dtype), (9 * normal(2, 4, 5, seed=3)).astype(dtype)
    for activation, *given in [
        ("linear", bias),
        ("relu", bias, None),
        ("relu", None, addend),
        ("relu6", bias, addend),
    ]:
        on_device = [None if a is None else BACKEND.asarray(a, dtype) for a in (x, kernel, *given)]
        got = BACKEND.kernels["conv_bias"](*on_device, activation=activation, **settings)
        expected = KERNELS["conv_bias"](x, kernel, *given, activation=activation, **settings)
        got = BACKEND.to_numpy(got)
        assert got.dtype == expected.dtype
        wide = got.astype("float64"), expected.astype("float64")
        tolerance = {"float16": 1e-3, "bfloat16": 8e-3}.get(dtype, 1e-5)
        np.testing.assert_allclose(*wide, rtol=tolerance, atol=tolerance)


def test_nan_and_infinity_reach_the_result():
    settings = {"strides": (1,), "padding": ((1, 1),), "dilation": (1,)}
    for channels, groups in ((2, 1), (4, 4)):
        x = normal(1, 9, channels, dtype="float32")
        x[0, 1], x[0, 4], x[0, 7] = np.nan, np.inf, -np.inf
        kernel = np.ones((3, channels // groups, 4), "float32")
        for activation in ("linear", "relu", "relu6"):
            given = (None, None) if activation == "linear" else (np.ones(4, "float32"), None)
            compare(
                "conv_bias", x, kernel, *given, activation=activation, groups=groups, **settings
            )


def test_the_gradient_of_a_kernel_is_cut_by_its_shape_alone():
    assert plain_chunks((3, 3, 1, 32), 128 * 28) == 227
    assert plain_chunks((3, 3, 1, 32), 5) == 5
    assert plain_chunks((3, 3, 256, 256), 1000) == 1


# Spatial sizes, pool_size, strides, padding, and whether windows lie apart.
POOLS = [
    ((5,), (2,), (2,), ((0, 0),), True),
    ((5,), (3,), (1,), ((2, 1),), False),
    ((4, 5), (2, 2), (2, 2), ((0, 0), (0, 1)), True),
    ((5, 7), (2, 2), (2, 2), ((0, 0), (0, 0)), True),  # odd edges, without an output
    ((5, 4), (3, 2), (2, 1), ((1, 1), (1, 0)), False),
    ((7, 5), (2, 1), (3, 2), ((1, 0), (0, 0)), True),  # gaps between windows
    ((4, 6), (4, 6), (4, 6), ((0, 0), (0, 0)), True),  # the whole image
    ((3, 4, 3), (2, 2, 2), (1, 2, 1), ((1, 0), (0, 0), (0, 1)), False),
    ((3, 4, 3), (2, 2, 2), (2, 2, 2), ((0, 1), (0, 0), (0, 1)), True),
    ((2, 2), (3, 3), (1, 1), ((0, 0), (0, 0)), None),  # no window fits
]


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize(("sizes", "pool_size", "strides", "padding", "apart"), POOLS)
def test_pooling_in_fours(sizes, pool_size, strides, padding, apart, dtype, launched):
    settings = {"pool_size": pool_size, "strides": strides, "padding": padding}
    x = normal(2, *sizes, 8).astype(dtype)
    y, winner = compare("max_pool", x, **settings)
    grad_y = normal(*y.shape, seed=1).astype(dtype)
    compare("max_pool_grad", grad_y, winner, input_shape=x.shape, **settings)
    compare("average_pool", x, **settings)
    compare("average_pool_grad", grad_y, input_shape=x.shape, **settings)
    kinds = "max_pool_forward", "max_pool_backward", "average_pool_forward", "average_pool_backward"
    ends = "_4", "_apart_4" if apart else "_4", "_4", "_apart_4" if apart else "_4"
    expected = [kind + end for kind, end in zip(kinds, ends, strict=True)]
    if pool_size == (2, 2):
        expected[0] = "max_pool_forward_2x2"
    assert launched == ([] if apart is None else expected)


def test_pooling_of_odd_channels_and_large_windows(launched):
    settings = {"pool_size": (2,), "strides": (2,), "padding": ((0, 0),)}
    compare("max_pool", normal(1, 4, 6, dtype="float32"), **settings)
    compare("average_pool", normal(1, 4, 4), **settings)
    settings = {"pool_size": (257,), "strides": (257,), "padding": ((0, 0),)}
    compare("max_pool", normal(1, 257, 4, dtype="float32"), **settings)
    assert launched == ["max_pool_forward", "average_pool_forward", "max_pool_forward"]


def test_pooling_reads_what_does_not_start_at_128_bits(launched):
    x = BACKEND.asarray(normal(1 + 4 * 4, dtype="float32"), "float32")[1:].reshape(1, 4, 4)
    settings = {"pool_size": (2,), "strides": (2,), "padding": ((0, 0),)}
    got = BACKEND.kernels["average_pool"](x, **settings)
    assert launched == ["average_pool_forward"]
    expected = KERNELS["average_pool"](BACKEND.to_numpy(x), **settings)
    np.testing.assert_allclose(BACKEND.to_numpy(got), expected, rtol=1e-6)


@pytest.mark.parametrize("padding", [((0, 0),), ((1, 1),)])
@pytest.mark.parametrize("stride", [1, 3])
def test_pooling_in_fours_takes_the_first_maximum_and_nan(padding, stride):
    rows = itertools.product([1.0, -np.inf, np.nan], repeat=4)
    x = np.array(list(rows), "float32")[:80].reshape(20, 4, 4).swapaxes(1, 2).copy()
    settings = {"pool_size": (3,), "strides": (stride,), "padding": padding}
    y, winner = compare("max_pool", x, **settings)
    compare("max_pool_grad", np.ones_like(y), winner, input_shape=x.shape, **settings)
    compare("average_pool", x, **settings)
    compare("average_pool_grad", y, input_shape=x.shape, **settings)


def test_pooling_of_2x2_takes_the_first_maximum_and_nan():
    rows = list(itertools.product([1.0, -np.inf, np.nan], repeat=4))[:80]
    x = np.array(rows, "float32").reshape(20, 4, 2, 2).transpose(0, 2, 3, 1).copy()
    for x_part, padding in ((x, ((0, 0), (0, 0))), (x[:, :, :1], ((0, 0), (0, 1)))):
        settings = {"pool_size": (2, 2), "strides": (2, 2), "padding": padding}
        y, winner = compare("max_pool", x_part, **settings)
        compare("max_pool_grad", y, winner, input_shape=x_part.shape, **settings)
