"""A convolutional network that reads digits, and a page in which it reads what one draws.

    python lenet_at_work.py [page.html]

The network is that of Adam Harley's visualisation: images of 28x28 pixels, two convolutions with
pooling, two dense layers, ten classes. The page moves through the epochs of its training.

Source: https://adamharley.com/nn_vis/
"""

import sys

import nkeras as keras
from nkeras import layers


def load_images():
    """`(x_train, y_train), (x_test, y_test)`: the digits that ship with nkeras, 28x28, 0 to 1."""
    train, test = keras.datasets.digits.load_data()

    def prepare(images):
        enlarged = keras.ops.image.resize(images[..., None] / 16.0, (28, 28), "bicubic")
        return keras.ops.clip(enlarged, 0.0, 1.0).numpy()

    return (prepare(train[0]), train[1]), (prepare(test[0]), test[1])


def lenet():
    """The model."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1), name="image"),
            layers.RandomTranslation(0.15, 0.15, fill_mode="constant", name="moved"),
            layers.Conv2D(6, 5, activation="relu", name="edges"),
            layers.MaxPooling2D(name="smaller"),
            layers.Conv2D(16, 5, activation="relu", name="parts"),
            layers.MaxPooling2D(name="smallest"),
            layers.Flatten(name="flat"),
            layers.Dense(120, activation="relu", name="features"),
            layers.Dense(100, activation="relu", name="shapes"),
            layers.Dense(10, activation="softmax", name="digits"),
        ],
        name="lenet",
    )


def main(path="lenet.html", epochs=12, images=None):
    """Train, write the page, and return the test accuracy."""
    (x_train, y_train), (x_test, y_test) = load_images()
    model = lenet()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    names = [str(digit) for digit in range(10)]
    page = keras.callbacks.Visualise(path, x_test[:12], names, y_test[:12], 6, megabytes=1.0)
    x_train, y_train = x_train[:images], y_train[:images]
    model.fit(x_train, y_train, epochs=epochs, validation_split=0.1, callbacks=[page])
    accuracy = model.evaluate(x_test, y_test, verbose=0)[1]
    print(f"Test accuracy: {accuracy:.3f}. Draw a digit in {path}.")
    return accuracy


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    main(*sys.argv[1:2])
