"""A convnet learns from image files: a folder for each class, read by threads while it trains."""

import tempfile
from pathlib import Path

import numpy as np

import nkeras as keras
from nkeras import layers

SIZE = 32
SHAPES = ("circle", "cross", "square")


def picture(shape, random):
    """A shape somewhere in an image of its own size and colours, with noise."""
    height, width = random.integers(SIZE - 6, SIZE + 7, 2)
    y, x = np.mgrid[:height, :width]
    center = random.uniform(0.35, 0.65, 2) * (height, width)
    down, right = np.abs(y - center[0]), np.abs(x - center[1])
    radius = random.uniform(6, 10)
    inside = {
        "circle": np.hypot(down, right) < radius,
        "square": np.maximum(down, right) < radius,
        "cross": (np.minimum(down, right) < radius / 4) & (np.maximum(down, right) < radius),
    }[shape]
    back, front = random.uniform(0, 255, (2, 3))
    image = np.where(inside[..., None], front, back) + random.normal(0, 12, (height, width, 3))
    return np.clip(image, 0, 255)


def write_files(folder, count):
    """`count` small PNG files for each shape."""
    random = np.random.default_rng(0)
    for shape in SHAPES:
        place = Path(folder) / shape
        place.mkdir()
        for number in range(count):
            image = picture(shape, random)
            keras.utils.save_img(place / f"{number}.png", image, scale=False)


def network():
    """Three convolutions, for pixels from 0 to 255."""
    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            layers.BatchNormalization(),
            layers.Conv2D(16, 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.GlobalMaxPooling2D(),
            layers.Dense(len(SHAPES), activation="softmax"),
        ]
    )


def main(epochs=10, count=250):
    """Write the files, train on them, and return the accuracy on a fifth of them."""
    keras.utils.set_random_seed(1)
    with tempfile.TemporaryDirectory() as folder:
        write_files(folder, count)
        train, test = keras.utils.image_dataset_from_directory(
            folder, image_size=(SIZE, SIZE), validation_split=0.2, subset="both", seed=1
        )
        model, adam = network(), keras.optimizers.Adam(0.003)
        model.compile(adam, "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(train, validation_data=test, epochs=epochs, verbose=2)
        accuracy = model.evaluate(test, verbose=0, return_dict=True)["accuracy"]
    print(f"accuracy on {len(test.file_paths)} files that it has not seen: {accuracy:.3f}")
    return accuracy


if __name__ == "__main__":
    main()
