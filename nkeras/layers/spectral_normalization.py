"""A wrapper that keeps the spectral norm of a layer's kernel at 1."""

from __future__ import annotations

from nkeras import initializers, ops
from nkeras.core import tape
from nkeras.core.errors import refuse
from nkeras.core.tensor import Tensor
from nkeras.core.typing import AllLayerOptions, PartialShape, Unpack
from nkeras.core.variable import autocast_scope
from nkeras.layers.arguments import positive_int
from nkeras.layers.base import Layer
from nkeras.layers.input_spec import InputSpec
from nkeras.layers.wrapper import Wrapper


class SpectralNormalization(Wrapper):
    """Divides the kernel of a layer by its largest singular value, in each training step.

    That value is found by power iteration, which goes on from step to step: with W the kernel as a
    matrix `(..., outputs)`, `v = u W^T / |u W^T|`, `u = v W / |v W|`, and W becomes
    `W / (v W u^T)`. A kernel of zeros stays. In inference the kernel is used as it is.

    Args:
        layer: a layer with a weight `kernel` (dense layers, convolutions) or `embeddings`.
        power_iterations: iterations in each step.

    Call arguments: `inputs`, `training`.

    Input shape: that of the layer. Output shape: that of the layer.

    Raises:
        ValueError: an argument is out of range, or the layer has neither weight.

    Example:
        >>> import nkeras
        >>> layer = SpectralNormalization(nkeras.layers.Dense(10))
        >>> layer(nkeras.ops.ones((1, 5)), training=True).shape
        (1, 10)

    Source: Miyato et al. 2018, https://arxiv.org/abs/1802.05957. As in Keras the kernel itself is
    replaced, and gradients are those by the new kernel: what Keras does on TensorFlow and torch.
    """

    def __init__(
        self, layer: Layer, power_iterations: int = 1, **kwargs: Unpack[AllLayerOptions]
    ) -> None:
        super().__init__(layer, **kwargs)
        self.power_iterations = positive_int(
            power_iterations, "power_iterations", "SpectralNormalization"
        )

    def build(self, input_shape: PartialShape) -> None:
        """Build the layer, and make the vector u."""
        super().build(input_shape)
        self.input_spec = InputSpec(min_ndim=1, axes={-1: input_shape[-1]})
        kernel = getattr(self.layer, "kernel", getattr(self.layer, "embeddings", None))
        if kernel is None:
            expected = "a layer with a weight `kernel` or `embeddings`"
            refuse("layer", self.layer, expected, "SpectralNormalization")
        self.kernel = kernel
        self.vector_u = self.add_weight(
            name="vector_u",
            shape=(1, kernel.shape[-1]),
            initializer=initializers.TruncatedNormal(stddev=0.02),
            dtype=kernel.dtype,
            trainable=False,
        )

    def call(self, inputs: Tensor, training: bool | None = False) -> Tensor:
        """The layer's outputs; in training its kernel is normalized before."""
        if training:
            with tape.paused(), autocast_scope(None):
                vector_u, kernel = self.normalized_weights()
                is_empty = ops.all(ops.equal(self.kernel, 0))
                self.vector_u.assign(ops.where(is_empty, self.vector_u.value, vector_u))
                self.kernel.assign(ops.where(is_empty, self.kernel.value, kernel))
        return ops.cast(self.layer(inputs), inputs.dtype)

    def normalized_weights(self) -> tuple[Tensor, Tensor]:
        """The vector u after power iteration, and the kernel divided by its spectral norm."""
        weights = ops.reshape(self.kernel, (-1, self.kernel.shape[-1]))
        u = self.vector_u.value
        v = u
        for _ in range(self.power_iterations):
            v = ops.normalize(ops.matmul(u, ops.transpose(weights)), axis=None)
            u = ops.normalize(ops.matmul(v, weights), axis=None)
        norm = ops.matmul(ops.matmul(v, weights), ops.transpose(u))
        return u, ops.reshape(ops.divide(weights, norm), self.kernel.shape)
