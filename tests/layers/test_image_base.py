"""The base of layers for images, and what it asks of its inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers, ops
from nkeras.layers.preprocessing.image import BaseImagePreprocessingLayer, ColorLayer
from nkeras.layers.preprocessing.image.base_image import Sizes

IMAGES = np.arange(2 * 4 * 6 * 3, dtype="uint8").reshape(2, 4, 6, 3)


class Darker(ColorLayer):
    """A user's layer, as one would write it for Keras."""

    _FACTOR_BOUNDS = (0, 1)

    def __init__(self, factor: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(factor=factor, **kwargs)
        self.seed = seed
        self.generator = nkeras.random.SeedGenerator(seed)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        images = data["images"] if isinstance(data, dict) else data
        shape = (images.shape[0], 1, 1, 1) if len(images.shape) == 4 else (1, 1, 1)
        low, high = self.factor
        return nkeras.random.uniform(shape, low, high, seed=seed or self.generator)

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        images = ops.cast(images, self.compute_dtype)
        if not training:
            return images
        return images * ops.cast(1.0 - transformation, images.dtype)


class Nothing(BaseImagePreprocessingLayer):
    """Defines what happens to images alone."""

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        return images


def sample(**more: Any) -> dict[str, Any]:
    boxes = {"boxes": np.zeros((2, 1, 4), "float32"), "labels": np.ones((2, 1), "int32")}
    labels = np.array([1, 2])
    masks = IMAGES[..., :1]
    return {"images": IMAGES, "labels": labels, "bounding_boxes": boxes, "masks": masks} | more


def test_a_layer_of_the_users() -> None:
    layer = Darker(0.5, seed=3, bounding_box_format="xyxy")
    assert layer.factor == (0, 0.5)
    data = sample(segmentation_masks=IMAGES[..., :1])
    given = dict(data)
    found = layer(data)
    assert data == given  # the dict is the caller's
    share = IMAGES / np.maximum(found["images"].numpy(), 1e-6)
    assert found["images"].dtype == "float32"
    assert (share[IMAGES > 0] <= 2.0001).all()
    assert (share[IMAGES > 0] >= 1.0).all()
    np.testing.assert_array_equal(found["labels"], data["labels"])
    np.testing.assert_array_equal(found["segmentation_masks"], IMAGES[..., :1])
    assert found["masks"] is data["masks"] or found["masks"].shape == (2, 4, 6, 1)
    assert layer(IMAGES[0]).shape == (4, 6, 3)
    np.testing.assert_array_equal(layer(IMAGES, training=False), IMAGES.astype("float32"))
    twin = Darker.from_config(layer.get_config())
    assert twin.factor == layer.factor
    assert twin.bounding_box_format == "xyxy"


def test_one_seed_gives_the_same_on_every_backend_and_in_every_way() -> None:
    found = []
    for backend in ("numpy", "numba_cpu"):
        with nkeras.use_backend(backend):
            layer = Darker(0.5, seed=3)
            found.append(layer(IMAGES).numpy())
            x = nkeras.Input((None, None, 3), dtype="uint8")
            model = nkeras.Model(x, Darker(0.5, seed=3)(x))
            assert model.output_shape == (None, None, None, 3)
            found.append(model(IMAGES, training=True).numpy())
            found.append(nkeras.Sequential([Darker(0.5, seed=3)])(IMAGES, training=True).numpy())
            np.testing.assert_array_equal(model.predict(IMAGES, verbose=0), IMAGES)
    for one in found[1:]:
        np.testing.assert_array_equal(one, found[0])


def test_a_function_draws_anew_in_each_call() -> None:
    layer, plain = layers.RandomFlip(seed=5), layers.RandomFlip(seed=5)
    images = ops.cast(IMAGES, "float32")
    compiled = nkeras.function(lambda x: layer(x, training=True))
    found = [compiled(images).numpy() for _ in range(8)]
    for one in found:
        np.testing.assert_array_equal(one, plain(images, training=True))
    assert len({one.tobytes() for one in found}) > 1


def test_dicts_in_functional_models() -> None:
    inputs = {
        "images": nkeras.Input((8, 6, 3)),
        "bounding_boxes": {
            "boxes": nkeras.Input((5, 4)),
            "labels": nkeras.Input((5,), dtype="int32"),
        },
    }
    outputs = layers.RandomFlip(bounding_box_format="xywh", seed=1)(inputs)
    assert outputs["images"].shape == (None, 8, 6, 3)
    assert outputs["bounding_boxes"]["boxes"].shape == (None, 5, 4)
    assert outputs["bounding_boxes"]["labels"].dtype == "int32"
    model = nkeras.Model(inputs, outputs)
    boxes = np.tile(np.array([1.0, 2.0, 3.0, 4.0], "float32"), (2, 5, 1))
    given = {
        "images": np.zeros((2, 8, 6, 3), "float32"),
        "bounding_boxes": {"boxes": boxes, "labels": np.ones((2, 5), "int32")},
    }
    found = model(given, training=True)
    assert found["bounding_boxes"]["boxes"].shape == (2, 5, 4)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_masks_without_channels(data_format: str) -> None:
    layer = layers.RandomRotation(0.2, seed=3, data_format=data_format)
    other = layers.RandomRotation(0.2, seed=3, data_format=data_format)
    axis = 3 if data_format == "channels_last" else 1
    masks = np.random.default_rng(0).integers(0, 9, (2, 4, 6)).astype("uint8")
    images = IMAGES if axis == 3 else IMAGES.transpose(0, 3, 1, 2)
    found = layer({"images": images, "segmentation_masks": masks})["segmentation_masks"]
    wanted = other({"images": images, "segmentation_masks": np.expand_dims(masks, axis)})
    np.testing.assert_array_equal(found, wanted["segmentation_masks"].numpy().squeeze(axis))
    one = layer({"images": images[0], "segmentation_masks": masks[0]})["segmentation_masks"]
    assert one.shape == (4, 6)


def test_boxes_as_lists_are_filled_up() -> None:
    layer = Darker(0.0, bounding_box_format="xyxy")
    boxes = {"boxes": [[[1, 1, 2, 2]], [[0, 0, 1, 1], [2, 2, 3, 3]]], "labels": [[4], [5, 6]]}
    found = layer({"images": IMAGES, "bounding_boxes": boxes})["bounding_boxes"]
    np.testing.assert_array_equal(found["boxes"][0, 1], [0, 0, 0, 0])
    np.testing.assert_array_equal(found["labels"], [[4, -1], [5, 6]])
    assert found["boxes"].dtype == "float32"


def test_boxes_keep_their_precision_in_half_types() -> None:
    layer = Darker(0.0, bounding_box_format="xyxy", dtype="mixed_bfloat16")
    boxes = {"boxes": np.array([[[1001.5, 1, 1003.25, 2]]] * 2), "labels": np.ones((2, 1))}
    found = layer({"images": IMAGES, "bounding_boxes": boxes})
    assert found["images"].dtype == "bfloat16"
    np.testing.assert_array_equal(found["bounding_boxes"]["boxes"], boxes["boxes"])


def test_sizes() -> None:
    layer = Nothing(data_format="channels_first")
    assert layer._sizes((2, 3, 8, 6)) == Sizes(2, 8, 6)
    assert layer._sizes({"images": np.zeros((3, 8, 6))}) == Sizes(1, 8, 6)


def test_value_ranges() -> None:
    found = Nothing()._transform_value_range([0.0, 0.5, 1.0], (0, 1), (-1, 255))
    np.testing.assert_allclose(found, [-1.0, 127.0, 255.0])


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (np.zeros((2, 3)), {}, r"Nothing: images must have rank 3 .*Received shape \(2, 3\)"),
        ({"labels": [1]}, {}, r"Nothing: argument `data` must be a dict with the key \"images\""),
        (
            sample(),
            {},
            "Nothing: .* has the key 'bounding_boxes', but .*bounding_box_format",
        ),
        (
            sample(),
            {"bounding_box_format": "xyxy"},
            "Nothing does not define what happens to",
        ),
        (
            sample(bounding_boxes=[1]),
            {"bounding_box_format": "xyxy"},
            r"must be a dict with the keys 'boxes' and 'labels'. Received: \[1\]",
        ),
        (
            sample(bounding_boxes={"boxes": np.zeros((2, 3)), "labels": [1, 2]}),
            {"bounding_box_format": "xyxy"},
            r"must have the shape \(boxes, 4\).*Received shape \(2, 3\)",
        ),
        (
            sample(bounding_boxes={"boxes": np.zeros((2, 1, 4)), "labels": [1]}),
            {"bounding_box_format": "xyxy"},
            r"must have rank 2 or 3. Received shape \(1,\)",
        ),
        (
            sample(bounding_boxes={"boxes": [[[0, 0, 1, 1]], []], "labels": [[1], [2]]}),
            {"bounding_box_format": "xyxy"},
            r"an image has 0 boxes, but the labels \[2\]",
        ),
    ],
)
def test_bad_data_is_named(data: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, NotImplementedError), match=message):
        Nothing(**options)(data)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"factor": 1.5}, "Darker: argument `factor` must be .* from 0 to 1. Received: 1.5"),
        ({"factor": (0.1, 0.2, 0.3)}, "argument `factor` must be a number, or two of them"),
        ({"factor": "much"}, "Darker: argument `factor` must be a number"),
        (
            {"factor": 0.1, "bounding_box_format": "yx"},
            "argument `bounding_box_format` must be",
        ),
        ({"factor": 0.1, "data_format": "last"}, "data_format"),
    ],
)
def test_bad_arguments_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Darker(**options)


def test_layers_without_a_factor_refuse_one() -> None:
    with pytest.raises(ValueError, match=r"RandomFlip takes no argument `factor`\. Received: 0\.5"):
        layers.RandomFlip(factor=0.5)
