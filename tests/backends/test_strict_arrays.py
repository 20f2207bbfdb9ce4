"""The stand-in for CuPy refuses what CuPy refuses, shows what a GPU leaves open, and counts."""

import json
import pickle

import ml_dtypes
import numpy as np
import pytest

from nkeras_numba_cuda import strict
from nkeras_numba_cuda.counting import counting
from nkeras_numba_cuda.strict import cupy_names

HOST = np.arange(6, dtype="float32").reshape(2, 3)
X = strict.asarray(HOST)


@pytest.mark.parametrize(
    "mix",
    [
        lambda: X + HOST,
        lambda: HOST + X,
        lambda: np.add(X, HOST),
        lambda: strict.add(X, HOST),
        lambda: strict.where(HOST > 1, X, X),
        lambda: np.where(HOST > 1, X, X),
        lambda: strict.stack([X, HOST]),
        lambda: X.__setitem__(0, HOST[0]),
        lambda: X.copy().__iadd__(HOST),
        lambda: X.fill(np.array(1.0)),
    ],
)
def test_numpy_arrays_are_no_operands(mix):
    with pytest.raises(TypeError, match="Unsupported type"):
        mix()


@pytest.mark.parametrize("convert", [np.asarray, np.array, memoryview, range])
def test_nothing_becomes_an_array_of_the_host_by_itself(convert):
    with pytest.raises(TypeError):
        convert(X)


@pytest.mark.parametrize(
    "name",
    ["errstate", "frompyfunc", "insert", "geomspace", "nditer", "nothing", "linalg.multi_dot"],
)
def test_what_cupy_lacks_is_missing(name):
    with pytest.raises(AttributeError, match="CuPy 14"):
        strict.function(name)


@pytest.mark.parametrize(
    "call",
    [
        lambda: strict.sum(X, where=X > 1),
        lambda: strict.sum([1.0, 2.0]),
        lambda: strict.right_shift(X, 1),
        lambda: strict.sqrt(X, where=X > 1),
        lambda: X.astype("int32", casting="safe"),
        lambda: strict.asarray([X, X]),
    ],
)
def test_parameters_and_dtypes_that_cupy_lacks(call):
    with pytest.raises(TypeError):
        call()


def test_unordered_additions():
    totals = {
        float(total)
        for size in range(3, 12)
        for total in [_sum_at_zero(np.array([1e8, 1.0, -1e8] + [0.0] * size, "float32"))]
    }
    assert totals == {0.0, 1.0}
    with pytest.raises(TypeError, match=r"add\.at takes no int64"):
        strict.add.at(strict.zeros(2, "int64"), strict.zeros(3, "int64"), 1)
    with pytest.raises(NotImplementedError):
        strict.multiply.at(X, 0, 1)


def _sum_at_zero(values):
    total = strict.zeros(2, "float32")
    strict.add.at(total, strict.zeros(values.size, "int32"), strict.asarray(values))
    return total[0]


def test_undefined_writes_and_reads_are_refused():
    x = strict.zeros(3)
    twice = strict.asarray(np.array([1, 1]))
    x[twice] = 2.0
    assert x.tolist() == [0.0, 2.0, 0.0]
    with pytest.raises(ValueError, match="several times"):
        x[twice] = strict.asarray(np.array([1.0, 2.0]))
    with pytest.raises(IndexError):
        x[strict.asarray(np.array([3]))]
    with pytest.raises(IndexError):
        strict.take(x, strict.asarray(np.array([3])))


def test_new_arrays_hold_garbage():
    for dtype in ("float32", "bfloat16", "complex64"):
        assert np.isnan(strict.empty((2, 2), dtype).get().astype("complex64")).all()
    assert strict.empty(50, "int32").get().all()
    assert set(strict.empty_like(X > 1).get().ravel()) <= {False, True}


def test_floats_beyond_an_integers_range_become_its_ends():
    wide = strict.asarray(np.array([np.nan, np.inf, -np.inf, 300.7, -300.7, 1e20, 7.9]))
    assert wide.astype("int8").tolist() == [0, 127, -128, 127, -128, 127, 7]
    assert wide.astype("int64").tolist()[5] == 2**63 - 1
    assert wide.astype("bool").tolist() == [True] * 7
    assert X.astype(ml_dtypes.bfloat16).dtype == ml_dtypes.bfloat16


def test_scalars_are_arrays_and_elements_are_views():
    assert type(X.sum()) is strict.ndarray
    x = X.copy()
    element = x[1, 2]
    element.fill(9)
    assert float(x[1, 2]) == 9.0
    assert x.flags.c_contiguous
    assert not x.T.flags.c_contiguous
    assert x.data.ptr != X.data.ptr
    with pytest.raises(ValueError, match="contiguous"):
        strict.kernel_view(x.T, (6,))
    with pytest.raises(TypeError, match="arrays of the device"):
        strict.kernel_view(HOST, (6,))


def test_counts():
    with counting() as counts:
        x = strict.asarray(HOST)
        y = strict.sqrt(x.T.reshape(2, 3)[:, :2] + 1.0)
        y[x[:, :2] > 1]
        y[np.array([0])]
        strict.concatenate([x, x])
        bool(y.sum() > 0)
        pickle.loads(pickle.dumps(y))
        strict.cuda.Device().synchronize()
    assert counts.to_device.total() == 4
    assert counts.to_host.total() == 2
    assert counts.synchronizations.total() == 4
    assert not counts.launches
    assert counts.computations["sqrt"] == 1
    assert counts.computations["reshape"] == 1  # of a transposed array it is a copy
    assert "test_strict_arrays.py" in str(counts)
    with counting() as none:
        pass
    assert not none.to_device


def test_names_are_those_of_cupy():
    cupy = pytest.importorskip("cupy")
    assert json.loads(cupy_names.FILE.read_text(encoding="utf-8")) == cupy_names.describe(cupy)
