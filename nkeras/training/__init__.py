"""Training: what `Model` has from `compile` to `predict`."""

from nkeras.training.trainer import Trainer as Trainer
