"""Pooling to a given size, and rearranging of images, in Keras."""

from __future__ import annotations

from tests.ops.keras_cases import INPUTS, add, floats

INPUTS["blocks"] = floats(2, 4, 6, 8)
INPUTS["patch_columns"] = floats(2, 12, 20)

add(
    "adaptive_average_pool",
    "{}(image, (4, 2))",
    "{}(image, (3, 5))",
    "{}(image, (4, 2), data_format='channels_first')",
    "{}(signal, (3,))",
)
add(
    "adaptive_max_pool",
    "{}(image, (4, 2))",
    "{}(image, (3, 5))",
    "{}(image, (4, 2), data_format='channels_first')",
    "{}(signal, (3,))",
)
add(
    "depth_to_space",
    "{}(blocks, 2)",
    "{}(blocks, 2, data_format='channels_first')",
)
add(
    "space_to_depth",
    "{}(blocks, 2)",
    "{}(blocks, 2, data_format='channels_first')",
)
add(
    "unfold",
    "{}(image, 2)",
    "{}(image, (3, 2), dilation=(1, 2), padding=(1, 0), stride=(2, 1))",
    "{}(blocks, 2, stride=2)",
)
add(
    "fold",
    "{}(patch_columns, (7, 5), (3, 2))",
    "{}(patch_columns, (4, 6), 2, dilation=(2, 1), padding=(1, 0))",
    "{}(patch_columns, (8, 10), 2, stride=2)",
)
