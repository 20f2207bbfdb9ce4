"""Fourier transforms: gradients are those of Keras on JAX; plans, round trips, what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import ops
from nkeras.core.tape import GradientTape
from nkeras.ops.signal_windows import NAMES, signal_window
from tests.harness import oracle
from tests.harness.check_op import check_op
from tests.ops.cases import floats

_GRADIENT = """
def loss(x):
    results = eval(expression, {"ops": ops, "x": x})
    results = results if isinstance(results, (list, tuple)) else [results]
    return sum(ops.sum(ops.sin(y + 0.5)) for y in results)

result = jax.jit(jax.grad(loss))(jnp.asarray(x))
"""
GRADIENTS = (
    "ops.fft((x, x * 2.0))",
    "ops.fft2((x, x * 2.0))",
    "ops.ifft2((x, ops.sin(x)))",
    "ops.rfft(x, 20)",
    "ops.rfft(x, 40)",
    "ops.irfft((x, x * 2.0))",
    "ops.irfft((x, x * 2.0), 21)",
    "ops.extract_sequences(x, 7, 3)",
    "ops.stft(x, 8, 3, 11)",
    "ops.stft(x, 8, 4, 8, center=False, window=None)",
    "ops.istft(ops.stft(x, 8, 4, 8, center=False), 8, 4, 8, window='hamming', center=False)",
    "ops.istft(ops.stft(ops.sin(x), 8, 4, 8), 8, 4, 8, window=None)",
)


@oracle.requires_keras
@pytest.mark.parametrize("expression", GRADIENTS)
def test_gradients_are_those_of_keras(expression: str) -> None:
    x = np.random.default_rng(3).uniform(-1, 1, (2, 32)).astype("float32")
    want = oracle.run(_GRADIENT, expression=expression, x=x)
    source = ops.convert_to_tensor(x)
    with GradientTape() as tape:
        tape.watch(source)
        results = eval(expression, {"ops": ops, "x": source})
        results = results if isinstance(results, (list, tuple)) else [results]
        loss = ops.sum(ops.stack([ops.sum(ops.sin(y + 0.5)) for y in results]))
    np.testing.assert_allclose(tape.gradient(loss, source), want, 2e-4, 2e-4)


def test_derivatives_are_right() -> None:
    check_op(lambda x: ops.stft(x, 6, 3, 8), floats(2, 20), batch=True)
    check_op(
        lambda re, im: ops.istft((re, im), 6, 3, 8), floats(2, 4, 5), floats(2, 4, 5), batch=True
    )


@pytest.mark.parametrize("window", ["hann", "hamming", np.linspace(0.5, 1.0, 12)])
def test_a_signal_comes_back(window: Any) -> None:
    x = floats(3, 100)
    parts = ops.stft(x, 12, 5, 16, window=window)
    back = ops.istft(parts, 12, 5, 16, length=100, window=window)
    np.testing.assert_allclose(back, x, 1e-4, 1e-4)


def test_a_plan_repeats_them() -> None:
    @nkeras.function
    def smooth(x: Any) -> Any:
        real, imaginary = ops.rfft(x)
        keep = ops.cast(ops.arange(real.shape[-1]) < 4, "float32")
        return ops.irfft((real * keep, imaginary * keep), 15)

    for _ in range(5):
        x = floats(2, 15)
        z = np.fft.rfft(x)
        z[:, 4:] = 0
        np.testing.assert_allclose(smooth(x), np.fft.irfft(z, 15), 1e-4, 1e-5)
    assert smooth.refusals() == []


def test_windows_are_those_of_scipy() -> None:
    signal = pytest.importorskip("scipy.signal")
    for name in NAMES:
        for size in (1, 2, 7, 16):
            for periodic in (False, True):
                want = signal.get_window(name, size, periodic)
                got = signal_window(name, size, periodic)
                np.testing.assert_allclose(got, want, atol=1e-12, err_msg=name)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda x: ops.fft(x), ValueError, r"fft: .*tuple of two tensors"),
        (lambda x: ops.fft((x, x[:1])), ValueError, r"fft: argument `x`.*\(2, 16\) and \(1, 16\)"),
        (lambda x: ops.fft2((x[0], x[0])), ValueError, "fft2: argument `x` .* of rank 2"),
        (lambda x: ops.irfft((ops.cast(x, "int32"),) * 2), ValueError, "irfft: .*dtypes int32"),
        (lambda x: ops.rfft(x, 0), ValueError, "rfft: argument `fft_length` must be an int >= 1"),
        (lambda x: ops.rfft(x * 1j), ValueError, "rfft: argument `x` must hold real .*complex64"),
        (lambda x: ops.extract_sequences(x, 17, 1), ValueError, "extract_sequences: .*17 elements"),
        (lambda x: ops.extract_sequences(x, 4, 0), ValueError, "`sequence_stride` must be an int"),
        (lambda x: ops.stft(x, 8, 4, 4), ValueError, "stft: arguments .*Received: 8 and 4"),
        (lambda x: ops.stft(x, 8, 4, 8, "flat"), ValueError, "stft: .*'flat'"),
        (
            lambda x: ops.stft(x, 8, 4, 8, np.ones(4)),
            ValueError,
            r"`window`.*Received shape \(4,\)",
        ),
        (lambda x: ops.stft(ops.cast(x, "float16"), 8, 4, 8), TypeError, "stft: .*float16"),
        (lambda x: ops.istft((x, x), 8, 0, 8), ValueError, "istft: argument `sequence_stride`"),
    ],
)
def test_refusals(call: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message) as caught:
        call(ops.convert_to_tensor(floats(2, 16)))
    assert len(str(caught.value)) <= 400
