from nkeras.core import missing
from nkeras.core.random import SeedGenerator as SeedGenerator
from nkeras.ops.distributions import beta as beta
from nkeras.ops.distributions import binomial as binomial
from nkeras.ops.distributions import categorical as categorical
from nkeras.ops.distributions import gamma as gamma
from nkeras.ops.random import dropout as dropout
from nkeras.ops.random import normal as normal
from nkeras.ops.random import randint as randint
from nkeras.ops.random import shuffle as shuffle
from nkeras.ops.random import truncated_normal as truncated_normal
from nkeras.ops.random import uniform as uniform

__all__ = missing.names_of(__name__)  # pyright: ignore[reportUnsupportedDunderAll]

missing.explain(__name__)
