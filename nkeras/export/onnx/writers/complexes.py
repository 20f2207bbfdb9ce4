"""Writers of complex numbers and Fourier transforms.

ONNX has no complex numbers: they are pairs along one more axis behind the others. Only what stands
here takes them; the others refuse them (`nkeras.export.onnx.backend`).
"""

from __future__ import annotations

import numpy as np

from nkeras.export.onnx.graph import Value, constant, node
from nkeras.export.onnx.writers.shape import expanded, rank, sizes, unsqueezed
from nkeras.export.onnx.writers.table import writes

OF_COMPLEX = frozenset("real imag conj make_complex fft rfft irfft".split())


def _part(x: Value, index: int) -> Value:
    return node("Gather", x, constant(index), axis=rank(x))


def _is_complex(x: Value) -> bool:
    return x.dtype is not None and x.dtype.kind == "c"


@writes("real")
def _real(x: Value) -> Value:
    return _part(x, 0) if _is_complex(x) else x


@writes("imag")
def _imag(x: Value) -> Value:
    return _part(x, 1) if _is_complex(x) else expanded(constant(0, x.dtype), sizes(x))


@writes("conj")
def _conj(x: Value) -> Value:
    if not _is_complex(x):
        return x
    return node("Mul", x, constant([1.0, -1.0], _of_parts(x)))


@writes("make_complex")
def _make_complex(real: Value, imag: Value) -> Value:
    behind = rank(real)
    return node("Concat", unsqueezed(real, behind), unsqueezed(imag, behind), axis=behind)


def _of_parts(x: Value) -> np.dtype:
    return np.dtype("float64" if x.dtype == np.complex128 else "float32")


@writes("fft")
def _fft(x: Value, *, axes: tuple[int, ...], inverse: bool) -> Value:
    for axis in axes:
        made = node("DFT", x, None, constant(axis), inverse=int(inverse))
        made.shape, made.dtype = x.shape, x.dtype
        x = made
    return x


@writes("rfft")
def _rfft(x: Value, *, size: int) -> Value:
    last = rank(x) - 1
    return node("DFT", unsqueezed(x, last + 1), constant(size), constant(last), onesided=1)


@writes("irfft")
def _irfft(x: Value, *, size: int) -> Value:
    """By two matrices: runtimes invert whole transforms only."""
    count = min(sizes(x)[-1], size // 2 + 1)
    angles = 2.0 * np.pi * np.outer(np.arange(count), np.arange(size)) / size
    share = np.full((count, 1), 2.0 / size)
    share[0] = 1.0 / size
    if size % 2 == 0 and count == size // 2 + 1:
        share[-1] = 1.0 / size
    behind = rank(x) - 1
    kept = node("Slice", x, constant([0]), constant([count]), constant([behind]))
    kept.shape, kept.dtype = (*sizes(x)[:-1], count), x.dtype
    real, imag = (
        node("MatMul", _part(kept, index), constant(table, _of_parts(x)))
        for index, table in enumerate((share * np.cos(angles), -share * np.sin(angles)))
    )
    return node("Add", real, imag)
