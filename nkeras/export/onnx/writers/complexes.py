"""Writers of complex numbers and Fourier transforms.

ONNX has no complex numbers: they are pairs along one more axis behind the others. Only what stands
here takes them; the others refuse them (`nkeras.export.onnx.backend`).
"""

from __future__ import annotations

import numpy as np

from nkeras.export.onnx.graph import Value, constant, node
from nkeras.export.onnx.writers.shape import expanded, rank, sizes, turned, unsqueezed
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


def _is_quick(size: int) -> bool:
    """Whether runtimes halve transforms of this size; of others they lose digits."""
    return size & (size - 1) == 0 or size > 2048  # where a matrix would be too large


def _tables(rows: int, columns: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosines and sines of all products of frequencies and times."""
    angles = 2.0 * np.pi * (np.outer(np.arange(rows), np.arange(columns)) % size) / size
    return np.cos(angles), np.sin(angles)


@writes("fft")
def _fft(x: Value, *, axes: tuple[int, ...], inverse: bool) -> Value:
    for axis in axes:
        if _is_quick(sizes(x)[axis]):
            made = node("DFT", x, None, constant(axis), inverse=int(inverse))
        else:
            made = _by_matrix(x, axis, inverse)
        made.shape, made.dtype = x.shape, x.dtype
        x = made
    return x


def _by_matrix(x: Value, axis: int, inverse: bool) -> Value:
    size, dtype, last = sizes(x)[axis], _of_parts(x), rank(x) - 1
    cosines, sines = _tables(size, size, size)
    if inverse:
        cosines, sines = cosines / size, -sines / size
    axes = list(range(rank(x)))
    axes[axis], axes[last] = last, axis
    real, imag = (turned(_part(x, index), tuple(axes)) for index in (0, 1))
    cosine, sine = constant(cosines, dtype), constant(sines, dtype)
    parts = (
        node("Add", node("MatMul", real, cosine), node("MatMul", imag, sine)),
        node("Sub", node("MatMul", imag, cosine), node("MatMul", real, sine)),
    )
    back = [unsqueezed(turned(part, tuple(axes)), last + 1) for part in parts]
    return node("Concat", *back, axis=last + 1)


@writes("rfft")
def _rfft(x: Value, *, size: int) -> Value:
    last = rank(x) - 1
    if _is_quick(size):
        return node("DFT", unsqueezed(x, last + 1), constant(size), constant(last), onesided=1)
    count = min(sizes(x)[last], size)  # the others are cut off, or zeros
    kept = node("Slice", x, constant([0]), constant([count]), constant([last]))
    cosines, sines = _tables(count, size // 2 + 1, size)
    parts = [node("MatMul", kept, constant(table, x.dtype)) for table in (cosines, -sines)]
    return node("Concat", *[unsqueezed(part, last + 1) for part in parts], axis=last + 1)


@writes("irfft")
def _irfft(x: Value, *, size: int) -> Value:
    """By two matrices: runtimes invert whole transforms only."""
    count = min(sizes(x)[-1], size // 2 + 1)
    cosines, sines = _tables(count, size, size)
    share = np.full((count, 1), 2.0 / size)
    share[0] = 1.0 / size
    if size % 2 == 0 and count == size // 2 + 1:
        share[-1] = 1.0 / size
    last = rank(x) - 1
    kept = node("Slice", x, constant([0]), constant([count]), constant([last]))
    kept.shape, kept.dtype = (*sizes(x)[:-1], count), x.dtype
    real, imag = (
        node("MatMul", _part(kept, index), constant(table, _of_parts(x)))
        for index, table in enumerate((share * cosines, -share * sines))
    )
    return node("Add", real, imag)
