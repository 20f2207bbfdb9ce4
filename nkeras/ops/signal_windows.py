"""Windows: factors of the elements of a sequence, before its Fourier transform."""

from __future__ import annotations

import numpy as np

from nkeras.core.errors import short

# Of cosines: the coefficient of each, with signs that alternate.
# Source: https://docs.scipy.org/doc/scipy/reference/signal.windows.html
_COSINES: dict[str, tuple[float, ...]] = {
    "boxcar": (1.0,),
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.5, 0.08),
    "nuttall": (0.3635819, 0.4891775, 0.1365995, 0.0106411),
    "blackmanharris": (0.35875, 0.48829, 0.14128, 0.01168),
    "flattop": (0.21557895, 0.41663158, 0.277263158, 0.083578947, 0.006947368),
}
NAMES = (*_COSINES, "bartlett", "cosine")


def check_window(name: str, owner: str) -> None:
    """Refuse the name of no window.

    Raises:
        ValueError: it is none of `NAMES`.
    """
    if name not in NAMES:
        raise ValueError(
            f"{owner}: argument `window` must be one of {', '.join(NAMES)}, numbers or None. "
            f"Received: window={short(name)}"
        )


def signal_window(name: str, size: int, periodic: bool) -> np.ndarray:
    """A window in float64.

    Args:
        name: one of `NAMES`.
        size: number of elements.
        periodic: whether the element behind the last one would be the first again; otherwise the
            window is symmetric.
    """
    if size <= 1:
        return np.ones(size)
    period = size if periodic else size - 1
    places = np.arange(size)
    if name == "bartlett":
        return 1.0 - np.abs(2.0 * places / period - 1.0)
    if name == "cosine":
        return np.sin(np.pi * (places + 0.5) / (period + 1))
    terms = enumerate(_COSINES[name])
    return sum((-1) ** k * a * np.cos(2 * np.pi * k * places / period) for k, a in terms) * np.ones(
        size
    )
