"""Images in files, against Keras."""

from __future__ import annotations

import io
import itertools
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import nkeras
from nkeras.utils import array_to_img, img_to_array, load_img, save_img
from tests.harness import oracle

RANDOM = np.random.default_rng(0)
FILES = {
    "rgb.png": Image.fromarray(RANDOM.integers(0, 256, (9, 14, 3), "uint8")),
    "rgba.png": Image.fromarray(RANDOM.integers(0, 256, (8, 5, 4), "uint8")),
    "gray.bmp": Image.fromarray(RANDOM.integers(0, 256, (7, 7), "uint8")),
    "deep.png": Image.fromarray(RANDOM.integers(0, 60000, (6, 9), "uint16")),
    "photo.jpg": Image.fromarray(RANDOM.integers(0, 256, (20, 16, 3), "uint8")),
    "frames.gif": Image.fromarray(RANDOM.integers(0, 256, (6, 8, 3), "uint8")),
}
SIZES = [(4, 6), (6, 4), (21, 3), (2, 24)]
FILTERS = ["nearest", "bilinear", "bicubic", "hamming", "box", "lanczos"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, image in FILES.items():
        image.save(tmp_path / name)
    return tmp_path


def calls() -> list[dict[str, Any]]:
    modes = [
        {"path": name, "color_mode": mode}
        for name, mode in itertools.product(FILES, ("grayscale", "rgb", "rgba"))
    ]
    sizes = [
        {"path": name, "target_size": size, "interpolation": kind, "keep_aspect_ratio": keep}
        for name, size, kind, keep in itertools.product(
            ("rgb.png", "photo.jpg"), SIZES, FILTERS, (False, True)
        )
    ]
    deep = [{"path": "deep.png", "color_mode": "grayscale", "target_size": (3, 4)}]
    return [*modes, *sizes, *deep]


LOADED = """
import os
result = [
    utils.img_to_array(utils.load_img(**call | {"path": os.path.join(folder, call["path"])}))
    for call in calls
]
"""


@oracle.requires_keras
def test_loaded_as_keras_does(folder: Path) -> None:
    names: dict[str, Any] = {"utils": nkeras.utils, "calls": calls(), "folder": str(folder)}
    exec(LOADED, names)
    expected = oracle.run("utils = keras.utils\n" + LOADED, calls=calls(), folder=str(folder))
    assert len(expected) > 100
    for call, ours, theirs in zip(calls(), names["result"], expected, strict=True):
        np.testing.assert_array_equal(ours, theirs, str(call))


ARRAYS = [
    (RANDOM.normal(size=(5, 4, 3)), {}),
    (RANDOM.uniform(0, 255, (5, 4, 4)), {"scale": False}),
    (RANDOM.normal(size=(4, 3, 1)), {"dtype": "float64"}),
    (RANDOM.uniform(0, 255, (3, 4, 5)), {"data_format": "channels_first", "dtype": "float16"}),
    (1000.0 * RANDOM.uniform(size=(4, 3, 1)), {"scale": False}),
    (np.full((2, 2, 3), 7.0), {}),
]
MADE = """
images = [utils.array_to_img(x, **options) for x, options in arrays]
result = [(image.mode, np.asarray(image)) for image in images]
"""


@oracle.requires_keras
def test_made_as_keras_does() -> None:
    names: dict[str, Any] = {"utils": nkeras.utils, "arrays": ARRAYS, "np": np}
    exec(MADE, names)
    expected = oracle.run("utils = keras.utils\n" + MADE, arrays=ARRAYS)
    for ours, theirs in zip(names["result"], expected, strict=True):
        assert ours[0] == theirs[0]
        np.testing.assert_array_equal(ours[1], theirs[1])


def test_saved_and_loaded(tmp_path: Path) -> None:
    pixels = RANDOM.integers(0, 256, (6, 5, 3)).astype("float32")
    pixels[0, 0], pixels[0, 1] = 0, 255
    for name in ("a.png", "b.bmp", os.fsencode(tmp_path / "c.png"), Path("d.tif")):
        path = name if isinstance(name, bytes) else tmp_path / name
        save_img(path, pixels)
        np.testing.assert_array_equal(img_to_array(load_img(path)), pixels)
    open_file = io.BytesIO()
    save_img(open_file, pixels.transpose(2, 0, 1), "channels_first", "png")
    found = img_to_array(load_img(open_file), "channels_first")
    np.testing.assert_array_equal(found, pixels.transpose(2, 0, 1))


# The cases of Keras' image_utils_test.py.
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("file_format", ["jpg", None])
@pytest.mark.filterwarnings("ignore:The JPEG format")
def test_jpeg(channels: int, file_format: str | None, tmp_path: Path) -> None:
    image = RANDOM.integers(0, 256, (50, 50, channels), "uint8")
    save_img(str(tmp_path / "image.jpg"), image, file_format=file_format)
    assert img_to_array(load_img(str(tmp_path / "image.jpg"))).shape == (50, 50, 3)


def test_jpeg_without_transparency_is_told(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="converting to RGB"):
        save_img(tmp_path / "image.jpg", np.ones((4, 4, 4)))


def test_options_reach_the_format(tmp_path: Path) -> None:
    pixels = RANDOM.integers(0, 256, (40, 40, 3), "uint8")
    for quality in (10, 95):
        save_img(tmp_path / f"{quality}.jpg", pixels, quality=quality)
    assert (tmp_path / "10.jpg").stat().st_size < (tmp_path / "95.jpg").stat().st_size / 2


def broken(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("color_mode", ["rgb", "rgba"])
def test_broken_files_are_named(folder: Path, color_mode: str) -> None:
    whole = (folder / "rgb.png").read_bytes()
    for name, content in {
        "empty.png": b"",
        "text.jpg": b"no image",
        "half.png": whole[: len(whole) // 2],
        "postscript.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\n",
    }.items():
        path = broken(folder, name, content)
        with pytest.raises(ValueError, match=name) as found:
            load_img(path, color_mode)
        assert len(str(found.value)) <= 400


def test_a_bomb_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    with pytest.raises(ValueError, match=r"rgb\.png.*exceeds limit"):
        load_img(folder / "rgb.png")


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda: load_img("x.png", "cmyk"), ValueError, "`color_mode` must be"),
        (lambda: load_img("x.png", interpolation="area"), ValueError, "`interpolation` must be"),
        (lambda: load_img(3), TypeError, "`path` must be the name"),
        (lambda: load_img("no such file.png"), FileNotFoundError, "no such file"),
        (lambda: array_to_img(np.ones((4, 4))), ValueError, r"Received shape: \(4, 4\)"),
        (lambda: array_to_img(np.ones((4, 4, 2))), ValueError, "1, 3 or 4 channels"),
        (lambda: array_to_img(np.full((4, 4, 1), np.nan)), ValueError, "not finite"),
        (lambda: save_img("x", np.ones((4, 4, 1))), ValueError, "`file_format` must be"),
        (lambda: save_img(io.BytesIO(), np.ones((4, 4, 1))), ValueError, "`path` names none"),
        (lambda: save_img("x.xyz", np.ones((4, 4, 1))), ValueError, "the format 'xyz'"),
        (
            lambda: save_img("x.jpg", 999 * np.ones((4, 4, 1)), scale=False),
            ValueError,
            "of mode I in the format 'jpg'",
        ),
    ],
)
def test_errors(call: Any, kind: type[Exception], text: str, tmp_path: Path) -> None:
    before = os.getcwd()
    os.chdir(tmp_path)
    try:
        with pytest.raises(kind, match=text):
            call()
        assert not list(tmp_path.iterdir())
    finally:
        os.chdir(before)


def test_the_middle_is_never_empty(folder: Path) -> None:
    wide = load_img(folder / "rgb.png", target_size=(1, 40), keep_aspect_ratio=True)
    row = np.asarray(load_img(folder / "rgb.png"))[4]
    np.testing.assert_array_equal(np.asarray(wide)[0], row[(2 * np.arange(40) + 1) * 14 // 80])


def test_sizes_are_checked(folder: Path) -> None:
    for size in (4, (0, 4), (4, 4, 4), (2.5, 2)):
        with pytest.raises(ValueError, match="`target_size` must be None or two"):
            load_img(folder / "rgb.png", target_size=size)  # type: ignore[arg-type]


def test_without_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    for name, call in (
        ("load_img", lambda: load_img("x.png")),
        ("array_to_img", lambda: array_to_img(np.ones((4, 4, 1)))),
        ("array_to_img", lambda: save_img("x.png", np.ones((4, 4, 1)))),
    ):
        with pytest.raises(ImportError, match=rf"{name}.*nkeras\[image\]"):
            call()


def test_names_stand_where_keras_has_them() -> None:
    for name in ("load_img", "img_to_array", "array_to_img", "save_img"):
        assert getattr(nkeras.preprocessing.image, name) is getattr(nkeras.utils, name)
