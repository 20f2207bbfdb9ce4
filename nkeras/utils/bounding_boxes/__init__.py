"""Bounding boxes, as `keras.utils.bounding_boxes` has them."""

from nkeras.core import missing
from nkeras.utils.bounding_boxes.deltas import decode_deltas_to_boxes as decode_deltas_to_boxes
from nkeras.utils.bounding_boxes.deltas import encode_box_to_deltas as encode_box_to_deltas
from nkeras.utils.bounding_boxes.formats import clip_to_image_size as clip_to_image_size
from nkeras.utils.bounding_boxes.formats import convert_format as convert_format
from nkeras.utils.bounding_boxes.iou import compute_ciou as compute_ciou
from nkeras.utils.bounding_boxes.iou import compute_iou as compute_iou
from nkeras.utils.bounding_boxes.transforms import affine_transform as affine_transform
from nkeras.utils.bounding_boxes.transforms import crop as crop
from nkeras.utils.bounding_boxes.transforms import pad as pad

__all__ = missing.names_of(__name__)  # pyright: ignore[reportUnsupportedDunderAll]

missing.explain(__name__)
