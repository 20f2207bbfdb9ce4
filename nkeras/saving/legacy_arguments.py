"""Arguments of layers in Keras 1 and 2, and what they are called today.

Source: the conversions that Keras 2 documents for models of Keras 1, and
https://keras.io/guides/migrating_to_keras_3/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nkeras.core.configurable import argument_names
from nkeras.core.errors import short
from nkeras.core.typing import Config

CLASSES: Mapping[str, str] = {
    "AtrousConv1D": "Conv1D",
    "AtrousConv2D": "Conv2D",
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "CuDNNGRU": "GRU",
    "CuDNNLSTM": "LSTM",
    "Deconv2D": "Conv2DTranspose",
    "Deconvolution2D": "Conv2DTranspose",
    "SeparableConvolution2D": "SeparableConv2D",
    "TimeDistributedDense": "Dense",
}
"""Names of classes that are others today."""

RECURRENT = ("RNN", "LSTM", "GRU", "SimpleRNN", "ConvLSTM1D", "ConvLSTM2D", "Bidirectional")

_MERGES = {
    "ave": "Average",
    "concat": "Concatenate",
    "max": "Maximum",
    "mul": "Multiply",
    "sum": "Add",
}

# Of Keras 1: what arguments of all layers are called, then those of single classes.
_RENAMED: Mapping[str, str] = {
    "W_constraint": "kernel_constraint",
    "W_regularizer": "kernel_regularizer",
    "U_regularizer": "recurrent_regularizer",
    "atrous_rate": "dilation_rate",
    "b_constraint": "bias_constraint",
    "b_regularizer": "bias_regularizer",
    "beta_init": "beta_initializer",
    "bias": "use_bias",
    "border_mode": "padding",
    "dim_ordering": "data_format",
    "dropout_U": "recurrent_dropout",
    "dropout_W": "dropout",
    "filter_length": "kernel_size",
    "forget_bias_init": "unit_forget_bias",
    "gamma_init": "gamma_initializer",
    "init": "kernel_initializer",
    "inner_activation": "recurrent_activation",
    "inner_init": "recurrent_initializer",
    "nb_filter": "filters",
    "output_dim": "units",
    "p": "rate",
    "pool_length": "pool_size",
    "sigma": "stddev",
    "stride": "strides",
    "subsample": "strides",
    "subsample_length": "strides",
}
_RENAMED_IN: Mapping[str, Mapping[str, str]] = {
    "Embedding": {
        "output_dim": "output_dim",
        "init": "embeddings_initializer",
        "W_regularizer": "embeddings_regularizer",
        "W_constraint": "embeddings_constraint",
    },
    "PReLU": {"init": "alpha_initializer"},
    "UpSampling1D": {"length": "size"},
}
_ALWAYS_LAST = (  # without an argument for it, at first
    *("Flatten", "MaxPooling1D", "AveragePooling1D"),
    *("GlobalMaxPooling1D", "GlobalAveragePooling1D"),
)
_DATA_FORMATS = {"tf": "channels_last", "th": "channels_first", "default": None}

# Arguments that changed nothing, or nothing with these values: left out without a word.
_WITHOUT_EFFECT: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(
        """adjustment batch_input_shape batch_size build_config cache_enabled consume_less
        custom_name fused implementation input_dim input_dtype input_length input_shape key_shape
        output_shape query_shape renorm_clipping renorm_momentum value_shape
        virtual_batch_size""".split(),
        lambda value: True,
    ),
    **dict.fromkeys(
        "kernel_initializer kernel_regularizer kernel_constraint".split(),
        lambda value: True,  # depthwise and separable kernels have names of their own
    ),
    "dropout": lambda value: not value,
    "groups": lambda value: value == 1,
    "mode": lambda value: value == 0,
    "ragged": lambda value: not value,
    "renorm": lambda value: not value,
    "sparse": lambda value: not value,
    "time_major": lambda value: not value,
}


def of_keras_1(name: str, config: Config) -> tuple[str, Config]:
    """Name and arguments of a layer of Keras 1, as Keras 2 calls them.

    Args:
        name: of the class, as Keras 1 calls it.
        config: its arguments.

    Raises:
        ValueError: the layer did something that today's layers do not do.
    """
    today = CLASSES.get(name, name)
    if name == "Merge":
        return _merge(config)
    config = dict(config)
    sizes = next(
        (
            names
            for names in (("nb_row", "nb_col"), ("kernel_dim1", "kernel_dim2", "kernel_dim3"))
            if set(names) <= set(config)
        ),
        (),
    )
    if sizes:
        config["kernel_size"] = [config.pop(size) for size in sizes]
    if today == "SeparableConv2D" and "init" in config:
        config["depthwise_initializer"] = config["pointwise_initializer"] = config.pop("init")
    renamed = {**_RENAMED, **_RENAMED_IN.get(today, {})}
    config = {renamed.get(argument, argument): value for argument, value in config.items()}
    if "data_format" in config:
        config["data_format"] = _DATA_FORMATS.get(config["data_format"], config["data_format"])
    if "unit_forget_bias" in config:
        config["unit_forget_bias"] = config["unit_forget_bias"] == "one"
    sides = config.get("padding")
    if today == "ZeroPadding2D" and isinstance(sides, list) and len(sides) == 4:
        config["padding"] = [sides[:2], sides[2:]]  # top, bottom; left, right
    for argument, value in config.items():
        if argument.endswith("_regularizer"):
            config[argument] = _regularizer(value)
        elif argument.endswith("_constraint"):
            config[argument] = _constraint(value)
    return today, config


def _merge(config: Config) -> tuple[str, Config]:
    """The layer that joins inputs in one way is a layer of its own today."""
    mode = config.get("mode")
    if mode not in _MERGES or config.get("layers"):
        raise ValueError(
            f"the layer Merge {short(config.get('name'))} of mode {short(mode)} has no counterpart "
            f"today; those of mode {', '.join(_MERGES)} in functional models have"
        )
    kept = {key: config[key] for key in ("name", "trainable") if key in config}
    if mode == "concat":
        kept["axis"] = config.get("concat_axis", -1)
    return _MERGES[mode], kept


def _regularizer(value: Any) -> Any:
    if not isinstance(value, dict) or "class_name" in value:
        return value
    if value.get("name") not in ("WeightRegularizer", "ActivityRegularizer"):
        raise ValueError(f"there is no regularizer {short(value)} today")
    return {"class_name": "L1L2", "config": {key: value.get(key) or 0.0 for key in ("l1", "l2")}}


def _constraint(value: Any) -> Any:
    if not isinstance(value, dict) or "class_name" in value:
        return value
    given = {"max_value" if key == "m" else key: item for key, item in value.items()}
    return {"class_name": given.pop("name", None), "config": given}


def of_keras_2(name: str, config: Config) -> tuple[str, Config]:
    """Name and arguments of a layer of Keras 2, as they are called today.

    Args:
        name: of the class, as Keras 2 calls it.
        config: its arguments; changed in place.
    """
    if name in ("CuDNNGRU", "CuDNNLSTM"):
        config.setdefault("recurrent_activation", "sigmoid")
    if name == "CuDNNGRU":
        config.setdefault("reset_after", True)
    if name == "LeakyReLU" and "alpha" in config:
        config["negative_slope"] = config.pop("alpha")
    if name in ("GRU", "GRUCell"):  # Keras 2.0 knew no other way
        config.setdefault("reset_after", False)
    if name in ("LSTM", "LSTMCell", "GRU", "GRUCell", "ConvLSTM2D"):
        config.setdefault("recurrent_activation", "hard_sigmoid")
    if name in _ALWAYS_LAST and not config.get("data_format"):
        config["data_format"] = "channels_last"
    return CLASSES.get(name, name), config


def known(cls: type, config: Config) -> Config:
    """The arguments that a class takes today, without those that have no effect.

    Raises:
        ValueError: one that the class does not take had an effect.
    """
    names = argument_names(cls)
    for argument, value in config.items():
        if argument not in names:
            is_idle = _WITHOUT_EFFECT.get(argument)
            if is_idle is None or not is_idle(value):
                raise ValueError(
                    f"{cls.__name__} {short(config.get('name'))} has no argument "
                    f"{short(argument)} today, which is {short(value)} in the file"
                )
    return {argument: value for argument, value in config.items() if argument in names}
