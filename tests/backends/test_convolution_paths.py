"""Each way in which numba_cpu computes a convolution, against the numpy backend in float64."""

import itertools
import math

import numpy as np
import pytest

from nkeras.core import config
from nkeras_numba_cpu import threads
from nkeras_numba_cpu.kernels import KERNELS
from nkeras_numba_cpu.launch import tasks
from nkeras_numba_cpu.products import depthwise, few_channels, winograd
from nkeras_numba_cpu.products.geometry import Shapes
from nkeras_numba_cpu.products.kernel_gradient import kernel_schedule
from nkeras_numba_cpu.products.schedules import convolution_schedule
from nkeras_numpy.kernels import KERNELS as REFERENCE

# x, kernel, strides, padding, dilation, groups
DIRECT = {
    "in place": ((1, 4, 5, 3), (3, 3, 3, 64), 1, 0, 1, 1),
    "one vector": ((2, 6, 5, 3), (3, 2, 3, 7), 1, 1, 1, 1),
    "three vectors": ((2, 5, 5, 4), (2, 2, 4, 37), 1, 1, 1, 1),
    "panels with a tail": ((1, 6, 17, 5), (3, 3, 5, 70), 1, 1, 1, 1),
    "all pixels one row": ((2, 5, 7, 6), (1, 1, 6, 33), 1, 0, 1, 1),
    "pixels far apart": ((2, 4, 4, 512), (3, 3, 512, 20), 1, 1, 1, 1),
    "stride": ((2, 9, 8, 4), (3, 3, 4, 10), 2, 1, 1, 1),
    "stride beyond the window": ((2, 7, 8, 4), (1, 1, 4, 10), 3, 0, 1, 1),
    "dilation": ((1, 11, 10, 4), (3, 3, 4, 8), 1, 2, 2, 1),
    "stride and dilation": ((1, 13, 11, 4), (3, 2, 4, 8), 2, 2, 3, 1),
    "groups": ((2, 6, 6, 12), (3, 3, 4, 9), 1, 1, 1, 3),
    "groups of one filter": ((2, 6, 6, 12), (2, 2, 3, 4), 1, 0, 1, 4),
    "long sequence": ((1, 700, 48), (5, 48, 8), 1, 2, 1, 1),
    "volume": ((1, 4, 5, 6, 3), (3, 2, 3, 3, 8), 1, 1, 1, 1),
    "volume with strides": ((1, 5, 5, 6, 3), (3, 3, 3, 3, 8), 2, 1, 1, 1),
    "window larger than x": ((2, 2, 2, 3), (4, 4, 3, 5), 1, 2, 1, 1),
}
WINOGRAD = {
    "whole tiles": ((2, 16, 16, 16), (3, 3, 16, 32), 1, 1, 1, 1),
    "tails": ((3, 13, 15, 21), (3, 3, 21, 37), 1, 1, 1, 1),
    "no padding": ((4, 13, 13, 16), (3, 3, 16, 48), 1, 0, 1, 1),
    "wide padding": ((2, 14, 13, 20), (3, 3, 20, 16), 1, 2, 1, 1),
    "several panels": ((4, 12, 12, 16), (3, 3, 16, 72), 1, 1, 1, 1),
}
DEPTHWISE = {
    "one pixel": ((2, 3, 3, 5), (3, 3, 1, 5), 1, 0, 1, 5),
    "tails": ((2, 7, 9, 19), (3, 3, 1, 19), 1, 1, 1, 19),
    "stride": ((2, 8, 9, 16), (3, 3, 1, 16), 2, 1, 1, 16),
    "three pixels": ((2, 3, 3, 70), (3, 3, 1, 70), 1, 1, 1, 70),
    "channels in parts": ((1, 5, 6, 333), (3, 3, 1, 333), 1, 1, 1, 333),
    "rows in parts": ((1, 31, 29, 40), (3, 3, 1, 40), 2, 1, 1, 40),
    "wide window": ((1, 13, 11, 18), (5, 7, 1, 18), 1, 4, 1, 18),
    "more padding than image": ((1, 4, 4, 5), (3, 3, 1, 5), 1, 6, 1, 5),
    "two filters each": ((2, 6, 6, 9), (3, 2, 1, 18), 1, 1, 1, 9),
    "dilation": ((1, 9, 9, 33), (3, 3, 1, 33), 1, 2, 2, 33),
    "volume": ((1, 4, 5, 4, 6), (2, 3, 2, 1, 6), 1, 1, 1, 6),
}
FEW_CHANNELS = {
    "colors": ((2, 7, 30, 3), (3, 3, 1, 3), 1, 1, 1, 3),
    "one": ((3, 9, 70, 1), (5, 1, 1, 1), 1, 2, 1, 1),
    "dilation": ((1, 9, 40, 4), (2, 3, 1, 4), 1, 2, 3, 4),
    "more padding than image": ((2, 3, 4, 4), (3, 3, 1, 4), 1, 9, 1, 4),
}


def static_arguments(case):
    x, _, stride, pad, dilation, groups = case
    rank = len(x) - 2
    return {
        "strides": (stride,) * rank,
        "padding": ((pad, pad),) * rank,
        "dilation": (dilation,) * rank,
        "groups": groups,
    }


def shapes_of(case):
    return Shapes(case[0], case[1], **static_arguments(case))


def arrays_of(case, dtype="float32"):
    random = np.random.default_rng(7)
    shapes = case[0], case[1], (case[0][0], *shapes_of(case).spatial, case[1][-1])
    return [random.standard_normal(shape).astype(dtype) for shape in (*shapes, case[1][-1:])]


def results(kernels, case, dtype):
    """Convolution, with bias and relu, with something added and relu6, and both gradients."""
    x, kernel, grad_y, bias = arrays_of(case, dtype)
    static = static_arguments(case)
    return {
        "conv": kernels["conv"](x, kernel, **static),
        "conv_bias": kernels["conv_bias"](x, kernel, bias, activation="relu", **static),
        "addend": kernels["conv_bias"](x, kernel, bias, 5 * grad_y, activation="relu6", **static),
        "grad_input": kernels["conv_grad_input"](grad_y, kernel, input_shape=x.shape, **static),
        "grad_kernel": kernels["conv_grad_kernel"](x, grad_y, kernel_shape=kernel.shape, **static),
    }


def check(case, dtype, tolerance):
    expected = results(REFERENCE, case, "float64")
    for name, actual in results(KERNELS, case, dtype).items():
        assert actual.dtype == dtype
        assert actual.shape == expected[name].shape
        scale = np.abs(expected["conv" if name == "addend" else name]).max()  # relu6 cuts it
        assert np.abs(actual - expected[name]).max() < tolerance * scale, name


@pytest.mark.parametrize("label", DIRECT)
def test_direct(label):
    check(DIRECT[label], "float32", 1e-5)


@pytest.mark.parametrize("label", ["in place", "stride", "groups", "volume"])
def test_direct_float64(label):
    check(DIRECT[label], "float64", 1e-14)


@pytest.mark.parametrize("label", DEPTHWISE)
def test_depthwise(label):
    check(DEPTHWISE[label], "float32", 1e-5)


@pytest.mark.parametrize("label", FEW_CHANNELS)
def test_few_channels(label):
    case = FEW_CHANNELS[label]
    assert few_channels.fits(shapes_of(case))
    check(case, "float32", 1e-5)
    x, kernel, _, _ = arrays_of(case)
    static = {**static_arguments(case), "strides": (2, 1)}
    wanted = REFERENCE["conv"](x.astype("float64"), kernel.astype("float64"), **static)
    np.testing.assert_allclose(KERNELS["conv"](x, kernel, **static), wanted, 1e-4, 1e-4)


@pytest.mark.parametrize("label", WINOGRAD)
def test_winograd(label):
    assert winograd.suits(shapes_of(WINOGRAD[label]), "float32", False)
    check(WINOGRAD[label], "float32", 5e-5)


def test_the_algorithm_can_be_chosen():
    case = WINOGRAD["tails"]
    x, kernel, _, _ = arrays_of(case)
    static = static_arguments(case)
    exact = REFERENCE["conv"](x.astype("float64"), kernel.astype("float64"), **static)
    found = {}
    try:
        for algorithm in ("auto", "winograd_f2", "direct"):
            config.set_convolution_algorithm(algorithm)
            assert config.convolution_algorithm() == algorithm
            found[algorithm] = KERNELS["conv"](x, kernel, **static)
    finally:
        config.set_convolution_algorithm("auto")
    errors = {name: np.abs(y - exact).max() / np.abs(exact).max() for name, y in found.items()}
    assert errors["direct"] < 2e-6
    assert errors["winograd_f2"] < 2e-6 < 2e-5
    assert errors["winograd_f2"] < errors["auto"] < 2e-5
    with pytest.raises(ValueError, match="set_convolution_algorithm"):
        config.set_convolution_algorithm("fft")


def test_one_small_image_has_tiles_of_2_x_2():
    case = ((1, 11, 10, 64), (3, 3, 64, 80), 1, 1, 1, 1)
    shapes = shapes_of(case)
    assert not winograd.suits(shapes, "float32", False)
    assert winograd.suits_few_tiles(shapes, "float32")
    assert not winograd.suits_few_tiles(shapes, "float64")
    for x in ((1, 9, 9, 64), (3, 7, 14, 64)):
        assert not winograd.suits_few_tiles(shapes._replace(x=x), "float32")
    assert not winograd.suits_few_tiles(shapes._replace(strides=(2, 2)), "float32")
    check(case, "float32", 1e-5)
    x, kernel, _, _ = arrays_of(case)
    found = KERNELS["conv"](x, kernel, **static_arguments(case))
    try:
        config.set_convolution_algorithm("direct")
        direct = KERNELS["conv"](x, kernel, **static_arguments(case))
    finally:
        config.set_convolution_algorithm("auto")
    assert np.abs(found - direct).max() < 4e-6 * np.abs(direct).max()
    assert not np.array_equal(found, direct)


def test_winograd_is_for_float32_windows_of_3_x_3_alone():
    shapes = shapes_of(WINOGRAD["whole tiles"])
    assert not winograd.suits(shapes, "float64", False)
    assert not winograd.suits(shapes._replace(strides=(2, 2)), "float32", False)
    assert not winograd.suits(shapes._replace(dilation=(2, 2)), "float32", False)
    assert not winograd.suits(shapes._replace(groups=2), "float32", False)
    assert not winograd.suits(shapes._replace(kernel=(5, 5, 16, 32)), "float32", False)
    assert not winograd.suits(shapes._replace(x=(1, 4, 4, 16)), "float32", False)


@pytest.mark.parametrize(
    "case",
    [
        ((4, 20, 20, 24), (5, 5, 24, 40), 1, 2, 1, 1),
        ((4, 20, 20, 24), (3, 3, 24, 40), 1, 1, 1, 1),
        ((4, 30, 30, 40), (3, 3, 1, 40), 2, 1, 1, 40),
    ],
    ids=["direct", "winograd", "depthwise"],
)
def test_any_number_of_threads_gives_the_same_bits(case, monkeypatch):
    if threads.limit() < 2:
        pytest.skip("one thread only")
    monkeypatch.setattr(tasks, "SERIAL_BELOW", 0)
    before = threads.get_num_threads()
    found = []
    try:
        for count in (1, 2):
            threads.set_num_threads(count)
            found.append(results(KERNELS, case, "float32"))
    finally:
        threads.set_num_threads(before)
    for name, y in found[0].items():
        np.testing.assert_array_equal(y, found[1][name], err_msg=name)


@pytest.mark.parametrize("case", [DIRECT["panels with a tail"], DEPTHWISE["tails"]])
def test_nan_and_infinity_are_kept(case):
    x, kernel, _, bias = arrays_of(case)
    x[0, 1, 2, 3], x[0, -1, -1, 0] = np.nan, np.inf
    static = static_arguments(case)
    addend = np.ones_like(REFERENCE["conv"](x, kernel, **static))
    addend[-1, 2, 3, 1], addend[-1, 2, 4, 1] = np.nan, -np.inf
    for activation, other in itertools.product(("linear", "relu", "relu6"), (None, addend)):
        actual = KERNELS["conv_bias"](x, kernel, bias, other, activation=activation, **static)
        expected = REFERENCE["conv_bias"](x, kernel, bias, other, activation=activation, **static)
        assert np.isnan(expected).any()
        np.testing.assert_array_equal(np.isnan(actual), np.isnan(expected))
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4)


def test_winograd_spreads_nan_over_a_tile_at_most():
    case = WINOGRAD["whole tiles"]
    x, kernel, _, bias = arrays_of(case)
    x[0, 5, 5, 3] = np.nan
    static = static_arguments(case)
    y = KERNELS["conv_bias"](x, kernel, bias, activation="relu", **static)
    expected = REFERENCE["conv_bias"](x, kernel, bias, activation="relu", **static)
    assert np.isnan(y[np.isnan(expected)]).all()
    assert not np.isnan(y[1]).any()
    assert not np.isnan(y[0, 8:]).any()


def test_tasks_cover_all_of_the_result():
    for case in DIRECT.values():
        shapes = shapes_of(case)
        for backward in (False, True):
            launches = convolution_schedule(shapes, "float32", backward, False, 0).phases
            covered = sum(_outputs(launch) for launch in launches)
            shape = shapes.x if backward else (shapes.x[0], *shapes.spatial, shapes.kernel[-1])
            assert covered == math.prod(shape)
        assert kernel_schedule(shapes, "float32").size == math.prod(shapes.kernel)


def _outputs(phase):
    """How many elements the tasks of a phase store."""
    rows = {}  # of a tile, by the address of its micro-kernel
    for dtype_kernels in _tables():
        rows.update({int(a): i for i, a in enumerate(dtype_kernels) if a})
    total = 0
    for task in phase.tasks:
        columns = phase.panels[task[7] : task[8], 3].sum()
        total += columns * sum(rows[int(tile[0])] for tile in phase.tiles[task[5] : task[6]])
    return total


def _tables():
    from nkeras_numba_cpu.products.micro_kernel import micro_kernels

    return [micro_kernels("float32", vectors).table() for vectors in (0, 1, 3)]


def test_schedules_are_made_once():
    shapes = shapes_of(DIRECT["stride"])
    assert convolution_schedule(shapes, "float32", True, False, False) is convolution_schedule(
        shapes, "float32", True, False, False
    )
    assert depthwise._phases(shapes_of(DEPTHWISE["tails"]), False) is depthwise._phases(
        shapes_of(DEPTHWISE["tails"]), False
    )


@pytest.mark.parametrize("shape", [(0, 5, 5, 4), (2, 5, 5, 0)])
def test_empty(shape):
    kernel = np.ones((3, 3, shape[-1], 6), np.float32)
    x = np.ones(shape, np.float32)
    static = {"strides": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}
    y = KERNELS["conv"](x, kernel, **static)
    np.testing.assert_array_equal(y, np.zeros((shape[0], 5, 5, 6), np.float32))
    grad = KERNELS["conv_grad_kernel"](x, y, kernel_shape=kernel.shape, **static)
    np.testing.assert_array_equal(grad, np.zeros(kernel.shape, np.float32))
    grad = KERNELS["conv_grad_input"](y, kernel, input_shape=x.shape, **static)
    np.testing.assert_array_equal(grad, np.zeros(shape, np.float32))
