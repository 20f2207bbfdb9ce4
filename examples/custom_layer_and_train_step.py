"""A layer and a training step of one's own: `build`, `call`, `add_weight`, `GradientTape`.

The layer learns which directions of the plane matter; the model's `train_step` adds noise to its
inputs and follows its loss by itself.
"""

import numpy as np

import nkeras as keras
from nkeras import ops


class Quadratic(keras.Layer):
    """`sum of (x @ kernel)**2`, for each unit: `(batch, inputs)` to `(batch, units)`."""

    def __init__(self, units, rank=2, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.rank = rank

    def build(self, input_shape):
        """One kernel for each unit."""
        self.kernel = self.add_weight(
            shape=(input_shape[-1], self.units * self.rank), initializer="glorot_uniform"
        )
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros")

    def call(self, inputs):
        """The sums of squares."""
        projected = ops.reshape(ops.matmul(inputs, self.kernel), (-1, self.units, self.rank))
        return ops.sum(ops.square(projected), axis=-1) + self.bias


class NoisyClassifier(keras.Model):
    """Logits of two classes; trained on inputs with noise."""

    def __init__(self, noise, **kwargs):
        super().__init__(**kwargs)
        self.noise = noise
        self.seeds = keras.random.SeedGenerator(7)
        self.quadratic = Quadratic(4)
        self.classify = keras.layers.Dense(2)
        self.loss_tracker = keras.metrics.Mean(name="loss")

    def call(self, inputs):
        """Logits `(batch, 2)`."""
        return self.classify(self.quadratic(inputs))

    def train_step(self, data):
        """One step, written out."""
        x, y = data
        x = x + self.noise * keras.random.normal(ops.shape(x), seed=self.seeds)
        with keras.GradientTape() as tape:
            logits = self(x, training=True)
            loss = ops.mean(
                keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True)
            )
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        self.loss_tracker.update_state(loss)
        return {"loss": self.loss_tracker.result()}

    @property
    def metrics(self):
        """Reset at the start of each epoch."""
        return [self.loss_tracker]


def main(epochs=20):
    """Learn to tell the inside of a circle from its outside; return the accuracy."""
    keras.utils.set_random_seed(0)
    generator = np.random.default_rng(0)
    x = generator.normal(size=(1024, 2)).astype("float32")
    y = (np.sum(x**2, axis=-1) > 1.4).astype("int32")

    model = NoisyClassifier(noise=0.05)
    model.compile(optimizer=keras.optimizers.Adam(0.02))
    history = model.fit(x[:768], y[:768], batch_size=64, epochs=epochs, verbose=2)
    model.summary()
    predicted = model.predict(x[768:], verbose=0).argmax(axis=-1)
    accuracy = float(np.mean(predicted == y[768:]))
    print(f"Loss: {history.history['loss'][-1]:.4f}, accuracy: {accuracy:.4f}")
    return accuracy


if __name__ == "__main__":
    main()
