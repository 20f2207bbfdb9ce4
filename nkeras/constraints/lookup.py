"""Constraints by name: the table, `get`, `serialize` and `deserialize`."""

from __future__ import annotations

from nkeras.constraints.constraints import Constraint, MaxNorm, MinMaxNorm, NonNeg, UnitNorm
from nkeras.core.families import Family

CONSTRAINTS = {cls.__name__: cls for cls in (Constraint, MaxNorm, MinMaxNorm, NonNeg, UnitNorm)}

_family = Family("constraint", CONSTRAINTS)
get = _family.get
serialize = _family.serialize
deserialize = _family.deserialize
