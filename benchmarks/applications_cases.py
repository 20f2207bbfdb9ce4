"""What `applications.py` times in each framework; run by `nkeras/cli/peer_worker.py`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np


def model_of(case: dict[str, Any]) -> Any:
    """The model of nkeras, with the same weights in each process."""
    import nkeras

    nkeras.utils.set_random_seed(0)
    side = case["side"]
    build = getattr(nkeras.applications, case["model"])
    return build(weights=None, input_shape=(side, side, 3))


def make(framework: str, case: dict[str, Any]) -> Callable[[], object] | None:
    """The function to time."""
    batch, side = case["batch"], case["side"]
    x = np.random.default_rng(0).uniform(0, 1, (batch, side, side, 3)).astype("float32")
    if framework == "nkeras":
        model = model_of(case)
        for _ in range(3):  # the plan is made in the third call
            model.predict(x, batch_size=batch, verbose=0)
        return lambda: model.predict(x, batch_size=batch, verbose=0)
    if framework != "onnxruntime":
        return None
    import onnxruntime

    chosen = onnxruntime.SessionOptions()
    chosen.intra_op_num_threads = int(os.environ["OMP_NUM_THREADS"])
    session = onnxruntime.InferenceSession(case["path"], chosen, ["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: x})[0]
