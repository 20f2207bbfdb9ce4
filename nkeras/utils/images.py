"""Images of the size that is wanted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nkeras.core import config
from nkeras.core.errors import refuse
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.ops.image import resize


def smart_resize(
    x: TensorLike,
    size: Sequence[int],
    interpolation: str = "bilinear",
    data_format: str = "channels_last",
    backend_module: object = None,
) -> Tensor | np.ndarray:
    """Images of another size, whose middle is cut out so that nothing is distorted.

    Args:
        x: image `(height, width, channels)`, or a batch of them.
        size: height and width.
        interpolation: as for `nkeras.ops.image.resize`.
        data_format: `"channels_last"` or `"channels_first"`.
        backend_module: must be None.

    Returns:
        Tensor, or NumPy array where `x` is one.

    Raises:
        ValueError: the rank is wrong, or `size` has not two numbers.

    Example:
        >>> import numpy as np
        >>> smart_resize(np.ones((34, 50, 3)), (20, 20)).shape
        (20, 20, 3)

    Source: https://keras.io/api/data_loading/image/
    """
    if backend_module is not None:
        refuse("backend_module", backend_module, "None in nkeras", "smart_resize")
    if len(size) != 2:
        refuse("size", size, "two numbers, height and width", "smart_resize")
    data_format = config.standardize_data_format(data_format, "smart_resize")
    image = to_tensor(x)
    if len(image.shape) not in (3, 4):
        raise ValueError(
            "smart_resize: argument `x` must be an image or a batch of images, of rank 3 or 4. "
            f"Received shape: {image.shape}"
        )
    resized = resize(image, size, interpolation, crop_to_aspect_ratio=True, data_format=data_format)
    return resized.numpy() if isinstance(x, np.ndarray) else resized
