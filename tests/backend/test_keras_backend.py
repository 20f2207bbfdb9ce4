"""What `keras.backend` offers beside the backends: dtypes, names, symbolic tensors."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import nkeras
from nkeras import backend
from tests.harness import oracle

DTYPES = ("bool", "int8", "uint8", "int32", "uint32", "bfloat16", "float16", "float32")
NARROWED = {"int64": "int32", "float64": "float32"}  # as Keras does on JAX
CODE = """
result = {"single": [], "pairs": []}
for name in names:
    kinds = keras.backend.is_float_dtype(name), keras.backend.is_int_dtype(name)
    result["single"].append((keras.backend.standardize_dtype(name), *kinds))
values = [*names, int, float, bool]
for a in values:
    for b in values:
        result["pairs"].append(keras.backend.result_type(a, b))
"""


@oracle.requires_keras
def test_dtypes_are_those_of_keras() -> None:
    expected = oracle.run(CODE, names=list(DTYPES))
    assert [
        (backend.standardize_dtype(name), backend.is_float_dtype(name), backend.is_int_dtype(name))
        for name in DTYPES
    ] == [tuple(row) for row in expected["single"]]
    pairs = itertools.product((*DTYPES, int, float, bool), repeat=2)
    found = [backend.result_type(a, b) for a, b in pairs]
    assert [NARROWED.get(name, name) for name in found] == list(expected["pairs"])


def test_dtypes_in_other_forms() -> None:
    assert backend.standardize_dtype(None) == "float32"
    assert backend.standardize_dtype(np.float64) == backend.standardize_dtype(np.dtype(">f8"))
    assert nkeras.utils.standardize_dtype("int8") == "int8"
    with pytest.raises(ValueError, match="Invalid dtype: 'float31'"):
        backend.standardize_dtype("float31")


def test_uids_count_with_automatic_names() -> None:
    nkeras.backend.clear_session()
    assert [backend.get_uid("dense"), backend.get_uid("dense"), backend.get_uid()] == [1, 2, 1]
    assert nkeras.layers.Dense(1).name == "dense_2"
    nkeras.backend.clear_session()


def test_symbolic_tensors_are_known() -> None:
    assert backend.is_keras_tensor(nkeras.KerasTensor((2,)))
    assert nkeras.utils.is_keras_tensor(nkeras.Input((3,)))
    assert not backend.is_keras_tensor(nkeras.ops.ones(2))
    assert not backend.is_keras_tensor([nkeras.Input((3,))])


def test_the_backend_has_a_name_everywhere() -> None:
    names = {nkeras.get_backend(), backend.backend(), nkeras.config.backend()}
    assert len(names) == 1
    with nkeras.use_backend("numpy"):
        nkeras.config.set_backend("cpu")
        assert backend.backend() == "numba_cpu"


def test_version() -> None:
    assert nkeras.version() == nkeras.__version__


@pytest.mark.parametrize("name", ["cpu", "CPU", "cpu:0"])
def test_a_device_is_a_backend(name: str) -> None:
    for active in ("numpy", "numba_cpu"):  # both compute on it
        with nkeras.use_backend(active), nkeras.device(name):
            assert nkeras.get_backend() == active


@pytest.mark.parametrize("name", ["gpu", "cuda", "gpu:0"])
def test_a_gpu_that_is_not_there(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def absent(wanted: str) -> backend.protocol.Backend:
        asked.append(wanted)
        raise backend.registry.BackendError("no GPU here")

    before = nkeras.get_backend()
    with monkeypatch.context() as patch:
        patch.setattr(backend.registry, "load", lambda n: absent(n) if n == "cuda" else None)
        with pytest.raises(backend.registry.BackendError, match="no GPU"), nkeras.device(name):
            pass
    assert asked == ["cuda"]
    assert nkeras.get_backend() == before


@pytest.mark.parametrize("name", ["gpu:64", "gpu:-1", "gpu:x", "cpu:2", "tpu", "meta", "", 0, None])
def test_other_devices_are_refused(name: object) -> None:
    with pytest.raises(ValueError, match='device: argument `device_name` must be "cpu", "gpu" or'):
        with nkeras.device(name):  # pyright: ignore[reportArgumentType]
            pass
