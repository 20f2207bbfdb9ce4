"""Arguments of architectures: what goes, and what is refused as in Keras."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import nkeras
from tests.applications.building import outline

applications = nkeras.applications


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("ResNet50", {"weights": "none"}, "`weights` must be None, 'imagenet' or the path"),
        ("ResNet50", {"weights": 3}, "ResNet50: argument `weights` must be"),
        ("ResNet50", {"classes": 10}, "classifier of `weights='imagenet'` has 1000 classes"),
        ("VGG16", {"classifier_activation": "relu"}, "must be None or 'softmax'. Received: 'relu'"),
        ("VGG19", {"weights": None, "pooling": "mean"}, "`pooling` must be None, 'avg' or 'max'"),
        ("Xception", {"weights": None, "input_shape": (70, 80, 3)}, "at least 71. Received: (70"),
        ("InceptionV3", {"weights": None, "input_shape": (80, 74, 3)}, "at least 75"),
        ("MobileNetV3Small", {"weights": None, "input_shape": (31, 40, 3)}, "at least 32"),
        ("ResNet50", {"weights": None, "input_shape": (224, 224)}, "a tuple of three integers"),
        ("ResNet50", {"weights": None, "input_shape": 224}, "a tuple of three integers"),
        ("ResNet50", {"weights": None, "input_shape": (224, "224", 3)}, "a tuple of three"),
        ("ResNet50", {"weights": None, "input_shape": (None, None, 3)}, "must have no None with"),
        ("ResNet50", {"input_shape": (200, 200, 3)}, "must be (224, 224, 3) with `include_top=T"),
        ("ResNet50", {"include_top": False, "input_shape": (64, 64, 1)}, "of 3 channels with"),
        ("NASNetLarge", {"include_top": False, "input_shape": (None, 64, 3)}, "no None with"),
        ("MobileNet", {"depth_multiplier": 2}, "`depth_multiplier` must be 1 with `weights"),
        ("MobileNetV2", {"alpha": 0.25}, "one of (0.35, 0.5, 0.75, 1.0, 1.3, 1.4) with"),
        ("MobileNetV3Large", {"alpha": 0.5}, "one of (0.75, 1.0) with"),
        ("MobileNetV3Large", {"alpha": 0.75, "minimalistic": True}, "one of (1.0,) with"),
        ("DenseNet121", {"weights": None, "input_tensor": np.ones((1, 32, 32, 3))}, "symbolic"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_is_refused(name: str, arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)) as caught:
        getattr(applications, name)(**arguments)
    text = str(caught.value)
    assert text.startswith(name)
    assert len(text) <= 400


def test_wrong_types_and_unknown_names_are_refused() -> None:
    with pytest.raises(TypeError, match="ResNet50: argument `include_top` must be True or False"):
        applications.ResNet50(include_top="no", weights=None)
    with pytest.raises(TypeError, match="ResNet50: got an unexpected keyword argument 'alpha'"):
        applications.ResNet50(alpha=1.0)
    with pytest.raises(TypeError, match="VGG16: too many positional arguments"):
        applications.VGG16(*range(9))


@pytest.mark.parametrize("name", ["DenseNet121", "ConvNeXtTiny", "NASNetMobile"])
def test_some_families_are_channels_last(name: str) -> None:
    nkeras.config.set_image_data_format("channels_first")
    with pytest.raises(ValueError, match=f"{name} does not support .*'channels_first'"):
        getattr(applications, name)(weights=None)


@pytest.mark.parametrize("name", ["MobileNetV2", "MobileNetV3Small"])
def test_a_shape_must_be_that_of_the_tensor(name: str) -> None:
    images = nkeras.Input((64, 64, 3))
    with pytest.raises(ValueError, match=r"must be that of `input_tensor`, \(64, 64, 3\)"):
        getattr(applications, name)((64, 96, 3), weights=None, input_tensor=images)


def test_channels_that_are_unusual_are_warned_of() -> None:
    with pytest.warns(UserWarning, match="usually has images of 1 or 3 channels"):
        model = applications.MobileNet((32, 32, 4), weights=None, include_top=False, alpha=0.25)
    assert model.input_shape == (None, 32, 32, 4)


def test_arguments_by_position_and_lists_for_shapes() -> None:
    model, _ = outline("VGG16", {"weights": None, "include_top": False, "input_shape": [64, 32, 3]})
    assert model.output_shape == (None, 2, 1, 512)
    model = applications.MobileNet((32, 32, 3), 0.25, 1, 0.0, False, None, None, "avg")
    assert model.output_shape == (None, 256)


def test_a_model_begins_with_a_tensor_of_the_callers() -> None:
    pixels = nkeras.Input((40, 40, 3), name="pixels")
    x = applications.mobilenet_v2.preprocess_input(pixels)
    model = applications.MobileNetV2(
        alpha=0.35, weights=None, include_top=False, pooling="max", input_tensor=x
    )
    assert [tensor.name for tensor in model.inputs] == ["pixels"]
    y = model(np.ones((1, 40, 40, 3), "float32"))
    assert y.shape == (1, 1280)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("MobileNetV3Small", {"include_top": True}),
        ("EfficientNetB0", {"input_shape": (3, 32, 32), "include_top": False}),
        pytest.param("InceptionResNetV2", {}, marks=pytest.mark.long),
        pytest.param("ResNet50V2", {}, marks=pytest.mark.long),
        pytest.param("Xception", {"input_shape": (3, 96, 71)}, marks=pytest.mark.long),
    ],
)
def test_channels_first_are_the_same_model(name: str, arguments: dict[str, Any]) -> None:
    arguments = {"weights": None, **arguments}
    last = dict(arguments)
    if "input_shape" in arguments:
        last["input_shape"] = (*arguments["input_shape"][1:], 3)
    expected, _ = outline(name, last)
    nkeras.config.set_image_data_format("channels_first")
    model, _ = outline(name, arguments)
    assert [w.shape for w in model.weights] == [w.shape for w in expected.weights]
    assert [w.path for w in model.weights] == [w.path for w in expected.weights]
    assert model.input_shape[1] == 3


@pytest.mark.long
def test_channels_first_give_the_same_numbers() -> None:
    arguments: Any = {"weights": None, "alpha": 0.35, "include_top": False, "pooling": "avg"}
    expected = applications.MobileNetV2((33, 40, 3), **arguments)
    nkeras.config.set_image_data_format("channels_first")
    model = applications.MobileNetV2((3, 33, 40), **arguments)
    model.set_weights(expected.get_weights())
    x = np.random.default_rng(0).uniform(-1, 1, (2, 33, 40, 3)).astype("float32")
    found = model(np.moveaxis(x, 3, 1)).numpy()
    np.testing.assert_allclose(found, expected(x).numpy(), rtol=1e-4, atol=1e-5)
