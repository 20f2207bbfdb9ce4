"""Weights in several files: as Keras has them, and never files of two saves together."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import nkeras
from nkeras import layers
from nkeras.saving import shards
from tests.harness import oracle

KILOBYTE = 1 / 1024**2  # in gigabytes


def make(fill: float = 0.0) -> Any:
    model = nkeras.Sequential(
        [
            nkeras.Input((8,)),
            layers.Dense(24, name="a"),
            layers.Dropout(0.5, name="drop"),
            layers.Dense(9, name="b"),
        ]
    )
    for number, weight in enumerate(model.weights):
        weight.assign(np.full(weight.shape, number + fill))
    return model


def filled(path: Path) -> float:
    """What the weights in the files were made with."""
    model = make(-1000.0)
    model.load_weights(path)
    (fill,) = {float(w.min()) - n for n, w in enumerate(model.get_weights())}
    return fill


def shard_names(path: Path) -> set[str]:
    found = json.loads(path.read_text())["weight_map"].values()
    return {name for names in found for name in ([names] if isinstance(names, str) else names)}


def test_files_are_those_of_keras(tmp_path: Path) -> None:
    path = tmp_path / "m.weights.json"
    make(5.0).save_weights(path, max_shard_size=KILOBYTE)
    assert sorted(os.listdir(tmp_path)) == ["m.weights.json", *sorted(shard_names(path))]
    said = json.loads(path.read_text())
    assert said["metadata"]["total_size"] == 4 * (8 * 24 + 24 + 24 * 9 + 9) + 8
    assert said["weight_map"]["/layers/dense/vars"] == "m_00000.weights.h5"
    assert said["weight_map"]["/layers/dense_1/vars"] == "m_00001.weights.h5"
    for name in shard_names(path):
        arrays: list[int] = []
        with h5py.File(tmp_path / name) as file:
            file.visititems(lambda _, x: arrays.append(getattr(x, "nbytes", 0)))  # noqa: B023
        assert 0 < sum(arrays) <= 1024
    assert filled(path) == 5.0


SPLIT = """
def make(keras):
    x = keras.Input((3,))
    y = keras.layers.Dense(4, name="a")(x)
    return keras.Model(x, keras.layers.LSTM(4, name="b")(y[:, None]))
"""


@oracle.requires_keras
@pytest.mark.parametrize("size", [0.26, 0.35, 1000])
def test_both_ways_with_keras(size: float, tmp_path: Path) -> None:
    # Weights of one layer lie in several files.
    names: dict[str, Any] = {}
    exec(SPLIT, names)
    model = names["make"](nkeras)
    theirs, ours = tmp_path / "theirs.weights.json", tmp_path / "ours.weights.json"
    before = oracle.run(
        SPLIT + "model = make(keras); model.save_weights(path, max_shard_size=size)\n"
        "result = model.get_weights()",
        path=str(theirs),
        size=size * KILOBYTE,
    )
    model.load_weights(theirs)
    for mine, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, other)
    for _ in range(3):  # the files of a set that replaces another one have other numbers
        model.set_weights([weight + 1 for weight in model.get_weights()])
        model.save_weights(ours, max_shard_size=size * KILOBYTE)
        after = oracle.run(
            SPLIT + "model = make(keras); model.load_weights(path); result = model.get_weights()",
            path=str(ours),
        )
        for mine, other in zip(model.get_weights(), after, strict=True):
            np.testing.assert_array_equal(mine, other)


def test_a_new_set_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "m.weights.json"
    foreign = tmp_path / "m_00009.weights.h5"
    foreign.write_bytes(b"mine")
    for number, size in enumerate((0.9, 2, 1, 100, 1)):
        make(number).save_weights(path, max_shard_size=size * KILOBYTE)
        assert filled(path) == number
        assert set(os.listdir(tmp_path)) == {
            "m.weights.json",
            "m_00000.weights.h5",  # Keras opens it in any case
            "m_00009.weights.h5",
            *shard_names(path),
        }
    assert foreign.read_bytes() == b"mine"


def test_other_endings(tmp_path: Path) -> None:
    model = make()
    with pytest.warns(UserWarning, match=r"becomes .*m\.weights\.json'"):
        model.save_weights(tmp_path / "m.weights.h5", max_shard_size=1)
    assert sorted(os.listdir(tmp_path)) == ["m.weights.json", "m_00000.weights.h5"]
    with pytest.raises(ValueError, match="argument `max_shard_size` says how many gigabytes"):
        model.save_weights(tmp_path / "m.weights.json")
    with pytest.raises(ValueError, match=r"must end in \.weights\.json"):
        model.save_weights(tmp_path / "m.json", max_shard_size=1)
    for size in (0, -1, "1", True, float("nan")):
        with pytest.raises(ValueError, match="`max_shard_size` must be a number of gigabytes"):
            model.save_weights(tmp_path / "m.weights.json", max_shard_size=size)  # type: ignore[arg-type]


def test_an_array_larger_than_a_file(tmp_path: Path) -> None:
    path = tmp_path / "m.weights.json"
    make(1.0).save_weights(path, max_shard_size=KILOBYTE)
    with pytest.raises(ValueError, match=r"/layers/dense/vars/0 has 7\.15e-07 gigabytes"):
        make(2.0).save_weights(path, max_shard_size=KILOBYTE / 2)
    assert filled(path) == 1.0
    assert set(os.listdir(tmp_path)) == {"m.weights.json", *shard_names(path)}
    with pytest.raises(ValueError, match="more than max_shard_size"):
        make(2.0).save_weights(tmp_path / "n.weights.json", max_shard_size=KILOBYTE / 2)
    assert not list(tmp_path.glob("n*"))


def test_a_full_disk_leaves_the_old_set(tmp_path: Path) -> None:
    path = tmp_path / "m.weights.json"
    make(1.0).save_weights(path, max_shard_size=KILOBYTE)
    before = set(os.listdir(tmp_path))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, limits[1]))
        with pytest.raises(OSError, match="rite"):
            make(2.0).save_weights(path, max_shard_size=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert filled(path) == 1.0
    assert set(os.listdir(tmp_path)) == before


KILLED = """
import os, signal, sys
from pathlib import Path
import nkeras
nkeras.set_backend("numpy")
from tests.saving.test_shards import KILOBYTE, filled, make

path = Path(sys.argv[1])
old, new = make(1.0), make(2.0)
found, moment = [], 0
while True:
    old.save_weights(path, max_shard_size=0.9 * KILOBYTE)
    child = os.fork()
    if not child:
        left = moment

        def last(run):
            def counted(*args, **kwargs):
                global left
                if not left:
                    os.kill(os.getpid(), signal.SIGKILL)
                left -= 1
                return run(*args, **kwargs)
            return counted

        for name in ("replace", "fsync", "unlink"):
            setattr(os, name, last(getattr(os, name)))
        new.save_weights(path, max_shard_size=KILOBYTE)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    found.append(filled(path))
    assert path.with_name("m_00000.weights.h5").exists()
    if status == 0:
        break
    moment += 1
print(*found)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be copied here")
def test_a_kill_at_any_moment_leaves_the_old_set_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "m.weights.json"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLED, path],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    found = done.stdout.split()
    assert len(found) > 10
    assert re.fullmatch(r"(1\.0 )+2\.0( 2\.0)*", " ".join(found))


def test_two_writers_never_mix(tmp_path: Path) -> None:
    path = tmp_path / "m.weights.json"
    models = [make(float(number)) for number in range(4)]
    sizes = [0.9, 1, 2, 4]
    threads = [
        threading.Thread(target=shards.save, args=(model, path, size * KILOBYTE))
        for model, size in zip(models, sizes, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert filled(path) in (0.0, 1.0, 2.0, 3.0)
    assert set(os.listdir(tmp_path)) == {
        "m.weights.json",
        "m_00000.weights.h5",
        *shard_names(path),
    }


def test_files_of_another_save_are_refused(tmp_path: Path) -> None:
    for number, folder in enumerate("ab"):
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / "m.weights.json"
        make(number).save_weights(path, max_shard_size=KILOBYTE)
    os.replace(tmp_path / "b" / "m_00001.weights.h5", tmp_path / "a" / "m_00001.weights.h5")
    model = make(7.0)
    for folder, message in (
        ("a", r"m\.weights\.json: the file 'm_00001\.weights\.h5' belongs to another save"),
        ("b", r"m\.weights\.json: the file 'm_00001\.weights\.h5' is missing"),
    ):
        with pytest.raises(ValueError, match=message):
            model.load_weights(tmp_path / folder / "m.weights.json")
    assert model.get_weights()[0].min() == 7.0


def test_a_set_that_is_replaced_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.weights.json"
    make(1.0).save_weights(path, max_shard_size=KILOBYTE)
    read = shards._Described

    def described(path: Path) -> Any:
        found = read(path)
        monkeypatch.setattr(shards, "_Described", read)
        make(2.0).save_weights(path, max_shard_size=KILOBYTE)
        return found

    monkeypatch.setattr(shards, "_Described", described)
    assert filled(path) == 2.0


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ([], "the configuration describes no object"),
        ({}, "does not say which file has which weights"),
        ({"weight_map": []}, "does not say which file has which weights"),
        ({"weight_map": {"/a": "../m.weights.h5"}}, "which is no name of a file beside it"),
        ({"weight_map": {"/a": "/etc/m.weights.h5"}}, "which is no name of a file beside it"),
        ({"weight_map": {"/a": "x\\m.weights.h5"}}, "which is no name of a file beside it"),
        ({"weight_map": {"/a": "c:m.weights.h5"}}, "which is no name of a file beside it"),
        ({"weight_map": {"/a": "passwd"}}, "which is no name of a file beside it"),
        ({"weight_map": {"/a": [1]}}, "which is no name of a file beside it"),
        ({"weight_map": {"/a": {"b": 1}}}, "which is no name of a file beside it"),
        ({"weight_map": {"/a": "m.weights.h5"}, "metadata": 3}, "does not say which file"),
        ({"weight_map": {f"/{i}": f"{i}.weights.h5" for i in range(5000)}}, "names 5000 files"),
        ({"weight_map": {"/a": "gone.weights.h5"}}, "'gone.weights.h5' is missing"),
    ],
)
def test_hostile_sets(said: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "m.weights.json"
    path.write_text(json.dumps(said))
    with pytest.raises(ValueError, match=message) as raised:
        make().load_weights(path)
    assert str(raised.value).startswith("m.weights.json: ")
    # Nothing that such a file names is removed by a save.
    (tmp_path / "gone.weights.h5").write_bytes(b"mine")
    make(3.0).save_weights(path, max_shard_size=KILOBYTE)
    assert filled(path) == 3.0
    assert (tmp_path / "gone.weights.h5").read_bytes() == b"mine"


def test_an_array_in_two_files(tmp_path: Path) -> None:
    path = tmp_path / "m.weights.json"
    make().save_weights(path, max_shard_size=KILOBYTE)
    said = json.loads(path.read_text())
    del said["metadata"]["nkeras_save"]
    said["weight_map"]["/layers/dense/vars"] = ["m_00000.weights.h5", "copy.weights.h5"]
    path.write_text(json.dumps(said))
    (tmp_path / "copy.weights.h5").write_bytes((tmp_path / "m_00000.weights.h5").read_bytes())
    with pytest.raises(ValueError, match="'/layers/dense/vars/0' is there twice"):
        make().load_weights(path)


@oracle.requires_keras
def test_weights_as_npz_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    oracle.run(
        "from keras.src.saving import saving_lib\n"
        "model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])\n"
        "saving_lib.save_model(model, path, weights_format='npz')\nresult = None",
        path=str(path),
    )
    with pytest.raises(ValueError, match=r"m\.keras: the weights lie in model\.weights\.npz"):
        nkeras.models.load_model(path)
