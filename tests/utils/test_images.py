"""Images as arrays, against Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras.preprocessing import image
from tests.harness import oracle

IMAGES = np.random.default_rng(0).uniform(size=(2, 7, 12, 3)).astype("float32")

CODE = """
result = [
    image.smart_resize(images, (4, 4)),
    image.smart_resize(images[0], (5, 3), "nearest"),
    image.smart_resize(images[0], (9, 20), interpolation="bicubic"),
    image.smart_resize(images.transpose(0, 3, 1, 2), (6, 4), data_format="channels_first"),
    image.img_to_array(images[0]),
    image.img_to_array(images[0, :, :, 0], dtype="float64"),
    image.img_to_array((255 * images[0]).astype("uint8"), "channels_first"),
    image.img_to_array(images[0, :, :, 0], data_format="channels_first", dtype="float16"),
]
"""


@oracle.requires_keras
def test_arrays_are_those_of_keras() -> None:
    names: dict[str, Any] = {"image": image, "images": IMAGES}
    exec(CODE, names)
    expected = oracle.run("image = keras.preprocessing.image\n" + CODE, images=IMAGES)
    for ours, theirs in zip(names["result"], expected, strict=True):
        assert isinstance(ours, np.ndarray)
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    assert nkeras.utils.img_to_array is image.img_to_array
    assert isinstance(image.smart_resize(nkeras.ops.ones((4, 4, 1)), (2, 2)), nkeras.Tensor)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: image.img_to_array(np.ones(3)), r"Received shape: \(3,\)"),
        (lambda: image.smart_resize(np.ones((4, 4)), (2, 2)), "of rank 3 or 4"),
        (lambda: image.smart_resize(IMAGES, (2, 2, 2)), "`size` must be two numbers"),
        (lambda: image.smart_resize(IMAGES, (2, 2), backend_module=np), "`backend_module` must be"),
        (lambda: image.img_to_array(IMAGES[0], "first"), "`data_format` must be"),
    ],
)
def test_errors(call: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        call()
