"""Recurrent and attention layers against torch, where it is installed: values and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers

torch = pytest.importorskip("torch")

BATCH, TIME, FEATURES, UNITS = 3, 7, 5, 4
# Where torch has a gate that Keras has at each place: LSTM i f c o, GRU z r h.
GATES = {"LSTM": [0, 1, 2, 3], "GRU": [1, 0, 2]}


def arrays(*shape: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 0.5, shape).astype("float32")


def to_torch(array: np.ndarray, gates: list[int]) -> Any:
    """A kernel or bias with the gates in torch's order, outputs first."""
    parts = np.split(array, len(gates), -1)
    return torch.from_numpy(np.concatenate([parts[i] for i in gates], -1).T.copy())


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(
        nkeras.ops.convert_to_numpy(found), expected.detach().numpy(), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("backend", ["numpy", "numba_cpu"])
@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_bidirectional(name: str, backend: str) -> None:
    x = arrays(BATCH, TIME, FEATURES, seed=1)
    with nkeras.use_backend(backend):
        mine = layers.Bidirectional(getattr(layers, name)(UNITS, return_sequences=True))
        mine.build(x.shape)
        mine.set_weights([arrays(*w.shape, seed=2 + i) for i, w in enumerate(mine.weights)])
        theirs = getattr(torch.nn, name)(FEATURES, UNITS, batch_first=True, bidirectional=True)
        order, weights = GATES[name], mine.get_weights()
        for half, suffix in enumerate(("", "_reverse")):
            kernel, recurrent, bias = weights[3 * half : 3 * half + 3]
            biases = bias if name == "GRU" else np.stack([bias, 0 * bias])
            with torch.no_grad():
                getattr(theirs, f"weight_ih_l0{suffix}").copy_(to_torch(kernel, order))
                getattr(theirs, f"weight_hh_l0{suffix}").copy_(to_torch(recurrent, order))
                getattr(theirs, f"bias_ih_l0{suffix}").copy_(to_torch(biases[0], order))
                getattr(theirs, f"bias_hh_l0{suffix}").copy_(to_torch(biases[1], order))
        upstream = arrays(BATCH, TIME, 2 * UNITS, seed=20)
        given = nkeras.ops.convert_to_tensor(x)
        with nkeras.GradientTape() as tape:
            tape.watch(given)
            y = mine(given)
            loss = nkeras.ops.sum(y * upstream)
        grads = tape.gradient(loss, [given, *mine.trainable_variables])
    source = torch.from_numpy(x).requires_grad_()
    expected = theirs(source)[0]
    (expected * torch.from_numpy(upstream)).sum().backward()
    close(y, expected)
    close(grads[0], source.grad)
    for half, suffix in enumerate(("", "_reverse")):
        for i, part in enumerate(("ih", "hh")):
            wanted = getattr(theirs, f"weight_{part}_l0{suffix}").grad
            found = nkeras.ops.convert_to_numpy(grads[1 + 3 * half + i])
            close(to_torch(found, order).numpy(), wanted)


@pytest.mark.parametrize("backend", ["numpy", "numba_cpu"])
@pytest.mark.parametrize("is_causal", [False, True])
def test_dot_product_attention(is_causal: bool, backend: str) -> None:
    parts = [arrays(BATCH, TIME, 2, UNITS, seed=seed) for seed in (1, 2, 3)]
    upstream = arrays(BATCH, TIME, 2, UNITS, seed=4)
    with nkeras.use_backend(backend):
        given = [nkeras.ops.convert_to_tensor(part) for part in parts]
        with nkeras.GradientTape() as tape:
            for one in given:
                tape.watch(one)
            y = nkeras.ops.dot_product_attention(*given, is_causal=is_causal)
            loss = nkeras.ops.sum(y * upstream)
        grads = tape.gradient(loss, given)
    sources = [torch.from_numpy(part).requires_grad_() for part in parts]
    heads = [source.transpose(1, 2) for source in sources]
    expected = torch.nn.functional.scaled_dot_product_attention(*heads, is_causal=is_causal)
    expected = expected.transpose(1, 2)
    (expected * torch.from_numpy(upstream)).sum().backward()
    close(y, expected)
    for found, source in zip(grads, sources, strict=True):
        close(found, source.grad)
