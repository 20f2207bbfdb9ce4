"""A GRU forecasts a day of a series that has days, weeks, a trend and noise."""

import numpy as np

import nkeras as keras
from nkeras import layers

DAY, WINDOW = 24, 72


def series(days, seed=0):
    """Hourly values, such as the load of a power grid."""
    hours = np.arange(days * DAY)
    turn = 2.0 * np.pi * hours / DAY
    daily = np.sin(turn) * (1.0 + 0.3 * np.sin(turn / 7))
    weekend = np.where(hours // DAY % 7 >= 5, -0.8, 0.0)
    noise = np.random.default_rng(seed).normal(0.0, 0.1, len(hours))
    return (daily + weekend + 0.001 * hours / DAY + noise).astype("float32")


def windows(values):
    """What is known, with the day of the week, and the day that follows."""
    starts = np.arange(0, len(values) - WINDOW - DAY, 3)
    x = values[starts[:, None] + np.arange(WINDOW)]
    week = 2.0 * np.pi * (starts[:, None] + np.arange(WINDOW)) / (7 * DAY)
    features = np.stack([x, np.sin(week), np.cos(week)], axis=-1)
    return features.astype("float32"), values[starts[:, None] + WINDOW + np.arange(DAY)]


def main(epochs=15, days=300):
    """Train, and return the mean absolute errors of the net and of "as yesterday"."""
    keras.utils.set_random_seed(6)
    x, y = windows(series(days))
    split, gap = int(0.8 * len(x)), (WINDOW + DAY) // 3  # the test shares no hour
    x, x_test, y, y_test = x[:split], x[split + gap :], y[:split], y[split + gap :]
    model = keras.Sequential(
        [keras.Input(x.shape[1:]), layers.GRU(32), layers.Dense(DAY)],
    )
    model.compile(keras.optimizers.Adam(0.005), "mse", metrics=["mae"])
    model.fit(x, y, batch_size=64, epochs=epochs, verbose=2)
    error = model.evaluate(x_test, y_test, verbose=0)[1]
    yesterday = float(np.abs(x_test[:, -DAY:, 0] - y_test).mean())
    print(f"mean absolute error {error:.3f}; as yesterday {yesterday:.3f}")
    return error, yesterday


if __name__ == "__main__":
    main()
