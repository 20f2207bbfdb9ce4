"""The operations of `keras.ops.image`: images and batches of images, in both layouts."""

from nkeras.core import missing
from nkeras.ops.image.colors import hsv_to_rgb as hsv_to_rgb
from nkeras.ops.image.colors import rgb_to_grayscale as rgb_to_grayscale
from nkeras.ops.image.colors import rgb_to_hsv as rgb_to_hsv
from nkeras.ops.image.edges import crop_images as crop_images
from nkeras.ops.image.edges import pad_images as pad_images
from nkeras.ops.image.elastic import elastic_transform as elastic_transform
from nkeras.ops.image.filters import gaussian_blur as gaussian_blur
from nkeras.ops.image.filters import sobel_edges as sobel_edges
from nkeras.ops.image.filters import ssim as ssim
from nkeras.ops.image.map_coordinates import map_coordinates as map_coordinates
from nkeras.ops.image.patches import extract_patches as extract_patches
from nkeras.ops.image.patches import extract_patches_3d as extract_patches_3d
from nkeras.ops.image.resize import resize as resize
from nkeras.ops.image.scale import scale_and_translate as scale_and_translate
from nkeras.ops.image.transform import affine_transform as affine_transform
from nkeras.ops.image.transform import perspective_transform as perspective_transform

__all__ = missing.names_of(__name__)  # pyright: ignore[reportUnsupportedDunderAll]

missing.explain(__name__)
