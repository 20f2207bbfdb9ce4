"""The numpy kernels against loops and direct NumPy formulas in float64.

Convolution and pooling have their own file, ``test_numpy_windows.py``.
"""

import inspect
import math
import re
import sys
import types
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from kernel_calls import normal, run, slope

from nkeras_numpy.kernels import KERNELS
from nkeras_numpy.namespace import namespace
from nkeras_numpy.random import philox

HALF = [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)]
CONTRACT = Path(__file__).parents[2] / "docs" / "kernels.md"


def contract_signatures():
    """Kernel names and their argument names, read from the tables of the contract."""
    for line in CONTRACT.read_text(encoding="utf-8").splitlines():
        if not line.startswith("| `"):
            continue
        named, shared = {}, ""
        for code in re.findall(r"`([^`]*)`", line.split(" | ")[0]):
            name, arguments = re.fullmatch(r"(\w*)(?:\((.*?)\)(?: -> .*)?)?", code).groups()
            if name:
                named[name] = arguments
            else:
                shared = arguments  # of the names in this row that list none
        for name, arguments in named.items():
            plain = re.sub(r":\s*(\([^)]*\)|\w+)", "", arguments or shared)
            words = [word.strip().lstrip("*") for word in plain.split(",")]
            yield name, [word for word in words if word]


def test_table_is_the_contract():
    written = dict(contract_signatures())
    actual = {name: list(inspect.signature(kernel).parameters) for name, kernel in KERNELS.items()}
    assert actual == written


def test_namespace_is_the_module_of_the_array(monkeypatch):
    fake = types.ModuleType("cupy")
    fake.asnumpy = None
    monkeypatch.setitem(sys.modules, "cupy", fake)
    array_type = type("ndarray", (), {"__module__": "cupy._core.core"})
    assert namespace(array_type()) is fake
    assert namespace(np.zeros(2)) is np
    with pytest.raises(TypeError, match="not list"):
        namespace([1.0])


# --- linalg


@pytest.mark.parametrize("activation", ["linear", "relu", "relu6"])
@pytest.mark.parametrize("has_addend", [False, True])
def test_epilogues(activation, has_addend):
    limits = {"linear": (-np.inf, np.inf), "relu": (0, np.inf), "relu6": (0, 6)}[activation]
    x, kernel, bias = 4 * normal(2, 3, 5), normal(5, 7, seed=1), normal(7, seed=2)
    addend = 4 * normal(2, 3, 7, seed=3) if has_addend else None
    x[0, 1, 2] = np.nan
    static = {"strides": (1,), "padding": ((0, 0),), "dilation": (1,), "groups": 1}
    expected = np.clip(x @ kernel + bias + (addend if has_addend else 0), *limits)
    assert np.isnan(expected).any()
    found = run("dense", x, kernel, bias, addend, activation=activation)
    np.testing.assert_allclose(found, expected)
    found = run("conv_bias", x, kernel[None], bias, addend, activation=activation, **static)
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize(("left", "right"), [((2, 3), (3, 4)), ((5, 1, 2, 3), (4, 3, 2))])
def test_matmul(left, right):
    x, y = normal(*left), normal(*right, seed=1)
    np.testing.assert_allclose(run("matmul", x, y), np.einsum("...ij,...jk->...ik", x, y))


# --- reduction


REDUCTIONS = ["sum", "prod", "max", "min", "mean"]


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [(), (0,), (1, 2), (0, 1, 2)])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name, axis, keepdims):
    x = normal(2, 3, 4)
    y = run(f"reduce_{name}", x, axis=axis, keepdims=keepdims)
    assert isinstance(y, np.ndarray)
    expected = getattr(np, name)(x, axis=axis, keepdims=keepdims)
    np.testing.assert_allclose(y, expected)
    assert y.shape == expected.shape


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "float32", *HALF])
@pytest.mark.parametrize("name", ["sum", "prod", "max", "min"])
def test_reductions_keep_the_dtype(name, dtype):
    x = np.array([[1, 2], [3, 4]]).astype(dtype)
    y = run(f"reduce_{name}", x, axis=(0,), keepdims=False)
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(y.astype(float), getattr(np, name)(x.astype(float), axis=0))


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions_keep_nan(name):
    x = np.array([[1, np.nan], [np.inf, -np.inf]], np.float32)
    y = run(f"reduce_{name}", x, axis=(1,), keepdims=False)
    assert np.isnan(y[0])
    assert np.isnan(y[1]) == (name in ("sum", "mean"))


def test_sum_over_a_slow_axis_is_exact():
    x = np.full((200_000, 2), 0.1, np.float32)
    y = run("reduce_sum", x, axis=(0,), keepdims=False)
    np.testing.assert_array_equal(y, x.astype(np.float64).sum(0).astype(np.float32))


@pytest.mark.parametrize("axis", [(0,), (0, 1)])
def test_any_and_all(axis):
    x = np.array([[True, False, True], [True, False, False]])
    for name, function in [("reduce_any", np.any), ("reduce_all", np.all)]:
        y = run(name, x, axis=axis, keepdims=False)
        assert y.dtype == bool
        np.testing.assert_array_equal(y, function(x, axis=axis))


@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_arg_reductions_take_the_first_and_nan_wins(name):
    x = np.array([[1, 2, 2, 1], [0, np.nan, 9, np.nan]])
    y = run(name, x, axis=1, keepdims=True)
    assert y.dtype == np.int32
    np.testing.assert_array_equal(y, [[1 if name == "argmax" else 0], [1]])
    assert run(name, x[0], axis=0, keepdims=False).shape == ()


def test_running_and_sorting():
    x = np.array([[3, 1, 2], [1, 3, 1]], np.int16)
    np.testing.assert_array_equal(run("cumsum", x, axis=0), [[3, 1, 2], [4, 4, 3]])
    np.testing.assert_array_equal(run("cumprod", x, axis=1), [[3, 3, 6], [1, 3, 3]])
    np.testing.assert_array_equal(run("sort", x, axis=1), [[1, 2, 3], [1, 1, 3]])
    np.testing.assert_array_equal(run("argsort", x, axis=1), [[1, 2, 0], [0, 2, 1]])
    assert run("cumsum", x, axis=0).dtype == run("cumprod", x, axis=0).dtype == np.int16
    assert run("argsort", x, axis=1).dtype == np.int32
    np.testing.assert_array_equal(run("sort", np.array([np.nan, 1.0]), axis=0), [1, np.nan])


# --- shape


def test_shape_kernels():
    x = normal(2, 3, 4)
    np.testing.assert_array_equal(run("reshape", x, shape=(4, 6)), x.ravel().reshape(4, 6))
    np.testing.assert_array_equal(run("transpose", x, axes=(2, 0, 1))[3, 1, 2], x[1, 2, 3])
    assert run("broadcast_to", x, shape=(5, 2, 3, 4)).strides[0] == 0
    np.testing.assert_array_equal(run("flip", x, axis=(0, 2)), x[::-1, :, ::-1])
    joined = run("concatenate", x, x[:, :1], axis=1)
    np.testing.assert_array_equal(joined, np.stack([*np.moveaxis(x, 1, 0), x[:, 0]], axis=1))


@pytest.mark.parametrize("index", [((0, 5, 2), (1, 3, 1)), ((4, None, -2), (3, 0, -1))])
def test_slice_and_its_gradient(index):
    x = normal(5, 4)
    y = run("slice", x, index=index)
    np.testing.assert_array_equal(y, x[tuple(slice(*part) for part in index)])
    grad_y = normal(*y.shape, seed=1)
    grad_x = run("slice_grad", grad_y, shape=x.shape, index=index)
    assert grad_x.shape == x.shape
    np.testing.assert_allclose(np.vdot(x, grad_x), np.vdot(y, grad_y))


def test_slice_of_rank_zero():
    assert run("slice", np.array(3.0), index=()).shape == ()
    assert run("slice_grad", np.array(3.0), shape=(), index=()) == 3.0


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("constant", [7, 7, 1, 2, 3, 7]),
        ("reflect", [3, 2, 1, 2, 3, 2]),
        ("symmetric", [2, 1, 1, 2, 3, 3]),
    ],
)
def test_pad(mode, expected):
    y = run("pad", np.array([1, 2, 3]), pad_width=((2, 1),), mode=mode, constant=7)
    np.testing.assert_array_equal(y, expected)
    assert run("pad", np.array(1.0), pad_width=(), mode=mode, constant=7) == 1.0


def test_cast():
    x = np.array([-1.7, 0.0, 2.9, 1e6])
    np.testing.assert_array_equal(run("cast", x, dtype="int32"), [-1, 0, 2, 10**6])
    np.testing.assert_array_equal(run("cast", x, dtype="bool"), [True, False, True, True])
    assert run("cast", np.array(np.nan), dtype="bool").shape == ()
    assert run("cast", x, dtype="float16")[3] == np.inf
    half = run("cast", x, dtype="bfloat16")
    assert half.dtype == ml_dtypes.bfloat16
    assert run("cast", half, dtype="float16").dtype == np.float16


# --- indexing


@pytest.mark.parametrize("dtype", ["float64", "float32", *HALF])
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("shape", [(), (3,), (2, 4)])
def test_take_and_its_gradient(shape, axis, dtype):
    x = normal(2, 3, 2, dtype=dtype)
    indices = np.random.default_rng(1).integers(0, x.shape[axis], shape)
    y = run("take", x, indices, axis=axis)
    np.testing.assert_array_equal(y, np.take(x, indices, axis))
    grad_y = normal(*y.shape, seed=1, dtype=dtype)
    expected = np.zeros(x.shape)
    for where in np.ndindex(indices.shape):
        cell = (slice(None),) * axis
        expected[(*cell, indices[where])] += grad_y[cell + where].astype(np.float64)
    grad_x = run("take_grad", grad_y, indices, shape=x.shape, axis=axis)
    assert grad_x.dtype == dtype
    tolerance = 1e-6 if dtype in ("float64", "float32") else 2e-2
    np.testing.assert_allclose(grad_x.astype(np.float64), expected, rtol=tolerance, atol=1e-6)


@pytest.mark.parametrize("shape", [(4, 3), (4, 1), (2, 3)])
def test_take_along_axis_and_its_gradient(shape):
    x = normal(1, 3) if shape == (4, 3) else normal(4, 3)
    axis = 1 if shape == (4, 1) else 0
    indices = np.random.default_rng(1).integers(0, x.shape[axis], shape)
    y = run("take_along_axis", x, indices, axis=axis)
    np.testing.assert_array_equal(y, np.take_along_axis(x, indices, axis))
    grad_y = normal(*y.shape, seed=1)
    grad_x = run("take_along_axis_grad", grad_y, indices, shape=x.shape, axis=axis)
    assert grad_x.shape == x.shape
    np.testing.assert_allclose(np.vdot(x, grad_x), np.vdot(y, grad_y))


@pytest.mark.parametrize(("rows", "depth"), [((3,), 1), ((2, 5), 2), ((), 2), ((4,), 3), ((0,), 1)])
def test_gather_and_scatter(rows, depth):
    x = normal(3, 2, 4)
    rng = np.random.default_rng(1)
    indices = np.stack([rng.integers(0, x.shape[d], rows) for d in range(depth)], axis=-1)
    values = normal(*rows, *x.shape[depth:], seed=2)
    gathered, added, updated = np.zeros(values.shape), np.zeros(x.shape), x.copy()
    for where in np.ndindex(*rows):
        cell = tuple(indices[where])
        gathered[where] = x[cell]
        added[cell] += values[where]
        updated[cell] = values[where]
    np.testing.assert_array_equal(run("gather_nd", x, indices), gathered)
    np.testing.assert_allclose(run("scatter_nd", indices, values, shape=x.shape), added)
    np.testing.assert_array_equal(run("scatter_update", x, indices, values), updated)


def test_scatter_keeps_the_dtype_of_values():
    indices = np.array([[1], [1]])
    for dtype in ["int32", "int64", "float32", *HALF]:
        y = run("scatter_nd", indices, np.array([1, 2]).astype(dtype), shape=(3,))
        assert y.dtype == dtype
        np.testing.assert_array_equal(y.astype(int), [0, 3, 0])


# --- normalization and loss


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_and_its_gradient(name, axis):
    x, grad_y = normal(3, 4), normal(3, 4, seed=1)
    exact = np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True)
    expected = exact if name == "softmax" else np.log(exact)
    y = run(name, x, axis=axis)
    np.testing.assert_allclose(y, expected)
    numeric = slope(lambda v: np.vdot(KERNELS[name](v, axis=axis), grad_y), x)
    np.testing.assert_allclose(run(f"{name}_grad", grad_y, y, axis=axis), numeric, atol=1e-8)


def test_softmax_is_stable_and_keeps_nan():
    x = np.array([[1e4, 0.0, -np.inf], [np.nan, 0.0, 0.0]], np.float32)
    np.testing.assert_array_equal(run("softmax", x, axis=1), [[1, 0, 0], [np.nan] * 3])
    np.testing.assert_array_equal(run("log_softmax", x, axis=1)[0], [0, -1e4, -np.inf])


def test_sparse_softmax_cross_entropy():
    logits, labels = normal(4, 3), np.array([2, 0, 1, 1], np.int32)
    loss, log_probabilities = run("sparse_softmax_cross_entropy", logits, labels)
    exact = np.log(np.exp(logits) / np.exp(logits).sum(1, keepdims=True))
    np.testing.assert_allclose(log_probabilities, exact)
    np.testing.assert_allclose(loss, [-exact[row, label] for row, label in enumerate(labels)])
    grad_loss = normal(4, seed=1)
    grad = run("sparse_softmax_cross_entropy_grad", grad_loss, log_probabilities, labels)
    forward = KERNELS["sparse_softmax_cross_entropy"]
    numeric = slope(lambda v: np.vdot(forward(v, labels)[0], grad_loss), logits)
    np.testing.assert_allclose(grad, numeric, atol=1e-8)


# --- optimizers: three steps, one Python float at a time


def gradients(shape):
    return [normal(*shape, seed=seed) for seed in (1, 2, 3)]


@pytest.mark.parametrize("shape", [(), (2, 3)])
@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_sgd(shape, momentum, nesterov):
    w = normal(*shape) + 0.0 * np.zeros(shape)
    velocity = np.zeros(shape) if momentum else None
    expected, state = np.array(w), np.zeros(shape)
    for grad in map(np.asarray, gradients(shape)):
        for i in np.ndindex(shape):
            state[i] = momentum * state[i] - 0.1 * grad[i]
            expected[i] += momentum * state[i] - 0.1 * grad[i] if nesterov else state[i]
        static = {"learning_rate": 0.1, "momentum": momentum, "nesterov": nesterov}
        w, velocity = run("sgd_update", np.asarray(w), grad, velocity, **static)
    assert isinstance(w, np.ndarray)
    np.testing.assert_allclose(w, expected)
    assert (velocity is None) == (momentum == 0)


@pytest.mark.parametrize("name", ["adam_update", "amsgrad_update"])
def test_adam(name):
    static = {"alpha": 0.01, "beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-7}
    state = [normal(5), *(np.zeros(5) for _ in range(2 if name == "adam_update" else 3))]
    w, m, v, v_hat = normal(5), np.zeros(5), np.zeros(5), np.zeros(5)
    for grad in [*gradients((5,)), np.zeros(5)]:
        for i, g in enumerate(grad):
            m[i] = 0.9 * m[i] + 0.1 * g
            v[i] = 0.99 * v[i] + 0.01 * g * g
            v_hat[i] = max(v_hat[i], v[i])
            root = math.sqrt(v[i] if name == "adam_update" else v_hat[i])
            w[i] -= 0.01 * m[i] / (root + 1e-7)
        state = run(name, state[0], grad, *state[1:], **static)
    assert np.any(v_hat > v)
    for actual, expected in zip(state, [w, m, v, v_hat], strict=name == "amsgrad_update"):
        np.testing.assert_allclose(actual, expected)


@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_rmsprop(momentum, centered):
    static = {"learning_rate": 0.01, "rho": 0.9, "epsilon": 1e-7}
    buffer, average = np.zeros(5) if momentum else None, np.zeros(5) if centered else None
    state = (normal(5), np.zeros(5), buffer, average)
    w, v, b, a = normal(5), np.zeros(5), np.zeros(5), np.zeros(5)
    for grad in gradients((5,)):
        for i, g in enumerate(grad):
            v[i] = 0.9 * v[i] + 0.1 * g * g
            a[i] = 0.9 * a[i] + 0.1 * g
            variance = v[i] + 1e-7 - (a[i] ** 2 if centered else 0)
            b[i] = momentum * b[i] + 0.01 * g / math.sqrt(variance)
            w[i] -= b[i]
        new = run(
            "rmsprop_update", state[0], grad, *state[1:],
            momentum=momentum, centered=centered, **static,
        )  # fmt: skip
        state = new
    np.testing.assert_allclose(state[0], w)
    np.testing.assert_allclose(state[1], v)
    assert [x is None for x in state[2:]] == [momentum == 0, not centered]


# --- random


ONES = 0xFFFFFFFF


@pytest.mark.parametrize(
    ("counter", "key", "expected"),  # the known answers of Random123
    [
        ((0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ((ONES, ONES, ONES, ONES), (ONES, ONES), "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_philox_known_answers(counter, key, expected):
    words = philox(tuple(np.array([word], np.uint64) for word in counter), key)
    assert " ".join(f"{int(word[0]):08x}" for word in words) == expected


def test_random_bits_are_blocks_of_philox_in_order():
    bits = run("random_bits", key=(3, 5), size=11)
    assert bits.dtype == np.uint32
    assert bits.shape == (11,)
    for position, value in enumerate(bits):
        block = [np.array([word], np.uint64) for word in (position // 4, 0, 0, 0)]
        assert value == philox(block, (3, 5))[position % 4][0]
    assert run("random_bits", key=(3, 5), size=0).shape == (0,)


# --- half types, views and empty arrays


CONV = {"strides": (1,), "padding": ((1, 1),), "dilation": (1,), "groups": 1}
POOL = {"pool_size": (2,), "strides": (2,), "padding": ((0, 0),)}


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize(
    ("name", "shapes", "static"),
    [
        ("matmul", [(3, 50), (50, 4)], {}),
        ("conv", [(2, 7, 5), (3, 5, 4)], CONV),
        ("conv_grad_input", [(2, 7, 4), (3, 5, 4)], {"input_shape": (2, 7, 5), **CONV}),
        ("conv_grad_kernel", [(2, 7, 5), (2, 7, 4)], {"kernel_shape": (3, 5, 4), **CONV}),
        ("average_pool", [(2, 7, 5)], POOL),
        ("max_pool", [(2, 7, 5)], POOL),
        ("reduce_sum", [(300, 2)], {"axis": (0,), "keepdims": False}),
        ("reduce_mean", [(300, 2)], {"axis": (0, 1), "keepdims": False}),
        ("cumsum", [(300,)], {"axis": 0}),
        ("sort", [(30,)], {"axis": 0}),
        ("log_softmax", [(3, 9)], {"axis": 1}),
        (
            "adam_update",
            [(5,), (5,), (5,), (5,)],
            {"alpha": 1e-3, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7},
        ),
    ],
)
def test_half_types_are_computed_in_float32_and_rounded_once(name, shapes, static, dtype):
    arrays = [np.abs(normal(*shape, seed=seed, dtype=dtype)) for seed, shape in enumerate(shapes)]
    wide = KERNELS[name](*(x.astype(np.float32) for x in arrays), **static)
    narrow = run(name, *arrays, **static)
    if not isinstance(wide, tuple):
        wide, narrow = (wide,), (narrow,)
    for y, expected in zip(narrow, wide, strict=True):
        assert y.dtype == (dtype if expected.dtype == np.float32 else expected.dtype)
        np.testing.assert_array_equal(y, expected.astype(y.dtype))


@pytest.mark.parametrize(
    ("name", "arrays", "static", "shape"),
    [
        ("matmul", [(2, 0), (0, 3)], {}, (2, 3)),
        ("conv", [(0, 7, 5), (3, 5, 4)], CONV, (0, 7, 4)),
        ("conv", [(2, 1, 5), (4, 5, 4)], CONV, (2, 0, 4)),
        ("conv_grad_input", [(2, 0, 4), (4, 5, 4)], {"input_shape": (2, 1, 5), **CONV}, (2, 1, 5)),
        (
            "conv_grad_kernel",
            [(0, 7, 5), (0, 7, 4)],
            {"kernel_shape": (3, 5, 4), **CONV},
            (3, 5, 4),
        ),
        ("average_pool", [(0, 7, 5)], POOL, (0, 3, 5)),
        ("average_pool", [(2, 1, 5)], POOL, (2, 0, 5)),
        ("reduce_sum", [(0, 3)], {"axis": (0,), "keepdims": False}, (3,)),
        ("reduce_prod", [(0, 3)], {"axis": (0,), "keepdims": False}, (3,)),
        ("reduce_max", [(0, 3)], {"axis": (1,), "keepdims": False}, (0,)),
        ("reduce_min", [(0, 0)], {"axis": (0,), "keepdims": False}, (0,)),
        ("argmax", [(0, 3)], {"axis": 1, "keepdims": True}, (0, 1)),
        ("sort", [(0, 3)], {"axis": 0}, (0, 3)),
        ("softmax", [(3, 0)], {"axis": 1}, (3, 0)),
        ("log_softmax", [(0, 3)], {"axis": 1}, (0, 3)),
    ],
)
def test_empty_arrays(name, arrays, static, shape):
    y = run(name, *(np.zeros(part, np.float32) for part in arrays), **static)
    assert y.shape == shape
    assert y.dtype == (np.int32 if name == "argmax" else np.float32)


def test_no_extremum_of_nothing_and_no_warning_for_its_mean():
    x = np.zeros((0, 3))
    with pytest.raises(ValueError, match="reduce_max over axis"):
        run("reduce_max", x, axis=(0,), keepdims=False)
    assert np.all(np.isnan(run("reduce_mean", x, axis=(0,), keepdims=False)))
