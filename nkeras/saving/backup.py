"""One file with all that a training needs to go on: weights, optimizer, and its own state.

It is a file of weights, as `save_weights` writes it, with one group more.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nkeras.core.errors import short
from nkeras.core.files import replacing
from nkeras.core.typing import Config
from nkeras.optimizers import Optimizer
from nkeras.saving import hdf5, plain, weights
from nkeras.saving.tree import walk

_STATE = "training-state"  # with a hyphen, as no attribute of a model has


def save(model: Any, path: Path, state: Config) -> None:
    """Write a backup; the one of before stays until it is whole.

    Args:
        model: model.
        path: of the file.
        state: plain values and arrays.

    Raises:
        OSError: the file cannot be written; one of before is as it was.
        TypeError: the state holds something else.
    """
    with replacing(path, "w+b") as file, hdf5.Writer(file) as writer:
        weights.save(model, writer)
        plain.write(state, writer.weights_of(_STATE))


def load(model: Any, path: Path) -> Config:
    """Read a backup: all of its weights, or none.

    Args:
        model: model, which gets the weights.
        path: of the file.

    Returns:
        The state.

    Raises:
        ValueError: the file is damaged, or does not fit the model.
        OSError: it cannot be read.
    """
    with hdf5.Reader(path, path.name) as reader:
        state = plain.read(reader.weights_of(_STATE), path.name)
        if not isinstance(state, dict):
            raise ValueError(f"{path.name}: the state of the training is damaged: {short(state)}")
        for place, thing in walk(model):
            stored = len(reader.weights_of(place))
            if isinstance(thing, Optimizer) and len(thing.variables) != stored:
                raise ValueError(
                    f"{path.name}: the optimizer {short(thing.name)} has {len(thing.variables)} "
                    f"variables, {stored} of them are in the file. Call `compile` as before."
                )
        weights.load(model, reader)
    return state
