"""The kernels by name. Each registers where it is written: `@KERNELS.register`."""

from nkeras.backend.kernels import Kernels

KERNELS = Kernels()
