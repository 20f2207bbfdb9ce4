"""Activation functions as layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from nkeras import activations, ops
from nkeras.core.configurable import ANY
from nkeras.core.errors import refuse, short, warn
from nkeras.core.tensor import Tensor
from nkeras.core.typing import (
    ActivationLike,
    AllLayerOptions,
    Axis,
    ConstraintLike,
    InitializerLike,
    PartialShape,
    RegularizerLike,
    Unpack,
)
from nkeras.layers.base import Layer
from nkeras.layers.input_spec import InputSpec


class ActivationOption:
    """An attribute of layers that is an activation, whatever stands for one is assigned to it.

    So `model.layers[-1].activation = None` gives a model without its softmax.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        """Remember under which name it is kept."""
        self._name = name

    def __set__(self, layer: Layer, value: ActivationLike) -> None:
        """Keep the function of a name, config or function; `linear` for None."""
        layer.__dict__[self._name] = activations.get(value)

    if TYPE_CHECKING:  # at run time it is found in the layer's `__dict__`, as any attribute

        def __get__(self, layer: Layer, owner: type) -> Callable[..., Any]: ...


class Activation(Layer):
    """An activation function as a layer.

    Args:
        activation: name or function.

    Input shape: any. Output shape: the same.

    Example:
        >>> import numpy as np
        >>> Activation("relu")(np.array([-3.0, 2.0])).numpy()
        array([0., 2.], dtype=float32)

    Source: https://keras.io/api/layers/core_layers/activation/
    """

    activation: ActivationOption = ActivationOption()

    def __init__(self, activation: ActivationLike, **kwargs: Unpack[AllLayerOptions]) -> None:
        super().__init__(**kwargs)
        self.activation = activation
        self.supports_masking = True

    def build(self, input_shape: PartialShape) -> None:
        """Warn of a softmax over a single unit."""
        check_softmax(self, self.activation, input_shape[-1] if len(input_shape) else None)
        super().build(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        """`activation(inputs)`."""
        return self.activation(inputs)


class ReLU(Layer):
    """`max(inputs, 0)`, with an upper limit, a slope below and a threshold.

    `max_value` for x >= max_value, x for threshold <= x < max_value, else
    `negative_slope * (x - threshold)`.

    Args:
        max_value: upper limit, >= 0; None for none.
        negative_slope: slope below the threshold, >= 0.
        threshold: where the identity begins, >= 0.

    Input shape: any. Output shape: the same.

    Raises:
        ValueError: an argument is negative.

    Example:
        >>> import numpy as np
        >>> ReLU(max_value=6.0)(np.array([-3.0, 2.0, 9.0])).numpy()
        array([0., 2., 6.], dtype=float32)

    Source: https://keras.io/api/layers/activation_layers/relu/
    """

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **kwargs: Unpack[AllLayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        if max_value is not None:
            _check_not_negative("max_value", max_value, "ReLU")
        _check_not_negative("negative_slope", negative_slope, "ReLU")
        _check_not_negative("threshold", threshold, "ReLU")
        self.max_value = max_value
        self.negative_slope = negative_slope
        self.threshold = threshold
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        """The rectified inputs."""
        return activations.relu(inputs, self.negative_slope, self.max_value, self.threshold)


class LeakyReLU(Layer):
    """x where x >= 0, else `negative_slope * x`.

    Args:
        negative_slope: slope below 0, >= 0.

    Input shape: any. Output shape: the same.

    Raises:
        ValueError: the slope is negative.

    Example:
        >>> import numpy as np
        >>> LeakyReLU(0.5)(np.array([-3.0, 2.0])).numpy()
        array([-1.5,  2. ], dtype=float32)

    Source: https://keras.io/api/layers/activation_layers/leaky_relu/
    """

    config_omits: ClassVar[Mapping[str, object]] = {**Layer.config_omits, "alpha": ANY}

    def __init__(self, negative_slope: float = 0.3, **kwargs: Unpack[AllLayerOptions]) -> None:
        if "alpha" in kwargs:
            negative_slope = kwargs.pop("alpha")
            warn("Argument `alpha` is deprecated. Use `negative_slope` instead.")
        super().__init__(**kwargs)
        _check_not_negative("negative_slope", negative_slope, "LeakyReLU")
        self.negative_slope = negative_slope
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        """The rectified inputs."""
        return activations.leaky_relu(inputs, self.negative_slope)


class ELU(Layer):
    """x where x >= 0, else `alpha * (exp(x) - 1)`.

    Args:
        alpha: minus the limit for small x.

    Input shape: any. Output shape: the same.

    Example:
        >>> import numpy as np
        >>> ELU()(np.array([0.0, 2.0])).numpy()
        array([0., 2.], dtype=float32)

    Source: Clevert et al. 2016, https://arxiv.org/abs/1511.07289
    """

    def __init__(self, alpha: float = 1.0, **kwargs: Unpack[AllLayerOptions]) -> None:
        super().__init__(**kwargs)
        self.alpha = alpha
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        """`elu(inputs)`."""
        return activations.elu(inputs, alpha=self.alpha)


class PReLU(Layer):
    """x where x >= 0, else `alpha * x` with learned `alpha`.

    Args:
        alpha_initializer: initializer of `alpha`.
        alpha_regularizer: penalty of `alpha`.
        alpha_constraint: applied to `alpha` after each update.
        shared_axes: axes (from 1) along which `alpha` is one and the same.

    Input shape: `(batch, ...)`. Output shape: the same.

    Example:
        >>> import numpy as np
        >>> PReLU(alpha_initializer="ones")(np.array([[-3.0, 2.0]])).numpy()
        array([[-3.,  2.]], dtype=float32)

    Source: He et al. 2015, https://arxiv.org/abs/1502.01852
    """

    def __init__(
        self,
        alpha_initializer: InitializerLike = "Zeros",
        alpha_regularizer: RegularizerLike = None,
        alpha_constraint: ConstraintLike = None,
        shared_axes: Axis = None,
        **kwargs: Unpack[AllLayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self._set_options("alpha", alpha_initializer, alpha_regularizer, alpha_constraint)
        if shared_axes is not None:
            shared_axes = list(shared_axes) if isinstance(shared_axes, Iterable) else [shared_axes]
        self.shared_axes = shared_axes
        self.supports_masking = True

    def build(self, input_shape: PartialShape) -> None:
        """Make `alpha`."""
        shape = list(input_shape[1:])
        shared = self.shared_axes or ()
        for axis in shared:
            if not 1 <= axis <= len(shape):
                refuse("shared_axes", self.shared_axes, f"in 1 to {len(shape)}", "PReLU")
            shape[axis - 1] = 1
        self.alpha = self.add_weight("alpha", shape)
        axes = {i: input_shape[i] for i in range(1, len(input_shape)) if i not in shared}
        self.input_spec = InputSpec(ndim=len(input_shape), axes=axes if shared else {})

    def call(self, inputs: Tensor) -> Tensor:
        """`relu(inputs) - alpha * relu(-inputs)`."""
        return ops.subtract(ops.relu(inputs), self.alpha * ops.relu(-inputs))


def check_softmax(layer: Layer, activation: object, size: int | None) -> None:
    """Warn of a softmax over an axis of size 1, as a layer is built with it."""
    if activation is activations.softmax and size == 1:
        warn(
            f"Layer {short(layer.name)}: a softmax over an axis of size 1 is always 1, so nothing "
            "can be learned. Use activation='sigmoid' for two classes, or as many units as classes."
        )


class Softmax(Layer):
    """`exp(x) / sum(exp(x))` along axes.

    Args:
        axis: int, or list or tuple of int.

    Call arguments: `inputs`; `mask`, broadcastable to the inputs, False (or <= 0.5) for elements
    that get the value 0.

    Input shape: any. Output shape: the same.

    Raises:
        ValueError: the mask does not broadcast to the inputs.

    Example:
        >>> import numpy as np
        >>> Softmax()(np.array([[0.0, 0.0]])).numpy()
        array([[0.5, 0.5]], dtype=float32)

    Source: https://keras.io/api/layers/activation_layers/softmax/
    """

    def __init__(self, axis: Axis = -1, **kwargs: Unpack[AllLayerOptions]) -> None:
        super().__init__(**kwargs)
        self.axis = axis
        self.supports_masking = True

    def build(self, input_shape: PartialShape) -> None:
        """Warn where there is nothing to choose from."""
        rank, axes = len(input_shape), self.axis
        axes = axes if isinstance(axes, (list, tuple)) else (axes,)
        sizes = {input_shape[i] for i in axes if isinstance(i, int) and -rank <= i < rank}
        check_softmax(self, activations.softmax, 1 if sizes == {1} else None)
        super().build(input_shape)

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        """The softmax, 0 where the mask is False."""
        axis = tuple(self.axis) if isinstance(self.axis, (list, tuple)) else self.axis
        if mask is None:
            return ops.softmax(inputs, axis)
        _check_mask(mask, inputs)
        if mask.dtype != "bool":
            mask = ops.greater(mask, 0.5)
        large = -3e4 if inputs.dtype == "float16" else -1e9
        outputs = ops.softmax(ops.where(mask, inputs, large), axis)
        # A line that is masked as a whole would be uniform otherwise.
        return ops.where(mask, outputs, 0.0)


class ThresholdedReLU(Layer):
    """x where x > theta, else 0 (a layer of Keras 2).

    Args:
        theta: the threshold, >= 0.

    Input shape: any. Output shape: the same.

    Raises:
        ValueError: theta is negative.

    Example:
        >>> import numpy as np
        >>> ThresholdedReLU()(np.array([0.5, 2.0])).numpy()
        array([0., 2.], dtype=float32)

    Source: Konda et al. 2014, https://arxiv.org/abs/1402.3337
    """

    def __init__(self, theta: float = 1.0, **kwargs: Unpack[AllLayerOptions]) -> None:
        super().__init__(**kwargs)
        _check_not_negative("theta", theta, "ThresholdedReLU")
        self.theta = theta
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        """The inputs above theta."""
        return ops.threshold(inputs, self.theta, 0.0)


def _check_not_negative(argument: str, value: float | None, owner: str) -> None:
    if value is None or value < 0:
        refuse(argument, value, "a number >= 0", owner)


def _check_mask(mask: Tensor, inputs: Tensor) -> None:
    rank = len(mask.shape)
    sizes = zip(mask.shape[::-1], inputs.shape[::-1], strict=False)
    if rank > len(inputs.shape) or any(size not in (1, expected) for size, expected in sizes):
        raise ValueError(
            "Softmax: argument `mask` must be broadcastable to `inputs`. Received: "
            f"inputs.shape={short(tuple(inputs.shape))}, mask.shape={tuple(mask.shape)}"
        )
