"""Scripts as on keras.io: images are augmented in front of a model, or inside of it, and train."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import nkeras as keras
from nkeras import layers

BATCH, SIZE = 8, 12


def squares_and_stripes(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images from 0 to 255 of two kinds of things, their classes, and where the things are."""
    random = np.random.default_rng(4)
    images = random.uniform(0.0, 60.0, (count, SIZE, SIZE, 3)).astype("float32")
    masks = np.zeros((count, SIZE, SIZE, 1), "int32")
    labels = random.integers(0, 2, count)
    for image, mask, label in zip(images, masks, labels, strict=True):
        y, x = random.integers(1, SIZE - 6, 2)
        mask[y : y + 5, x : x + 5 : 1 + label] = 1
        image[mask[..., 0] == 1] += random.uniform(100.0, 190.0, 3)
    return images, labels, masks


def classifier(*inside: Any) -> Any:
    keras.utils.set_random_seed(2)
    model = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            *inside,
            layers.Rescaling(1 / 255),
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "categorical_crossentropy", metrics=["accuracy"])
    return model


def batches(augment: Any, images: np.ndarray, labels: np.ndarray) -> Iterator[Any]:
    while True:
        for start in range(0, len(images), BATCH):
            part = slice(start, start + BATCH)
            data = augment({"images": images[part], "labels": labels[part]})
            yield data["images"], data["labels"]


def mixed(data: dict[str, Any]) -> dict[str, Any]:
    """One of the two, as in the script "CutMix, MixUp, and RandAugment image augmentation"."""
    layer = mixed.layers[mixed.calls % 2]  # type: ignore[attr-defined]
    mixed.calls += 1  # type: ignore[attr-defined]
    return layer(data, training=True)


@pytest.mark.parametrize("backend", ["numpy", "numba_cpu"])
def test_mixed_and_augmented_batches_train(backend: str) -> None:
    images, classes, _ = squares_and_stripes(32)
    labels = keras.utils.to_categorical(classes, 2).astype("float32")
    with keras.use_backend(backend):
        mixed.calls = 0  # type: ignore[attr-defined]
        mixed.layers = [layers.MixUp(0.2, seed=1), layers.CutMix(seed=2)]  # type: ignore[attr-defined]
        augment = layers.RandAugment(num_ops=2, factor=0.2, seed=3)
        model = classifier()
        history = model.fit(
            batches(lambda data: mixed(augment(data, training=True)), images, labels),
            steps_per_epoch=4,
            epochs=4,
            verbose=0,
        )
        losses = history.history["loss"]
        assert losses[-1] < losses[0]
        assert np.isfinite(model.predict(images, verbose=0)).all()
        known.setdefault("mixed", []).append(losses)
    for one in known["mixed"]:
        np.testing.assert_allclose(one, known["mixed"][0], 2e-3)


known: dict[str, list[Any]] = {}


@pytest.mark.parametrize("backend", ["numpy", "numba_cpu"])
def test_layers_inside_of_the_model_train_in_a_plan(backend: str) -> None:
    images, classes, _ = squares_and_stripes(32)
    labels = keras.utils.to_categorical(classes, 2)
    with keras.use_backend(backend):
        model = classifier(
            layers.RandomFlip("horizontal", seed=1),
            layers.RandomContrast(0.3, seed=2),
            layers.RandomColorJitter(
                brightness_factor=0.2, saturation_factor=(0.3, 0.6), hue_factor=0.1, seed=3
            ),
            layers.RandomErasing(0.5, seed=4),
        )
        history = model.fit(images, labels, batch_size=BATCH, epochs=5, shuffle=False, verbose=0)
        losses = history.history["loss"]
        assert losses[-1] < losses[0]
        known.setdefault("inside", []).append(losses)
        assert backend == "numpy" or not model._plans.refusals()
    for one in known["inside"]:
        np.testing.assert_allclose(one, known["inside"][0], 2e-3)


def test_chosen_changes_inside_of_the_model_run_as_they_come() -> None:
    images, classes, _ = squares_and_stripes(32)
    labels = keras.utils.to_categorical(classes, 2)
    with keras.use_backend("numba_cpu"):
        model = classifier(layers.RandAugment(num_ops=1, factor=0.1, seed=1))
        losses = model.fit(images, labels, batch_size=BATCH, epochs=5, verbose=0).history["loss"]
        assert losses[-1] < losses[0]
        reasons = set(model._plans.refusals().values())
        assert reasons
        assert all("value" in str(reason) or "Python" in str(reason) for reason in reasons), reasons


@pytest.mark.parametrize("backend", ["numpy", "numba_cpu"])
def test_masks_are_augmented_beside_images(backend: str) -> None:
    images, _, masks = squares_and_stripes(32)
    with keras.use_backend(backend):
        keras.utils.set_random_seed(3)
        augment = layers.Pipeline(
            [
                layers.RandomFlip(seed=1),
                layers.RandomRotation(0.1, fill_mode="constant", seed=2),
                layers.RandomBrightness(0.1, seed=3),
                layers.RandomSharpness((0.4, 0.8), seed=4),
            ]
        )
        model = keras.Sequential(
            [
                keras.Input((SIZE, SIZE, 3)),
                layers.Rescaling(1 / 255),
                layers.Conv2D(8, 3, padding="same", activation="relu"),
                layers.Conv2D(2, 3, padding="same", activation="softmax"),
            ]
        )
        model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
        losses = []
        for _ in range(3):
            for start in range(0, 32, BATCH):
                part = slice(start, start + BATCH)
                data = {"images": images[part], "segmentation_masks": masks[part]}
                found = augment(data, training=True)
                seen = found["images"].numpy().mean(-1, keepdims=True) > 90
                assert (seen == (found["segmentation_masks"].numpy() > 0)).mean() > 0.85
                losses.append(model.train_on_batch(found["images"], found["segmentation_masks"]))
        assert np.mean(losses[-4:]) < np.mean(losses[:4])
        known.setdefault("masks", []).append(losses)
    for one in known["masks"]:
        np.testing.assert_allclose(one, known["masks"][0], 2e-3)
