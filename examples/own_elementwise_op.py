"""An operation of one's own: one scalar function gives broadcasting, gradient and all backends."""

import numpy as np
from numpy import tanh

import nkeras as keras


@keras.elementwise
def soft_clip(x, limit):
    """Limit x smoothly to the interval from -limit to limit."""
    return limit * tanh(x / limit)


def show_gradient():
    """The gradient is derived from the function's body: here `1 - tanh(x / limit)**2`."""
    x = keras.ops.linspace(-4.0, 4.0, 5)
    with keras.GradientTape() as tape:
        tape.watch(x)
        y = soft_clip(x, 2.0)
    gradient = tape.gradient(y, x)
    for row in zip(x.numpy(), y.numpy(), gradient.numpy(), strict=True):
        print("x = {:5.2f}   soft_clip = {:5.2f}   gradient = {:5.2f}".format(*row))
    return gradient


def train_with_it():
    """It is an operation like any other: here it is the activation of a layer, on each backend."""
    x = np.linspace(-3, 3, 256, dtype="float32")[:, None]
    y = np.sin(x)
    losses = {}
    for backend in ("numpy", "cpu"):
        with keras.use_backend(backend):
            keras.utils.set_random_seed(3)
            model = keras.Sequential(
                [
                    keras.Input((1,)),
                    keras.layers.Dense(16, activation=lambda x: soft_clip(x, 1.5)),
                    keras.layers.Dense(1),
                ]
            )
            model.compile(optimizer=keras.optimizers.Adam(0.03), loss="mse")
            history = model.fit(x, y, batch_size=32, epochs=15, verbose=0)
        losses[backend] = history.history["loss"][-1]
        print(f"{backend}: loss {losses[backend]:.5f}")
    return losses


if __name__ == "__main__":
    show_gradient()
    train_with_it()
