"""Configurations in the format of Keras 2, as `keras.legacy.saving`."""

from nkeras.core import missing
from nkeras.utils.legacy import deserialize_keras_object, serialize_keras_object

__all__ = ["deserialize_keras_object", "serialize_keras_object"]

missing.explain(__name__)
