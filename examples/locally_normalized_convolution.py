"""A convolution that normalizes each patch first, which nobody ships: its kernel is plain loops."""

import math

import nkeras as keras
from nkeras import layers

SIZE = 3


def _shape(x):
    return x.shape[0], x.shape[1] - 2, x.shape[2] - 2, 9 * x.shape[3]


@keras.kernel(shape=_shape, parallel="n h")
def normalized_patches(n, h, x, y):
    """`y[n, h, w]` is the patch of 3 x 3 pixels there, with mean 0 and deviation 1."""
    for w in range(y.shape[2]):
        mean, scale = _moments(x, n, h, w)
        for p in range(y.shape[3]):
            y[n, h, w, p] = (_pixel(x, n, h, w, p) - mean) * scale


def _pixel(x, n, h, w, p):
    channels = x.shape[3]
    return x[n, h + p // (SIZE * channels), w + p // channels % SIZE, p % channels]


def _moments(x, n, h, w):
    count = SIZE * SIZE * x.shape[3]
    mean, variance = 0.0, 0.001
    for p in range(count):
        mean += _pixel(x, n, h, w, p) / count
    for p in range(count):
        variance += (_pixel(x, n, h, w, p) - mean) ** 2 / count
    return mean, 1.0 / math.sqrt(variance)


@normalized_patches.vjp(parallel="n")
def _(n, x, y, grad_y, grad_x):
    count, channels = y.shape[3], x.shape[3]
    for h in range(y.shape[1]):
        for w in range(y.shape[2]):
            _, scale = _moments(x, n, h, w)
            along_ones, along_values = 0.0, 0.0
            for p in range(count):
                along_ones += grad_y[n, h, w, p] / count
                along_values += grad_y[n, h, w, p] * y[n, h, w, p] / count
            for p in range(count):
                grad = grad_y[n, h, w, p] - along_ones - y[n, h, w, p] * along_values
                i, j = p // (SIZE * channels), p // channels % SIZE
                grad_x[n, h + i, w + j, p % channels] += grad * scale


def normalized_conv(filters):
    """Filters that do not see how bright a patch is, or how much contrast it has."""
    patches = layers.Lambda(normalized_patches, name="normalized_patches")
    return [patches, layers.Dense(filters, use_bias=False)]


def train(first):
    """Accuracy on digits, and on the same ones brighter and with less contrast."""
    (x, y), (x_test, y_test) = keras.datasets.digits.load_data()
    x, x_test = x[..., None] / 16.0, x_test[..., None] / 16.0
    keras.utils.set_random_seed(1)
    head = [layers.ReLU(), layers.Flatten(), layers.Dense(10, activation="softmax")]
    model = keras.Sequential([keras.Input(x.shape[1:]), *first, *head])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=8, verbose=0)
    return [model.evaluate(z, y_test, verbose=0)[1] for z in (x_test, 0.3 * x_test + 2.0)]


if __name__ == "__main__":
    normalized_patches.check(keras.random.normal((2, 4, 4, 2)))
    for name, first in (("normalized", normalized_conv(16)), ("plain", [layers.Conv2D(16, 3)])):
        seen, changed = train(first)
        print(f"{name}: accuracy {seen:.3f}, in other light {changed:.3f}")
