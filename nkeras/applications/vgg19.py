"""VGG with 19 layers that have weights."""

from __future__ import annotations

from nkeras.applications.architecture import Architecture, Request, architecture
from nkeras.applications.imagenet_utils import decode_predictions
from nkeras.applications.imagenet_utils import zero_centered as preprocess_input
from nkeras.applications.vgg import vgg
from nkeras.models import Functional

__all__ = ["VGG19", "decode_predictions", "preprocess_input"]

_HASHES = ("cbe5617147190e668d6c5d5026f83318", "253f8cb515780f3b799900260a226db6")


@architecture(Architecture, "vgg19")
def VGG19(request: Request) -> Functional:
    """VGG with 19 layers that have weights, 143.7 million numbers.

    Images go through `nkeras.applications.vgg19.preprocess_input` first.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.VGG19(
        ...     weights=None, include_top=False, input_shape=(32, 32, 3)
        ... )
        >>> model.output_shape
        (None, 1, 1, 512)

    Source: https://arxiv.org/abs/1409.1556
    """
    return vgg(request, "vgg19", (2, 2, 4, 4, 4), _HASHES)
