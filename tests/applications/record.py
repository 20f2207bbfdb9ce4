"""Writes table.json and outputs.json anew from Keras 3.15, in some minutes:

KERAS_BACKEND=jax python tests/applications/record.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import keras
import numpy as np
from keras import StatelessScope
from keras.src.backend import random
from keras.src.utils import file_utils

from tests.applications.facts import SMALLEST, built, calls, facts, images, key, sample

FOLDER = Path(__file__).parent


def table() -> dict[str, Any]:
    found = {}
    files: list[Any] = []
    file_utils.get_file = lambda name, url, file_hash=None, **_: files.append(
        (name, url, file_hash)
    )
    keras.Model.load_weights = lambda model, path: None
    for name, arguments in calls():
        keras.utils.clear_session()
        files.clear()
        with StatelessScope(initialize_variables=False):  # no weights are made
            model = getattr(keras.applications, name)(**arguments)
        found[key(name, arguments)] = {"files": list(files), **facts(model)}
    return found


def outputs() -> dict[str, Any]:
    # First values are overwritten: JAX would compile a program for each shape of them.
    random.uniform = random.truncated_normal = random.normal = _zeros
    found = {}
    for name in SMALLEST:
        keras.utils.clear_session()
        found[name] = sample(np.asarray(built(keras.applications, name)(images(name))))
    return found


def _zeros(shape: Any, *args: Any, dtype: Any = None, **kwargs: Any) -> Any:
    return np.zeros(shape, dtype or "float32")


def main() -> None:
    for file, found in (("table.json", table()), ("outputs.json", outputs())):
        lines = [f"{json.dumps(call)}: {json.dumps(values)}" for call, values in found.items()]
        (FOLDER / file).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
