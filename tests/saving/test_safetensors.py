"""Weights as safetensors: names, places, what the package of that name reads and writes."""

from __future__ import annotations

import io
import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nkeras
from nkeras import layers
from nkeras.saving.safetensors import Layout, Reader, unique


def make(names: tuple[str, str] = ("first", "second")) -> Any:
    first, second = names
    model = nkeras.Sequential(
        [
            nkeras.Input((3,)),
            layers.Dense(4, name=first),
            layers.Dropout(0.5, seed=3, name="drop"),
            layers.Dense(2, name=second),
        ],
        name="model",
    )
    for number, weight in enumerate(model.weights):
        weight.assign(np.full(weight.shape, number + 1.0))
    return model


def assert_same(model: Any, other: Any) -> None:
    for mine, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def zeroed(model: Any) -> Any:
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    return model


def test_the_package_reads_what_we_write(tmp_path: Path) -> None:
    model = make()
    path = tmp_path / "w.safetensors"
    model.save_weights(path)
    found = safetensors.numpy.load_file(path)
    for weight in model.weights:
        np.testing.assert_array_equal(found[weight.path], weight.numpy())
    assert set(found) == {
        *(f"model/{name}" for name in ("first/kernel", "first/bias", "second/kernel")),
        "model/second/bias",
        model.layers[1].seed_states[0].path,
    }
    with safetensors.safe_open(path, "numpy") as opened:
        assert opened.metadata()["format"] == "nkeras"
    header = int.from_bytes(path.read_bytes()[:8], "little")
    assert header % 8 == 0


def test_we_read_what_the_package_writes(tmp_path: Path) -> None:
    model = make()
    path = tmp_path / "w.safetensors"
    arrays = {weight.path: weight.numpy() for weight in reversed(model.weights)}
    safetensors.numpy.save_file(arrays, path)
    model.save(tmp_path / "m.keras")
    loaded = nkeras.models.load_model(tmp_path / "m.keras")
    assert loaded.weights[0].path == "first/kernel"
    for other in (zeroed(make()), zeroed(loaded)):
        other.load_weights(path)
        assert_same(other, model)
    arrays = {weight.path: weight.numpy() for weight in loaded.weights}
    safetensors.numpy.save_file(arrays, path)
    other = zeroed(make())
    other.load_weights(path)
    assert_same(other, model)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "uint16", "int16", "float16", "uint32"])
def test_dtypes_of_the_package(dtype: str, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    array = np.arange(6).reshape(2, 3).astype(dtype)
    safetensors.numpy.save_file(
        {"x": array, "empty": array[:, :0], "one": np.array(array[1, 1])}, path
    )
    with path.open("rb") as file:
        tensors = Reader(file, "w").tensors
        assert tensors["x"].dtype == dtype
        assert tensors["x"].nbytes == array.nbytes
        np.testing.assert_array_equal(np.asarray(tensors["x"]), array)
        assert np.asarray(tensors["empty"]).shape == (2, 0)
        assert np.asarray(tensors["one"], "float64") == array[1, 1]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_weights_of_other_dtypes(dtype: str, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    model = nkeras.Sequential([nkeras.Input((3,)), layers.Dense(2, dtype=dtype, name="d")])
    model.save_weights(path)
    assert safetensors.numpy.load_file(path)[model.weights[0].path].dtype.name == dtype
    values = model.get_weights()
    zeroed(model).load_weights(path)
    for mine, theirs in zip(model.get_weights(), values, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_another_model_of_the_structure_takes_them_by_place(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    model = make()
    model.save_weights(path)
    for names in (("other", "more"), ("second", "third")):
        other = zeroed(make(names))
        other.load_weights(path)
        assert_same(other, model)


def test_names_decide_where_all_are_there(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"

    def square(first: str, second: str) -> Any:
        return nkeras.Sequential(
            [
                nkeras.Input((3,)),
                layers.Dense(3, name=first, kernel_initializer="ones"),
                layers.Dense(3, name=second, kernel_initializer="zeros"),
            ],
            name="square",
        )

    square("a", "b").save_weights(path)
    other = square("b", "a")
    other.load_weights(path)
    np.testing.assert_array_equal(other.layers[0].kernel, np.zeros((3, 3)))
    np.testing.assert_array_equal(other.layers[1].kernel, np.ones((3, 3)))


def test_training_goes_on_with_equal_numbers(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    x, y = np.random.default_rng(0).normal(size=(2, 8, 3)).astype("float32")
    model, other = make(), zeroed(make())
    for one in (model, other):
        one.compile("adam", "mse")
    model.fit(x, y[:, :2], verbose=0, shuffle=False)
    model.save_weights(path)
    other.optimizer.build(other.trainable_variables)
    other.load_weights(path)
    for one in (model, other):
        one.fit(x, y[:, :2], epochs=2, verbose=0, shuffle=False)
    assert_same(other, model)
    model.save_weights(path)
    full = path.stat().st_size
    nkeras.saving.save_weights(model, path, objects_to_skip=[model.optimizer])
    assert path.stat().st_size < full
    assert not any("adam" in name for name in safetensors.numpy.load_file(path))


def test_paths_that_are_there_twice(tmp_path: Path) -> None:
    assert unique(["a", "a_1", "a", "a", "b"]) == ["a", "a_1", "a_2", "a_3", "b"]

    class Twin(nkeras.Model):
        def __init__(self) -> None:
            super().__init__(name="twin")
            self.one = layers.Dense(2, name="same")
            self.two = layers.Dense(2, name="same")

        def call(self, x: Any) -> Any:
            return self.one(x) + self.two(x)

    path = tmp_path / "w.safetensors"
    model = Twin()
    model(np.ones((1, 3), "float32"))
    model.save_weights(path)
    names = sorted(safetensors.numpy.load_file(path))
    assert names == [f"twin/same/{n}" for n in ("bias", "bias_1", "kernel", "kernel_1")]
    other = Twin()
    other(np.ones((1, 3), "float32"))
    other.load_weights(path)
    assert_same(other, model)


def test_entries_of_the_users_own(tmp_path: Path) -> None:
    class Table(layers.Layer):
        values: Any = None

        def build(self, shape: Any) -> None:
            self.values = np.zeros(shape[-1])

        def call(self, x: Any) -> Any:
            return x

        def save_own_variables(self, store: Any) -> None:
            store["scratch"] = self.values
            store["values"] = store["scratch"]

        def load_own_variables(self, store: Any) -> None:
            self.values = store["values"]

    path = tmp_path / "w.safetensors"
    model = nkeras.Sequential([nkeras.Input((3,)), Table(name="t")])
    model.layers[0].values = np.arange(3.0)
    model.save_weights(path)
    np.testing.assert_array_equal(
        safetensors.numpy.load_file(path)["layers/table/vars/values"], np.arange(3.0)
    )
    model.layers[0].values = None
    model.load_weights(path)
    np.testing.assert_array_equal(model.layers[0].values, np.arange(3.0))


def test_all_or_nothing_and_skipping(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    model = make()
    arrays = {weight.path: weight.numpy() for weight in model.weights}
    arrays["model/second/kernel"] = np.ones((5, 5), "float32")
    safetensors.numpy.save_file(arrays, path)
    other = zeroed(make())
    with pytest.raises(ValueError, match=r"kernel has shape \(4, 2\), in the file \(5, 5\)"):
        other.load_weights(path)
    assert not any(weight.any() for weight in other.get_weights())
    with pytest.warns(UserWarning, match="stay as they are"):
        other.load_weights(path, skip_mismatch=True)
    assert other.layers[0].kernel.numpy().all()
    assert not other.layers[2].kernel.numpy().any()
    other = zeroed(make())
    other.load_weights(path, objects_to_skip=[other.layers[2]])
    assert other.layers[0].kernel.numpy().all()
    del arrays["model/second/kernel"]
    safetensors.numpy.save_file(arrays, path)
    with pytest.raises(ValueError, match="has 2 weights, 1 of them are in the file"):
        other.load_weights(path)


def test_what_the_format_cannot_hold(tmp_path: Path) -> None:
    class Odd(layers.Layer):
        def call(self, x: Any) -> Any:
            return x

        def save_own_variables(self, store: Any) -> None:
            store["odd"] = np.zeros(3, "complex128")

    model = nkeras.Sequential([nkeras.Input((2,)), Odd()])
    with pytest.raises(ValueError, match="no dtype complex128, which 'layers/odd/vars/odd' has"):
        model.save_weights(tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match="over 16777216, with 200000 tensors"):
        Layout({f"a{i:090}": ("int8", (1,)) for i in range(200_000)}, {})
    assert os.listdir(tmp_path) == []


def test_no_second_copy_is_made(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    model = nkeras.Sequential(
        [nkeras.Input((512,))] + [layers.Dense(512, name=f"d{i}") for i in range(16)]
    )
    model.save_weights(path)
    size = path.stat().st_size
    tracemalloc.start()
    try:
        model.save_weights(path)
        assert tracemalloc.get_traced_memory()[1] < 0.2 * size
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        model.load_weights(path)
        assert tracemalloc.get_traced_memory()[1] - before < 1.3 * size
    finally:
        tracemalloc.stop()


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def file_of(header: Any, body: bytes = b"\0" * 8, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + body


HOSTILE = {
    "empty": (b"", "no file of safetensors"),
    "a short header": (b"\2\0", "no file of safetensors"),
    "a long header": (file_of({}, length=2**63), "header claims 9223372036854775808 bytes"),
    "no JSON": (file_of(b"{]"), "header is damaged"),
    "no text": (file_of(b"{\xff}"), "header is damaged"),
    "half a character": (file_of(b'{"\\ud83d": %b}' % json.dumps(ENTRY).encode()), "is damaged"),
    "half of it in bytes": (file_of(b'{"\xed\xa0\xbd": 1}'), "header is damaged"),
    "deep": (file_of(b"[" * 100_000), "header is damaged"),
    "a list": (file_of([]), "names no tensors"),
    "a name twice": (
        file_of(
            b'{"a":' + json.dumps(ENTRY).encode() + b',"a":' + json.dumps(ENTRY).encode() + b"}"
        ),
        "a name is there twice",
    ),
    "metadata": (file_of({"__metadata__": {"a": 1}, "x": ENTRY}), "metadata are not texts"),
    "a missing key": (file_of({"x": {"dtype": "F32"}}), "has no dtype, shape and offsets"),
    "a further key": (file_of({"x": {**ENTRY, "y": 1}}), "has no dtype, shape and offsets"),
    "float8": (file_of({"x": {**ENTRY, "dtype": "F8_E4M3"}}), "has the dtype 'F8_E4M3'; known"),
    "no dtype": (file_of({"x": {**ENTRY, "dtype": []}}), "has the dtype"),
    "a negative size": (file_of({"x": {**ENTRY, "shape": [-2]}}), "has no shape of an array"),
    "a true size": (file_of({"x": {**ENTRY, "shape": [True]}}), "has no shape of an array"),
    "many sizes": (file_of({"x": {**ENTRY, "shape": [1] * 40}}), "has no shape of an array"),
    "a large shape": (file_of({"x": {**ENTRY, "shape": [2**62, 2**62]}}), "needs 8507"),
    "offsets": (file_of({"x": {**ENTRY, "data_offsets": [8, 0]}}), "has no place in the file"),
    "one offset": (file_of({"x": {**ENTRY, "data_offsets": [8]}}), "has no place in the file"),
    "a hole": (
        file_of({"x": {**ENTRY, "data_offsets": [4, 12]}}, b"\0" * 12),
        "follows a hole",
    ),
    "an overlap": (file_of({"x": ENTRY, "y": {**ENTRY, "data_offsets": [4, 12]}}), "overlaps"),
    "the same place": (file_of({"x": ENTRY, "y": ENTRY}), "overlaps"),
    "cut off": (file_of({"x": ENTRY}, b"\0" * 7), "behind the end of the file"),
    "too much": (file_of({"x": ENTRY}, b"\0" * 9), "1 bytes at the end belong to no tensor"),
    "places": (
        file_of({"__metadata__": {"nkeras.places": "[" * 9999}, "x": ENTRY}),
        "metadata nkeras.places are damaged",
    ),
}


@pytest.mark.parametrize("case", list(HOSTILE))
def test_hostile_files(case: str, tmp_path: Path) -> None:
    content, message = HOSTILE[case]
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    model = make()
    with pytest.raises(ValueError, match=message) as raised:
        model.load_weights(path)
    assert str(raised.value).startswith("w.safetensors: ")
    assert str(raised.value).count("\n") < 3


def test_a_large_header_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    with path.open("wb") as file:
        file.write((1 << 40).to_bytes(8, "little"))
        file.truncate((1 << 40) + 100)  # of which the disk holds a page
    with pytest.raises(ValueError, match="header has 1099511627776 bytes, over 16777216"):
        make().load_weights(path)


def test_a_file_that_becomes_shorter(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    large = {"dtype": "U8", "shape": [1_000_000], "data_offsets": [0, 1_000_000]}
    path.write_bytes(file_of({"x": large}, bytes(1_000_000)))
    with path.open("rb") as file:
        tensor = Reader(file, "w").tensors["x"]
        os.truncate(path, path.stat().st_size - 1)
        with pytest.raises(ValueError, match="w: the file became shorter"):
            np.asarray(tensor)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_damaged_files_are_refused_or_read(data: st.DataObject) -> None:
    good = bytearray(safetensors.numpy.save({"a": np.ones((2, 3), "float32"), "b": np.ones(2)}))
    for _ in range(data.draw(st.integers(1, 3))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(good[: data.draw(st.integers(0, len(good)))] if data.draw(st.booleans()) else good)
    try:
        reader = Reader(io.BytesIO(cut), "w")
    except ValueError:
        return
    for tensor in reader.tensors.values():
        assert np.asarray(tensor).shape == tensor.shape
