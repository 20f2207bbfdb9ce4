"""Boxes, masks and letters drawn into arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras.inspect import drawing, lettering
from nkeras.visualization import draw_bounding_boxes, draw_segmentation_masks
from tests.harness import oracle

RED = (255, 0, 0)
BOX = {"boxes": np.array([[[10, 20, 30, 40]]], "float32"), "labels": np.array([[0]])}


def black(batch: int = 1, size: int = 64, channels: int = 3) -> np.ndarray:
    return np.zeros((batch, size, size, channels), "uint8")


def test_a_line_has_its_thickness() -> None:
    for thickness in (1, 2, 3, 5):
        drawn = draw_bounding_boxes(black(), BOX, "xyxy", color=RED, line_thickness=thickness)[0]
        assert (drawn[30, :, 0] > 0).sum() == 2 * thickness  # the left and the right edge
        assert (drawn[:, 20, 0] > 0).sum() == 2 * thickness
        rows, columns = np.nonzero(drawn[..., 0])
        before = thickness // 2
        assert (rows.min(), columns.min()) == (20 - before, 10 - before)
        assert (rows.max(), columns.max()) == (39 + thickness - before, 29 + thickness - before)
    assert (drawn[..., 1:] == 0).all()


@pytest.mark.parametrize(
    ("name", "box"),
    [
        ("xywh", [10, 20, 20, 20]),
        ("center_xywh", [20, 30, 20, 20]),
        ("yxyx", [20, 10, 40, 30]),
        ("rel_xyxy", [10 / 64, 20 / 64, 30 / 64, 40 / 64]),
    ],
)
def test_formats(name: str, box: list[float]) -> None:
    boxes = BOX | {"boxes": np.array([[box]], "float32")}
    np.testing.assert_array_equal(
        draw_bounding_boxes(black(), boxes, name), draw_bounding_boxes(black(), BOX, "xyxy")
    )


def test_boxes_over_the_edge_and_turned_round() -> None:
    boxes = BOX | {"boxes": np.array([[[-20, -20, 200, 10]]], "float32")}
    drawn = draw_bounding_boxes(black(), boxes, "xyxy", color=RED)[0, ..., 0]
    assert set(np.nonzero(drawn)[0]) == {9, 10}
    turned = BOX | {"boxes": np.array([[[30, 40, 10, 20]]], "float32")}
    np.testing.assert_array_equal(
        draw_bounding_boxes(black(), turned, "xyxy"), draw_bounding_boxes(black(), BOX, "xyxy")
    )
    outside = BOX | {"boxes": np.array([[[-30, -30, -5, -5]]], "float32")}
    assert not draw_bounding_boxes(black(), outside, "xyxy").any()


def test_the_label_minus_one_is_no_box() -> None:
    boxes = {
        "boxes": np.array([[[2, 2, 9, 9], [np.nan] * 4]]),
        "labels": np.array([[-1, -1]]),
    }
    assert not draw_bounding_boxes(black(), boxes, "xyxy").any()


def test_names_stand_above_their_box_or_inside() -> None:
    high = BOX | {"boxes": np.array([[[10, 60, 100, 110]]], "float32")}
    low = BOX | {"boxes": np.array([[[10, 10, 100, 110]]], "float32")}
    for boxes, rows in ((high, range(30, 60)), (low, range(13, 45))):
        plain = draw_bounding_boxes(black(size=128), boxes, "xyxy")
        named = draw_bounding_boxes(black(size=128), boxes, "xyxy", class_mapping={0: "cat"})
        written = set(np.nonzero((plain != named).any(-1)[0])[0])
        assert written
        assert written <= set(rows)
        other = draw_bounding_boxes(black(size=128), boxes, "xyxy", class_mapping={1: "cat"})
        np.testing.assert_array_equal(other, plain)
    sure = draw_bounding_boxes(
        black(size=128), high | {"confidences": np.array([[0.92]])}, "xyxy", {0: "cat"}
    )
    assert (sure > 0).sum() > (
        draw_bounding_boxes(black(size=128), high, "xyxy", {0: "cat"}) > 0
    ).sum()


def test_every_letter_is_another() -> None:
    seen = {}
    for letter in lettering._STROKES:
        image = np.zeros((36, 24, 1), "uint8")
        lettering.write(image, letter, (4, 26), (255,), 1.0, 1)
        seen.setdefault(image.tobytes(), []).append(letter)
        assert not image[:, :2].any()
    assert [letters for letters in seen.values() if len(letters) > 1] == []
    missing = set(map(chr, range(32, 127))) - set(lettering._STROKES)
    assert missing == set()
    box = np.zeros((36, 24, 1), "uint8")
    lettering.write(box, "\u00e9", (4, 26), (255,), 1.0, 1)
    assert box.any()


def test_images_of_floats_channels_and_layouts() -> None:
    half = np.full((1, 64, 64, 3), 0.5, "float32")
    assert draw_bounding_boxes(half, BOX, "xyxy")[0, 0, 0, 0] == 127
    assert draw_bounding_boxes(half * 200, BOX, "xyxy")[0, 0, 0, 0] == 100
    assert draw_bounding_boxes(black(channels=1), BOX, "xyxy", color=RED)[0, 20, 20, 0] == 76
    assert draw_bounding_boxes(black(channels=4), BOX, "xyxy")[0, 20, 20, 3] == 255
    first = draw_bounding_boxes(
        black().transpose(0, 3, 1, 2), BOX, "xyxy", data_format="channels_first"
    )
    np.testing.assert_array_equal(first, draw_bounding_boxes(black(), BOX, "xyxy"))
    given = black()
    tensor = nkeras.ops.convert_to_tensor(given)
    boxes = {name: nkeras.ops.convert_to_tensor(value) for name, value in BOX.items()}
    assert draw_bounding_boxes(tensor, boxes, "xyxy").any()
    assert not given.any()  # what came stays as it is


@pytest.mark.parametrize(
    ("images", "boxes", "options", "message"),
    [
        (black()[0], BOX, {}, r"must have rank 4 .*Received shape \(64, 64, 3\)"),
        (black(), {"boxes": BOX["boxes"]}, {}, "a dict with the keys 'boxes' and 'labels'"),
        (black(2), BOX, {}, r"are needed for 2 images. Received shapes \(1, 1, 4\) and \(1, 1\)"),
        (black(channels=2), BOX, {}, "must have 1, 3 or 4 channels. Received 2 channels"),
        (black(), BOX, {"color": (1, 2)}, r"argument `color` must be three numbers"),
        (black(), BOX | {"boxes": np.array([[[1, np.nan, 2, 3]]])}, {}, "box 0 of image 0"),
    ],
)
def test_bad_boxes_are_named(images: Any, boxes: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw_bounding_boxes(images, boxes, "xyxy", **options)


def test_boxes_that_are_no_dict() -> None:
    with pytest.raises(TypeError, match=r"Received: \[\[2, 3\]\] \(of type list\)"):
        draw_bounding_boxes(black(), [[2, 3]], "xyxy")  # pyright: ignore[reportArgumentType]


@oracle.requires_keras
def test_masks_are_those_of_keras() -> None:
    random = np.random.default_rng(3)
    images = random.integers(0, 256, (2, 9, 7, 3)).astype("uint8")
    masks = random.integers(-1, 4, (2, 9, 7, 1)).astype("int32")
    for options in (
        {"num_classes": 4},
        {"num_classes": 3, "alpha": 0.3},
        {"num_classes": 4, "ignore_index": 2},
        {"num_classes": 4, "color_mapping": {i: (9 * i, 200 - i, 77) for i in range(4)}},
    ):
        wanted = oracle.run(
            "result = keras.visualization.draw_segmentation_masks(images, masks, **options)",
            images=images,
            masks=masks,
            options=options,
        )
        found = draw_segmentation_masks(images, masks, **options)
        assert np.abs(found.astype(int) - wanted.astype(int)).max() <= 1  # float32 at an integer
        assert (found != wanted).mean() < 0.01
        first = draw_segmentation_masks(
            images.transpose(0, 3, 1, 2),
            masks.transpose(0, 3, 1, 2),
            data_format="channels_first",
            **options,
        )
        np.testing.assert_array_equal(first, found)


def test_masks() -> None:
    images = np.full((1, 2, 2, 3), 200, "uint8")
    mask = np.array([[[0, 1], [2, -1]]])
    drawn = draw_segmentation_masks(images, mask)[0]
    colors = np.array(drawing.palette(3), "float32")
    for (row, column), number in (((0, 0), 0), ((0, 1), 1), ((1, 0), 2)):
        wanted = (200 * (1 - 0.8) + colors[number] * 0.8).astype("uint8")
        np.testing.assert_array_equal(drawn[row, column], wanted)
    np.testing.assert_array_equal(drawn[1, 1], 200)
    plain = draw_segmentation_masks(images, mask, blend=False, ignore_index=2)[0]
    np.testing.assert_array_equal(plain[0, 1], colors[1])
    np.testing.assert_array_equal(plain[1, 0], 200)
    np.testing.assert_array_equal(draw_segmentation_masks(images, mask, alpha=0.0), images)
    only = draw_segmentation_masks(images, mask, color_mapping={1: RED, 2: RED}, alpha=1.0)[0]
    np.testing.assert_array_equal(only[:, :, 1], [[200, 0], [0, 200]])
    bright = draw_segmentation_masks(images / 255.0, mask)
    assert np.abs(bright[0].astype(int) - drawn).max() <= 1


@pytest.mark.parametrize(
    ("mask", "options", "message"),
    [
        (np.zeros((1, 64), "int32"), {}, r"one class for each of their pixels.*\(1, 64\)"),
        (np.zeros((1, 64, 64), "int32"), {"alpha": 2}, "argument `alpha` must be a number from 0"),
        (np.ones((1, 64, 64), "int32"), {"color_mapping": {0: RED}}, "a color for class 1"),
    ],
)
def test_bad_masks_are_named(mask: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw_segmentation_masks(black(), mask, **options)


def test_masks_of_floats_are_refused() -> None:
    with pytest.raises(TypeError, match=r"must be integers.*Received dtype float32"):
        draw_segmentation_masks(black(), np.zeros((1, 64, 64), "float32"))
