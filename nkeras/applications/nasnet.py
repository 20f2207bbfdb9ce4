"""NASNet: two cells that were found by search, one of which halves height and width.

Source: B. Zoph and others, "Learning Transferable Architectures for Scalable Image Recognition",
2017, https://arxiv.org/abs/1707.07012
"""

from __future__ import annotations

from typing import Any, Protocol

from nkeras import layers
from nkeras.applications.architecture import Request, Weights, architecture
from nkeras.applications.heads import averaging_head
from nkeras.applications.imagenet_utils import decode_predictions
from nkeras.applications.imagenet_utils import from_minus_one_to_one as preprocess_input
from nkeras.applications.images import given_shape, image_input, image_shape, needs_channels_last
from nkeras.applications.mobile import padding_before_halving
from nkeras.applications.pretrained import GOOGLE, WeightFile, finished_model
from nkeras.core.graph import KerasTensor
from nkeras.core.naming import name_scope
from nkeras.core.typing import ActivationLike, PartialShape
from nkeras.models import Functional

__all__ = ["NASNetLarge", "NASNetMobile", "decode_predictions", "preprocess_input"]

_FOLDER = f"{GOOGLE}nasnet/"
_MOBILE = (
    WeightFile(
        "nasnet_mobile.h5", f"{_FOLDER}NASNet-mobile.h5", "020fb642bf7360b370c678b08e0adf61"
    ),
    WeightFile(
        "nasnet_mobile_no_top.h5",
        f"{_FOLDER}NASNet-mobile-no-top.h5",
        "1ed92395b5b598bdda52abe5c0dbfd63",
    ),
)
_LARGE = (
    WeightFile("nasnet_large.h5", f"{_FOLDER}NASNet-large.h5", "11577c9a518f0070763c2b964a382f17"),
    WeightFile(
        "nasnet_large_no_top.h5",
        f"{_FOLDER}NASNet-large-no-top.h5",
        "d81d89dc07e6e56530c4e77faddd61b5",
    ),
)


class _NASNet(Protocol):
    """What the two take: the arguments of all, `input_shape` first."""

    __name__: str

    def __call__(
        self,
        input_shape: PartialShape | None = None,
        include_top: bool = True,
        weights: Weights = "imagenet",
        input_tensor: Any = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: ActivationLike = "softmax",
        name: str = ...,
    ) -> Functional:
        """The model."""
        ...


@architecture(_NASNet, "nasnet_mobile")
def NASNetMobile(request: Request) -> Functional:
    """The smaller NASNet, 5.3 million numbers, for images of 224 x 224.

    Images go through `nkeras.applications.nasnet.preprocess_input` first.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.NASNetMobile((32, 32, 3), include_top=False, weights=None)
        >>> model.output_shape
        (None, 1, 1, 1056)

    Source: https://arxiv.org/abs/1707.07012
    """
    needs_channels_last(request)
    shape = image_shape(request, 224)
    if not request.include_top and request.input_shape is None:
        shape = (224, 224, 3)
    return _nasnet(request, shape, 1056, 4, 32, skips=False, files=_MOBILE)


@architecture(_NASNet, "nasnet_large")
def NASNetLarge(request: Request) -> Functional:
    """The larger NASNet, 88.9 million numbers, for images of 331 x 331.

    Images go through `nkeras.applications.nasnet.preprocess_input` first.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.NASNetLarge((32, 32, 3), include_top=False, weights=None)
        >>> model.output_shape
        (None, 1, 1, 4032)

    Source: https://arxiv.org/abs/1707.07012
    """
    needs_channels_last(request)
    shape = image_shape(request, 331)
    return _nasnet(request, shape, 4032, 6, 96, skips=True, files=_LARGE)


def _nasnet(
    request: Request,
    shape: PartialShape,
    last_filters: int,
    cells: int,
    stem_filters: int,
    skips: bool,
    files: tuple[WeightFile, WeightFile],
) -> Functional:
    """Cells of three sizes.

    Args:
        request: what the caller asked for.
        shape: of an image.
        last_filters: filters at the end.
        cells: how many normal cells of each size.
        stem_filters: filters of the first convolution.
        skips: whether a cell after a reduction has what was before the reduction beside its input.
        files: weights of ImageNet.
    """
    if request.is_imagenet and request.input_shape is not None and None in given_shape(request):
        raise ValueError(
            f"{request.owner}: argument `input_shape` must have no None with "
            f"`weights='imagenet'`. Received: {request.input_shape}"
        )
    filters = last_filters // 24
    images = image_input(request, shape)
    x = layers.Conv2D(
        stem_filters,
        3,
        strides=2,
        use_bias=False,
        kernel_initializer="he_normal",
        name="stem_conv1",
    )(images)
    x = _normalized(x, "stem_bn1")
    before, x = x, _reduction_cell(x, None, filters // 4, "stem_1")
    before, x = x, _reduction_cell(x, before, filters // 2, "stem_2")
    for stage in range(3):
        width = filters * 2**stage
        first = stage * cells + min(stage, 1)
        if stage:
            reduced = _reduction_cell(x, before, width, f"reduce_{stage * cells}")
            before, x = before if skips else x, reduced
        for i in range(first, first + cells):
            before, x = x, _normal_cell(x, before, width, str(i))
    x = layers.Activation("relu")(x)
    x = averaging_head(request, x)
    return finished_model(request, images, x, files)


def _normalized(x: KerasTensor, name: str) -> KerasTensor:
    return layers.BatchNormalization(axis=-1, momentum=0.9997, epsilon=1e-3, name=name)(x)


def _projected(x: KerasTensor, filters: int, name: str) -> KerasTensor:
    conv = layers.Conv2D(
        filters, 1, padding="same", use_bias=False, kernel_initializer="he_normal", name=name
    )
    return conv(x)


def _separable(
    x: KerasTensor, filters: int, kernel_size: int, name: str, halves: bool = False
) -> KerasTensor:
    """Twice relu, a separable convolution and batch normalization."""
    with name_scope(f"separable_conv_block_{name}"):
        x = layers.Activation("relu")(x)
        if halves:
            padding = padding_before_halving(x, kernel_size)
            x = layers.ZeroPadding2D(padding, name=f"separable_conv_1_pad_{name}")(x)
        x = layers.SeparableConv2D(
            filters,
            kernel_size,
            strides=2 if halves else 1,
            padding="valid" if halves else "same",
            use_bias=False,
            name=f"separable_conv_1_{name}",
        )(x)
        x = _normalized(x, f"separable_conv_1_bn_{name}")
        x = layers.Activation("relu")(x)
        x = layers.SeparableConv2D(
            filters, kernel_size, padding="same", use_bias=False, name=f"separable_conv_2_{name}"
        )(x)
        return _normalized(x, f"separable_conv_2_bn_{name}")


def _adjusted(before: KerasTensor | None, x: KerasTensor, filters: int, name: str) -> KerasTensor:
    """The output of the cell before the last one, of the size of x and with so many filters."""
    with name_scope("adjust_block"):
        if before is None:
            return x
        if before.shape[2] != x.shape[2]:
            with name_scope(f"adjust_reduction_block_{name}"):
                return _halved(before, filters, name)
        if before.shape[3] != filters:
            with name_scope(f"adjust_projection_block_{name}"):
                p = layers.Activation("relu")(before)
                p = _projected(p, filters, f"adjust_conv_projection_{name}")
                return _normalized(p, f"adjust_bn_{name}")
        return before


def _halved(x: KerasTensor, filters: int, name: str) -> KerasTensor:
    """Every second pixel, and beside it the pixels between them."""
    x = layers.Activation("relu", name=f"adjust_relu_1_{name}")(x)
    even = layers.AveragePooling2D(1, strides=2, name=f"adjust_avg_pool_1_{name}")(x)
    even = _projected(even, filters // 2, f"adjust_conv_1_{name}")
    odd = layers.ZeroPadding2D(((0, 1), (0, 1)))(x)
    odd = layers.Cropping2D(((1, 0), (1, 0)))(odd)
    odd = layers.AveragePooling2D(1, strides=2, name=f"adjust_avg_pool_2_{name}")(odd)
    odd = _projected(odd, filters // 2, f"adjust_conv_2_{name}")
    x = layers.Concatenate(axis=-1)([even, odd])
    return _normalized(x, f"adjust_bn_{name}")


def _opened(x: KerasTensor, filters: int, kind: str, name: str) -> KerasTensor:
    """What a cell does with its input first."""
    x = layers.Activation("relu")(x)
    x = _projected(x, filters, f"{kind}_conv_1_{name}")
    return _normalized(x, f"{kind}_bn_1_{name}")


def _average(x: KerasTensor, name: str) -> KerasTensor:
    return layers.AveragePooling2D(3, strides=1, padding="same", name=name)(x)


def _sum(x: KerasTensor, y: KerasTensor, name: str | None = None) -> KerasTensor:
    return layers.Add(name=name)([x, y])


def _normal_cell(
    x: KerasTensor, before: KerasTensor | None, filters: int, name: str
) -> KerasTensor:
    """Five pairs of what is found in the last two cells, side by side (figure 4, left)."""
    with name_scope(f"normal_A_block_{name}"):
        p = _adjusted(before, x, filters, name)
        h = _opened(x, filters, "normal", name)
        with name_scope("block_1"):
            left = _separable(h, filters, 5, f"normal_left1_{name}")
            right = _separable(p, filters, 3, f"normal_right1_{name}")
            first = _sum(left, right, f"normal_add_1_{name}")
        with name_scope("block_2"):
            left = _separable(p, filters, 5, f"normal_left2_{name}")
            right = _separable(p, filters, 3, f"normal_right2_{name}")
            second = _sum(left, right, f"normal_add_2_{name}")
        with name_scope("block_3"):
            third = _sum(_average(h, f"normal_left3_{name}"), p, f"normal_add_3_{name}")
        with name_scope("block_4"):
            left = _average(p, f"normal_left4_{name}")
            right = _average(p, f"normal_right4_{name}")
            fourth = _sum(left, right, f"normal_add_4_{name}")
        with name_scope("block_5"):
            left = _separable(h, filters, 3, f"normal_left5_{name}")
            fifth = _sum(left, h, f"normal_add_5_{name}")
        parts = [p, first, second, third, fourth, fifth]
        return layers.Concatenate(axis=-1, name=f"normal_concat_{name}")(parts)


def _reduction_cell(
    x: KerasTensor, before: KerasTensor | None, filters: int, name: str
) -> KerasTensor:
    """As the normal cell, with half the height and width (figure 4, right)."""
    with name_scope(f"reduction_A_block_{name}"):
        p = _adjusted(before, x, filters, name)
        h = _opened(x, filters, "reduction", name)
        padding = padding_before_halving(h, 3)
        padded = layers.ZeroPadding2D(padding, name=f"reduction_pad_1_{name}")(h)
        with name_scope("block_1"):
            left = _separable(h, filters, 5, f"reduction_left1_{name}", halves=True)
            right = _separable(p, filters, 7, f"reduction_right1_{name}", halves=True)
            first = _sum(left, right, f"reduction_add_1_{name}")
        with name_scope("block_2"):
            left = layers.MaxPooling2D(3, strides=2, name=f"reduction_left2_{name}")(padded)
            right = _separable(p, filters, 7, f"reduction_right2_{name}", halves=True)
            second = _sum(left, right, f"reduction_add_2_{name}")
        with name_scope("block_3"):
            left = layers.AveragePooling2D(3, strides=2, name=f"reduction_left3_{name}")(padded)
            right = _separable(p, filters, 5, f"reduction_right3_{name}", halves=True)
            third = _sum(left, right, f"reduction_add3_{name}")
        with name_scope("block_4"):
            fourth = _sum(second, _average(first, f"reduction_left4_{name}"))
        with name_scope("block_5"):
            left = _separable(first, filters, 3, f"reduction_left4_{name}")
            right = layers.MaxPooling2D(3, strides=2, name=f"reduction_right5_{name}")(padded)
            fifth = _sum(left, right, f"reduction_add4_{name}")
        parts = [second, third, fourth, fifth]
        return layers.Concatenate(axis=-1, name=f"reduction_concat_{name}")(parts)
