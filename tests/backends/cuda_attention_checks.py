"""The CUDA kernels of attention in the simulator against the numpy kernels."""

import numpy as np
import pytest
from attention_cases import PLAIN, arguments, grad_arguments
from cuda_simulator_checks import BACKEND, compare, on_device

# Sizes are batch, queries, keys, heads, own heads of the keys, size, size of a value.
CALLS = [
    ((2, 5, 7, 4, 2, 3, 5), None, None, {"is_causal": True}),
    ((1, 6, 9, 2, 1, 2, 2), (1, 2, 6, 9), (1, 1, 1, 9), {"soft_cap": 1.5}),
    ((2, 5, 4, 1, 1, 3, 2), (2, 1, 5, 1), (1, 1, 5, 1), {"is_causal": True}),
    ((2, 6, 7, 2, 2, 2, 3), None, None, {"rate": 0.4, "seed": (3, 2**32 - 1)}),
    ((1, 3, 9, 1, 1, 2, 2), (1, 1, 1, 9), (1, 1, 3, 9), {"is_causal": True, "rate": 0.3}),
]


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
@pytest.mark.parametrize("number", range(len(CALLS)))
def test_attention(number, dtype):
    sizes, bias, mask, options = CALLS[number]
    static = PLAIN | options
    given = arguments(sizes, bias, mask)
    cast = [x if x is None or x.dtype == bool else x.astype(dtype) for x in given]
    compare("attention", *cast, **static)
    saved = grad_arguments(given, static, bias is not None)
    sums = "float64" if dtype == "float64" else "float32"
    saved = [
        x if x is None or x.dtype == bool else x.astype(sums if x.ndim == 3 else dtype)
        for x in saved
    ]
    compare("attention_grad", *saved, **static)
    if bias is not None:
        compare("attention_grad_bias", *saved, **static)


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 1, 1, 1), (1, 2, 1, 1), (2, 2, 5, 1)])
def test_attention_of_biases_that_many_scores_share(shape):
    given = arguments((2, 5, 6, 2, 1, 2, 3), shape)
    compare("attention_grad_bias", *grad_arguments(given, PLAIN, True), **PLAIN)


def test_attention_of_views_and_nothing():
    query, key, value, *rest = arguments((2, 4, 5, 2, 1, 3, 3))
    turned = [np.ascontiguousarray(x.swapaxes(1, 3)).swapaxes(1, 3) for x in (query, key, value)]
    compare("attention", *turned, *rest, **PLAIN)
    compare("attention", query[:0], key[:0], value[:0], *rest, **PLAIN)
    nothing = [on_device(x[:0]) for x in (query, query, key, value)]
    sums = on_device(np.zeros((0, 2, 4)))
    grads = BACKEND.kernels["attention_grad"](
        nothing[0], None, *nothing[1:], None, None, nothing[0], sums, **PLAIN
    )
    assert [grad.size for grad in grads] == [0, 0, 0]
