"""The kernels, by the topics of `nkeras.ops`: Python around launches, and what they launch.

What has none is computed by the reference kernels on device arrays.
"""

from __future__ import annotations

from nkeras_numba_cuda.kernels import (  # noqa: F401  they register
    attention,
    attention_bias_gradient,
    attention_gradients,
    batch_norm,
    clipping,
    convolution,
    cumulative,
    group_norm,
    gru,
    hits,
    image,
    indexing,
    layer_norm,
    linalg,
    locally_connected,
    loss,
    lstm,
    normalization,
    optimizers,
    pooling,
    random,
    reduction,
    simple_rnn,
    sorting,
)
from nkeras_numba_cuda.kernels.registry import OWN
from nkeras_numpy.kernels import KERNELS as REFERENCE
from nkeras_numpy.namespace import Kernel

KERNELS: dict[str, Kernel] = {**REFERENCE, **OWN}
