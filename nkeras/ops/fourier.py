"""Fourier transforms, also of short sequences of a signal."""

from __future__ import annotations

import numpy as np

from nkeras.core import dtypes, missing
from nkeras.core.errors import is_a, refuse, short
from nkeras.core.primitive import op, primitive, to_floating, to_tensor
from nkeras.core.spec import Spec, Typed
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.ops.complexes import conj, from_parts, imag, real
from nkeras.ops.indexing import take_, take_grad
from nkeras.ops.padding import pad
from nkeras.ops.shape import cast
from nkeras.ops.signal_windows import signal_window

Parts = tuple[TensorLike, TensorLike]
"""Real and imaginary parts, as Keras passes complex numbers."""


@primitive(takes_complex=True)
def _fft(x: Typed, *, axes: tuple[int, ...], inverse: bool) -> Spec:
    """The transform of complex numbers over axes."""
    return Spec(x.shape, x.dtype)


@_fft.vjp("x")
def _(grad_y: Tensor, axes: tuple[int, ...], inverse: bool) -> Tensor:
    return _fft(grad_y, axes=axes, inverse=inverse)


@primitive()
def _rfft(x: Typed, *, size: int) -> Spec:
    """The transform of real numbers, of which one half is kept."""
    return Spec((*x.shape[:-1], size // 2 + 1), dtypes.complex_of(x.dtype))


@_rfft.vjp("x")
def _(grad_y: Tensor, x_spec: Spec, size: int) -> Tensor:
    whole = _fft(_resized(grad_y, size), axes=(len(x_spec.shape) - 1,), inverse=False)
    return cast(real(_resized(whole, x_spec.shape[-1])), x_spec.dtype)


@primitive(takes_complex=True)
def _irfft(x: Typed, *, size: int) -> Spec:
    """The inverse transform to real numbers."""
    return Spec((*x.shape[:-1], size), dtypes.real_of(x.dtype))


@_irfft.vjp("x")
def _(grad_y: Tensor, x_spec: Spec, size: int) -> Tensor:
    """Each element but the first, and the last of an even size, stands for its conjugate too."""
    share = np.full(size // 2 + 1, 2.0)
    share[0] = 1.0
    if size % 2 == 0:
        share[-1] = 1.0
    grad = conj(_rfft(grad_y, size=size)) * to_tensor(share / size, grad_y.dtype)
    return _resized(grad, x_spec.shape[-1])


def _resized(x: Tensor, size: int) -> Tensor:
    """Cut at the end of the last axis, or filled with zeros."""
    more = size - x.shape[-1]
    return pad(x, (*((0, 0),) * (len(x.shape) - 1), (0, more))) if more > 0 else x[..., :size]


def _joined(x: object, owner: str, rank: int = 1) -> Tensor:
    if not isinstance(x, (tuple, list)) or len(x) != 2:
        refuse("x", x, "a tuple of two tensors, real and imaginary parts", owner)
    parts = [to_tensor(part) for part in x]
    shapes, kinds = [part.shape for part in parts], [part.dtype for part in parts]
    if shapes[0] != shapes[1] or len(shapes[0]) < rank or not all(map(dtypes.is_floating, kinds)):
        raise ValueError(
            f"{owner}: argument `x` must be real and imaginary parts of one shape, of rank {rank} "
            f"or more, both floating. Received shapes {shapes[0]} and {shapes[1]}, dtypes "
            f"{kinds[0]} and {kinds[1]}"
        )
    return from_parts(*parts)


def _parted(x: Tensor) -> tuple[Tensor, Tensor]:
    return real(x), imag(x)


def _length(fft_length: int | None, natural: int, owner: str) -> int:
    length = natural if fft_length is None else fft_length
    if not is_a(length, int) or length < 1:
        raise ValueError(
            f"{owner}: argument `fft_length` must be an int >= 1. Received: {short(length)}"
        )
    return int(length)


@op
def fft(x: Parts) -> tuple[Tensor, Tensor]:
    """The discrete Fourier transform along the last axis.

    Args:
        x: real and imaginary parts: two floating tensors `(..., size)`.

    Returns:
        Real and imaginary parts: two tensors of the same shape.

    Raises:
        ValueError: `x` is no pair of floating tensors of one shape.

    Example:
        >>> import nkeras
        >>> parts = nkeras.ops.fft((nkeras.ops.array([1.0, 2.0]), nkeras.ops.array([0.0, 1.0])))
        >>> parts[0].numpy(), parts[1].numpy()
        (array([ 3., -1.], dtype=float32), array([ 1., -1.], dtype=float32))

    Source: https://keras.io/api/ops/fft/
    """
    z = _joined(x, "fft")
    return _parted(_fft(z, axes=(len(z.shape) - 1,), inverse=False))


def _over_two(x: Parts, owner: str, inverse: bool) -> tuple[Tensor, Tensor]:
    z = _joined(x, owner, 2)
    rank = len(z.shape)
    return _parted(_fft(z, axes=(rank - 2, rank - 1), inverse=inverse))


@op
def fft2(x: Parts) -> tuple[Tensor, Tensor]:
    """The discrete Fourier transform along the last two axes.

    Args:
        x: real and imaginary parts: two floating tensors `(..., rows, columns)`.

    Returns:
        Real and imaginary parts: two tensors of the same shape.

    Raises:
        ValueError: `x` is no pair of floating tensors of one shape.

    Example:
        >>> import nkeras
        >>> image = nkeras.ops.ones((2, 2))
        >>> nkeras.ops.fft2((image, image))[0].numpy()
        array([[4., 0.],
               [0., 0.]], dtype=float32)

    Source: https://keras.io/api/ops/fft/
    """
    return _over_two(x, "fft2", inverse=False)


@op
def ifft2(x: Parts) -> tuple[Tensor, Tensor]:
    """The inverse of `fft2`.

    Args:
        x: real and imaginary parts: two floating tensors `(..., rows, columns)`.

    Returns:
        Real and imaginary parts: two tensors of the same shape.

    Raises:
        ValueError: `x` is no pair of floating tensors of one shape.

    Example:
        >>> import nkeras
        >>> image = nkeras.ops.ones((2, 2))
        >>> nkeras.ops.ifft2(nkeras.ops.fft2((image, image)))[0].numpy()
        array([[1., 1.],
               [1., 1.]], dtype=float32)

    Source: https://keras.io/api/ops/fft/
    """
    return _over_two(x, "ifft2", inverse=True)


@op
def rfft(x: TensorLike, fft_length: int | None = None) -> tuple[Tensor, Tensor]:
    """The discrete Fourier transform of real numbers along the last axis.

    Args:
        x: tensor of real numbers `(..., size)`.
        fft_length: to which size they are cut, or filled with zeros; that of `x` by default.

    Returns:
        Real and imaginary parts: two tensors `(..., fft_length // 2 + 1)`; the other half of the
        transform are conjugates of these.

    Raises:
        ValueError: `fft_length` is no positive int, or the numbers are complex.

    Example:
        >>> import nkeras
        >>> nkeras.ops.rfft([1.0, 1.0, 1.0])[0].numpy()
        array([3., 0.], dtype=float32)

    Source: https://keras.io/api/ops/fft/
    """
    x = to_floating(x)
    if not x.shape or dtypes.is_complex(x.dtype):
        raise ValueError(
            "rfft: argument `x` must hold real numbers, of rank 1 or more. Received shape "
            f"{x.shape}, dtype {x.dtype}"
        )
    return _parted(_rfft(x, size=_length(fft_length, x.shape[-1], "rfft")))


@op
def irfft(x: Parts, fft_length: int | None = None) -> Tensor:
    """The inverse of `rfft`.

    Args:
        x: real and imaginary parts: two floating tensors `(..., size)`.
        fft_length: the size of the result; `2 * (size - 1)` by default. One that was odd must be
            given.

    Returns:
        Tensor of real numbers `(..., fft_length)`.

    Raises:
        ValueError: `x` is no pair of floating tensors of one shape, or `fft_length` no positive
            int.

    Example:
        >>> import nkeras
        >>> nkeras.ops.irfft(nkeras.ops.rfft([1.0, 2.0, 3.0, 6.0])).numpy()
        array([1., 2., 3., 6.], dtype=float32)

    Source: https://keras.io/api/ops/fft/
    """
    z = _joined(x, "irfft")
    return _irfft(z, size=_length(fft_length, 2 * (z.shape[-1] - 1), "irfft"))


@op
def extract_sequences(x: TensorLike, sequence_length: int, sequence_stride: int) -> Tensor:
    """Windows that slide over the last axis.

    Args:
        x: tensor `(..., size)`.
        sequence_length: elements of a window.
        sequence_stride: elements from one window to the next.

    Returns:
        Tensor `(..., 1 + (size - sequence_length) // sequence_stride, sequence_length)`.

    Raises:
        ValueError: a length or stride is no positive int, or there is no room for one window.

    Example:
        >>> import nkeras
        >>> nkeras.ops.extract_sequences([1, 2, 3, 4, 5, 6], 3, 2).numpy()
        array([[1, 2, 3],
               [3, 4, 5]], dtype=int32)

    Source: https://keras.io/api/ops/fft/
    """
    x = to_tensor(x)
    size = x.shape[-1] if x.shape else 0
    for name, value in (("length", sequence_length), ("stride", sequence_stride)):
        if not is_a(value, int) or value < 1:
            raise ValueError(
                f"extract_sequences: argument `sequence_{name}` must be an int >= 1. Received: "
                f"{short(value)}"
            )
    if size < sequence_length:
        raise ValueError(
            f"extract_sequences: sequences of {sequence_length} elements need as many along the "
            f"last axis of `x`. Received shape {x.shape}"
        )
    places = _places(
        1 + (size - sequence_length) // sequence_stride, sequence_length, sequence_stride
    )
    return take_(x, to_tensor(places), axis=len(x.shape) - 1)


def _places(count: int, length: int, stride: int) -> np.ndarray:
    """Where the elements of each window stand."""
    return np.add.outer(np.arange(count) * stride, np.arange(length)).astype("int32")


def _window_of(
    window: str | TensorLike | None, sequence_length: int, fft_length: int, owner: str
) -> np.ndarray | None:
    """The window, with zeros around it up to the size of a transform."""
    if not (is_a(sequence_length, int) and is_a(fft_length, int)) or fft_length < sequence_length:
        raise ValueError(
            f"{owner}: arguments `sequence_length` and `fft_length` must be int, the latter not "
            f"less. Received: {short(sequence_length)} and {short(fft_length)}"
        )
    if window is None:
        return None
    if isinstance(window, str):
        if window not in ("hann", "hamming"):
            refuse("window", window, '"hann", "hamming", values or None', owner)
        values = signal_window(window, sequence_length, periodic=True)
    else:
        values = np.asarray(window)
        if values.shape != (sequence_length,):
            raise ValueError(
                f"{owner}: argument `window` must have the shape ({sequence_length},), one number "
                f"for each element of a sequence. Received shape {values.shape}"
            )
    low = (fft_length - sequence_length) // 2
    return np.pad(values, (low, fft_length - sequence_length - low))


def _check_stride(sequence_stride: int, owner: str) -> None:
    if not is_a(sequence_stride, int) or sequence_stride < 1:
        raise ValueError(
            f"{owner}: argument `sequence_stride` must be an int >= 1. Received: "
            f"{short(sequence_stride)}"
        )


@op
def stft(
    x: TensorLike,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    window: str | TensorLike | None = "hann",
    center: bool = True,
) -> tuple[Tensor, Tensor]:
    """Fourier transforms of short, overlapping sequences along the last axis.

    Args:
        x: tensor of float32 or float64 `(..., size)`.
        sequence_length: elements of a sequence.
        sequence_stride: elements from one sequence to the next.
        fft_length: size of a transform, at least `sequence_length`.
        window: factors of the elements of a sequence: `"hann"`, `"hamming"`, numbers
            `(sequence_length,)`, or None for 1.
        center: whether sequence t has its middle at element `t * sequence_stride`, of `x` mirrored
            at both ends; otherwise it begins there.

    Returns:
        Real and imaginary parts: two tensors `(..., sequences, fft_length // 2 + 1)`.

    Raises:
        TypeError: another dtype.
        ValueError: a length or the window is none.

    Example:
        >>> import nkeras
        >>> real, imaginary = nkeras.ops.stft(nkeras.ops.ones((100,)), 16, 8, 16)
        >>> real.shape
        (13, 9)

    Source: https://keras.io/api/ops/fft/
    """
    x = to_tensor(x)
    if x.dtype not in ("float32", "float64"):
        raise TypeError(f"stft: argument `x` must be float32 or float64. Received: {x.dtype}")
    _check_stride(sequence_stride, "stft")
    factors = _window_of(window, sequence_length, fft_length, "stft")
    if center:
        half = fft_length // 2
        x = pad(x, (*((0, 0),) * (len(x.shape) - 1), (half, half)), mode="reflect")
    sequences = extract_sequences(x, fft_length, sequence_stride)
    if factors is not None:
        sequences = sequences * to_tensor(factors, x.dtype)
    return _parted(_rfft(sequences, size=fft_length))


@op
def istft(
    x: Parts,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    length: int | None = None,
    window: str | TensorLike | None = "hann",
    center: bool = True,
) -> Tensor:
    """The inverse of `stft`, given the same arguments.

    Where sequences overlap, each counts with the square of its window; with `window=None` they are
    added, so that a signal comes back `fft_length / sequence_stride` times as large.

    Args:
        x: real and imaginary parts: two floating tensors `(..., sequences, fft_length // 2 + 1)`.
        sequence_length: elements of a sequence.
        sequence_stride: elements from one sequence to the next.
        fft_length: size of a transform, at least `sequence_length`.
        length: elements of the result, at most; None for all.
        window: that of `stft`.
        center: that of `stft`.

    Returns:
        Tensor of real numbers `(..., size)`.

    Raises:
        ValueError: `x` is no pair of floating tensors of one shape, or a length or the window is
            none.

    Example:
        >>> import nkeras
        >>> signal = nkeras.ops.arange(32, dtype="float32")
        >>> back = nkeras.ops.istft(nkeras.ops.stft(signal, 8, 4, 8), 8, 4, 8)
        >>> float(nkeras.ops.max(nkeras.ops.abs(back - signal))) < 1e-4
        True

    Source: https://keras.io/api/ops/fft/
    """
    z = _joined(x, "istft", 2)
    _check_stride(sequence_stride, "istft")
    factors = _window_of(window, sequence_length, fft_length, "istft")
    sequences = _irfft(z, size=fft_length)
    count = z.shape[-2]
    places = _places(count, fft_length, sequence_stride)
    size = fft_length + sequence_stride * (count - 1)
    ones = np.ones(fft_length) if factors is None else factors
    overlap = np.bincount(places.ravel(), np.tile(ones * ones, count), size)
    scale = np.where(overlap > 1e-10, 1.0 / np.where(overlap > 1e-10, overlap, 1.0), 1.0)
    if factors is None:
        scale = scale * fft_length / sequence_stride
    else:
        sequences = sequences * to_tensor(factors, sequences.dtype)
    shape = (*z.shape[:-2], size)
    signal = take_grad(sequences, to_tensor(places), shape=shape, axis=len(shape) - 1)
    signal = signal * to_tensor(scale, sequences.dtype)
    start = fft_length // 2 if center else 0
    end = size - start if length is None else start + int(length)
    return signal[..., start:end]


missing.explain(__name__)
