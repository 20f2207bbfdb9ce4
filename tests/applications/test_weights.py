"""Weights of files: ImageNet's by `get_file`, those of Keras and of nkeras by path."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import nkeras
from nkeras.applications import efficientnet, mobilenet
from nkeras.saving import legacy_weights
from tests.applications.facts import fill
from tests.harness import oracle, web

SMALL = {"input_shape": (32, 32, 3), "alpha": 0.25, "include_top": False}


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The cache of `get_file`."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("no_proxy", "*")
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def legacy_file(model: Any, path: Path) -> bytes:
    """Weights as the files of Keras' authors have them, with names of other layers."""
    with h5py.File(path, "w") as file:
        legacy_weights.save(model, file)
        file.attrs["keras_version"] = b"2.1.6"
        file.attrs["backend"] = b"tensorflow"
        for old, new in (("conv1", "first"), ("conv_pw_1", "second")):
            if old in file:
                file.move(old, new)
        names = [
            {"conv1": "first", "conv_pw_1": "second"}.get(x.name, x.name) for x in model.layers
        ]
        file.attrs["layer_names"] = [name.encode() for name in names]
    return path.read_bytes()


def close(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def same(model: Any, other: Any) -> None:
    for one, expected in zip(model.weights, other.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), expected.numpy(), err_msg=one.path)


def test_imagenet_by_a_file_that_lies_in_the_cache(home: Path) -> None:
    model = nkeras.applications.MobileNet(weights=None, **SMALL)
    fill(model)
    legacy_file(model, home / "mobilenet_2_5_224_tf_no_top.h5")
    with pytest.warns(UserWarning, match="no weights for images of this size"):
        found = nkeras.applications.MobileNet(**SMALL)
    same(found, model)
    assert found.name == model.name.replace("32", "224")


def test_imagenet_from_a_server(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments: Any = {"include_top": False, "input_shape": (32, 32, 3)}
    inputs = np.full((1, 32, 32, 3), 100.0, "float32")
    model = nkeras.applications.EfficientNetB0(weights=None, **arguments)
    data = legacy_file(model, home / "made.h5")
    digits = hashlib.md5(data).hexdigest()
    monkeypatch.setattr(efficientnet, "_HASHES", [("0" * 32, digits)])
    with web.serving() as server:
        monkeypatch.setattr(efficientnet, "_FOLDER", f"{server.url}/")
        server.offer("efficientnetb0_notop.h5", data)
        found = nkeras.applications.EfficientNetB0(**arguments, name="mine")
        again = nkeras.applications.EfficientNetB0(**arguments)
        assert server.asked == ["efficientnetb0_notop.h5"]
        with pytest.raises(OSError, match="put the file there by hand"):
            nkeras.applications.EfficientNetB0()
    same(found, model)
    same(again, model)
    assert found.name == "mine"
    # As Keras': pixels are divided by the root of the deviation once more.
    assert [layer.name for layer in found.layers[:4]] == [
        "input_layer_1",
        "rescaling_1",
        "normalization_1",
        "rescaling_2",
    ]
    assert not np.allclose(found(inputs).numpy(), model(inputs).numpy())


def test_a_file_of_another_hash_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with web.serving() as server:
        monkeypatch.setattr(efficientnet, "_FOLDER", f"{server.url}/")
        server.offer("efficientnetb0.h5", b"something else")
        with pytest.raises(ValueError, match=r"efficientnetb0.h5.*902e53a9f72be733"):
            nkeras.applications.EfficientNetB0()
    assert not (home / "efficientnetb0.h5").exists()


@pytest.mark.long
@pytest.mark.parametrize("name", ["m.weights.h5", "m.h5", "m.keras", "m.safetensors"])
def test_weights_by_path(tmp_path: Path, name: str) -> None:
    model = nkeras.applications.MobileNet(weights=None, **SMALL)
    path = tmp_path / name
    if name.endswith((".weights.h5", ".safetensors")):
        model.save_weights(path)
    else:
        model.save(path)
    nkeras.utils.clear_session()
    found = nkeras.applications.MobileNet(weights=str(path), **SMALL)
    same(found, model)
    same(nkeras.applications.MobileNet(weights=path, **SMALL), model)


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.weights.h5"
    nkeras.applications.MobileNet(weights=None, **SMALL).save_weights(path)
    with pytest.raises(ValueError, match=r"m\.weights\.h5"):
        nkeras.applications.MobileNet(weights=path, **{**SMALL, "alpha": 0.5})


def test_no_random_numbers_are_drawn_for_what_a_file_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.weights.h5"
    nkeras.applications.MobileNet(weights=None, **SMALL).save_weights(path)
    drawn: list[object] = []
    initial = nkeras.Variable._initial
    monkeypatch.setattr(
        nkeras.Variable, "_initial", lambda *args: drawn.append(args) or initial(*args)
    )
    nkeras.applications.MobileNet(weights=path, **SMALL)
    assert not drawn


WRITE = """
keras.utils.clear_session()
model = getattr(keras.applications, name)(weights=None, **arguments)
rng = np.random.default_rng(1)
for weight in model.weights:
    weight.assign(rng.uniform(0.1, 0.3, weight.shape).astype("float32"))
for ending in endings:
    path = f"{folder}/theirs{ending}"
    if "weights" in ending:
        model.save_weights(path)
    else:
        model.save(path)
result = np.asarray(model(x))
"""
READ = """
keras.utils.clear_session()
result = []
for ending in endings:
    path = f"{folder}/ours{ending}"
    if "weights" in ending:
        model = getattr(keras.applications, name)(weights=path, **arguments)
    else:
        model = keras.models.load_model(path)
    result.append(np.asarray(model(x)))
"""
ENDINGS = (".keras", ".h5", ".weights.h5")


@oracle.requires_keras
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        pytest.param("MobileNet", SMALL, marks=pytest.mark.long),
        pytest.param("MobileNetV3Small", {"input_shape": (32, 32, 3)}, marks=pytest.mark.long),
    ],
)
def test_models_go_both_ways(name: str, arguments: dict[str, Any], tmp_path: Path) -> None:
    x = np.random.default_rng(0).uniform(0, 1, (1, *arguments["input_shape"])).astype("float32")
    told = {"name": name, "arguments": arguments, "folder": str(tmp_path), "x": x}
    expected = oracle.run(WRITE, endings=ENDINGS, **told)
    for ending in ENDINGS:
        path = tmp_path / f"theirs{ending}"
        if "weights" in ending:
            model = getattr(nkeras.applications, name)(weights=path, **arguments)
        else:
            model = nkeras.models.load_model(path)
        close(model(x).numpy(), expected)
    model.save(tmp_path / "ours.keras")
    model.save(tmp_path / "ours.h5")
    model.save_weights(tmp_path / "ours.weights.h5")
    for found in oracle.run(READ, endings=ENDINGS, **told):
        close(found, expected)


@pytest.mark.parametrize(
    ("family", "name", "arguments"),
    [
        ("convnext", "LayerScale", {"init_values": 0.5, "projection_dim": 3}),
        ("inception_resnet_v2", "CustomScaleLayer", {"scale": 0.2}),
    ],
)
def test_layers_of_a_family_have_the_private_names_of_keras(
    family: str, name: str, arguments: dict[str, Any]
) -> None:
    layer = getattr(getattr(nkeras.applications, family), name)(**arguments)
    config = nkeras.saving.serialize_keras_object(layer)
    assert config["module"] == f"keras.src.applications.{family}"
    assert config["registered_name"] == name
    found = nkeras.saving.deserialize_keras_object(config)
    assert type(found) is type(layer)
    assert found.get_config() == layer.get_config()


def test_files_of_mobilenet_follow_its_arguments(home: Path) -> None:
    with pytest.raises(ValueError, match=r"`alpha` must be 0\.25, 0\.5, 0\.75 or 1"):
        nkeras.applications.MobileNet(alpha=0.3)
    assert mobilenet._ALPHAS[0.75] == "7_5"
