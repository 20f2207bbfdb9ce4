"""The matrix product on the micro-kernel: tails, transposed operands, packing, widths, threads."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nkeras_numba_cpu import threads
from nkeras_numba_cpu.kernels import KERNELS
from nkeras_numba_cpu.memory.arena import aligned
from nkeras_numba_cpu.products import gemm, micro_kernel
from nkeras_numba_cpu.products.micro_kernel import RELU, micro_kernels

SIZES = st.integers(1, 70)
TOLERANCE = {"float32": 1e-5, "float64": 1e-13}


def operands(rows, columns, inner, transposed_a, transposed_b, dtype="float32"):
    generator = np.random.default_rng(rows * 10_007 + columns * 101 + inner)
    a = generator.standard_normal((inner, rows) if transposed_a else (rows, inner)).astype(dtype)
    b = generator.standard_normal((columns, inner) if transposed_b else (inner, columns))
    return a, b.astype(dtype), generator.standard_normal(columns).astype(dtype)


def check(rows, columns, inner, transposed_a=False, transposed_b=False, dtype="float32"):
    a, b, bias = operands(rows, columns, inner, transposed_a, transposed_b, dtype)
    flags = {"transposed_a": transposed_a, "transposed_b": transposed_b}
    got = gemm.product(a, b, (rows, columns, inner), bias=bias, mode=RELU, **flags)
    wide_a = (a.T if transposed_a else a).astype("float64")
    wide_b = (b.T if transposed_b else b).astype("float64")
    expected = np.maximum(wide_a @ wide_b + bias, 0)
    largest = max(1.0, np.abs(wide_a).max() * np.abs(wide_b).max() * inner**0.5)
    np.testing.assert_allclose(
        got.reshape(rows, columns), expected, rtol=0, atol=TOLERANCE[dtype] * largest
    )


@settings(max_examples=60, deadline=None)
@given(SIZES, SIZES, SIZES, st.booleans(), st.booleans())
def test_sizes_around_the_tile(rows, columns, inner, transposed_a, transposed_b):
    check(rows, columns, inner, transposed_a, transposed_b)


@pytest.mark.parametrize(
    ("rows", "columns", "inner"),
    [
        (1, 300, 40),  # a vector: wide tiles
        (3, 129, 7),
        (150, 512, 64),  # columns that share cache lines: B is packed
        (150, 90, 512),  # rows that do: A is packed
        (40, 70, 2100),  # more than one block of the depth
        (130, 1024, 2060),  # all of it
        (20, 12, 30),  # one panel, narrower than usual
        (2, 140, 9),  # wide tiles and a rest
    ],
)
@pytest.mark.parametrize("transposed_a", [False, True])
@pytest.mark.parametrize("transposed_b", [False, True])
def test_every_path(rows, columns, inner, transposed_a, transposed_b):
    check(rows, columns, inner, transposed_a, transposed_b)


def test_an_addend_is_added_once():
    """Also where the depth is summed in two blocks."""
    rows, columns, inner = 20, 70, 2100
    a, b, bias = operands(rows, columns, inner, False, False)
    addend = np.arange(rows * columns, dtype=np.float32).reshape(rows, columns)
    got = gemm.product(a, b, (rows, columns, inner), bias=bias, addend=addend, mode=RELU)
    expected = np.maximum(a.astype("float64") @ b + bias + addend, 0)
    np.testing.assert_allclose(got.reshape(rows, columns), expected, rtol=1e-5, atol=2e-3)


@pytest.mark.parametrize("transposed_b", [False, True])
def test_matrices_of_a_batch_are_broadcast(transposed_b):
    generator = np.random.default_rng(0)
    a, b = generator.random((3, 1, 6, 5)), generator.random((2, 5, 70))
    given = b.swapaxes(1, 2).copy() if transposed_b else b
    batches = (3, 1), (2,)
    got = gemm.product(a, given, (6, 70, 5), transposed_b=transposed_b, batches=batches)
    np.testing.assert_allclose(got.reshape(3, 2, 6, 70), a @ b, rtol=1e-12)


@pytest.mark.parametrize("offset", [0, 4])
def test_large_results_are_written_around_the_caches(offset, monkeypatch):
    """Where they lie on whole lines; elsewhere as small ones are."""
    rows, columns, inner = 31, 128, 20
    memory = aligned(4 * (rows * columns + offset)).view(np.float32)[offset:]
    monkeypatch.setattr(micro_kernel, "_STREAMED_BYTES", 1)
    monkeypatch.setattr(gemm, "empty", lambda shape, dtype: memory)
    gemm._schedule.cache_clear()
    a, b, bias = operands(rows, columns, inner, False, False)
    got = gemm.product(a, b, (rows, columns, inner), bias=bias, mode=RELU)
    gemm._schedule.cache_clear()
    expected = np.maximum(a.astype("float64") @ b + bias, 0)
    np.testing.assert_allclose(got.reshape(rows, columns), expected, rtol=0, atol=1e-4)


def test_float64():
    check(33, 40, 50, dtype="float64")
    check(33, 40, 50, True, True, dtype="float64")


@pytest.mark.parametrize("transposed_b", [False, True])
def test_the_result_does_not_depend_on_the_number_of_threads(transposed_b):
    sizes = 96, 200, 300
    a, b, _ = operands(*sizes, False, transposed_b)
    before = threads.get_num_threads()
    results = []
    for count in {1, threads.limit()}:
        threads.set_num_threads(count)
        results.append(gemm.product(a, b, sizes, transposed_b=transposed_b))
    threads.set_num_threads(before)
    assert all(np.array_equal(results[0], result) for result in results)


def test_nan_and_infinity_stay_where_they_belong():
    rows = 2 * micro_kernels("float32").rows + 1
    x, kernel = np.ones((rows, 5), np.float32), np.ones((5, 40), np.float32)
    x[3, 1], x[7, 2], x[9, 0] = np.nan, np.inf, -np.inf
    got = KERNELS["dense"](x, kernel, None, activation="relu")
    assert np.isnan(got[3]).all()
    assert np.isposinf(got[7]).all()
    assert (got[9] == 0).all()
    assert np.isfinite(np.delete(got, [3, 7], axis=0)).all()


def test_views_are_read_as_they_lie():
    generator = np.random.default_rng(0)
    x, y = generator.random((2, 6, 5)), generator.random((2, 5, 7))
    matmul = KERNELS["matmul"]
    for left, right in [
        (x.swapaxes(1, 2).copy().swapaxes(1, 2), y),
        (x, y.swapaxes(1, 2).copy().swapaxes(1, 2)),
        (x[:, ::2, ::-1], y[:, :, 1:]),
        (np.broadcast_to(x[:1], (3, 6, 5)), y[0]),
        (x[0], y),
        (x[:, None], y),
    ]:
        np.testing.assert_allclose(matmul(left, right), np.matmul(left, right), rtol=1e-12)


@pytest.mark.parametrize("bits", [256, 128])
def test_narrower_vectors(bits, tmp_path):
    """The code of a host with smaller registers, on this one."""
    script = (
        "from tests.backends.test_gemm import check\n"
        "from nkeras_numba_cpu.emit import registers\n"
        f"assert registers.vector_bits() == {bits}\n"
        "for sizes in [(1, 70, 9), (7, 17, 5), (30, 33, 40)]:\n"
        "    for flags in [(False, False), (True, True)]:\n"
        "        check(*sizes, *flags)\n"
    )
    environment = {**os.environ, "NKERAS_VECTOR_BITS": str(bits)}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8", "uint32"])
@pytest.mark.parametrize(
    ("of_x", "of_y"),
    [
        ((3, 4), (4, 5)),
        ((5, 7), (7, 1)),
        ((1, 1), (1, 1)),
        ((2, 3, 4), (4, 6)),
        ((2, 1, 6, 3), (4, 3, 1100)),
        ((9, 2), (3, 2, 4)),
    ],
)
def test_products_of_integers_wrap_round_as_those_of_numpy(dtype, of_x, of_y):
    random = np.random.default_rng(0)
    limits = np.iinfo(dtype)
    x = random.integers(limits.min, limits.max, of_x, dtype)
    y = random.integers(limits.min, limits.max, of_y, dtype)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(KERNELS["matmul"](x, y), np.matmul(x, y))
    turned = np.ascontiguousarray(y.swapaxes(-1, -2)).swapaxes(-1, -2)
    np.testing.assert_array_equal(KERNELS["matmul"](x, turned), np.matmul(x, y))
    assert KERNELS["matmul"](x, y).dtype == dtype
