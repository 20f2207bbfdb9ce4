"""Pixels as each architecture wants them, and the names of classes."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import nkeras
from nkeras.applications import imagenet_utils
from tests.harness import oracle, web

MODES = ("caffe", "tf", "torch")
DTYPES = ("uint8", "int32", "float16", "float32", "float64")
FAMILIES = {
    "caffe": "resnet resnet50 vgg16 vgg19",
    "tf": "inception_resnet_v2 inception_v3 mobilenet mobilenet_v2 nasnet resnet_v2 xception",
    "torch": "densenet",
    None: "convnext efficientnet efficientnet_v2 mobilenet_v3",
}


def pictures(layout: str, dtype: str, ndim: int = 4) -> np.ndarray:
    shape = (2, 4, 5, 3) if layout == "channels_last" else (2, 3, 4, 5)
    return np.random.default_rng(3).uniform(0, 255, shape[4 - ndim :]).astype(dtype)


CASES = [
    (mode, layout, dtype, ndim)
    for mode in MODES
    for layout in ("channels_last", "channels_first")
    for dtype in DTYPES
    for ndim in (3, 4)
]


@oracle.requires_keras
def test_arrays_are_as_in_keras() -> None:
    found = [(pictures(layout, dtype, ndim), layout, mode) for mode, layout, dtype, ndim in CASES]
    expected = oracle.run(
        """
preprocess = keras.applications.imagenet_utils.preprocess_input
result = [preprocess(x.copy(), layout, mode) for x, layout, mode in cases]
""",
        cases=found,
    )
    for (x, layout, mode), y in zip(found, expected, strict=True):
        before = x.copy()
        result = imagenet_utils.preprocess_input(x, layout, mode)
        assert isinstance(result, np.ndarray)
        assert result.dtype == y.dtype
        np.testing.assert_array_equal(x, before)  # Keras writes over it
        np.testing.assert_allclose(
            result.astype("float64"), y.astype("float64"), rtol=2e-3 if y.itemsize == 2 else 1e-6
        )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
def test_tensors_are_as_arrays(mode: str, layout: str) -> None:
    for dtype in ("uint8", "float32", "float16"):
        x = pictures(layout, dtype)
        result = imagenet_utils.preprocess_input(nkeras.ops.convert_to_tensor(x), layout, mode)
        expected = imagenet_utils.preprocess_input(x, layout, mode)
        assert result.dtype == expected.dtype.name
        np.testing.assert_allclose(result.numpy(), expected, rtol=1e-3, atol=1e-3)


def test_symbolic_tensors_become_a_model() -> None:
    nkeras.config.set_image_data_format("channels_last")
    inputs = nkeras.Input((4, 5, 3), dtype="uint8")
    model = nkeras.Model(inputs, nkeras.applications.vgg16.preprocess_input(inputs))
    x = pictures("channels_last", "uint8")
    expected = nkeras.applications.vgg16.preprocess_input(x)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-6)


def test_each_family_has_its_mode() -> None:
    x = pictures("channels_last", "float32")
    for mode, families in FAMILIES.items():
        for family in families.split():
            result = getattr(nkeras.applications, family).preprocess_input(x)
            expected = x if mode is None else imagenet_utils.preprocess_input(x, mode=mode)
            np.testing.assert_array_equal(result, expected)


def test_the_setting_says_where_channels_are() -> None:
    x = pictures("channels_first", "float32")
    nkeras.config.set_image_data_format("channels_first")
    expected = imagenet_utils.preprocess_input(x, "channels_first")
    np.testing.assert_array_equal(imagenet_utils.preprocess_input(x), expected)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"mode": "mean"}, "`mode` must be 'caffe', 'tf' or 'torch'. Received: 'mean'"),
        ({"data_format": "last"}, "`data_format` must be 'channels_first' or"),
        ({"x": np.ones((2, 4, 4, 4))}, "(batch, height, width, 3)"),
        ({"x": np.ones(3)}, "Received shape (3,)"),
    ],
)
def test_what_is_no_image_is_refused(arguments: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        imagenet_utils.preprocess_input(**{"x": np.ones((4, 4, 3)), **arguments})


@pytest.fixture
def class_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Names of classes in the cache of `get_file`, whose hash is known."""
    names = {str(i): [f"n{i:08}", f"thing_{i}"] for i in range(1000)}
    return put(monkeypatch, tmp_path, json.dumps(names))


def put(monkeypatch: pytest.MonkeyPatch, home: Path, text: str) -> Path:
    path = home / "models" / "imagenet_class_index.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    known = replace(imagenet_utils._CLASS_FILE, file_hash=hashlib.md5(text.encode()).hexdigest())
    monkeypatch.setenv("KERAS_HOME", str(home))
    monkeypatch.setattr(imagenet_utils, "_CLASS_FILE", known)
    return path


def test_predictions_get_names(class_file: Path) -> None:
    scores = np.zeros((2, 1000), "float32")
    scores[0, [7, 300]], scores[1, [999, 0]] = (0.3, 0.7), (0.6, 0.4)
    first, second = nkeras.applications.resnet.decode_predictions(scores, top=2)
    assert first == [("n00000300", "thing_300", scores[0, 300]), ("n00000007", "thing_7", 0.3)]
    assert [name for _, name, _ in second] == ["thing_999", "thing_0"]
    tensor = nkeras.ops.convert_to_tensor(scores)
    assert imagenet_utils.decode_predictions(tensor, top=2) == [first, second]
    assert [len(best) for best in imagenet_utils.decode_predictions(scores)] == [5, 5]
    assert len(imagenet_utils.decode_predictions(scores, top=2000)[0]) == 1000


@pytest.mark.parametrize("text", ["[]", '{"0": ["n0", "thing"]}', "{", '{"0": 1}'])
def test_a_damaged_file_of_names_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    path = put(monkeypatch, tmp_path, text)
    with pytest.raises(ValueError, match="does not have the names of 1000 classes") as caught:
        imagenet_utils.decode_predictions(np.zeros((1, 1000)))
    assert path.name in str(caught.value)


@pytest.mark.parametrize(
    ("scores", "top", "told"),
    [
        (np.zeros((1, 999)), 5, "Received shape (1, 999)"),
        (np.zeros(1000), 5, "Received shape (1000,)"),
        (np.zeros((1, 1000)), 0, "`top` must be a positive integer. Received: 0"),
        (np.zeros((1, 1000)), 2.5, "`top` must be a positive integer"),
    ],
)
def test_other_predictions_are_refused(scores: np.ndarray, top: int, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        imagenet_utils.decode_predictions(scores, top)


def test_names_that_cannot_be_had_say_where_to_put_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("no_proxy", "*")
    with web.serving() as server:
        known = replace(imagenet_utils._CLASS_FILE, url=f"{server.url}/gone")
        monkeypatch.setattr(imagenet_utils, "_CLASS_FILE", known)
        with pytest.raises(OSError, match="put the file there by hand") as caught:
            imagenet_utils.decode_predictions(np.zeros((1, 1000)))
    assert "imagenet_class_index.json" in str(caught.value)
