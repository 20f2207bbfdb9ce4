"""Spectrograms: which frequencies a signal has, as time goes by."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from nkeras import initializers, ops
from nkeras.core import config, dtypes
from nkeras.core.config import standardize_data_format
from nkeras.core.errors import is_a, refuse, short, warn
from nkeras.core.tensor import Tensor
from nkeras.core.typing import AllLayerOptions, PartialShape, TensorLike, Unpack
from nkeras.layers.base import Layer
from nkeras.layers.input_spec import InputSpec
from nkeras.ops.signal_windows import check_window

_MODES = ("log", "magnitude", "psd", "real", "imag", "angle", "stft")

MOST = 1 << 24  # elements of a Fourier transform; windows are made when a layer is described


class STFTSpectrogram(Layer):
    """Fourier transforms of short, overlapping sequences of a signal, by convolutions.

    Their kernels are weights, which can be trained like others. Each channel is transformed by
    itself.

    Args:
        mode: what comes out: `"log"` (of the magnitude), `"magnitude"`, `"psd"` (power spectral
            density), `"real"`, `"imag"`, `"angle"`, or `"stft"` (real parts, then imaginary ones).
        frame_length: elements of a sequence.
        frame_step: elements from one sequence to the next; half of `frame_length` by default.
        fft_length: size of a transform; by default the least power of two that is not less than
            `frame_length`.
        window: factors of the elements of a sequence: `"hann"`, `"hamming"`, `"blackman"` or
            another of SciPy's that are sums of cosines, numbers, or None for 1.
        periodic: whether the window's next element would be its first, instead of a symmetric one.
        scaling: what the window is divided by: `"density"` for the root of the sum of its squares,
            `"spectrum"` for the sum of its absolute values, None for nothing.
        padding: `"valid"` or `"same"`.
        expand_dims: whether frequencies have an axis of their own, as in images.
        data_format: `"channels_last"` or `"channels_first"`.

    Input shape: `(batch, time, channels)`, or channels first.
    Output shape: `(batch, steps, channels * frequencies)`, with `expand_dims` `(batch, steps,
    frequencies, channels)`; channels first `(batch, channels * frequencies, steps)` and `(batch,
    channels, steps, frequencies)`.

    Raises:
        ValueError: an argument is none of these.
        TypeError: in a call, the inputs are not floating.

    Example:
        >>> import nkeras
        >>> layer = STFTSpectrogram(frame_length=64, trainable=False)
        >>> layer(nkeras.ops.ones((3, 1600, 1))).shape
        (3, 49, 33)

    Source: https://keras.io/api/layers/preprocessing_layers/audio_preprocessing/
    """

    def __init__(
        self,
        mode: Literal["log", "magnitude", "psd", "real", "imag", "angle", "stft"] = "log",
        frame_length: int = 256,
        frame_step: int | None = None,
        fft_length: int | None = None,
        window: str | TensorLike | None = "hann",
        periodic: bool = False,
        scaling: Literal["density", "spectrum"] | None = "density",
        padding: Literal["valid", "same"] = "valid",
        expand_dims: bool = False,
        data_format: str | None = None,
        **kwargs: Unpack[AllLayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        owner = type(self).__name__
        if mode not in _MODES:
            refuse("mode", mode, ", ".join(map(repr, _MODES)), owner)
        if padding not in ("valid", "same"):
            refuse("padding", padding, '"valid" or "same"', owner)
        if scaling not in ("density", "spectrum", None):
            refuse("scaling", scaling, '"density", "spectrum" or None', owner)
        if not is_a(frame_length, int) or frame_length < 1:
            refuse("frame_length", frame_length, "an int >= 1", owner)
        if frame_step is not None and not (
            is_a(frame_step, int) and 1 <= frame_step <= frame_length
        ):
            refuse("frame_step", frame_step, f"an int from 1 to {frame_length}", owner)
        if fft_length is not None and not (is_a(fft_length, int) and fft_length >= frame_length):
            refuse("fft_length", fft_length, f"an int >= frame_length={frame_length}", owner)
        if max(frame_length, fft_length or 0) > MOST:
            refuse("fft_length", fft_length or frame_length, f"at most {MOST}", owner)
        if fft_length is not None and fft_length & (fft_length - 1):
            warn(f"{owner}: `fft_length` should be a power of two. Received: {fft_length}")
        if isinstance(window, str):
            check_window(window, owner)
        self.mode = mode
        self.frame_length = frame_length
        self.frame_step = frame_step
        self.fft_length = fft_length
        self.window = window
        self.periodic = periodic
        self.scaling: Literal["density", "spectrum"] | None = scaling
        self.padding = padding
        self.expand_dims = expand_dims
        self.data_format = standardize_data_format(data_format, owner)
        self.input_spec = InputSpec(ndim=3)

    def build(self, input_shape: PartialShape) -> None:
        """Make the kernels: those of real parts, of imaginary ones, or both."""
        size = self.fft_length or 2 ** math.ceil(math.log2(self.frame_length))
        for side in ("real", "imag"):
            if self.mode != {"real": "imag", "imag": "real"}[side]:
                kernel = self.add_weight(
                    (self.frame_length, 1, size // 2 + 1),
                    initializers.STFT(side, self.window, self.scaling, self.periodic),
                    name=f"{side}_kernel",
                )
                setattr(self, f"{side}_kernel", kernel)

    def call(self, inputs: Tensor) -> Tensor:
        """The spectrograms of each channel."""
        if not dtypes.is_floating(inputs.dtype):
            raise TypeError(
                f"{type(self).__name__}: inputs must be floating. Received dtype {inputs.dtype}"
            )
        is_last = self.data_format == "channels_last"
        channels = inputs if is_last else ops.transpose(inputs, (0, 2, 1))
        return self._arranged(self._spectrum(channels), is_last)

    def _spectrum(self, x: Tensor) -> Tensor:
        """`(batch, time, channels)` to `(batch, channels, steps, frequencies)`."""
        if self.mode in ("real", "imag"):
            return self._part(x, self.mode)
        real, imag = self._part(x, "real"), self._part(x, "imag")
        if self.mode == "angle":
            return ops.arctan2(imag, real)
        if self.mode == "stft":
            return ops.concatenate([real, imag], -1)
        power = ops.square(real) + ops.square(imag)
        if self.mode == "psd":  # frequencies between the ends stand for their negatives too
            return power + ops.pad(power[..., 1:-1], ((0, 0), (0, 0), (0, 0), (1, 1)))
        magnitude = ops.sqrt(ops.maximum(power, config.epsilon()))
        if self.mode == "magnitude":
            return magnitude
        return ops.log(ops.maximum(magnitude, config.epsilon()))

    def _part(self, x: Tensor, side: str) -> Tensor:
        _, time, channels = x.shape
        signals = ops.reshape(ops.transpose(x, (0, 2, 1)), (-1, time, 1))
        kernel = ops.cast(getattr(self, f"{side}_kernel"), x.dtype)
        step = self.frame_step or self.frame_length // 2
        y = ops.conv(signals, kernel, step, self.padding, data_format="channels_last")
        return ops.reshape(y, (-1, channels, *y.shape[1:]))

    def _arranged(self, spectrum: Tensor, is_last: bool) -> Tensor:
        if self.expand_dims:
            return ops.transpose(spectrum, (0, 2, 3, 1)) if is_last else spectrum
        _, channels, steps, frequencies = spectrum.shape
        if is_last:
            rows = ops.transpose(spectrum, (0, 2, 1, 3))
            return ops.reshape(rows, (-1, steps, channels * frequencies))
        columns = ops.transpose(spectrum, (0, 1, 3, 2))
        return ops.reshape(columns, (-1, channels * frequencies, steps))


class MelSpectrogram(Layer):
    """How strong the bands of the mel scale are in a signal, as time goes by.

    Args:
        fft_length: size of a Fourier transform.
        sequence_stride: elements from one sequence to the next.
        sequence_length: elements of a sequence; `fft_length` by default.
        window: factors of the elements of a sequence: `"hann"`, `"hamming"`, numbers, or None for
            1.
        sampling_rate: elements for each second.
        num_mel_bins: number of bands.
        min_freq: lower end of the first band, in hertz.
        max_freq: upper end of the last band; half of `sampling_rate` by default.
        power_to_db: whether the result is in decibels.
        top_db: how far below the largest result the smallest one may be, in decibels.
        mag_exp: power of the magnitudes that is added up.
        min_power: least value whose logarithm is taken.
        ref_power: what 0 decibels stand for.

    Input shape: `(samples,)` or `(batch, samples)`. Output shape: `(num_mel_bins, steps)` or
    `(batch, num_mel_bins, steps)`.

    Raises:
        ValueError: `fft_length` is less than `sequence_length`.

    Example:
        >>> import nkeras
        >>> layer = MelSpectrogram(num_mel_bins=40, sampling_rate=8000, sequence_stride=256)
        >>> layer(nkeras.ops.ones((2, 16000))).shape
        (2, 40, 63)

    Source: https://keras.io/api/layers/preprocessing_layers/audio_preprocessing/
    """

    def __init__(
        self,
        fft_length: int = 2048,
        sequence_stride: int = 512,
        sequence_length: int | None = None,
        window: str | TensorLike | None = "hann",
        sampling_rate: int = 16000,
        num_mel_bins: int = 128,
        min_freq: float = 20.0,
        max_freq: float | None = None,
        power_to_db: bool = True,
        top_db: float = 80.0,
        mag_exp: float = 2.0,
        min_power: float = 1e-10,
        ref_power: float = 1.0,
        **kwargs: Unpack[AllLayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.fft_length = fft_length
        self.sequence_stride = sequence_stride
        self.sequence_length = sequence_length or fft_length
        if fft_length > MOST:
            refuse("fft_length", fft_length, f"at most {MOST}", type(self).__name__)
        if fft_length < self.sequence_length:
            raise ValueError(
                f"{type(self).__name__}: argument `fft_length` must not be less than "
                f"`sequence_length`. Received: {short(fft_length)} and {self.sequence_length}"
            )
        self.window = window
        self.sampling_rate = sampling_rate
        self.num_mel_bins = num_mel_bins
        self.min_freq = min_freq
        self.max_freq = max_freq or int(sampling_rate / 2)
        self.power_to_db = power_to_db
        self.top_db = top_db
        self.mag_exp = mag_exp
        self.min_power = min_power
        self.ref_power = ref_power

    def call(self, inputs: Tensor) -> Tensor:
        """The bands of each step; computed in float32 at least."""
        kind = "float64" if self.compute_dtype == "float64" else "float32"
        real, imag = ops.stft(
            ops.cast(inputs, kind),
            self.sequence_length,
            self.sequence_stride,
            self.fft_length,
            self.window,
        )
        power = ops.power(ops.sqrt(ops.square(real) + ops.square(imag)), self.mag_exp)
        bands = ops.matmul(power, ops.convert_to_tensor(self._mel_weights(), kind))
        if self.power_to_db:
            bands = self._decibels(bands)
        return ops.cast(ops.swapaxes(bands, -1, -2), self.compute_dtype)

    def _decibels(self, x: Tensor) -> Tensor:
        reference = 10.0 * math.log10(max(abs(self.ref_power), self.min_power))
        x = 10.0 * ops.log10(ops.maximum(x, self.min_power)) - reference
        return ops.maximum(x, ops.max(x) - self.top_db)

    def _mel_weights(self) -> np.ndarray:
        """How much each frequency counts for each band: triangles on the mel scale."""
        hertz = np.linspace(0.0, self.sampling_rate / 2.0, self.fft_length // 2 + 1)
        places = _mel(hertz)[:, None]
        first, last = _mel(np.array([self.min_freq, self.max_freq]))
        edges = np.linspace(first, last, self.num_mel_bins + 2)
        low, middle, high = edges[:-2], edges[1:-1], edges[2:]
        rising, falling = (places - low) / (middle - low), (high - places) / (high - middle)
        weights = np.maximum(0.0, np.minimum(rising, falling))
        weights[0] = 0.0  # no frequency is no tone
        return weights


def _mel(hertz: np.ndarray) -> np.ndarray:
    """Source: https://en.wikipedia.org/wiki/Mel_scale."""
    return 1127.0 * np.log1p(hertz / 700.0)
