"""Readers of files, each fed with damaged forms of a good file, in a process of its own.

    python -m tests.saving.fuzz_targets FOLDER '{"configurations": 100}' [SECONDS]

prints a line of JSON for each target, with the first form that it does not read as it must: it
loads with the numbers that are in the file, or is refused by a short ValueError or TypeError, in
little time and memory, without doing anything. The form itself stays in the folder. Without
seconds, hypothesis tries the same forms in each run; with them, others until the time is over.
`tests/saving/fuzz_atheris.py` has the same targets.
"""

from __future__ import annotations

import io
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import nkeras
from nkeras import layers, ops, saving
from tests.saving import mutations

SECONDS = 10  # of the processor, for one file
MEGABYTES = 300
_QUIET = ("nkeras", "numpy", "h5py", "encodings", "traceback", "linecache", "difflib", "zipfile")
_REFUSED = ("exec", "compile", "import", "open", "marshal.loads", "pickle.find_class", "os.system")
_REFUSED += ("subprocess.Popen", "socket.connect", "socket.__new__", "ctypes.dlopen", "os.mkdir")
_REFUSED += ("code.__new__", "shutil.copyfile", "os.symlink", "os.rename", "tempfile.mkstemp")


class TooSlow(BaseException):
    """A file took more time than any of its size should."""


# Good files.


def _images() -> Any:
    inputs = nkeras.Input((8, 8, 3), name="images")
    x = layers.Conv2D(2, 3, activation="relu", name="conv")(inputs)
    x = layers.BatchNormalization(name="norm")(x)
    y = layers.MaxPooling2D(name="pool")(x)
    z = ops.mean(x[:, ::3, 1:], axis=(1, 2), keepdims=True)
    y = layers.Concatenate(axis=1, name="join")(
        [layers.Reshape((9, 2))(y), ops.reshape(z, (-1, 1, 2))]
    )
    y = layers.Dense(2, kernel_regularizer="l2", name="out")(layers.Flatten()(y))
    return nkeras.Model(inputs, {"out": ops.add(y, np.ones(2, "float32"))}, name="images_model")


def _sequences() -> Any:
    return nkeras.Sequential(
        [
            nkeras.Input((5,), dtype="int32"),
            layers.Embedding(7, 4),
            layers.Bidirectional(layers.LSTM(2, return_sequences=True, dropout=0.1)),
            layers.LayerNormalization(),
            nkeras.Sequential([layers.TimeDistributed(layers.Dense(2)), layers.Dropout(0.2)]),
            layers.RNN([layers.GRUCell(2), layers.SimpleRNNCell(3)]),
            layers.Dense(1, kernel_constraint="max_norm", bias_initializer="ones"),
        ],
        name="sequences_model",
    )


@cache
def models() -> tuple[Any, ...]:
    """Models with most of what a configuration may hold, trained a little or not at all."""
    images, sequences = _images(), _sequences()
    schedule = nkeras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    images.compile(nkeras.optimizers.Adam(schedule), {"out": "mse"}, metrics={"out": ["mae"]})
    images.fit(np.ones((2, 8, 8, 3), "float32"), {"out": np.ones((2, 2))}, verbose=0)
    sequences.compile("sgd", nkeras.losses.BinaryCrossentropy(), weighted_metrics=["accuracy"])
    return images, sequences


@cache
def archives() -> tuple[dict[str, bytes], ...]:
    """The members of the models' files."""
    found: list[dict[str, bytes]] = []
    for model in models():
        file = io.BytesIO()
        model.save(file)
        with zipfile.ZipFile(file) as archive:
            found.append({name: archive.read(name) for name in archive.namelist()})
    return tuple(found)


@cache
def _written(ending: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model{ending}"
        if ending in (".weights.h5", ".safetensors"):
            models()[0].save_weights(path)
        elif ending == ".onnx":
            _tabular().export(path, format="onnx", verbose=False)
        else:
            models()[0].save(path)
        return path.read_bytes()


def _tabular() -> Any:
    inputs = nkeras.Input((6,), name="x")
    y = layers.BatchNormalization()(layers.Dense(4, activation="relu")(inputs))
    y = ops.concatenate([ops.softmax(y)[:, 1:], ops.reshape(inputs, (-1, 6))], axis=-1)
    return nkeras.Model(inputs, layers.Dense(2)(y))


@cache
def _configs() -> tuple[Any, ...]:
    return tuple(json.loads(members["config.json"]) for members in archives())


# What is done with the bad ones: each target writes a file and returns what reads it.

Reader = Callable[[], Any]
TARGETS: dict[str, Callable[[Random, Path], tuple[Path, Reader]]] = {}


def _target(make: Callable[[Random, Path], tuple[Path, Reader]]) -> Any:
    TARGETS[make.__name__.strip("_")] = make
    return make


def _archive(folder: Path, members: dict[str, bytes]) -> tuple[Path, Reader]:
    path = folder / "bad.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path, lambda: saving.load_model(path)


@_target
def configurations(random: Random, folder: Path) -> tuple[Path, Reader]:
    number = random.randrange(len(archives()))
    text = mutations.text(random, _configs()[number])
    return _archive(folder, {**archives()[number], "config.json": text})


@_target
def weights(random: Random, folder: Path) -> tuple[Path, Reader]:
    members = random.choice(archives())
    changed = mutations.hdf5(random, members["model.weights.h5"])
    return _archive(folder, {**members, "model.weights.h5": changed})


@_target
def containers(random: Random, folder: Path) -> tuple[Path, Reader]:
    path = folder / "bad.keras"
    path.write_bytes(mutations.archive(random, random.choice(archives())))
    return path, lambda: saving.load_model(path)


def _into_model(path: Path) -> Reader:
    model = nkeras.models.clone_model(models()[0])

    def read() -> Any:
        model.load_weights(path)
        return model

    return read


@_target
def weight_files(random: Random, folder: Path) -> tuple[Path, Reader]:
    path = folder / "bad.weights.h5"
    path.write_bytes(mutations.hdf5(random, _written(".weights.h5")))
    return path, _into_model(path)


@_target
def safetensors(random: Random, folder: Path) -> tuple[Path, Reader]:
    path = folder / "bad.safetensors"
    good = _written(".safetensors")
    length = int.from_bytes(good[:8], "little")
    header = json.loads(good[8 : 8 + length])
    places = json.loads(header["__metadata__"]["nkeras.places"])
    if random.random() < 0.3:
        places = mutations.structure(random, places)
        header = {**header, "__metadata__": {"nkeras.places": json.dumps(places)}}
        text = json.dumps(header).encode()
    else:
        text = mutations.text(random, header)
    size = len(text) if random.random() < 0.9 else random.choice([0, 1, len(text) + 1, 2**63])
    content = size.to_bytes(8, "little") + text + good[8 + length :]
    path.write_bytes(mutations.raw(random, content) if random.random() < 0.2 else content)
    return path, _into_model(path)


@cache
def _shards() -> tuple[Any, dict[str, bytes]]:
    with tempfile.TemporaryDirectory() as folder:
        models()[0].save_weights(Path(folder) / "bad.weights.json", max_shard_size=1e-6)
        files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    return json.loads(files.pop("bad.weights.json")), files


@_target
def shards(random: Random, folder: Path) -> tuple[Path, Reader]:
    described, files = _shards()
    for name, content in files.items():
        if random.random() < 0.1:
            content = mutations.hdf5(random, content)
        (folder / name).write_bytes(content)
    path = folder / "bad.weights.json"
    path.write_bytes(mutations.text(random, described))
    return path, _into_model(path)


@_target
def legacy(random: Random, folder: Path) -> tuple[Path, Reader]:
    path = folder / "bad.h5"
    file = io.BytesIO(_written(".h5"))
    with h5py.File(file, "a") as opened:
        name = random.choice(["model_config", "training_config"])
        if random.random() < 0.8:
            opened.attrs[name] = np.bytes_(mutations.text(random, json.loads(opened.attrs[name])))
    content = file.getvalue()
    path.write_bytes(mutations.hdf5(random, content) if random.random() < 0.3 else content)
    return path, lambda: saving.load_model(path)


@_target
def onnx_files(random: Random, folder: Path) -> tuple[Path, Reader]:
    import onnx

    path = folder / "bad.onnx"
    changed = mutations.message(random, onnx.ModelProto.FromString(_written(".onnx")))
    content = changed.SerializeToString()
    path.write_bytes(mutations.raw(random, content) if random.random() < 0.3 else content)
    return path, lambda: nkeras.models.from_onnx(path) and None


@_target
def bytes_of_hdf5(random: Random, folder: Path) -> tuple[Path, Reader]:
    """These may crash HDF5 itself."""
    path = folder / "bad.weights.h5"
    path.write_bytes(mutations.raw(random, _written(".weights.h5"), random.choice([4, 6])))
    return path, _into_model(path)


# What must hold.


class Watch:
    """Notes what Python does while a file is read."""

    def __init__(self) -> None:
        self.path: Path | None = None
        self.did: list[str] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.path is None or event not in _REFUSED:
            return
        what = str(arguments[0]) if arguments else ""
        if event == "import" and what.startswith(_QUIET):
            return
        if event == "open" and (
            what.startswith(str(self.path.parent)) or what.endswith((".py", ".pyc"))
        ):
            return
        if event in ("exec", "compile") and "nkeras" in what:
            return
        self.did.append(f"{event} {what}"[:200])


def limit_memory() -> None:
    """Of this process, some more than it has."""
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + (3 << 29),) * 2)


def be_punctual() -> None:
    """A file that takes too long is an error."""

    def late(*_: object) -> None:
        raise TooSlow

    signal.signal(signal.SIGVTALRM, late)


def _stored(path: Path) -> Iterator[np.ndarray]:
    """All arrays of a file or of those beside it, read without nkeras."""
    for file in path.parent.iterdir():
        opened: Any = file
        if file.suffix == ".keras":
            with zipfile.ZipFile(file) as archive:
                opened = io.BytesIO(archive.read("model.weights.h5"))
        elif file.suffix == ".safetensors":
            from safetensors.numpy import load

            yield from load(file.read_bytes()).values()
            continue
        elif file.suffix != ".h5":
            continue
        with h5py.File(opened, "r") as hdf5:
            yield from _arrays(hdf5)


def _arrays(group: Any) -> Iterator[np.ndarray]:
    for name in group:
        if isinstance(group.get(name, getlink=True), h5py.HardLink):
            thing = group[name]
            if isinstance(thing, h5py.Group):
                yield from _arrays(thing)
            elif thing.shape is not None:
                yield np.asarray(thing)


def _check_numbers(model: Any, path: Path) -> None:
    if not hasattr(model, "weights"):
        return
    known: dict[tuple[int, ...], list[np.ndarray]] = {}
    for array in _stored(path):
        known.setdefault(array.shape, []).append(array)
    for variable in model.weights:
        value = variable.numpy()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numbers of other ranges
            found = any(
                array.astype(value.dtype).tobytes() == value.tobytes()
                for array in known.get(value.shape, [])
                if array.dtype.kind != "V"
            )
        assert found, f"the numbers of {variable.path} are not in the file"


def check(path: Path, read: Reader, watch: Watch) -> str:
    """One file; returns the message of the refusal."""
    message = ""
    for _ in range(2):  # modules may be imported late, but not twice
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        watch.path, watch.did = path, []
        signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
        model = None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = read()
        except (ValueError, TypeError) as error:
            message = str(error)
            assert 0 < len(message) <= 700, message
            assert message.startswith(("bad", "from_onnx: ")), message
            assert message.count("\n") <= 2, message
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            watch.path = None
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
        assert grown < MEGABYTES, f"{grown} megabytes"
        if not watch.did:
            break
    assert not watch.did, watch.did
    if model is not None:
        _check_numbers(model, path)
    return message


def attempt(name: str, random: Random, folder: Path, watch: Watch) -> str:
    """One form for a target; the file stays in the folder."""
    inside = folder / name
    shutil.rmtree(inside, ignore_errors=True)
    inside.mkdir(parents=True)
    path, read = TARGETS[name](random, inside)
    return check(path, read, watch)


def _hunt(name: str, folder: Path, watch: Watch, examples: int, number: int | None) -> None:
    @settings(
        max_examples=examples,
        derandomize=number is None,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(st.randoms(use_true_random=False))
    def test(random: Random) -> None:
        attempt(name, random, folder, watch)

    (test if number is None else seed(number)(test))()


def main(folder: Path, examples: dict[str, int], seconds: float = 0.0) -> None:
    """Try targets in turn."""
    archives()
    for family in ("losses", "metrics", "initializers", "activations", "quantizers", "random"):
        __import__(f"nkeras.{family}")
    limit_memory()
    be_punctual()
    watch = Watch()
    os.chdir(folder)
    for name, count in examples.items():
        end = time.monotonic() + seconds / len(examples)
        number, failure = 0, ""
        print(f"{name}: begun", file=sys.stderr, flush=True)
        try:
            _hunt(name, folder, watch, count, None)
            while time.monotonic() < end:
                number += 1
                _hunt(name, folder, watch, count, number)
        except BaseException as error:
            failure = f"{type(error).__name__} {error}"
        print(json.dumps([name, number, failure]), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]), float((sys.argv[3:] or [0])[0]))
