"""The process that memory.py starts: trains for one epoch and prints its peak memory in bytes.

python memory_worker.py FRAMEWORK MODEL SAMPLES BATCH
"""

from __future__ import annotations

import os
import resource
import sys


def main(arguments: list[str]) -> None:
    framework, name = arguments[:2]
    samples, batch = map(int, arguments[2:])
    if framework == "torch":
        import peer_torch
        import torch

        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        peer_torch.training(name, samples, batch)()
    else:
        import peer_models

        keras = peer_models.keras_of(framework)
        model = peer_models.keras_model(keras, name)
        x, y = peer_models.data(name, samples)
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(x, y, batch_size=batch, verbose=0)
    # Linux counts in units of 1024 bytes, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


if __name__ == "__main__":
    main(sys.argv[1:])
