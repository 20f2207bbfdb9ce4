"""Names for types in signatures, as the field calls them. Importing it costs nothing.

An operation gives a `Tensor`. Given a symbolic `KerasTensor` it gives a symbolic one; signatures
say `Tensor` all the same, since both are used alike: shape, dtype, operators, operations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypedDict, TypeVar

import numpy as np

from nkeras.core.spec import Pairs as Pairs
from nkeras.core.spec import Shape as Shape

if TYPE_CHECKING:
    from typing_extensions import Self as Self
    from typing_extensions import Unpack as Unpack

    from nkeras.callbacks import Callback, CallbackList
    from nkeras.constraints import Constraint
    from nkeras.core.graph import KerasTensor
    from nkeras.core.policies import DTypePolicy
    from nkeras.core.random import SeedGenerator
    from nkeras.core.tensor import Tensor
    from nkeras.core.variable import Variable
    from nkeras.initializers import Initializer
    from nkeras.losses import Loss
    from nkeras.metrics import Metric
    from nkeras.optimizers import Optimizer
    from nkeras.optimizers.schedules import LearningRateSchedule
    from nkeras.regularizers import Regularizer
    from nkeras.utils import PyDataset
else:
    Self = Unpack = None  # nothing evaluates annotations, and Python 3.10 has neither

T = TypeVar("T")

AnyTensor: TypeAlias = "Tensor | KerasTensor | Variable"
"""What has a shape, a dtype and operators."""

TensorLike: TypeAlias = "AnyTensor | np.ndarray | np.generic | float | Sequence[TensorLike]"
"""What operations take for a tensor: also arrays, numbers, lists."""

Nested: TypeAlias = "T | Sequence[Nested[T]] | Mapping[str, Nested[T]]"
"""A structure of lists, tuples and dicts with leaves of one type, or a leaf."""

Tensors: TypeAlias = "Nested[Tensor]"
"""A tensor, or lists, tuples and dicts of tensors."""

TensorsLike: TypeAlias = "TensorLike | Nested[TensorLike]"
"""What can become tensors, in lists, tuples and dicts."""

ShapeLike: TypeAlias = "Sequence[int]"
"""Sizes that are known."""

PartialShape: TypeAlias = "tuple[int | None, ...]"
"""Sizes of a symbolic tensor, None where unknown."""

Gradients: TypeAlias = "Sequence[Tensor | None]"
"""Gradients by several arguments, None for those that were not asked for or have none."""

Sections: TypeAlias = "int | Sequence[int] | Tensor | np.ndarray"
"""How many equal parts, or the positions to cut at."""

Axis: TypeAlias = "int | Sequence[int] | None"
"""An axis, several, or all."""

DType: TypeAlias = "str | np.dtype | type"
"""A dtype by its name (`"float32"`), as NumPy's or as Python's type."""

DTypeLike: TypeAlias = "DType | None"
"""A dtype, or None for the default."""

PolicyLike: TypeAlias = "DType | DTypePolicy | None"
"""What layers take for a dtype: also a policy, with a compute dtype and a variable dtype."""

Seed: TypeAlias = "int | np.integer | SeedGenerator | None"
"""A number, a generator of seeds, or None for one of its own."""

Window: TypeAlias = "int | Sequence[int]"
"""A size for each spatial dimension, or one for all."""

Padding: TypeAlias = "int | Sequence[int] | Sequence[Sequence[int]]"
"""How much to add at the two ends of an axis: for all axes, or a pair for each."""

Config: TypeAlias = "dict[str, Any]"
"""The arguments that make an object again, as JSON has them."""

Shapes: TypeAlias = "Any"
"""A `PartialShape`, or lists and dicts of them, as a layer's inputs are: each layer has its own."""

Masks: TypeAlias = "Any"
"""A boolean tensor, None, or lists and dicts of them, likewise."""

Layout: TypeAlias = "str | None"
"""`"channels_last"`, `"channels_first"`, or None for the setting."""

ActivationLike: TypeAlias = "str | Config | Callable[..., Any] | None"
"""A name, a configuration, a function or layer; None for the identity."""

InitializerLike: TypeAlias = (
    "str | Config | Initializer | type[Initializer] | Callable[..., TensorLike] | TensorLike | None"
)
"""A name, a configuration, an object, a function of shape and dtype, or the value itself."""

RegularizerLike: TypeAlias = "str | Config | Regularizer | Callable[[Any], TensorLike] | None"
"""A name, a configuration, an object, or a function of the weights that gives a penalty."""

ConstraintLike: TypeAlias = "str | Config | Constraint | Callable[[Any], TensorLike] | None"
"""A name, a configuration, an object, or a function that gives the weights that are allowed."""

Structure: TypeAlias = "Any"
"""A leaf, or lists, tuples and dicts of leaves, as the user's data and model have them."""

Logs: TypeAlias = "Mapping[str, Any]"
"""Results by their names: numbers, or tensors until somebody looks."""

SupportsArray: TypeAlias = "np.ndarray | Tensor | Variable | _HasArray"
"""What NumPy makes an array of, tables included."""

Data: TypeAlias = "SupportsArray | PyDataset | Iterable[Any] | Mapping[str, Any] | float | None"
"""Arrays, structures of them, or what gives batches: a PyDataset, generator or DataLoader."""

LossLike: TypeAlias = "str | Config | Loss | Callable[[Any, Any], Any] | None"
"""A name, a configuration, an object, or a function of targets and predictions."""

LossesLike: TypeAlias = "LossLike | Sequence[LossesLike] | Mapping[str, LossesLike]"
"""A loss, or one for each output."""

MetricLike: TypeAlias = "str | Config | Metric | Callable[[Any, Any], Any] | None"
"""A name, a configuration, an object, or a function of targets and predictions."""

MetricsLike: TypeAlias = "MetricLike | Sequence[MetricsLike] | Mapping[str, MetricsLike]"
"""Metrics, or some for each output."""

LossWeights: TypeAlias = "float | Sequence[float] | Mapping[str, float] | None"
"""A factor for each output."""

OptimizerLike: TypeAlias = "str | Config | Optimizer | None"
"""A name, a configuration or an object."""

LearningRateLike: TypeAlias = (
    "float | Variable | LearningRateSchedule | Callable[[], float | Tensor]"
)
"""A number, a schedule, or a function without arguments that gives it."""

CallbacksLike: TypeAlias = "Callback | Sequence[Callback] | CallbackList | None"
"""A callback, several, or a list of nkeras' own."""

Verbose: TypeAlias = "str | int | bool"
"""0, 1, 2 or `"auto"`."""


class _HasArray(Protocol):
    def __array__(self) -> np.ndarray: ...


class InputOptions(TypedDict, total=False):
    """The shape of the inputs, for a first layer."""

    input_shape: Sequence[int | None]
    batch_input_shape: Sequence[int | None]
    input_dim: int


class LayerOptions(InputOptions, total=False):
    """What every layer takes beside its own arguments."""

    name: str | None
    dtype: PolicyLike
    trainable: bool
    autocast: bool


class ConvolutionOptions(LayerOptions, total=False):
    """The same for convolutions, which take the arguments of LoRA without naming them."""

    lora_rank: int | None
    lora_alpha: float | None


class FurtherOptimizerOptions(TypedDict, total=False):
    """What every optimizer takes beside learning rate, weight decay and its own arguments."""

    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    loss_scale_factor: float | None
    gradient_accumulation_steps: int | None
    name: str | None


class OptimizerOptions(FurtherOptimizerOptions, total=False):
    """The same for optimizers without an argument for the weight decay."""

    weight_decay: float | None


class AllLayerOptions(LayerOptions, total=False):
    """The same for layers without an argument for it."""

    activity_regularizer: RegularizerLike


class EmbeddingOptions(TypedDict, total=False):
    """The same for embeddings, whose argument `input_dim` is another one."""

    name: str | None
    dtype: PolicyLike
    trainable: bool
    autocast: bool
    activity_regularizer: RegularizerLike
    input_shape: Sequence[int | None]
    batch_input_shape: Sequence[int | None]
    input_length: int | None


class ReversibleEmbeddingOptions(EmbeddingOptions, total=False):
    """What `ReversibleEmbedding` gives to `Embedding`."""

    weights: Any
    lora_rank: int | None
    lora_alpha: float | None
    quantization_config: object


class UnnamedLayerOptions(InputOptions, total=False):
    """The same for layers with an argument `name`."""

    dtype: PolicyLike
    trainable: bool
    autocast: bool
    activity_regularizer: RegularizerLike
