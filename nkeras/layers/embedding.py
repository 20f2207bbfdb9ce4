"""Embedding, and one that also projects back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from nkeras import ops
from nkeras.core import dtypes
from nkeras.core.configurable import ANY
from nkeras.core.errors import warn
from nkeras.core.graph import set_mask
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import (
    ConstraintLike,
    DTypeLike,
    EmbeddingOptions,
    InitializerLike,
    Masks,
    PartialShape,
    RegularizerLike,
    ReversibleEmbeddingOptions,
    Structure,
    TensorLike,
    Unpack,
)
from nkeras.core.variable import Variable
from nkeras.layers.arguments import positive_int
from nkeras.layers.lora import Adaptable, AdaptableWeight
from nkeras.layers.quantizing import Quantizable
from nkeras.ops.dense import dense
from nkeras.ops.shape import turned


class Embedding(Quantizable):
    """Rows of a matrix, chosen by integers: vectors for words.

    Its gradient adds in the order of the inputs, whatever the number of threads. Where a plan of
    `fit` updates the matrix by `SGD` without momentum or by `Adagrad`, it touches the rows that
    were used alone: the others stay the same by Keras' maths. Under other optimizers, or where the
    matrix is used twice or has a penalty, all rows change in each step.

    Args:
        input_dim: number of rows: inputs are integers in `[0, input_dim)`.
        output_dim: length of a row.
        embeddings_initializer: initializer of the matrix `(input_dim, output_dim)`.
        embeddings_regularizer: penalty of the matrix.
        embeddings_constraint: applied to the matrix after each update.
        mask_zero: whether the input 0 stands for nothing, and is masked.
        weights: the first values of the matrix, or a list of them alone.
        lora_rank: None, or the rank of a product that is trained instead of the matrix: see
            `enable_lora`.
        lora_alpha: the product is multiplied by `lora_alpha / lora_rank`; by 1 for None.
        quantization_config: None, or how `quantize` makes integers: `Int8QuantizationConfig`.

    Input shape: `(batch, ...)`, integers. Output shape: `(batch, ..., output_dim)`.

    Raises:
        ValueError: a size is no positive int; in calls, an input is out of range.

    Example:
        >>> import nkeras
        >>> Embedding(1000, 64)(nkeras.ops.array([[4, 20, 999]])).shape
        (1, 3, 64)

    Source: https://keras.io/api/layers/core_layers/embedding/
    """

    config_omits: ClassVar[Mapping[str, object]] = {
        **{
            name: one
            for name, one in Adaptable.config_omits.items()
            if name != "activity_regularizer"
        },
        "weights": ANY,
        "input_length": ANY,
    }

    embeddings = AdaptableWeight()
    quantized_axes: ClassVar[dict[str, tuple[int, ...]]] = {
        "embeddings": (1,),
        "reverse_embeddings": (0,),
    }
    embeddings_scale: Variable

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: InitializerLike = "uniform",
        embeddings_regularizer: RegularizerLike = None,
        embeddings_constraint: ConstraintLike = None,
        mask_zero: bool = False,
        weights: TensorLike | list[TensorLike] | None = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: object = None,
        **kwargs: Unpack[EmbeddingOptions],
    ) -> None:
        if kwargs.pop("input_length", None) is not None:
            warn("Argument `input_length` is deprecated. Just remove it.")
        owner = type(self).__name__
        super().__init__(**kwargs)
        self.input_dim = positive_int(input_dim, "input_dim", owner)
        self.output_dim = positive_int(output_dim, "output_dim", owner)
        self._set_options(
            "embeddings", embeddings_initializer, embeddings_regularizer, embeddings_constraint
        )
        self.mask_zero = mask_zero
        self.supports_masking = mask_zero
        self.autocast = False
        self._set_lora(lora_rank, lora_alpha)
        self._set_quantization(quantization_config)
        if weights is not None:
            self.build()
            self.set_weights(
                weights if isinstance(weights, list) and len(weights) == 1 else [weights]
            )

    def build(self, input_shape: PartialShape | None = None) -> None:
        """Make the matrix."""
        if not self.built:
            self._add_matrix("embeddings", (self.input_dim, self.output_dim))
            self._adapt_if_asked()

    def call(self, inputs: Tensor) -> Tensor:
        """The rows that the inputs name."""
        if inputs.dtype == "bool" or not dtypes.is_integer(inputs.dtype):
            inputs = ops.cast(inputs, "int32")
        rows = ops.take(self.base_weight, inputs, axis=0)
        if self.is_quantized:
            scale = ops.expand_dims(ops.take(self.embeddings_scale, inputs, axis=0), -1)
            rows = ops.divide(ops.cast(rows, self.compute_dtype), scale)
        if self.lora_enabled:
            a, b, scale = self._factors()
            rows = ops.add(rows, scale * ops.matmul(ops.take(a, inputs, axis=0), b))
        return ops.cast(rows, self.compute_dtype)

    def _matrices(self) -> tuple[str, ...]:
        """The matrix."""
        return ("embeddings",)

    def compute_mask(self, inputs: Structure, previous_mask: Masks = None) -> Masks:
        """Where the inputs are not 0, if that is masked."""
        return ops.not_equal(inputs, 0) if self.mask_zero else None


class ReversibleEmbedding(Embedding):
    """An embedding that, called with `reverse=True`, projects vectors to scores of all rows.

    `inputs @ transpose(embeddings)`, computed in `reverse_dtype`. Keras computes in the dtype that
    inputs and matrix promote to where that is None, against its documentation.

    Args:
        input_dim: number of rows: inputs are integers in `[0, input_dim)`.
        output_dim: length of a row.
        tie_weights: whether to project by the same matrix; else by one of its own.
        embeddings_initializer: initializer of the matrix `(input_dim, output_dim)`.
        embeddings_regularizer: penalty of the matrix.
        embeddings_constraint: applied to the matrix after each update.
        mask_zero: whether the input 0 stands for nothing, and is masked.
        reverse_dtype: dtype of the projection; the layer's compute dtype for None.
        logit_soft_cap: limits scores to `logit_soft_cap * tanh(scores / logit_soft_cap)`.

    Call arguments:
        inputs: integers `(batch, ...)`, or with `reverse` floats `(batch, ..., output_dim)`.
        reverse: whether to project.

    Output shape: `(batch, ..., output_dim)`, or with `reverse` `(batch, ..., input_dim)`.

    Example:
        >>> import nkeras
        >>> layer = ReversibleEmbedding(100, 8)
        >>> vectors = layer(nkeras.ops.array([[4, 20, 99]]))
        >>> layer(vectors, reverse=True).shape
        (1, 3, 100)

    Source: https://keras.io/api/layers/core_layers/reversible_embedding/; Press and Wolf 2016,
    https://arxiv.org/abs/1608.05859
    """

    reverse_embeddings: Variable
    reverse_embeddings_scale: Variable

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        tie_weights: bool = True,
        embeddings_initializer: InitializerLike = "uniform",
        embeddings_regularizer: RegularizerLike = None,
        embeddings_constraint: ConstraintLike = None,
        mask_zero: bool = False,
        reverse_dtype: DTypeLike = None,
        logit_soft_cap: float | None = None,
        **kwargs: Unpack[ReversibleEmbeddingOptions],
    ) -> None:
        self.tie_weights = tie_weights
        super().__init__(
            input_dim,
            output_dim,
            embeddings_initializer,
            embeddings_regularizer,
            embeddings_constraint,
            mask_zero,
            **kwargs,
        )
        self.reverse_dtype = reverse_dtype
        self.logit_soft_cap = logit_soft_cap

    def build(self, input_shape: PartialShape | None = None) -> None:
        """Make the matrix, and the one that projects where it is another."""
        super().build(input_shape)
        if not self.tie_weights:
            initializer = self._options_of("embeddings")[0]
            shape = (self.output_dim, self.input_dim)
            self._add_matrix("reverse_embeddings", shape, initializer)

    def _matrices(self) -> tuple[str, ...]:
        """The matrix, and the one that projects where it is another."""
        return ("embeddings",) if self.tie_weights else ("embeddings", "reverse_embeddings")

    def call(self, inputs: Tensor, reverse: bool = False) -> Tensor:
        """The rows that the inputs name, or scores of all rows."""
        if not reverse:
            outputs = super().call(inputs)
            if self.mask_zero:
                set_mask(outputs, ops.not_equal(inputs, 0))
            return outputs
        scores = self._scores_by_integers(inputs) if self.is_quantized else self._scores(inputs)
        if self.logit_soft_cap is not None:
            scores = ops.tanh(scores / self.logit_soft_cap) * self.logit_soft_cap
        return scores

    def _scores(self, inputs: Tensor) -> Tensor:
        dtype = dtypes.standardize(self.reverse_dtype or self.compute_dtype)
        kernel = turned(to_tensor(self.embeddings)) if self.tie_weights else self.reverse_embeddings
        return dense(ops.cast(inputs, dtype), ops.cast(kernel, dtype))

    def _scores_by_integers(self, inputs: Tensor) -> Tensor:
        """Without LoRA, as in Keras."""
        if self.tie_weights:
            kernel, scale = turned(self.base_weight.value), self.embeddings_scale
        else:
            kernel, scale = self.reverse_embeddings, self.reverse_embeddings_scale
        return self._integer_product(ops.cast(inputs, self.compute_dtype), kernel, scale, None)

    def compute_mask(self, inputs: Structure, previous_mask: Masks = None) -> Masks:
        """None: `call` has set the mask of the rows, and scores have none."""
        return None

    def compute_output_shape(
        self, input_shape: PartialShape, reverse: bool = False
    ) -> PartialShape:
        """The shape of the rows, or of the scores."""
        if reverse:
            return (*input_shape[:-1], self.input_dim)
        return (*input_shape, self.output_dim)

    def _spec(self, *args: Any, **kwargs: Any) -> Any:
        """As traced: the shape alone does not say in which direction the call goes."""
        return self._run(*args, **kwargs)
