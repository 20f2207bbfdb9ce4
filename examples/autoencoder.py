"""A convolutional autoencoder that takes the noise out of digits."""

import numpy as np

import nkeras as keras
from nkeras import layers


def autoencoder():
    """Squeezes images of 8 x 8 pixels through 4 x 4 places, and widens them again."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="code"),
            layers.Conv2DTranspose(32, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
        ]
    )


def with_noise(x, seed):
    """The images with normal noise of deviation 0.3."""
    noise = np.random.default_rng(seed).normal(0.0, 0.3, x.shape)
    return np.clip(x + noise, 0.0, 1.0).astype("float32")


def picture(*images):
    """Images side by side, as text."""
    shades = np.array(list(" .:-=+*#%@"))
    rows = np.concatenate([image[..., 0] for image in images], axis=1)
    return "\n".join("".join(line) for line in shades[(rows * 9).round().astype(int)].repeat(2, 1))


def main(epochs=20):
    """Train, show three digits, and return the errors of noisy and of cleaned images."""
    keras.utils.set_random_seed(2)
    (x, _), (x_test, _) = keras.datasets.digits.load_data()
    x, x_test = (images[..., None].astype("float32") / 16 for images in (x, x_test))
    noisy = with_noise(x_test, 1)
    model = autoencoder()
    model.compile("adam", "mse")
    for epoch in range(epochs):  # other noise in each epoch
        model.fit(with_noise(x, 100 + epoch), x, batch_size=32, verbose=0)
    cleaned = model.predict(noisy, verbose=0)
    before, after = (float(np.mean((images - x_test) ** 2)) for images in (noisy, cleaned))
    for i in range(3):
        print(picture(x_test[i], noisy[i], cleaned[i]))
    print(f"squared error with noise {before:.4f}, cleaned {after:.4f}")
    return before, after


if __name__ == "__main__":
    main()
