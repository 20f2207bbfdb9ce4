"""Simple MNIST convnet, as on keras.io, on nkeras: only the import differs.

    python simple_mnist_convnet.py             the 8x8 digits that ship with nkeras
    python simple_mnist_convnet.py mnist.npz   MNIST itself, the file that Keras downloads

Source: https://keras.io/examples/vision/mnist_convnet/
"""

import sys

import numpy as np

import nkeras as keras
from nkeras import layers


def load_data(path=None):
    """`(x_train, y_train), (x_test, y_test)` with images from 0 to 1."""
    if path is None:
        (x_train, y_train), (x_test, y_test) = keras.datasets.digits.load_data()
        scale = 16
    else:
        with np.load(path) as file:
            x_train, y_train = file["x_train"], file["y_train"]
            x_test, y_test = file["x_test"], file["y_test"]
        scale = 255
    x_train = x_train.astype("float32") / scale
    x_test = x_test.astype("float32") / scale
    return (x_train, y_train), (x_test, y_test)


def main(path=None, epochs=15):
    """Train, evaluate, and return the test accuracy."""
    num_classes = 10
    (x_train, y_train), (x_test, y_test) = load_data(path)
    x_train = np.expand_dims(x_train, -1)
    x_test = np.expand_dims(x_test, -1)
    input_shape = x_train.shape[1:]
    y_train = keras.utils.to_categorical(y_train, num_classes)
    y_test = keras.utils.to_categorical(y_test, num_classes)

    model = keras.Sequential(
        [
            keras.Input(shape=input_shape),
            layers.Conv2D(32, kernel_size=(3, 3), activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Conv2D(64, kernel_size=(3, 3), activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2), padding="same"),  # "same" for 8x8 pixels
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(num_classes, activation="softmax"),
        ]
    )
    model.summary()

    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    model.fit(x_train, y_train, batch_size=128, epochs=epochs, validation_split=0.1)

    score = model.evaluate(x_test, y_test, verbose=0)
    print("Test loss:", score[0])
    print("Test accuracy:", score[1])
    return score[1]


if __name__ == "__main__":
    main(*sys.argv[1:2])
