"""Parts of complex numbers."""

from nkeras_numpy.namespace import Array, namespace
from nkeras_numpy.registry import KERNELS


@KERNELS.register
def real(x: Array) -> Array:
    return x.real


@KERNELS.register
def imag(x: Array) -> Array:
    return x.imag


@KERNELS.register
def conj(x: Array) -> Array:
    return x.conj()


@KERNELS.register
def make_complex(real: Array, imag: Array) -> Array:
    y = namespace(real).empty(real.shape, "complex128" if real.dtype == "float64" else "complex64")
    y.real = real
    y.imag = imag
    return y
