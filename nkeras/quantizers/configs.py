"""How a layer is quantized."""

from __future__ import annotations

from typing import Any, NoReturn

from nkeras.core.configurable import Configurable
from nkeras.core.errors import is_a, refuse, short
from nkeras.core.guards import GuardedAttributes
from nkeras.quantizers.quantizers import AbsMaxQuantizer

NOT_OFFERED = ("int4", "float8", "gptq", "awq")


class QuantizationConfig(Configurable, GuardedAttributes):
    """Base of configurations: by what weights and inputs become integers.

    Args:
        weight_quantizer: quantizer of the weights; that of the layer for None.
        activation_quantizer: quantizer of the inputs; None leaves them floats.
    """

    def __init__(self, weight_quantizer: Any = None, activation_quantizer: Any = None) -> None:
        self.weight_quantizer = weight_quantizer
        self.activation_quantizer = activation_quantizer

    @property
    def mode(self) -> str:
        """What the weights become: a subclass says it."""
        raise NotImplementedError("A subclass of QuantizationConfig must define `mode`.")


class Int8QuantizationConfig(QuantizationConfig):
    """Weights, and inputs where they have a quantizer, are 8 bit integers.

    Args:
        weight_quantizer: quantizer of the weights; that of the layer for None.
        activation_quantizer: quantizer of the inputs, `AbsMaxQuantizer()` by default; None leaves
            them floats.

    Raises:
        ValueError: a quantizer of weights that gives no int8.

    Example:
        >>> Int8QuantizationConfig().mode
        'int8'

    Source: https://keras.io/api/quantizers/
    """

    def __init__(self, weight_quantizer: Any = None, activation_quantizer: Any = "default") -> None:
        if isinstance(activation_quantizer, str) and activation_quantizer == "default":
            activation_quantizer = AbsMaxQuantizer()
        super().__init__(weight_quantizer, activation_quantizer)
        if weight_quantizer is not None and weight_quantizer.output_dtype != "int8":
            expected = "a quantizer with output_dtype='int8'"
            refuse("weight_quantizer", weight_quantizer, expected, "Int8QuantizationConfig")

    @property
    def mode(self) -> str:
        """`"int8"`."""
        return "int8"


def resolved(mode: object, config: object) -> QuantizationConfig:
    """The configuration that the arguments of `quantize` mean.

    Args:
        mode: `"int8"`, or None with a configuration.
        config: a configuration, or None for the usual one; a name stands for the mode, as in Keras.

    Raises:
        ValueError: neither is given, they contradict each other, or nkeras has no such mode.
    """
    if isinstance(config, str):
        mode, config = config, None
    if config is None and mode is None:
        raise ValueError("You must provide either `mode` or `config` to `quantize`.")
    if config is None:
        return Int8QuantizationConfig() if mode == "int8" else _refuse_mode(mode)
    if not is_a(config, QuantizationConfig):
        raise ValueError(
            "Argument `config` must be an instance of `QuantizationConfig`. Received: "
            f"config={short(config)}"
        )
    assert isinstance(config, QuantizationConfig)
    if mode is not None and config.mode != mode:
        raise ValueError(
            f"Contradictory arguments: mode={short(mode)} but config.mode={short(config.mode)}"
        )
    return config if config.mode == "int8" else _refuse_mode(config.mode)


def _refuse_mode(mode: object) -> NoReturn:
    known = f"; nkeras has no kernels for {mode}" if mode in NOT_OFFERED else ""
    refuse("mode", mode, f'"int8"{known}', "quantize")
