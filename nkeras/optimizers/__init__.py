"""Optimizers, as `keras.optimizers`."""

from nkeras.core import missing
from nkeras.optimizers import schedules
from nkeras.optimizers.adafactor import Adafactor
from nkeras.optimizers.adagrad import Adadelta, Adagrad
from nkeras.optimizers.adam import Adam, AdamW
from nkeras.optimizers.adamax import Adamax, Nadam
from nkeras.optimizers.ftrl import Ftrl
from nkeras.optimizers.identifiers import deserialize, get, serialize
from nkeras.optimizers.lion import Lamb, Lion
from nkeras.optimizers.loss_scale import LossScaleOptimizer
from nkeras.optimizers.optimizer import Optimizer
from nkeras.optimizers.rmsprop import RMSprop
from nkeras.optimizers.sgd import SGD

__all__ = [
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "LossScaleOptimizer",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "deserialize",
    "get",
    "schedules",
    "serialize",
]

missing.explain(__name__)
