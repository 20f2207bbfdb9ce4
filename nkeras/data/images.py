"""Images: from files, as arrays, and back."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from nkeras.core import config, dtypes
from nkeras.core.errors import cut_text, refuse, short, warn
from nkeras.core.files import replacing
from nkeras.core.typing import DTypeLike
from nkeras.data.pillow import require_pillow

if TYPE_CHECKING:
    from PIL.Image import Image

_MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
_OTHER_GRAYS = ("I;16", "I")  # grayscale of 16 and 32 bits stays what it is
_FILTERS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")


def load_img(
    path: Any,
    color_mode: str = "rgb",
    target_size: tuple[int, int] | None = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Image:
    """An image from a file.

    Args:
        path: name of the file (str, bytes or path), or a binary file that is open, such as a
            `BytesIO`.
        color_mode: `"grayscale"`, `"rgb"` or `"rgba"`. A grayscale image of 16 or 32 bits keeps
            them.
        target_size: `(height, width)` of the result; that of the file for None.
        interpolation: `"nearest"`, `"bilinear"`, `"bicubic"`, `"lanczos"`, `"box"` or `"hamming"`.
        keep_aspect_ratio: cut out the middle so that nothing is distorted.

    Returns:
        Image of Pillow, read whole.

    Raises:
        ValueError: the file is no image, or broken, or an argument is wrong.
        TypeError: `path` is neither a name nor a file.
        ImportError: Pillow is not installed.

    Example:
        >>> import numpy as np
        >>> save_img("dots.png", np.eye(8)[..., None])
        >>> load_img("dots.png", color_mode="grayscale", target_size=(4, 6)).size
        (6, 4)

    Source: https://keras.io/api/data_loading/image/#loadimg-function
    """
    owner = "load_img"
    module = require_pillow(owner)
    if color_mode not in _MODES:
        refuse("color_mode", color_mode, '"grayscale", "rgb" or "rgba"', owner)
    if interpolation not in _FILTERS:
        refuse("interpolation", interpolation, f"one of {', '.join(_FILTERS)}", owner)
    image = read_image(path, color_mode, owner)
    if target_size is None:
        return image
    height, width = _checked_size(target_size)
    if image.size == (width, height):
        return image
    box = _middle(image.size, (width, height)) if keep_aspect_ratio else None
    return image.resize((width, height), module.Resampling[interpolation.upper()], box=box)


def _checked_size(size: object) -> tuple[int, int]:
    pair = size if isinstance(size, (tuple, list)) else ()
    if len(pair) != 2 or not all(isinstance(n, (int, np.integer)) and n > 0 for n in pair):
        refuse("target_size", size, "None or two positive ints, height and width", "load_img")
    return int(pair[0]), int(pair[1])


def _middle(size: tuple[int, int], wanted: tuple[int, int]) -> tuple[int, int, int, int]:
    """The greatest box of the wanted shape in the middle: left, upper, right, lower."""
    width, height = size
    cut_width = max(1, min(width, height * wanted[0] // wanted[1]))
    cut_height = max(1, min(height, width * wanted[1] // wanted[0]))
    left, upper = (width - cut_width) // 2, (height - cut_height) // 2
    return left, upper, left + cut_width, upper + cut_height


def read_image(path: Any, color_mode: str, owner: str) -> Image:
    """An image of Pillow in the wanted colours, whole in memory.

    Args:
        path: as in `load_img`.
        color_mode: as in `load_img`.
        owner: who asks, for errors.

    Raises:
        ValueError: the file is no image, or broken.
        TypeError: `path` is neither a name nor a file.
    """
    module = require_pillow(owner)
    if isinstance(path, (str, bytes, os.PathLike)):
        name = os.fsdecode(path)
        with open(path, "rb") as file:
            content: Any = io.BytesIO(file.read())
    elif hasattr(path, "read"):
        name, content = type(path).__name__, path
    else:
        raise TypeError(
            f"{owner}: argument `path` must be the name of a file, a path or an open binary file. "
            f"Received: {short(path)}"
        )
    mode = _MODES[color_mode]
    try:
        image: Image = module.open(content)
        if image.format == "EPS":
            raise ValueError("EPS is a program, which would have to be run")
        if image.mode == mode or (mode == "L" and image.mode in _OTHER_GRAYS):
            image.load()
            return image
        return image.convert(mode)
    except (OSError, ValueError, SyntaxError, EOFError, module.DecompressionBombError) as error:
        text = "its format is unknown, or it is broken"
        if not isinstance(error, module.UnidentifiedImageError):
            text = cut_text(str(error), 120)
        raise ValueError(
            f"{owner}: file {cut_text(repr(name), 150)} cannot be read as an image: {text}"
        ) from error


def img_to_array(img: Any, data_format: str | None = None, dtype: DTypeLike = None) -> np.ndarray:
    """The pixels of an image as an array of rank 3.

    Args:
        img: image of Pillow, or array `(height, width)` or `(height, width, channels)`.
        data_format: `"channels_last"` or `"channels_first"`; the setting for None.
        dtype: dtype of the array; `floatx` for None.

    Returns:
        NumPy array `(height, width, channels)`, or `(channels, height, width)`.

    Raises:
        ValueError: the image has another rank.

    Example:
        >>> import numpy as np
        >>> img_to_array(np.ones((4, 5))).shape
        (4, 5, 1)

    Source: https://keras.io/api/data_loading/image/#imgtoarray-function
    """
    data_format = config.standardize_data_format(data_format, "img_to_array")
    pixels = np.asarray(img, dtype=dtypes.to_numpy(dtypes.standardize(dtype)))
    if pixels.ndim not in (2, 3):
        raise ValueError(
            "img_to_array: argument `img` must have shape (height, width) or (height, width, "
            f"channels). Received shape: {pixels.shape}"
        )
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    return pixels.transpose(2, 0, 1) if data_format == "channels_first" else pixels


def array_to_img(
    x: Any, data_format: str | None = None, scale: bool = True, dtype: DTypeLike = None
) -> Image:
    """An image with the pixels of an array.

    Args:
        x: array `(height, width, channels)`, or `(channels, height, width)`, of 1 (grayscale),
            3 (RGB) or 4 channels (RGBA).
        data_format: `"channels_last"` or `"channels_first"`; the setting for None.
        scale: map the least value to 0 and the greatest to 255. Without it values are cut to
            bytes; a gray value above 255 makes an image of 32 bits.
        dtype: dtype to compute in; `floatx` for None.

    Returns:
        Image of Pillow.

    Raises:
        ValueError: the shape is another, or a value is not finite.
        ImportError: Pillow is not installed.

    Example:
        >>> import numpy as np
        >>> array_to_img(np.arange(24.0).reshape(2, 4, 3)).size
        (4, 2)

    Source: https://keras.io/api/data_loading/image/#arraytoimg-function
    """
    module = require_pillow("array_to_img")
    data_format = config.standardize_data_format(data_format, "array_to_img")
    pixels = np.asarray(x, dtype=dtypes.to_numpy(dtypes.standardize(dtype)))
    if data_format == "channels_first" and pixels.ndim == 3:
        pixels = pixels.transpose(1, 2, 0)
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or 0 in pixels.shape:
        raise ValueError(
            "array_to_img: argument `x` must be one image of rank 3 with 1, 3 or 4 channels. "
            f"Received shape: {np.shape(x)}, with data_format={data_format!r}"
        )
    if not np.isfinite(pixels).all():
        raise ValueError("array_to_img: argument `x` has values that are not finite.")
    if scale:
        pixels = _scaled(pixels)
    if pixels.shape[2] > 1:
        return module.fromarray(pixels.astype("uint8"))
    gray = pixels[:, :, 0]
    return module.fromarray(gray.astype("int32" if gray.max() > 255 else "uint8"))


def _scaled(pixels: np.ndarray) -> np.ndarray:
    """Values from 0 to 255."""
    pixels = pixels - pixels.min()
    greatest = pixels.max()
    return pixels / greatest * 255 if greatest != 0 else pixels


def save_img(
    path: Any,
    x: Any,
    data_format: str | None = None,
    file_format: str | None = None,
    scale: bool = True,
    **kwargs: Any,
) -> None:
    """Write an array into a file as an image.

    A file that was there is replaced as a whole.

    Args:
        path: name of the file, or a binary file that is open.
        x: array, as for `array_to_img`.
        data_format: as for `array_to_img`.
        file_format: such as `"png"` or `"jpg"`; what the name ends with for None.
        scale: as for `array_to_img`.
        **kwargs: options of the format, as `PIL.Image.Image.save` takes them.

    Raises:
        ValueError: the format is unknown, or cannot hold the image.
        ImportError: Pillow is not installed.

    Example:
        >>> import numpy as np
        >>> save_img("gray.png", np.arange(6.0).reshape(2, 3, 1))
        >>> img_to_array(load_img("gray.png", "grayscale"))[:, :, 0]
        array([[  0.,  51., 102.],
               [153., 204., 255.]], dtype=float32)

    Source: https://keras.io/api/data_loading/image/#saveimg-function
    """
    image = array_to_img(x, data_format=data_format, scale=scale)
    is_name = isinstance(path, (str, bytes, os.PathLike))
    if file_format is None and is_name:
        file_format = os.path.splitext(os.fsdecode(path))[1][1:]
    if not file_format:
        refuse("file_format", file_format, 'a format such as "png": `path` names none', "save_img")
    module = require_pillow("save_img")
    known = module.registered_extensions()
    form = known.get(f".{file_format.lower()}", file_format.upper())
    if form == "JPEG" and image.mode == "RGBA":
        warn("The JPEG format does not support RGBA images, converting to RGB.")
        image = image.convert("RGB")
    content = io.BytesIO()
    try:
        image.save(content, form, **kwargs)
    except (KeyError, OSError, ValueError) as error:
        raise ValueError(
            f"save_img: Pillow cannot write an image of mode {image.mode} in the format "
            f"{short(file_format)}: {cut_text(str(error), 120)}"
        ) from error
    if is_name:
        with replacing(os.fsdecode(path)) as file:
            file.write(content.getbuffer())
    else:
        path.write(content.getvalue())
