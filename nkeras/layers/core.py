"""InputLayer, Input, Dense, Identity and Lambda."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from nkeras import ops
from nkeras.core import dtypes, graph
from nkeras.core.configurable import ANY
from nkeras.core.errors import is_a, short
from nkeras.core.graph import KerasTensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import (
    ActivationLike,
    AllLayerOptions,
    Config,
    ConstraintLike,
    DTypeLike,
    InitializerLike,
    InputOptions,
    LayerOptions,
    Masks,
    PartialShape,
    RegularizerLike,
    Shapes,
    Structure,
    Unpack,
)
from nkeras.core.variable import Variable
from nkeras.layers.activation import ActivationOption, check_softmax
from nkeras.layers.base import Layer
from nkeras.layers.input_spec import InputSpec
from nkeras.layers.lora import AdaptableWeight
from nkeras.layers.quantizing import Quantizable
from nkeras.layers.shapes import is_shape, map_shapes, shapes_of
from nkeras.ops.dense import dense


class InputLayer(Layer):
    """The layer behind `Input`: it makes a symbolic tensor.

    Args:
        shape: shape without the batch axis.
        batch_size: size of the batch axis.
        dtype: dtype, `floatx` by default.
        sparse: must not be True: nkeras has no sparse tensors.
        ragged: must not be True: nkeras has no ragged tensors.
        batch_shape: shape with the batch axis, instead of `shape` and `batch_size`.
        input_tensor: an existing symbolic tensor to use.
        optional: whether the input may be None.
        name: name.

    Example:
        >>> InputLayer(shape=(3,)).batch_shape
        (None, 3)

    Source: https://keras.io/api/layers/core_layers/input_layer/
    """

    config_reads: ClassVar[Mapping[str, str]] = {"dtype": "dtype"}
    config_omits: ClassVar[Mapping[str, object]] = dict.fromkeys(
        "shape batch_size input_tensor input_shape batch_input_shape trainable autocast "
        "activity_regularizer".split(),
        ANY,
    )

    def __init__(
        self,
        shape: Sequence[int | None] | None = None,
        batch_size: int | None = None,
        dtype: DTypeLike = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Sequence[int | None] | None = None,
        input_tensor: KerasTensor | None = None,
        optional: bool = False,
        name: str | None = None,
        **kwargs: Unpack[InputOptions],
    ) -> None:
        super().__init__(name=name)
        if "input_shape" in kwargs:
            shape = kwargs.pop("input_shape")
        if "batch_input_shape" in kwargs:
            batch_shape = kwargs.pop("batch_input_shape")
        if kwargs:
            raise ValueError(
                f"Unrecognized keyword arguments passed to InputLayer: {short(kwargs)}"
            )
        for argument, value in (("sparse", sparse), ("ragged", ragged)):
            if value:
                raise ValueError(f"InputLayer: argument `{argument}` must not be True in nkeras.")
        if input_tensor is not None:
            if not is_a(input_tensor, KerasTensor):
                raise ValueError(
                    "InputLayer: argument `input_tensor` must be a KerasTensor. Received: "
                    f"input_tensor={short(input_tensor)}"
                )
            batch_shape, dtype = input_tensor.shape, dtype or input_tensor.dtype
        elif shape is not None and batch_shape is not None:
            raise ValueError("You cannot pass both `shape` and `batch_shape` at the same time.")
        elif shape is None and batch_shape is None:
            raise ValueError("You must pass a `shape` argument.")
        if batch_shape is None and shape is not None:
            batch_shape = (batch_size, *_shape(shape))
        elif batch_size is not None:
            raise ValueError(
                "You cannot pass both `batch_size` and `batch_shape` at the same time."
            )
        self.batch_shape = _shape(batch_shape)
        self._input_dtype = dtypes.standardize_dtype(dtype)
        self.sparse = False
        self.ragged = False
        self.optional = optional
        tensor = input_tensor
        if tensor is None:
            tensor = KerasTensor(self.batch_shape, self._input_dtype, name=self.name)
        graph.Node(self, (), {}, tensor)

    def call(self) -> None:
        """Never called: the model feeds the tensor."""
        raise NotImplementedError("An InputLayer is fed by its model.")

    @property
    def dtype(self) -> str:
        """The dtype of the input."""
        return self._input_dtype


def _shape(shape: Any) -> PartialShape:
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    for size in sizes:
        if size is not None and (not hasattr(size, "__index__") or int(size) < 0):
            raise ValueError(
                f"Argument `shape` must be a tuple of non-negative int or None. Received: "
                f"{short(shape)}"
            )
    return tuple(None if size is None else int(size) for size in sizes)


def Input(
    shape: Sequence[int | None] | None = None,
    batch_size: int | None = None,
    dtype: DTypeLike = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
    tensor: KerasTensor | None = None,
    optional: bool = False,
) -> KerasTensor:
    """A symbolic tensor: the input of a model.

    Args:
        shape: shape without the batch axis; None for unknown sizes.
        batch_size: size of the batch axis.
        dtype: dtype, `floatx` by default.
        sparse: must not be True: nkeras has no sparse tensors.
        ragged: must not be True: nkeras has no ragged tensors.
        batch_shape: shape with the batch axis, instead of `shape` and `batch_size`.
        name: name.
        tensor: an existing symbolic tensor to use.
        optional: whether the input may be None.

    Returns:
        KerasTensor of shape `(batch_size, *shape)`.

    Raises:
        ValueError: neither or both of `shape` and `batch_shape` are given.

    Example:
        >>> import nkeras
        >>> x = nkeras.Input((32,))
        >>> nkeras.Model(x, nkeras.layers.Dense(16)(x)).output_shape
        (None, 16)

    Source: https://keras.io/api/layers/core_layers/input/
    """
    layer = InputLayer(
        shape=shape,
        batch_size=batch_size,
        dtype=dtype,
        sparse=sparse,
        ragged=ragged,
        batch_shape=batch_shape,
        input_tensor=tensor,
        optional=optional,
        name=name,
    )
    return layer.output


class Dense(Quantizable):
    """`activation(inputs @ kernel + bias)`.

    Args:
        units: size of the output's last axis.
        activation: name or function.
        use_bias: whether to add a bias.
        kernel_initializer: initializer of the kernel `(inputs, units)`.
        bias_initializer: initializer of the bias `(units,)`.
        kernel_regularizer: penalty of the kernel.
        bias_regularizer: penalty of the bias.
        activity_regularizer: penalty of the output.
        kernel_constraint: applied to the kernel after each update.
        bias_constraint: applied to the bias after each update.
        lora_rank: None, or the rank of a product that is trained instead of the kernel: see
            `enable_lora`.
        lora_alpha: the product is multiplied by `lora_alpha / lora_rank`; by 1 for None.
        quantization_config: None, or how `quantize` makes integers: `Int8QuantizationConfig`.

    Input shape: `(batch, ..., inputs)`. Output shape: `(batch, ..., units)`.

    Raises:
        ValueError: `units` is no positive int.

    Example:
        >>> import nkeras
        >>> Dense(4, activation="relu")(nkeras.ops.ones((2, 3))).shape
        (2, 4)

    Source: https://keras.io/api/layers/core_layers/dense/
    """

    activation: ActivationOption = ActivationOption()
    kernel = AdaptableWeight()
    quantized_axes: ClassVar[dict[str, tuple[int, ...]]] = {"kernel": (0,)}
    kernel_scale: Variable

    def __init__(
        self,
        units: int,
        activation: ActivationLike = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: object = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        if isinstance(units, bool) or not hasattr(units, "__index__") or int(units) <= 0:
            raise ValueError(
                f"Dense: argument `units` must be a positive integer. Received: "
                f"units={short(units)}"
            )
        self.units = int(units)
        self.activation = activation
        self.use_bias = use_bias
        self._set_options("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self._set_options("bias", bias_initializer, bias_regularizer, bias_constraint)
        self._set_lora(lora_rank, lora_alpha)
        self._set_quantization(quantization_config)
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True

    def build(self, input_shape: PartialShape) -> None:
        """Make kernel and bias."""
        check_softmax(self, self.activation, self.units)
        self._add_matrix("kernel", (input_shape[-1], self.units))
        self.bias = self.add_weight("bias", (self.units,)) if self.use_bias else None
        self._adapt_if_asked()
        self.input_spec = InputSpec(min_ndim=2, axes={-1: input_shape[-1]})

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """`activation(inputs @ kernel + bias)`."""
        if self.is_quantized:
            return self.activation(self._integer_call(inputs))
        return self.activation(dense(inputs, self.kernel, self.bias))

    def _integer_call(self, inputs: Tensor) -> Tensor:
        """`inputs @ kernel + bias`, where the kernel is integers and a scale."""
        kernel, scale = self.base_weight, self.kernel_scale
        if not self.lora_enabled:
            return self._integer_product(inputs, kernel, scale, self.bias)
        a, b, factor = self._factors()
        own = factor * ops.matmul(ops.matmul(inputs, a), b)
        outputs = ops.add(self._integer_product(inputs, kernel, scale, None), own)
        outputs = ops.cast(outputs, self.compute_dtype)
        return outputs if self.bias is None else ops.add(outputs, self.bias)


class Identity(Layer):
    """Returns its input.

    Example:
        >>> import nkeras
        >>> Identity()(nkeras.ops.ones((2, 3))).shape
        (2, 3)

    Source: https://keras.io/api/layers/core_layers/identity/
    """

    def __init__(self, **kwargs: Unpack[AllLayerOptions]) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        """The input."""
        return inputs


class Lambda(Layer):
    """A function of ops as a layer.

    Args:
        function: function of the inputs, and of `mask` or `training` if it has such parameters.
        output_shape: shape without batch axis, or a list or dict of them, or a function of the
            input shape or shapes; traced by default.
        mask: the output's mask, or a function `(inputs, mask)` of it.
        arguments: dict of further named arguments for the function.

    Example:
        >>> import nkeras
        >>> Lambda(lambda x: x**2)(nkeras.ops.ones((2, 3))).shape
        (2, 3)

    Source: https://keras.io/api/layers/core_layers/lambda/
    """

    config_reads: ClassVar[Mapping[str, str]] = {
        **Layer.config_reads,
        "output_shape": "_output_shape",
    }

    def __init__(
        self,
        function: Callable[..., Structure],
        output_shape: Callable[[Shapes], Shapes] | Sequence[int | None] | None = None,
        mask: Callable[..., Masks] | Tensor | None = None,
        arguments: Config | None = None,
        **kwargs: Unpack[AllLayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        if not callable(function):
            raise TypeError(
                f"Lambda: argument `function` must be callable. Received: {short(function)}"
            )
        self.function = function
        self.arguments = arguments or {}
        self.mask = mask
        self.supports_masking = mask is not None
        self._output_shape = output_shape
        self._names = set(inspect.signature(function).parameters)

    def call(
        self, inputs: Tensor, mask: Tensor | None = None, training: bool | None = None
    ) -> Tensor:
        """The function's value."""
        named = dict(self.arguments)
        if "mask" in self._names:
            named["mask"] = mask
        if "training" in self._names:
            named["training"] = training
        return self.function(inputs, **named)

    def _spec(self, *args: Any, **kwargs: Any) -> Any:
        """The given output shape, where there is one."""
        if self._output_shape is None:
            return super()._spec(*args, **kwargs)
        shapes = self.compute_output_shape(shapes_of(args[0]))
        return map_shapes(lambda shape: KerasTensor(shape, self.compute_dtype), shapes)

    def compute_output_shape(self, input_shape: Shapes) -> Shapes:
        """`output_shape` if it was given, else traced."""
        if self._output_shape is None:
            return super().compute_output_shape(input_shape)
        if callable(self._output_shape):
            return self._output_shape(input_shape)
        first = input_shape
        while not is_shape(first):
            first = next(iter(first.values() if isinstance(first, dict) else first))
        return map_shapes(lambda shape: (first[0], *shape), self._output_shape)

    def compute_mask(self, inputs: Structure, previous_mask: Masks) -> Masks:
        """The given mask."""
        return self.mask(inputs, previous_mask) if callable(self.mask) else self.mask
