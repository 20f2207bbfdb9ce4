"""Pictures of data, as `keras.visualization` names them."""

from nkeras.core import missing
from nkeras.inspect.drawing import draw_bounding_boxes as draw_bounding_boxes
from nkeras.inspect.drawing import draw_segmentation_masks as draw_segmentation_masks
from nkeras.inspect.galleries import plot_bounding_box_gallery as plot_bounding_box_gallery
from nkeras.inspect.galleries import plot_image_gallery as plot_image_gallery
from nkeras.inspect.galleries import (
    plot_segmentation_mask_gallery as plot_segmentation_mask_gallery,
)

__all__ = missing.names_of(__name__)  # pyright: ignore[reportUnsupportedDunderAll]

missing.explain(__name__)
