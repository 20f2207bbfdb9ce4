"""Models, weights, checkpoints and backups: the old file or the new one, whatever happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager

import h5py
import numpy as np
import pytest

from nkeras.saving import hdf5, keras_file, safetensors, weights
from nkeras.saving.archive import Archive
from tests.saving.writers_worker import make_model, save

pytestmark = pytest.mark.skipif(os.name == "nt", reason="forks, limits and signals of POSIX")

KINDS = ("model", "weights", "tensors", "checkpoint", "backup")


def run(scenario, count, *kinds):
    """What `writers_worker` says, by kind."""
    command = [sys.executable, "-m", "tests.saving.writers_worker", scenario, str(count), *kinds]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    # HDF5 1.14 ends the process when it closes a file that it could not write.
    is_old = scenario == "full disk" and h5py.version.hdf5_version_tuple < (2, 0)
    assert done.returncode == 0 or is_old, done.stderr[-2000:]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return dict(zip(kinds, lines, strict=True))


@pytest.mark.parametrize("count", [1, pytest.param(100, marks=pytest.mark.long)])
def test_killed_at_any_moment(count):
    """The file loads, and all in it is of one moment."""
    found = run("kill", count, *KINDS)
    assert {kind: one["whole"] for kind, one in found.items()} == dict.fromkeys(KINDS, count)
    met = sum(one["cut"] for one in found.values())
    assert met or count == 1, "no kill met a file that was being written"


@pytest.mark.parametrize("count", [2, pytest.param(60, marks=pytest.mark.long)])
def test_a_full_disk_at_any_size(count):
    """The old file is as it was and alone in its folder, and the error says what is wrong."""
    for kind, found in run("full disk", count, *KINDS).items():
        counts = {name: found[name] for name in ("kept", "clear", "alone")}
        assert counts == dict.fromkeys(counts, count), (kind, found["errors"])


def test_a_folder_that_must_not_be_written():
    for kind, found in run("read-only", 1, *KINDS).items():
        assert (found["kept"], found["clear"], found["alone"]) == (True,) * 3, (kind, found)


@pytest.mark.parametrize(
    ("kinds", "count"),
    [(("weights",), 4), pytest.param(("model", "weights", "tensors"), 50, marks=pytest.mark.long)],
)
def test_two_processes_write_what_a_third_reads(kinds, count):
    assert run("two writers", count, *kinds) == {kind: {"whole": count} for kind in kinds}


@contextmanager
def opened(kind, path):
    """The arrays of a file, checked but not read."""
    with path.open("rb", buffering=0) as file:
        if kind == "tensors":
            yield list(safetensors.Reader(file, path.name).tensors.values())
            return
        part = keras_file.weights_of(Archive(file, path.name)) if kind == "model" else file
        with hdf5.Reader(part, path.name) as reader:
            yield list(reader.arrays().values())


@pytest.mark.parametrize("kind", ["model", "weights", "tensors"])
def test_another_file_takes_the_place_of_one_that_is_read(tmp_path, kind):
    path = tmp_path / {"model": "m.keras", "tensors": "m.safetensors"}.get(kind, "m.weights.h5")
    model = make_model()
    save(kind, model, path)
    with opened(kind, path) as arrays:
        before = [np.array(array) for array in arrays]
        for variable in (*model.variables, *model.optimizer.variables):
            variable.assign(variable + 1)
        save(kind, model, path)
        for array, old in zip(arrays, before, strict=True):
            np.testing.assert_array_equal(array, old)


@pytest.mark.parametrize("kind", ["model", "weights", "tensors"])
def test_a_file_that_is_cut_while_it_is_read(tmp_path, kind):
    path = tmp_path / {"model": "m.keras", "tensors": "m.safetensors"}.get(kind, "m.weights.h5")
    save(kind, make_model(), path)
    with opened(kind, path) as arrays:
        os.truncate(path, 100)
        largest = max(arrays, key=lambda array: array.nbytes)
        with pytest.raises(ValueError, match="became shorter while it was read"):
            np.asarray(largest)


def test_weights_are_compared_before_any_is_read(tmp_path, monkeypatch):
    path = tmp_path / "m.weights.h5"
    make_model().save_weights(path)
    model = make_model()
    model.layers[0].kernel.shape = (16, 7)
    monkeypatch.setattr(hdf5.StoredArray, "__array__", lambda *_: pytest.fail("it was read"))
    with hdf5.Reader(path) as reader, pytest.raises(ValueError, match="has shape"):
        weights.load(model, reader)
