"""Which package compiles CUDA kernels, and what is said where none can."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import nkeras_numba_cuda
from nkeras.core.errors import BackendError
from nkeras_numba_cuda import cuda

ROOT = Path(nkeras_numba_cuda.__file__).parents[1]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Pretends that these modules are installed, and that no variable says anything."""
    monkeypatch.delenv("NKERAS_CUDA_TARGET", raising=False)
    monkeypatch.delenv("NUMBA_ENABLE_CUDASIM", raising=False)

    def install(*modules: str) -> None:
        monkeypatch.setattr(cuda, "find_spec", lambda name: name if name in modules else None)

    return install


def test_the_target_that_is_taken_unasked(installed: Callable[..., None]) -> None:
    installed("numba_cuda", "numba_cuda_mlir")
    assert cuda.chosen_target() == "numba-cuda"
    installed("numba_cuda_mlir")  # compiles some of the kernels
    with pytest.raises(ImportError, match=r"numba-cuda is not installed.*'nkeras\[cuda\]'"):
        cuda.chosen_target()


def test_the_target_that_is_named(
    installed: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed("numba_cuda", "numba_cuda_mlir")
    monkeypatch.setenv("NKERAS_CUDA_TARGET", "numba-cuda-mlir")
    assert cuda.chosen_target() == "numba-cuda-mlir"
    installed("numba_cuda")
    with pytest.raises(ImportError, match=r"numba-cuda-mlir is not installed.*cuda-mlir\]"):
        cuda.chosen_target()
    monkeypatch.setenv("NKERAS_CUDA_TARGET", "numba")
    with pytest.raises(ImportError, match="is 'numba', not numba-cuda or numba-cuda-mlir"):
        cuda.chosen_target()


def test_the_simulator_is_of_one_target(
    installed: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed("numba_cuda", "numba_cuda_mlir")
    monkeypatch.setenv("NUMBA_ENABLE_CUDASIM", "1")
    assert cuda.chosen_target() == "numba-cuda"
    monkeypatch.setenv("NKERAS_CUDA_TARGET", "numba-cuda-mlir")
    with pytest.raises(ImportError, match="has no simulator: unset one"):
        cuda.chosen_target()


def test_no_target_is_one_error(
    installed: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed()
    monkeypatch.delitem(sys.modules, "nkeras_numba_cuda.cuda")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BackendError) as caught:
        nkeras_numba_cuda.backend()
    (line,) = str(caught.value).splitlines()
    assert "numba-cuda is not installed: pip install 'nkeras[cuda]'" in line


def test_what_newer_numpy_lacks_is_there_before_the_first_compilation() -> None:
    code = (
        "import numpy; vars(numpy).pop('row_stack', None);"
        "import nkeras_numba_cuda.cuda; print(numpy.row_stack is numpy.vstack)"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stdout.strip() == "True", done.stderr
