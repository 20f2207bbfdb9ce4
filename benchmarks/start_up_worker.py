"""The process that start_up.py starts: does one thing, says "done" and ends.

    python start_up_worker.py FRAMEWORK train|predict|import

Nothing is loaded that the framework does not load itself.
"""

from __future__ import annotations

import os
import sys
from typing import Any

BATCH = 128


def with_keras(framework: str, do: str) -> None:
    """nkeras, or Keras with one of its backends."""
    if framework == "nkeras":
        import nkeras as keras
    else:
        os.environ["KERAS_BACKEND"] = framework.removeprefix("keras-")
        import keras  # type: ignore[no-redef]
    if do == "import":
        _ = keras.layers.Dense
        return
    import peer_models

    model = peer_models.keras_model(keras, "convnet", set_weights=False)
    samples = BATCH if do == "train" else 1
    x, y = peer_models.data("convnet", samples)
    if do == "predict":
        model.predict(x, verbose=0)
        return
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.train_on_batch(x, y)


def with_torch(do: str) -> None:
    """A plain loop."""
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    if do == "import":
        _ = torch.nn.Linear
        return
    import peer_torch

    if do == "predict":
        peer_torch.prediction("convnet", 1, 1)()
    else:
        peer_torch.training("convnet", BATCH, BATCH)()


def main(arguments: list[str]) -> None:
    framework, do = arguments
    answers: Any = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if framework == "torch":
        with_torch(do)
    else:
        with_keras(framework, do)
    print("done", file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
