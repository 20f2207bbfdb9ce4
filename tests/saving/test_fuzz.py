"""Files damaged at random, along their structure: see `fuzz_targets.py` for what must hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from nkeras.saving import hdf5

pytest.importorskip("hypothesis")

EXAMPLES = {
    "configurations": 60,
    "weights": 30,
    "containers": 40,
    "weight_files": 30,
    "safetensors": 60,
    "shards": 40,
    "legacy": 40,
    "onnx_files": 100,
}
ROOT = Path(__file__).parents[2]


def tried(folder: Path, examples: dict[str, int], seconds: float) -> None:
    """Try targets in a process of their own; its files stay for whoever looks at a failure."""
    (folder / "work").mkdir()
    paths = [str(ROOT), str(ROOT / "backends")]
    child = subprocess.run(
        [
            *(sys.executable, "-m", "tests.saving.fuzz_targets"),
            *(str(folder / "work"), json.dumps(examples), str(seconds)),
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "NKERAS_BACKEND": "numpy", "PYTHONPATH": os.pathsep.join(paths)},
        timeout=seconds + 600,
    )
    found = {line[0]: line[1:] for line in map(json.loads, child.stdout.splitlines())}
    assert list(found) == list(examples), (child.returncode, child.stderr[-2000:])
    assert {name: failure for name, (_, failure) in found.items() if failure} == {}, folder
    strange = set(os.listdir(folder / "work")) - set(examples)
    assert not strange, "files were written"


def test_damaged_files_load_or_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    tried(tmp_path, EXAMPLES, 0)


@pytest.mark.long
def test_damaged_files_for_a_minute(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """With `--sample` for a quarter of it."""
    pytest.importorskip("onnx")
    tried(tmp_path, EXAMPLES, 60 if request.config.getoption("sample") == 1 else 15)


@pytest.mark.long
def test_guided_by_what_the_readers_do(tmp_path: Path) -> None:
    pytest.importorskip("atheris", exc_type=ImportError)
    for name in EXAMPLES:
        child = subprocess.run(
            [
                *(sys.executable, "-m", "tests.saving.fuzz_atheris", name, str(tmp_path)),
                *("-max_total_time=15", "-max_len=4096", "-len_control=0", "-rss_limit_mb=6000"),
            ],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={**os.environ, "NKERAS_BACKEND": "numpy"},
        )
        assert child.returncode == 0, (name, child.stderr[-3000:])


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "bool", "complex64", ">f4"])
def test_floats_of_another_form_are_converted(tmp_path: Path, dtype: str) -> None:
    numbers = np.array([1, 0, 3], dtype)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["usual"] = numbers
        kind = h5py.h5t.IEEE_F32LE.copy()
        kind.set_norm(h5py.h5t.NORM_NONE)
        odd = h5py.h5d.create(file.id, b"odd", kind, h5py.h5s.create_simple((3,)))
        odd.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array([1, 0, 3], "float32"))
    with hdf5.Reader(tmp_path / "a.h5") as reader:
        np.testing.assert_array_equal(np.asarray(reader.arrays()["usual"]), numbers)
        np.testing.assert_array_equal(np.asarray(reader.arrays()["odd"]), [1, 0, 3])
        is_read_at_once = isinstance(reader.arrays()["usual"]._where, tuple)
    assert is_read_at_once == (dtype != ">f4")
