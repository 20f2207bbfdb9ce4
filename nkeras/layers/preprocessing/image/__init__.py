"""Layers for images, and for the boxes, masks and labels beside them."""

from nkeras.layers.preprocessing.image.base_image import (
    BaseImagePreprocessingLayer as BaseImagePreprocessingLayer,
)
from nkeras.layers.preprocessing.image.color import ColorLayer as ColorLayer
from nkeras.layers.preprocessing.image.warping import WarpingLayer as WarpingLayer
