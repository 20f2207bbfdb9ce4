"""Optimizers, as `keras.optimizers`."""

from nkeras.core import missing
from nkeras.optimizers import schedules as schedules
from nkeras.optimizers.adafactor import Adafactor as Adafactor
from nkeras.optimizers.adagrad import Adadelta as Adadelta
from nkeras.optimizers.adagrad import Adagrad as Adagrad
from nkeras.optimizers.adam import Adam as Adam
from nkeras.optimizers.adam import AdamW as AdamW
from nkeras.optimizers.adamax import Adamax as Adamax
from nkeras.optimizers.adamax import Nadam as Nadam
from nkeras.optimizers.ftrl import Ftrl as Ftrl
from nkeras.optimizers.identifiers import deserialize as deserialize
from nkeras.optimizers.identifiers import get as get
from nkeras.optimizers.identifiers import serialize as serialize
from nkeras.optimizers.lion import Lamb as Lamb
from nkeras.optimizers.lion import Lion as Lion
from nkeras.optimizers.loss_scale import LossScaleOptimizer as LossScaleOptimizer
from nkeras.optimizers.multi import MultiOptimizer as MultiOptimizer
from nkeras.optimizers.multi import OptimizerMap as OptimizerMap
from nkeras.optimizers.muon import Muon as Muon
from nkeras.optimizers.optimizer import Optimizer as Optimizer
from nkeras.optimizers.rmsprop import RMSprop as RMSprop
from nkeras.optimizers.schedule_free import ScheduleFreeAdamW as ScheduleFreeAdamW
from nkeras.optimizers.sgd import SGD as SGD

__all__ = ["schedules", *missing.names_of(__name__)]  # pyright: ignore[reportUnsupportedDunderAll]

missing.explain(__name__)
