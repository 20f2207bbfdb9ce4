"""A generative adversarial network whose two parts are frozen and thawed in turn.

The generator learns to throw points onto a ring, from a discriminator that learns to tell them
from true ones. Freezing is done by `trainable`, as in Keras.
"""

import numpy as np

import nkeras as keras
from nkeras import layers

CODE = 8


def mlp(inputs, outputs, activation=None):
    """Two hidden layers."""
    hidden = [layers.Dense(64), layers.LeakyReLU(0.2), layers.Dense(64), layers.LeakyReLU(0.2)]
    return keras.Sequential(
        [keras.Input((inputs,)), *hidden, layers.Dense(outputs, activation=activation)]
    )


def ring(random, count):
    """True points: at a distance of about 1 from the origin."""
    angle, distance = random.uniform(0.0, 2.0 * np.pi, count), random.normal(1.0, 0.05, count)
    return np.stack([distance * np.cos(angle), distance * np.sin(angle)], -1).astype("float32")


def codes(random, count):
    """What the generator starts from."""
    return random.normal(size=(count, CODE)).astype("float32")


def main(steps=1500, batch=128):
    """Train, and return mean and deviation of the distances, and the share of each quarter."""
    keras.utils.set_random_seed(3)
    random = np.random.default_rng(3)
    generator, discriminator = mlp(CODE, 2), mlp(2, 1, "sigmoid")
    discriminator.compile(keras.optimizers.Adam(1e-3, beta_1=0.5), "binary_crossentropy")
    discriminator.trainable = False  # in the model below it only passes gradients on
    both = keras.Sequential([keras.Input((CODE,)), generator, discriminator])
    both.compile(keras.optimizers.Adam(1e-3, beta_1=0.5), "binary_crossentropy")

    labels = np.concatenate([np.ones((batch, 1)), np.zeros((batch, 1))]).astype("float32")
    for step in range(steps):
        made = generator.predict_on_batch(codes(random, batch))
        points = np.concatenate([ring(random, batch), made])
        discriminator.trainable = True
        telling = discriminator.train_on_batch(points, labels)
        discriminator.trainable = False
        fooling = both.train_on_batch(codes(random, batch), labels[:batch])
        if step % 300 == 0:
            print(f"step {step}: losses {float(telling):.3f}, {float(fooling):.3f}")

    points = generator.predict(codes(random, 2000), verbose=0)
    distances = np.linalg.norm(points, axis=-1)
    quarters = np.bincount((points[:, 0] > 0) + 2 * (points[:, 1] > 0), minlength=4) / len(points)
    print(f"distance {distances.mean():.3f} +- {distances.std():.3f}, quarters {quarters}")
    return float(distances.mean()), float(distances.std()), float(quarters.min())


if __name__ == "__main__":
    main()
