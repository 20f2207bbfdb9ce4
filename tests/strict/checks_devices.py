"""Several GPUs: a backend for each, arrays that do not mix, models that move."""

from __future__ import annotations

import numpy as np
import pytest

import nkeras
from nkeras import ops
from nkeras.backend import registry
from nkeras.core.errors import BackendError
from nkeras_numba_cuda import memory, strict
from tests.strict import small_models


def test_names() -> None:
    with nkeras.use_backend("cuda:1") as second:
        assert nkeras.get_backend() == second.name == "numba_cuda:1"
        assert registry.load("numba_cuda:1") is second
        assert "simulator" in second.device
        assert second.describe()["device"] == second.device
    assert registry.load("cuda:0") is registry.load("cuda") is registry.load("numba_cuda:00")
    with pytest.raises(BackendError, match="no GPU number 2: this machine has 2, counted from 0"):
        registry.load("cuda:2")
    with pytest.raises(BackendError, match="'numpy' has one device, there is no number 1"):
        registry.load("numpy:1")
    with pytest.raises(BackendError, match="is one device"):
        second.on_device(0)  # pyright: ignore[reportAttributeAccessIssue]


def test_the_scope_of_a_device() -> None:
    with nkeras.use_backend("numba_cuda"):
        for name, expected in (("gpu:1", "numba_cuda:1"), ("cuda:0", "numba_cuda")):
            with nkeras.device(name):
                assert nkeras.get_backend() == expected
                with nkeras.device("gpu:1"):
                    assert nkeras.get_backend() == "numba_cuda:1"
                    with nkeras.device("gpu"):  # whichever is in use
                        assert nkeras.get_backend() == "numba_cuda:1"
            assert nkeras.get_backend() == "numba_cuda"


def test_arrays_lie_where_their_backend_computes() -> None:
    with nkeras.device("cuda:1"):
        x = ops.convert_to_tensor(np.arange(6, dtype="float32").reshape(2, 3))
        y = ops.softmax(x * 2.0 + 1.0)
        assert {a.data.__dlpack_device__() for a in (x, y)} == {(2, 1)}
        assert memory.current_device() == 0  # as it was, for whoever works with CuPy beside
    np.testing.assert_allclose(y.numpy().sum(1), 1, rtol=1e-6)
    with nkeras.use_backend("numba_cuda"):
        with pytest.raises(BackendError, match=r"lives on backend 'numba_cuda:1'.*tensor\.to"):
            _ = y + 1.0
        moved = y.to("numba_cuda")
        assert moved.data.__dlpack_device__() == (2, 0)
        assert (moved.numpy() == y.numpy()).all()
        with pytest.raises(ValueError, match="array of device 1 is used on device 0"):
            strict.add(y.data, moved.data)


def test_a_model_trains_on_another_device_and_comes_back() -> None:
    x, y = small_models.data("mlp")
    with nkeras.use_backend("numba_cuda"):
        model = small_models.mlp()
        model.compile("adam", small_models.LOSS)
        first = model.predict(x, verbose=0)
        with nkeras.device("cuda:1"):
            np.testing.assert_allclose(model.predict(x, verbose=0), first, rtol=1e-5)
            model.fit(x, y, batch_size=4, verbose=0)
            assert model.weights[0].value.data.__dlpack_device__() == (2, 1)
            trained = model.predict(x, verbose=0)
        assert np.abs(trained - first).max() > 1e-6
        np.testing.assert_allclose(model.predict(x, verbose=0), trained, rtol=1e-5)


def test_kernels_of_users_and_constants() -> None:
    with nkeras.device("cuda:1"):
        double = nkeras.elementwise(lambda x: x + x)
        assert double(ops.ones(3)).numpy().tolist() == [2, 2, 2]
        with strict.cuda.Device(1):
            there = memory.constants(1, 2, 3)
    here = memory.constants(1, 2, 3)
    assert here is not there
    assert here is memory.constants(1, 2, 3)
