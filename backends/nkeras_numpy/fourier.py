"""Fourier transforms."""

from nkeras_numpy.namespace import Array, in_float32, namespace
from nkeras_numpy.registry import KERNELS
from nkeras_numpy.windows import Ints


@KERNELS.register
def fft(x: Array, *, axes: Ints, inverse: bool) -> Array:
    """Over axes; the inverse is divided by the number of elements."""
    module = namespace(x).fft
    return (module.ifftn if inverse else module.fftn)(x, axes=axes).astype(x.dtype)


@KERNELS.register
@in_float32
def rfft(x: Array, *, size: int) -> Array:
    """Of real numbers, cut or filled with zeros to a size: not the conjugates of the others."""
    kind = "complex128" if x.dtype == "float64" else "complex64"
    return namespace(x).fft.rfft(x, n=size, axis=-1).astype(kind)


@KERNELS.register
def irfft(x: Array, *, size: int) -> Array:
    """The inverse of `rfft`, of real numbers."""
    kind = "float64" if x.dtype == "complex128" else "float32"
    return namespace(x).fft.irfft(x, n=size, axis=-1).astype(kind)
