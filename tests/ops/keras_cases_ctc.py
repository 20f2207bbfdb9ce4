"""Expressions for CTC, evaluated by nkeras and by Keras."""

from __future__ import annotations

import numpy as np

from tests.ops.keras_cases import INPUTS, add

_random = np.random.default_rng(23)
INPUTS.update(
    heard=_random.normal(size=(4, 7, 5)).astype("float32"),
    said=np.array([[1, 2, 3], [4, 4, 1], [2, 0, 0], [3, 1, 0]], "int32"),
    said_lengths=np.array([3, 3, 1, 2], "int32"),
    heard_lengths=np.array([7, 6, 4, 5], "int32"),
    long_heard=(3.0 * _random.normal(size=(2, 60, 11))).astype("float32"),
    long_said=_random.integers(0, 10, (2, 20)).astype("int32"),
)
add(
    "ctc_loss",
    "{}(said, heard, said_lengths, heard_lengths)",
    "{}(said, heard, said_lengths, np.array([7, 7, 7, 7]), mask_index=0)",
    "{}(said - 1, heard, np.array([1, 1, 1, 1]), heard_lengths, mask_index=4)",
    "{}(long_said, long_heard, np.array([20, 7]), np.array([60, 33]), mask_index=10)",
    "{}(said, heard.astype('float16'), said_lengths, heard_lengths)",
)
add(
    "ctc_decode",
    "{}(heard, heard_lengths)",
    "{}(heard, heard_lengths, merge_repeated=False)",
    "{}(long_heard, np.array([60, 33]), 'greedy', mask_index=10)",
    "{}(heard, heard_lengths, 'beam_search')",
    "{}(heard, heard_lengths, strategy='beam_search', beam_width=4, top_paths=3, mask_index=2)",
    "{}(long_heard, np.array([60, 33]), 'beam_search', beam_width=16, top_paths=4)",
)
