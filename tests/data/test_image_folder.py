"""Folders of images, against Keras."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import nkeras
from nkeras.data.image_folder import ImageReader
from nkeras.utils import (
    audio_dataset_from_directory,
    image_dataset_from_directory,
    text_dataset_from_directory,
)
from tests.data.folders import filled, write_image
from tests.harness import oracle

RANDOM = np.random.default_rng(0)
# Of one shape, as JAX compiles for each shape anew.
FILES = {
    "rgb.png": Image.fromarray(RANDOM.integers(0, 256, (9, 14, 3), "uint8")),
    "rgba.png": Image.fromarray(RANDOM.integers(0, 256, (9, 14, 4), "uint8")),
    "gray.bmp": Image.fromarray(RANDOM.integers(0, 256, (9, 14), "uint8")),
    "deep.png": Image.fromarray(RANDOM.integers(0, 60000, (9, 14), "uint16")),
    "photo.jpg": Image.fromarray(RANDOM.integers(0, 256, (9, 14, 3), "uint8")),
    "frames.gif": Image.fromarray(RANDOM.integers(0, 256, (9, 14, 3), "uint8")),
}

# What Keras does with each file when its format is "grain".
LOADED = """
from keras.src.utils.image_dataset_utils import _load_image_grain
result = [_load_image_grain(path, **options) for path, options in calls]
"""


def calls(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    options: list[dict[str, Any]] = [
        {"crop_to_aspect_ratio": True},
        {"pad_to_aspect_ratio": True},
        {"data_format": "channels_first"},
        *({"interpolation": name} for name in ("nearest", "bicubic", "lanczos3")),
    ]
    sizes = [{"image_size": size} for size in ((18, 18), (9, 14))]
    usual = {
        "image_size": (8, 5),
        "num_channels": 3,
        "interpolation": "bilinear",
        "data_format": "channels_last",
    }
    return [
        (str(folder / name), {**usual, "num_channels": channels})
        for name in FILES
        for channels in (1, 3, 4)
    ] + [(str(folder / "rgb.png"), {**usual, **more}) for more in (*options, *sizes)]


@oracle.requires_keras
@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.long)])
def test_pixels_are_those_of_keras(every: int, tmp_path: Path) -> None:
    for name, image in FILES.items():
        image.save(tmp_path / name)
    modes = {1: "grayscale", 3: "rgb", 4: "rgba"}
    asked = calls(tmp_path)[::every]
    for (path, options), theirs in zip(asked, oracle.run(LOADED, calls=asked), strict=True):
        with nkeras.use_backend("numpy" if every > 1 else "numba_cpu"):  # which compiles
            reader = ImageReader(
                modes[options["num_channels"]],
                options["image_size"],
                options["interpolation"],
                options.get("crop_to_aspect_ratio", False),
                options.get("pad_to_aspect_ratio", False),
                options["data_format"],
            )
        ours = reader(path)
        assert ours.dtype == "float32"
        np.testing.assert_allclose(ours, theirs, rtol=2e-6, atol=2e-4, err_msg=f"{path} {options}")


# The cases of Keras' image_dataset_utils_test.py that are not in test_folders.py.
@pytest.mark.parametrize("mode", ["rgb", "rgba", "grayscale"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_colors(mode: str, data_format: str, tmp_path: Path) -> None:
    channels = {"rgb": 3, "rgba": 4, "grayscale": 1}[mode]
    folder = filled(tmp_path, write_image, classes=4)
    dataset = image_dataset_from_directory(
        folder, batch_size=8, image_size=18, color_mode=mode, data_format=data_format, verbose=False
    )
    images, labels = next(iter(dataset))
    last = data_format == "channels_last"
    assert images.shape == ((8, 18, 18, channels) if last else (8, channels, 18, 18))
    assert images.dtype == "float32"
    assert labels.dtype == "int32"


@pytest.mark.parametrize("keep", ["crop_to_aspect_ratio", "pad_to_aspect_ratio"])
def test_proportions(keep: str, tmp_path: Path) -> None:
    folder = filled(tmp_path, write_image, count=5)
    options: dict[str, Any] = {"image_size": (18, 18), "batch_size": 5, "verbose": False}
    images, _ = image_dataset_from_directory(folder, **{keep: True}, **options)[0]
    plain, _ = image_dataset_from_directory(folder, **options)[0]
    assert images.shape == plain.shape == (5, 18, 18, 3)
    assert not np.array_equal(images, plain)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"color_mode": "other"}, "`color_mode` must be one of"),
        ({"interpolation": "area"}, "that is TensorFlow's alone"),
        ({"interpolation": "best"}, "`interpolation` must be one of"),
        ({"image_size": (4, 4, 4)}, "`image_size` must be"),
        ({"image_size": 0}, "`image_size` must be"),
        ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "only one of"),
        ({"data_format": "last"}, "`data_format` must be"),
    ],
)
def test_errors(options: dict[str, Any], text: str, tmp_path: Path) -> None:
    folder = filled(tmp_path, write_image, count=2)
    with pytest.raises(ValueError, match=text):
        image_dataset_from_directory(folder, verbose=False, **options)


def test_a_model_learns_and_predicts(tmp_path: Path) -> None:
    """Classes differ by their brightness."""
    for index in range(24):
        place = tmp_path / ("dark" if index % 2 else "light")
        place.mkdir(exist_ok=True)
        base = 60 if index % 2 else 190
        pixels = RANDOM.integers(base - 40, base + 40, (9, 7, 3))
        Image.fromarray(pixels.astype("uint8")).save(place / f"{index}.jpg")
    options: dict[str, Any] = {"image_size": (6, 6), "batch_size": 4, "seed": 1, "verbose": False}
    train, test = image_dataset_from_directory(
        tmp_path, validation_split=0.25, subset="both", label_mode="binary", **options
    )
    layers = nkeras.layers
    nkeras.utils.set_random_seed(0)
    centered = layers.Lambda(lambda pixels: pixels / 127.5 - 1.0)
    pool = layers.GlobalAveragePooling2D()
    model = nkeras.Sequential([centered, pool, layers.Dense(1, "sigmoid")])
    model.compile(nkeras.optimizers.Adam(0.1), "binary_crossentropy", metrics=["accuracy"])
    with nkeras.use_backend("numpy"):
        history = model.fit(train, validation_data=test, epochs=12, verbose=0).history
        assert history["val_accuracy"][-1] == 1.0
        assert model.evaluate(test, verbose=0, return_dict=True)["accuracy"] == 1.0
        found = model.predict(test, verbose=0)
    truth = np.concatenate([labels for _, labels in test])
    np.testing.assert_array_equal(found > 0.5, truth == 1)


def test_arguments_are_in_the_order_of_keras() -> None:
    """Here links come behind the interpolation, in the two siblings behind `subset`."""
    names = list(inspect.signature(image_dataset_from_directory).parameters)
    assert names[10:14] == ["subset", "interpolation", "follow_links", "crop_to_aspect_ratio"]
    for sibling in (text_dataset_from_directory, audio_dataset_from_directory):
        names = list(inspect.signature(sibling).parameters)
        assert names[names.index("subset") + 1] == "follow_links"
