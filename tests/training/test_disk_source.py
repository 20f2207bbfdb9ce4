"""Arrays in files: memmaps and HDF5 datasets, read in windows."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras.data import rows as rows_module
from nkeras.data import windows
from nkeras.training.disk_source import DiskSource
from nkeras.training.epochs import Epochs
from nkeras.training.sources import ArraySource, adapt

h5py = pytest.importorskip("h5py")
SAMPLES = 1003


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of 100 rows of three float32, and blocks of 6 rows."""
    monkeypatch.setattr(rows_module, "READ_WHOLE", 100)
    monkeypatch.setattr(windows, "WINDOW", 100 * 12)
    monkeypatch.setattr(windows, "BLOCK", 6 * 12)


def values(dtype: str = "float32") -> np.ndarray:
    return np.arange(3 * SAMPLES).reshape(SAMPLES, 3).astype(dtype)


def memmap(folder: Path, array: np.ndarray, offset: int = 0) -> np.memmap:
    path = folder / f"{len(os.listdir(folder))}.bin"
    path.write_bytes(bytes(offset) + array.tobytes())
    return np.memmap(path, array.dtype, "r", offset, array.shape)


def dataset(folder: Path, array: np.ndarray, **options: Any) -> Any:
    return h5py.File(folder / f"{len(os.listdir(folder))}.h5", "w").create_dataset(
        "x", data=array, **options
    )


def kinds(folder: Path) -> dict[str, tuple[Any, str]]:
    f4, f8 = values(), values("float64")
    whole = memmap(folder, np.concatenate([f4, f4, f4]))
    return {
        "memmap": (memmap(folder, f4), "float32"),
        "behind an offset": (memmap(folder, f4, offset=4096 + 12), "float32"),
        "part of a memmap": (whole[SAMPLES : 2 * SAMPLES], "float32"),
        "of float64": (memmap(folder, f8), "float32"),
        "big-endian": (memmap(folder, values(">f4")), "float32"),
        "of bytes": (memmap(folder, (f4 % 200).astype("uint8")), "uint8"),
        "column-major": (memmap(folder, np.ascontiguousarray(f4.T)).T, "float32"),
        "HDF5": (dataset(folder, f4), "float32"),
        "HDF5 in chunks": (dataset(folder, f4, chunks=(16, 2), compression="gzip"), "float32"),
        "HDF5 of float64": (dataset(folder, f8), "float32"),
        "HDF5 of int16": (dataset(folder, values("int16")), "int16"),
    }


def joined(source: Any, skipped: int = 0) -> list[np.ndarray]:
    return [np.array(batch) for batch in source.batches(skipped)]


NAMES = (
    "memmap",
    "behind an offset",
    "part of a memmap",
    "of float64",
    "big-endian",
    "of bytes",
    "column-major",
    "HDF5",
    "HDF5 in chunks",
    "HDF5 of float64",
    "HDF5 of int16",
)


@pytest.mark.parametrize("name", NAMES)
def test_each_kind(name: str, tmp_path: Path) -> None:
    array, dtype = kinds(tmp_path)[name]
    expected = np.asarray(array[:]).astype(dtype)
    for shuffle in (False, "batch", True):
        source = adapt(array, batch_size=7, shuffle=shuffle)
        assert isinstance(source, DiskSource)
        assert source.num_batches == 144
        np.testing.assert_array_equal(source.head(), expected[:7])
        found = joined(source)
        assert {batch.dtype.name for batch in found} == {dtype}
        assert [len(batch) for batch in found] == [7] * 143 + [2]
        rows = np.concatenate(found)
        if shuffle is False:
            np.testing.assert_array_equal(rows, expected)
        else:
            assert not np.array_equal(rows, expected)
            np.testing.assert_array_equal(_sorted(rows), _sorted(expected))
        if shuffle == "batch":
            for start in range(0, SAMPLES, 7):
                part = slice(start, start + 7)
                np.testing.assert_array_equal(_sorted(rows[part]), _sorted(expected[part]))


def _sorted(rows: np.ndarray) -> np.ndarray:
    return rows[np.lexsort(rows.T)]


@pytest.mark.parametrize("shuffle", [False, "batch", True])
def test_order_is_drawn_from_the_seed_and_can_be_resumed(shuffle: Any, tmp_path: Path) -> None:
    array = memmap(tmp_path, values())

    def source() -> Any:
        nkeras.utils.set_random_seed(5)
        return adapt(array, batch_size=7, shuffle=shuffle)

    one = source()
    first, second = joined(one), joined(one)
    again = source()
    assert _equal(joined(again), first)
    assert _equal(joined(again), second)
    assert _equal(first, second) == (shuffle is False)
    for skipped in (1, 13, 14, 50, 143):
        rest = source()
        assert _equal(joined(rest, skipped), first[skipped:])
        assert _equal(joined(rest), second)


def _equal(left: list[np.ndarray], right: list[np.ndarray]) -> bool:
    return len(left) == len(right) and all(map(np.array_equal, left, right))


def test_rows_keep_together(tmp_path: Path) -> None:
    x = memmap(tmp_path, values())
    y = np.arange(SAMPLES)
    other = dataset(tmp_path, values("int32"), chunks=(50, 3))
    for shuffle in (False, "batch", True):
        for batch in adapt({"a": x, "b": [other, None]}, y, y * 2.0, 10, None, shuffle).batches():
            features, labels, weights = batch
            np.testing.assert_array_equal(features["a"][:, 0], 3.0 * labels)
            np.testing.assert_array_equal(features["b"][0][:, 1], 3 * labels + 1)
            assert features["b"][1] is None
            np.testing.assert_array_equal(weights, 2.0 * labels)
            assert weights.dtype == "float32"


def test_shuffled_rows_are_well_mixed(tmp_path: Path) -> None:
    """Files that are sorted by class give batches of several classes."""
    (tmp_path / "x.bin").write_bytes(values().tobytes())
    x = np.memmap(tmp_path / "x.bin", "float32", "r", shape=(SAMPLES, 3))
    nkeras.utils.set_random_seed(1)
    found = np.concatenate(joined(adapt(x, batch_size=50, shuffle=True)))[:, 0]
    distance = np.abs(found / 3 - np.arange(SAMPLES))
    assert distance.mean() > SAMPLES / 4  # a third for a random order
    classes = found[:1000].reshape(20, 50) // (3 * SAMPLES / 5)
    assert min(len(set(batch)) for batch in classes.tolist()) >= 4


def test_small_arrays_are_arrays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "READ_WHOLE", 10**6)
    for array in (memmap(tmp_path, values()), dataset(tmp_path, values())):
        nkeras.utils.set_random_seed(2)
        source = adapt(array, batch_size=7, shuffle=True)
        assert isinstance(source, ArraySource)
        nkeras.utils.set_random_seed(2)
        assert _equal(joined(source), joined(adapt(values(), batch_size=7, shuffle=True)))


def test_results_of_arithmetic_are_arrays(tmp_path: Path) -> None:
    assert isinstance(adapt(memmap(tmp_path, values()) + 1.0), ArraySource)


def test_unshuffled_batches_are_views(tmp_path: Path) -> None:
    batches = list(adapt(memmap(tmp_path, values()), batch_size=10).batches())
    assert batches[0].base is batches[1].base is not None


def test_class_weight(tmp_path: Path) -> None:
    x, y = memmap(tmp_path, values()), np.arange(SAMPLES) % 2
    labels = dataset(tmp_path, y.astype("int64"))
    for targets in (y, labels):
        source = adapt(x, targets, None, 10, None, True, {0: 1.0, 1: 3.0})
        for _, classes, weights in source.batches():
            np.testing.assert_array_equal(weights, 1.0 + 2.0 * classes)
    with pytest.raises(ValueError, match="at the same time"):
        adapt(x, y, y, class_weight={0: 1.0})


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda x: adapt(x, np.zeros(4)), "Data cardinality is ambiguous"),
        (lambda x: adapt(x[:0]), "There is no data"),
        (lambda x: adapt(x, {"a": x, "b": x}, class_weight={0: 1.0}), "with a single output"),
    ],
)
def test_errors(call: Any, text: str, tmp_path: Path) -> None:
    for array in (memmap(tmp_path, values()), dataset(tmp_path, values())):
        with pytest.raises(ValueError, match=text):
            call(array)


def test_text_in_hdf5_is_text(tmp_path: Path) -> None:
    file = h5py.File(tmp_path / "text.h5", "w")
    text = file.create_dataset("x", data=["a", "b"] * 500)
    assert next(adapt(text, batch_size=2).batches()).tolist() == [b"a", b"b"]


def test_errors_of_reading_come_out_and_no_thread_is_left(tmp_path: Path) -> None:
    array = dataset(tmp_path, values())
    source = adapt(array, batch_size=10)
    before = threading.active_count()
    batches = source.batches()
    next(batches)
    array.file.close()
    with pytest.raises(RuntimeError, match="dataspace"):
        list(batches)
    assert threading.active_count() == before
    batches = adapt(memmap(tmp_path, values()), batch_size=10).batches()
    next(batches)
    batches.close()
    assert threading.active_count() == before


def model() -> nkeras.Sequential:
    nkeras.utils.set_random_seed(0)
    found = nkeras.Sequential([nkeras.Input((3,)), nkeras.layers.Dense(1)])
    found.compile(nkeras.optimizers.SGD(1e-8), "mse")
    return found


@pytest.mark.parametrize("backend", ["numpy", pytest.param("numba_cpu", marks=pytest.mark.long)])
def test_training_is_that_on_arrays(backend: str, tmp_path: Path) -> None:
    with nkeras.use_backend(backend):
        _train(tmp_path)


def _train(tmp_path: Path) -> None:
    y = values().sum(1)
    for array in (memmap(tmp_path, values("float64")), dataset(tmp_path, values())):
        ours, theirs = model(), model()
        options: dict[str, Any] = {"shuffle": False, "verbose": 0, "validation_split": 0.2}
        found = ours.fit(array, y, epochs=2, **options).history
        expected = theirs.fit(values(), y, epochs=2, **options).history
        assert found == expected
        np.testing.assert_array_equal(
            ours.predict(array, verbose=0), theirs.predict(values(), verbose=0)
        )
        assert ours.evaluate(array, y, verbose=0) == theirs.evaluate(values(), y, verbose=0)
        assert ours.predict(array[:20], verbose=0).shape == (20, 1)


def test_steps_per_epoch_go_on_where_the_epoch_before_ended(tmp_path: Path) -> None:
    array = memmap(tmp_path, values())
    epochs = Epochs(adapt(array, batch_size=100), 4)
    firsts = [
        int(batch[0, 0]) // 300
        for _ in range(2)
        for _, _, found in epochs.steps()
        for batch in found
    ]
    assert firsts == [0, 1, 2, 3, 4, 5, 6, 7]
    epochs.close()


SCRIPT = """
import resource, sys
import numpy as np
import nkeras
nkeras.set_backend("numpy")
resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30))
ROWS = 20 * 2**30 // 4096
x = np.memmap(sys.argv[1], "float32", "r", shape=(ROWS, 1024))
y = np.zeros((ROWS, 1), "int8")
try:
    np.zeros(2**31, "int8")
    raise SystemExit("there is no limit")
except MemoryError:
    pass
model = nkeras.Sequential([nkeras.Input((1024,)), nkeras.layers.Dense(1)])
model.compile("sgd", "mse", steps_per_execution=4)
for shuffle in (True, False, "batch"):
    model.fit(x, y, batch_size=512, steps_per_epoch=24, shuffle=shuffle, verbose=0)
options = {"validation_split": 0.01, "validation_steps": 4, "verbose": 0}
model.fit(x, y, batch_size=512, steps_per_epoch=4, **options)
model.evaluate(x, y, batch_size=512, steps=4, verbose=0)
model.predict(x, batch_size=512, steps=4, verbose=0)
"""


@pytest.mark.long
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit is Linux'")
def test_twenty_gigabytes_in_one(tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    with open(path, "wb") as file:
        file.truncate(20 * 2**30)  # a sparse file takes no room on the disk
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
