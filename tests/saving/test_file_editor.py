"""KerasFileEditor: shows, compares and changes files of weights."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import nkeras
from nkeras import layers
from nkeras.saving import KerasFileEditor
from tests.harness import oracle


def source() -> Any:
    inputs = nkeras.Input((2,))
    x = layers.Dense(3, name="mydense")(inputs)
    return nkeras.Model(inputs, layers.Dense(3, name="output_layer")(x))


def target() -> Any:
    inputs = nkeras.Input((2,))
    x = layers.Dense(3, name="mydense")(inputs)
    x = layers.Dense(3, name="myotherdense")(x)
    return nkeras.Model(inputs, layers.Dense(3, name="output_layer")(x))


def nested() -> Any:
    inner = nkeras.Sequential([nkeras.Input((2, 3)), layers.Dense(3)], name="inner")
    return nkeras.Sequential([nkeras.Input((2, 3)), layers.Dense(3), inner, layers.GRU(2)])


def written(tmp_path: Path, model: Any) -> Path:
    path = tmp_path / "model.weights.h5"
    model.save_weights(path)
    return path


def test_files_are_adapted_to_a_changed_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.keras"
    source().save(path)
    editor = KerasFileEditor(path)
    text = capsys.readouterr().out
    assert text.startswith("Keras model file 'model.keras'\nSaved with Keras '3.15.1' - date: '")
    assert editor.compare(source()) == {"status": "success", "error_count": 0, "match_count": 4}
    assert editor.compare(target())["status"] == "error"
    editor.add_object("layers/dense_3", {"0": np.ones((3, 3))})
    capsys.readouterr()
    assert editor.compare(target()) == {"status": "error", "error_count": 2, "match_count": 4}
    assert capsys.readouterr().out.splitlines()[1:] == [
        "...Object layers/dense_2 is in the model, not in the file.",
        "...Object layers/dense_3 is in the file, not in the model.",
        "─────────────────────",
        "Found 2 errors: saved file is not compatible with the reference model",
    ]
    editor.rename_object("dense_3", "dense_4")
    editor.rename_object("layers/dense_4", "dense_2")
    editor.add_weights("dense_2", {"1": np.ones(3)})
    assert editor.compare(target())["status"] == "success"
    editor.add_object("layers/dense_3", {"0": np.ones((3, 3))})
    assert editor.compare(target())["error_count"] == 1
    editor.delete_object("layers/dense_3")

    resaved = tmp_path / "resaved.weights.h5"
    editor.save(resaved)
    model = target()
    model.load_weights(resaved)
    np.testing.assert_array_equal(model.layers[3].kernel, np.ones((3, 3)))
    editor = KerasFileEditor(resaved)
    assert editor.compare(model)["status"] == "success"
    editor.delete_weight("dense_2", "1")
    assert editor.compare(model)["error_count"] == 1
    editor.add_weights("dense_2", {"1": np.zeros(7)})
    capsys.readouterr()
    assert editor.compare(model)["error_count"] == 1
    assert "Weight layers/dense_2/1 has shape (3,) in the model, and (7,) in the file." in (
        capsys.readouterr().out
    )
    editor.add_weights("layers/dense_2", {"1": np.zeros(3)})
    assert editor.compare(model) == {"status": "success", "error_count": 0, "match_count": 6}


@pytest.mark.parametrize("ending", ["keras", "weights.h5"])
def test_all_weights_are_kept(ending: str, tmp_path: Path) -> None:
    model = nested()
    model.compile("adam", "mse")
    model.fit(np.ones((2, 2, 3)), np.ones((2, 2)), verbose=0)
    path = tmp_path / f"model.{ending}"
    model.save(path) if ending == "keras" else model.save_weights(path)
    editor = KerasFileEditor(str(path))
    assert editor.weights_dict["layers"]["sequential"]["layers"]["dense"]["0"].shape == (3, 3)
    assert len(editor.weights_dict["optimizer"]) == 2 + 2 * len(model.trainable_weights)
    assert editor.compare(model)["match_count"] == len(model.weights) + len(
        model.optimizer.variables
    )
    assert (editor.config is None) == (ending == "weights.h5")
    editor.resave_weights(tmp_path / "again.weights.h5")
    other = nested()
    other.compile("adam", "mse")
    other.optimizer.build(other.trainable_variables)
    other.load_weights(tmp_path / "again.weights.h5")
    for mine, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    with h5py.File(tmp_path / "again.weights.h5") as file:
        assert file["layers/dense/vars"].attrs["name"] == model.layers[0].name


def test_weights_of_the_model_itself(tmp_path: Path) -> None:
    class Own(nkeras.Model):
        def build(self, shape: Any) -> None:
            self.scale = self.add_weight(shape=(2,), name="scale")

        def call(self, x: Any) -> Any:
            return x * self.scale

    model = Own()
    model(np.ones((1, 2), "float32"))
    path = written(tmp_path, model)
    editor = KerasFileEditor(path)
    assert list(editor.weights_dict) == ["0"]
    assert editor.compare(model)["status"] == "success"
    editor.weights_dict["0"] = np.array([5.0, 6.0], "float32")
    editor.save(path)
    model.load_weights(path)
    np.testing.assert_array_equal(model.scale, [5.0, 6.0])


def test_states_of_seeds_and_halves_are_kept(tmp_path: Path) -> None:
    model = nkeras.Sequential(
        [nkeras.Input((3,)), layers.Dropout(0.5), layers.Dense(2, dtype="bfloat16")]
    )
    path = written(tmp_path, model)
    before = model.layers[0].seed_states[0].numpy(), model.get_weights()
    editor = KerasFileEditor(path)
    assert editor.compare(model)["status"] == "success"
    editor.save(path)
    model.layers[0].seed_states[0].assign([0, 0])
    model.load_weights(path)
    np.testing.assert_array_equal(model.layers[0].seed_states[0], before[0])
    np.testing.assert_array_equal(model.get_weights()[0], before[1][0])


@oracle.requires_keras
def test_files_of_keras_and_for_keras(tmp_path: Path) -> None:
    build = """
def make(keras):
    inner = keras.Sequential([keras.Input((2, 3)), keras.layers.Dense(3)], name="inner")
    return keras.Sequential([keras.Input((2, 3)), inner, keras.layers.LSTM(2)])
"""
    path, edited = str(tmp_path / "theirs.keras"), str(tmp_path / "edited.weights.h5")
    before = oracle.run(
        build + "model = make(keras); model.save(path); result = model.get_weights()", path=path
    )
    names: dict[str, Any] = {}
    exec(build, names)
    editor = KerasFileEditor(path)
    assert editor.compare(names["make"](nkeras))["status"] == "success"
    editor.weights_dict["layers"]["sequential"]["layers"]["dense"]["1"] += 1
    editor.save(edited)
    after = oracle.run(
        build
        + "model = make(keras); model.load_weights(path)\n"
        + "keras.saving.KerasFileEditor(path)\nresult = model.get_weights()",
        path=edited,
    )
    np.testing.assert_array_equal(after[1], before[1] + 1)
    np.testing.assert_array_equal(after[2], before[2])


def test_the_tree_in_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    editor = KerasFileEditor(written(tmp_path, source()))
    capsys.readouterr()
    editor.summary()
    assert capsys.readouterr().out.splitlines() == [
        "Weights structure",
        "└─ layers",
        "   ├─ dense ('mydense')",
        "   │  ├─ 0: shape=(2, 3), dtype=float32",
        "   │  └─ 1: shape=(3,), dtype=float32",
        "   └─ dense_1 ('output_layer')",
        "      ├─ 0: shape=(3, 3), dtype=float32",
        "      └─ 1: shape=(3,), dtype=float32",
    ]


def test_the_tree_in_a_notebook(tmp_path: Path) -> None:
    editor = KerasFileEditor(written(tmp_path, source()))
    editor.add_object(
        "layers/<script>alert(1)</script>".replace("/s", "\\s"),
        {
            "<b>": np.array([np.nan, -2.0, 0.0, 1.0]),
            "none": np.zeros((0, 3)),
            "one": np.array(3, "int8"),
            "many": np.zeros((100, 3, 50), "bool"),
            "complex": np.zeros(2, "complex64"),
            "half": nkeras.ops.ones((2,), dtype="bfloat16").numpy(),
        },
    )
    shown = editor._repr_html_()
    assert "<script>" not in shown
    assert "<b>:" not in shown
    assert "&lt;script&gt;alert(1)" in shown
    assert shown.count("<details") == shown.count("</details>") == 14
    assert 'fill="rgb(0,0,255)"' in shown
    assert 'fill="#000"' in shown
    assert len(shown) < 200_000


def test_names_say_nothing_to_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    editor = KerasFileEditor(written(tmp_path, source()))
    editor.rename_object("dense", "\x1b[2Jgone\n")
    editor.summary()
    editor.compare(source())
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "\\x1b[2Jgone\\n" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e.rename_object("dence", "x"), "no object 'dence'. Did you mean 'layers/dense"),
        (lambda e: e.rename_object("dense", "a/b"), "`new_name` must be a name without a path"),
        (lambda e: e.rename_object("dense", ""), "`new_name` must be a name without a path"),
        (lambda e: e.rename_object("dense", "dense_1"), "already 'dense_1' beside 'layers/dense'"),
        (lambda e: e.delete_object("layers/x"), "delete_object: the file has no object 'layers/x'"),
        (lambda e: e.delete_object("0"), "delete_object: the file has no object '0'"),
        (lambda e: e.delete_object("twin"), "several objects are called 'twin'"),
        (
            lambda e: e.add_object("layer/x", {}),
            "there is no object 'layer' for 'layer/x'. Did you",
        ),
        (lambda e: e.add_object("layers/", {}), "there is no object 'layers' for 'layers/'"),
        (lambda e: e.add_object("layers/x", [1]), "must be a dict of arrays by name"),
        (lambda e: e.add_object("layers/x", {"0": "text"}), "must have arrays of numbers by name"),
        (lambda e: e.add_object("layers/x", {"a/b": 1}), "must have arrays of numbers by name"),
        (lambda e: e.add_weights("dense", {"0": None}), "must have arrays of numbers by name"),
        (lambda e: e.add_weights("layers", {"dense": 1}), "'layers/dense' is an object, no weight"),
        (
            lambda e: e.delete_weight("dense", "7"),
            r"'layers/dense' has no weight '7', only \['0', '1",
        ),
        (lambda e: e.delete_weight("layers", "dense"), "'layers' has no weight 'dense', only"),
        (lambda e: e.save("x.h5"), "must end in .weights.h5. Received: 'x.h5'"),
        (lambda e: KerasFileEditor("x.h5"), r"must end in .keras or .weights.h5. Received: 'x.h5'"),
    ],
)
def test_errors(change: Any, message: str, tmp_path: Path) -> None:
    editor = KerasFileEditor(written(tmp_path, source()))
    for place in ("layers/dense/twin", "layers/twin"):
        editor.add_object(place, {"0": np.zeros(1)})
    before = json.dumps(editor.weights_dict, default=str)
    with pytest.raises(ValueError, match=message.replace(".", r"\.")) as raised:
        change(editor)
    assert len(str(raised.value)) <= 400
    assert json.dumps(editor.weights_dict, default=str) == before


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for name in ("gone.keras", "gone.weights.h5"):
        with pytest.raises(FileNotFoundError, match=name):
            KerasFileEditor(tmp_path / name)


@pytest.mark.parametrize("kind", ["ExternalLink", "SoftLink", "virtual", "two forms"])
def test_hostile_files(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.weights.h5"
    with h5py.File(path, "w") as file:
        if kind == "ExternalLink":
            file["layers"] = h5py.ExternalLink("other.h5", "/layers")
        elif kind == "SoftLink":
            file["layers"] = h5py.SoftLink("/other")
        elif kind == "virtual":
            layout = h5py.VirtualLayout(shape=(5,), dtype="float32")
            layout[:] = h5py.VirtualSource("other.h5", "s", shape=(5,))
            file.create_virtual_dataset("layers", layout)
        else:
            file["a/vars/b"] = np.zeros(1)
            file["a/b/vars/0"] = np.zeros(1)
    with pytest.raises(ValueError, match=kind):
        KerasFileEditor(path)


def test_hostile_descriptions(tmp_path: Path) -> None:
    path = tmp_path / "bad.keras"
    source().save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for name, content in (("config.json", b"{"), ("metadata.json", b"[]")):
        with zipfile.ZipFile(path, "w") as archive:
            for member, text in {**members, name: content}.items():
                archive.writestr(member, text)
        with pytest.raises(ValueError, match=r"bad\.keras: the configuration"):
            KerasFileEditor(path)
