"""Regularizers by name: the table, `get`, `serialize` and `deserialize`."""

from __future__ import annotations

from nkeras.core.families import Family
from nkeras.regularizers.regularizers import L1, L1L2, L2, OrthogonalRegularizer, Regularizer

REGULARIZERS: dict[str, type[Regularizer]] = {
    **{cls.__name__: cls for cls in (Regularizer, L2, L1, L1L2, OrthogonalRegularizer)},
    **{"l1": L1, "l2": L2, "l1_l2": L1L2, "l1l2": L1L2},
}

_family = Family("regularizer", REGULARIZERS)
get = _family.get
serialize = _family.serialize
deserialize = _family.deserialize
