"""Padding of sequences, as `keras.preprocessing.sequence`."""

from nkeras.core import missing
from nkeras.utils.sequences import pad_sequences

__all__ = ["pad_sequences"]

missing.explain(__name__)
