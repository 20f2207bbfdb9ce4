"""The operations of `keras.ops.image`: images and batches of images, in both layouts."""

from nkeras.core import missing
from nkeras.ops.image.map_coordinates import map_coordinates as map_coordinates
from nkeras.ops.image.resize import resize as resize
from nkeras.ops.image.transform import affine_transform as affine_transform
from nkeras.ops.image.transform import perspective_transform as perspective_transform

__all__ = ["affine_transform", "map_coordinates", "perspective_transform", "resize"]

missing.explain(__name__)
