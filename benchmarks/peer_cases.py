"""What is timed of whole models in each framework; run by `nkeras/cli/peer_worker.py`.

A case names a model of `peer_models` and what to `do`:

    fit         one call for one epoch of `samples` in batches of `batch`
    train step  one batch
    predict     probabilities of `samples` in batches of `batch`, by Keras' `predict`
    call        the same of one batch, by calling the model
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import peer_models


def make(framework: str, case: dict[str, Any]) -> Callable[[], object] | None:
    """The function to time, or None where the framework cannot do that."""
    name, do, batch = case["model"], case["do"], case["batch"]
    samples = case.get("samples", batch)
    training = do in ("fit", "train step")
    if framework == "onnxruntime":
        return (
            None
            if training or name == "local"
            else import_module("peer_onnx").predict(name, samples, batch)
        )
    if framework == "torch":
        ways = import_module("peer_torch")
        return ways.fastest(ways.training if training else ways.prediction, name, samples, batch)
    keras = peer_models.keras_of(framework)
    model = peer_models.keras_model(keras, name)
    x, y = peer_models.data(name, samples)
    if do == "call":
        return lambda: np.asarray(model(x))
    if do == "predict":
        return lambda: model.predict(x, batch_size=batch, verbose=0)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    if do == "train step":
        return lambda: _nothing(model.train_on_batch(x, y))
    return lambda: _nothing(model.fit(x, y, batch_size=batch, verbose=0))


def _nothing(result: object) -> None:
    """Losses with dropout and shuffled data are not to be compared."""
