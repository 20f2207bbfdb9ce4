"""Optimizers, as `keras.optimizers`."""

from nkeras.optimizers import schedules
from nkeras.optimizers.adam import Adam, AdamW
from nkeras.optimizers.identifiers import deserialize, get, serialize
from nkeras.optimizers.optimizer import Optimizer
from nkeras.optimizers.rmsprop import RMSprop
from nkeras.optimizers.sgd import SGD

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Optimizer",
    "RMSprop",
    "deserialize",
    "get",
    "schedules",
    "serialize",
]
