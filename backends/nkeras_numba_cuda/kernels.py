"""All kernels by name: our own, and the reference kernels on device arrays for the rest."""

from __future__ import annotations

from nkeras_numba_cuda import convolution, indexing, linalg, optimizers, pooling, random
from nkeras_numpy.kernels import KERNELS as REFERENCE
from nkeras_numpy.namespace import Kernel

OWN: dict[str, Kernel] = {
    "matmul": linalg.matmul,
    "conv": convolution.conv,
    "conv_grad_input": convolution.conv_grad_input,
    "conv_grad_kernel": convolution.conv_grad_kernel,
    "max_pool": pooling.max_pool,
    "max_pool_grad": pooling.max_pool_grad,
    "max_pool_take": pooling.max_pool_take,
    "average_pool": pooling.average_pool,
    "average_pool_grad": pooling.average_pool_grad,
    "take_grad": indexing.take_grad,
    "take_along_axis_grad": indexing.take_along_axis_grad,
    "scatter_nd": indexing.scatter_nd,
    "sgd_update": optimizers.sgd_update,
    "adam_update": optimizers.adam_update,
    "amsgrad_update": optimizers.amsgrad_update,
    "rmsprop_update": optimizers.rmsprop_update,
    "random_bits": random.random_bits,
}

KERNELS: dict[str, Kernel] = REFERENCE | OWN
