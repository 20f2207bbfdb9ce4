"""Galleries: many images in one figure of matplotlib (`pip install 'nkeras[plot]'`)."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nkeras import ops
from nkeras.core import config
from nkeras.core.errors import refuse
from nkeras.core.files import replacing
from nkeras.core.typing import TensorLike
from nkeras.inspect.drawing import (
    as_bytes,
    channels_last,
    draw_bounding_boxes,
    draw_segmentation_masks,
)


def plot_image_gallery(
    images: TensorLike,
    y_true: TensorLike | None = None,
    y_pred: TensorLike | None = None,
    label_map: Mapping[int, str] | None = None,
    rows: int | None = None,
    cols: int | None = None,
    value_range: Sequence[float] = (0, 255),
    scale: float = 2,
    path: str | os.PathLike[str] | None = None,
    show: bool | None = None,
    transparent: bool = True,
    dpi: float = 60,
    legend_handles: Sequence[Any] | None = None,
    data_format: str | None = None,
) -> None:
    """Show images side by side, or write them into a file.

    Args:
        images: tensor `(batch, height, width, channels)`, or channels first.
        y_true: classes `(batch,)`, whose names are written above the images.
        y_pred: predicted classes `(batch,)`, likewise.
        label_map: names by class; needed where there are classes.
        rows: how many images stand above each other; None for what makes a square.
        cols: how many stand side by side; None for as many as it takes.
        value_range: what is black, and what is white.
        scale: size of an image, in inches.
        path: file to write, whose ending is its format; None to show them.
        show: False to do neither, for a figure that pyplot goes on with.
        transparent: whether the file has no background.
        dpi: pixels of the file in an inch.
        legend_handles: patches of matplotlib that the legend explains.
        data_format: `"channels_last"` or `"channels_first"`.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: an argument is wrong.
        OSError: the file cannot be written.

    Source: https://keras.io/api/visualization/ Keras leaves out images where the rows are not full,
    and stops with images of channels first.
    """
    owner = "plot_image_gallery"
    pyplot = _pyplot(owner)
    if path is not None and show:
        raise ValueError(f"{owner}: give either `path` or `show=True`. Received both")
    if label_map is None and (y_true is not None or y_pred is not None):
        refuse("label_map", None, "a dict of names where there are `y_true` or `y_pred`", owner)
    pixels = as_bytes(channels_last(images, data_format, owner), _range_of(value_range, owner))
    rows, cols = _grid(len(pixels), rows, cols)
    figure, axes = pyplot.subplots(
        nrows=rows,
        ncols=cols,
        figsize=(cols * scale, rows * scale),
        frameon=False,
        layout="tight",
        squeeze=False,
        sharex="row",
        sharey="col",
    )
    if legend_handles is not None:
        figure.legend(handles=legend_handles, loc="lower center")
    titles = _titles(y_true, y_pred, label_map or {}, len(pixels))
    for axis, image, title in zip(axes.flat, pixels, titles, strict=False):
        axis.imshow(image[..., 0] if image.shape[-1] == 1 else image, **_colors(image))
        axis.margins(x=0, y=0)
        if title:
            axis.set_title(title, fontsize=8)
    for axis in axes.flat:
        axis.axis("off")
    if path is not None:
        _save(figure, path, transparent=transparent, dpi=dpi)
        pyplot.close(figure)
    elif show is None or show:
        pyplot.show()
        pyplot.close(figure)


def plot_bounding_box_gallery(
    images: TensorLike,
    bounding_box_format: str,
    y_true: Mapping[str, TensorLike] | None = None,
    y_pred: Mapping[str, TensorLike] | None = None,
    value_range: Sequence[float] = (0, 255),
    true_color: Sequence[int] = (0, 188, 212),
    pred_color: Sequence[int] = (255, 235, 59),
    line_thickness: int = 2,
    font_scale: float = 1.0,
    text_thickness: int | None = None,
    class_mapping: Mapping[int, str] | None = None,
    ground_truth_mapping: Mapping[int, str] | None = None,
    prediction_mapping: Mapping[int, str] | None = None,
    legend: bool = False,
    legend_handles: Sequence[Any] | None = None,
    rows: int | None = None,
    cols: int | None = None,
    data_format: str | None = None,
    **kwargs: Any,
) -> None:
    """Show images with true and predicted boxes: see `draw_bounding_boxes`.

    Args:
        images: tensor `(batch, height, width, channels)`, or channels first.
        bounding_box_format: the format of the boxes, see `nkeras.utils.bounding_boxes`.
        y_true: dict of `"boxes"` and `"labels"`.
        y_pred: the same, and perhaps `"confidences"`.
        value_range: what is black, and what is white.
        true_color: red, green and blue of true boxes.
        pred_color: those of predicted ones.
        line_thickness: of the boxes, in pixels.
        font_scale: 1 for letters of 21 pixels.
        text_thickness: of the letters, in pixels; None for that of the boxes.
        class_mapping: names by label, of both kinds of boxes.
        ground_truth_mapping: those of true boxes, if they have others.
        prediction_mapping: those of predicted boxes, if they have others.
        legend: whether a legend explains the colors.
        legend_handles: patches of matplotlib that it explains instead.
        rows: see `plot_image_gallery`.
        cols: see `plot_image_gallery`.
        data_format: `"channels_last"` or `"channels_first"`.
        **kwargs: what else `plot_image_gallery` takes.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: an argument is wrong.

    Source: https://keras.io/api/visualization/ Keras takes what was drawn for numbers of
    `value_range`, so that images from 0 to 1 come out wrong.
    """
    owner = "plot_bounding_box_gallery"
    _pyplot(owner)
    if legend and legend_handles:
        raise ValueError(f"{owner}: give either `legend=True` or `legend_handles`. Received both")
    drawn = as_bytes(channels_last(images, data_format, owner), _range_of(value_range, owner))
    kinds = (
        (y_true, true_color, ground_truth_mapping, "Ground Truth"),
        (y_pred, pred_color, prediction_mapping, "Prediction"),
    )
    for boxes, color, mapping, _ in kinds:
        if boxes is not None:
            drawn = draw_bounding_boxes(
                drawn,
                boxes,
                bounding_box_format,
                mapping or class_mapping,
                color,
                line_thickness,
                text_thickness,
                font_scale,
                "channels_last",
            )
    if legend:
        from matplotlib.patches import Patch  # pyright: ignore[reportMissingImports]

        legend_handles = [
            Patch(color=np.array(color) / 255.0, label=name) for _, color, _, name in kinds
        ]
    plot_image_gallery(
        drawn,
        rows=rows,
        cols=cols,
        legend_handles=legend_handles,
        data_format="channels_last",
        **kwargs,
    )


def plot_segmentation_mask_gallery(
    images: TensorLike,
    num_classes: int | None,
    value_range: Sequence[float] = (0, 255),
    y_true: TensorLike | None = None,
    y_pred: TensorLike | None = None,
    color_mapping: Mapping[int, Sequence[int]] | None = None,
    blend: bool = True,
    alpha: float = 0.8,
    ignore_index: int = -1,
    data_format: str | None = None,
    **kwargs: Any,
) -> None:
    """Show each image beside itself with true, and with predicted classes of its pixels.

    Args:
        images: tensor `(batch, height, width, 3)`, or channels first.
        num_classes: see `draw_segmentation_masks`.
        value_range: what is black, and what is white.
        y_true: masks, see `draw_segmentation_masks`; floats become integers.
        y_pred: predicted masks.
        color_mapping: red, green and blue by class.
        blend: False is an alpha of 1.
        alpha: how much of a color is the class's, from 0 to 1.
        ignore_index: pixels of this class stay as they are.
        data_format: `"channels_last"` or `"channels_first"`, of images and masks.
        **kwargs: what else `plot_image_gallery` takes.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: an argument is wrong.

    Source: https://keras.io/api/visualization/
    """
    owner = "plot_segmentation_mask_gallery"
    _pyplot(owner)
    plain = as_bytes(channels_last(images, data_format, owner), _range_of(value_range, owner))
    columns = [plain]
    for masks in (y_true, y_pred):
        if masks is not None:
            classes = ops.convert_to_numpy(ops.cast(masks, "int32"))
            if classes.ndim == 4 and config.standardize_data_format(data_format) != "channels_last":
                classes = classes.transpose(0, 2, 3, 1)
            columns.append(
                draw_segmentation_masks(
                    plain,
                    classes,
                    num_classes,
                    color_mapping,
                    alpha,
                    blend,
                    ignore_index,
                    "channels_last",
                )
            )
    gallery = np.stack(columns, axis=1).reshape(-1, *plain.shape[1:])
    plot_image_gallery(
        gallery, rows=len(plain), cols=len(columns), data_format="channels_last", **kwargs
    )


def _pyplot(owner: str) -> Any:
    try:
        from matplotlib import pyplot  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError(
            f"{owner} needs the package matplotlib: pip install 'nkeras[plot]'. The functions "
            "`draw_bounding_boxes` and `draw_segmentation_masks`, which give arrays, need none"
        ) from error
    return pyplot


def _range_of(value_range: Sequence[float], owner: str) -> tuple[float, float]:
    if len(value_range) != 2 or value_range[0] == value_range[1]:
        refuse("value_range", value_range, "two numbers, what is black and what is white", owner)
    return value_range[0], value_range[1]


def _grid(count: int, rows: int | None, cols: int | None) -> tuple[int, int]:
    """Rows and columns for so many images."""
    if rows is None:
        rows = math.ceil(count / cols) if cols else math.ceil(math.sqrt(count))
    return max(rows, 1), max(cols or math.ceil(count / max(rows, 1)), 1)


def _titles(
    y_true: TensorLike | None, y_pred: TensorLike | None, names: Mapping[int, str], count: int
) -> Iterator[str]:
    """What stands above each image."""
    parts = [
        (word, ops.convert_to_numpy(classes))
        for word, classes in (("Label", y_true), ("Pred", y_pred))
        if classes is not None
    ]
    for i in range(count):
        found = [
            f"{word}: {names.get(int(classes[i]), 'Unknown')}"
            for word, classes in parts
            if i < len(classes)
        ]
        yield "  ".join(found)


def _colors(image: np.ndarray) -> dict[str, Any]:
    return {"cmap": "gray", "vmin": 0, "vmax": 255} if image.shape[-1] == 1 else {}


def _save(figure: Any, path: str | os.PathLike[str], **options: Any) -> None:
    kind = Path(path).suffix.lstrip(".") or "png"
    with replacing(path) as file:
        figure.savefig(file, format=kind, pad_inches=0, bbox_inches="tight", **options)
