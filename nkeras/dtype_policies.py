"""dtype policies: in which dtypes layers compute and keep variables, as `keras.dtype_policies`."""

from nkeras.core import missing
from nkeras.core.policies import (
    DTypePolicy,
    DTypePolicyMap,
    FloatDTypePolicy,
    QuantizedDTypePolicy,
    deserialize,
    get,
    serialize,
)

__all__ = [
    "DTypePolicy",
    "DTypePolicyMap",
    "FloatDTypePolicy",
    "QuantizedDTypePolicy",
    "deserialize",
    "get",
    "serialize",
]

missing.explain(__name__)
