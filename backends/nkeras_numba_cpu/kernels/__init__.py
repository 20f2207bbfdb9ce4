"""The kernels, by the topics of `nkeras.ops`: Python around launches, and the tasks they launch."""

from nkeras_numba_cpu.kernels import (  # noqa: F401  they register
    attention,
    attention_gradients,
    batch_norm,
    convolution,
    ctc,
    dense_gradients,
    elementwise,
    group_norm,
    gru,
    histograms,
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
    quantized,
    random,
    reduction,
    row_updates,
    sampling,
    scans,
    searching,
    selection,
    shape,
    simple_rnn,
    strings,
    through_numpy,
)
from nkeras_numba_cpu.kernels.registry import KERNELS

__all__ = ["KERNELS"]
