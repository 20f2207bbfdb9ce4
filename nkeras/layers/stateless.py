"""Calls of layers with given values for their variables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nkeras.core.stateless import StatelessScope, pairs
from nkeras.core.typing import TensorLike
from nkeras.layers.added_losses import AddsLosses


class CallsStateless(AddsLosses):
    """The part of a layer that leaves its variables alone."""

    built: bool

    def stateless_call(
        self,
        trainable_variables: Sequence[TensorLike],
        non_trainable_variables: Sequence[TensorLike],
        *args: Any,
        return_losses: bool = False,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """Call the layer as if its variables had other values; they stay as they are.

        Gradients reach the given tensors (`nkeras.grad` of a function of them, say).

        Args:
            trainable_variables: values, in the order of `layer.trainable_variables`.
            non_trainable_variables: values, in the order of `layer.non_trainable_variables`: also
                states of random seeds.
            *args: what the layer is called with.
            return_losses: whether the losses are wanted that layers add, those of regularizers
                included.
            **kwargs: what the layer is called with by name.

        Returns:
            `(outputs, non_trainable_variables)`, the latter as the call has left them, and with
            `return_losses` a list of losses.

        Raises:
            ValueError: the layer is not built, or the number of values is another one.

        Example:
            >>> import nkeras
            >>> layer = nkeras.layers.Dense(1, use_bias=False)
            >>> layer.build((1, 2))
            >>> kernel = nkeras.ops.convert_to_tensor([[2.0], [3.0]])
            >>> layer.stateless_call([kernel], [], nkeras.ops.ones((1, 2)))[0].tolist()
            [[5.0]]

        Source: https://keras.io/api/layers/base_layer/
        """
        call: Any = self
        owner = f"{type(self).__name__}.stateless_call"
        if not self.built:
            raise ValueError(
                f"{owner}: the layer must be built, so that it has its variables. Call it on data, "
                "or call `build`."
            )
        trainable, others = self.trainable_variables, self.non_trainable_variables
        given = [
            *pairs(trainable, trainable_variables, "trainable_variables", owner),
            *pairs(others, non_trainable_variables, "non_trainable_variables", owner),
        ]
        with StatelessScope(given, collect_losses=return_losses) as scope:
            outputs = call(*args, **kwargs)
            losses = self.losses if return_losses else []
        left = scope.values(others)
        return (outputs, left, losses) if return_losses else (outputs, left)
