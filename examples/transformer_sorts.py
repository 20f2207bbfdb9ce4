"""A small transformer learns to sort ten digits: from examples, in half a minute."""

import numpy as np

import nkeras as keras
from nkeras import layers, ops

LENGTH, WIDTH = 10, 32


class Positions(layers.Layer):
    """Adds a learned vector for each place in a sequence."""

    def build(self, input_shape):
        """One vector for each place."""
        self.vectors = self.add_weight(input_shape[1:], initializer="uniform", name="vectors")

    def call(self, inputs):
        """`(batch, length, width)` to the same."""
        return inputs + self.vectors


def block(x):
    """Attention and two dense layers, each added to what went in and normalized."""
    attention = layers.MultiHeadAttention(num_heads=4, key_dim=WIDTH // 4)
    x = layers.LayerNormalization()(x + attention(x, x))
    wide = layers.Dense(2 * WIDTH, activation="relu")(x)
    return layers.LayerNormalization()(x + layers.Dense(WIDTH)(wide))


def sorter():
    """Digits to the scores of the digit at each place of the sorted sequence."""
    inputs = keras.Input((LENGTH,), dtype="int32")
    x = Positions()(layers.Embedding(10, WIDTH)(inputs))
    x = block(block(x))
    return keras.Model(inputs, layers.Dense(10)(x))


def main(epochs=12, count=8000):
    """Train, sort a new sequence, and return the share of places that are right."""
    keras.utils.set_random_seed(5)
    x = np.random.default_rng(1).integers(0, 10, (count + 1000, LENGTH), "int32")
    y = np.sort(x)
    model = sorter()
    model.compile(
        keras.optimizers.Adam(0.003),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["sparse_categorical_accuracy"],
    )
    model.fit(x[:count], y[:count], batch_size=64, epochs=epochs, verbose=2)
    accuracy = model.evaluate(x[count:], y[count:], verbose=0)[1]
    found = ops.argmax(model(x[-1:]), axis=-1).numpy()[0]
    print(f"{x[-1]} sorted: {found}; places that are right: {accuracy:.3f}")
    return accuracy


if __name__ == "__main__":
    main()
