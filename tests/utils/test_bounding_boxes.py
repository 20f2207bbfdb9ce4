"""Bounding boxes: the numbers of Keras where it is right, gradients, and mistakes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import ops
from nkeras.utils import bounding_boxes
from nkeras.utils.bounding_boxes.formats import FORMATS
from tests.harness import oracle
from tests.harness.check_op import check_gradient

_random = np.random.default_rng(2)


def _boxes(*shape: int) -> np.ndarray:
    corners = _random.uniform(0.0, 60.0, (*shape, 2))
    return np.concatenate([corners, corners + _random.uniform(1.0, 50.0, (*shape, 2))], -1).astype(
        "float32"
    )


INPUTS: dict[str, Any] = {
    "one": _boxes(5),
    "other": _boxes(3),
    "many": _boxes(2, 5),
    "more": _boxes(2, 3),
    "whole": np.array([[10, 20, 50, 60], [-70, 80, 100, 120]], "int32"),
    "holes": np.concatenate([_boxes(2), -np.ones((1, 4), "float32")]),
    "labels": np.array([[4, 0, 1, 2, 7]] * 2, "int32"),
    "angles": np.array([30.0, -75.0], "float32"),
    "parts": np.array([0.1, -0.3], "float32"),
    "scales": np.array([0.7, 1.6], "float32"),
}
_SIZE = "height=80, width=120"
EXPRESSIONS = [
    *(
        f"boxes.convert_format(many / 120 + 0.01, {source!r}, {target!r}, {_SIZE})"
        for source, target in itertools.product(FORMATS, FORMATS)
    ),
    "boxes.convert_format(whole, 'XYXY', 'center_XYWH')",
    "boxes.convert_format({'boxes': one, 'labels': labels[0]}, 'xyxy', 'yxyx')['boxes']",
    f"boxes.clip_to_image_size({{'boxes': many * 2 - 30, 'labels': labels}}, {_SIZE})['boxes']",
    f"boxes.clip_to_image_size({{'boxes': many * 2 - 30, 'labels': labels}}, {_SIZE})['labels']",
    "boxes.clip_to_image_size({'boxes': one / 50}, bounding_box_format='rel_xyxy')['boxes']",
    f"boxes.clip_to_image_size({{'boxes': whole}}, {_SIZE})['boxes']",
    "boxes.affine_transform(many, angles, parts, -parts, scales, angles / 9, -angles / 4, 80, 120)",
    "boxes.affine_transform(many, angles, parts, parts, scales, angles, angles, 80, 120, 0.2, 0.9)",
    "boxes.crop(many, 10, 20, 40, 30)",
    "boxes.crop(whole, 10, 20, 40, 30)",
    "boxes.pad(one, 3, 7.5)",
    "boxes.pad(whole, 3, 7, 100, 100)",
    "boxes.compute_iou(one, other, 'xyxy')",
    "boxes.compute_iou(many, more, 'center_xywh')",
    "boxes.compute_iou(many, other, 'yxyx')",
    "boxes.compute_iou(one, more, 'xyxy')",
    "boxes.compute_iou(one / 120, other / 120, 'rel_xyxy', image_shape=(80, 120, 3))",
    "boxes.compute_iou(holes, one, 'xyxy', use_masking=True)",
    "boxes.compute_iou(many, more, 'xyxy', use_masking=True, mask_val=-5)",
    "boxes.compute_ciou(many[:, :3], more, 'xyxy')",
    "boxes.compute_ciou(one, one, 'xywh')",
    "boxes.encode_box_to_deltas(one, many, 'xyxy', 'xyxy')",
    "boxes.encode_box_to_deltas(one, one[::-1], 'xyxy', 'yxyx', 'center_xywh', [1, 2, 0.2, 0.3])",
    "boxes.encode_box_to_deltas(one, one / 120, 'xyxy', 'rel_xyxy', image_shape=(80, 120, 3))",
    "boxes.decode_deltas_to_boxes(one, many / 100, 'xyxy', 'xyxy')",
    "boxes.decode_deltas_to_boxes(one, many / 100, 'yxyx', 'rel_xywh', 'center_xywh', "
    "[0.1, 0.1, 0.2, 0.3], (80, 120, 3))",
    "boxes.decode_deltas_to_boxes({'a': one}, {'a': many / 100}, 'xyxy', 'xyxy')['a']",
]


@oracle.requires_keras
def test_as_keras() -> None:
    code = "boxes = keras.utils.bounding_boxes\n"
    code += "compute = lambda given: [eval(one, {**globals(), **given}) for one in expressions]\n"
    code += "result = jax.jit(compute)(inputs)"  # one compilation instead of hundreds
    expected = oracle.run(code, expressions=EXPRESSIONS, inputs=INPUTS)
    for expression, want in zip(EXPRESSIONS, expected, strict=True):
        got = np.asarray(eval(expression, {"boxes": bounding_boxes, **INPUTS}))
        assert (got.dtype, got.shape) == (want.dtype, want.shape), expression
        np.testing.assert_allclose(got, want, rtol=3e-5, atol=3e-5, err_msg=expression)


def test_a_dict_is_left_as_it_is() -> None:
    given = {"boxes": INPUTS["one"], "labels": INPUTS["labels"][0]}
    changed = bounding_boxes.convert_format(given, "xyxy", "xywh")
    clipped = bounding_boxes.clip_to_image_size(given, 10, 10)
    assert given["boxes"] is INPUTS["one"]
    assert set(changed) == set(clipped) == {"boxes", "labels"}


def test_masks_of_one_image_and_of_many() -> None:
    """Keras fails where only one of both has batches."""
    found = bounding_boxes.compute_iou(INPUTS["holes"], INPUTS["more"], "xyxy", use_masking=True)
    assert found.shape == (2, 3, 3)
    np.testing.assert_array_equal(found[:, 2], -np.ones((2, 3)))


def test_relative_boxes_have_a_complete_iou_too() -> None:
    """Keras refuses them even with the image's size."""
    one, other = INPUTS["one"][:3], INPUTS["other"]
    parts = [bounding_boxes.convert_format(x, "xyxy", "rel_xyxy", 80, 120) for x in (one, other)]
    found = bounding_boxes.compute_ciou(*parts, "rel_xyxy", (80, 120, 3))
    np.testing.assert_allclose(found, bounding_boxes.compute_ciou(one, other, "xyxy"), atol=1e-5)


def test_other_formats_are_converted_and_back() -> None:
    one = INPUTS["one"]
    centers = bounding_boxes.convert_format(one, "xyxy", "center_yxhw")
    calls: list[Callable[..., Any]] = [
        lambda x, **named: bounding_boxes.crop(x, 10, 20, 40, 30, **named),
        lambda x, **named: bounding_boxes.pad(x, 10, 20, **named),
        lambda x, **named: bounding_boxes.affine_transform(
            x, 20.0, 0.1, 0.2, 1.1, 5.0, 0.0, 80, 120, **named
        ),
        lambda x, **named: bounding_boxes.clip_to_image_size({"boxes": x}, 50, 60, **named)[
            "boxes"
        ],
    ]
    for call in calls:
        found = call(centers, bounding_box_format="center_yxhw")
        back = bounding_boxes.convert_format(found, "center_yxhw", "xyxy")
        np.testing.assert_allclose(back, call(one), atol=1e-4)


def test_symbolic_boxes() -> None:
    anchors = nkeras.Input((4,))
    deltas = bounding_boxes.encode_box_to_deltas(anchors, anchors, "xyxy", "rel_xywh",
                                                 image_shape=(80, 120, 3))  # fmt: skip
    assert deltas.shape == (None, 4)
    assert bounding_boxes.affine_transform(anchors, 1, 0, 0, 1, 0, 0, 80, 120).shape == (None, 4)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: bounding_boxes.compute_iou(x, y, "xyxy"),
        lambda x, y: bounding_boxes.compute_ciou(x, y, "xyxy"),
        lambda x, y: bounding_boxes.encode_box_to_deltas(x, y, "xyxy", "xyxy"),
        lambda x, y: bounding_boxes.decode_deltas_to_boxes(x, y, "xyxy", "xyxy"),
    ],
)
def test_gradients(function: Callable[..., Any]) -> None:
    check_gradient(function, (_boxes(4) / 60, _boxes(4) / 60), {})


_MISTAKES: list[tuple[type[Exception], str, Callable[[], object]]] = [
    (ValueError, "source", lambda: bounding_boxes.convert_format([[1, 2, 3, 4]], "xy", "xyxy")),
    (
        ValueError,
        "height",
        lambda: bounding_boxes.convert_format([[1, 2, 3, 4]], "xyxy", "rel_xyxy"),
    ),
    (ValueError, "boxes", lambda: bounding_boxes.convert_format([[1, 2, 3]], "xyxy", "xywh")),
    (ValueError, "height", lambda: bounding_boxes.clip_to_image_size({"boxes": [[1, 2, 3, 4]]})),
    (ValueError, "boxes1", lambda: bounding_boxes.compute_iou([1, 2, 3, 4], INPUTS["one"], "xyxy")),
    (
        ValueError,
        "image_shape",
        lambda: bounding_boxes.compute_iou(INPUTS["one"], INPUTS["one"], "rel_xyxy"),
    ),
    (
        ValueError,
        "variance",
        lambda: bounding_boxes.encode_box_to_deltas(
            INPUTS["one"], INPUTS["one"], "xyxy", "xyxy", variance=[1, 2]
        ),
    ),
    (
        ValueError,
        "encoded_format",
        lambda: bounding_boxes.decode_deltas_to_boxes(
            INPUTS["one"], INPUTS["one"], "xyxy", "xyxy", "xyxy"
        ),
    ),
    (
        TypeError,
        "dicts",
        lambda: bounding_boxes.decode_deltas_to_boxes(
            INPUTS["one"],
            {"a": INPUTS["one"]},  # pyright: ignore
            "xyxy",
            "xyxy",
        ),
    ),
    (
        ValueError,
        "in pixels",
        lambda: bounding_boxes.pad(INPUTS["one"], 1, 1, bounding_box_format="rel_xyxy"),
    ),
    (
        ValueError,
        "affine_transform",
        lambda: bounding_boxes.affine_transform([1, 2, 3, 4], 0, 0, 0, 1, 0, 0, 8, 8),
    ),
]


@pytest.mark.parametrize(("kind", "text", "call"), _MISTAKES)
def test_mistakes_are_named(kind: type[Exception], text: str, call: Callable[[], object]) -> None:
    with pytest.raises(kind, match=text):
        call()


def test_crops_keep_the_dtype_of_corners() -> None:
    assert bounding_boxes.crop(INPUTS["whole"], 1, 2, 30, 40).dtype == "int32"
    assert bounding_boxes.crop(ops.cast(INPUTS["one"], "float16"), 1, 2, 3, 4).dtype == "float16"
