"""Losses by name: get, serialize and deserialize."""

from __future__ import annotations

from typing import Any

from nkeras.core.serialization import Family
from nkeras.losses import crossentropy, divergence, margin, overlap, regression, sparse_crossentropy
from nkeras.losses.loss import Loss

_CLASSES = (
    crossentropy.BinaryCrossentropy,
    crossentropy.BinaryFocalCrossentropy,
    crossentropy.CategoricalCrossentropy,
    crossentropy.CategoricalFocalCrossentropy,
    sparse_crossentropy.CategoricalGeneralizedCrossEntropy,
    sparse_crossentropy.SparseCategoricalCrossentropy,
    divergence.KLDivergence,
    divergence.Poisson,
    margin.CategoricalHinge,
    margin.Hinge,
    margin.SquaredHinge,
    overlap.Dice,
    overlap.Tversky,
    regression.CosineSimilarity,
    regression.Huber,
    regression.LogCosh,
    regression.MeanAbsoluteError,
    regression.MeanAbsolutePercentageError,
    regression.MeanSquaredError,
    regression.MeanSquaredLogarithmicError,
)
FUNCTIONS = (
    crossentropy.binary_crossentropy,
    crossentropy.binary_focal_crossentropy,
    crossentropy.categorical_crossentropy,
    crossentropy.categorical_focal_crossentropy,
    sparse_crossentropy.categorical_generalized_cross_entropy,
    sparse_crossentropy.sparse_categorical_crossentropy,
    divergence.kl_divergence,
    divergence.poisson,
    margin.categorical_hinge,
    margin.hinge,
    margin.squared_hinge,
    overlap.dice,
    overlap.tversky,
    regression.cosine_similarity,
    regression.huber,
    regression.log_cosh,
    regression.mean_absolute_error,
    regression.mean_absolute_percentage_error,
    regression.mean_squared_error,
    regression.mean_squared_logarithmic_error,
)
_SHORT = {
    "bce": crossentropy.binary_crossentropy,
    "kld": divergence.kl_divergence,
    "mae": regression.mean_absolute_error,
    "mape": regression.mean_absolute_percentage_error,
    "mse": regression.mean_squared_error,
    "msle": regression.mean_squared_logarithmic_error,
}
TABLE: dict[str, Any] = {
    **{thing.__name__: thing for thing in (*_CLASSES, *FUNCTIONS)},
    **_SHORT,
    **{name.upper(): function for name, function in _SHORT.items()},
    "logcosh": regression.log_cosh,
    "kullback_leibler_divergence": divergence.kl_divergence,
}

_family = Family("loss", TABLE, Loss)
get = _family.get
serialize = _family.serialize
deserialize = _family.deserialize
