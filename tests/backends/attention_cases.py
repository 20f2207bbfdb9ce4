"""Calls of the attention kernels: heads that share keys, masks, biases, caps and dropout."""

import numpy as np

from nkeras_numpy.kernels import KERNELS as REFERENCE

PLAIN = {"scale": 0.4, "is_causal": False, "soft_cap": None, "rate": 0.0, "seed": (0, 0)}
# Sizes are batch, queries, keys, heads, own heads of the keys, size, size of a value.
CALLS = {
    "": ((2, 5, 7, 4, 2, 3, 5), None, None, {}),
    "-causal": ((1, 70, 65, 2, 2, 16, 32), None, None, {"is_causal": True}),
    "-blocks": ((1, 30, 530, 2, 1, 17, 33), None, (1, 1, 1, 530), {}),
    "-bias": ((2, 6, 9, 2, 1, 8, 8), (1, 2, 6, 9), (2, 1, 1, 9), {"soft_cap": 1.5}),
    "-rows": ((2, 5, 4, 3, 3, 4, 4), (2, 1, 5, 1), (1, 1, 5, 1), {"is_causal": True}),
    "-dropout": ((2, 6, 7, 2, 2, 4, 6), None, None, {"rate": 0.4, "seed": (3, 2**32 - 1)}),
    "-all": (
        (2, 60, 270, 2, 1, 5, 6),
        (1, 1, 60, 270),
        (2, 2, 60, 270),
        {"is_causal": True, "soft_cap": 2.0, "rate": 0.3, "seed": (5, 6)},
    ),
}


def normal(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def arguments(sizes, bias=None, mask=None, dtype=np.float64):
    """The arrays of a call: query, key, value, bias and mask, whose first row hides all."""
    batch, queries, keys, heads, own, size, depth = sizes
    hides = None
    if mask is not None:
        hides = np.random.default_rng(4).random(mask) < 0.7
        if mask[2] > 1:
            hides[0, 0, 0] = False
    return (
        normal(batch, queries, heads, size, dtype=dtype),
        normal(batch, keys, own, size, seed=1, dtype=dtype),
        normal(batch, keys, own, depth, seed=2, dtype=dtype),
        None if bias is None else normal(*bias, seed=3, dtype=dtype),
        hides,
    )


def grad_arguments(given, static, with_sums):
    """The arrays of a gradient's call."""
    y, log_sum = REFERENCE["attention"](*given, **static)
    log_sum[log_sum < -1e30] = -np.inf  # what every dtype can say of a row that sees nothing
    grad_sums = normal(*log_sum.shape, seed=6, dtype=y.dtype) if with_sums else None
    return (normal(*y.shape, seed=5, dtype=y.dtype), grad_sums, *given, y, log_sum)


def cases():
    """Calls of all attention kernels."""
    for label, (sizes, bias, mask, options) in CALLS.items():
        given, static = arguments(sizes, bias, mask), PLAIN | options
        yield f"attention{label}", "attention", given, static
        saved = grad_arguments(given, static, label in ("-bias", "-causal"))
        yield f"attention{label}-grad", "attention_grad", saved, static
        if bias is not None:
            yield f"attention{label}-grad-bias", "attention_grad_bias", saved, static
