"""AugMix: means of an image and of chains of changes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nkeras import ops
from nkeras.core.errors import is_a, refuse
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Seed, Structure, TensorLike, Unpack
from nkeras.layers.preprocessing.image.augmenting import AugmentingLayer, as_ints
from nkeras.layers.preprocessing.image.base_image import BoxOptions, Factor, Transformation
from nkeras.ops.distributions import beta, gamma
from nkeras.ops.image import tones
from nkeras.ops.random import randint

LAYERS = (
    "random_shear random_translation random_rotation random_posterization solarization "
    "auto_contrast equalization"
).split()
MORE = "random_brightness random_color_degeneration random_contrast random_sharpness".split()


class AugMix(AugmentingLayer):
    """In training, means of images and of several chains of changes of them.

    A chain has up to `chain_depth` changes, drawn for the batch from those of `RandAugment`; how
    strong they are is drawn for each image. Boxes stay as they are.

    Args:
        value_range: the least and the largest value of a pixel; results stay in it.
        num_chains: how many chains.
        chain_depth: how many changes a chain has at most.
        factor: number from 0 to 1, or the least and the largest one: how strong they are. One
            number f stands for `(0, f)`.
        alpha: of the Dirichlet distribution of the chains' weights, and of the beta distribution of
            the weight of the image itself; positive.
        all_ops: whether brightness, color degeneration, contrast and sharpness are among them.
        interpolation: `"bilinear"` or `"nearest"`.
        seed: int.
        data_format: `"channels_last"` or `"channels_first"`.
        **kwargs: what every layer takes, and `bounding_box_format`.

    Call arguments: `data`, images or a dict (see `BaseImagePreprocessingLayer`); `training`, True
    by default.

    Input shape: `(batch, height, width, 3)` or one image, or channels first; any dtype.
    Output shape: the same, of the compute dtype.

    Raises:
        ValueError: an argument is wrong.

    Example:
        >>> import nkeras
        >>> AugMix(seed=1)(nkeras.ops.ones((2, 8, 8, 3)), training=True).shape
        (2, 8, 8, 3)

    Source: Hendrycks et al. (2019), https://arxiv.org/abs/1912.02781 The seed also says which
    changes are made, where Keras asks Python's `random`. A training step with it inside of its
    model runs as it comes, without a plan.
    """

    def __init__(
        self,
        value_range: Sequence[float] = (0, 255),
        num_chains: int = 3,
        chain_depth: int = 3,
        factor: Factor = 0.3,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[BoxOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        for name, count in (("num_chains", num_chains), ("chain_depth", chain_depth)):
            if not is_a(count, int) or count < 1:
                refuse(name, count, "a positive int", "AugMix")
        if not is_a(alpha, (int, float)) or not alpha > 0:
            refuse("alpha", alpha, "a positive number", "AugMix")
        self.num_chains = num_chains
        self.chain_depth = chain_depth
        self.alpha = alpha
        self.all_ops = all_ops
        self._set_strength(factor, value_range, interpolation, seed)
        self._augment_layers = [*LAYERS, *MORE] if all_ops else list(LAYERS)
        self._make_layers(self._augment_layers, kwargs)

    def get_random_transformation(
        self, data: Structure, training: bool = True, seed: Seed = None
    ) -> dict[str, Any] | None:
        """Weights of the chains and of the image, and for each chain the changes by their names."""
        if not training:
            return None
        names = self._augment_layers
        count = self.num_chains * self.chain_depth
        of_chains, of_image, of_choice, *seeds = self._seeds(3 + count, seed)
        shares = gamma((self.num_chains,), self.alpha, seed=of_chains)
        chosen = as_ints(randint((count,), 0, len(names) + 1, seed=of_choice))
        changes = [
            {
                "layer_name": names[number],
                "transformation": self._layer(names[number]).get_random_transformation(
                    data, seed=one
                ),
            }
            if number < len(names)
            else None
            for number, one in zip(chosen, seeds, strict=True)
        ]
        depth = self.chain_depth
        return {
            "chain_mixing_weights": shares / ops.sum(shares),
            "weight_sample": beta((), self.alpha, self.alpha, seed=of_image),
            "chain_transforms": [
                [change for change in changes[start : start + depth] if change is not None]
                for start in range(0, count, depth)
            ],
        }

    def _mixed(
        self, values: Tensor, transformation: Transformation, method: str, limits: Sequence[float]
    ) -> Tensor:
        """Values, mixed with what the chains make of them."""
        weights = self._as_images(transformation["chain_mixing_weights"])
        total: Tensor | None = None
        for number, chain in enumerate(transformation["chain_transforms"]):
            changed = values
            for change in chain:
                transform: Callable[..., Tensor] = getattr(
                    self._layer(change["layer_name"]), method
                )
                changed = transform(changed, change["transformation"])
            part = self._as_images(changed) * weights[number]
            total = part if total is None else total + part
        share = self._as_images(transformation["weight_sample"])
        low, high = (float(limit) for limit in limits)
        return values if total is None else tones.blended(total, values, share, low, high)

    def transform_images(
        self, images: TensorLike, transformation: Transformation = None, training: bool = True
    ) -> Tensor:
        """Means of images and of changed ones."""
        images = self._as_images(images)
        if not training or transformation is None:
            return images
        return self._mixed(images, transformation, "transform_images", self.value_range)

    def transform_segmentation_masks(
        self, segmentation_masks: TensorLike, transformation: Transformation, training: bool = True
    ) -> Tensor:
        """Means of masks and of moved ones, as floats: masks of shares of classes are meant."""
        masks = to_tensor(segmentation_masks)
        if not training or transformation is None:
            return masks
        limits = (float("-inf"), float("inf"))
        masks = self._as_images(masks)
        return self._mixed(masks, transformation, "transform_segmentation_masks", limits)

    def transform_bounding_boxes(
        self,
        bounding_boxes: Mapping[str, TensorLike],
        transformation: Transformation,
        training: bool = True,
    ) -> dict[str, TensorLike]:
        """The boxes as they are."""
        return dict(bounding_boxes)
