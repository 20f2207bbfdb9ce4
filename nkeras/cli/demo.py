"""`python -m nkeras demo`: a small convolutional network learns to read handwritten digits."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nkeras.cli.words import positive

if TYPE_CHECKING:
    import nkeras as keras

DESCRIPTION = "train a small CNN on real handwritten digits and draw the result"

_EPOCHS = 15
_BATCH = 32
_SHOWN = 24  # images in the page of the model
# The simulator of the GPU runs each thread of a kernel as a Python thread.
_SIMULATED = {"images": 32, "epochs": 1}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Backend, epochs, seed and the picture's file."""
    parser.add_argument(
        "--backend",
        help="numpy, cpu, cuda or the name of a plugin; cpu unless NKERAS_BACKEND is set",
    )
    parser.add_argument("--epochs", type=positive, help=f"number of epochs, {_EPOCHS} by default")
    parser.add_argument("--seed", type=_seed, default=0, help="random seed, 0 by default")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("nkeras-demo.svg"),
        help="the picture to write, nkeras-demo.svg by default",
    )


def _seed(text: str) -> int:
    number = int(text)
    if not 0 <= number < 2**32:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 2**32 - 1")
    return number


def run(options: argparse.Namespace) -> int:
    """Train, evaluate, draw."""
    import nkeras as keras
    from nkeras.backend import registry
    from nkeras.core.errors import BackendError
    from nkeras.inspect.training_picture import training_picture

    started = time.perf_counter()
    try:
        if options.backend:
            keras.set_backend(options.backend)
        backend = registry.active()
    except (ValueError, BackendError) as error:
        print(f"nkeras demo: {error}", file=sys.stderr)
        return 1
    keras.utils.set_random_seed(options.seed)
    (x_train, y_train), (x_test, y_test) = keras.datasets.digits.load_data()
    epochs, batch = options.epochs or _EPOCHS, _BATCH
    simulated = "simulator" in backend.device
    if simulated:
        images = _SIMULATED["images"]
        epochs, batch = options.epochs or _SIMULATED["epochs"], images // 2
        x_train, y_train = x_train[:images], y_train[:images]
        x_test, y_test = x_test[: images // 4], y_test[: images // 4]
        print(f"The simulator is slow: only {images} images and {epochs} epoch(s).")
    x_train = np.expand_dims(x_train.astype("float32") / 16, -1)
    x_test = np.expand_dims(x_test.astype("float32") / 16, -1)
    print(
        f"{len(x_train)} images to learn from, {len(x_test)} to be tested on, "
        f"backend {backend.name} ({backend.device})"
    )

    model = digits_convnet(small=simulated)
    model.summary()
    model.compile(
        loss="sparse_categorical_crossentropy",
        optimizer=keras.optimizers.Adam(learning_rate=0.003),
        metrics=["accuracy"],
    )
    history = model.fit(x_train, y_train, batch_size=batch, epochs=epochs, validation_split=0.1)
    loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
    predictions = model.predict(x_test, verbose=0).argmax(axis=-1)

    title = f"{len(x_test)} handwritten digits, read by nkeras on {backend.name}"
    path = training_picture(options.output, x_test, y_test, predictions, history.history, title)
    print(f"Test loss: {loss:.4f}")
    print(f"Test accuracy: {accuracy:.4f}")
    print(f"Picture: {os.path.relpath(path)} (open it in a browser)")
    if not simulated:
        page = path.with_name(f"{path.stem}-model.html")
        labels = [str(digit) for digit in range(10)]
        keras.visualise(model, x_test[:_SHOWN], page, labels, y_test[:_SHOWN])
        print(f"The model at work: {os.path.relpath(page)} (draw a digit in it)")
    print(f"Time: {time.perf_counter() - started:.1f} s")
    return 0


def digits_convnet(small: bool = False) -> keras.Model:
    """The model: keras.io's Simple MNIST convnet, cut to images of 8x8 pixels.

    Args:
        small: few filters, for the simulator.
    """
    import nkeras as keras
    from nkeras import layers

    first, second = (2, 2) if small else (16, 32)
    return keras.Sequential(
        [
            keras.Input(shape=(8, 8, 1)),
            layers.Conv2D(first, kernel_size=(3, 3), padding="same", activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Conv2D(second, kernel_size=(3, 3), padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(10, activation="softmax"),
        ],
        name="digits_convnet",
    )
