"""Compiled CUDA kernels on disk: a second process compiles nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nkeras_numba_cuda.compiled import disk
from nkeras_numba_cuda.compiled.digests import digest_of

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("cuda_disk_script.py")
SKIPPED = 77


def loaded(folder, **variables):
    """How many kernels a process has loaded, and how many it compiled."""
    paths = [str(ROOT), str(ROOT / "backends"), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    environment.pop("NUMBA_ENABLE_CUDASIM", None)
    result = subprocess.run(
        [sys.executable, str(SCRIPT)],
        env=environment | {"NUMBA_CACHE_DIR": str(folder), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    if result.returncode == SKIPPED:
        pytest.skip(result.stdout.strip())
    assert result.returncode == 0, result.stdout + result.stderr
    count, compiled, _ = result.stdout.split()
    return int(count), int(compiled)


def test_a_second_process_compiles_nothing(tmp_path):
    count, compiled = loaded(tmp_path)
    assert count == compiled == 3
    assert loaded(tmp_path) == (3, 0)
    kept = sorted((tmp_path / "nkeras-ptx").iterdir())
    assert len(kept) == 3
    assert (tmp_path / "nkeras-ptx").stat().st_mode & 0o777 == 0o700


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(disk.config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(disk, "_State", type("_State", (), {"written": 0, "has_warned": False}))
    return tmp_path / "nkeras-ptx"


def test_what_is_kept(folder):
    assert disk.load("a") is None
    disk.store("a", "code")
    assert disk.load("a") == "code"
    whole = (folder / "a.ptx").read_bytes()
    for content in (whole[:-1], b"0" * 64 + whole[64:], b""):  # cut, changed, empty
        (folder / "a.ptx").write_bytes(content)
        assert disk.load("a") is None


def test_folders_that_others_can_write_to_are_not_used(folder):
    disk.store("a", "code")
    folder.chmod(0o777)
    assert disk.load("a") is None
    with pytest.warns(UserWarning, match=r"can be written by others\). Set NUMBA_CACHE_DIR"):
        disk.store("b", "code")
    disk.store("c", "code")  # one warning is enough
    folder.chmod(0o700)
    assert disk.load("b") is None


def test_a_file_in_place_of_the_folder_costs_time_alone(folder):
    folder.write_text("")
    with pytest.warns(UserWarning, match="each process compiles them anew"):
        disk.store("a", "code")
    assert disk.load("a") is None


def test_limits(folder, monkeypatch):
    monkeypatch.setenv(disk.VARIABLE, "0")
    disk.store("a", "code")
    assert disk.folder() is None
    assert disk.load("a") is None
    monkeypatch.setenv(disk.VARIABLE, "1")
    for number, name in enumerate("abc"):
        disk.store(name, name * 600_000)
        os.utime(folder / f"{name}.ptx", (time.time() - 100 + number,) * 2)
    disk._trim(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["c.ptx"]


def test_digests():
    """They are of what a function does: constants, closures, functions that it calls."""

    def made(factor, inner):
        def kernel(y):
            y[0] = inner(y[0]) * factor

        return kernel

    def one(x):
        return x + 1

    def two(x):
        return x + 2

    digests = {digest_of(made(factor, inner), "") for factor in (1, 2) for inner in (one, two)}
    assert len(digests) == 4
    assert digest_of(made(1, one), "") in digests
    assert digest_of(made(1, one), "void(float32[::1])") not in digests
