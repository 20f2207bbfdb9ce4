"""Losses by name: get, serialize and deserialize."""

from __future__ import annotations

from typing import Any

from nkeras.core.families import Family, classes_in
from nkeras.losses import (
    crossentropy,
    divergence,
    embeddings,
    margin,
    overlap,
    regression,
    sequences,
    sparse_crossentropy,
)
from nkeras.losses.loss import Loss, NamedLoss
from nkeras.losses.named import FUNCTIONS

_MODULES = (
    *(crossentropy, divergence, embeddings, margin),
    *(overlap, regression, sequences, sparse_crossentropy),
)
_CLASSES = classes_in(_MODULES, NamedLoss)
_SHORT = {
    "bce": crossentropy.binary_crossentropy,
    "kld": divergence.kl_divergence,
    "mae": regression.mean_absolute_error,
    "mape": regression.mean_absolute_percentage_error,
    "mse": regression.mean_squared_error,
    "msle": regression.mean_squared_logarithmic_error,
}
FUNCTIONS.update(_SHORT)
TABLE: dict[str, Any] = {
    **_CLASSES,
    **{cls.function.__name__: cls.function for cls in _CLASSES.values()},
    **_SHORT,
    **{name.upper(): function for name, function in _SHORT.items()},
    "logcosh": regression.log_cosh,
    "kullback_leibler_divergence": divergence.kl_divergence,
}

_family = Family("loss", TABLE, Loss)
get = _family.get
serialize = _family.serialize
deserialize = _family.deserialize
