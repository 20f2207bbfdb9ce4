"""VGG: blocks of 3x3 convolutions, each followed by max pooling, and three dense layers.

Source: K. Simonyan and A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
Recognition", 2014, https://arxiv.org/abs/1409.1556
"""

from __future__ import annotations

from collections.abc import Sequence

from nkeras import layers
from nkeras.applications.architecture import Request
from nkeras.applications.heads import dense_classifier, pooled
from nkeras.applications.images import image_input, image_shape
from nkeras.applications.pretrained import finished_model, tensorflow_kernels
from nkeras.models import Functional

_FILTERS = (64, 128, 256, 512, 512)


def vgg(request: Request, name: str, counts: Sequence[int], hashes: tuple[str, str]) -> Functional:
    """A model of the family.

    Args:
        request: what the caller asked for.
        name: of the architecture among the files of weights.
        counts: convolutions in each block.
        hashes: of the files.
    """
    images = x = image_input(request, image_shape(request, 224))
    for block, (count, filters) in enumerate(zip(counts, _FILTERS, strict=True), 1):
        for i in range(1, count + 1):
            x = layers.Conv2D(
                filters, 3, padding="same", activation="relu", name=f"block{block}_conv{i}"
            )(x)
        x = layers.MaxPooling2D(2, strides=2, name=f"block{block}_pool")(x)
    if request.include_top:
        x = layers.Flatten(name="flatten")(x)
        x = layers.Dense(4096, activation="relu", name="fc1")(x)
        x = layers.Dense(4096, activation="relu", name="fc2")(x)
        x = dense_classifier(request, x)
    else:
        x = pooled(request, x)
    return finished_model(request, images, x, tensorflow_kernels(name, name, hashes))
