"""ConvNeXt: a ResNet in the shape of a transformer, with large depthwise convolutions.

Source: Z. Liu and others, "A ConvNet for the 2020s", 2022, https://arxiv.org/abs/2201.03545
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

from nkeras import initializers, layers
from nkeras.applications.architecture import Request, Weights, architecture
from nkeras.applications.heads import pooled
from nkeras.applications.imagenet_utils import DEVIATIONS, MEANS, decode_predictions
from nkeras.applications.imagenet_utils import unchanged as preprocess_input
from nkeras.applications.images import image_input, image_shape, needs_channels_last
from nkeras.applications.pretrained import GOOGLE, files_of, finished_model
from nkeras.core.graph import KerasTensor
from nkeras.core.typing import ActivationLike, PartialShape, Shapes
from nkeras.layers.base import Layer
from nkeras.models import Functional, Sequential

__all__ = [
    "ConvNeXtBase",
    "ConvNeXtLarge",
    "ConvNeXtSmall",
    "ConvNeXtTiny",
    "ConvNeXtXLarge",
    "decode_predictions",
    "preprocess_input",
]

_HASHES = {
    "convnext_tiny": (
        "8ae6e78ce2933352b1ef4008e6dd2f17bc40771563877d156bc6426c7cf503ff",
        "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
    ),
    "convnext_small": (
        "ce1277d8f1ee5a0ef0e171469089c18f5233860ceaf9b168049cb9263fd7483c",
        "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab",
    ),
    "convnext_base": (
        "52cbb006d3dadd03f6e095a8ca1aca47aecdd75acb4bc74bce1f5c695d0086e6",
        "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45",
    ),
    "convnext_large": (
        "070c5ed9ed289581e477741d3b34beffa920db8cf590899d6d2c67fba2a198a6",
        "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd",
    ),
    "convnext_xlarge": (
        "c1f5ccab661354fc3a79a10fa99af82f0fbf10ec65cb894a3ae0815f17a889ee",
        "de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05",
    ),
}
_EPSILON = 1e-6
_FIRST_SCALE = 1e-6  # of a block's branch, before training


class _ConvNeXt(Protocol):
    """What the family takes.

    Args:
        include_preprocessing: whether the model begins with a layer that takes mean and deviation
            of ImageNet away from images of three channels with values from 0 to 255. The weights of
            ImageNet need it.
    """

    __name__: str

    def __call__(
        self,
        include_top: bool = True,
        include_preprocessing: bool = True,
        weights: Weights = "imagenet",
        input_tensor: Any = None,
        input_shape: PartialShape | None = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: ActivationLike = "softmax",
        name: str = ...,
    ) -> Functional:
        """The model."""
        ...


class LayerScale(Layer):
    """Each channel by a learned factor, which begins near 0.

    Args:
        init_values: the factors before training.
        projection_dim: number of channels.

    Input shape: `(..., projection_dim)`. Output shape: the same.

    Example:
        >>> import nkeras
        >>> LayerScale(0.5, 2)(nkeras.ops.ones((1, 2))).numpy()
        array([[0.5, 0.5]], dtype=float32)

    Source: H. Touvron and others, "Going deeper with Image Transformers",
    https://arxiv.org/abs/2103.17239
    """

    keras_module: ClassVar[str] = "keras.src.applications.convnext"

    def __init__(self, init_values: float, projection_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.init_values = init_values
        self.projection_dim = projection_dim

    def build(self, input_shape: Shapes) -> None:
        """Make the factors."""
        first = initializers.Constant(self.init_values)
        self.gamma = self.add_weight(shape=(self.projection_dim,), initializer=first)

    def call(self, inputs: Any) -> Any:
        """The scaled inputs."""
        return inputs * self.gamma


@architecture(_ConvNeXt, "convnext_tiny")
def ConvNeXtTiny(request: Request, include_preprocessing: bool) -> Functional:
    """ConvNeXt Tiny, 28.6 million numbers.

    Images have values from 0 to 255, unless `include_preprocessing=False`.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.ConvNeXtTiny(
        ...     weights=None, include_top=False, input_shape=(64, 64, 3)
        ... )
        >>> model.output_shape
        (None, 2, 2, 768)

    Source: https://arxiv.org/abs/2201.03545
    """
    return _convnext(request, "convnext_tiny", (3, 3, 9, 3), 96, include_preprocessing)


@architecture(_ConvNeXt, "convnext_small")
def ConvNeXtSmall(request: Request, include_preprocessing: bool) -> Functional:
    """ConvNeXt Small, 50.2 million numbers.

    Images have values from 0 to 255, unless `include_preprocessing=False`.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.ConvNeXtSmall(
        ...     weights=None, include_top=False, input_shape=(64, 64, 3)
        ... )
        >>> model.output_shape
        (None, 2, 2, 768)

    Source: https://arxiv.org/abs/2201.03545
    """
    return _convnext(request, "convnext_small", (3, 3, 27, 3), 96, include_preprocessing)


@architecture(_ConvNeXt, "convnext_base")
def ConvNeXtBase(request: Request, include_preprocessing: bool) -> Functional:
    """ConvNeXt Base, 88.6 million numbers.

    Images have values from 0 to 255, unless `include_preprocessing=False`.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.ConvNeXtBase(
        ...     weights=None, include_top=False, input_shape=(64, 64, 3)
        ... )
        >>> model.output_shape
        (None, 2, 2, 1024)

    Source: https://arxiv.org/abs/2201.03545
    """
    return _convnext(request, "convnext_base", (3, 3, 27, 3), 128, include_preprocessing)


@architecture(_ConvNeXt, "convnext_large")
def ConvNeXtLarge(request: Request, include_preprocessing: bool) -> Functional:
    """ConvNeXt Large, 197.8 million numbers.

    Images have values from 0 to 255, unless `include_preprocessing=False`.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.ConvNeXtLarge(
        ...     weights=None, include_top=False, input_shape=(64, 64, 3)
        ... )
        >>> model.output_shape
        (None, 2, 2, 1536)

    Source: https://arxiv.org/abs/2201.03545
    """
    return _convnext(request, "convnext_large", (3, 3, 27, 3), 192, include_preprocessing)


@architecture(_ConvNeXt, "convnext_xlarge")
def ConvNeXtXLarge(request: Request, include_preprocessing: bool) -> Functional:
    """ConvNeXt XLarge, 350.2 million numbers.

    Images have values from 0 to 255, unless `include_preprocessing=False`.

    Example:
        >>> import nkeras
        >>> model = nkeras.applications.ConvNeXtXLarge(
        ...     weights=None, include_top=False, input_shape=(64, 64, 3)
        ... )
        >>> model.output_shape
        (None, 2, 2, 2048)

    Source: https://arxiv.org/abs/2201.03545
    """
    return _convnext(request, "convnext_xlarge", (3, 3, 27, 3), 256, include_preprocessing)


def _convnext(
    request: Request, variant: str, counts: Sequence[int], width: int, include_preprocessing: bool
) -> Functional:
    """A model of the family.

    Args:
        request: what the caller asked for.
        variant: its name among the files of weights.
        counts: blocks of each stage.
        width: channels of the first stage; each one has twice as many as the one before.
        include_preprocessing: whether it begins with a normalization.
    """
    needs_channels_last(request)
    name = request.name
    images = x = image_input(request, image_shape(request, 224))
    if include_preprocessing and x.shape[3] == 3:
        means = [255 * mean for mean in MEANS]
        variances = [(255 * deviation) ** 2 for deviation in DEVIATIONS]
        x = layers.Normalization(
            mean=means, variance=variances, name=f"{name}_prestem_normalization"
        )(x)
    smaller = [_stem(name, width)]
    smaller += [_halving(name, i, width * 2 ** (i + 1)) for i in range(len(counts) - 1)]
    for stage, count in enumerate(counts):
        x = smaller[stage](x)
        for block in range(count):
            x = _block(x, f"{name}_stage_{stage}_block_{block}")
    if request.include_top:
        x = layers.GlobalAveragePooling2D(name=f"{name}_head_gap")(x)
        x = layers.LayerNormalization(epsilon=_EPSILON, name=f"{name}_head_layernorm")(x)
        x = layers.Dense(
            request.classes, activation=request.classifier_activation, name=f"{name}_head_dense"
        )(x)
    else:
        x = layers.LayerNormalization(epsilon=_EPSILON)(pooled(request, x))
    names = (f"{variant}.h5", f"{variant}_notop.h5")
    return finished_model(
        request, images, x, files_of(f"{GOOGLE}convnext/", names, _HASHES[variant])
    )


def _stem(name: str | None, filters: int) -> Sequential:
    """Patches of 4x4 pixels."""
    return Sequential(
        [
            layers.Conv2D(filters, 4, strides=4, name=f"{name}_stem_conv"),
            layers.LayerNormalization(epsilon=_EPSILON, name=f"{name}_stem_layernorm"),
        ],
        name=f"{name}_stem",
    )


def _halving(name: str | None, i: int, filters: int) -> Sequential:
    """Half the height and width."""
    norm = f"{name}_downsampling_layernorm_{i}"
    return Sequential(
        [
            layers.LayerNormalization(epsilon=_EPSILON, name=norm),
            layers.Conv2D(filters, 2, strides=2, name=f"{name}_downsampling_conv_{i}"),
        ],
        name=f"{name}_downsampling_block_{i}",
    )


def _block(inputs: KerasTensor, name: str) -> KerasTensor:
    """A 7x7 convolution of each channel, then two dense layers, scaled; beside a shortcut."""
    channels = inputs.shape[3]
    x = layers.Conv2D(channels, 7, padding="same", groups=channels, name=f"{name}_depthwise_conv")(
        inputs
    )
    x = layers.LayerNormalization(epsilon=_EPSILON, name=f"{name}_layernorm")(x)
    x = layers.Dense(4 * channels, name=f"{name}_pointwise_conv_1")(x)
    x = layers.Activation("gelu", name=f"{name}_gelu")(x)
    x = layers.Dense(channels, name=f"{name}_pointwise_conv_2")(x)
    x = LayerScale(_FIRST_SCALE, channels, name=f"{name}_layer_scale")(x)
    # Where Keras can leave out whole branches in training; it does so in none of these models.
    x = layers.Activation("linear", name=f"{name}_identity")(x)
    return inputs + x
