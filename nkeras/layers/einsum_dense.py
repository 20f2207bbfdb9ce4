"""EinsumDense."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nkeras import ops
from nkeras.core.errors import refuse, short
from nkeras.core.tensor import Tensor
from nkeras.core.typing import (
    ActivationLike,
    AllLayerOptions,
    ConstraintLike,
    InitializerLike,
    PartialShape,
    RegularizerLike,
    Unpack,
)
from nkeras.core.variable import Variable
from nkeras.initializers.random import VarianceScaling
from nkeras.layers.activation import ActivationOption, check_softmax
from nkeras.layers.input_spec import InputSpec
from nkeras.layers.lora import Adaptable, AdaptableWeight
from nkeras.layers.quantizing import Quantizable
from nkeras.ops.einsum_dense import as_matrices, einsum_dense


class EinsumDense(Quantizable):
    """`activation(einsum(equation, inputs, kernel) + bias)`.

    Args:
        equation: `"[inputs],[kernel]->[output]"`, one letter for each axis, as `"abc,cd->abd"`;
            `...` may stand for the first or the last axes of inputs and output.
        output_shape: int, or sizes of the output's axes but the batch's and those of `...`; None
            for those that the input has.
        activation: name or function.
        bias_axes: letters of the output's axes along which the bias differs; no bias for None.
        kernel_initializer: initializer of the kernel, whose axes are those of the equation.
        bias_initializer: initializer of the bias.
        kernel_regularizer: penalty of the kernel.
        bias_regularizer: penalty of the bias.
        kernel_constraint: applied to the kernel after each update.
        bias_constraint: applied to the bias after each update.
        lora_rank: None, or the rank of a product that is trained instead of the kernel: see
            `enable_lora`.
        lora_alpha: the product is multiplied by `lora_alpha / lora_rank`; by 1 for None.
        gptq_unpacked_column_size: must be None: nkeras has no GPTQ.
        quantization_config: None, or how `quantize` makes integers: `Int8QuantizationConfig`.

    Input shape: `(batch, ...)`, as the equation has it. Output shape: likewise.

    Raises:
        ValueError: the equation has another form, or does not fit the shapes.

    Example:
        >>> import nkeras
        >>> layer = EinsumDense("abc,cde->abde", output_shape=(None, 2, 4), bias_axes="de")
        >>> layer(nkeras.ops.ones((3, 5, 8))).shape
        (3, 5, 2, 4)

    Source: https://keras.io/api/layers/core_layers/einsum_dense/
    """

    config_reads: ClassVar[Mapping[str, str]] = {
        **Adaptable.config_reads,
        "output_shape": "partial_output_shape",
    }
    activation: ActivationOption = ActivationOption()
    config_omits: ClassVar[Mapping[str, object]] = {
        **{
            name: one
            for name, one in Adaptable.config_omits.items()
            if name != "activity_regularizer"
        },
        "gptq_unpacked_column_size": None,
    }

    kernel = AdaptableWeight()
    quantized_axes: ClassVar[dict[str, tuple[int, ...]]] = {"kernel": ()}
    kernel_scale: Variable

    def __init__(
        self,
        equation: str,
        output_shape: int | Sequence[int | None],
        activation: ActivationLike = None,
        bias_axes: str | None = None,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        gptq_unpacked_column_size: int | None = None,
        quantization_config: object = None,
        **kwargs: Unpack[AllLayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.equation = equation
        _parts(equation)
        sizes = output_shape if isinstance(output_shape, Sequence) else (output_shape,)
        self.partial_output_shape = tuple(sizes)
        self.bias_axes = bias_axes
        self.activation = activation
        self._set_options("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self._set_options("bias", bias_initializer, bias_regularizer, bias_constraint)
        if gptq_unpacked_column_size is not None:
            value = gptq_unpacked_column_size
            refuse("gptq_unpacked_column_size", value, "None in nkeras", "EinsumDense")
        self._set_lora(lora_rank, lora_alpha)
        self._set_quantization(quantization_config)

    def build(self, input_shape: PartialShape) -> None:
        """Make kernel and bias."""
        axes = _named_axes(self.equation, tuple(input_shape), self.partial_output_shape)
        check_softmax(self, self.activation, axes.sizes[axes.output[-1]])
        self._axes = axes
        initializer = _along(self._options_of("kernel")[0], axes)
        self._add_matrix("kernel", [axes.sizes[name] for name in axes.kernel], initializer)
        self.bias = None
        if self.bias_axes is not None:
            self.bias = self.add_weight("bias", axes.bias_shape(self.bias_axes))
        self.input_spec = InputSpec(ndim=len(input_shape))
        self._adapt_if_asked()

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """`activation(einsum(equation, inputs, kernel) + bias)`."""
        if self.is_quantized:
            return self.activation(self._integer_call(inputs))
        return self.activation(einsum_dense(self.equation, inputs, self.kernel, self.bias))

    def _integer_call(self, inputs: Tensor) -> Tensor:
        """`einsum(equation, inputs, kernel) + bias`, where the kernel is integers and a scale."""
        outputs = self._integer_sum(inputs)
        if self.lora_enabled:
            a, b, factor = self._factors()
            last = self._axes.kernel[-1]
            if last == self._axes.output[-1] and last not in self._axes.inputs:
                own = ops.matmul(ops.einsum(self.equation, inputs, a), b)
            else:
                own = ops.einsum(self.equation, inputs, ops.matmul(a, b))
            outputs = ops.cast(ops.add(outputs, factor * own), self.compute_dtype)
        return outputs if self.bias is None else ops.add(outputs, self.bias)

    def _integer_sum(self, inputs: Tensor) -> Tensor:
        kernel, scale = self.base_weight.value, self.kernel_scale.value
        matrices = as_matrices(self.equation, inputs, kernel)
        if matrices is not None:
            flat = ops.reshape(scale, (-1,))
            outputs = self._integer_product(matrices.x, matrices.kernel, flat, None)
            return ops.reshape(outputs, matrices.shape)
        quantizer, axes = self.inputs_quantizer, self._axes
        if quantizer is None:
            sums = ops.einsum(self.equation, inputs, ops.cast(kernel, inputs.dtype))
            return ops.divide(sums, scale)
        reduced = [i for i, name in enumerate(axes.inputs) if name not in axes.output]

        @ops.custom_gradient
        def product(inputs: Tensor, kernel: Tensor, scale: Tensor) -> Any:
            integers, own = quantizer(inputs, axis=reduced)
            sums = ops.cast(ops.einsum(self.equation, integers, kernel), inputs.dtype)

            def gradient(upstream: Tensor) -> Any:
                back = f"{axes.output},{axes.kernel}->{axes.inputs}"
                return ops.einsum(back, upstream, self._floats("kernel")), None, None

            along = ops.reshape(
                ops.transpose(own, axes.order(axes.inputs)), axes.along(own.shape, axes.inputs)
            )
            return ops.divide(sums, ops.multiply(along, scale)), gradient

        return product(inputs, kernel, scale)

    def _axes_of(self, name: str) -> tuple[int, ...]:
        """The axes of the kernel that are summed over."""
        axes = self._axes
        return tuple(i for i, letter in enumerate(axes.kernel) if letter not in axes.output)

    def _stored_scale(self, name: str, scale: np.ndarray) -> np.ndarray:
        """The scale as it broadcasts against the output."""
        axes = self._axes
        order = axes.order(axes.kernel)
        return scale.transpose(order).reshape(axes.along(scale.shape, axes.kernel))

    def _shaped_scale(self, name: str, scale: Tensor) -> Tensor:
        """The inverse."""
        axes = self._axes
        order = axes.order(axes.kernel)
        shape = tuple(
            1 if i in self._axes_of(name) else size for i, size in enumerate(self.base_weight.shape)
        )
        turned = ops.reshape(scale, tuple(shape[i] for i in order))
        return ops.transpose(turned, [order.index(i) for i in range(len(order))])


@dataclass(frozen=True)
class _Axes:
    """The axes of an equation, one letter for each, and their sizes as far as they are known."""

    inputs: str
    kernel: str
    output: str
    sizes: dict[str, int | None]

    def order(self, names: str) -> list[int]:
        """The axes of an operand: those that are summed over, then those of the output, in order.

        Args:
            names: of the operand's axes.
        """
        gone = [i for i, name in enumerate(names) if name not in self.output]
        return gone + [names.index(name) for name in self.output if name in names]

    def along(self, shape: Sequence[int], names: str) -> tuple[int, ...]:
        """The shape in which a scale of an operand broadcasts against the output.

        Args:
            shape: of the scale, with size 1 along the axes that are summed over.
            names: of the operand's axes.
        """
        sizes = dict(zip(names, shape, strict=True))
        return tuple(sizes.get(name, 1) for name in self.output)

    def bias_shape(self, letters: str) -> list[int | None]:
        """The bias' shape: from the first of its letters on, 1 where it is the same."""
        if not letters or not set(letters) <= set(self.output):
            refuse("bias_axes", letters, f"letters of the output {self.output}", "EinsumDense")
        first = min(self.output.index(name) for name in letters)
        return [self.sizes[name] if name in letters else 1 for name in self.output[first:]]


def _parts(equation: Any) -> list[str]:
    """Inputs, kernel and output, with `0` for `...`."""
    text = equation.replace("...", "0") if isinstance(equation, str) else ""
    for form in (
        "([a-zA-Z]+),([a-zA-Z]+)->([a-zA-Z]+)",
        "(0[a-zA-Z]+),([a-zA-Z]+)->(0[a-zA-Z]+)",
        "([a-zA-Z]{2,}0),([a-zA-Z]+)->([a-zA-Z]+0)",
    ):
        match = re.fullmatch(form, text)
        if match:
            return list(match.groups())
    refuse(
        "equation",
        equation,
        'of the form "[X],[Y]->[Z]", "...[X],[Y]->...[Z]" or "[X]...,[Y]->[Z]..."',
        "EinsumDense",
    )


def _named_axes(equation: str, input_shape: PartialShape, partial: PartialShape) -> _Axes:
    """The axes of an equation for an input shape.

    Args:
        equation: as the layer has it.
        input_shape: shape with the batch axis.
        partial: the output's sizes but the batch's and those of `...`; None for unknown ones.
    """
    inputs, kernel, output = _parts(equation)
    count = len(input_shape) - len(inputs.replace("0", ""))
    free = [
        letter
        for letter in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
        if letter not in equation
    ]
    elided = "".join(free[: max(count, 0)])
    named, result = inputs.replace("0", elided), output.replace("0", elided)
    if len(named) != len(input_shape):
        raise ValueError(
            f"EinsumDense: the equation {short(equation)} does not fit inputs of shape "
            f"{short(tuple(input_shape))}."
        )
    first = input_shape[1:count] if inputs.startswith("0") else ()
    last = input_shape[len(input_shape) - count :] if inputs.endswith("0") else ()
    shape = (input_shape[0], *first, *partial, *last)
    if len(shape) != len(result):
        raise ValueError(
            f"EinsumDense: the output of {short(equation)} has {len(result)} axes for inputs of "
            f"shape {short(tuple(input_shape))}, but with `output_shape={short(partial)}` it would "
            f"have {len(shape)}."
        )
    sizes = dict(zip(named, input_shape, strict=True))
    for name, size in zip(result, shape, strict=True):
        if size is not None and name in named and sizes[name] != size:
            raise ValueError(
                f"EinsumDense: the axis {name!r} of {short(equation)} has size {sizes[name]} in "
                f"the inputs {short(tuple(input_shape))}, but {size} in the output {short(shape)}."
            )
        if name not in named + kernel:
            raise ValueError(
                f"EinsumDense: the output's axis {name!r} of {short(equation)} is neither in the "
                "inputs nor in the kernel."
            )
        sizes[name] = sizes.get(name) if size is None else size
    for name in kernel:
        if name not in sizes:
            raise ValueError(
                f"EinsumDense: the kernel's axis {name!r} of {short(equation)} is neither in the "
                "inputs nor in the output."
            )
    return _Axes(named, kernel, result, sizes)


def _along(initializer: Any, axes: _Axes) -> Any:
    """An initializer by fans, told which of the kernel's axes are inputs and which outputs."""
    if not isinstance(initializer, VarianceScaling):
        return initializer
    if initializer.input_axes is not None and initializer.output_axes is not None:
        return initializer
    told = copy.copy(initializer)
    told.input_axes = [i for i, name in enumerate(axes.kernel) if name not in axes.output]
    told.output_axes = [i for i, name in enumerate(axes.kernel) if name in axes.output]
    return told
