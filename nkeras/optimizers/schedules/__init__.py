"""Learning rates that change with the number of steps, as `keras.optimizers.schedules`."""

from nkeras.core import missing
from nkeras.optimizers.schedules.base import LearningRateSchedule, deserialize, serialize
from nkeras.optimizers.schedules.cosine import CosineDecay, CosineDecayRestarts
from nkeras.optimizers.schedules.decay import (
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
)

__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "deserialize",
    "serialize",
]

missing.explain(__name__)
