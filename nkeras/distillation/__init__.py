"""Training a small model by a large one, as `keras.distillation`."""

from nkeras.core import missing
from nkeras.distillation.distiller import Distiller as Distiller
from nkeras.distillation.losses import DistillationLoss as DistillationLoss
from nkeras.distillation.losses import FeatureDistillation as FeatureDistillation
from nkeras.distillation.losses import LogitsDistillation as LogitsDistillation

missing.explain(__name__)
