"""Sequences of different lengths as one array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nkeras.core.errors import refuse, short


def pad_sequences(
    sequences: Sequence[Any],
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: float | str = 0.0,
) -> np.ndarray:
    """An array with a sequence in each row, cut or filled up to one length.

    Args:
        sequences: list of sequences: lists of numbers, or arrays `(steps, ...)`.
        maxlen: the length; that of the longest sequence for None.
        dtype: dtype of the array; `object` for text.
        padding: `"pre"` or `"post"`: where short sequences are filled up.
        truncating: `"pre"` or `"post"`: where long sequences are cut.
        value: what they are filled up with.

    Returns:
        NumPy array `(sequences, maxlen, ...)`.

    Raises:
        ValueError: an argument is none of those, or the sequences do not fit.

    Example:
        >>> pad_sequences([[1], [2, 3], [4, 5, 6]], maxlen=2)
        array([[0, 1],
               [2, 3],
               [5, 6]], dtype=int32)

    Source: https://keras.io/api/utils/preprocessing_utils/
    """
    if not hasattr(sequences, "__len__"):
        refuse("sequences", sequences, "a list of sequences", "pad_sequences")
    for name, given in (("padding", padding), ("truncating", truncating)):
        if given not in ("pre", "post"):
            refuse(name, given, '"pre" or "post"', "pad_sequences")
    for sequence in sequences:
        if not hasattr(sequence, "__len__"):
            raise ValueError(
                "pad_sequences: argument `sequences` must be a list of sequences. Received in it: "
                f"{short(sequence)}"
            )
    if isinstance(value, str) and not np.issubdtype(dtype, np.character) and dtype is not object:
        raise ValueError(
            f"pad_sequences: a `value` of text needs dtype=object. Received: dtype={short(dtype)}"
        )
    longest = max((len(sequence) for sequence in sequences), default=0)
    maxlen = longest if maxlen is None else maxlen
    shape = next((np.shape(sequence)[1:] for sequence in sequences if len(sequence)), ())
    padded = np.full((len(sequences), maxlen, *shape), value, dtype=dtype)
    for place, sequence in enumerate(sequences):
        kept = sequence[max(len(sequence) - maxlen, 0) :] if truncating == "pre" else sequence
        part = np.asarray(kept[:maxlen], dtype=dtype)
        if not len(part):
            continue
        if part.shape[1:] != shape:
            raise ValueError(
                f"pad_sequences: all steps must have the same shape. The first have {shape}, those "
                f"of the sequence at position {place} have {part.shape[1:]}."
            )
        if padding == "pre":
            padded[place, maxlen - len(part) :] = part
        else:
            padded[place, : len(part)] = part
    return padded
