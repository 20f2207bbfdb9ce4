"""Choosing a backend: at any moment, per thread, from the environment, with clear refusals."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import nkeras
from nkeras import ops
from nkeras.backend import registry
from nkeras.core.errors import BackendError


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_aliases_name_the_same_backend() -> None:
    with nkeras.use_backend("cpu"):
        assert nkeras.get_backend() == "numba_cpu"


def test_use_backend_ends_with_its_block() -> None:
    before = nkeras.get_backend()
    with nkeras.use_backend("numpy") as backend:
        assert nkeras.get_backend() == backend.name == "numpy"
        assert ops.zeros(2).backend is backend
    assert nkeras.get_backend() == before


def test_set_backend_inside_use_backend_wins() -> None:
    with nkeras.use_backend("numpy"):
        nkeras.set_backend("numba_cpu")
        assert nkeras.get_backend() == "numba_cpu"


def test_a_thread_does_not_see_the_scope_of_another() -> None:
    nkeras.set_backend("numba_cpu")
    seen = []
    with nkeras.use_backend("numpy"):
        thread = threading.Thread(target=lambda: seen.append(nkeras.get_backend()))
        thread.start()
        thread.join()
    assert seen == ["numba_cpu"]


def test_variables_move_and_tensors_do_not() -> None:
    with nkeras.use_backend("numpy"):
        variable = nkeras.Variable([1.0, 2.0])
        tensor = ops.ones(2)
    with nkeras.use_backend("numba_cpu"):
        assert (variable * 2.0).backend.name == "numba_cpu"
        with pytest.raises(BackendError, match=r"'numpy'.*'numba_cpu'"):
            ops.add(variable, tensor)
        moved = tensor.to("cpu")
        np.testing.assert_array_equal(ops.add(variable, moved).numpy(), [2.0, 3.0])


def test_unknown_backend_names_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"'tensorflow'.*numba_cpu.*numpy"):
        nkeras.set_backend("tensorflow")
    with pytest.raises(TypeError, match="named by a string"):
        nkeras.set_backend(None)  # pyright: ignore[reportArgumentType]


def test_backends_lists_each_with_its_state() -> None:
    states = nkeras.backends()
    assert {"numpy", "numba_cpu", "numba_cuda"} <= set(states)
    assert states[nkeras.get_backend()] == "active"


def test_environment_chooses_the_default() -> None:
    code = "import nkeras; print(nkeras.get_backend())"
    assert run(code, NKERAS_BACKEND="numpy").stdout.strip() == "numpy"
    refused = run(code, NKERAS_BACKEND="nope")
    assert refused.returncode == 1
    assert "Unknown backend: 'nope'" in refused.stderr


def test_without_numba_the_numpy_backend_serves_and_says_so_once() -> None:
    code = (
        "import sys; sys.modules['numba'] = None\n"
        "import nkeras\n"
        "print(nkeras.ops.sum([1.0, 2.0]).item(), nkeras.get_backend())\n"
        "nkeras.ops.sum([1.0])\n"
    )
    done = run(code)
    assert done.stdout.strip() == "3.0 numpy", done.stderr
    assert done.stderr.count("nkeras uses the slow numpy backend") == 1
    assert "Run `pip install numba`" in done.stderr


def test_cuda_without_a_gpu_is_one_clear_error() -> None:
    done = run("import nkeras; nkeras.set_backend('cuda')", NUMBA_ENABLE_CUDASIM="0")
    if done.returncode == 0:
        pytest.skip("this machine has a GPU")
    last = done.stderr.strip().splitlines()[-1]
    assert "BackendError" in last
    assert "NUMBA_ENABLE_CUDASIM" in last


def test_random_numbers_are_the_same_on_every_backend() -> None:
    drawn = []
    for name in ("numpy", "numba_cpu"):
        with nkeras.use_backend(name):
            seeds = nkeras.random.SeedGenerator(3)
            nkeras.random.uniform((5,), seed=seeds)
            drawn.append(nkeras.random.uniform((1001,), seed=seeds).numpy())
    np.testing.assert_array_equal(*drawn)


def test_a_broken_plugin_leaves_the_other_backends_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def load(self) -> None:
            raise RuntimeError("half installed")

    entries = {**registry._entry_points(), "broken": Broken()}
    monkeypatch.setattr(registry, "_entry_points", lambda: entries)
    states = nkeras.backends()
    assert states["broken"] == (
        "not available: Backend 'broken' cannot be loaded: RuntimeError: half installed"
    )
    assert states["numpy"] in ("active", "available")
    with pytest.raises(BackendError, match="half installed"):
        nkeras.set_backend("broken")
