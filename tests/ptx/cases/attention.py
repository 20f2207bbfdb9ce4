"""Attention: heads that share keys, masks, biases, caps, dropout, several tiles."""

import numpy as np

from nkeras_numpy.kernels import KERNELS as REFERENCE
from tests.backends.attention_cases import PLAIN, arguments, grad_arguments
from tests.ptx.case import Case

# Sizes are batch, queries, keys, heads, own heads of the keys, size, size of a value.
SHARED = (1, 5, 7, 4, 2, 3, 5), (1, 1, 5, 7), (1, 1, 5, 1), {"soft_cap": 1.5}
TILES = (1, 66, 67, 1, 1, 3, 65), None, None, {"is_causal": True}
DROPPED = (2, 6, 9, 1, 1, 4, 2), None, (2, 1, 6, 9), {"rate": 0.4, "seed": (3, 2**32 - 1)}
SHORT = (1, 3, 5, 1, 1, 2, 2), (1, 1, 1, 5), None, {}
CALLS = {"shared": SHARED, "tiles": TILES, "dropped": DROPPED, "short": SHORT}
DTYPES = ("float32", "float64", "bfloat16", "float16")
GRADIENTS = (
    "attention_row_sums_{dtype}",
    "attention_grad_query_{dtype}",
    "attention_grad_key_{dtype}",
)
KERNELS = {
    "attention": ("attend_{dtype}",),
    "attention_grad": GRADIENTS,
    "attention_grad_bias": ("attention_row_sums_{dtype}", "attention_grad_bias_{dtype}"),
}


def inputs(sizes, bias, mask, static, gradient):
    """A function of a dtype that makes the arrays of a call, or of its gradients."""

    def make(dtype):
        given = arguments(sizes, bias, mask)
        if gradient:
            given = grad_arguments(given, static, with_sums=bias is not None)
        sums = "float32" if dtype in ("bfloat16", "float16") else dtype
        return tuple(
            x if x is None or x.dtype == bool else x.astype(sums if x.ndim == 3 else dtype)
            for x in given
        )

    return make


def special(gradient):
    """Infinities and NaN in keys and biases; a row that sees nothing, and one without a sum."""
    sizes, static = (1, 6, 5, 1, 1, 3, 2), PLAIN | {"is_causal": True}

    def make(dtype):
        query, key, value, bias, mask = arguments(sizes, (1, 1, 6, 5), (1, 1, 6, 5))
        query[0, 1, 0, 1], key[0, 4, 0, 2], bias[0, 0, 2, 1] = np.nan, np.inf, -np.inf
        bias[0, 0, 3] = -np.inf
        mask[0, 0, 1:] = True
        given = query, key, value, bias, mask
        if gradient:
            with np.errstate(all="ignore"):
                y, log_sum = REFERENCE["attention"](*given, **static)
            given = np.ones_like(y), None, *given, y, np.maximum(log_sum, -3e38)
        return tuple(x if x is None or x.dtype == bool else x.astype(dtype) for x in given)

    return make, static


def cases():
    for name, (sizes, bias, mask, options) in CALLS.items():
        static = PLAIN | options
        for primitive, kernels in KERNELS.items():
            if primitive == "attention_grad_bias" and bias is None:
                continue
            make = inputs(sizes, bias, mask, static, primitive != "attention")
            dtypes = DTYPES[:2] if name == "tiles" else DTYPES
            yield Case(primitive, kernels, make, static, dtypes, name)
    for primitive in ("attention", "attention_grad"):
        make, static = special(primitive != "attention")
        yield Case(primitive, KERNELS[primitive], make, static, DTYPES[:2], "special")


CASES = list(cases())
