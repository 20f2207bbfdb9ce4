"""Transfer learning: a network that is there already finds the features, a small classifier learns.

    python examples/transfer_learning.py

With `weights="imagenet"` in place of None the network has seen a million photographs; its weights,
95 MB, are downloaded once. Here they are random, so that the example runs offline: the first blocks
of a random network find enough to tell colours and shapes apart. The classifier is trained first,
then the last block of the network together with it, in small steps.
"""

from __future__ import annotations

import numpy as np

import nkeras as keras

SIZE = 32


def pictures(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images `(count, 32, 32, 3)` from 0 to 255: discs or squares in three colours."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 6, count)
    y, x = np.abs(np.mgrid[:SIZE, :SIZE][:, None] - random.uniform(12, 20, (2, count, 1, 1)))
    disc, square = x**2 + y**2 < 8**2, np.maximum(x, y) < 9
    inside = np.where(labels[:, None, None] < 3, disc, square)
    pixels = random.uniform(40, 140, (count, SIZE, SIZE, 3))
    pixels += 110 * inside[..., None] * np.eye(3)[labels % 3][:, None, None]
    return pixels.astype("float32"), labels


def features() -> keras.Model:
    """The first stage of ResNet50: images to `(batch, 8, 8, 256)`."""
    whole = keras.applications.ResNet50(
        include_top=False,
        weights=None,  # or "imagenet"
        input_shape=(SIZE, SIZE, 3),
    )
    return keras.Model(whole.input, whole.get_layer("conv2_block3_out").output)


def with_classifier(base: keras.Model) -> keras.Model:
    """Pixels to probabilities; the base keeps the statistics of its batch normalization."""
    pixels = keras.Input((SIZE, SIZE, 3))
    x = keras.applications.resnet.preprocess_input(pixels)
    x = keras.layers.Flatten()(base(x, training=False))
    x = keras.layers.BatchNormalization()(x)
    return keras.Model(pixels, keras.layers.Dense(6, activation="softmax")(x))


def train(model: keras.Model, rate: float, epochs: int) -> float:
    """Accuracy on new images."""
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    model.fit(*pictures(384, seed=1), batch_size=32, epochs=epochs, verbose=0)
    return model.evaluate(*pictures(256, seed=2), verbose=0)[1]


def main(epochs: int = 10) -> tuple[float, float]:
    """Accuracy of a new classifier, and after fine-tuning."""
    keras.utils.set_random_seed(0)
    base = features()
    base.trainable = False
    model = with_classifier(base)
    before = train(model, 1e-3, epochs)
    base.trainable = True
    for layer in base.layers[:-10]:
        layer.trainable = False
    after = train(model, 1e-4, epochs)
    print(f"accuracy with a new classifier {before:.3f}, after fine-tuning {after:.3f}")
    return before, after


if __name__ == "__main__":
    main()
