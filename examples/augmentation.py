"""Augmentation inside a model: a convnet that has seen digits moved and turned knows moved ones."""

import numpy as np

import nkeras as keras
from nkeras import layers


def augmentation():
    """In training each image is moved, turned and zoomed by numbers of its own; else nothing."""
    return keras.Sequential(
        [
            layers.RandomTranslation(0.2, 0.2, fill_mode="constant", seed=1),
            layers.RandomRotation(0.05, fill_mode="constant", seed=2),
            layers.RandomZoom((-0.1, 0.1), fill_mode="constant", seed=3),
        ],
        name="augmentation",
    )


def classifier(augmented):
    """A small convnet for images of 8 x 8 pixels, which augments them itself if it shall."""
    inputs = keras.Input((8, 8, 1))
    x = augmentation()(inputs) if augmented else inputs
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Conv2D(64, 3, padding="same", activation="relu")(x)
    x = layers.Flatten()(x)
    x = layers.Dropout(0.3, seed=4)(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def shifted(images):
    """Each image moved by a pixel, up, down, left or right in turn."""
    moves = [(-1, 1), (1, 1), (-1, 2), (1, 2)]
    moved = np.zeros_like(images)
    for i, (by, axis) in enumerate(moves):
        rolled = np.roll(images[i::4], by, axis)
        edge = [slice(None)] * 4
        edge[axis] = 0 if by > 0 else -1
        rolled[tuple(edge)] = 0.0
        moved[i::4] = rolled
    return moved


def main(epochs=30):
    """Train with and without; return the shares of shifted digits that both know."""
    (x, y), (x_test, y_test) = keras.datasets.digits.load_data()
    x, x_test = (images[..., None].astype("float32") / 16 for images in (x, x_test))
    found = []
    for augmented in (False, True):
        keras.utils.set_random_seed(5)
        model = classifier(augmented)
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(x, y, batch_size=32, epochs=epochs, verbose=0)
        _, plain = model.evaluate(x_test, y_test, verbose=0)
        _, moved = model.evaluate(shifted(x_test), y_test, verbose=0)
        name = "with augmentation" if augmented else "without augmentation"
        print(f"{name}: {plain:.3f} of the digits, {moved:.3f} of shifted ones")
        found.append(moved)
    return found


if __name__ == "__main__":
    main()
