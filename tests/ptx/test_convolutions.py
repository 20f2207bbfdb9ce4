"""Convolutions on tensor cores: what Numba compiles for sm_90, executed against float64."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from nkeras.core import config
from nkeras_numba_cuda.kernels import fragments, tile_convolution
from nkeras_numba_cuda.kernels.convolution_sizes import convolution
from nkeras_numba_cuda.kernels.tile_choice import LARGE, SMALL, Choice
from nkeras_numpy.kernels import KERNELS
from tests.ptx.backend import interpreted

# Of the largest sum of absolute values: float32 is added in another order, tf32 has 11 bits.
TOLERANCES = {"float32": 3e-7, "tensorfloat32": 1e-3, "bfloat16": 4e-3, "float16": 1e-3}
NAMES = {
    "forward": "conv_bias",
    "backward_input": "conv_grad_input",
    "backward_kernel": "conv_grad_kernel",
}
HALVES = {"bfloat16": ml_dtypes.bfloat16, "float16": np.float16}

# Spatial sizes, window, strides, padding, dilation, channels, filters, groups.
PLAIN = ((6, 5), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 16, 24, 1)
CASES = {
    "valid": ((7, 6), (3, 2), (1, 1), ((0, 0), (0, 0)), (1, 1), 16, 16, 1),
    "strides": ((9, 8), (3, 2), (2, 3), ((1, 1), (0, 1)), (1, 1), 24, 32, 1),
    "dilation": ((7, 6), (3, 3), (1, 1), ((2, 2), (2, 2)), (2, 2), 16, 8, 1),
    "strides and dilation": ((9, 10), (3, 3), (2, 2), ((2, 2), (3, 1)), (2, 3), 16, 12, 1),
    "groups": ((6, 5), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 16, 24, 2),
    "stem": ((14, 14), (3, 3), (2, 2), ((0, 1), (0, 1)), (1, 1), 3, 20, 1),
    "odd channels": ((6, 5), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 10, 14, 1),
    "one dimension": ((30,), (4,), (1,), ((6, 0),), (2,), 12, 16, 1),
    "three dimensions": (
        *((3, 4, 5), (2, 2, 2), (1, 2, 1), ((1, 0), (0, 0), (0, 1)), (1, 1, 2)),
        *(16, 24, 1),
    ),
}


def made(case, dtype="float32", batch=2):
    """The arguments of the three kernels: arrays and settings by product."""
    spatial, window, strides, padding, dilation, channels, filters, groups = case
    settings = {"strides": strides, "padding": padding, "dilation": dilation, "groups": groups}
    draw = np.random.default_rng(0).standard_normal
    x = draw((batch, *spatial, channels)).astype(dtype)
    kernel = draw((*window, channels // groups, filters)).astype(dtype)
    counts = convolution(x.shape, kernel.shape, strides, padding, dilation, groups).counts
    grad_y = draw((batch, *counts[3 - len(spatial) :], filters)).astype(dtype)
    return {
        "forward": ((x, kernel, None), {"activation": "linear"} | settings),
        "backward_input": ((grad_y, kernel), {"input_shape": x.shape} | settings),
        "backward_kernel": ((x, grad_y), {"kernel_shape": kernel.shape} | settings),
    }


def linear(settings):
    """The settings with no activation, where there is one."""
    return {"activation": "linear"} if "activation" in settings else {}


def run(product, arrays, settings, seed=0):
    """The result of a product on the interpreter, and the names of what was launched."""
    with interpreted(seed) as session:
        backend = session.backend
        moved = [None if a is None else backend.asarray(a, a.dtype.name) for a in arrays]
        got = backend.to_numpy(backend.kernels[NAMES[product]](*moved, **settings))
    return got, session.launched


def check(product, arrays, settings, arithmetic="float32", seed=0, tile="64x64"):
    """Execute a product and compare it with float64; the names of what was launched."""
    got, launched = run(product, arrays, settings, seed)
    wide = [None if a is None else a.astype("float64") for a in arrays]
    expected = KERNELS[NAMES[product]](*wide, **settings)
    assert got.shape == expected.shape
    assert got.dtype == arrays[0].dtype
    absolute = [None if a is None else abs(a) for a in wide]
    largest = KERNELS[NAMES[product]](*absolute, **(settings | linear(settings))).max()
    tolerance = TOLERANCES[arithmetic] * largest
    np.testing.assert_allclose(got.astype("float64"), expected, rtol=0, atol=tolerance)
    assert launched[f"conv_{product}_{arithmetic}_{tile}"] == 1, launched
    return launched


@pytest.mark.parametrize("product", NAMES)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_geometries(case, product):
    arrays, settings = made(case)[product]
    assert len(check(product, arrays, settings)) == 1


@pytest.mark.parametrize("seed", [1, 2])
def test_warps_may_come_in_any_order(seed):
    arrays, settings = made(PLAIN)["forward"]
    check("forward", arrays, settings, seed=seed)


@pytest.mark.parametrize(
    ("product", "case", "batch"),
    [
        ("forward", ((3, 3), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 64, 12, 1), 1),
        ("forward", ((3, 3), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 128, 18, 2), 1),
        ("backward_kernel", ((19, 18), (1, 2), (1, 1), ((0, 0), (1, 0)), (1, 1), 16, 12, 1), 2),
    ],
)
def test_long_sums_are_cut_and_added(product, case, batch):
    arrays, settings = made(case, batch=batch)[product]
    if product == "forward":
        filters = case[-2]
        draw = np.random.default_rng(1).standard_normal
        addend = 9 * draw((batch, *case[0], filters)).astype("float32")
        arrays = (*arrays[:2], draw(filters).astype("float32"), addend)
        settings = settings | {"activation": "relu6"}
    assert check(product, arrays, settings)["conv_sum_of_parts_float32"] == 1


@pytest.mark.parametrize("activation", ["linear", "relu", "relu6"])
def test_bias_addend_and_activation(activation):
    (x, kernel, _), settings = made(PLAIN)["forward"]
    draw = np.random.default_rng(1).standard_normal
    bias, addend = draw(24).astype("float32"), 9 * draw((2, 6, 5, 24)).astype("float32")
    given = (bias, None) if activation == "relu" else (bias, addend)
    check("forward", (x, kernel, *given), settings | {"activation": activation})


def test_operands_may_start_anywhere():
    (x, kernel, _), settings = made(PLAIN)["forward"]
    with interpreted() as session:
        moved = []
        for array in (x, kernel):
            longer = np.concatenate([[9], array.ravel()]).astype("float32")
            moved.append(session.backend.asarray(longer, "float32")[1:].reshape(array.shape))
        got = session.backend.kernels["conv_bias"](*moved, None, **settings)
        got = session.backend.to_numpy(got)
    expected = KERNELS["conv_bias"](x, kernel, None, **settings)
    np.testing.assert_allclose(got, expected, rtol=0, atol=3e-5)
    assert session.launched == {"conv_forward_float32_64x64": 1}


@pytest.mark.parametrize("product", NAMES)
def test_infinity_and_nan_are_those_of_float32(product):
    arrays, settings = made(PLAIN)[product]
    first = arrays[0].copy()
    first[0, 1, 1, 3], first[0, 4, 2, 5], first[1, 2, 2, 0] = np.inf, -np.inf, np.nan
    first[1, 5, 4, 2] = 3e38
    got, _ = run(product, (first, *arrays[1:]), settings)
    with np.errstate(all="ignore"):
        expected = KERNELS[NAMES[product]](first, *arrays[1:], **settings)
    finite = np.isfinite(expected)
    assert not finite.all()
    assert np.isnan(expected).any()
    np.testing.assert_array_equal(got[~finite], expected[~finite])
    wide = [first.astype("float64"), *(a if a is None else a.astype("float64") for a in arrays[1:])]
    expected = KERNELS[NAMES[product]](*wide, **settings)
    np.testing.assert_allclose(got[finite], expected[finite], rtol=1e-5, atol=1e-4)


def test_halves_are_multiplied_as_they_are():
    arrays, settings = made(PLAIN, ml_dtypes.bfloat16)["forward"]
    bias = np.ones(24, ml_dtypes.bfloat16)
    settings["activation"] = "relu"
    check("forward", (*arrays[:2], bias), settings, "bfloat16")


@pytest.mark.long
@pytest.mark.parametrize("product", NAMES)
@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", ["strides", "groups", "stem", "three dimensions"])
def test_halves(name, dtype, product):
    arrays, settings = made(CASES[name], HALVES[dtype])[product]
    check(product, arrays, settings, dtype)


@pytest.mark.long
@pytest.mark.parametrize("dtype", HALVES)
def test_long_sums_of_halves(dtype):
    case = ((3, 3), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 64, 12, 1)
    arrays, settings = made(case, HALVES[dtype], batch=1)["forward"]
    assert check("forward", arrays, settings, dtype)[f"conv_sum_of_parts_{dtype}"] == 1


@pytest.mark.long
@pytest.mark.parametrize("product", NAMES)
def test_one_product_of_tensorfloat32(product):
    arrays, settings = made(PLAIN)[product]
    before = config.matmul_precision()
    config.set_matmul_precision("tensorfloat32")
    try:
        check(product, arrays, settings, "tensorfloat32")
    finally:
        config.set_matmul_precision(before)


@pytest.mark.long
@pytest.mark.parametrize("product", NAMES)
@pytest.mark.parametrize("arithmetic", ["FLOAT32", "TENSORFLOAT32", "BFLOAT16", "FLOAT16"])
def test_large_tiles(arithmetic, product, monkeypatch):
    chosen = getattr(fragments, arithmetic)
    tile = LARGE[chosen.bytes]

    def choice(arithmetic, c, name):
        inner = tile_convolution.PRODUCTS[name][2](c)["inner"]
        return Choice(tile, 1, -(-inner // tile.inner) * tile.inner)

    monkeypatch.setattr(tile_convolution, "choice", choice)
    used = "nkeras_numba_cuda.kernels.convolution.arithmetic_for"
    monkeypatch.setattr(used, lambda dtype: chosen)
    case = ((7, 10), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 16, 136, 1)
    arrays, settings = made(case, HALVES.get(chosen.dtype, "float32"))[product]
    check(product, arrays, settings, chosen.name, tile="128x128")


def test_the_choice_is_that_of_the_shape():
    def chosen(case, product="forward", arithmetic=fragments.FLOAT32, batch=64):
        spatial, window, strides, padding, dilation, channels, filters, groups = case
        kernel = (*window, channels // groups, filters)
        x = (batch, *spatial, channels)
        c = convolution(x, kernel, strides, padding, dilation, groups)
        return tile_convolution.choice(arithmetic, c, product)

    layer = ((56, 56), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 128, 128, 1)
    assert chosen(layer).tile == LARGE[4]
    assert chosen(layer).splits == 1
    assert chosen(layer, arithmetic=fragments.BFLOAT16).tile == LARGE[2]
    assert chosen(layer, "backward_kernel") == (LARGE[4], 29, 6944)
    first = ((28, 28), (3, 3), (1, 1), ((0, 0), (0, 0)), (1, 1), 1, 32, 1)
    assert chosen(first, "backward_kernel", batch=128) == (SMALL[4], 63, 1376)
    assert chosen(((2, 2), *first[1:]), "backward_kernel", batch=1) is None
    assert chosen(((8, 8), *layer[1:]), batch=1).tile == SMALL[4]
    few_per_group = (*layer[:-3], 128, 128, 32)
    wide_window = ((56, 56), (21, 3), *layer[2:])
    tiny = ((2, 2), *layer[1:-3], 4, 4, 1)
    for case in (few_per_group, wide_window):
        assert chosen(case) is None
    assert chosen(tiny, batch=1) is None
