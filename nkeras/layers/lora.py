"""LoRA: a matrix is trained by adding the product of two small ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, overload

import numpy as np

from nkeras import initializers, ops
from nkeras.core.errors import refuse
from nkeras.core.tensor import Tensor
from nkeras.core.typing import InitializerLike, Self
from nkeras.core.variable import Variable
from nkeras.layers.arguments import positive_int
from nkeras.layers.base import Layer


class AdaptableWeight:
    """The matrix of an `Adaptable` layer as it is used: with LoRA, the sum with the product.

    The attribute `kernel` stands for the variable `_kernel`, to which `lora_kernel_a @
    lora_kernel_b` is added.
    """

    def __set_name__(self, owner: type[Adaptable], name: str) -> None:
        owner.adaptable = name

    @overload
    def __get__(self, layer: None, owner: type[Adaptable]) -> Self: ...
    @overload
    def __get__(self, layer: Adaptable, owner: type[Adaptable]) -> Variable: ...
    def __get__(self, layer: Adaptable | None, owner: type[Adaptable]) -> Any:
        if layer is None:
            return self
        return layer.adapted() if layer.lora_enabled else layer.base_weight


class Adaptable(Layer):
    """A layer whose matrix LoRA may adapt; a subclass declares it by an `AdaptableWeight`.

    Attributes:
        adaptable: the name of the matrix.
        lora_rank: the length of the rows of `lora_<matrix>_a`; None without LoRA.
        lora_alpha: the product is multiplied by `lora_alpha / lora_rank`.
        lora_enabled: whether there is a product.
    """

    config_reads: ClassVar[Mapping[str, str]] = {
        **Layer.config_reads,
        "lora_rank": "lora_rank",
        "lora_alpha": "lora_alpha",
    }
    config_omits: ClassVar[Mapping[str, object]] = {
        **Layer.config_omits,
        "lora_rank": None,
        "lora_alpha": None,
    }
    adaptable: ClassVar[str]

    def _set_lora(self, rank: int | None, alpha: float | None) -> None:
        """Keep the arguments; the rank is None, or that of the product to make in `build`."""
        self.lora_enabled = False
        self.lora_rank = self.lora_alpha = None
        if rank is not None:
            self._set_rank(rank, alpha)

    def _set_rank(self, rank: int, alpha: float | None) -> None:
        owner = type(self).__name__
        self.lora_rank = positive_int(rank, "lora_rank", owner)
        if alpha is not None and (isinstance(alpha, bool) or not hasattr(alpha, "__float__")):
            refuse("lora_alpha", alpha, "a number or None", owner)
        self.lora_alpha = self.lora_rank if alpha is None else alpha

    @property
    def base_weight(self) -> Variable:
        """The variable of the matrix, without LoRA.

        Raises:
            AttributeError: the layer has not been built.
        """
        variable = self.__dict__.get(f"_{self.adaptable}")
        if variable is None:
            raise AttributeError(f"You must build the layer before accessing `{self.adaptable}`.")
        return variable

    def _keep_base(self, variable: Variable) -> None:
        """The variable of the matrix, as `build` made it; with the product that was asked for."""
        setattr(self, f"_{self.adaptable}", variable)

    def _adapt_if_asked(self) -> None:
        """Make the product in `build`, behind all other weights."""
        if self.lora_rank is not None and not self.lora_enabled:
            self._check_adaptable()
            self._adapt(self.lora_rank, self.lora_alpha, "he_uniform", "zeros")

    def enable_lora(
        self,
        rank: int,
        lora_alpha: float | None = None,
        a_initializer: InitializerLike = "he_uniform",
        b_initializer: InitializerLike = "zeros",
    ) -> None:
        """Freeze the matrix, and train a product of two small ones that is added to it.

        `matrix + lora_alpha / rank * a @ b`, with a `(*matrix.shape[:-1], rank)` and b `(rank,
        matrix.shape[-1])`, which are float32. A model that was compiled before is compiled anew.

        Args:
            rank: positive int.
            lora_alpha: number; `rank` for None.
            a_initializer: initializer of a.
            b_initializer: initializer of b.

        Raises:
            ValueError: the layer is not built, has LoRA already, or a constraint of its matrix.

        Example:
            >>> import nkeras
            >>> layer = nkeras.layers.Dense(3)
            >>> layer.build((None, 4))
            >>> layer.enable_lora(2)
            >>> [weight.name for weight in layer.trainable_weights]
            ['bias', 'lora_kernel_a', 'lora_kernel_b']

        Source: Hu et al. 2021, https://arxiv.org/abs/2106.09685. In Keras 3.15, `Dense` and
        `Embedding` forget a `lora_alpha` that was given to their constructor.
        """
        if not self.built:
            raise ValueError("Cannot enable lora on a layer that isn't yet built.")
        if self.lora_enabled:
            raise ValueError("lora is already enabled. This can only be done once per layer.")
        self._check_adaptable()
        rank = positive_int(rank, "rank", f"{type(self).__name__}.enable_lora")
        locked, self._is_locked = self.__dict__.get("_is_locked", False), False
        try:
            self._adapt(rank, lora_alpha, a_initializer, b_initializer)
        finally:
            self._is_locked = locked

    def _check_adaptable(self) -> None:
        if getattr(self, f"{self.adaptable}_constraint") is not None:
            raise ValueError(
                f"Lora is incompatible with constraints of {self.adaptable}. In order to enable "
                f"lora on this layer, remove the `{self.adaptable}_constraint` argument."
            )

    def _adapt(
        self, rank: int, alpha: float | None, a_initializer: Any, b_initializer: Any
    ) -> None:
        base, regularizer = self.base_weight, getattr(self, f"{self.adaptable}_regularizer")
        shapes = {"a": (*base.shape[:-1], rank), "b": (rank, base.shape[-1])}
        for letter, initializer in (("a", a_initializer), ("b", b_initializer)):
            name = f"lora_{self.adaptable}_{letter}"
            weight = self.add_weight(
                name=name,
                shape=shapes[letter],
                initializer=initializers.get(initializer),
                dtype="float32",
                regularizer=regularizer,
            )
            setattr(self, name, weight)
        base.trainable = False
        self._set_rank(rank, alpha)
        self.lora_enabled = True

    def _factors(self) -> tuple[Variable, Variable, float]:
        """The two matrices a and b, and what their product is multiplied by."""
        assert self.lora_rank is not None
        assert self.lora_alpha is not None
        a, b = (getattr(self, f"lora_{self.adaptable}_{letter}") for letter in "ab")
        return a, b, self.lora_alpha / self.lora_rank

    def adapted(self) -> Variable | Tensor:
        """The variable of the matrix, or with LoRA its sum with the product."""
        base = self.base_weight
        if not self.lora_enabled:
            return base
        a, b, scale = self._factors()
        return ops.cast(ops.add(base, scale * ops.matmul(a, b)), self.compute_dtype)

    def _may_thaw(self, variable: Variable) -> bool:
        """Setting `trainable` leaves a matrix frozen that has LoRA."""
        return super()._may_thaw(variable) and not (
            self.lora_enabled and variable is self.base_weight
        )

    def saved_weights(self) -> list[Variable]:
        """Without the two matrices: what is saved is the sum."""
        saved = super().saved_weights()
        if not self.lora_enabled:
            return saved
        factors = self._factors()[:2]
        return [variable for variable in saved if not any(variable is one for one in factors)]

    def _saved_changed(self) -> Mapping[Variable, np.ndarray]:
        """With LoRA, the sum of matrix and product."""
        return self._merged() if self.lora_enabled else {}

    def _merged(self) -> dict[Variable, np.ndarray]:
        """The values of weights with LoRA added to them."""
        return {self.base_weight: np.asarray(self.adapted())}

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Read the weights from a mapping; with LoRA, its product becomes zero.

        Args:
            store: what `save_own_variables` has written.

        Raises:
            ValueError: it has another number of weights.
        """
        super().load_own_variables(store)
        if self.lora_enabled:
            for factor in self._factors()[:2]:
                factor.assign(np.zeros(factor.shape))
