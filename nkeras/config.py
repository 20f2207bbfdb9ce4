"""Global settings, as `keras.config`."""

from nkeras.backend.registry import set_backend
from nkeras.core import missing
from nkeras.core.config import (
    backend,
    convolution_algorithm,
    disable_flash_attention,
    disable_traceback_filtering,
    enable_flash_attention,
    enable_traceback_filtering,
    epsilon,
    floatx,
    image_data_format,
    is_flash_attention_enabled,
    is_traceback_filtering_enabled,
    matmul_precision,
    max_epochs,
    max_steps_per_epoch,
    set_convolution_algorithm,
    set_epsilon,
    set_floatx,
    set_image_data_format,
    set_matmul_precision,
    set_max_epochs,
    set_max_steps_per_epoch,
)
from nkeras.core.policies import dtype_policy, set_dtype_policy
from nkeras.utils.io_utils import (
    disable_interactive_logging,
    enable_interactive_logging,
    is_interactive_logging_enabled,
)

__all__ = [
    "backend",
    "convolution_algorithm",
    "disable_flash_attention",
    "disable_interactive_logging",
    "disable_traceback_filtering",
    "dtype_policy",
    "enable_flash_attention",
    "enable_interactive_logging",
    "enable_traceback_filtering",
    "epsilon",
    "floatx",
    "image_data_format",
    "is_flash_attention_enabled",
    "is_interactive_logging_enabled",
    "is_traceback_filtering_enabled",
    "matmul_precision",
    "max_epochs",
    "max_steps_per_epoch",
    "set_backend",
    "set_convolution_algorithm",
    "set_dtype_policy",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "set_matmul_precision",
    "set_max_epochs",
    "set_max_steps_per_epoch",
]

missing.explain(__name__)
