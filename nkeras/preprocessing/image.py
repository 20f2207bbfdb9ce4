"""Images as arrays, as `keras.preprocessing.image`."""

from nkeras.core import missing
from nkeras.utils.images import img_to_array, smart_resize

__all__ = ["img_to_array", "smart_resize"]

missing.explain(__name__)
