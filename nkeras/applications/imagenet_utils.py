"""Images into what models of ImageNet expect, and their predictions into names of classes."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np

from nkeras import config, ops
from nkeras.applications.pretrained import WeightFile
from nkeras.core import graph, in_tensorflow
from nkeras.core.dtypes import is_floating
from nkeras.core.errors import cut_text, is_a, refuse, short
from nkeras.core.typing import Layout

__all__ = ["decode_predictions", "preprocess_input"]

_CLASS_FILE = WeightFile(
    "imagenet_class_index.json",
    "https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json",
    "c2c37ea517e94d9795004a39431a14cb",
)
_CLASSES = 1000
_MOST_BYTES = 1_000_000  # the file has 35 thousand

# Of the channels of ImageNet: blue, green, red from 0 to 255; red, green, blue from 0 to 1.
MEANS_OF_PIXELS = (103.939, 116.779, 123.68)
MEANS, DEVIATIONS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def preprocess_input(x: Any, data_format: Layout = None, mode: str = "caffe") -> Any:
    """Images of pixels from 0 to 255 as the weights of an architecture were trained with.

    Keras writes over a NumPy array of floats that it is given; here the array stays as it was, and
    the result is a new one. Keras subtracts rounded means from symbolic tensors of integers; here
    they become floats first, as arrays do.

    Args:
        x: images `(batch, height, width, 3)`, or one without the batch axis; channels first as
            `data_format` says. NumPy array, tensor or symbolic tensor, of integers or floats, with
            channels in the order red, green, blue.
        data_format: `"channels_last"`, `"channels_first"`, or None for
            `nkeras.config.image_data_format()`.
        mode: `"tf"` scales pixels to -1 .. 1. `"torch"` scales them to 0 .. 1, subtracts the mean
            of ImageNet and divides by its standard deviation, for each channel. `"caffe"` reverses
            the order of the channels to blue, green, red, and subtracts the mean of each.

    Returns:
        The images, as an array where `x` is one, else as a tensor; of the dtype of `x` if that is
        a float, else of `nkeras.config.floatx()`.

    Raises:
        ValueError: `mode` or `data_format` is unknown, or the images do not have three channels
            where each channel has its own mean.

    Example:
        >>> import numpy as np
        >>> preprocess_input(np.array([[[0, 255, 127.5]]]), mode="tf")
        array([[[-1.,  1.,  0.]]])

    Source: https://keras.io/api/applications/
    """
    if mode not in ("caffe", "tf", "torch"):
        refuse("mode", mode, "'caffe', 'tf' or 'torch'", "preprocess_input")
    layout = config.image_data_format() if data_format is None else data_format
    if layout not in ("channels_first", "channels_last"):
        refuse("data_format", layout, "'channels_first' or 'channels_last'", "preprocess_input")
    if in_tensorflow.is_traced(x):
        return graph.call_traced(preprocess_input, (x, layout, mode), {})
    x = _floats(x)
    if mode == "tf":
        return x / 127.5 - 1.0
    axis = len(x.shape) - (3 if layout == "channels_first" else 1)
    if len(x.shape) not in (3, 4) or x.shape[axis] != 3:
        raise ValueError(
            f"preprocess_input: images (batch, height, width, 3), or one of them, are needed for "
            f"mode={mode!r} and data_format={layout!r}. Received shape {tuple(x.shape)}"
        )
    if mode == "caffe":
        return _reversed(x, axis) - _along(MEANS_OF_PIXELS, x, axis)
    return (x / 255.0 - _along(MEANS, x, axis)) / _along(DEVIATIONS, x, axis)


def _floats(x: Any) -> Any:
    if isinstance(x, np.ndarray):
        return x if np.issubdtype(x.dtype, np.floating) else x.astype(config.floatx())
    x = ops.convert_to_tensor(x)
    return x if is_floating(x.dtype) else ops.cast(x, config.floatx())


def _reversed(x: Any, axis: int) -> Any:
    return np.flip(x, axis) if isinstance(x, np.ndarray) else ops.flip(x, axis)


def _along(values: tuple[float, ...], x: Any, axis: int) -> Any:
    """Values of the channels, of the dtype of the images and a shape that goes with theirs."""
    column = np.reshape(values, [3 if i == axis else 1 for i in range(len(x.shape))])
    if isinstance(x, np.ndarray):
        return column.astype(x.dtype)
    return ops.convert_to_tensor(column, x.dtype)


def from_minus_one_to_one(x: Any, data_format: Layout = None) -> Any:
    """Pixels from 0 to 255 scaled to -1 .. 1: `preprocess_input` with `mode="tf"`.

    Args:
        x: images, as array or tensor of any shape.
        data_format: layout of the images, which makes no difference here.

    Returns:
        The images: an array where `x` is one, else a tensor.

    Raises:
        ValueError: `data_format` is unknown.

    Example:
        >>> import numpy as np
        >>> from_minus_one_to_one(np.array([0.0, 127.5, 255.0]))
        array([-1.,  0.,  1.])

    Source: https://keras.io/api/applications/
    """
    return preprocess_input(x, data_format, "tf")


def normalized_by_channel(x: Any, data_format: Layout = None) -> Any:
    """Pixels by mean and deviation of ImageNet: `preprocess_input` with `mode="torch"`.

    Args:
        x: images `(batch, height, width, 3)` or one of them, with values from 0 to 255.
        data_format: `"channels_last"`, `"channels_first"`, or None for the setting.

    Returns:
        The images: an array where `x` is one, else a tensor.

    Raises:
        ValueError: `data_format` is unknown, or the images do not have three channels.

    Example:
        >>> import numpy as np
        >>> normalized_by_channel(np.full((1, 1, 3), 127.5)).round(2)
        array([[[0.07, 0.2 , 0.42]]])

    Source: https://keras.io/api/applications/
    """
    return preprocess_input(x, data_format, "torch")


def zero_centered(x: Any, data_format: Layout = None) -> Any:
    """Channels blue, green, red, less their mean: `preprocess_input` with `mode="caffe"`.

    Args:
        x: images `(batch, height, width, 3)` or one of them, with values from 0 to 255 and channels
            in the order red, green, blue.
        data_format: `"channels_last"`, `"channels_first"`, or None for the setting.

    Returns:
        The images: an array where `x` is one, else a tensor.

    Raises:
        ValueError: `data_format` is unknown, or the images do not have three channels.

    Example:
        >>> import numpy as np
        >>> zero_centered(np.array([[[10.0, 20.0, 30.0]]]))
        array([[[ -73.939,  -96.779, -113.68 ]]])

    Source: https://keras.io/api/applications/
    """
    return preprocess_input(x, data_format, "caffe")


def unchanged(x: Any, data_format: Layout = None) -> Any:
    """The images as they are: the model itself begins with what they need.

    Args:
        x: images with values from 0 to 255.
        data_format: layout of the images, which makes no difference.

    Returns:
        `x`.

    Example:
        >>> unchanged([0.0, 255.0])
        [0.0, 255.0]

    Source: https://keras.io/api/applications/
    """
    return x


def decode_predictions(preds: Any, top: int = 5) -> list[list[tuple[str, str, Any]]]:
    """The most probable classes of ImageNet by their names.

    Args:
        preds: probabilities `(batch, 1000)`, as array or tensor.
        top: how many classes of each image.

    Returns:
        For each image a list of `(WordNet id, name, probability)`, the most probable class first.

    Raises:
        ValueError: the predictions are not of 1000 classes, `top` is not positive, or the file of
            names is damaged.
        OSError: the file of names, 35 kB, is not in the cache and cannot be downloaded.

    Example:
        >>> import numpy as np
        >>> decode_predictions(np.zeros((1, 10)))
        Traceback (most recent call last):
            ...
        ValueError: decode_predictions: predictions (batch, 1000) are needed. Received shape (1, 10)

    Source: https://keras.io/api/applications/
    """
    shape = tuple(getattr(preds, "shape", None) or np.shape(preds))
    if len(shape) != 2 or shape[1] != _CLASSES:
        raise ValueError(
            f"decode_predictions: predictions (batch, {_CLASSES}) are needed. Received shape "
            f"{cut_text(str(shape))}"
        )
    if not is_a(top, (int, np.integer)) or top < 1:
        refuse("top", top, "a positive integer", "decode_predictions")
    names = _class_names(_CLASS_FILE.fetch())
    rows = ops.convert_to_numpy(preds)
    order = np.argsort(-rows, axis=1, kind="stable")[:, :top]
    return [[(*names[i], row[i]) for i in best] for row, best in zip(rows, order, strict=True)]


@functools.lru_cache(1)
def _class_names(path: str) -> list[tuple[str, str]]:
    """WordNet id and name of each class.

    Raises:
        ValueError: the file does not have them.
    """
    file = Path(path)
    if file.stat().st_size > _MOST_BYTES:
        raise ValueError(f"{cut_text(path)}: the file is too long for the names of 1000 classes.")
    try:
        table = json.loads(file.read_text("utf-8"))
        found = [tuple(map(str, table[str(number)])) for number in range(_CLASSES)]
        return [(identifier, name) for identifier, name in found]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{cut_text(path)}: the file does not have the names of 1000 classes "
            f"({type(error).__name__}: {short(str(error), 60)})."
        ) from error
