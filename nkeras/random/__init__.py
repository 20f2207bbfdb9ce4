from nkeras.core import missing
from nkeras.core.random import SeedGenerator
from nkeras.ops.distributions import beta, binomial, categorical, gamma
from nkeras.ops.random import (
    dropout,
    normal,
    randint,
    shuffle,
    truncated_normal,
    uniform,
)

__all__ = [
    "SeedGenerator",
    "beta",
    "binomial",
    "categorical",
    "dropout",
    "gamma",
    "normal",
    "randint",
    "shuffle",
    "truncated_normal",
    "uniform",
]

missing.explain(__name__)
