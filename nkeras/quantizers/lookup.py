"""Quantizers by name: the table, `get`, `serialize` and `deserialize`."""

from __future__ import annotations

from nkeras.core.families import Family
from nkeras.quantizers.configs import Int8QuantizationConfig, QuantizationConfig
from nkeras.quantizers.quantizers import AbsMaxQuantizer, Quantizer

QUANTIZERS: dict[str, type] = {
    cls.__name__: cls
    for cls in (Quantizer, AbsMaxQuantizer, QuantizationConfig, Int8QuantizationConfig)
}

_family = Family("quantizer", QUANTIZERS, base=QuantizationConfig)
get = _family.get
serialize = _family.serialize
deserialize = _family.deserialize
