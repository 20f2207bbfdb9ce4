"""The kernels that are written for GPUs. Each registers where it is written: `@OWN.register`."""

from nkeras.backend.kernels import Kernels

OWN = Kernels()

TOGETHER = Kernels()
"""Those of many calls at once: `f(calls, **static)` gives a list of the results."""
