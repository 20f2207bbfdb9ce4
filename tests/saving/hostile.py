"""Files that nobody should trust, made here and not stored: each must be refused."""

from __future__ import annotations

import base64
import io
import json
import marshal
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import nkeras

SECRET = "written by a file"  # what a file that runs code would leave behind

_MAKERS: dict[str, Callable[[Path], Path]] = {}


def _hostile(make: Callable[[Path], Path]) -> Callable[[Path], Path]:
    _MAKERS[make.__name__.strip("_")] = make
    return make


def files(folder: Path) -> Iterator[tuple[str, Path]]:
    """All hostile files, by what is wrong with them."""
    for name, make in _MAKERS.items():
        inside = folder / name
        inside.mkdir()
        yield name, make(inside)


def model() -> Any:
    """What the files pretend to be."""
    made = nkeras.Sequential(
        [nkeras.Input((4,)), nkeras.layers.Dense(3, name="first"), nkeras.layers.Dense(2)],
        name="model",
    )
    made.compile("adam", "mse")
    return made


def saved(folder: Path) -> tuple[dict[str, Any], bytes]:
    """Configuration and weights of the model."""
    model().save(folder / "good.keras")
    with zipfile.ZipFile(folder / "good.keras") as archive:
        return json.loads(archive.read("config.json")), archive.read("model.weights.h5")


def written(folder: Path, config: Any, weights: bytes, packed: bool = False) -> Path:
    path = folder / "bad.keras"
    text = config if isinstance(config, (str, bytes)) else json.dumps(config)
    method = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", text)
        archive.writestr("model.weights.h5", weights)
    return path


def layer_changed(**changes: Any) -> Callable[[Path], Path]:
    """The first layer's description is another one."""

    def make(folder: Path) -> Path:
        config, weights = saved(folder)
        layer = config["config"]["layers"][1]
        for key, value in changes.items():
            if key == "options":
                layer["config"] |= value
            else:
                layer[key] = value
        return written(folder, config, weights)

    return make


def layers_instead(*layers: dict[str, Any], shape: list[int | None] | None = None) -> Any:
    """Other layers, and weights that they do not have."""

    def make(folder: Path) -> Path:
        config, weights = saved(folder)
        first = config["config"]["layers"][0]
        if shape is not None:
            first["config"]["batch_shape"] = shape
        config["config"]["layers"] = [first, *layers]
        config.pop("build_config", None)
        config["config"].pop("build_input_shape", None)
        return written(folder, config, weights)

    return make


def described(class_name: str, build: list[int | None] | None = None, **options: Any) -> Any:
    found = {"module": "keras.layers", "class_name": class_name, "config": options}
    if build is not None:
        found["build_config"] = {"input_shape": build}
    return found


def _code() -> str:
    function: Any = lambda x: open("escaped", "w").write("x")  # noqa: E731
    return base64.b64encode(marshal.dumps(function.__code__)).decode()


# Archives.


@_hostile
def no_archive(folder: Path) -> Path:
    path = folder / "bad.keras"
    path.write_bytes(b"PK\x03\x04" + bytes(range(256)) * 40)
    return path


@_hostile
def empty(folder: Path) -> Path:
    path = folder / "bad.keras"
    path.write_bytes(b"")
    return path


def _cut(share: float) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = written(folder, *saved(folder))
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])
        return path

    return make


for _share in (0.1, 0.5, 0.9, 0.99):
    _MAKERS[f"cut at {_share}"] = _cut(_share)


@_hostile
def damaged_weights(folder: Path) -> Path:
    path = written(folder, *saved(folder))
    content = bytearray(path.read_bytes())
    middle = content.index(b"\x89HDF") + 3000
    content[middle : middle + 200] = bytes(byte ^ 0xFF for byte in content[middle : middle + 200])
    path.write_bytes(bytes(content))
    return path


@_hostile
def member_twice(folder: Path) -> Path:
    config, weights = saved(folder)
    path = written(folder, config, weights)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("config.json", json.dumps(config))
    return path


@_hostile
def no_configuration(folder: Path) -> Path:
    path = folder / "bad.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.weights.h5", saved(folder)[1])
    return path


@_hostile
def no_weights(folder: Path) -> Path:
    path = folder / "bad.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(saved(folder)[0]))
    return path


@_hostile
def name_outside(folder: Path) -> Path:
    path = written(folder, *saved(folder))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("assets/../../escaped", SECRET)
    return path


@_hostile
def link(folder: Path) -> Path:
    path = written(folder, *saved(folder))
    info = zipfile.ZipInfo("assets/link")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info, "/etc/passwd")
    return path


@_hostile
def encrypted(folder: Path) -> Path:
    path = written(folder, *saved(folder))
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        position = content.index(mark)
        content[position + offset] |= 1
    path.write_bytes(bytes(content))
    return path


@_hostile
def configuration_bomb(folder: Path) -> Path:
    return written(folder, b" " * (1 << 28), saved(folder)[1], packed=True)


@_hostile
def weights_bomb(folder: Path) -> Path:
    return written(folder, saved(folder)[0], bytes(1 << 28), packed=True)


@_hostile
def size_that_lies(folder: Path) -> Path:
    path = written(folder, *saved(folder))
    content = bytearray(path.read_bytes())
    position = content.rindex(b"PK\x01\x02")
    struct.pack_into("<I", content, position + 24, 0x7FFFFFFF)
    path.write_bytes(bytes(content))
    return path


@_hostile
def two_sizes(folder: Path) -> Path:
    path = written(folder, *saved(folder))
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 20] ^= 0xFF  # of the packed bytes, where none are
    path.write_bytes(bytes(content))
    return path


# Configurations.


def _config(change: Callable[[Any], Any]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        config, weights = saved(folder)
        return written(folder, change(config), weights)

    return make


def _nested(config: Any) -> str:
    return "[" * 100_000 + "]" * 100_000


def _nested_objects(config: Any) -> Any:
    for _ in range(60):
        config = {"module": "keras", "class_name": "Sequential", "config": {"layers": [config]}}
    return config


_MAKERS |= {
    "no JSON": _config(lambda config: b"\xff\xfe{"),
    "no object": _config(lambda config: "[1, 2]"),
    "list instead of a model": _config(lambda config: {"class_name": "__tuple__", "config": []}),
    "slice instead of a model": _config(
        lambda config: {
            "class_name": "__slice__",
            "config": {"start": 0, "stop": 1, "step": None},
        }
    ),
    "function instead of a model": _config(
        lambda config: {"module": "keras.losses", "class_name": "function", "config": "mse"}
    ),
    "nested lists": _config(_nested),
    "nested models": _config(_nested_objects),
    "integer without end": layer_changed(options={"units": 10**30}),
    "negative units": layer_changed(options={"units": -3}),
    "units of text": layer_changed(options={"units": "3"}),
    "units of a list": layer_changed(options={"units": [3]}),
    "unknown argument": layer_changed(options={"unit": 3}),
    "no class": layer_changed(class_name="Denser"),
    "class of many lines": layer_changed(class_name="a\n" * 5000),
    "constraint that is a list": layer_changed(options={"kernel_constraint": [{}]}),
    "class of Python": layer_changed(module="subprocess", class_name="Popen"),
    "function of Python": layer_changed(module="os", class_name="system"),
    "builtin": layer_changed(module="builtins", class_name="eval"),
    "function as class": layer_changed(module="keras.utils", class_name="get_file"),
    "dunder": layer_changed(module="keras.layers", class_name="__loader__"),
    "module of ours": layer_changed(module="nkeras.core.files", class_name="replacing"),
    "module with a path": layer_changed(module="keras.layers.os", class_name="system"),
    "registered name": layer_changed(registered_name="os>system", class_name="x"),
    "callback": layer_changed(module="keras.callbacks", class_name="CSVLogger"),
    "activation of Python": layer_changed(
        options={
            "activation": {
                "module": "os",
                "class_name": "function",
                "config": "system",
                "registered_name": "system",
            }
        }
    ),
    "activation that is a layer's name": layer_changed(options={"activation": "Dense2"}),
    "initializer of Python": layer_changed(
        options={"kernel_initializer": {"module": "os", "class_name": "system", "config": {}}}
    ),
    "lambda": layer_changed(
        class_name="Lambda",
        config={
            "name": "bad",
            "function": {
                "class_name": "__lambda__",
                "config": {"code": _code(), "defaults": None, "closure": None},
            },
        },
    ),
    "lambda of Keras 2": layer_changed(
        class_name="Lambda", config={"function": [_code(), None, None], "function_type": "lambda"}
    ),
    "lambda by name": layer_changed(
        class_name="Lambda",
        config={
            "function": {"module": "os", "class_name": "function", "config": "getcwd"},
        },
    ),
    "array of objects": layer_changed(
        options={
            "kernel_initializer": {
                "module": "keras.initializers",
                "class_name": "Constant",
                "config": {
                    "value": {
                        "class_name": "__numpy__",
                        "config": {"value": [1], "dtype": "object"},
                    }
                },
            }
        }
    ),
    "metric of Python": _config(
        lambda config: {
            **config,
            "compile_config": {
                "optimizer": "adam",
                "loss": {"module": "os", "class_name": "function", "config": "system"},
            },
        }
    ),
    "optimizer of Python": _config(
        lambda config: {
            **config,
            "compile_config": {
                "optimizer": {
                    "module": "subprocess",
                    "class_name": "Popen",
                    "config": {"args": "ls"},
                }
            },
        }
    ),
}

# Sizes that the file does not hold.

BIG = 10**9
_MAKERS |= {
    "large Dense": layer_changed(options={"units": BIG}),
    "largest Dense": layer_changed(options={"units": 2**62}),
    "large build": layer_changed(build_config={"input_shape": [None, BIG]}),
    "large input": layers_instead(described("Dense", units=3), shape=[None, 10**12]),
    "large Embedding": layers_instead(described("Embedding", input_dim=BIG, output_dim=64)),
    "large LSTM": layers_instead(described("LSTM", units=10**7), shape=[None, 3, 4]),
    "large GRU": layers_instead(described("GRU", units=10**7), shape=[None, 3, 4]),
    "large RNN": layers_instead(
        described("RNN", cell=described("SimpleRNNCell", units=10**7, activation="relu")),
        shape=[None, 3, 4],
    ),
    "large stateful LSTM": layers_instead(
        described("LSTM", units=10**6, stateful=True), shape=[10**5, 3, 4]
    ),
    "long unrolled": layers_instead(
        described("SimpleRNN", units=2, unroll=True), shape=[None, 10**7, 2]
    ),
    "large Conv2D": layers_instead(
        described("Conv2D", filters=10**6, kernel_size=[1000, 1000]), shape=[None, 4000, 4000, 3]
    ),
    "large ConvLSTM": layers_instead(
        described("ConvLSTM2D", filters=10**6, kernel_size=3), shape=[None, 4, 1000, 1000, 3]
    ),
    "large STFT": layers_instead(
        described("STFTSpectrogram", frame_length=10**6, fft_length=10**7), shape=[None, 10**8]
    ),
    "large Mel": layers_instead(
        described("MelSpectrogram", fft_length=2**30, num_mel_bins=10**6), shape=[None, 10**9]
    ),
    "large normalization": layers_instead(described("BatchNormalization"), shape=[None, 10**11]),
    "large LoRA": layer_changed(options={"lora_rank": 10**10}),
    "long input": layers_instead(
        described("Flatten"), described("Dense", units=2), shape=[None, 10**6, 10**6]
    ),
}


def _constant_call(function: str, **config: Any) -> Callable[[Path], Path]:
    """A functional model that computes with numbers from the file while it is read."""

    def make(folder: Path) -> Path:
        x = nkeras.Input((4,), name="x")
        y = nkeras.layers.Dense(2, name="y")(x)
        made = nkeras.Model(x, nkeras.ops.add(y, 1.0))
        made.save(folder / "good.keras")
        with zipfile.ZipFile(folder / "good.keras") as archive:
            described = json.loads(archive.read("config.json"))
            weights = archive.read("model.weights.h5")
        number = {"class_name": "__numpy__", "config": {"value": [1.0], "dtype": "float32"}}
        described["config"]["layers"].append(
            {
                "module": "keras.src.ops.numpy",
                "class_name": function,
                "config": {"name": "bomb", **config},
                "name": "bomb",
                "inbound_nodes": [{"args": [number], "kwargs": {}}],
            }
        )
        return written(folder, described, weights)

    return make


def _call_of(function: str, shape: list[int], file: str = "numpy", **config: Any) -> Any:
    """An operation on a symbolic input whose result a trace should not make."""

    def make(folder: Path) -> Path:
        weights = saved(folder)[1]
        inputs = nkeras.Input(batch_shape=(2, 2), name="x")
        described = json.loads(nkeras.Model(inputs, nkeras.ops.exp(inputs)).to_json())
        described["config"]["layers"][0]["config"]["batch_shape"] = shape
        described["config"]["layers"][1] |= {
            "module": f"keras.src.ops.{file}",
            "class_name": function,
            "config": {"name": "exp", **config},
        }
        argument = described["config"]["layers"][1]["inbound_nodes"][0]["args"][0]
        argument["config"]["shape"] = shape
        described["config"]["layers"].append(
            {
                **nkeras.layers.serialize(nkeras.layers.Dense(2, name="y")),
                "name": "y",
                "inbound_nodes": [
                    {
                        "args": [
                            {
                                "class_name": "__keras_tensor__",
                                "config": {
                                    "shape": shape,
                                    "dtype": "float32",
                                    "keras_history": ["exp", 0, 0],
                                },
                            }
                        ],
                        "kwargs": {},
                    }
                ],
            }
        )
        described["config"]["output_layers"] = ["y", 0, 0]
        return written(folder, described, weights)

    return make


_MAKERS |= {
    "numbers repeated": _constant_call("Repeat", repeats=10**10),
    "numbers tiled": _constant_call("Tile", repeats=[10**10]),
    "numbers broadcast": _constant_call("BroadcastTo", shape=[10**6, 10**6]),
    "zeros of a large input": _call_of("ZerosLike", [10**6, 10**6]),
    "ones of a wide input": _call_of("OnesLike", [None, 10**10]),
    "one-hot of many": _call_of("OneHot", [10**4, 10**4], "nn", num_classes=10**8),
    "tri of a large input": _call_of("Tril", [10**6, 10**6]),
}


# Weights.


def _weights(change: Callable[[h5py.File], None]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        config, weights = saved(folder)
        file = io.BytesIO(weights)
        with h5py.File(file, "a") as opened:
            change(opened)
        return written(folder, config, file.getvalue())

    return make


FIRST = "layers/dense/vars"


def _other_shape(file: h5py.File) -> None:
    del file[f"{FIRST}/0"]
    file[f"{FIRST}/0"] = np.ones((4, 5), "float32")


def _of_text(file: h5py.File) -> None:
    del file[f"{FIRST}/0"]
    file[f"{FIRST}/0"] = np.array([b"x"] * 12).reshape(4, 3)


def _of_pairs(file: h5py.File) -> None:
    del file[f"{FIRST}/0"]
    file[f"{FIRST}/0"] = np.zeros((4, 3), [("a", "float32"), ("b", "float32")])


def _of_odd_floats(file: h5py.File) -> None:
    """Their exponents are larger than those of any float of NumPy."""
    del file[f"{FIRST}/0"]
    kind = h5py.h5t.IEEE_F32LE.copy()
    kind.set_ebias(1_000_000)
    h5py.h5d.create(file.id, f"/{FIRST}/0".encode(), kind, h5py.h5s.create_simple((4, 3)))


def _of_references(file: h5py.File) -> None:
    del file[f"{FIRST}/0"]
    file.create_dataset(f"{FIRST}/0", (4, 3), h5py.ref_dtype)


def _claims(shape: tuple[int, ...], **options: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[f"{FIRST}/0"]
        file.create_dataset(f"{FIRST}/0", shape, "float32", **options)

    return change


def _external(file: h5py.File) -> None:
    del file[f"{FIRST}/0"]
    file.create_dataset(f"{FIRST}/0", (4, 3), "float32", external=[("/etc/passwd", 0, 48)])


def _external_link(file: h5py.File) -> None:
    del file[f"{FIRST}/0"]
    file[f"{FIRST}/0"] = h5py.ExternalLink("/etc/passwd", "/x")


def _soft_link(file: h5py.File) -> None:
    del file[f"{FIRST}/0"]
    file[f"{FIRST}/0"] = h5py.SoftLink("/layers/dense_1/vars/0")


def _virtual(file: h5py.File) -> None:
    del file[f"{FIRST}/0"]
    layout = h5py.VirtualLayout((4, 3), "float32")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (4, 3))
    file.create_virtual_dataset(f"{FIRST}/0", layout)


def _circle(file: h5py.File) -> None:
    file["layers/dense/again"] = file["layers"]


def _second_name(file: h5py.File) -> None:
    file["layers/dense/copy"] = file[f"{FIRST}/0"]


def _deep(file: h5py.File) -> None:
    group = file["layers"]
    for _ in range(200):
        group = group.create_group("g")


_MAKERS |= {
    "no HDF5": lambda folder: written(folder, saved(folder)[0], b"\x89HDF\r\n\x1a\n" + bytes(500)),
    "another shape": _weights(_other_shape),
    "text": _weights(_of_text),
    "pairs": _weights(_of_pairs),
    "references": _weights(_of_references),
    "odd floats": _weights(_of_odd_floats),
    "missing weight": _weights(lambda file: file.__delitem__(f"{FIRST}/0")),
    "group as weight": _weights(
        lambda file: (file.__delitem__(f"{FIRST}/0"), file.create_group(f"{FIRST}/0"))[0]
    ),
    "shape bomb": _weights(_claims((10**6, 10**6), chunks=(1000, 1000))),
    "packed shape bomb": _weights(_claims((10**6, 10**6), chunks=(1000, 1000), compression="gzip")),
    "other filter": _weights(_claims((4, 3), chunks=(4, 3), scaleoffset=3)),
    "external numbers": _weights(_external),
    "external link": _weights(_external_link),
    "soft link": _weights(_soft_link),
    "virtual": _weights(_virtual),
    "circle": _weights(_circle),
    "second name": _weights(_second_name),
    "deep": _weights(_deep),
}
