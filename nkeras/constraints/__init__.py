from nkeras.constraints.constraints import Constraint as Constraint
from nkeras.constraints.constraints import MaxNorm as MaxNorm
from nkeras.constraints.constraints import MinMaxNorm as MinMaxNorm
from nkeras.constraints.constraints import NonNeg as NonNeg
from nkeras.constraints.constraints import UnitNorm as UnitNorm
from nkeras.constraints.lookup import deserialize as deserialize
from nkeras.constraints.lookup import get as get
from nkeras.constraints.lookup import serialize as serialize
from nkeras.core import missing

max_norm = MaxNorm
min_max_norm = MinMaxNorm
non_neg = NonNeg
unit_norm = UnitNorm

__all__ = missing.names_of(__name__)  # pyright: ignore[reportUnsupportedDunderAll]

missing.explain(__name__)
