"""Every kernel of numba_cpu against the numpy backend: dtypes, layouts, numbers of threads."""

import inspect
import itertools

import attention_cases
import ml_dtypes
import numpy as np
import pytest
import recurrent_cases

import nkeras.ops.text  # noqa: F401  primitives register
from nkeras.core.primitive import PRIMITIVES
from nkeras_numba_cpu import threads
from nkeras_numba_cpu.kernels import KERNELS
from nkeras_numba_cpu.launch import tasks
from nkeras_numpy.kernels import KERNELS as REFERENCE

# Relative to the largest element of the result.
TOLERANCE = {"float32": 1e-5, "float64": 1e-13, "float16": 2e-3, "bfloat16": 1.6e-2, "int32": 0.0}

CONVOLUTIONS = {
    # x, kernel, strides, padding, dilation, groups
    "1d": ((2, 9, 3), (3, 3, 5), (1,), ((1, 1),), (1,), 1),
    "1d-causal-dilated": ((2, 9, 3), (3, 3, 5), (1,), ((4, 0),), (2,), 1),
    "2d": ((2, 8, 7, 5), (3, 3, 5, 6), (1, 1), ((1, 1), (1, 1)), (1, 1), 1),
    "2d-one-channel": ((3, 8, 8, 1), (3, 3, 1, 4), (1, 1), ((0, 0), (0, 0)), (1, 1), 1),
    "2d-strided": ((2, 9, 8, 3), (3, 2, 3, 4), (2, 3), ((1, 0), (0, 1)), (1, 1), 1),
    "2d-stride-beyond-kernel": ((1, 9, 9, 2), (2, 1, 2, 3), (3, 4), ((0, 0), (0, 0)), (1, 1), 1),
    "2d-dilated": ((2, 9, 9, 3), (2, 3, 3, 4), (1, 1), ((1, 2), (2, 2)), (3, 2), 1),
    "2d-strided-dilated": ((2, 11, 12, 2), (3, 3, 2, 3), (2, 4), ((2, 1), (1, 2)), (2, 2), 1),
    "2d-groups": ((2, 6, 6, 4), (3, 3, 2, 6), (1, 1), ((1, 1), (1, 1)), (1, 1), 2),
    "2d-groups-strided": ((2, 7, 6, 6), (3, 2, 2, 3), (2, 1), ((1, 1), (1, 0)), (1, 2), 3),
    "2d-depthwise": ((2, 7, 7, 5), (3, 3, 1, 5), (1, 1), ((1, 1), (1, 1)), (1, 1), 5),
    "2d-depthwise-multiplier": ((2, 7, 8, 3), (3, 2, 1, 6), (2, 2), ((1, 1), (0, 1)), (1, 2), 3),
    "2d-many-filters": ((1, 4, 4, 3), (2, 2, 3, 300), (1, 1), ((0, 0), (0, 0)), (1, 1), 1),
    "3d": ((2, 4, 5, 6, 2), (2, 3, 2, 2, 3), (1, 2, 1), ((0, 1), (1, 1), (0, 0)), (1, 1, 2), 1),
}
LOCAL = {
    # x, window, strides, filters
    "1d": ((3, 9, 2), (3,), (2,), 5),
    "2d": ((34, 8, 7, 3), (3, 2), (1, 1), 8),
    "2d-strided": ((40, 9, 7, 3), (2, 2), (3, 1), 33),
    "2d-whole": ((17, 5, 6, 1), (5, 6), (1, 1), 1),
    "2d-one": ((1, 4, 4, 1), (1, 1), (1, 1), 2),
    "2d-many-rows": ((2, 21, 4, 3), (2, 2), (1, 1), 4),
    "3d": ((2, 5, 6, 7, 2), (2, 3, 2), (1, 2, 1), 3),
}
POOLINGS = {
    # x, pool_size, strides, padding
    "1d": ((2, 9, 3), (3,), (2,), ((0, 0),)),
    "2d": ((2, 8, 6, 17), (2, 2), (2, 2), ((0, 0), (0, 0))),
    "2d-overlapping-padded": ((2, 7, 8, 3), (3, 2), (1, 1), ((1, 1), (0, 1))),
    "2d-gaps": ((2, 9, 9, 2), (2, 2), (3, 4), ((0, 0), (0, 0))),
    "3d": ((1, 4, 5, 6, 3), (2, 2, 3), (2, 1, 2), ((0, 0), (1, 0), (1, 1))),
}


def normal(*shape, seed=0, positive=False):
    values = np.random.default_rng(seed).standard_normal(shape)
    return values * values if positive else values


def index(below, *shape, seed=3):
    return np.random.default_rng(seed).integers(0, below, shape).astype(np.int32)


def window_cases():
    for label, (x, kernel, strides, padding, dilation, groups) in CONVOLUTIONS.items():
        static = {"strides": strides, "padding": padding, "dilation": dilation, "groups": groups}
        y = REFERENCE["conv"](normal(*x), normal(*kernel), **static).shape
        grad_y = normal(*y, seed=2)
        yield f"conv-{label}", "conv", (normal(*x), normal(*kernel, seed=1)), static
        arrays = (normal(*x), normal(*kernel, seed=1), normal(kernel[-1], seed=3))
        yield f"bias-{label}", "conv_bias", arrays, {**static, "activation": "relu"}
        arrays = (arrays[0] * 9.0, *arrays[1:], normal(*y, seed=4) * 9.0)
        yield f"addend-{label}", "conv_bias", arrays, {**static, "activation": "relu6"}
        arrays = (grad_y, normal(*kernel, seed=1))
        yield f"input-{label}", "conv_grad_input", arrays, {**static, "input_shape": x}
        arrays = (normal(*x), grad_y)
        yield f"kernel-{label}", "conv_grad_kernel", arrays, {**static, "kernel_shape": kernel}
    for label, (shape, pool_size, strides, padding) in POOLINGS.items():
        static = {"pool_size": pool_size, "strides": strides, "padding": padding}
        x = normal(*shape)
        y, winner = REFERENCE["max_pool"](x, **static)
        yield f"max-{label}", "max_pool", (x,), static
        yield f"max-take-{label}", "max_pool_take", (x, winner), static
        yield f"average-{label}", "average_pool", (x,), static
        static = {**static, "input_shape": shape}
        grad_y = normal(*y.shape, seed=1)
        yield f"max-grad-{label}", "max_pool_grad", (grad_y, winner), static
        yield f"average-grad-{label}", "average_pool_grad", (grad_y,), static


def local_cases():
    for label, (shape, window, strides, filters) in LOCAL.items():
        sizes = zip(shape[1:-1], window, strides, strict=True)
        counts = tuple((size - k) // stride + 1 for size, k, stride in sizes)
        places, depth = int(np.prod(counts)), int(np.prod(window)) * shape[-1]
        x, kernel = normal(*shape), normal(places, depth, filters, seed=1)
        bias, grad_y = normal(*counts, filters, seed=2), normal(shape[0], *counts, filters, seed=3)
        static = {"window": window, "strides": strides}
        linear, relu6 = {**static, "activation": "linear"}, {**static, "activation": "relu6"}
        yield f"local-{label}", "locally_connected", (x, kernel, None), linear
        arrays = (x * 4.0, kernel, bias, grad_y * 4.0)
        yield f"local-addend-{label}", "locally_connected", arrays, relu6
        arrays, shapes = (grad_y, kernel), {"input_shape": shape}
        yield f"local-input-{label}", "locally_connected_grad_input", arrays, {**static, **shapes}
        yield f"local-kernel-{label}", "locally_connected_grad_kernel", (x, grad_y), static


def matrix_cases():
    for x, y in [
        ((3, 5), (5, 7)),
        ((1, 9), (9, 300)),
        ((2, 3, 4), (4, 5)),
        ((2, 3, 4), (2, 4, 1)),
        ((3, 1, 5, 2), (1, 4, 2, 6)),
        ((5, 2), (3, 2, 4)),
    ]:
        yield f"matmul-{x}-{y}", "matmul", (normal(*x), normal(*y, seed=1)), {}
    for x, y in (((3, 5), (7, 5)), ((2, 1, 9, 4), (3, 6, 4))):
        arrays = (normal(*x), normal(*y, seed=1))
        yield f"cdist_squared-{x}-{y}", "cdist_squared", arrays, {}
    yield "nextafter", "nextafter", (normal(4, 5), normal(5, seed=1)), {}
    yield "cross", "cross", (normal(4, 5, 3), normal(4, 5, 3, seed=1)), {}
    for activation, bias in (("relu", normal(7, seed=2)), ("linear", None)):
        arrays = (normal(2, 3, 5), normal(5, 7, seed=1), bias)
        yield f"dense-{activation}", "dense", arrays, {"activation": activation}
        arrays = (normal(2, 3, 2500), normal(2500, 7, seed=1), bias, normal(2, 3, 7, seed=3))
        yield f"dense-addend-{activation}", "dense", arrays, {"activation": activation}
    for by in (("x", "kernel", "bias"), ("kernel",)):
        arrays = (normal(2, 3, 7), normal(2, 3, 5), normal(5, 7, seed=1))
        yield f"dense-grad-{'-'.join(by)}", "dense_grad", arrays, {"by": by}


def linear_algebra_cases():
    square = normal(2, 4, 4) + 4 * np.eye(4)
    tall, definite = normal(2, 5, 3), square @ square.swapaxes(-1, -2)
    yield "solve", "solve", (square, normal(4, 3, seed=1)), {}
    for lower in (True, False):
        arrays = (square, normal(2, 4, 3, seed=1))
        yield f"solve_triangular-{lower}", "solve_triangular", arrays, {"lower": lower}
    for name in ("det", "cofactors", "slogdet"):
        yield name, name, (square,), {}
    for name in ("cholesky", "eigh"):
        yield name, name, (definite,), {}
    yield "eig", "eig", (square,), {}
    for name in ("real", "imag", "conj"):
        yield name, name, (square,), {}
    yield "rfft", "rfft", (tall,), {"size": 4}
    yield "irfft", "irfft", (tall.astype("complex128"),), {"size": 4}
    for inverse in (True, False):
        static = {"axes": (1, 2), "inverse": inverse}
        yield f"fft-{inverse}", "fft", (tall.astype("complex128"),), static
    yield "make_complex", "make_complex", (square, square), {}
    for label, x in (("tall", tall), ("wide", tall[0].T)):
        yield f"pinv-{label}", "pinv", (x,), {"rcond": 1e-4}
        yield f"qr-{label}", "qr", (x,), {"mode": "complete"}
        yield f"lu-{label}", "lu", (x,), {}
        yield f"svd-{label}", "svd", (x,), {"full_matrices": label == "wide"}
        yield f"matrix_rank-{label}", "matrix_rank", (x,), {"tol": None}


def reduction_cases():
    x, small = normal(3, 4, 5), normal(2, 3, 2, 3)
    names = "sum prod max min mean fmax fmin"
    for name in [f"reduce_{name}" for name in names.split()]:
        for axis, keepdims in itertools.product(
            [(0,), (1, 2), (0, 2), (0, 1, 2), ()], [True, False]
        ):
            yield f"{name}-{axis}-{keepdims}", name, (x,), {"axis": axis, "keepdims": keepdims}
        yield f"{name}-apart", name, (small,), {"axis": (1, 3), "keepdims": False}
        if name != "reduce_prod":
            for shape in [(2, 20_011), (700, 3), (1, 300, 600)]:
                static = {"axis": (len(shape) - 2 + (shape[0] == 2),), "keepdims": False}
                yield f"{name}-{shape}", name, (normal(*shape),), static
    for shape in ((4, 7), (2, 3, 5), (300, 211)):
        arrays, static = (normal(*shape),), {"added": 0.5}
        yield f"means_of_squares-{shape}", "means_of_squares", arrays, static
    for shape in ((1,), (3, 5), (3, 30_011)):
        yield f"sum_of_squares-{shape}", "sum_of_squares", (normal(*shape),), {}
    for name, axis in itertools.product(["argmax", "argmin"], [0, 2]):
        yield f"{name}-{axis}", name, (x,), {"axis": axis, "keepdims": axis == 0}
    for name in ("cumsum", "cumprod", "sort", "argsort"):
        yield name, name, (x,), {"axis": 1}
    for axis in (0, 2):
        arrays = (x, normal(3, 4, 5, seed=1))
        yield f"linear_recurrence-{axis}", "linear_recurrence", arrays, {"axis": axis}
    for k in (1, 4):
        yield f"top_k-{k}", "top_k", (x,), {"k": k}
    for right in (False, True):
        arrays = (np.sort(normal(40)), normal(3, 50, seed=1))
        yield f"searchsorted-{right}", "searchsorted", arrays, {"right": right}


def shape_cases():
    x = normal(3, 4, 5)
    yield "reshape", "reshape", (x,), {"shape": (4, 15)}
    yield "transpose", "transpose", (x,), {"axes": (2, 0, 1)}
    yield "broadcast_to", "broadcast_to", (normal(4, 1),), {"shape": (3, 4, 5)}
    for repeats in ((1, 1, 1), (2, 1, 1), (1, 3, 1), (1, 1, 2), (3, 2, 3), (1, 2, 0)):
        yield f"repeat-{repeats}", "repeat", (x,), {"repeats": repeats}
    for shape in ((2, 40, 30, 17), (1, 3, 700, 11), (2, 3, 1500), (300, 200, 1)):
        repeats = (1, *(2,) * (len(shape) - 2), 1)
        yield f"repeat-{shape}", "repeat", (normal(*shape),), {"repeats": repeats}
        repeats = (1, 1, *repeats[2:-1], 2)
        yield f"repeat-{shape}-last", "repeat", (normal(*shape),), {"repeats": repeats}
    yield "concatenate", "concatenate", (x, normal(3, 1, 5), x), {"axis": 1}
    cut = ((2, None, -1), (1, 4, 2), (0, 5, 1))
    yield "slice", "slice", (x,), {"index": cut}
    yield "slice_grad", "slice_grad", (normal(3, 2, 5),), {"shape": (3, 4, 5), "index": cut}
    cuts = {
        (2, 5): (1, (1, 3, 1), (0, 5, 1)),
        (3, 5): ((2, None, -1), 3, (0, 5, 1)),
        (2,): (1, 3, (0, 4, 2)),
    }
    for shape, cut in cuts.items():
        yield f"slice-{shape}", "slice", (x,), {"index": cut}
        static = {"shape": x.shape, "index": cut}
        yield f"slice_grad-{shape}", "slice_grad", (normal(*shape),), static
    for axis in (0, 1, 3):
        yield f"stack-{axis}", "stack", (x, normal(3, 4, 5, seed=1)), {"axis": axis}
    cut = ((1, 3, 1), (0, 4, 2), (0, 5, 1))
    yield "slice_update", "slice_update", (x, normal(2, 2, 5, seed=1)), {"index": cut}
    widths = ((1, 2), (0, 0), (2, 1))
    for mode in ("constant", "reflect", "symmetric"):
        static = {"pad_width": widths, "mode": mode, "constant": 2.0}
        yield f"pad-{mode}", "pad", (x,), static
    yield "bitcast", "bitcast", (x,), {"dtype": "int16"}
    yield "flip", "flip", (x,), {"axis": (0, 2)}
    for dtype in ("int32", "bool", "float16", "bfloat16", "float64"):
        yield f"cast-{dtype}", "cast", (x * 3,), {"dtype": dtype}


def indexing_cases():
    x = normal(4, 5, 6)
    yield "take", "take", (x, index(5, 2, 3)), {"axis": 1}
    for axis in (0, 1, 2):
        shape = (*x.shape[:axis], 2, 7, *x.shape[axis + 1 :])
        arrays = (normal(*shape), index(x.shape[axis], 2, 7))
        yield f"take_grad-{axis}", "take_grad", arrays, {"shape": x.shape, "axis": axis}
    yield "take_along_axis", "take_along_axis", (x, index(5, 4, 3, 6)), {"axis": 1}
    yield "take_along_axis-broadcast", "take_along_axis", (x, index(5, 1, 3, 6)), {"axis": 1}
    static = {"shape": x.shape, "axis": 1}
    arrays = (normal(4, 9, 6), index(5, 4, 9, 6))
    yield "take_along_axis_grad", "take_along_axis_grad", arrays, static
    arrays = (normal(4, 9, 6), index(5, 1, 9, 6))
    yield "take_along_axis_grad-broadcast", "take_along_axis_grad", arrays, static
    for depth in (1, 2, 3):
        where = index(4, 7, 2, depth)
        values = normal(7, 2, *x.shape[depth:])
        yield f"gather_nd-{depth}", "gather_nd", (x, where), {}
        yield f"scatter_nd-{depth}", "scatter_nd", (where, values), {"shape": x.shape}
        yield f"scatter_update-{depth}", "scatter_update", (x, where, values), {}
        for reduction in ("max", "min", "mul"):
            arrays, static = (x, where, values), {"reduction": reduction}
            yield f"scatter_reduce-{reduction}-{depth}", "scatter_reduce", arrays, static


def row_cases():
    x = normal(4, 5, 6)
    for name, axis in itertools.product(["softmax", "log_softmax"], [0, 1, 2]):
        y = REFERENCE[name](x, axis=axis)
        yield f"{name}-{axis}", name, (x * 5,), {"axis": axis}
        yield f"{name}_grad-{axis}", f"{name}_grad", (normal(*x.shape, seed=1), y), {"axis": axis}
    logits, labels = normal(7, 10), index(10, 7)
    yield "cross-entropy", "sparse_softmax_cross_entropy", (logits, labels), {}
    arrays = (normal(7), REFERENCE["log_softmax"](logits, axis=1), labels)
    yield "cross-entropy-grad", "sparse_softmax_cross_entropy_grad", arrays, {}
    chances, truth, static = normal(7, 10, positive=True), normal(7, 10, seed=1), {"epsilon": 0.02}
    yield "softmax-cross-entropy", "softmax_cross_entropy", (truth, logits), {}
    arrays = (normal(7), truth, REFERENCE["log_softmax"](logits, axis=1))
    yield "softmax-cross-entropy-grad", "softmax_cross_entropy_grad", arrays, {}
    yield "sparse-cross-entropy", "sparse_cross_entropy", (chances, labels), static
    arrays = (normal(7), chances, labels)
    yield "sparse-cross-entropy-grad", "sparse_cross_entropy_grad", arrays, static
    yield "dropout", "dropout", (normal(9, 500),), {"key": (5, 2**32 - 1), "rate": 0.3}
    d = normal(2, 4_501, positive=True)
    static = {"key": (2**32 - 1, 6)}
    yield "gamma-normals", "gamma_normals", (d, 1 / np.sqrt(9 * d)), static
    static = {"epsilon": 0.02}
    yield "dense-cross-entropy", "cross_entropy", (truth, chances), static
    yield "dense-cross-entropy-grad", "cross_entropy_grad", (normal(7), truth, chances), static


def batch_norm_cases():
    x, grad_y, static = normal(3, 50, 21), normal(3, 50, 21, seed=1), {"epsilon": 1e-3}
    gamma, beta = normal(21, seed=2), normal(21, seed=3)
    _, mean, variance = REFERENCE["batch_norm"](x, gamma, beta, **static)
    for vectors in ((gamma, beta), (None, None)):
        label = "" if vectors[0] is None else "-affine"
        yield f"batch_norm{label}", "batch_norm", (x, *vectors), static
        arrays = (grad_y, x, vectors[0], mean, variance)
        yield f"batch_norm_grad{label}", "batch_norm_grad", arrays, static
        arrays = (x, mean, variance, *vectors)
        yield f"batch_norm_inference{label}", "batch_norm_inference", arrays, static
        arrays = (normal(3, 21), vectors[1], mean, variance, *vectors)
        yield f"fold_batch_norm{label}", "fold_batch_norm", arrays, static


def layer_norm_cases():
    x, grad_y, static = normal(3, 50, 21), normal(3, 50, 21, seed=1), {"epsilon": 1e-3}
    gamma, beta = normal(21, seed=2), normal(21, seed=3)
    for vectors in ((gamma, beta), (None, None)):
        label = "" if vectors[0] is None else "-affine"
        _, mean, inverse = REFERENCE["layer_norm"](x, *vectors, **static)
        yield f"layer_norm{label}", "layer_norm", (x, *vectors), static
        arrays = (grad_y, x, vectors[0], mean, inverse)
        yield f"layer_norm_grad{label}", "layer_norm_grad", arrays, {}
        yield f"rms_norm{label}", "rms_norm", (x, vectors[0]), static
        inverse = REFERENCE["rms_norm"](x, vectors[0], **static)[1]
        arrays = (grad_y, x, vectors[0], inverse)
        yield f"rms_norm_grad{label}", "rms_norm_grad", arrays, {}


def group_norm_cases():
    for shape, groups in (((3, 50, 24), 4), ((2, 900, 42), 3), ((2, 5, 5, 5), 5), ((4, 6), 2)):
        x, grad_y, static = normal(*shape) + 2.0, normal(*shape, seed=1), {"groups": groups}
        gamma, beta = normal(shape[-1], seed=2), normal(shape[-1], seed=3)
        for vectors in ((gamma, beta), (None, None)):
            label = f"{shape}{'' if vectors[0] is None else '-affine'}"
            given = {**static, "epsilon": 1e-3}
            _, mean, inverse = REFERENCE["group_norm"](x, *vectors, **given)
            yield f"group_norm-{label}", "group_norm", (x, *vectors), given
            arrays = (grad_y, x, vectors[0], mean, inverse)
            yield f"group_norm_grad-{label}", "group_norm_grad", arrays, static


def quantized_cases():
    def bytes_of(*shape):
        return np.random.default_rng(5).integers(-128, 128, shape).astype(np.int8)

    yield "int8_matmul", "int8_matmul", (bytes_of(2, 35, 7), bytes_of(7, 70)), {}
    yield "int8_matmul-batch", "int8_matmul", (bytes_of(2, 5, 7), bytes_of(2, 7, 6)), {}
    static = {"low": -127, "high": 127, "epsilon": 1e-7}
    scale = np.random.default_rng(6).uniform(50, 90, 70)
    arrays = normal(2, 37, 33), bytes_of(33, 70), scale
    yield "int8_dense", "int8_dense", (*arrays, normal(70)), static
    yield "int8_dense-row", "int8_dense", (arrays[0][:1, :1], *arrays[1:], None), static


def optimizer_cases():
    w, grad, m = normal(50, 60), normal(50, 60, seed=1), normal(50, 60, seed=2)
    v = normal(50, 60, seed=3, positive=True)
    static = {"learning_rate": 0.1, "momentum": 0.0, "nesterov": False}
    yield "sgd", "sgd_update", (w, grad, None), static
    for nesterov in (False, True):
        static = {"learning_rate": 0.1, "momentum": 0.9, "nesterov": nesterov}
        yield f"sgd-momentum-{nesterov}", "sgd_update", (w, grad, m), static
    rows = (normal(700, 60), normal(9, 30, 60, seed=1), index(650, 9, 30))
    yield "sgd-rows", "sgd_row_update", rows, {"learning_rate": 0.1}
    static = {"learning_rate": 0.1, "epsilon": 1e-3}
    squares = normal(700, 60, seed=3, positive=True)
    yield "adagrad-rows", "adagrad_row_update", (*rows, squares), static
    static = {"alpha": 0.01, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-3}
    yield "adam", "adam_update", (w, grad, m, v), static
    yield "amsgrad", "amsgrad_update", (w, grad, m, v, v[::-1].copy()), static
    rate, betas = {"learning_rate": 0.1}, {"beta_1": 0.9, "beta_2": 0.999}
    yield "adagrad", "adagrad_update", (w, grad, v), {**rate, "epsilon": 1e-3}
    static = {**rate, "rho": 0.9, "epsilon": 1e-3}
    yield "adadelta", "adadelta_update", (w, grad, v, v[::-1].copy()), static
    yield "lion", "lion_update", (w, grad, m), {**rate, **betas}
    static = {**betas, "epsilon": 1e-3}
    yield "adamax", "adamax_update", (w, grad, m, v), {"alpha": 0.1, **static}
    yield "nadam", "nadam_update", (w, grad, m, v), {"factors": (0.1, 0.2, 1.5), **static}
    yield "lamb", "lamb_update", (grad, m, v), {"factors": (1.5, 2.0), **static}
    for power in (0.5, 0.7):
        static = {**rate, "power": power, "l1": 0.1, "l2": 0.2, "shrinkage": 0.3, "beta": 0.5}
        yield f"ftrl-{power}", "ftrl_update", (w, grad, v, m), static
    static = {"learning_rate": 0.1, "rho": 0.9, "epsilon": 1e-3}
    for momentum, centered in itertools.product([0.0, 0.9], [False, True]):
        arrays = (w, grad, v + 10, m if momentum else None, m * 0.1 if centered else None)
        extra = {"momentum": momentum, "centered": centered}
        yield f"rmsprop-{momentum}-{centered}", "rmsprop_update", arrays, {**static, **extra}


def ctc_cases():
    chances = normal(5, 9, 7)
    chances = chances - np.log(np.exp(chances).sum(-1, keepdims=True))
    target = np.array([[1, 2, 3], [4, 4, 1], [2, 0, 0], [3, 3, 3], [5, 6, 1]], np.int32)
    lengths = np.array([3, 3, 1, 3, 0], np.int32), np.array([9, 6, 4, 4, 9], np.int32)
    yield "ctc", "ctc", (chances, target, *lengths), {"mask_index": 0}
    lengths = np.array([1, 0, 2, 3, 2], np.int32), np.array([0, 0, 5, 9, 1], np.int32)
    yield "ctc-short", "ctc", (chances, target, *lengths), {"mask_index": 6}


def image_cases():
    for shape, axis in (((2, 9, 40), 1), ((3, 9, 4), 1), ((2, 3, 9), 2), ((2000, 9, 5), 1)):
        for method, antialias, size in (
            ("nearest", False, 20),
            ("linear", False, 20),
            ("cubic", True, 4),
            ("lanczos3", False, 7),
        ):
            for transposed in (False, True):
                scale = 9 / size if transposed else size / 9
                static = {"axis": axis, "size": size, "method": method, "antialias": antialias}
                static |= {"scale": scale, "translation": 0.0, "transposed": transposed}
                label = f"resample-{shape}-{method}-{transposed}"
                yield label, "resample", (normal(*shape),), static
    for shape in ((3, 9, 7, 3), (2, 40, 1), (2, 5, 4, 6, 9), (70, 1, 2, 2)):
        points = (shape[0], len(shape) - 2, 9, 31)
        # Sums of powers of two, which the half types have exactly: a cell more or less is another.
        coordinates = index(64, *points, seed=5) / 4 - 6.125
        y = normal(shape[0], 9, 31, shape[-1], seed=6)
        modes = ("constant", "nearest", "wrap", "mirror", "reflect")
        for order, mode in itertools.product((0, 1), modes if shape[0] == 3 else modes[::3]):
            static = {"order": order, "mode": mode}
            label = f"sample-{shape}-{order}-{mode}"
            yield label, "sample", (normal(*shape), coordinates), {**static, "fill_value": 0.5}
            yield f"grad-{label}", "sample_grad", (y, coordinates), {**static, "shape": shape}


def resized_and_moved_cases():
    sizes = ((6, 5), (3, 30), (20, 4), (9, 7))
    methods = (("linear", False), ("linear", True), ("cubic", False), ("lanczos3", True))
    for channels, ((height, width), (method, antialias)) in itertools.product(
        (1, 3, 4, 6), zip(sizes, methods, strict=True)
    ):
        static = {"height": height, "width": width, "method": method, "antialias": antialias}
        label = f"resize-{channels}-{height}-{method}"
        yield label, "resize_images", (normal(2, 9, 7, channels),), static
        if channels in (3, 6):
            images = index(256, 2, 9, 7, channels).astype(np.uint8)
            yield f"{label}-bytes", "resize_images", (images,), static
    # Sums of powers of two, as above; quotients are not, and so only for what is continuous.
    moves = index(9, 3, 8, seed=5) / 4 - 1.0
    moves[:, 6:] = 0
    turns = moves.copy()
    turns[:, 6:] = [[0.01, 0.02], [0.0, 0.005], [0.002, 0.0]]
    modes = ("constant", "nearest", "wrap", "mirror", "reflect")
    for channels, order, mode in itertools.product((1, 3, 6), (0, 1), modes):
        static = {"order": order, "mode": mode, "fill_value": 0.5}
        label = f"warp-{channels}-{order}-{mode}"
        yield label, "warp", (normal(3, 9, 70, channels), moves.astype(np.float32)), static
        if order and mode in ("constant", "reflect"):
            given = normal(3, 9, 70, channels), turns.astype(np.float32)
            yield f"{label}-turned", "warp", given, static
    yield "warp-one", "warp", (normal(3, 9, 7, 3), moves[:1].astype(np.float32)), static
    flips = np.array([True, False, True])
    for channels, axes in itertools.product((1, 3, 4), ((2,), (3,), (2, 3))):
        static = {"axes": axes, "dtype": "float32"}
        label = f"flip-{channels}-{axes}"
        yield label, "flip_images", (normal(3, 2, 5, 7, channels), flips), static
        images = index(256, 3, 2, 5, 7, channels).astype(np.uint8)
        yield f"{label}-bytes", "flip_images", (images, flips), static


def rectangle_cases():
    first, last = np.array([[0, 0], [2, 1], [4, 4]]), np.array([[9, 7], [7, 3], [4, 6]])
    for channels in (1, 3):
        x, others = normal(3, 2, 9, 7, channels), normal(3, 2, 9, 7, channels)
        arrays = x, others, np.array([1, 2, 0]), first, last
        yield f"paste-{channels}", "paste_rectangles", arrays, {}
        static = {"key": (5, 2**32 - 1), "size": (9, 7), "scale": 2.0, "limits": (-1.0, 1.5)}
        yield f"noise-{channels}", "paste_noise", (x, first, last), static
    for shape in ((700, 3, 1), (2, 3, 50)):
        yield (
            f"weighted-{shape}",
            "weighted_channels",
            (normal(*shape),),
            {"weights": (0.3, 0.6, 1)},
        )


def histogram_cases():
    for batch, pixels, channels, bins in ((3, 700, 3, 256), (2, 5000, 1, 33), (1, 9, 2, 256)):
        # Whole numbers: half types would round others into other bins.
        x = index(256, batch, pixels, channels, seed=bins).astype(np.float32)
        x[0, :, 0] = 77
        yield f"equalized-{pixels}-{bins}", "equalized", (x,), {"bins": bins}
    for shape, tiles in (
        ((2, 37, 50, 3), (8, 8)),
        ((1, 64, 32, 1), (2, 4)),
        ((1, 3, 5, 2), (7, 1)),
    ):
        for clip_limit in (4.0, 0.0):
            x = index(256, *shape, seed=9).astype(np.float32)
            static = {"tiles": tiles, "clip_limit": clip_limit}
            yield f"tiles-{shape}-{clip_limit}", "equalized_in_tiles", (x,), static


def all_cases():
    for maker in (
        matrix_cases,
        linear_algebra_cases,
        window_cases,
        local_cases,
        reduction_cases,
        shape_cases,
        indexing_cases,
        row_cases,
        batch_norm_cases,
        layer_norm_cases,
        group_norm_cases,
        recurrent_cases.cases,
        ctc_cases,
        attention_cases.cases,
        image_cases,
        resized_and_moved_cases,
        rectangle_cases,
        histogram_cases,
        quantized_cases,
        optimizer_cases,
    ):
        yield from maker()


CASES = {label: (name, arrays, static) for label, name, arrays, static in all_cases()}
every_case = pytest.mark.parametrize("label", CASES)
OF_TEXT = {name for name, one in PRIMITIVES.items() if one.takes_text} | {
    "pack_text",
    "text_counter",
}
WITHOUT_FLOATS = {"reduce_any", "reduce_all", "random_bits", *OF_TEXT}


def case(label, dtype):
    """A case with its floating arrays of `dtype`."""
    name, arrays, static = CASES[label]
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    scale = 4 if kind.kind == "i" else 1
    arrays = tuple(
        x if x is None or x.dtype.kind in "biuc" else (x * scale).astype(kind) for x in arrays
    )
    return name, arrays, static


def as_tuple(result):
    return result if isinstance(result, tuple) else (result,)


def assert_same(actual, expected, tolerance=0.0):
    for one, other in zip(as_tuple(actual), as_tuple(expected), strict=True):
        if other is None:
            assert one is None
            continue
        assert isinstance(one, np.ndarray)
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        if tolerance and one.dtype.kind not in "bi":
            kind = np.complex128 if other.dtype.kind == "c" else np.float64
            wide = other.astype(kind)
            scale = np.max(np.abs(wide[np.isfinite(wide)]), initial=1.0)
            np.testing.assert_allclose(
                one.astype(kind), wide, rtol=tolerance, atol=tolerance * scale
            )
        else:
            np.testing.assert_array_equal(one, other)


def test_every_kernel_has_a_case():
    assert set(KERNELS) == set(REFERENCE)
    assert {name for name, *_ in CASES.values()} == set(KERNELS) - WITHOUT_FLOATS


@pytest.mark.parametrize("name", KERNELS)
def test_parameters_are_those_of_numpy(name):
    parameters = inspect.signature(KERNELS[name]).parameters
    expected = inspect.signature(REFERENCE[name]).parameters
    assert [(p.name, p.kind) for p in parameters.values()] == [
        (p.name, p.kind) for p in expected.values()
    ]


def check_as_numpy(label, dtype):
    name, arrays, static = case(label, dtype)
    for array in arrays:
        if array is not None:
            array.setflags(write=False)
    actual = KERNELS[name](*arrays, **static)
    drawn = name == "paste_noise" and dtype == "float64"  # its numbers are float32's
    tolerance = TOLERANCE["float32" if drawn else dtype]
    assert_same(actual, REFERENCE[name](*arrays, **static), tolerance)


@every_case
def test_as_numpy(label):
    for dtype in ("float32", "float16", "bfloat16"):
        check_as_numpy(label, dtype)


# Doubles compile every variant of a kernel for their own, so by default each kernel has one case.
OF_DOUBLES = list({name: label for label, (name, *_) in CASES.items()}.values())


@pytest.mark.parametrize("label", OF_DOUBLES)
def test_doubles_as_numpy(label):
    check_as_numpy(label, "float64")


@pytest.mark.long
@pytest.mark.parametrize("label", [label for label in CASES if label not in OF_DOUBLES])
def test_doubles_of_every_case_as_numpy(label):
    check_as_numpy(label, "float64")


OF_FLOATS = ("reduce_mean", "average", "softmax", "log_", "sparse", "cross", "dropout", "gamma_")
OF_FLOATS += ("batch_norm", "layer_norm", "rms_norm", "lstm", "gru", "simple_rnn", "resample")
OF_FLOATS += ("ctc", "group_norm")
OF_FLOATS += ("int8_dense",)
OF_FLOATS += ("solve", "pinv", "det", "cofactors", "slogdet", "cholesky", "qr", "lu", "eig", "svd")
OF_FLOATS += ("resize_images", "flip_images", "warp")
OF_FLOATS += ("matrix_rank", "sample", "attention", "equalized", "weighted_channels")
OF_FLOATS += (
    "fft",
    "rfft",
    "irfft",
    "make_complex",
)
OF_FLOATS += ("nextafter", "means_of", "sum_of")


def integer_cases():
    for label, (name, _, _) in CASES.items():
        if name.startswith(OF_FLOATS):
            continue
        if name.endswith("_update") and name != "scatter_update":
            continue
        # Each window kernel is compiled anew for integers: one case of the first is enough.
        if label == "conv-2d" or not name.startswith(("conv", "max_pool")):
            yield label


@pytest.mark.parametrize("label", list(integer_cases()))
def test_integers_as_numpy(label):
    name, arrays, static = case(label, "int32")
    assert_same(KERNELS[name](*arrays, **static), REFERENCE[name](*arrays, **static))


@every_case
def test_any_layout(label):
    name, arrays, static = case(label, "float32")
    strided = []
    for x in arrays:
        if x is not None:
            wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype, order="F")
            wide[..., ::2] = x
            x = wide[..., ::2]
        strided.append(x)
    assert_same(KERNELS[name](*strided, **static), KERNELS[name](*arrays, **static))


@every_case
def test_same_bits_for_one_and_two_threads(label, monkeypatch):
    if threads.limit() < 2:
        pytest.skip("one thread is all this machine has")
    monkeypatch.setattr(tasks, "SERIAL_BELOW", 0)
    name, arrays, static = case(label, "float32")
    results = []
    before = threads.get_num_threads()
    try:
        for count in (1, 2):
            threads.set_num_threads(count)
            results.append(KERNELS[name](*arrays, **static))
    finally:
        threads.set_num_threads(before)
    assert_same(*results)


@pytest.mark.parametrize(
    "label", [label for label in CASES if label.startswith(("max", "reduce_m"))]
)
def test_nan_and_infinity_are_kept(label):
    name, arrays, static = case(label, "float32")
    x = arrays[0].copy()
    x.reshape(-1)[::7] = np.nan
    x.reshape(-1)[3::5] = -np.inf
    x.reshape(-1)[4::11] = np.inf
    assert_same(
        KERNELS[name](x, *arrays[1:], **static), REFERENCE[name](x, *arrays[1:], **static), 1e-5
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_of_special_values(name, value):
    x = normal(3, 6).astype(np.float32)
    x[1, 2] = value
    assert_same(KERNELS[name](x, axis=1), REFERENCE[name](x, axis=1), 1e-5)


def test_amsgrad_keeps_nan():
    w, m = np.ones(3, np.float32), np.ones(3, np.float32)
    v_hat = np.array([np.nan, 0, 2], np.float32)
    static = {"alpha": 0.1, "beta_1": 0.9, "beta_2": 0.9, "epsilon": 1e-3}
    v = KERNELS["amsgrad_update"](w, w, m, m, v_hat, **static)[3]
    np.testing.assert_array_equal(v, np.array([np.nan, 1, 2], np.float32))


@pytest.mark.parametrize("name", ["reduce_any", "reduce_all"])
def test_booleans(name):
    x = normal(3, 4) > 0
    for axis in [(0,), (0, 1), ()]:
        static = {"axis": axis, "keepdims": False}
        assert_same(KERNELS[name](x, **static), REFERENCE[name](x, **static))


@pytest.mark.parametrize("size", [0, 1, 4, 7, 20_001])
def test_random_bits(size):
    static = {"key": (0xDEADBEEF, 0xFFFFFFFF), "size": size}
    assert_same(KERNELS["random_bits"](**static), REFERENCE["random_bits"](**static))


def test_a_long_sum_is_accurate():
    x = np.full(3_000_000, 0.1, np.float32)
    total = KERNELS["reduce_sum"](x, axis=(0,), keepdims=False)
    assert total == pytest.approx(3_000_000 * float(np.float32(0.1)), rel=3e-6)


EMPTY = {
    "matmul": ((0, 3), (3, 2)),
    "matmul-inner": ((2, 0), (0, 2)),
    "reduce_sum": ((0, 3), None, {"axis": (0,), "keepdims": False}),
    "reduce_max": ((0, 3), None, {"axis": (1,), "keepdims": True}),
    "argmax": ((0, 3), None, {"axis": 1, "keepdims": False}),
    "softmax": ((0, 3), None, {"axis": 1}),
    "sort": ((0, 3), None, {"axis": 0}),
    "max_pool": (
        (0, 4, 4, 2),
        None,
        {"pool_size": (2, 2), "strides": (2, 2), "padding": ((0, 0), (0, 0))},
    ),
    "average_pool": (
        (2, 4, 4, 0),
        None,
        {"pool_size": (2, 2), "strides": (2, 2), "padding": ((0, 0), (0, 0))},
    ),
    "conv": (
        (0, 4, 4, 2),
        (3, 3, 2, 5),
        {"strides": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1), "groups": 1},
    ),
    "sgd_update": (
        (0,),
        (0,),
        {"learning_rate": 0.1, "momentum": 0.0, "nesterov": False},
    ),
}


@pytest.mark.parametrize("label", EMPTY)
def test_empty_arrays(label):
    first, second, *static = EMPTY[label]
    arrays = [np.zeros(shape, np.float32) for shape in (first, second) if shape is not None]
    name = label.partition("-")[0]
    if name == "sgd_update":
        arrays.append(None)
    options = static[0] if static else {}
    assert_same(KERNELS[name](*arrays, **options), REFERENCE[name](*arrays, **options))


def test_choosing_from_nothing_is_an_error():
    x = np.zeros((3, 0), np.float32)
    for name, axis in [("reduce_max", (1,)), ("reduce_min", (0, 1)), ("argmin", 1)]:
        with pytest.raises(ValueError, match="no elements"):
            KERNELS[name](x, axis=axis, keepdims=False)


def test_sums_beyond_float16_are_infinite_without_a_warning():
    x = np.full((4, 4), 30000, np.float16)
    assert np.all(np.isposinf(KERNELS["matmul"](x, x)))


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int8", "int32", "uint32"])
@pytest.mark.parametrize(("shape", "axis"), [((50,), 0), ((7, 900), 1), ((30, 4, 5), 0)])
def test_places_of_equal_numbers_keep_their_order(dtype, shape, axis):
    random = np.random.default_rng(0)
    x = np.abs(random.normal(size=shape) * 5).astype(dtype)
    if x.dtype.kind == "f":
        x *= random.choice([-1, 1], shape).astype(dtype)
        for value in (np.nan, -0.0, 0.0, np.inf, -np.inf):
            x[random.random(shape) < 0.1] = value
    order = KERNELS["argsort"](x, axis=axis)
    assert order.dtype == np.int32
    np.testing.assert_array_equal(order, np.argsort(x, axis=axis, kind="stable"))
    np.testing.assert_array_equal(KERNELS["sort"](x, axis=axis), np.sort(x, axis=axis))


@pytest.mark.parametrize("shapes", [((9, 5), (5, 1)), ((1, 700), (700, 1)), ((3, 4, 5), (5, 1))])
def test_matrix_times_vector(shapes):
    random = np.random.default_rng(0)
    x, y = (random.normal(size=shape).astype("float32") for shape in shapes)
    np.testing.assert_allclose(KERNELS["matmul"](x, y), x @ y, 1e-5, 1e-5)
    turned = np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2)
    np.testing.assert_allclose(KERNELS["matmul"](turned, y), x @ y, 1e-5, 1e-5)


def test_numbers_that_are_none_are_no_accidents():
    """A signalling NaN, which memory may hold, warns where NumPy adds to it."""
    x = np.array([0x7F800001, 0x3F800000, 0xFF800001], np.uint32).view(np.float32)
    assert KERNELS["argsort"](x, axis=0).tolist() == [1, 0, 2]
