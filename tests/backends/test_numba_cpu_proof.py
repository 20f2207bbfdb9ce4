"""Compiled code is tried before the first kernel: where it fails, the numpy backend serves."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from typing import Any

import numpy as np
import pytest

from nkeras.core.errors import BackendError
from nkeras_numba_cpu import requirements, threads
from nkeras_numba_cpu.compile import native
from nkeras_numba_cpu.launch import launcher, layout, proof, region
from nkeras_numba_cpu.launch.tasks import tasks


def run(code: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(code)],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


def test_this_interpreter_is_as_known() -> None:
    layout.check()
    proof.check()
    proof.check_region(region.region())


@pytest.mark.parametrize(
    ("name", "place", "said"),
    [
        ("HEAD", 32, "a head of 32 bytes"),
        ("TYPE", 0, "type of Python's int"),
        ("TYPE", 4096, "type of Python's int"),
        ("DATA", layout.LENGTHS, "fields of NumPy's arrays"),
        ("DIMENSIONS", layout.DATA, "fields of NumPy's arrays"),
        ("LENGTHS", layout.DIMENSIONS, "fields of NumPy's arrays"),
        ("LENGTHS", layout.STRIDES, "fields of NumPy's arrays"),
        ("STRIDES", layout.STRIDES + 8, "fields of NumPy's arrays"),
        ("STRIDES", 4096, "fields of NumPy's arrays"),
    ],
)
def test_another_layout_is_an_error_and_no_crash(
    name: str, place: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, name, place)
    with pytest.raises(BackendError, match=said):
        layout.check()


def test_numbers_at_another_place_are_seen_by_compiled_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(launcher, "HEAD", layout.HEAD - 8)  # the type, in place of a float
    address = native.address("echo of types", proof._emit)
    monkeypatch.setattr(proof, "_echo", lambda: launcher.launcher("echo", address))
    with pytest.raises(BackendError, match=r"does not read arguments as Python.*task 0 saw"):
        proof.check()


def test_each_task_must_run(monkeypatch: pytest.MonkeyPatch) -> None:
    echo = proof._echo()
    monkeypatch.setattr(proof, "_echo", lambda: lambda region, count, given: echo(0, 1, given))
    with pytest.raises(BackendError, match="task 1 saw 0 for 3"):
        proof.check_region(region.region())


@tasks
def _double(task, x):
    x[task] = 2 * x[task]


def test_without_numbas_parallel_loop_one_thread_computes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threads, "_count", min(2, threads.limit()))
    monkeypatch.setattr(region, "_PARALLEL_FOR", "renamed_parallel_for")
    with pytest.warns(UserWarning, match="computes on one thread.*no function renamed_para"):
        assert region.region.__wrapped__() == 0
    assert threads.get_num_threads() == 1
    _double(4, 10**9, x := np.arange(4.0))
    np.testing.assert_array_equal(x, 2 * np.arange(4.0))


def test_what_goes_wrong_inside_is_explained_with_the_versions() -> None:
    with pytest.raises(BackendError, match=r"does not work with Python 3.*numba.*TypeError: a b"):
        with requirements.explained():
            raise TypeError("a\n  b")
    with pytest.raises(BackendError, match=r"^clear already$"):
        with requirements.explained():
            raise BackendError("clear already")
    with pytest.raises(BackendError) as caught:
        with requirements.explained():
            raise AttributeError("x" * 1000)
    assert len(str(caught.value)) < 300


def test_32_bits_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements.sys, "maxsize", 2**31 - 1)
    with pytest.raises(BackendError, match="64 bits"):
        requirements.check_python()


BREAK: dict[str, tuple[str, str]] = {
    "a name of Numba's is gone": (
        "import numba.core.codegen; del numba.core.codegen.JITCodeLibrary",
        "ImportError: cannot import name 'JITCodeLibrary'",
    ),
    "a module of Numba's is gone": (
        "import sys, numba; sys.modules['numba.core.fastmathpass'] = None",
        "numba.core.fastmathpass",
    ),
    "a function of Numba's takes other arguments": (
        "from numba.core import cgutils; cgutils.alloca_once = lambda: None",
        "TypeError",
    ),
    "arrays are laid out in another way": (
        "from nkeras_numba_cpu.launch import layout; layout.LENGTHS += 8",
        "fields of NumPy's arrays are not at their places",
    ),
    "numbers are laid out in another way": (
        "from nkeras_numba_cpu.launch import launcher; launcher.HEAD += 8",
        "does not read arguments as Python has them",
    ),
}

USE = """
import nkeras
print(nkeras.ops.sum([1.0, 2.0]).item(), nkeras.get_backend(), nkeras.backends()["numba_cpu"])
nkeras.ops.tanh([1.0])
"""


@pytest.mark.parametrize("name", BREAK)
def test_numpy_serves_and_one_warning_says_why(name: str, tmp_path: Any) -> None:
    change, reason = BREAK[name]
    done = run(change + USE, NUMBA_CACHE_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("3.0 numpy not available: ")
    assert reason in done.stdout
    assert done.stderr.count("UserWarning: nkeras uses the slow numpy backend") == 1
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def test_asked_for_by_name_it_is_an_error(tmp_path: Any) -> None:
    change, reason = BREAK["a name of Numba's is gone"]
    done = run(f"{change}\nimport nkeras\nnkeras.set_backend('cpu')", NUMBA_CACHE_DIR=str(tmp_path))
    assert done.returncode == 1
    assert "BackendError: numba_cpu does not work with Python 3" in done.stderr
    assert reason in done.stderr


def test_numba_without_its_compiler_is_refused() -> None:
    done = run("import nkeras; print(nkeras.get_backend())", NUMBA_DISABLE_JIT="1")
    assert done.stdout == "numpy\n"
    assert "which NUMBA_DISABLE_JIT forbids" in done.stderr


def test_a_mistaken_setting_stays_the_error_that_it_is() -> None:
    done = run(USE, NKERAS_VECTOR_BITS="100")
    assert done.returncode == 1
    assert "SettingError: NKERAS_VECTOR_BITS must be 128, 256 or 512" in done.stderr
    done = run(
        "import nkeras; print(nkeras.backends()['numba_cpu'])",
        NKERAS_VECTOR_BITS="100",
        NKERAS_BACKEND="numpy",
    )
    assert done.stdout.startswith("not available: NKERAS_VECTOR_BITS must be 128, 256 or 512")


def test_importing_and_asking_for_names_tries_nothing(tmp_path: Any) -> None:
    code = "import sys, nkeras; nkeras.layers.Dense; print('numba' in sys.modules)"
    assert run(code, NUMBA_CACHE_DIR=str(tmp_path)).stdout == "False\n"
    assert list(tmp_path.iterdir()) == []


def test_the_task_is_kept_on_disk(tmp_path: Any) -> None:
    code = """
        import nkeras
        from nkeras_numba_cpu.compile import native
        compiled = []
        optimized = native.optimized
        native.optimized = lambda symbol, emit: compiled.append(symbol) or optimized(symbol, emit)
        nkeras.get_backend()
        print(len(compiled))
        """
    for count in (2, 0):  # the launcher and the task
        done = run(code, "-W", "error", NUMBA_CACHE_DIR=str(tmp_path))
        assert done.stdout == f"{count}\n", done.stderr
