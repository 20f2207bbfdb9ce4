"""VGG with 16 layers that have weights."""

from __future__ import annotations

from nkeras.applications.architecture import Architecture, Request, architecture
from nkeras.applications.imagenet_utils import decode_predictions
from nkeras.applications.imagenet_utils import zero_centered as preprocess_input
from nkeras.applications.vgg import vgg
from nkeras.models import Functional

__all__ = ["VGG16", "decode_predictions", "preprocess_input"]

_HASHES = ("64373286793e3c8b2b4e3219cbf3544b", "6d6bbae143d832006294945121d1f1fc")


@architecture(Architecture, "vgg16")
def VGG16(request: Request) -> Functional:
    """VGG with 16 layers that have weights, 138.4 million numbers.

    Images go through `nkeras.applications.vgg16.preprocess_input` first.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.VGG16(
        ...     weights=None, include_top=False, input_shape=(32, 32, 3)
        ... )
        >>> model.output_shape
        (None, 1, 1, 512)

    Source: https://arxiv.org/abs/1409.1556
    """
    return vgg(request, "vgg16", (2, 2, 3, 3, 3), _HASHES)
