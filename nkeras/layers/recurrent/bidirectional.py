"""Bidirectional: a recurrent layer in both directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from nkeras import ops
from nkeras.core import tree
from nkeras.core.configurable import ANY
from nkeras.core.errors import is_a, refuse, short
from nkeras.core.serialization import deserialize_keras_object
from nkeras.core.tensor import Tensor
from nkeras.core.typing import AllLayerOptions, Config, Masks, Self, Shapes, Structure, Unpack
from nkeras.layers.base import Layer
from nkeras.layers.calling import signature_of

_MODES = ("sum", "mul", "ave", "concat", None)


class Bidirectional(Layer):
    """Runs a recurrent layer over sequences and a second one backwards, and joins their outputs.

    The outputs of both stand where their steps do. Where `return_sequences` is True, outputs of
    masked steps are 0.

    Args:
        layer: a recurrent layer, such as an LSTM; a copy of it runs forwards.
        merge_mode: how outputs are joined: `"concat"` along the last axis, `"sum"`, `"mul"`,
            `"ave"`, or None for a tuple of both.
        weights: arrays that the weights of both layers begin with, the forward ones first.
        backward_layer: the layer that runs backwards, with `go_backwards=True`; by default a copy
            of `layer`.

    Call arguments: `sequences` `(batch, steps, ...)`, `initial_state`, a list of the states of the
    forward layer and of the backward layer, `mask` bool `(batch, steps)`, `training`.

    Output: as that of the layers; with `return_state` followed by the states of both.

    Raises:
        ValueError: an argument is wrong, or the layers do not fit together.

    Example:
        >>> import nkeras
        >>> layer = Bidirectional(nkeras.layers.GRU(4, return_sequences=True))
        >>> layer(nkeras.ops.ones((2, 5, 3))).shape
        (2, 5, 8)

    Source: Schuster and Paliwal 1997, https://doi.org/10.1109/78.650093. Keras 3.15 takes `weights`
    and does not use them.
    """

    config_reads: ClassVar[Mapping[str, str]] = {
        **Layer.config_reads,
        "layer": "forward_layer",
        "backward_layer": "backward_layer",
    }
    config_omits: ClassVar[Mapping[str, object]] = {**Layer.config_omits, "weights": ANY}

    def __init__(
        self,
        layer: Any,
        merge_mode: str | None = "concat",
        weights: Sequence[Any] | None = None,
        backward_layer: Any = None,
        **kwargs: Unpack[AllLayerOptions],
    ) -> None:
        owner = type(self).__name__
        if not is_a(layer, Layer):
            refuse("layer", layer, "a layer", owner)
        if backward_layer is not None and not is_a(backward_layer, Layer):
            refuse("backward_layer", backward_layer, "a layer or None", owner)
        if merge_mode not in _MODES:
            refuse("merge_mode", merge_mode, '"sum", "mul", "ave", "concat" or None', owner)
        super().__init__(**kwargs)
        self.forward_layer = _copied(layer, "forward_")
        if backward_layer is None:
            backward_layer = _copied(layer, "backward_", go_backwards=True)
        self.backward_layer = backward_layer
        self._check_layers()
        for one in (self.forward_layer, self.backward_layer):
            if hasattr(layer, "use_cudnn"):
                one.use_cudnn = layer.use_cudnn
            if getattr(one, "zero_output_for_mask", None) is not None:
                one.zero_output_for_mask = one.return_sequences
        self.merge_mode = merge_mode
        self.stateful = layer.stateful
        self.return_sequences = layer.return_sequences
        self.return_state = layer.return_state
        self.supports_masking = True
        self.input_spec = layer.input_spec
        self._first_weights = None if not weights else [np.asarray(one) for one in weights]

    def _check_layers(self) -> None:
        forward, backward = self.forward_layer, self.backward_layer
        if forward.go_backwards == backward.go_backwards:
            raise ValueError(
                f"{type(self).__name__}: one of the two layers must have `go_backwards=True`. "
                f"Received: {short(forward.go_backwards)} for both"
            )
        for name in ("stateful", "return_sequences", "return_state"):
            values = getattr(forward, name), getattr(backward, name)
            if values[0] != values[1]:
                raise ValueError(
                    f"{type(self).__name__}: both layers must have the same `{name}`. Received: "
                    f"{values[0]} forwards and {values[1]} backwards"
                )

    def build(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, sequences_shape: Shapes, initial_state_shape: Shapes = None
    ) -> None:
        """Build both layers."""
        both = self.forward_layer, self.backward_layer
        for layer in both:
            if not layer.built:
                layer.build(sequences_shape)
        if self._first_weights is not None:
            half = len(self._first_weights) // 2
            both[0].set_weights(self._first_weights[:half])
            both[1].set_weights(self._first_weights[half:])

    def call(
        self,
        sequences: Tensor,
        initial_state: Structure = None,
        mask: Masks = None,
        training: bool | None = None,
    ) -> Any:
        """The joined outputs, and the states of both layers."""
        halves: list[Any] = [None, None]
        if initial_state is not None:
            half = len(initial_state) // 2
            halves = [list(initial_state[:half]), list(initial_state[half:])]
        forward = self._run_layer(self.forward_layer, sequences, halves[0], mask, training)
        backward = self._run_layer(self.backward_layer, sequences, halves[1], mask, training)
        states: tuple[Any, ...] = ()
        if self.return_state:
            states = (*forward[1:], *backward[1:])
            forward, backward = forward[0], backward[0]
        y, y_backward = (ops.cast(one, self.compute_dtype) for one in (forward, backward))
        if self.return_sequences:
            y_backward = ops.flip(y_backward, axis=1)
        output = self._merged(y, y_backward)
        if not self.return_state:
            return output
        return (*output, *states) if self.merge_mode is None else (output, *states)

    def _run_layer(
        self, layer: Any, sequences: Tensor, states: Any, mask: Masks, training: bool | None
    ) -> Any:
        known = signature_of(type(layer).call).names
        named = {"initial_state": states, "mask": mask, "training": training}
        given = {k: v for k, v in named.items() if k in known and v is not None}
        return layer(sequences, **given)

    def _merged(self, y: Tensor, backward: Tensor) -> Any:
        if self.merge_mode == "concat":
            return ops.concatenate([y, backward], axis=-1)
        if self.merge_mode == "sum":
            return ops.add(y, backward)
        if self.merge_mode == "ave":
            return ops.multiply(ops.add(y, backward), 0.5)
        if self.merge_mode == "mul":
            return ops.multiply(y, backward)
        return y, backward

    @property
    def states(self) -> tuple[Any, ...] | None:
        """The states of both layers, where they are kept."""
        forward, backward = self.forward_layer.states, self.backward_layer.states
        return (*forward, *backward) if forward and backward else None

    def reset_state(self) -> None:
        """Set the states of both layers to 0.

        Raises:
            AttributeError: the layers are not stateful.
        """
        if not self.stateful:
            raise AttributeError(f"{type(self).__name__}: the layer must be stateful.")
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    def reset_states(self) -> None:
        """The same, under its former name."""
        self.reset_state()

    def compute_mask(self, inputs: Structure, previous_mask: Masks) -> Masks:
        """The mask of the outputs of all steps; last outputs and states have none."""
        masks = tree.flatten(previous_mask)
        mask = masks[0] if masks and self.return_sequences else None
        found = [mask, mask] if self.merge_mode is None else [mask]
        if self.return_state:
            count = len(self.forward_layer.state_size) + len(self.backward_layer.state_size)
            return [*found, *(None for _ in range(count))]
        return tuple(found) if self.merge_mode is None else mask

    @classmethod
    def from_config(
        cls, config: Config, custom_objects: Mapping[str, object] | None = None
    ) -> Self:
        """A layer from what `get_config` returned, with names of the user's own classes."""
        return cls(**deserialize_keras_object(config, custom_objects=custom_objects))


def _copied(layer: Any, prefix: str, **changed: Any) -> Any:
    """A layer with the configuration of another one, and no weights."""
    name = f"{prefix}{layer.name.removeprefix(prefix)}"
    return type(layer).from_config({**layer.get_config(), "name": name, **changed})
