"""Row kernels, optimizers and dropout over several tasks: sizes around vectors, NaN, threads."""

import numpy as np
import pytest

from nkeras_numba_cpu import threads
from nkeras_numba_cpu.kernels import KERNELS
from nkeras_numba_cpu.launch import tasks
from nkeras_numpy.kernels import KERNELS as REFERENCE

SIZES = [1, 2, 7, 8, 9, 15, 16, 17, 33, 255, 3_001]
ADAM = {"alpha": 0.1, "beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-3}


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def calls(n, rows):
    """Every kernel of rows: name, arrays, static values."""
    x, labels = 5 * normal(rows, n), np.arange(rows, dtype=np.int32) % n
    y, truth = np.abs(normal(rows, n, seed=1)), np.abs(normal(rows, n, seed=2))
    log_y, grad = REFERENCE["log_softmax"](x, axis=1), normal(rows, seed=3)
    for name in ("softmax", "log_softmax"):
        yield name, (x,), {"axis": 1}
        yield name, (x.T.copy(),), {"axis": 0}
        yield f"{name}_grad", (truth, log_y), {"axis": 1}
        yield f"{name}_grad", (truth.T.copy(), log_y.T.copy()), {"axis": 0}
    yield "sparse_softmax_cross_entropy", (x, labels), {}
    yield "sparse_softmax_cross_entropy_grad", (grad, log_y, labels), {}
    yield "softmax_cross_entropy", (truth, x), {}
    yield "softmax_cross_entropy_grad", (grad, truth, log_y), {}
    yield "sparse_cross_entropy", (y, labels), {"epsilon": 0.01}
    yield "sparse_cross_entropy_grad", (grad, y, labels), {"epsilon": 0.01}
    yield "cross_entropy", (truth, y), {"epsilon": 0.01}
    yield "cross_entropy_grad", (grad, truth, y), {"epsilon": 0.01}
    yield "dropout", (x,), {"key": (n, rows), "rate": 0.3}
    yield "adam_update", (x, y, truth, y), ADAM


def as_tuple(result):
    return result if isinstance(result, tuple) else (result,)


@pytest.mark.parametrize("n", SIZES)
def test_as_numpy(n):
    for name, arrays, static in calls(n, max(3, 5_000 // n)):
        got = as_tuple(KERNELS[name](*arrays, **static))
        # The reference computes in float64: sums of float32 would be the less exact ones.
        wide = [x if x.dtype == np.int32 else x.astype(np.float64) for x in arrays]
        want = as_tuple(REFERENCE[name](*wide, **static))
        for one, other in zip(got, want, strict=True):
            scale = np.max(np.abs(other), initial=1.0)
            np.testing.assert_allclose(
                one, other, rtol=2e-5, atol=2e-6 * scale, err_msg=f"{name} {static}"
            )


@pytest.mark.parametrize("n", [10, 1_001])
def test_same_bits_for_one_and_two_threads(n, monkeypatch):
    if threads.limit() < 2:
        pytest.skip("one thread is all this machine has")
    monkeypatch.setattr(tasks, "SERIAL_BELOW", 0)
    before = threads.get_num_threads()
    try:
        for name, arrays, static in calls(n, 20_011 // n):
            results = []
            for count in (1, 2):
                threads.set_num_threads(count)
                results.append(as_tuple(KERNELS[name](*arrays, **static)))
            for result, other in zip(*results, strict=True):
                np.testing.assert_array_equal(result, other, err_msg=name)
    finally:
        threads.set_num_threads(before)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38, -3e38])
@pytest.mark.parametrize("axis", [0, 1])
def test_special_values(value, axis):
    x = normal(40, 40)
    x[3, 5] = x[35, 39] = x[0, 0] = value
    for name in ("softmax", "log_softmax"):
        got, want = KERNELS[name](x, axis=axis), REFERENCE[name](x, axis=axis)
        np.testing.assert_allclose(got, want, rtol=2e-6, atol=1e-6, err_msg=name)
    labels = np.arange(40, dtype=np.int32)
    got, _ = KERNELS["sparse_softmax_cross_entropy"](x, labels)
    want, _ = REFERENCE["sparse_softmax_cross_entropy"](x, labels)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_log_softmax_beside_a_large_maximum():
    x = np.array([[10_000.0, 9_999.0, 9_990.0]], np.float32)
    want = REFERENCE["log_softmax"](x.astype(np.float64), axis=1)
    np.testing.assert_allclose(KERNELS["log_softmax"](x, axis=1), want, rtol=1e-6)


def test_no_classes_are_an_error():
    with pytest.raises(ValueError, match="at least one class"):
        KERNELS["sparse_softmax_cross_entropy"](np.zeros((3, 0), np.float32), np.zeros(3, np.int32))
