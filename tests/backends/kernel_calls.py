"""How the kernel tests call kernels, make inputs and differentiate."""

import numpy as np

from nkeras_numpy.kernels import KERNELS


def run(name, *arrays, **static):
    """Call a kernel on write-protected inputs: one that writes into them raises."""
    for array in arrays:
        if array is not None:
            array.setflags(write=False)
    return KERNELS[name](*arrays, **static)


def normal(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def slope(function, x, step=1e-6):
    """Central differences of a scalar function."""
    result = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        delta = np.zeros_like(x)
        delta[index] = step
        result[index] = (function(x + delta) - function(x - delta)) / (2 * step)
    return result
