"""The gradient of samples of images, added up without atomics."""

from __future__ import annotations

from nkeras_numba_cuda.kernels.indexing import scatter_nd
from nkeras_numba_cuda.kernels.registry import OWN
from nkeras_numba_cuda.memory import Array, array_module
from nkeras_numpy.image import shares
from nkeras_numpy.namespace import in_float32
from nkeras_numpy.windows import Ints


@OWN.register
@in_float32
def sample_grad(grad_y: Array, coordinates: Array, *, shape: Ints, order: int, mode: str) -> Array:
    """Each element of `grad_y` shared out among the cells that it came from, corner by corner."""
    xp = array_module()
    grad_x = xp.zeros(shape, grad_y.dtype)
    if grad_y.size and grad_x.size:
        for cells, share in shares(grad_y, coordinates, shape, order, mode):
            places = xp.stack(xp.broadcast_arrays(*cells), axis=-1)
            grad_x = grad_x + scatter_nd(places, share, shape=shape)
    return grad_x
