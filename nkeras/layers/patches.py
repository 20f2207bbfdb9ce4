"""Images put together from patches."""

from __future__ import annotations

from collections.abc import Sequence

from nkeras.core.config import standardize_data_format
from nkeras.core.errors import refuse
from nkeras.core.tensor import Tensor
from nkeras.core.typing import AllLayerOptions, Unpack, Window
from nkeras.layers.arguments import int_tuple, padding_mode
from nkeras.layers.base import Layer
from nkeras.layers.input_spec import InputSpec
from nkeras.ops.blocks import reconstruct_patches


class _ReconstructPatches(Layer):
    rank: int

    def __init__(
        self,
        size: Window,
        output_size: Sequence[int] | None = None,
        strides: Window | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        **kwargs: Unpack[AllLayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        owner = type(self).__name__
        self.size = int_tuple(size, self.rank, "size", owner)
        self.padding = padding_mode(padding, owner)
        if output_size is not None:
            output_size = int_tuple(output_size, self.rank, "output_size", owner)
        elif self.padding == "same":
            refuse("output_size", output_size, 'given where padding="same"', owner)
        self.output_size = output_size
        if strides is not None and int_tuple(strides, self.rank, "strides", owner) != self.size:
            refuse("strides", strides, f"None or `size`, {self.size}", owner)
        self.strides = self.size
        self.data_format = standardize_data_format(data_format, owner)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: Tensor) -> Tensor:
        """The images."""
        return reconstruct_patches(
            inputs, self.size, self.output_size, self.padding, self.data_format
        )


class ReconstructPatches2D(_ReconstructPatches):
    """Images of the patches that `ops.image.extract_patches` cuts out side by side.

    Args:
        size: int or two ints: height and width of a patch.
        output_size: height and width of the images; with padding `"valid"` those that the patches
            cover, which is the default.
        strides: None, or `size`: patches may not overlap.
        padding: `"valid"` or `"same"`, as when patches were cut out; with `"same"` the sizes of the
            images must be given.
        data_format: `"channels_last"` or `"channels_first"`.

    Input shape: `(batch, rows, columns, height * width * channels)`, or channels first. Output
    shape: `(batch, *output_size, channels)`, or channels first.

    Raises:
        ValueError: an argument does not fit.

    Example:
        >>> import nkeras
        >>> patches = nkeras.ops.image.extract_patches(nkeras.ops.ones((1, 20, 20, 3)), 5)
        >>> ReconstructPatches2D(5)(patches).shape
        (1, 20, 20, 3)

    Source: Keras after 3.15, https://www.tensorflow.org/api_docs/python/tf/keras/ops/image/
    """

    rank = 2


class ReconstructPatches3D(_ReconstructPatches):
    """Volumes of the patches that `ops.image.extract_patches_3d` cuts out side by side.

    Args:
        size: int or three ints: depth, height and width of a patch.
        output_size: sizes of the volumes; with padding `"valid"` those that the patches cover,
            which is the default.
        strides: None, or `size`: patches may not overlap.
        padding: `"valid"` or `"same"`, as when patches were cut out; with `"same"` the sizes of the
            volumes must be given.
        data_format: `"channels_last"` or `"channels_first"`.

    Input shape: `(batch, planes, rows, columns, depth * height * width * channels)`, or channels
    first. Output shape: `(batch, *output_size, channels)`, or channels first.

    Raises:
        ValueError: an argument does not fit.

    Example:
        >>> import nkeras
        >>> ReconstructPatches3D(2)(nkeras.ops.ones((1, 2, 3, 4, 24))).shape
        (1, 4, 6, 8, 3)

    Source: Keras after 3.15, https://www.tensorflow.org/api_docs/python/tf/keras/ops/image/
    """

    rank = 3
