"""Text: arrays of objects, `str` or `bytes`."""

from __future__ import annotations

from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numpy import strings as reference

KERNELS.register(reference.reshape_text)
