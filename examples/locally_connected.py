"""Locally connected layers beat convolutions where every image is aligned in the same way.

Both nets have the same layers, windows and filters; one has weights of its own at each place.
"""

import nkeras as keras
from nkeras import layers


def net(layer):
    """Two layers of 3 x 3 windows, and the scores of ten digits."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layer(4, 3, activation="relu"),
            layer(4, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )


def main(epochs=30):
    """Train both, and return their test accuracies."""
    (x, y), (x_test, y_test) = keras.datasets.digits.load_data()
    x, x_test = x[..., None] / 16.0, x_test[..., None] / 16.0
    accuracies = []
    for layer in (layers.LocallyConnected2D, layers.Conv2D):
        keras.utils.set_random_seed(1)
        model = net(layer)
        model.compile(
            keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy", metrics=["accuracy"]
        )
        model.fit(x, y, epochs=epochs, verbose=0)
        accuracies.append(model.evaluate(x_test, y_test, verbose=0)[1])
        print(f"{layer.__name__}: {model.count_params()} weights, accuracy {accuracies[-1]:.3f}")
    return accuracies


if __name__ == "__main__":
    main()
