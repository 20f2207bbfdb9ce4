"""Images as arrays, as `keras.preprocessing.image`."""

from nkeras.core import missing
from nkeras.data.images import array_to_img, img_to_array, load_img, save_img
from nkeras.utils.images import smart_resize

__all__ = ["array_to_img", "img_to_array", "load_img", "save_img", "smart_resize"]

missing.explain(__name__)
