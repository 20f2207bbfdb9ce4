"""Keras' data sets: small files of the same structure, by Keras' loaders and by ours."""

from __future__ import annotations

import gzip
import hashlib
import importlib
import inspect
import io
import json
import os
import random
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nkeras as keras
from nkeras.datasets import sources
from tests.harness import old_pickles, web

NAMES = """boston_housing california_housing cifar10 cifar100 fashion_mnist imdb mnist
reuters""".split()
Offer = Callable[[dict[str, bytes]], None]


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path


@pytest.fixture
def offer(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Offer]:
    """Files that a server on loopback gives instead of Keras' own, with their hashes."""
    with web.serving() as server:

        def run(files: dict[str, bytes]) -> None:
            for name, data in files.items():
                source = sources.SOURCES[name]
                file_hash = source.file_hash and hashlib.sha256(data).hexdigest()
                url = server.offer(name, data)
                changed = replace(source, url=url, file_hash=file_hash)
                monkeypatch.setitem(sources.SOURCES, name, changed)

        yield run


def npz(**arrays: np.ndarray) -> bytes:
    """As Keras' files: arrays of lists are pickles of Python 2."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            if array.dtype == object:
                header = np.lib.format.header_data_from_array_1_0(array)
                np.lib.format.write_array_header_1_0(member, header)
                member.write(old_pickles.dumps(array))
            else:
                np.lib.format.write_array(member, array)
            archive.writestr(f"{name}.npy", member.getvalue())
    return target.getvalue()


def tgz(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz", compresslevel=1) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return target.getvalue()


def texts(count: int, seed: int = 1) -> np.ndarray:
    choose = random.Random(seed)
    found = np.empty(count, object)
    for index in range(count):
        length = choose.randrange(1, 60)
        found[index] = [min(int(choose.paretovariate(0.4)), 88587) for _ in range(length)]
    return found


def images(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def idx(array: np.ndarray) -> bytes:
    head = struct.pack(f">{1 + array.ndim}I", 0x800 + array.ndim, *array.shape)
    return gzip.compress(head + array.tobytes())


FASHION = {
    "train-labels-idx1-ubyte.gz": images(7) % 10,
    "train-images-idx3-ubyte.gz": images(7, 28, 28),
    "t10k-labels-idx1-ubyte.gz": images(3) % 10,
    "t10k-images-idx3-ubyte.gz": images(3, 28, 28),
}
HOUSES = {"x": np.random.default_rng(0).random((700, 8)), "y": np.arange(700) * 0.5}
REVIEWS = {
    "x_train": texts(40),
    "y_train": np.arange(40) % 2,
    "x_test": texts(30, 2),
    "y_test": np.arange(30) % 3 % 2,
}
WIRES = {"x": texts(50, 3), "y": np.arange(50) % 46}


def cifar_batch(count: int, *keys: str, seed: int = 0) -> bytes:
    labels = {key.encode(): [(i * 7 + seed) % 20 for i in range(count)] for key in keys}
    names = [b"x_s_%06d.png" % index for index in range(count)]
    data = np.resize(images(100, 3072, seed=seed), (count, 3072))
    return old_pickles.dumps({b"filenames": names, **labels, b"data": data, b"batch_label": b"x"})


def cifar10_files(count: int) -> dict[str, bytes]:
    batches = {f"data_batch_{n}": cifar_batch(count, "labels", seed=n) for n in range(1, 6)}
    batches["test_batch"] = cifar_batch(count, "labels", seed=9)
    return {f"cifar-10-batches-py/{name}": data for name, data in batches.items()}


def cifar100_files() -> dict[str, bytes]:
    keys = ("fine_labels", "coarse_labels")
    return {
        "cifar-100-python/meta": b"",
        "cifar-100-python/train": cifar_batch(5, *keys),
        "cifar-100-python/test": cifar_batch(2, *keys, seed=1),
    }


BY_KERAS = """
import importlib, os
module = importlib.import_module(f"keras.src.datasets.{name}")
real = module.get_file
asked = []
def get_file(fname, **given):
    asked.append([fname, given])
    return paths[fname]
module.get_file = get_file
try:
    result = [getattr(module, function)(**arguments), asked]
finally:
    module.get_file = real
"""


def by_keras(
    oracle: Any, name: str, paths: dict[str, Path], function: str = "load_data", **arguments: Any
) -> Any:
    return oracle.run(
        BY_KERAS,
        name=name,
        paths={key: str(path) for key, path in paths.items()},
        function=function,
        arguments=arguments,
    )[0]


def by_us(name: str, function: str = "load_data", **arguments: Any) -> Any:
    return getattr(getattr(keras.datasets, name), function)(**arguments)


def same(ours: Any, theirs: Any) -> None:
    """Equal in types, shapes and every number."""
    assert len(ours) == len(theirs) == 2
    for mine, other in zip(ours, theirs, strict=True):
        for array, wanted in zip(mine, other, strict=True):
            assert array.dtype == wanted.dtype
            assert array.shape == wanted.shape
            assert array.tolist() == wanted.tolist()
            assert array.flags.writeable


def test_files_urls_hashes_and_defaults_are_those_of_keras(oracle: Any, tmp_path: Path) -> None:
    """What Keras' loaders ask `get_file` for, and their signatures."""
    functions = [(name, "load_data") for name in NAMES]
    functions += [("imdb", "get_word_index"), ("reuters", "get_word_index")]
    theirs = oracle.run(
        """
        import importlib, inspect
        result = []
        class Asked(Exception): pass
        for name, function in functions:
            module = importlib.import_module(f"keras.src.datasets.{name}")
            real, asked = module.get_file, []
            def get_file(fname, **given):
                asked.append([fname, given])
                if len(asked) < (4 if name == "fashion_mnist" else 1):
                    return "nothing"
                raise Asked
            module.get_file = get_file
            try:
                getattr(module, function)()
            except Asked:
                pass
            finally:
                module.get_file = real
            result.append([asked, str(inspect.signature(getattr(module, function)))])
        """,
        functions=functions,
    )
    seen = set()
    for (name, function), (asked, signature) in zip(functions, theirs, strict=True):
        ours = inspect.signature(getattr(getattr(keras.datasets, name), function))
        plain = [p.replace(annotation=p.empty) for p in ours.parameters.values()]
        assert str(inspect.Signature(plain)) == signature
        for fname, given in asked:
            source = sources.SOURCES[fname]
            assert source.url == given["origin"]
            assert source.file_hash == given.get("file_hash")
            assert source.cache_subdir == given.get("cache_subdir", "datasets")
            assert source.extract == given.get("extract", False)
            seen.add(fname)
    assert seen == set(sources.SOURCES)
    labels = oracle.run("result = keras.datasets.reuters.get_label_names()")
    assert keras.datasets.reuters.get_label_names() == labels


def test_mnist(offer: Offer, home: Path, oracle: Any) -> None:
    arrays = {
        "x_train": images(6, 28, 28),
        "y_train": images(6),
        "x_test": images(2, 28, 28),
        "y_test": images(2),
    }
    offer({"mnist.npz": npz(**arrays)})
    path = home / "datasets" / "mnist.npz"
    ours = by_us("mnist")
    same(ours, by_keras(oracle, "mnist", {"mnist.npz": path}))
    same(by_us("mnist", path="mine.npz"), ours)
    assert (home / "datasets" / "mine.npz").is_file()


def test_a_file_put_there_by_hand(offer: Offer, home: Path, capsys: Any) -> None:
    data = npz(**HOUSES)
    offer({"boston_housing.npz": data})
    path = home / "datasets" / "boston_housing.npz"
    path.parent.mkdir()
    path.write_bytes(data)
    (x_train, _), _ = keras.datasets.boston_housing.load_data()
    assert x_train.shape == (560, 8)
    assert capsys.readouterr().out == ""  # nothing was downloaded


def test_fashion_mnist(offer: Offer, home: Path, oracle: Any) -> None:
    offer({name: idx(array) for name, array in FASHION.items()})
    ours = by_us("fashion_mnist")
    folder = home / "datasets" / "fashion-mnist"
    paths = {name: folder / name for name in FASHION}
    assert sorted(path.name for path in folder.iterdir()) == sorted(FASHION)
    theirs = by_keras(oracle, "fashion_mnist", paths)
    same(ours, theirs)


@pytest.mark.parametrize("name", FASHION)
@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-9],
        lambda data: b"text" + data,
        lambda data: gzip.compress(b"\0\0\x08\2" + gzip.decompress(data)[4:]),
        lambda data: gzip.compress(gzip.decompress(data)[:-1]),
        lambda data: gzip.compress(gzip.decompress(data) + b"x"),
        lambda data: gzip.compress(gzip.decompress(data)[:4] + b"\xff" * 4),
        lambda data: gzip.compress(b""),
    ],
)
def test_fashion_mnist_that_is_damaged(offer: Offer, name: str, change: Any) -> None:
    files = {key: idx(array) for key, array in FASHION.items()}
    offer({**files, name: change(files[name])})
    with pytest.raises(ValueError, match=f"{name} is damaged") as caught:
        keras.datasets.fashion_mnist.load_data()
    assert len(str(caught.value)) <= 400


@pytest.mark.parametrize("name", ["boston_housing", "california_housing"])
@pytest.mark.parametrize(
    "arguments", [{}, {"test_split": 0.35, "seed": 7}, {"test_split": 0}, {"test_split": 0.999}]
)
def test_housing(offer: Offer, home: Path, oracle: Any, name: str, arguments: Any) -> None:
    offer({f"{name}.npz": npz(**HOUSES)})
    path = home / "datasets" / f"{name}.npz"
    ours = by_us(name, **arguments)
    same(ours, by_keras(oracle, name, {path.name: path}, **arguments))
    if name == "california_housing":
        small = by_us(name, version="small", **arguments)
        same(small, by_keras(oracle, name, {path.name: path}, version="small", **arguments))


@pytest.mark.parametrize("name", ["boston_housing", "california_housing", "reuters"])
@pytest.mark.parametrize("test_split", [-0.1, 1.01, 2, float("nan"), "0.2", None])
def test_a_test_split_that_is_none(home: Path, name: str, test_split: Any) -> None:
    with pytest.raises(ValueError, match="`test_split` must be a number from 0"):
        by_us(name, test_split=test_split)


def test_other_arguments_that_are_wrong(home: Path) -> None:
    with pytest.raises(ValueError, match='`version` must be "small" or "large"'):
        keras.datasets.california_housing.load_data(version="medium")
    with pytest.raises(ValueError, match='`label_mode` must be "fine" or "coarse"'):
        keras.datasets.cifar100.load_data(label_mode="medium")
    with pytest.raises(TypeError, match=r"no argument 'nb_words'; `nb_words` is called"):
        keras.datasets.imdb.load_data(nb_words=3)
    with pytest.raises(TypeError, match=r"no argument 'words'"):
        keras.datasets.imdb.load_data(words=3)
    for name in ("imdb", "reuters"):
        for argument in ("num_words", "maxlen", "skip_top", "start_char", "oov_char", "index_from"):
            for value in ("3", 2.5, [1], 2**40):
                with pytest.raises(ValueError, match=f"`{argument}` must be an int"):
                    by_us(name, **{argument: value})
        for argument in ("num_words", "maxlen"):
            with pytest.raises(ValueError, match=f"`{argument}` must be an int of at least 0"):
                by_us(name, **{argument: -1})


WORDS: list[dict[str, Any]] = [
    {},
    {"num_words": 100},
    {"num_words": 1e3},
    {"num_words": 50, "skip_top": 5},
    {"skip_top": 20, "oov_char": None},
    {"num_words": 30, "oov_char": None},
    {"num_words": 30, "oov_char": 0},
    {"num_words": 30, "oov_char": 99999},
    {"maxlen": 20},
    {"maxlen": 25, "start_char": None},
    {"seed": 5, "start_char": 7},
    {"start_char": None},
    {"start_char": None, "index_from": 0},
    {"start_char": None, "index_from": None, "maxlen": 30},
    {"start_char": 0, "index_from": 10, "num_words": 60, "maxlen": 40, "skip_top": 3, "seed": 2},
    {"index_from": -1},
    {"num_words": 100000},
    {"num_words": 0, "maxlen": 0},
]


@pytest.mark.parametrize("arguments", WORDS)
def test_imdb(offer: Offer, home: Path, oracle: Any, arguments: dict[str, Any]) -> None:
    offer({"imdb.npz": npz(**REVIEWS)})
    ours = by_us("imdb", **arguments)
    same(ours, by_keras(oracle, "imdb", {"imdb.npz": home / "datasets" / "imdb.npz"}, **arguments))
    assert all(type(word) is int for text in ours[0][0] for word in text)


@pytest.mark.parametrize("arguments", [*WORDS, {"test_split": 0.5}, {"test_split": 1}])
def test_reuters(offer: Offer, home: Path, oracle: Any, arguments: dict[str, Any]) -> None:
    offer({"reuters.npz": npz(**WIRES)})
    ours = by_us("reuters", **arguments)
    path = home / "datasets" / "reuters.npz"
    same(ours, by_keras(oracle, "reuters", {"reuters.npz": path}, **arguments))


def test_texts_of_one_length_stay_lists(offer: Offer) -> None:
    """Keras makes one array of them, whose rows are no lists."""
    alike = np.empty(10, object)
    alike[:] = [[1, 2]] * 10
    offer({"reuters.npz": npz(x=alike, y=np.arange(10))})
    (x_train, _), (x_test, _) = keras.datasets.reuters.load_data(num_words=9)
    assert x_train.tolist() + x_test.tolist() == [[1, 4, 5]] * 10
    assert x_train.shape == (8,)


def test_texts_without_words(offer: Offer) -> None:
    empty = np.empty(3, object)
    empty[:] = [[], [5], []]
    offer({"reuters.npz": npz(x=empty, y=np.arange(3))})
    plain = {"start_char": None, "num_words": 99}
    (x_train, y_train), (x_test, y_test) = keras.datasets.reuters.load_data(**plain)
    found = dict(zip([*y_train, *y_test], [*x_train, *x_test], strict=True))
    assert found == {0: [], 1: [8], 2: []}
    (x_train, _), _ = keras.datasets.reuters.load_data(skip_top=50, oov_char=None)
    assert x_train.tolist() == [[], []]


@pytest.mark.parametrize("name", ["imdb", "reuters"])
def test_no_text_is_short_enough(offer: Offer, name: str) -> None:
    offer({f"{name}.npz": npz(**(REVIEWS if name == "imdb" else WIRES))})
    with pytest.raises(ValueError, match="`maxlen` must be larger: no text is shorter"):
        by_us(name, maxlen=1)


@pytest.mark.parametrize(
    "arrays",
    [
        {"x": texts(5), "y": np.arange(4)},
        {"x": texts(5), "y": np.arange(5.0)},
        {"x": np.arange(10).reshape(5, 2), "y": np.arange(5)},
        {"x": np.array([1, 2, [3]], object), "y": np.arange(3)},
        {"x": np.array([[b"a"], [b"b", b"c"]], object), "y": np.arange(2)},
        {"x": np.array([[[1]], [2, 3]], object), "y": np.arange(2)},
        {"x": texts(5)},
    ],
)
def test_files_that_are_other_data(offer: Offer, arrays: dict[str, np.ndarray]) -> None:
    offer({"reuters.npz": npz(**arrays)})
    with pytest.raises(ValueError, match=r"text|array"):
        keras.datasets.reuters.load_data()


@pytest.mark.parametrize("name", ["imdb", "reuters"])
def test_word_index(offer: Offer, home: Path, oracle: Any, name: str) -> None:
    words = {"the": 1, "and": 2, "caf\u00e9": 3, "\U0001f600": 88584}
    offer({f"{name}_word_index.json": json.dumps(words).encode()})
    ours = by_us(name, "get_word_index")
    path = home / "datasets" / f"{name}_word_index.json"
    assert ours == words == by_keras(oracle, name, {path.name: path}, "get_word_index")
    assert by_us(name, "get_word_index", path="mine.json") == words


@pytest.mark.parametrize(
    "text", [b"", b"[1]", b'{"a": "b"}', b"\xff", b"[" * 100_000, b'{"a": 1.5}']
)
def test_word_index_that_is_damaged(offer: Offer, text: bytes) -> None:
    offer({"imdb_word_index.json": text})
    with pytest.raises(ValueError, match=r"imdb_word_index\.json is damaged"):
        keras.datasets.imdb.get_word_index()


@pytest.mark.parametrize("label_mode", ["fine", "coarse"])
@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
def test_cifar100(offer: Offer, home: Path, oracle: Any, label_mode: str, layout: str) -> None:
    offer({"cifar-100-python-target": tgz(cifar100_files())})
    keras.config.set_image_data_format(layout)
    ours = by_us("cifar100", label_mode=label_mode)
    folder = home / "datasets" / "cifar-100-python-target"
    oracle.run(f"keras.config.set_image_data_format({layout!r}); result = None")
    theirs = by_keras(
        oracle, "cifar100", {"cifar-100-python-target": folder}, label_mode=label_mode
    )
    oracle.run("keras.config.set_image_data_format('channels_last'); result = None")
    same(ours, theirs)
    assert ours[0][0].flags.c_contiguous


def test_cifar10(offer: Offer, home: Path, oracle: Any) -> None:
    """Keras' loader wants 10,000 images in a batch; here are four, read by its own function."""
    offer({"cifar-10-batches-py-target": tgz(cifar10_files(4))})
    (x_train, y_train), (x_test, y_test) = keras.datasets.cifar10.load_data()
    folder = home / "datasets" / "cifar-10-batches-py-target" / "cifar-10-batches-py"
    names = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
    theirs = oracle.run(
        "from keras.src.datasets.cifar import load_batch\n"
        "result = [load_batch(path) for path in paths]",
        paths=[str(folder / name) for name in names],
    )
    x = np.concatenate([images for images, _ in theirs]).transpose(0, 2, 3, 1)
    y = np.concatenate([labels for _, labels in theirs]).reshape(-1, 1)
    np.testing.assert_array_equal(np.concatenate([x_train, x_test]), x)
    np.testing.assert_array_equal(np.concatenate([y_train, y_test]), y)
    assert {a.dtype for a in (x_train, y_train, x_test, y_test)} == {np.dtype(np.uint8)}
    assert (x_train.shape, y_train.shape) == ((20, 32, 32, 3), (20, 1))
    assert (x_test.shape, y_test.shape) == ((4, 32, 32, 3), (4, 1))


@pytest.mark.long
def test_cifar10_as_a_whole(offer: Offer, home: Path, oracle: Any) -> None:
    offer({"cifar-10-batches-py-target": tgz(cifar10_files(10_000))})
    ours = by_us("cifar10")
    folder = home / "datasets" / "cifar-10-batches-py-target"
    theirs = by_keras(oracle, "cifar10", {folder.name: folder})
    for mine, other in zip([*ours[0], *ours[1]], [*theirs[0], *theirs[1]], strict=True):
        assert (mine.dtype, mine.shape) == (other.dtype, other.shape)
        np.testing.assert_array_equal(mine, other)


BATCH = {b"fine_labels": [1, 2], b"coarse_labels": [1, 2], b"data": images(2, 3072)}
BAD_BATCHES = {
    "no pickle": b"text",
    "a list": old_pickles.dumps([1]),
    "no images": {b"fine_labels": [1, 2]},
    "images of another size": {**BATCH, b"data": images(2, 3000)},
    "images of another dtype": {**BATCH, b"data": images(2, 3072).astype(np.int32)},
    "no labels": {b"data": BATCH[b"data"]},
    "too few labels": {**BATCH, b"fine_labels": [1]},
    "labels that are strings": {**BATCH, b"fine_labels": [b"1", b"2"]},
    "labels that are large": {**BATCH, b"fine_labels": [1, 256]},
}


@pytest.mark.parametrize("kind", BAD_BATCHES)
def test_batches_that_are_damaged(offer: Offer, kind: str) -> None:
    bad = BAD_BATCHES[kind]
    files = cifar100_files()
    files["cifar-100-python/train"] = bad if isinstance(bad, bytes) else old_pickles.dumps(bad)
    offer({"cifar-100-python-target": tgz(files)})
    with pytest.raises(ValueError, match="train is damaged") as caught:
        keras.datasets.cifar100.load_data()
    assert len(str(caught.value)) <= 400


def test_a_batch_that_went_missing_comes_back(offer: Offer, home: Path) -> None:
    offer({"cifar-100-python-target": tgz(cifar100_files())})
    first = keras.datasets.cifar100.load_data()
    (home / "datasets" / "cifar-100-python-target" / "cifar-100-python" / "train").unlink()
    np.testing.assert_array_equal(keras.datasets.cifar100.load_data()[0][0], first[0][0])


@pytest.mark.parametrize("name", NAMES)
def test_without_network_one_error_says_all(
    home: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: Any, **__: Any) -> Any:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr("socket.getaddrinfo", no_network)
    with pytest.raises(OSError, match="cannot be downloaded") as caught:
        by_us(name)
    text = str(caught.value)
    assert len(text) <= 400
    assert "https://" in text
    assert "Network is unreachable" in text
    assert str(home / "datasets") in text


def test_names_are_imported_when_they_are_asked_for() -> None:
    code = (
        "import sys, nkeras\n"
        "from nkeras.datasets import mnist\n"
        "assert nkeras.datasets.mnist is mnist and mnist.load_data\n"
        "assert nkeras.datasets.imdb.get_word_index\n"
        "print('nkeras.datasets.cifar10' in sys.modules, 'numba' in sys.modules)\n"
        f"assert set({NAMES}) < set(dir(nkeras.datasets))"
    )
    said = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert said.stdout.split() == ["False", "False"]
    assert importlib.import_module("nkeras.datasets.mnist").load_data
    assert os.path.basename(keras.datasets.digits.__file__) == "digits.py"
