"""Learning rates that change with the number of steps, as `keras.optimizers.schedules`."""

from nkeras.core import missing
from nkeras.optimizers.schedules.base import LearningRateSchedule as LearningRateSchedule
from nkeras.optimizers.schedules.base import deserialize as deserialize
from nkeras.optimizers.schedules.base import serialize as serialize
from nkeras.optimizers.schedules.cosine import CosineDecay as CosineDecay
from nkeras.optimizers.schedules.cosine import CosineDecayRestarts as CosineDecayRestarts
from nkeras.optimizers.schedules.decay import ExponentialDecay as ExponentialDecay
from nkeras.optimizers.schedules.decay import InverseTimeDecay as InverseTimeDecay
from nkeras.optimizers.schedules.decay import PiecewiseConstantDecay as PiecewiseConstantDecay
from nkeras.optimizers.schedules.decay import PolynomialDecay as PolynomialDecay

__all__ = missing.names_of(__name__)  # pyright: ignore[reportUnsupportedDunderAll]

missing.explain(__name__)
