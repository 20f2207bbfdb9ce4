"""Losses by name: get, serialize and deserialize."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nkeras.core import serialization
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


def serialize(loss: Any) -> Any:
    """The configuration of a loss: a dict, or the name of a built-in function.

    Args:
        loss: `Loss` object or function.

    Returns:
        What `deserialize` takes.
    """
    return serialization.serialize_keras_object(loss)


def deserialize(name: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The loss that a configuration describes.

    Args:
        name: name or configuration dict.
        custom_objects: further classes and functions by name.

    Returns:
        `Loss` object or function.

    Raises:
        ValueError, TypeError: it names nothing known.
    """
    known = {**TABLE, **(custom_objects or {})}
    if isinstance(name, str):
        return serialization.resolve(name, known, "loss", Loss)
    return serialization.deserialize_keras_object(name, known)


def get(identifier: Any) -> Any:
    """A loss by name, configuration, class or object.

    Args:
        identifier: None, a name such as `"mse"` or `"CategoricalCrossentropy"`, a configuration
            dict, a class, or a loss already.

    Returns:
        A callable `(y_true, y_pred)`, or None for None.

    Raises:
        ValueError: it names no loss.

    Example:
        >>> import nkeras
        >>> nkeras.losses.get("mse").__name__
        'mean_squared_error'
    """
    if identifier is None:
        return None
    if isinstance(identifier, dict):
        identifier = deserialize(identifier)
    return serialization.resolve(identifier, TABLE, "loss", Loss)
