"""What serves, and what is said, where a package is missing, too old, or newer than any tried."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nkeras.core.errors import BackendError
from nkeras_numba_cpu import requirements
from nkeras_numba_cuda.requirements import _import_error

FIT = """
import numpy as np
x = np.arange(12, dtype="float32").reshape(4, 3)
model = nkeras.Sequential([nkeras.layers.Dense(2)])
model.compile("sgd", "mse")
model.fit(x, x[:, :2], verbose=0)
nkeras.ops.nan_to_num(x), nkeras.ops.saturate_cast(x, "uint8")
print(nkeras.get_backend())
"""
USE = "\nimport nkeras\nnkeras.ops.ones(2)\nnkeras.ops.ones(2)\nprint(nkeras.get_backend())"


def run(code: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done


def without(*packages: str) -> str:
    return f"import sys\nsys.modules.update(dict.fromkeys({packages}))\nimport nkeras\n"


def with_numba(version: str) -> str:
    return f"import numba; numba.__version__ = {version!r}" + USE


def test_numpy_alone_is_enough_to_train_and_one_warning_says_so() -> None:
    done = run(without("numba", "llvmlite", "h5py", "ml_dtypes") + FIT)
    assert done.stdout.strip() == "numpy"
    assert done.stderr.count("Warning") == 1
    for words in ("uses the slow numpy backend", "`pip install numba`", "NKERAS_BACKEND=numpy"):
        assert words in done.stderr


USES_OF_BFLOAT16 = [
    "nkeras.ops.ones(2, dtype='bfloat16')",
    "nkeras.ops.cast([1.0], 'bfloat16')",
    "nkeras.layers.Dense(2, dtype='mixed_bfloat16')",
    "nkeras.layers.Dense(2, dtype='bfloat16')",
    "nkeras.config.set_floatx('bfloat16')",
    "nkeras.config.set_dtype_policy('mixed_bfloat16')",
    "nkeras.Input((2,), dtype='bfloat16')",
    "nkeras.Variable([1.0], dtype='bfloat16')",
    "nkeras.random.uniform((2,), dtype='bfloat16')",
]


def test_bfloat16_without_ml_dtypes_is_refused_by_name() -> None:
    code = without("ml_dtypes") + "nkeras.set_backend('numpy')\n"
    for use in USES_OF_BFLOAT16:
        code += f"print('next')\ntry:\n    {use}\nexcept ValueError as error:\n    print(error)\n"
    answers = run(code).stdout.split("next\n")[1:]
    for use, said in zip(USES_OF_BFLOAT16, answers, strict=True):
        assert "dtype bfloat16 needs the package ml_dtypes" in said, use
        assert "pip install ml_dtypes" in said, use


def test_a_numba_that_is_too_old_is_refused_and_numpy_serves() -> None:
    done = run(with_numba("0.60.0"))
    assert done.stdout.strip() == "numpy"
    assert done.stderr.count("Warning") == 1
    assert "needs Numba 0.62 or newer. Installed is 0.60.0." in done.stderr


def test_a_numba_newer_than_any_tried_is_said_once_and_used() -> None:
    done = run(with_numba("0.99.0rc1"))
    assert done.stdout.strip() == "numba_cpu"
    assert done.stderr.count("never tried with Numba 0.99.0rc1") == 1
    assert done.stderr.startswith("<string>:3: UserWarning")


def test_numba_versions_in_between_are_taken_silently() -> None:
    for version in ("0.62.0", "0.63.1", "0.68.1", "0.68.2dev0"):
        requirements.check_numba(version)


@pytest.mark.parametrize(
    ("name", "version", "said"),
    [
        ("CPython", "3.14.2 free-threading build (main)", "free-threaded Python"),
        ("PyPy", "3.11.13 (PyPy 7.3.20)", "needs CPython. This is PyPy."),
    ],
)
def test_a_python_whose_objects_are_others_is_refused(
    name: str, version: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requirements.platform, "python_implementation", lambda: name)
    monkeypatch.setattr(requirements.sys, "version", version)
    with pytest.raises(BackendError, match=said):
        requirements.check_python()


def test_on_free_threaded_python_numpy_serves_and_one_warning_says_so() -> None:
    done = run("import sys; sys.version += ' free-threading build'" + USE)
    assert done.stdout.strip() == "numpy"
    assert done.stderr.count("Warning") == 1
    assert "cannot run on free-threaded Python" in done.stderr


def test_a_reason_of_several_lines_is_told_in_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_installed.py").write_text("raise OSError('no a.so,\\n  no b.so\\n')")
    monkeypatch.syspath_prepend(tmp_path)
    assert _import_error("half_installed") == "cannot be imported (OSError: no a.so, no b.so)"
