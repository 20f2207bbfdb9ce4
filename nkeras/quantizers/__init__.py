"""Quantizers, as `keras.quantizers`: floats as small integers, for inference."""

from nkeras.core import missing
from nkeras.quantizers.configs import Int8QuantizationConfig as Int8QuantizationConfig
from nkeras.quantizers.configs import QuantizationConfig as QuantizationConfig
from nkeras.quantizers.lookup import deserialize as deserialize
from nkeras.quantizers.lookup import get as get
from nkeras.quantizers.lookup import serialize as serialize
from nkeras.quantizers.quantizers import AbsMaxQuantizer as AbsMaxQuantizer
from nkeras.quantizers.quantizers import Quantizer as Quantizer
from nkeras.quantizers.quantizers import abs_max_quantize as abs_max_quantize

__all__ = missing.names_of(__name__)  # pyright: ignore[reportUnsupportedDunderAll]

missing.explain(__name__)
