"""The worker's side of text.py: the same layer in each framework."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

TEXTS, WORDS, TERMS = 2000, 200, 20_000
OPTIONS: dict[str, dict[str, Any]] = {
    "sequences": {"output_sequence_length": WORDS},
    "count vectors": {"output_mode": "count", "max_tokens": 2000},
    "bigrams": {"ngrams": 2, "output_sequence_length": 2 * WORDS},
    "characters": {"split": "character", "output_sequence_length": 6 * WORDS},
    "adapt": {},
}


def words() -> list[str]:
    """Made-up words of 2 to 12 letters, each once."""
    random = np.random.default_rng(0)
    letters = np.array(list("etaoinshrdlucmfwypvbgkjqxz"))
    weights = 1.0 / np.arange(2, 28)
    found: dict[str, None] = {}
    while len(found) < 2 * TERMS:
        picked = random.choice(letters, random.integers(2, 13), p=weights / weights.sum())
        found["".join(picked)] = None
    return list(found)


def texts(known: list[str]) -> list[str]:
    """Texts whose words are as frequent as Zipf's law has them, with capitals and punctuation."""
    random = np.random.default_rng(1)
    places = np.minimum(random.zipf(1.3, (TEXTS, WORDS)) - 1, len(known) - 1)
    ends = np.array(["", "", "", "", "", "", ",", ",", ".", "!"])
    table = np.array(known, object)[places]
    table[:, ::9] = [[word.capitalize() for word in row] for row in table[:, ::9]]
    return [
        " ".join(row) for row in table + ends[random.integers(0, 10, places.shape)].astype(object)
    ]


def make(framework: str, case: dict[str, Any]) -> Callable[[], None]:
    """A call of the layer on a batch of texts, or of its `adapt`."""
    known, name = words(), case["case"]
    rows = texts(known)
    is_tensorflow = framework == "tensorflow"
    if is_tensorflow:
        os.environ["KERAS_BACKEND"] = "tensorflow"
        import keras
        import tensorflow as tf

        convert: Any = tf.constant
    else:
        import nkeras as keras

        convert = keras.ops.convert_to_tensor
    layer: Any
    if name in OPTIONS:
        options = dict(OPTIONS[name])
        if name == "characters":
            options["vocabulary"] = list("abcdefghijklmnopqrstuvwxyz ")
        elif name != "adapt":
            options["vocabulary"] = known[: options.get("max_tokens", TERMS + 2) - 2]
        layer = keras.layers.TextVectorization(**options)
    elif name == "lookup":
        layer = keras.layers.StringLookup(vocabulary=known[:TERMS])
    else:
        layer = keras.layers.Hashing(1 << 20, salt=None if name == "hashing" else [1, 2])
    split = [word for row in rows[: TEXTS // 4] for word in row.split()]
    called: Any = tf.function(lambda x: layer(x)) if is_tensorflow else layer
    if name not in OPTIONS:
        kinds = {"a list": None, "an array of objects": object, "an array of fixed width": str}
        kind = kinds[case["form"]]
        given = split if kind is None else np.array(split, kind)
        return lambda: called(convert(given))
    data = convert(rows)
    return lambda: (layer.adapt if name == "adapt" else called)(data)
