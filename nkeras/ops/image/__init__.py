"""The operations of `keras.ops.image`: images and batches of images, in both layouts."""

from nkeras.core import missing
from nkeras.ops.image.resize import resize as resize

__all__ = ["resize"]

missing.explain(__name__)
