"""The kernels, by the topics of `nkeras.ops`: Python around launches, and the tasks they launch."""

from nkeras_numba_cpu.kernels import (  # noqa: F401  they register
    batch_norm,
    convolution,
    dense_gradients,
    image,
    indexing,
    layer_norm,
    linalg,
    loss,
    normalization,
    optimizers,
    pooling,
    random,
    recurrent,
    reduction,
    scans,
    searching,
    selection,
    shape,
    through_numpy,
)
from nkeras_numba_cpu.kernels.registry import KERNELS

__all__ = ["KERNELS"]
