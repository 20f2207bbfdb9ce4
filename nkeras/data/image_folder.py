"""Folders of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nkeras.backend import registry
from nkeras.core import config
from nkeras.core.errors import refuse
from nkeras.data.folders import datasets_of_folder
from nkeras.data.images import read_image
from nkeras.data.pillow import require_pillow
from nkeras.ops.image.resize import INTERPOLATIONS, resize

_OWNER = "image_dataset_from_directory"
_FORMATS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
_TENSORFLOWS_OWN = ("area", "gaussian", "mitchellcubic")


def image_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: Any = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """A dataset of the images in a folder, with their classes.

    A folder for each class holds its images, also in folders of its own. Files and parts for one
    seed are those of Keras. Files are read when their batch is wanted, by threads, ahead of the
    model; a broken one is an error that names it. Of a GIF the first picture counts. A file that is
    no `.bmp`, `.gif`, `.jpeg`, `.jpg` or `.png` is left out, with a warning.

    Args:
        directory: the folder.
        labels: `"inferred"`: the subfolders are the classes, in alphabetical order. A list of
            integers: one for each file, in the order of their paths. None: no labels.
        label_mode: `"int"`: int32 `(batch,)`. `"binary"`: float32 `(batch, 1)`, for two classes.
            `"categorical"`: float32 `(batch, classes)`. None: no labels.
        class_names: subfolders to use, in the order of their labels.
        color_mode: `"grayscale"`, `"rgb"` or `"rgba"`. Grayscale of 16 or 32 bits keeps them.
        batch_size: images of a batch; None for single images.
        image_size: `(height, width)` of the images, or one number for both.
        shuffle: draw the order, anew behind each epoch; else it is alphabetical.
        seed: seed for that.
        validation_split: share of the files, the last in order, that is for validation.
        subset: `"training"`, `"validation"` or `"both"`, with `validation_split`.
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`.
        follow_links: also go into folders that are symbolic links.
        crop_to_aspect_ratio: cut out the middle so that nothing is distorted.
        pad_to_aspect_ratio: put black margins around, so that nothing is distorted.
        data_format: `"channels_last"` or `"channels_first"`; the setting for None.
        format: `"tf"` or `"grain"`, for Keras' sake: both give a dataset of nkeras.
        verbose: say how many files there are.

    Returns:
        PyDataset of images, float32 `(batch, height, width, channels)` from 0 to 255, or of pairs
        `(images, labels)`, with attributes `class_names` and `file_paths`. A list of two, for
        training and validation, where `subset="both"`.

    Raises:
        ValueError: an argument is wrong, or there are no images.
        OSError: there is no such folder.
        ImportError: Pillow is not installed.

    Example:
        >>> import os
        >>> import numpy as np
        >>> import nkeras
        >>> for name in ("cats/tom", "cats/kit", "dogs/rex"):
        ...     os.makedirs(os.path.dirname(name), exist_ok=True)
        ...     nkeras.utils.save_img(f"{name}.png", np.eye(8)[..., None])
        >>> dataset = image_dataset_from_directory(".", image_size=(4, 6), shuffle=False)
        Found 3 files belonging to 2 classes.
        >>> images, labels = dataset[0]
        >>> images.shape, labels, dataset.class_names
        ((3, 4, 6, 3), array([0, 0, 1], dtype=int32), ['cats', 'dogs'])

    Source: https://keras.io/api/data_loading/image/#imagedatasetfromdirectory-function
    """
    require_pillow(_OWNER)
    if format not in ("tf", "grain"):
        refuse("format", format, '"tf" or "grain"', _OWNER)
    read = ImageReader(
        color_mode,
        image_size,
        interpolation,
        crop_to_aspect_ratio,
        pad_to_aspect_ratio,
        config.standardize_data_format(data_format, _OWNER),
    )
    return datasets_of_folder(
        _OWNER,
        "image",
        _FORMATS,
        read,
        _stacked,
        directory,
        labels,
        label_mode,
        class_names,
        batch_size,
        shuffle,
        seed,
        validation_split,
        subset,
        follow_links,
        verbose,
    )


def _stacked(images: Sequence[np.ndarray], paths: Sequence[str]) -> np.ndarray:
    return np.stack(images)


class ImageReader:
    """Reads images of one size and kind of colours, in any thread.

    Args:
        color_mode: as `image_dataset_from_directory` takes it; so are the others.
        image_size: see there.
        interpolation: see there.
        crop_to_aspect_ratio: see there.
        pad_to_aspect_ratio: see there.
        data_format: `"channels_last"` or `"channels_first"`.
    """

    def __init__(
        self,
        color_mode: str,
        image_size: Any,
        interpolation: str,
        crop_to_aspect_ratio: bool,
        pad_to_aspect_ratio: bool,
        data_format: str,
    ) -> None:
        if color_mode not in ("rgb", "rgba", "grayscale"):
            refuse("color_mode", color_mode, "one of rgb, rgba, grayscale", _OWNER)
        interpolation = str(interpolation).lower()
        if interpolation not in INTERPOLATIONS:
            own = ": that is TensorFlow's alone" if interpolation in _TENSORFLOWS_OWN else ""
            refuse(
                "interpolation", interpolation, f"one of {', '.join(INTERPOLATIONS)}{own}", _OWNER
            )
        if crop_to_aspect_ratio and pad_to_aspect_ratio:
            raise ValueError(
                f"{_OWNER}: only one of `pad_to_aspect_ratio`, `crop_to_aspect_ratio` can be True."
            )
        self._color_mode = color_mode
        self._size = _checked_size(image_size)
        self._interpolation = interpolation
        self._crop = bool(crop_to_aspect_ratio)
        self._pad = bool(pad_to_aspect_ratio)
        self._data_format = data_format
        self._backend = _backend_of_the_host()

    def __call__(self, path: str) -> np.ndarray:
        """The image in a file.

        Args:
            path: name of the file.

        Returns:
            float32 `(height, width, channels)`, or channels first.

        Raises:
            ValueError: it is broken.
        """
        pixels = np.asarray(read_image(path, self._color_mode, _OWNER), "float32")
        if pixels.ndim == 2:
            pixels = pixels[..., None]
        if pixels.shape[:2] != self._size:
            with registry.use_backend(self._backend):
                pixels = resize(
                    pixels,
                    self._size,
                    self._interpolation,
                    crop_to_aspect_ratio=self._crop,
                    pad_to_aspect_ratio=self._pad,
                    data_format="channels_last",
                ).numpy()
        return pixels.transpose(2, 0, 1) if self._data_format == "channels_first" else pixels


def _checked_size(size: Any) -> tuple[int, int]:
    pair = (size, size) if isinstance(size, (int, np.integer)) else size
    if isinstance(pair, (tuple, list)) and len(pair) == 2:
        if all(isinstance(n, (int, np.integer)) and n > 0 for n in pair):
            return int(pair[0]), int(pair[1])
    refuse("image_size", size, "a positive int, or two of them, height and width", _OWNER)


def _backend_of_the_host() -> str:
    """The active backend where it computes on the host, else the fastest that does."""
    active = registry.get_backend()
    if active in ("numpy", "numba_cpu"):
        return active
    usable = registry.backends().get("numba_cpu") in ("active", "available")
    return "numba_cpu" if usable else "numpy"
