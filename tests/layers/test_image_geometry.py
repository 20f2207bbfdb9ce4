"""Layers that move pixels, against Keras: images, boxes and masks by the same transformation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers, ops
from tests.layers.image_parity import compare, data_for

SHAPE = (4, 12, 16, 3)
ROTATION = {"factor": 0.1, "fill_mode": "constant", "fill_value": 3.0}
NEAREST = {"factor": 0.3, "interpolation": "nearest", "fill_mode": "wrap"}
CASES: list[tuple[str, dict[str, Any]]] = [
    ("RandomFlip", {}),
    ("RandomFlip", {"mode": "horizontal"}),
    ("RandomFlip", {"mode": "vertical"}),
    ("RandomRotation", {"factor": 0.5}),
    ("RandomRotation", ROTATION),
    ("RandomRotation", NEAREST),
    ("RandomTranslation", {"height_factor": 0.3, "width_factor": 0.6}),
    ("RandomTranslation", {"height_factor": 0.3, "width_factor": 0.6, "fill_mode": "nearest"}),
    ("RandomZoom", {"height_factor": 0.5}),
    ("RandomZoom", {"height_factor": 0.5, "width_factor": (0.2, 0.7), "fill_mode": "constant"}),
    ("RandomPerspective", {"scale": 0.5}),
    ("RandomPerspective", {"factor": (0.5, 0.6), "interpolation": "nearest"}),
    ("CenterCrop", {"height": 8, "width": 9}),
    ("CenterCrop", {"height": 20, "width": 10}),
    ("Resizing", {"height": 8, "width": 9}),
    ("Resizing", {"height": 24, "width": 9, "interpolation": "bicubic", "antialias": True}),
    ("Resizing", {"height": 24, "width": 30, "interpolation": "nearest"}),
    ("Resizing", {"height": 24, "width": 30, "interpolation": "lanczos5"}),
]


@pytest.mark.parametrize("case", CASES[4:5], ids=str)
def test_images_boxes_and_masks_are_those_of_keras(case: Any, oracle: Any) -> None:
    check(*case)


@pytest.mark.long
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_dtypes_and_layouts(case: Any, dtype: str, data_format: str, oracle: Any) -> None:
    check(*case, dtype=dtype, data_format=data_format)


@pytest.mark.long
@pytest.mark.parametrize("name", ["rel_xyxy", "xywh", "center_xywh", "yxyx"])
@pytest.mark.parametrize("layer", ["RandomTranslation", "RandomFlip", "CenterCrop", "Resizing"])
def test_formats_of_boxes(name: str, layer: str, oracle: Any) -> None:
    options = next(options for one, options in CASES if one == layer)
    data = data_for(SHAPE)
    found = data["bounding_boxes"]
    boxes = nkeras.utils.bounding_boxes.convert_format(
        found["boxes"], "xyxy", name, height=SHAPE[1], width=SHAPE[2]
    )
    data["bounding_boxes"] = {**found, "boxes": boxes.numpy()}
    seeded = {"seed": 7} if layer.startswith("Random") else {}
    compare(layer, {**options, **seeded, "bounding_box_format": name}, data)


def check(
    name: str, options: dict[str, Any], dtype: str = "float32", data_format: str = "channels_last"
) -> None:
    shared: dict[str, Any] = {"bounding_box_format": "xyxy", "data_format": data_format}
    if name.startswith("Random"):
        shared["seed"] = 7
    compare(name, options | shared, data_for(SHAPE, dtype, data_format))


@pytest.mark.long
@pytest.mark.parametrize("factors", [{"x_factor": 0.5}, {"y_factor": 0.5}], ids=str)
def test_shear_is_that_of_keras_for_squares_along_one_side(factors: Any, oracle: Any) -> None:
    options = {**factors, "seed": 7, "bounding_box_format": "xyxy"}
    compare("RandomShear", options, data_for((4, 16, 16, 3)))


@pytest.mark.long
def test_shear_of_images_and_masks_in_both_directions(oracle: Any) -> None:
    data = data_for(SHAPE)
    del data["bounding_boxes"]
    compare("RandomShear", {"x_factor": 0.5, "y_factor": 0.3, "seed": 7}, data)


@pytest.mark.long
def test_crops_of_images_and_masks(oracle: Any) -> None:
    data = data_for(SHAPE)
    del data["bounding_boxes"]
    compare("RandomCrop", {"height": 8, "width": 5, "seed": 7}, data)


# Boxes follow what is seen in the image, also where those of Keras do not.

BLOBS: list[tuple[str, dict[str, Any]]] = [
    ("RandomFlip", {}),
    ("RandomRotation", {"factor": 0.1}),
    ("RandomTranslation", {"height_factor": 0.2, "width_factor": 0.2}),
    ("RandomZoom", {"height_factor": 0.3, "width_factor": 0.3}),
    ("RandomShear", {"x_factor": 0.3, "y_factor": 0.3}),
    ("RandomPerspective", {"scale": 0.3}),
    ("RandomCrop", {"height": 40, "width": 50}),
    ("CenterCrop", {"height": 40, "width": 50}),
    ("Resizing", {"height": 80, "width": 45}),
    ("Resizing", {"height": 80, "width": 45, "crop_to_aspect_ratio": True}),
    ("Resizing", {"height": 80, "width": 45, "pad_to_aspect_ratio": True}),
    ("CenterCrop", {"height": 80, "width": 45}),
    ("RandomCrop", {"height": 80, "width": 45}),
]


@pytest.mark.parametrize("name", ["xyxy", "rel_center_xywh"])
@pytest.mark.parametrize("case", BLOBS, ids=str)
def test_boxes_lie_around_what_they_lay_around(case: Any, name: str) -> None:
    layer, options = case
    height, width, (x1, y1, x2, y2) = 48, 64, (24, 16, 34, 22)
    images = np.zeros((6, height, width, 1), "float32")
    images[:, y1:y2, x1:x2] = 1.0
    corners = np.tile(np.array([x1, y1, x2, y2], "float32"), (6, 1, 1))
    boxes = nkeras.utils.bounding_boxes.convert_format(corners, "xyxy", name, height, width)
    fills = {} if layer in ("Resizing", "CenterCrop", "RandomCrop") else {"fill_mode": "constant"}
    fills = {} if layer in ("RandomFlip", "RandomPerspective") else fills
    seeded = {} if layer in ("Resizing", "CenterCrop") else {"seed": 11}
    made = getattr(layers, layer)(**options, **fills, **seeded, bounding_box_format=name)
    found = made({"images": images, "bounding_boxes": {"boxes": boxes, "labels": np.ones((6, 1))}})
    _, new_height, new_width, _ = found["images"].shape
    moved = nkeras.utils.bounding_boxes.convert_format(
        found["bounding_boxes"]["boxes"], name, "xyxy", new_height, new_width
    ).numpy()
    for image, (box,) in zip(found["images"].numpy(), moved, strict=True):
        ys, xs = np.nonzero(image[..., 0] > 0.5)
        seen = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
        np.testing.assert_allclose(box, seen, atol=1.6)


def test_what_leaves_the_image_loses_its_label() -> None:
    layer = layers.RandomTranslation(0.0, (0.5, 0.5), bounding_box_format="xyxy")
    boxes = {"boxes": [[[0, 0, 4, 4], [9, 0, 12, 4]]], "labels": [[3, 4]]}
    found = layer({"images": np.zeros((1, 8, 12, 3)), "bounding_boxes": boxes})["bounding_boxes"]
    np.testing.assert_array_equal(found["boxes"], [[[6, 0, 10, 4], [12, 0, 12, 4]]])
    np.testing.assert_array_equal(found["labels"], [[3, -1]])


def test_elastic_masks_move_with_their_images() -> None:
    layer = layers.RandomElasticTransform(interpolation="nearest", scale=(0.5, 0.5), seed=5)
    images = np.random.default_rng(0).integers(0, 200, (3, 24, 30, 1)).astype("float32")
    found = layer({"images": images, "segmentation_masks": images})
    np.testing.assert_array_equal(found["images"], found["segmentation_masks"])
    assert (found["images"].numpy() != images).mean() > 0.1
    boxed = layers.RandomElasticTransform(bounding_box_format="xyxy")
    boxes = {"boxes": np.zeros((3, 1, 4)), "labels": np.zeros((3, 1))}
    with pytest.raises(NotImplementedError, match="RandomElasticTransform does not define what"):
        boxed({"images": images, "bounding_boxes": boxes})


@pytest.mark.long
def test_elastic_deformations_are_as_strong_as_those_of_keras(oracle: Any) -> None:
    images = np.tile(np.arange(48.0, dtype="float32")[:, None, None], (8, 1, 48, 1))
    theirs = oracle.run(
        """
        layer = keras.layers.RandomElasticTransform(scale=(0.6, 0.6), fill_mode="nearest", seed=1)
        result = layer(images, training=True)
        """,
        images=images,
    )
    layer = layers.RandomElasticTransform(scale=(0.6, 0.6), fill_mode="nearest", seed=1)
    ours = layer(images, training=True).numpy()
    inner = (slice(None), slice(12, 36), slice(12, 36))
    spread = [(one - images)[inner].std() for one in (ours, theirs)]
    assert 0.75 < spread[0] / spread[1] < 1.33
    jumps = [np.diff((one - images)[inner], axis=1).std() for one in (ours, theirs)]
    assert 0.75 < jumps[0] / jumps[1] < 1.33


# What is drawn.


def drawn(layer: Any, size: int = 4000) -> Any:
    return layer.get_random_transformation(np.zeros((size, 10, 20, 1), "float32"), training=True)


def uniform(x: Any, low: float, high: float) -> None:
    """Assert that numbers are spread evenly from low to high."""
    x = np.asarray(x).ravel()
    assert low <= x.min() < low + 0.01 * (high - low)
    assert high - 0.01 * (high - low) < x.max() <= high
    assert abs(x.mean() - (low + high) / 2) < 0.03 * (high - low)
    assert abs(x.std() - (high - low) / 12**0.5) < 0.03 * (high - low)


def test_draws() -> None:
    assert abs(drawn(layers.RandomFlip(seed=1))["flips"].numpy().mean() - 0.5) < 0.03
    uniform(drawn(layers.RandomRotation((-0.1, 0.3), seed=1))["angle"], -36.0, 108.0)
    moves = drawn(layers.RandomTranslation(0.2, (0.0, 0.5), seed=1))["translations"].numpy()
    uniform(moves[:, 0], 0.0, 10.0)
    uniform(moves[:, 1], -2.0, 2.0)
    assert abs(np.corrcoef(moves.T)[0, 1]) < 0.05
    zooms = drawn(layers.RandomZoom((-0.2, 0.6), seed=1))
    uniform(zooms["height_zoom"], 0.8, 1.6)
    np.testing.assert_array_equal(zooms["height_zoom"], zooms["width_zoom"])
    shears = drawn(layers.RandomShear((0.1, 0.3), 0.2, seed=1))["shear_factor"].numpy()
    uniform(np.abs(shears[:, 0]), 0.1, 0.3)
    assert abs((shears[:, 0] > 0).mean() - 0.5) < 0.03
    uniform(shears[:, 1], -0.2, 0.2)
    perspective = drawn(layers.RandomPerspective(0.5, 0.4, seed=1))
    assert abs(perspective["apply_perspective"].numpy().mean() - 0.25) < 0.03
    uniform(perspective["end_points"].numpy()[:, 3, 0] / 19.0, 0.8, 1.2)
    elastic = drawn(layers.RandomElasticTransform((0.5, 1.0), seed=1))
    assert abs(elastic["apply_transform"].numpy().mean() - 0.75) < 0.03


def test_crops_are_everywhere() -> None:
    layer = layers.RandomCrop(8, 10, seed=1)
    places = [layer.get_random_transformation(np.zeros((1, 10, 13, 3)))[:2] for _ in range(400)]
    found = np.array([[int(top), int(left)] for top, left in places])
    assert (np.bincount(found[:, 0], minlength=3) > 80).all()
    assert (np.bincount(found[:, 1], minlength=4) > 60).all()


def test_an_int_as_seed_gives_one_transformation() -> None:
    layer = layers.RandomTranslation(0.2, 0.3)
    images = np.zeros((3, 8, 8, 1))
    first, second = (
        layer.get_random_transformation(images, seed=5)["translations"].numpy() for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)
    assert (first[:, 0] != first[:, 1] * 0.3 / 0.2).all()


IN_PLANS: list[tuple[str, dict[str, Any]]] = [
    ("RandomRotation", {"factor": 0.2}),
    ("RandomTranslation", {"height_factor": 0.2, "width_factor": 0.3}),
    ("RandomZoom", {"height_factor": 0.2}),
    ("RandomShear", {"x_factor": 0.2, "y_factor": 0.1}),
    ("RandomPerspective", {}),
    ("RandomElasticTransform", {"scale": 0.5}),
    ("RandomCrop", {"height": 5, "width": 6}),
]


@pytest.mark.parametrize("case", IN_PLANS, ids=str)
def test_plans_draw_what_eager_calls_draw(case: Any) -> None:
    name, options = case
    images = ops.convert_to_tensor(np.random.default_rng(0).uniform(0, 255, (3, 9, 8, 3)))
    planned, eager = (getattr(layers, name)(**options, seed=1) for _ in range(2))
    compiled = nkeras.function(lambda x: planned(x, training=True))
    found = [compiled(images).numpy() for _ in range(5)]
    for one in found:
        np.testing.assert_array_equal(one, eager(images, training=True))
    assert compiled.refusals() == []
    assert len({one.tobytes() for one in found}) > 1


def test_gradients_flow_to_the_images() -> None:
    layer = layers.RandomRotation((0.25, 0.25))
    x = ops.convert_to_tensor(np.arange(9.0, dtype="float32").reshape(1, 3, 3, 1))
    weights = np.arange(9.0, dtype="float32").reshape(1, 3, 3, 1)
    with nkeras.GradientTape() as tape:
        tape.watch(x)
        loss = ops.sum(layer(x, training=True) * weights)
    np.testing.assert_allclose(
        tape.gradient(loss, x).numpy().reshape(3, 3), np.rot90(weights[0, ..., 0], -1), atol=1e-5
    )


# Values that Keras' own tests hold.

SQUARE = np.arange(25).reshape(1, 5, 5, 1)


def test_half_a_turn() -> None:
    found = layers.RandomRotation((0.5, 0.5))(SQUARE)
    np.testing.assert_allclose(found, SQUARE[:, ::-1, ::-1], atol=1e-5)
    np.testing.assert_array_equal(layers.RandomRotation(0.5)(SQUARE, training=False), SQUARE)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_moves_by_whole_pixels(data_format: str) -> None:
    image = SQUARE if data_format == "channels_last" else SQUARE.transpose(0, 3, 1, 2)
    down = np.roll(SQUARE.reshape(5, 5), 1, 0)
    for fill, first in (("reflect", np.arange(5)), ("constant", np.zeros(5))):
        layer = layers.RandomTranslation((0.2, 0.2), 0.0, fill, data_format=data_format)
        down[0] = first
        np.testing.assert_allclose(layer(image).numpy().reshape(5, 5), down, atol=1e-5)
    layer = layers.RandomTranslation(0.0, (-0.2, -0.2), data_format=data_format)
    left = np.roll(SQUARE.reshape(5, 5), -1, 1)
    left[:, 4] = left[:, 3]
    np.testing.assert_allclose(layer(image).numpy().reshape(5, 5), left, atol=1e-5)


def test_a_tall_image_that_is_reflected() -> None:
    layer = layers.RandomTranslation((0.5, 0.5), 0.0)
    found = layer(np.arange(16).reshape(1, 8, 2, 1)).numpy().reshape(8, 2)
    wanted = [[6, 7], [4, 5], [2, 3], [0, 1], [0, 1], [2, 3], [4, 5], [6, 7]]
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_zooms() -> None:
    out = layers.RandomZoom((0.5, 0.5), (0.8, 0.8), fill_mode="constant")(SQUARE).numpy()
    wanted = np.zeros((5, 5))
    wanted[1:4, 1:4] = [[2.7, 4.5, 6.3], [10.2, 12.0, 13.8], [17.7, 19.5, 21.3]]
    np.testing.assert_allclose(out.reshape(5, 5), wanted, atol=1e-4)
    nearest = layers.RandomZoom((0.5, 0.5), (0.8, 0.8), "constant", "nearest")(SQUARE).numpy()
    wanted[1:4, 1:4] = [[5, 7, 9], [10, 12, 14], [20, 22, 24]]
    np.testing.assert_array_equal(nearest.reshape(5, 5), wanted)
    near = layers.RandomZoom((-0.5, -0.5), (-0.5, -0.5), fill_mode="constant")(SQUARE).numpy()
    wanted = 6.0 + 0.5 * np.arange(5) + 2.5 * np.arange(5)[:, None]
    np.testing.assert_allclose(near.reshape(5, 5), wanted, atol=1e-5)


BOXES = {"boxes": np.array([[2, 1, 4, 3], [6, 4, 8, 6]]), "labels": np.array([1, 2])}


@pytest.mark.parametrize(
    ("name", "options", "transformation", "wanted"),
    [
        ("RandomFlip", {"mode": "horizontal"}, {"flips": [[True]]}, [[4, 1, 6, 3], [0, 4, 2, 6]]),
        ("RandomFlip", {"mode": "vertical"}, {"flips": [[True]]}, [[2, 7, 4, 9], [6, 4, 8, 6]]),
        ("RandomFlip", {}, {"flips": [[True]]}, [[4, 7, 6, 9], [0, 4, 2, 6]]),
        (
            "RandomTranslation",
            {"height_factor": 0.5, "width_factor": 0.5},
            {"translations": [[1.0, 2.0]]},
            [[3, 3, 5, 5], [7, 6, 8, 8]],
        ),
        (
            "RandomTranslation",
            {"height_factor": 0.5, "width_factor": 0.5},
            {"translations": [[-1.0, -2.0]]},
            [[1, 0, 3, 1], [5, 2, 7, 4]],
        ),
        (
            "RandomZoom",
            {"height_factor": 0.5},
            {"height_zoom": [[0.1]], "width_zoom": [[0.1]]},
            [[0, 0, 8, 0], [8, 0, 8, 10]],
        ),
        (
            "RandomZoom",
            {"height_factor": 0.5},
            {"height_zoom": [[1.9]], "width_zoom": [[1.9]]},
            [[2.710526, 2.657895, 3.763158, 3.710526], [4.815789, 4.236842, 5.868421, 5.289474]],
        ),
        (
            "RandomPerspective",
            {},
            {
                "apply_perspective": [True],
                "start_points": [[[0.0, 0.0], [7.0, 0.0], [0.0, 9.0], [7.0, 9.0]]],
                "end_points": [
                    [[0.0, 0.0], [8.151311, 0.0], [0.0, 12.695701], [9.2712054, 10.524198]]
                ],
            },
            [[2.6490488, 1.1149256, 5.2026834, 3.6187303], [7.5547166, 4.2492595, 8.0, 6.869391]],
        ),
        (
            "RandomPerspective",
            {},
            {
                "apply_perspective": [True],
                "start_points": [[[0.0, 0.0], [7.0, 0.0], [0.0, 9.0], [7.0, 9.0]]],
                "end_points": [
                    [[0.0, 0.0], [4.151311, 0.0], [0.0, 6.695701], [4.2712054, 7.524198]]
                ],
            },
            [
                [1.095408, 0.7504317, 2.2761598, 2.3389952],
                [3.5416048, 3.2349987, 4.920989, 5.0568376],
            ],
        ),
    ],
)
def test_boxes_of_keras_tests(
    name: str, options: Any, transformation: Any, wanted: list[list[float]]
) -> None:
    layer = getattr(layers, name)(**options, bounding_box_format="xyxy")
    given = {key: np.array(value) for key, value in transformation.items()}
    given["input_shape"] = np.array((10, 8, 3))
    found = layer.transform_bounding_boxes(BOXES, transformation=given, training=True)
    np.testing.assert_allclose(found["boxes"], wanted, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "options", "wanted"),
    [
        ("Resizing", {"pad_to_aspect_ratio": True}, [[6, 2, 10, 6], [14, 8, 18, 12]]),
        ("Resizing", {}, [[5, 2, 10, 6], [15, 8, 20, 12]]),
        ("Resizing", {"crop_to_aspect_ratio": True}, [[5, 0, 10, 5], [15, 7.5, 20, 12.5]]),
        ("CenterCrop", {}, [[5, 0, 10, 5], [15, 7.5, 20, 12.5]]),
        ("CenterCrop", {"height": 5, "width": 5}, [[1, 0, 3, 1], [5, 2, 5, 4]]),
    ],
)
def test_boxes_of_one_image(name: str, options: Any, wanted: list[list[float]]) -> None:
    size = {"height": 20, "width": 20} | options
    layer = getattr(layers, name)(**size, bounding_box_format="xyxy")
    found = layer({"images": np.zeros((10, 8, 3)), "bounding_boxes": BOXES})
    np.testing.assert_allclose(found["bounding_boxes"]["boxes"], wanted)


def test_resizing_takes_the_nearest_pixels() -> None:
    image = np.arange(16.0, dtype="float32").reshape(1, 4, 4, 1)
    found = layers.Resizing(2, 2, "nearest")(image).numpy()
    np.testing.assert_array_equal(found.reshape(2, 2), [[5, 7], [13, 15]])
    found = layers.Resizing(4, 2, "nearest", crop_to_aspect_ratio=True)(image).numpy()
    np.testing.assert_array_equal(found.reshape(4, 2), image.reshape(4, 4)[:, 1:3])
    assert layers.Resizing(2, 3)(np.zeros((4, 4, 1), "uint8")).dtype == "uint8"
    assert layers.Resizing(15, 100, crop_to_aspect_ratio=True)(np.zeros((1, 1, 4, 4))).shape == (
        1,
        15,
        100,
        4,
    )


@pytest.mark.parametrize(("size", "shape"), [((15, 10), (2, 9, 11, 3)), ((5, 17), (2, 11, 3, 9))])
def test_images_that_are_too_small_for_a_crop_are_resized(size: Any, shape: Any) -> None:
    images = np.random.default_rng(0).uniform(size=shape).astype("float32")
    wanted = layers.Resizing(*size, crop_to_aspect_ratio=True)(images)
    np.testing.assert_array_equal(layers.CenterCrop(*size)(images), wanted)
    np.testing.assert_array_equal(layers.RandomCrop(*size)(images), wanted)
    np.testing.assert_array_equal(layers.RandomCrop(*size)(images, training=False), wanted)


def test_crops_in_a_model_of_any_size() -> None:
    model = nkeras.Sequential([layers.CenterCrop(10, 12)])
    for shape in ((2, 25, 30, 3), (2, 6, 7, 3)):
        assert model.predict(np.zeros(shape, "float32"), verbose=0).shape == (2, 10, 12, 3)
    inputs = nkeras.Input((None, None, 3))
    zoomed = layers.RandomZoom((0.5, 0.5), (0.8, 0.8), "constant", "nearest")(inputs)
    model = nkeras.Model(inputs, zoomed)
    assert model.predict(np.zeros((1, 6, 6, 3), "float32"), verbose=0).shape == (1, 6, 6, 3)


def test_all_of_a_dict_is_cropped() -> None:
    layer = layers.RandomCrop(3, 3, bounding_box_format="xyxy")
    data = {
        "images": np.zeros((2, 4, 5, 3)),
        "labels": np.zeros((2, 7)),
        "segmentation_masks": np.zeros((2, 4, 5, 7)),
        "bounding_boxes": {"boxes": np.array([[1, 2, 2, 3]]), "labels": np.array([0])},
    }
    found = layer(data)
    assert found["images"].shape == (2, 3, 3, 3)
    assert found["segmentation_masks"].shape == (2, 3, 3, 7)
    assert found["bounding_boxes"]["boxes"].shape == (1, 4)


def test_numbers_of_boxes() -> None:
    boxes = {"boxes": np.ones((1, 2, 4)), "labels": np.array([[1, 2]])}
    for count in (40, 1):
        layer = layers.MaxNumBoundingBoxes(count, bounding_box_format="xyxy")
        found = layer({"images": np.zeros((1, 10, 8, 3)), "bounding_boxes": boxes})
        assert found["bounding_boxes"]["boxes"].shape == (1, count, 4)
        assert found["bounding_boxes"]["labels"].shape == (1, count)
        one = {"boxes": boxes["boxes"][0], "labels": boxes["labels"][0]}
        found = layer({"images": np.zeros((10, 8, 3)), "bounding_boxes": one})
        assert found["bounding_boxes"]["boxes"].shape == (count, 4)
    twin = layers.MaxNumBoundingBoxes.from_config(
        layers.MaxNumBoundingBoxes(3, fill_value=7).get_config()
    )
    assert twin.fill_value == 7


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("RandomFlip", {"mode": "sideways"}, "RandomFlip: argument `mode` must be 'horizontal'"),
        ("RandomRotation", {"factor": 2}, "RandomRotation: argument `factor` must be .* -1 to 1"),
        ("RandomRotation", {"factor": 0.1, "fill_mode": "black"}, "RandomRotation: .*`fill_mode`"),
        (
            "RandomRotation",
            {"factor": 0.1, "interpolation": "bicubic"},
            'RandomRotation: argument `interpolation` must be "nearest" or "bilinear"',
        ),
        ("RandomTranslation", {"height_factor": -1.1, "width_factor": 0}, "`height_factor`"),
        ("RandomTranslation", {"height_factor": (-1.1, 0), "width_factor": 0}, "`height_factor`"),
        ("RandomTranslation", {"height_factor": {"a": 1}, "width_factor": 0}, "`height_factor`"),
        ("RandomTranslation", {"height_factor": [1, 1, 1], "width_factor": 0}, "`height_factor`"),
        ("RandomZoom", {"height_factor": -1}, "RandomZoom: argument `height_factor` must be more"),
        ("RandomZoom", {"height_factor": 0, "width_factor": 1.5}, "`width_factor`"),
        ("RandomShear", {"x_factor": -0.5}, "RandomShear: argument `x_factor` must be .* 0 to 1"),
        ("RandomShear", {"y_factor": (0.5, 1.5)}, "RandomShear: argument `y_factor`"),
        ("RandomPerspective", {"scale": 1.5}, "RandomPerspective: argument `scale` must be"),
        ("RandomElasticTransform", {"scale": 1.5}, "RandomElasticTransform: argument `scale`"),
        ("RandomElasticTransform", {"value_range": 3}, "`value_range` must be two numbers"),
        ("RandomCrop", {"height": 0, "width": 3}, "RandomCrop: argument `height` must be"),
        ("CenterCrop", {"height": 2, "width": 2.5}, "CenterCrop: argument `width` must be"),
        ("Resizing", {"height": 2, "width": 2, "interpolation": "cubic"}, "`interpolation`"),
        ("Resizing", {"height": 2, "width": 2, "fill_mode": "reflect"}, "`fill_mode` must be"),
        ("MaxNumBoundingBoxes", {"max_number": 0}, "`max_number` must be a positive int"),
    ],
)
def test_bad_arguments_are_named(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        getattr(layers, name)(**options)


def test_only_one_proportion() -> None:
    with pytest.raises(ValueError, match=r"Resizing: of the arguments .* at most one can be True"):
        layers.Resizing(2, 2, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True)
