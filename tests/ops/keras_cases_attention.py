"""Expressions of attention, evaluated by nkeras and by Keras."""

from __future__ import annotations

import numpy as np

from tests.ops.keras_cases import INPUTS, add, floats

_random = np.random.default_rng(31)
_hides = _random.random((2, 1, 5, 6)) < 0.7
_hides[0, 0, 1] = False  # this row sees nothing
INPUTS.update(
    queries=floats(2, 5, 4, 3),
    keys=floats(2, 6, 4, 3),
    values=floats(2, 6, 4, 3),
    hides=_hides,
    padding=np.array([[True] * 6, [True] * 3 + [False] * 3]).reshape(2, 1, 1, 6),
    position=floats(1, 4, 5, 6),
)

add(
    "dot_product_attention",
    "{}(queries, keys, values, position, hides)",
    "{}(queries, keys, values)",
    "{}(queries, keys, values, scale=0.2, is_causal=True)",
    "{}(queries, keys, values, mask=padding)",
    "{}(queries, keys, values, mask=hides, is_causal=True)",
    "{}(queries, keys[:, :, ::2], values[:, :, ::2], is_causal=True)",
    "{}(queries, keys[:, :, :1], values[:, :, :1], bias=position)",
    "{}(queries[:, :1], keys, values)",
    "{}(queries.astype('float16'), keys.astype('float16'), values.astype('float16')).shape",
)
