"""The process whose first training step is timed: `first_step MODEL BATCH`."""

from __future__ import annotations

import sys

import nkeras
from benchmarks import peer_models


def main() -> None:
    """Build, compile, one step."""
    name, batch = sys.argv[1], int(sys.argv[2])
    nkeras.set_backend("cuda")
    model = peer_models.keras_model(nkeras, name, set_weights=False)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.train_on_batch(*peer_models.data(name, batch))


if __name__ == "__main__":
    main()
