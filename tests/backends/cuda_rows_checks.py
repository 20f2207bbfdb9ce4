"""The CUDA kernels of rows and columns in the simulator against the numpy kernels.

The simulator must be chosen before Numba is imported: `test_numba_cuda_simulator.py` runs this file
in a process of its own.
"""

import math

import numpy as np
import pytest
from cuda_simulator_checks import BACKEND, FLOATS, KERNELS, assert_same, compare, on_device, on_host
from kernel_calls import normal

SPECIAL = np.array(
    [
        [1, 2, np.inf, 0],
        [1, np.nan, 3, 4],
        [-np.inf, -np.inf, 0, 1],
        [-np.inf] * 4,
        [1e30, -1e30, 3e38, 0],
        [np.inf, -np.inf, np.nan, 1],
        [np.nan] * 4,
        [-0.0, 0.0, -1e-40, 1e-40],
    ],
    "float32",
)
SHAPES = [((5, 7), 1), ((4, 3, 5), 1), ((2, 8), 0), ((3, 2, 4), 2), ((1,), 0), ((2, 1100), 1)]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_rows_softmax(name, dtype):
    for shape, axis in SHAPES if dtype == "float32" else SHAPES[:4]:
        y = compare(name, (2 * normal(*shape)).astype(dtype), axis=axis)
        compare(f"{name}_grad", normal(*shape, seed=1).astype(dtype), y, axis=axis)


def test_rows_softmax_of_special_values_views_and_nothing():
    for x in (SPECIAL, SPECIAL[:, :3], SPECIAL.T, SPECIAL[:0], SPECIAL[:, :0]):
        for name in ("softmax", "log_softmax"):
            compare(name, x, axis=x.ndim - 1)
            compare(name, x, axis=0)
            compare(f"{name}_grad", x, np.abs(x), axis=x.ndim - 1)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(5, 7), (0, 4), (8, 4)])
def test_rows_losses(shape, dtype):
    rows, classes = shape
    logits = (SPECIAL if shape == SPECIAL.shape else 2 * normal(*shape)).astype(dtype)
    labels = np.random.default_rng(0).integers(0, classes, rows).astype("int32")
    target = np.abs(normal(*shape, seed=1)).astype(dtype)
    probabilities = np.abs(normal(*shape, seed=2)).astype(dtype)
    grad = normal(rows, seed=3).astype(dtype)
    for grad_loss in (grad, np.broadcast_to(np.array([0.5], dtype), (rows,))):
        _, log_p = compare("sparse_softmax_cross_entropy", logits, labels)
        compare("sparse_softmax_cross_entropy_grad", grad_loss, log_p, labels)
        _, log_p = compare("softmax_cross_entropy", target, logits)
        compare("softmax_cross_entropy_grad", grad_loss, target, log_p)
        compare("sparse_cross_entropy", probabilities, labels, epsilon=1e-3)
        compare("sparse_cross_entropy_grad", grad_loss, probabilities, labels, epsilon=1e-3)
        compare("cross_entropy", target, probabilities, epsilon=1e-3)
        compare("cross_entropy_grad", grad_loss, target, probabilities, epsilon=1e-3)


def test_rows_labels_out_of_range_give_nan():
    x, labels = np.abs(normal(4, 3, dtype="float32")), np.array([0, 3, -1, 2], "int32")
    grad, wrong = np.ones(4, "float32"), [False, True, True, False]
    loss, log_p = compare("sparse_softmax_cross_entropy", x, labels)
    assert np.isnan(loss).tolist() == wrong
    grad_x = compare("sparse_softmax_cross_entropy_grad", grad, log_p, labels)
    assert (grad_x == 0).all(1).tolist() == wrong
    loss = compare("sparse_cross_entropy", x, labels, epsilon=1e-7)
    assert np.isnan(loss).tolist() == wrong
    grad_x = compare("sparse_cross_entropy_grad", grad, x, labels, epsilon=1e-7)
    assert (grad_x == 0).all(1).tolist() == wrong


AXES = [
    ((4, 3), (0,)),
    ((4, 3), (1,)),
    ((4, 3), (0, 1)),
    ((4, 3), ()),
    ((2, 3, 4), (0, 2)),
    ((2, 3, 4, 2), (1, 2)),
    ((2, 3, 4, 2), (1, 3)),
    ((1, 3, 1), (0, 2)),
    ((), ()),
    ((9001,), (0,)),
    ((2100, 3), (0,)),
    ((2, 1030, 2), (1,)),
]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("shape", "axis"), AXES)
def test_reductions(shape, axis, dtype):
    x = (normal(*shape) if shape else np.array(1.5)).astype(dtype)
    large = x.size > 100
    if large and dtype != "float32":
        return
    for name in "sum max".split() if large else "sum mean max min prod fmax fmin".split():
        compare(f"reduce_{name}", x, axis=axis, keepdims=large)
        if dtype == "float32" and not large:
            compare(f"reduce_{name}", x, axis=axis, keepdims=True)


def test_reductions_of_special_values_and_views():
    for name in "sum mean max min prod fmax fmin".split():
        for x in (SPECIAL, SPECIAL.T, SPECIAL[:, :3], np.broadcast_to(SPECIAL[:1], (3, 4))):
            for axis in ((0,), (1,)):
                compare(f"reduce_{name}", x, axis=axis, keepdims=False)
    for name in ("argmax", "argmin"):
        for axis in (0, 1):
            compare(name, SPECIAL, axis=axis, keepdims=False)
    with pytest.raises(ValueError, match="no elements"):
        BACKEND.kernels["reduce_max"](on_device(SPECIAL[:0]), axis=(0,), keepdims=False)
    assert compare("reduce_sum", SPECIAL[:0], axis=(0,), keepdims=False).tolist() == [0] * 4


@pytest.mark.parametrize("dtype", [*FLOATS, "int32"])
@pytest.mark.parametrize(("shape", "axis"), [((3, 5), 1), ((3, 5), 0), ((2, 70), 1), ((4,), 0)])
def test_reductions_to_places(shape, axis, dtype):
    x = np.round(2 * normal(*shape)).astype(dtype)  # with ties
    for name in ("argmax", "argmin"):
        for keepdims in (False, True):
            compare(name, x, axis=axis, keepdims=keepdims)


def test_reductions_of_booleans():
    x = np.random.default_rng(0).random((3, 4, 2)) < 0.3
    for name in ("reduce_any", "reduce_all"):
        for axis in ((0,), (1,), (0, 2), (0, 1, 2), ()):
            compare(name, x, axis=axis, keepdims=False)
            compare(name, ~x, axis=axis, keepdims=True)
        compare(name, np.zeros(1500, bool), axis=(0,), keepdims=False)
        compare(name, x[:0], axis=(0,), keepdims=False)


def test_reductions_of_squares():
    for x in (normal(3, 5, dtype="float32"), normal(9001), np.zeros(0)):
        compare("sum_of_squares", x)


NORMALIZED = [(5, 7), (4, 3, 4), (1, 1), (2, 1100), (2100, 3)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", NORMALIZED)
@pytest.mark.parametrize("scaled", [False, True])
def test_normalizations(shape, scaled, dtype):
    if math.prod(shape) > 100 and not (scaled and dtype == "float32"):
        return
    x, grad_y = 3 + normal(*shape, dtype=dtype), normal(*shape, seed=1, dtype=dtype)
    gamma, beta = (normal(shape[-1], seed=k, dtype=dtype) for k in (2, 3))
    gamma, beta = (gamma, beta) if scaled else (None, None)
    _, mean, variance = compare("batch_norm", x, gamma, beta, epsilon=1e-3)
    compare("batch_norm_grad", grad_y, x, gamma, mean, variance, epsilon=1e-3)
    if shape == NORMALIZED[-1]:
        return
    compare("batch_norm_inference", x, mean, variance, gamma, beta, epsilon=1e-3)
    _, mean, inverse = compare("layer_norm", x, gamma, beta, epsilon=1e-3)
    compare("layer_norm_grad", grad_y, x, gamma, mean, inverse)
    _, inverse = compare("rms_norm", x, gamma, epsilon=1e-3)
    compare("rms_norm_grad", grad_y, x, gamma, inverse)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("shape", "groups"), [((2, 3, 6), 2), ((1, 300, 4), 1), ((2, 6), 6)])
def test_normalizations_of_groups(shape, groups, dtype):
    x, grad_y = (normal(*shape, seed=k).astype(dtype) for k in (0, 1))
    gamma, beta = (normal(shape[-1], seed=k).astype(dtype) for k in (2, 3))
    for vectors in ((gamma, beta), (None, None)):
        _, mean, inverse = compare("group_norm", x, *vectors, groups=groups, epsilon=1e-3)
        compare("group_norm_grad", grad_y, x, vectors[0], mean, inverse, groups=groups)


def test_normalizations_of_special_values_and_nothing():
    for x in (SPECIAL, SPECIAL[:0]):
        _, mean, variance = compare("batch_norm", x, None, None, epsilon=1e-3)
        compare("batch_norm_grad", x, x, None, mean, variance, epsilon=1e-3)
        _, mean, inverse = compare("layer_norm", x, None, None, epsilon=1e-3)
        compare("layer_norm_grad", x, x, None, mean, inverse)
        _, inverse = compare("rms_norm", x, None, epsilon=1e-3)
        compare("rms_norm_grad", x, x, None, inverse)


# --- updates of several variables


def updates():
    """Name, arrays with their slots (None where there is none), static values."""
    adam = {"beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-7}
    rmsprop = {"learning_rate": 0.1, "rho": 0.9, "epsilon": 1e-7}
    rate = {"learning_rate": 0.1}
    yield "sgd_update", "wg-", {**rate, "momentum": 0.0, "nesterov": False}
    yield "sgd_update", "wgm", {**rate, "momentum": 0.9, "nesterov": True}
    yield "adam_update", "wgmv", {"alpha": 0.1, **adam}
    yield "amsgrad_update", "wgmvv", {"alpha": 0.1, **adam}
    yield "rmsprop_update", "wgv--", {**rmsprop, "momentum": 0.0, "centered": False}
    yield "rmsprop_update", "wgvm-", {**rmsprop, "momentum": 0.9, "centered": False}
    yield "adagrad_update", "wgv", {**rate, "epsilon": 1e-7}
    yield "adadelta_update", "wgvv", rmsprop
    yield "lion_update", "wgm", {**rate, "beta_1": 0.9, "beta_2": 0.99}
    yield "adamax_update", "wgmv", {"alpha": 0.1, **adam}
    yield "nadam_update", "wgmv", {"factors": (0.1, 0.2, 0.9), **adam}
    yield "lamb_update", "gmv", {"factors": (0.1, 0.9), **adam}
    ftrl = {"power": 0.5, "l1": 0.1, "l2": 0.2, "shrinkage": 0.3, "beta": 0.5}
    yield "ftrl_update", "wgvm", {**rate, **ftrl}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_updates_of_several_variables(dtype):
    assert {name for name, *_ in updates()} == set(BACKEND.together) & set(KERNELS)
    shapes = [(3, 5), (1,), (4, 2), (0, 3), (7,)]
    for name, slots, static in updates():
        calls = []
        for k, shape in enumerate(shapes):
            arrays = [normal(*shape, seed=10 * k + i, dtype=dtype) for i in range(len(slots))]
            arrays = [
                np.abs(a) if slot == "v" else a for a, slot in zip(arrays, slots, strict=True)
            ]
            calls.append([None if s == "-" else a for a, s in zip(arrays, slots, strict=True)])
        given = [[on_device(a) for a in arrays] for arrays in calls]
        found = [on_host(results) for results in BACKEND.together[name](given, **static)]
        for results, arrays in zip(found, calls, strict=True):
            wanted = KERNELS[name](*arrays, **static)
            for one, other in zip(results, wanted, strict=True):
                assert (one is None) == (other is None)
                if one is not None:
                    assert_same(one, other)


def test_updates_of_long_variables_are_cut():
    calls = [[normal(size, seed=size, dtype="float32") for _ in range(2)] for size in (5000, 4097)]
    static = {"learning_rate": 0.1, "momentum": 0.0, "nesterov": False}
    given = [[*map(on_device, arrays), None] for arrays in calls]
    found = BACKEND.together["sgd_update"](given, **static)
    for (w, _), (old, grad) in zip(found, calls, strict=True):
        np.testing.assert_allclose(on_host(w), old - np.float32(0.1) * grad, rtol=1e-6)


def test_updates_of_sums_and_decay():
    w, change = (normal(5, seed=k, dtype="float32") for k in range(2))
    calls = [[on_device(w), on_device(change)]]
    [(total,)] = BACKEND.together["accumulate_update"](calls, by=0.5)
    np.testing.assert_allclose(on_host(total), w + np.float32(0.5) * change, rtol=1e-6)
    [(less,)] = BACKEND.together["decay_update"]([calls[0][:1]], keep=0.5)
    np.testing.assert_array_equal(on_host(less), w * np.float32(0.5))


def test_updates_keep_nan():
    w, grad, m, v, v_hat = (np.abs(normal(6, seed=k, dtype="float32")) for k in range(5))
    grad[1], v_hat[2], v[3], grad[4] = np.nan, np.nan, np.nan, np.inf
    static = {"alpha": 0.01, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
    compare("amsgrad_update", w, grad, m, v, v_hat, **static)
    compare("adamax_update", w, grad, m, v, **static)
    compare("lion_update", w, grad, m, learning_rate=0.1, beta_1=0.9, beta_2=0.99)


# --- order


@pytest.mark.parametrize("dtype", [*FLOATS, "int32", "int64", "uint8"])
def test_order(dtype):
    x = np.abs(np.round(2 * normal(4, 9))).astype(dtype)  # with ties
    for name in ("sort", "argsort", "cumsum", "cumprod"):
        for axis in (0, 1):
            compare(name, x, axis=axis)
    for k in (1, 4, 9):
        compare("top_k", x, k=k)


def test_order_of_special_values_views_and_nothing():
    for x in (SPECIAL, SPECIAL.T, SPECIAL[:, :3], SPECIAL[:0], SPECIAL[:, :1]):
        for axis in range(2):
            for name in ("sort", "argsort", "cumsum", "cumprod"):
                with np.errstate(all="ignore"):
                    compare(name, x, axis=axis)
        compare("top_k", x, k=1)
    compare("argsort", normal(1, 1030, dtype="float32"), axis=1)  # longer than a block takes
