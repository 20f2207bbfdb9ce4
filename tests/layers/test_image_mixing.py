"""MixUp, CutMix, RandAugment and AugMix: against Keras, labels, boxes, masks, and their draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers
from nkeras.core import tree
from nkeras.core.tensor import Tensor
from tests.harness import oracle as keras
from tests.layers.image_cases import SHAPE, options_of, photos
from tests.layers.image_parity import compare, data_for

LABELS = np.eye(4, 5, dtype="float32")
IN_KERAS = """
layer = getattr(keras.layers, name)(**options)
drawn = keras.tree.map_structure(ops.convert_to_tensor, drawn)
result = layer.transform_labels(ops.convert_to_tensor(labels), drawn, training=True)
"""


def data() -> dict[str, Any]:
    return data_for(SHAPE) | {"images": photos()}


@pytest.mark.parametrize("name", ["MixUp", "CutMix"])
def test_images_and_labels_are_those_of_keras(name: str, oracle: Any) -> None:
    options = options_of(name)
    compare(name, options, {"images": photos()})
    layer = getattr(layers, name)(**options)
    drawn = layer.get_random_transformation(photos())
    arrays = {key: value.numpy() for key, value in drawn.items()}
    wanted = keras.run(IN_KERAS, name=name, options=options, drawn=arrays, labels=LABELS)
    np.testing.assert_allclose(layer.transform_labels(LABELS, drawn), wanted, 1e-6, 1e-6)


@pytest.mark.long
def test_mixed_images_of_integers_and_other_layouts(oracle: Any) -> None:
    for name in ("MixUp", "CutMix"):
        compare(name, options_of(name), {"images": photos("uint8")})
        first = np.moveaxis(photos(), -1, 1).copy()
        compare(name, options_of(name, data_format="channels_first"), {"images": first})


@pytest.mark.long
def test_cut_masks_are_those_of_keras(oracle: Any) -> None:
    # Of images with three channels Keras makes masks with three.
    given = {"images": photos()[..., :1], "segmentation_masks": data()["segmentation_masks"]}
    compare("CutMix", options_of("CutMix"), given)


@pytest.mark.long
def test_augmented_images_are_those_of_keras(oracle: Any) -> None:
    # In two directions at once Keras shears by another formula, and equalizes whole batches.
    compared = 0
    for seed in range(30):
        options = options_of("AugMix", seed=seed, num_chains=1)
        drawn = layers.AugMix(**options).get_random_transformation(photos())
        names = {one["layer_name"] for chain in drawn["chain_transforms"] for one in chain}
        if names and not names & {"random_shear", "equalization"}:
            compare("AugMix", options, {"images": photos()}, 2e-4)
            compared += 1
    assert compared > 3


@pytest.mark.long
def test_rand_augment_runs_what_keras_runs(oracle: Any) -> None:
    code = """
layer = keras.layers.RandAugment(num_ops=3, seed=1)
made = lambda value: ops.convert_to_tensor(value) if isinstance(value, np.ndarray) else value
result = [ops.convert_to_tensor(images)]
for name in names:
    change = getattr(layer, name)
    images = change.transform_images(images, keras.tree.map_structure(made, drawn[name]))
result = images
"""
    images, names = photos(), ["random_translation", "random_contrast", "solarization"]
    layer = layers.RandAugment(num_ops=3, seed=1)
    drawn = layer.get_random_transformation(images)
    order = list(drawn["transforms"])
    drawn["layer_idxes"] = [order.index(name) for name in names]
    arrays = tree.map_structure(
        lambda one: one.numpy() if isinstance(one, Tensor) else one, drawn["transforms"]
    )
    wanted = keras.run(code, images=images, names=names, drawn=arrays)
    np.testing.assert_allclose(layer.transform_images(images, drawn), wanted, 1e-4, 2e-3)


def test_mix_up() -> None:
    images = np.random.default_rng(1).random((4, 8, 8, 3)).astype("float32")
    layer = layers.MixUp(bounding_box_format="xyxy")
    drawn = {"mix_weight": 0.2, "permutation_order": [1, 0, 2, 3]}
    found = layer.transform_images(images, drawn).numpy()
    np.testing.assert_allclose(found, 0.2 * images + 0.8 * images[[1, 0, 2, 3]], 1e-5)
    drawn = {"mix_weight": [0.5, 0.5], "permutation_order": [1, 0]}
    boxes = {"boxes": np.array([[[2, 1, 4, 3]], [[6, 4, 8, 6]]]), "labels": np.array([[1], [2]])}
    both = layer.transform_bounding_boxes(boxes, drawn)
    np.testing.assert_array_equal(
        both["boxes"], [[[2, 1, 4, 3], [6, 4, 8, 6]], [[6, 4, 8, 6], [2, 1, 4, 3]]]
    )
    np.testing.assert_array_equal(both["labels"], [[1, 2], [2, 1]])
    # As Keras' own test has it: boxes of two images without a first axis.
    flat = {"boxes": np.array([[2, 1, 4, 3], [6, 4, 8, 6]]), "labels": np.array([1, 2])}
    np.testing.assert_array_equal(
        layer.transform_bounding_boxes(flat, drawn)["boxes"],
        [[2, 1, 4, 3, 6, 4, 8, 6], [6, 4, 8, 6, 2, 1, 4, 3]],
    )
    masks = np.array([[[[0]]], [[[4]]]], "uint8")
    assert layer.transform_segmentation_masks(masks, drawn).numpy().ravel().tolist() == [2.0, 2.0]


def test_weights_of_mix_up_are_those_of_its_distribution() -> None:
    drawn = layers.MixUp(0.4, seed=2).get_random_transformation(np.zeros((4000, 1, 1, 3)))
    weights, order = drawn["mix_weight"].numpy(), drawn["permutation_order"].numpy()
    assert sorted(order) == list(range(4000))
    assert abs(weights.mean() - 0.5) < 0.03
    assert abs(weights.var() - 0.25 / 1.8) < 0.01  # of a beta distribution: 1 / (4 (2 alpha + 1))


def test_cut_mix() -> None:
    images = np.arange(400.0, dtype="float32")[:, None, None, None] + np.zeros((400, 20, 20, 1))
    labels = np.eye(400, dtype="float32")
    masks = (images[..., :1] + 1).astype("int32")
    layer = layers.CutMix((1.0, 1.0), seed=5)
    found = layer({"images": images, "labels": labels, "segmentation_masks": masks})
    mixed, own = found["images"].numpy(), np.arange(400)[:, None, None, None]
    stays = (mixed == own).mean((1, 2, 3))
    np.testing.assert_allclose(found["labels"].numpy().sum(1), 1.0, 1e-5)
    share = found["labels"].numpy()[np.arange(400), np.arange(400)]
    others = share < 1.0
    np.testing.assert_allclose(stays[others], share[others], atol=0.2)  # edges lie between pixels
    assert abs((stays - share)[others].mean()) < 0.02
    assert abs(share[others].mean() - 0.5) < 0.05
    np.testing.assert_array_equal(found["segmentation_masks"], mixed + 1)
    np.testing.assert_array_equal(layer(images[0]), images[0])


def test_labels_must_be_vectors() -> None:
    given = {"images": photos(), "labels": np.array([0, 1, 2, 3])}
    for name in ("MixUp", "CutMix"):
        with pytest.raises(ValueError, match=f"{name} mixes labels: .* one-hot .*shape \\(4,\\)"):
            getattr(layers, name)()(given)
        found = getattr(layers, name)()({**given, "labels": np.eye(4, dtype="int32")})
        assert found["labels"].dtype == "float32"


def test_cut_mix_has_no_boxes() -> None:
    given = {"images": photos(), "bounding_boxes": data()["bounding_boxes"]}
    with pytest.raises(NotImplementedError, match="CutMix does not define what happens to bound"):
        layers.CutMix(bounding_box_format="xyxy")(given)


def test_rand_augment_chooses_and_moves_boxes_and_masks() -> None:
    layer = layers.RandAugment(num_ops=3, factor=0.4, seed=2, bounding_box_format="xyxy")
    chosen = [
        int(number)
        for _ in range(200)
        for number in layer.get_random_transformation(photos())["layer_idxes"].numpy()
    ]
    counts = np.bincount(chosen, minlength=11)
    assert len(counts) == 11
    assert counts.min() > 30
    given = data()
    drawn = layer.get_random_transformation(given)
    names = list(drawn["transforms"])
    drawn["layer_idxes"] = [names.index("random_translation"), names.index("random_rotation")]
    moved, turned = layer.random_translation, layer.random_rotation
    for kind in ("images", "segmentation_masks", "bounding_boxes"):
        wanted = given[kind]
        for one, name in ((moved, "random_translation"), (turned, "random_rotation")):
            transform = getattr(one, f"transform_{kind}")
            wanted = transform(wanted, drawn["transforms"][name])
        found = getattr(layer, f"transform_{kind}")(given[kind], drawn)
        for mine, other in zip(tree.flatten(found), tree.flatten(wanted), strict=True):
            np.testing.assert_array_equal(mine, other)
    np.testing.assert_array_equal(layers.RandAugment(num_ops=0)(photos()), photos())


def test_aug_mix_is_a_mean() -> None:
    images = photos()
    layer = layers.AugMix(num_chains=11, seed=3)
    drawn = layer.get_random_transformation(images)
    np.testing.assert_allclose(drawn["chain_mixing_weights"].numpy().sum(), 1.0, 1e-6)
    assert len(drawn["chain_transforms"]) == 11
    lengths = {len(chain) for chain in drawn["chain_transforms"]}
    assert lengths <= {0, 1, 2, 3}
    for weight, wanted in ((1.0, images), (0.0, None)):
        found = layer.transform_images(images, {**drawn, "weight_sample": weight}).numpy()
        assert wanted is None or np.abs(found - wanted).max() < 1e-3
        assert found.min() >= 0
        assert found.max() <= 255
    nothing = {**drawn, "chain_transforms": [[], []], "weight_sample": 0.0}
    nothing["chain_mixing_weights"] = [0.25, 0.75]
    np.testing.assert_allclose(layer.transform_images(images, nothing), images, 1e-5)
    names = {
        one["layer_name"]
        for _ in range(40)
        for chain in layers.AugMix(all_ops=False).get_random_transformation(images)[
            "chain_transforms"
        ]
        for one in chain
    }
    assert len(names) == 7


def test_one_seed_chooses_alike_on_all_backends() -> None:
    found = []
    for backend in ("numpy", "numba_cpu"):
        with nkeras.use_backend(backend):
            found.append(layers.AugMix(seed=9).get_random_transformation(photos()))
    for one, other in zip(*map(tree.flatten, found), strict=True):
        if isinstance(one, str):
            assert one == other
        else:
            np.testing.assert_allclose(one, other, 1e-5, 1e-5)
