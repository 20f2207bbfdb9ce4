"""Global settings, as `keras.config`: one object, read everywhere."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from importlib.util import find_spec

from nkeras.core.errors import SettingError, is_a, refuse, short
from nkeras.core.guards import all_changed


def _limit_from_environment(name: str) -> int | None:
    text = os.environ.get(name)
    if not text:
        return None
    if not text.isdigit() or int(text) == 0:
        raise SettingError(f"{name} must be a positive int. Received: {short(text)}")
    return int(text)


@dataclass
class _Settings:
    floatx: str = "float32"
    epsilon: float = 1e-7
    image_data_format: str = "channels_last"
    traceback_filtering: bool = True
    run_eagerly: bool = False
    convolution_algorithm: str = "auto"
    matmul_precision: str = "float32"
    flash_attention: bool | None = None
    max_epochs: int | None = field(
        default_factory=lambda: _limit_from_environment("NKERAS_MAX_EPOCHS")
    )
    max_steps_per_epoch: int | None = field(
        default_factory=lambda: _limit_from_environment("NKERAS_MAX_STEPS_PER_EPOCH")
    )

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)
        all_changed(f"the setting {name}")


_settings = _Settings()


def floatx() -> str:
    """The default floating dtype, `"float32"` unless set.

    Example:
        >>> floatx()
        'float32'
    """
    return _settings.floatx


def set_floatx(value: str) -> None:
    """Set the default floating dtype: `"bfloat16"`, `"float16"`, `"float32"` or `"float64"`."""
    accepted = ("bfloat16", "float16", "float32", "float64")
    if value not in accepted:
        refuse("value", value, f"one of {', '.join(accepted)}", "set_floatx()")
    require(value)
    _settings.floatx = value


def require(dtype: object) -> None:
    """Raise a ValueError if a dtype is "bfloat16" and the package that defines it is missing."""
    if dtype == "bfloat16" and find_spec("ml_dtypes") is None:
        raise ValueError(
            "The dtype bfloat16 needs the package ml_dtypes, which is not installed. "
            "Run `pip install ml_dtypes`; where it has no wheel, that needs a C++ compiler."
        )


def epsilon() -> float:
    """The fuzz factor that keeps logarithms and quotients finite, 1e-7 unless set.

    Example:
        >>> epsilon()
        1e-07
    """
    return _settings.epsilon


def set_epsilon(value: float) -> None:
    """Set the fuzz factor, a positive float."""
    if not is_a(value, (int, float)) or value <= 0:
        refuse("value", value, "a positive float", "set_epsilon()")
    _settings.epsilon = float(value)


def image_data_format() -> str:
    """The default layout, `"channels_last"` unless set."""
    return _settings.image_data_format


def set_image_data_format(data_format: str) -> None:
    """Set the default layout: `"channels_last"` or `"channels_first"`."""
    _settings.image_data_format = standardize_data_format(data_format)


def standardize_data_format(data_format: str | None, owner: str = "") -> str:
    """The layout in lower case, the default for None.

    Raises:
        ValueError: it is neither `"channels_first"` nor `"channels_last"`.
    """
    if data_format is None:
        return image_data_format()
    name = str(data_format).lower()
    if name not in ("channels_first", "channels_last"):
        refuse("data_format", data_format, '"channels_first" or "channels_last"', owner or "nkeras")
    return name


def enable_flash_attention() -> None:
    """Let attention layers use blocks of scores: the default.

    Source: https://keras.io/api/config/
    """
    _settings.flash_attention = None


def disable_flash_attention() -> None:
    """For Keras' sake: nkeras computes attention by blocks anyway, at the same accuracy.

    Source: https://keras.io/api/config/
    """
    _settings.flash_attention = False


def is_flash_attention_enabled() -> bool | None:
    """False after `disable_flash_attention`, else None: layers may decide.

    Example:
        >>> is_flash_attention_enabled()

    Source: https://keras.io/api/config/
    """
    return _settings.flash_attention


def convolution_algorithm() -> str:
    """How backends that can choose compute convolutions, `"auto"` unless set.

    Example:
        >>> convolution_algorithm()
        'auto'
    """
    return _settings.convolution_algorithm


def set_convolution_algorithm(value: str) -> None:
    """Choose between speed and rounding in float32 convolutions with 3 x 3 windows and stride 1.

    Against the largest result, the error is about 1e-6 the direct way, less with Winograd's
    algorithm for 2 x 2 outputs, and 5e-6 to 1.5e-5 for 4 x 4 outputs, which is the fastest. Other
    convolutions and float64 are always direct.

    Args:
        value: `"auto"` (4 x 4 where it is faster, 2 x 2 for one image or a few, where that is),
            `"winograd_f2"` (2 x 2 in all of these) or `"direct"`.

    Source: https://arxiv.org/abs/1509.09308
    """
    accepted = ("auto", "winograd_f2", "direct")
    if value not in accepted:
        refuse("value", value, f"one of {', '.join(accepted)}", "set_convolution_algorithm()")
    _settings.convolution_algorithm = value


def matmul_precision() -> str:
    """How exactly GPUs multiply float32, `"float32"` unless set.

    Example:
        >>> matmul_precision()
        'float32'
    """
    return _settings.matmul_precision


def set_matmul_precision(value: str) -> None:
    """Choose between speed and rounding in products and convolutions of float32 on tensor cores.

    Exact products are made of three of numbers with 11 bits, whose error is that of float32. One
    such product is up to three times as fast, with a relative error of about 5e-4 in each number
    that is multiplied. Sums are float32 in both, as are other kernels. Other backends, other dtypes
    and GPUs without such tensor cores are exact with either.

    Args:
        value: `"float32"` or `"tensorfloat32"`.

    Raises:
        ValueError: it is neither.

    Example:
        >>> set_matmul_precision("tensorfloat32")
        >>> matmul_precision()
        'tensorfloat32'
        >>> set_matmul_precision("float32")

    Source: https://arxiv.org/abs/2203.03341
    """
    accepted = ("float32", "tensorfloat32")
    if value not in accepted:
        refuse("value", value, f"one of {', '.join(accepted)}", "set_matmul_precision()")
    _settings.matmul_precision = value


def max_epochs() -> int | None:
    """How many epochs `fit` goes at most, whatever it is told; None for no limit.

    Source: https://keras.io/api/utils/config_utils/
    """
    return _settings.max_epochs


def set_max_epochs(max_epochs: int | None) -> None:
    """Limit the epochs of every `fit`, such as for a quick trial of a long program.

    The environment variable `NKERAS_MAX_EPOCHS` does the same.

    Args:
        max_epochs: positive int, or None for no limit.

    Raises:
        ValueError: it is neither.

    Example:
        >>> set_max_epochs(2)
        >>> max_epochs()
        2
        >>> set_max_epochs(None)

    Source: https://keras.io/api/utils/config_utils/
    """
    _settings.max_epochs = _limit("max_epochs", max_epochs)


def max_steps_per_epoch() -> int | None:
    """How many steps an epoch of `fit`, `evaluate` and `predict` has at most; None for no limit.

    Source: https://keras.io/api/utils/config_utils/
    """
    return _settings.max_steps_per_epoch


def set_max_steps_per_epoch(max_steps_per_epoch: int | None) -> None:
    """Limit the steps of every epoch of `fit`, `evaluate` and `predict`.

    The environment variable `NKERAS_MAX_STEPS_PER_EPOCH` does the same.

    Args:
        max_steps_per_epoch: positive int, or None for no limit.

    Raises:
        ValueError: it is neither.

    Example:
        >>> set_max_steps_per_epoch(5)
        >>> max_steps_per_epoch()
        5
        >>> set_max_steps_per_epoch(None)

    Source: https://keras.io/api/utils/config_utils/
    """
    _settings.max_steps_per_epoch = _limit("max_steps_per_epoch", max_steps_per_epoch)


def _limit(name: str, value: int | None) -> int | None:
    if value is not None and (isinstance(value, bool) or not is_a(value, int) or value < 1):
        refuse(name, value, "a positive int or None", f"set_{name}()")
    return value


def enable_traceback_filtering() -> None:
    """Leave frames of nkeras out of tracebacks, and say in which layer an error happened."""
    _settings.traceback_filtering = True


def disable_traceback_filtering() -> None:
    """Show all frames in tracebacks."""
    _settings.traceback_filtering = False


def is_traceback_filtering_enabled() -> bool:
    """What was last set."""
    return _settings.traceback_filtering


def backend() -> str:
    """The name of the active backend, as `nkeras.get_backend()`."""
    from nkeras.backend import registry

    return registry.active().name
