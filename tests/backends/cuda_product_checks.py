"""Products of the CUDA backend in the simulator against the numpy kernels.

The simulator must be chosen before Numba is imported: `test_cuda_products.py` runs this file in a
process of its own.
"""

import itertools

import ml_dtypes
import numpy as np
import pytest
from kernel_calls import normal

import nkeras
import nkeras_numba_cuda
from nkeras_numba_cuda.counting import counting
from nkeras_numba_cuda.kernels import products
from nkeras_numba_cuda.kernels.products import SUMS
from nkeras_numpy.kernels import KERNELS

BACKEND = nkeras_numba_cuda.backend()
TOLERANCE = {"float32": 2e-6, "complex64": 2e-6, "float64": 1e-13, "float16": 1e-3}
TOLERANCE |= {"bfloat16": 8e-3}


@pytest.fixture
def counts():
    """What the test did on the device."""
    with counting() as counted:
        yield counted


def assert_no_product_of_cupy(counts):
    assert not {"matmul", "dot", "einsum", "tensordot", "inner", "vdot"} & set(counts.computations)


def compare(name, *arrays, turned=(), **static):
    """The kernel against the numpy kernel; arguments in `turned` lie transposed in memory."""
    on_device = []
    for place, array in enumerate(arrays):
        if place in turned:
            array = np.ascontiguousarray(array.swapaxes(-1, -2))
        one = None if array is None else BACKEND.asarray(array, array.dtype.name)
        on_device.append(one.swapaxes(-1, -2) if place in turned else one)
    got, expected = BACKEND.kernels[name](*on_device, **static), KERNELS[name](*arrays, **static)
    results = zip(*[r if isinstance(r, tuple) else (r,) for r in (got, expected)], strict=True)
    for one, other in results:
        assert (one is None) == (other is None)
        if one is not None:
            assert_same(BACKEND.to_numpy(one), other)


def assert_same(got, expected):
    assert (got.shape, got.dtype) == (expected.shape, expected.dtype)
    tolerance = TOLERANCE.get(got.dtype.name, 0)
    if got.dtype.name in ("float16", "bfloat16"):
        got, expected = got.astype("float32"), expected.astype("float32")
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=10 * tolerance)


def numbers(*shape, dtype="float32", seed=0):
    values = 3 * normal(*shape, seed=seed)
    if dtype.startswith("complex"):
        return (values + 1j * normal(*shape, seed=seed + 10)).astype(dtype)
    return (abs(values) if dtype.startswith("u") else values).astype(dtype)


DTYPES = ["float32", "float64", "float16", "bfloat16", "int32", "int64", "int8", "uint8", "uint32"]


@pytest.mark.parametrize("dtype", [*DTYPES, "bool", "complex64"])
def test_dtypes(dtype, counts):
    compare("matmul", numbers(5, 9, dtype=dtype), numbers(9, 6, dtype=dtype, seed=1))
    assert set(counts.launches) == {f"plain_product_{computed(dtype)}"}
    assert_no_product_of_cupy(counts)


def computed(dtype):
    """The dtype of the kernel that serves one."""
    others = {"int8": "int32", "uint8": "int32", "bool": "int32", "uint32": "int64"}
    return others.get(dtype, "float32" if dtype == "complex64" else dtype)


@pytest.mark.parametrize("turned", [(), (0,), (1,), (0, 1)])
@pytest.mark.parametrize("shape", [(1, 1, 1), (4, 8, 4), (5, 3, 7), (9, 17, 1), (1, 9, 6)])
def test_layouts_and_ragged_sizes(shape, turned):
    rows, inner, columns = shape
    compare("matmul", normal(rows, inner), normal(inner, columns, seed=1), turned=turned)
    compare("matmul", normal(2, rows, inner), normal(2, inner, columns, seed=1), turned=turned)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((2, 3, 5), (5, 2)),
        ((3, 5), (2, 5, 2)),
        ((2, 1, 3, 5), (3, 5, 2)),
        ((1, 3, 5), (1, 5, 2)),
        ((2, 3, 0), (2, 0, 4)),
        ((2, 0, 3), (2, 3, 4)),
        ((0, 3, 5), (5, 2)),
    ],
)
def test_batches(left, right):
    compare("matmul", normal(*left), normal(*right, seed=1))


@pytest.mark.parametrize(
    ("dtype", "activation", "has_bias", "has_addend"),
    [
        *itertools.product(["float32"], ["linear", "relu", "relu6"], [False, True], [False, True]),
        ("float16", "relu6", True, True),
        ("bfloat16", "relu", True, False),
        ("int32", "relu6", True, True),
        ("int8", "relu6", True, True),
    ],
)
def test_dense(dtype, activation, has_bias, has_addend):
    x, kernel = numbers(2, 3, 5, dtype=dtype), numbers(5, 6, dtype=dtype, seed=1)
    bias = numbers(6, dtype=dtype, seed=2) if has_bias else None
    addend = numbers(2, 3, 6, dtype=dtype, seed=3) if has_addend else None
    compare("dense", x, kernel, bias, addend, activation=activation)


def test_dense_is_one_launch(counts):
    compare("dense", numbers(7, 5), numbers(5, 3), numbers(3), None, activation="relu")
    assert counts.launches == {"plain_product_float32": 1}


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("by", [("x",), ("kernel",), ("bias",), ("x", "kernel", "bias")])
def test_dense_grad(by, dtype):
    x, kernel = numbers(2, 3, 5, dtype=dtype), numbers(5, 6, dtype=dtype, seed=1)
    grad_y = numbers(2, 3, 6, dtype=dtype, seed=2)
    compare("dense_grad", grad_y, x, kernel, by=by)
    compare("dense_grad", grad_y, x, kernel, by=by, turned=(2,))


SPECIAL = np.array([np.inf, -np.inf, np.nan, 0.0, 1.0, -2.0, 3e38, 1e-40], "float32")


@pytest.mark.parametrize("activation", ["linear", "relu", "relu6"])
def test_infinity_and_nan(activation):
    x = np.stack([SPECIAL, SPECIAL[::-1], np.roll(SPECIAL, 3)])
    kernel = np.eye(8, 6, dtype="float32") + np.eye(8, 6, 2, dtype="float32")
    compare("dense", x, kernel, SPECIAL[2:], None, activation=activation)
    compare("matmul", SPECIAL[:, None], SPECIAL[None])


def test_integers_of_eight_bits(counts):
    compare("int8_matmul", numbers(3, 5, dtype="int8"), numbers(5, 4, dtype="int8"))
    scale, bias = abs(numbers(4)), numbers(4)
    static = {"low": -127, "high": 127, "epsilon": 1e-7}
    compare("int8_dense", numbers(3, 5), numbers(5, 4, dtype="int8"), scale, bias, **static)
    assert counts.launches == {"plain_product_int32": 2}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_sum_of_parts(dtype):
    """Parts of two products, with their columns rounded up to four, and what follows the sum."""
    batch, splits, rows, columns = 2, 3, 4, 5
    parts = numbers(batch, splits, rows, 8)
    bias, addend = numbers(5, dtype=dtype), numbers(batch, rows, columns, dtype=dtype, seed=1)
    names = products.matrices.Sizes._fields
    given = {"rows": rows, "columns": columns, "splits": splits, "bias": 1, "addend": 1}
    sizes = [given.get(name, 1 if name == "activation" else 0) for name in names]
    z = BACKEND.empty((batch, rows, columns), dtype)
    bits = (lambda a: a.view("uint16")) if dtype != "float32" else (lambda a: a)
    on_device = [BACKEND.asarray(a, a.dtype.name) for a in (parts, bias, addend)]
    SUMS[dtype].launch(
        z.size,
        bits(z),
        on_device[0],
        *map(bits, on_device[1:]),
        BACKEND.asarray(np.array(sizes), "int64"),
    )
    total = parts[..., :columns].sum(1) + bias.astype("float32") + addend.astype("float32")
    assert_same(BACKEND.to_numpy(z), np.maximum(total, 0).astype(dtype))


def test_a_step_of_an_mlp_has_no_product_of_cupy(counts):
    with nkeras.use_backend("numba_cuda"):
        model = nkeras.Sequential(
            [
                nkeras.layers.Dense(6, activation="relu"),
                nkeras.layers.Dense(3, activation="softmax"),
            ]
        )
        model.compile("sgd", "sparse_categorical_crossentropy")
        x, y = normal(8, 5), np.arange(8) % 3
        model.train_on_batch(x, y)
    # Forward twice, kernels' gradients twice, and the gradient of what the first layer gave.
    assert counts.launches["plain_product_float32"] == 5
    assert_no_product_of_cupy(counts)


assert ml_dtypes.bfloat16  # makes "bfloat16" a dtype name that NumPy knows
