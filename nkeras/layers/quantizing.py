"""Layers whose weights become 8 bit integers, for inference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from nkeras import ops
from nkeras.core import policies
from nkeras.core.errors import refuse, short
from nkeras.core.tensor import Tensor
from nkeras.core.variable import Variable
from nkeras.layers.lora import Adaptable
from nkeras.ops.quantized import int8_dense
from nkeras.ops.shape import turned
from nkeras.quantizers.configs import QuantizationConfig, resolved
from nkeras.quantizers.quantizers import AbsMaxQuantizer


class Quantizable(Adaptable):
    """A layer with matrices that `quantize` makes integers of, each with a scale.

    A matrix `kernel` is the variable `_kernel`, its scale the variable `kernel_scale`: the matrix
    is about `kernel / kernel_scale`. A subclass says which matrices it has.

    Attributes:
        quantized_axes: by matrix, the axes along which one scale serves.
        is_quantized: whether they are integers.
        inputs_quantizer: what makes integers of the inputs; None leaves them floats.
    """

    quantized_axes: ClassVar[dict[str, tuple[int, ...]]]

    def _set_quantization(self, config: Any) -> None:
        """Keep the argument `quantization_config`."""
        owner = type(self).__name__
        if config is not None and not isinstance(config, QuantizationConfig):
            refuse("quantization_config", config, "a QuantizationConfig or None", owner)
        self.quantization_config = None if config is None else resolved(None, config)
        self.is_quantized = False
        self.inputs_quantizer: Any = None

    def _matrices(self) -> Sequence[str]:
        """The names of the matrices that the layer has."""
        return tuple(self.quantized_axes)

    def _axes_of(self, name: str) -> tuple[int, ...]:
        """The axes of a matrix along which one scale serves."""
        return self.quantized_axes[name]

    def _stored_scale(self, name: str, scale: np.ndarray) -> np.ndarray:
        """A scale, given with size 1 along those axes, as the variable has it."""
        return scale.squeeze(self._axes_of(name))

    def _shaped_scale(self, name: str, scale: Tensor) -> Tensor:
        """The inverse: a scale that broadcasts against its matrix."""
        return ops.expand_dims(scale, self._axes_of(name))

    def _attribute(self, name: str) -> str:
        """Where the variable of a matrix is kept."""
        return f"_{name}" if name == self.adaptable else name

    def _add_matrix(self, name: str, shape: Sequence[int | None], initializer: Any = None) -> None:
        """Make a matrix in `build`: floats, or where the policy says so integers and a scale."""
        if self.quantization_mode is None:
            own, regularizer, constraint = self._options_of(name)
            variable = self.add_weight(
                name=name,
                shape=shape,
                initializer=own if initializer is None else initializer,
                regularizer=regularizer,
                constraint=constraint,
            )
            setattr(self, self._attribute(name), variable)
            return
        axes = self._axes_of(name)
        ones = np.ones([1 if i in axes else size or 0 for i, size in enumerate(shape)])
        self._keep_integers(name, shape, self._stored_scale(name, ones).shape)
        self._set_inputs_quantizer()
        self.is_quantized = True

    def _keep_integers(
        self, name: str, shape: Sequence[int | None], scale_shape: Sequence[int]
    ) -> tuple[Variable, Variable]:
        """Make the variables of integers and scale."""
        integers = self.add_weight(
            name=name, shape=shape, initializer="zeros", dtype="int8", trainable=False
        )
        scale = self.add_weight(
            name=f"{name}_scale", shape=scale_shape, initializer="ones", trainable=False
        )
        setattr(self, self._attribute(name), integers)
        setattr(self, f"{name}_scale", scale)
        return integers, scale

    def _set_inputs_quantizer(self) -> None:
        config = self.quantization_config
        self.inputs_quantizer = AbsMaxQuantizer() if config is None else config.activation_quantizer

    def _weight_quantizer(self, name: str) -> Any:
        config = self.quantization_config
        given = None if config is None else config.weight_quantizer
        if given is None or (type(given) is AbsMaxQuantizer and given.axis is None):
            axes = self._axes_of(name)
            if given is None:
                return AbsMaxQuantizer(axes)
            return AbsMaxQuantizer(axes, given.value_range, given.epsilon, given.output_dtype)
        return given

    def quantize(
        self, mode: str | None = None, type_check: bool = True, config: Any = None
    ) -> None:
        """Make integers of the matrices, for inference.

        Args:
            mode: `"int8"`, or None with a configuration.
            type_check: whether to refuse layers of derived classes.
            config: `Int8QuantizationConfig`; the usual one for None.

        Raises:
            ValueError: the layer is not built or quantized already, or nkeras has no such mode.
            NotImplementedError: the layer's class is derived from one of nkeras.

        Example:
            >>> import nkeras
            >>> layer = nkeras.layers.Dense(3)
            >>> layer.build((None, 4))
            >>> layer.quantize("int8")
            >>> [weight.dtype for weight in layer.weights]
            ['float32', 'int8', 'float32']

        Source: https://keras.io/api/quantizers/
        """
        found = resolved(mode, config)
        self._check_quantizable(type_check)
        self.quantization_config = found
        locked, self._is_locked = self.__dict__.get("_is_locked", False), False
        try:
            for name in self._matrices():
                variable = getattr(self, self._attribute(name))
                values, scale = self._weight_quantizer(name)(variable, to_numpy=True)
                stored = self._stored_scale(name, scale.numpy())
                delattr(self, self._attribute(name))
                integers, factor = self._keep_integers(name, variable.shape, stored.shape)
                integers.assign(values)
                factor.assign(stored)
        finally:
            self._is_locked = locked
        self._set_inputs_quantizer()
        self.is_quantized = True
        if self.quantization_mode is None:
            self.dtype_policy = policies.get(f"int8_from_{self._policy.name}")

    def _check_quantizable(self, type_check: bool) -> None:
        owner = type(self).__name__
        if not self.built:
            raise ValueError(
                f"Cannot quantize a layer that isn't yet built. Layer {short(self.name)} (of type "
                f"{owner}) is not built yet."
            )
        if self.is_quantized:
            raise ValueError(
                f"Layer {short(self.name)} is already quantized with "
                f"dtype_policy={short(self._policy.name)}."
            )
        if self.compute_dtype == "float16":
            raise ValueError(
                f"Layer {short(self.name)}: the range of float16 is too small for int8. Make it "
                "with another dtype policy, such as mixed_bfloat16."
            )
        if type_check and not type(self).__module__.startswith("nkeras."):
            raise NotImplementedError(
                f"Layer {owner} does not have a `quantize` method implemented. If it computes as "
                "its base class does, call quantize(..., type_check=False)."
            )

    def _floats(self, name: str) -> Tensor:
        """A matrix of integers as floats."""
        integers = ops.cast(getattr(self, self._attribute(name)), self.compute_dtype)
        scale = ops.cast(getattr(self, f"{name}_scale"), self.compute_dtype)
        return ops.divide(integers, self._shaped_scale(name, scale))

    def _integer_product(
        self, inputs: Tensor, kernel: Tensor | Variable, scale: Tensor | Variable, bias: Any
    ) -> Tensor:
        """`inputs @ (kernel / scale) + bias`, by integers where the inputs have a quantizer."""
        quantizer = self.inputs_quantizer
        if type(quantizer) is AbsMaxQuantizer and quantizer.output_dtype == "int8":
            low, high = quantizer.value_range
            return int8_dense(
                inputs, kernel, scale, bias, value_range=(low, high), epsilon=quantizer.epsilon
            )
        if quantizer is None:
            outputs = ops.divide(ops.matmul(inputs, ops.cast(kernel, inputs.dtype)), scale)
        else:
            outputs = _by_a_quantizer(quantizer)(inputs, kernel, scale)
        return outputs if bias is None else ops.add(outputs, bias)

    def adapted(self) -> Any:
        """The variable of the matrix, or with LoRA its sum with the product, as floats."""
        if not (self.is_quantized and self.lora_enabled):
            return super().adapted()
        a, b, factor = self._factors()
        total = ops.add(self._floats(self.adaptable), factor * ops.matmul(a, b))
        return ops.cast(total, self.compute_dtype)

    def _merged(self) -> dict[Variable, np.ndarray]:
        """The values of weights with LoRA added to them, integers again where they were."""
        if not self.is_quantized:
            return super()._merged()
        name = self.adaptable
        values, scale = self._weight_quantizer(name)(self.adapted(), to_numpy=True)
        stored = self._stored_scale(name, scale.numpy())
        return {self.base_weight: values.numpy(), getattr(self, f"{name}_scale"): stored}

    def saved_weights(self) -> list[Variable]:
        """The matrix first, which is behind the bias where it is not trained."""
        saved = super().saved_weights()
        base = self.base_weight if self.built else None
        return sorted(saved, key=lambda variable: variable is not base)


def _by_a_quantizer(quantizer: Any) -> Any:
    """The product of integers for a quantizer of the user's; its gradient is that of the floats."""

    @ops.custom_gradient
    def product(inputs: Tensor, kernel: Tensor, scale: Tensor) -> Any:
        integers, own = quantizer(inputs, axis=-1)
        sums = ops.cast(ops.matmul(integers, kernel), inputs.dtype)

        def gradient(upstream: Tensor) -> Any:
            floats = ops.divide(ops.cast(kernel, upstream.dtype), scale)
            return ops.matmul(upstream, turned(floats)), None, None

        return ops.divide(sums, ops.multiply(scale, own)), gradient

    return product
