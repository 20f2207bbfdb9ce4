"""All kernels by name: the table of the numpy backend, and the reference for other backends."""

from nkeras_numpy import (  # noqa: F401  they register
    attention,
    batch_norm,
    complexes,
    convolution,
    ctc,
    decompositions,
    dense_gradients,
    elementwise,
    fourier,
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
    rectangles,
    reduction,
    row_updates,
    searching,
    shape,
    simple_rnn,
    solving,
    strings,
)
from nkeras_numpy.registry import KERNELS

__all__ = ["KERNELS"]
