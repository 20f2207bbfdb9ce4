"""How long one small prediction takes: a 784-128-10 MLP at batch 1, by each way to call it."""

from __future__ import annotations

import argparse

import numpy as np
from measuring import median_seconds, save

import nkeras


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", default="numba_cpu")
    parser.add_argument("--calls", type=int, default=2000)
    options = parser.parse_args()
    nkeras.set_backend(options.backend)
    nkeras.utils.set_random_seed(0)
    model = nkeras.Sequential(
        [
            nkeras.Input((784,)),
            nkeras.layers.Dense(128, activation="relu"),
            nkeras.layers.Dense(10, activation="softmax"),
        ]
    )
    x = np.random.default_rng(0).random((1, 784), dtype=np.float32)
    tensor = nkeras.ops.convert_to_tensor(x)
    kernel, bias, second_kernel, second_bias = model.get_weights()

    def by_hand() -> np.ndarray:
        hidden = np.maximum(x @ kernel + bias, 0)
        logits = hidden @ second_kernel + second_bias
        exponentials = np.exp(logits - logits.max(-1, keepdims=True))
        return exponentials / exponentials.sum(-1, keepdims=True)

    np.testing.assert_allclose(model.predict(x, verbose=0), by_hand(), rtol=1e-4, atol=1e-6)
    ways = {
        "model.predict": lambda: model.predict(x, verbose=0),
        "model.predict_on_batch": lambda: model.predict_on_batch(x),
        "model(x)": lambda: model(tensor).numpy(),
        "NumPy by hand": by_hand,
    }
    microseconds = {
        f"{way}, us": 1e6 * median_seconds(function, options.calls)
        for way, function in ways.items()
    }
    save("predict_latency", {"backend": options.backend, "calls": options.calls, **microseconds})


if __name__ == "__main__":
    main()
