"""EinsumDense."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from nkeras import activations
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
from nkeras.initializers.random import VarianceScaling
from nkeras.layers.activation import check_softmax
from nkeras.layers.input_spec import InputSpec
from nkeras.layers.lora import Adaptable, AdaptableWeight
from nkeras.ops.einsum_dense import einsum_dense


class EinsumDense(Adaptable):
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
        quantization_config: must be None: nkeras has no quantization.

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
    config_omits: ClassVar[Mapping[str, object]] = {
        **{
            name: one
            for name, one in Adaptable.config_omits.items()
            if name != "activity_regularizer"
        },
        "gptq_unpacked_column_size": None,
    }

    kernel = AdaptableWeight()

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
        self.activation = activations.get(activation)
        self._set_options("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self._set_options("bias", bias_initializer, bias_regularizer, bias_constraint)
        for argument, value in (
            ("gptq_unpacked_column_size", gptq_unpacked_column_size),
            ("quantization_config", quantization_config),
        ):
            if value is not None:
                refuse(argument, value, "None in nkeras", "EinsumDense")
        self._set_lora(lora_rank, lora_alpha)
        self.quantization_config = quantization_config

    def build(self, input_shape: PartialShape) -> None:
        """Make kernel and bias."""
        axes = _named_axes(self.equation, tuple(input_shape), self.partial_output_shape)
        check_softmax(self, self.activation, axes.sizes[axes.output[-1]])
        initializer, regularizer, constraint = self._options_of("kernel")
        kernel = self.add_weight(
            name="kernel",
            shape=[axes.sizes[name] for name in axes.kernel],
            initializer=_along(initializer, axes),
            regularizer=regularizer,
            constraint=constraint,
        )
        self._keep_base(kernel)
        self.bias = None
        if self.bias_axes is not None:
            self.bias = self.add_weight("bias", axes.bias_shape(self.bias_axes))
        self.input_spec = InputSpec(ndim=len(input_shape))
        self._adapt_if_asked()

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """`activation(einsum(equation, inputs, kernel) + bias)`."""
        return self.activation(einsum_dense(self.equation, inputs, self.kernel, self.bias))


@dataclass(frozen=True)
class _Axes:
    """The axes of an equation, one letter for each, and their sizes as far as they are known."""

    inputs: str
    kernel: str
    output: str
    sizes: dict[str, int | None]

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
