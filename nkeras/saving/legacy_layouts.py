"""Weights as Keras 1 and 2 laid them out, turned into today's arrays.

Source: the layouts are those of the layers' documentation in Keras 1.2 and 2.3, and of cuDNN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from nkeras import layers
from nkeras.core.errors import short
from nkeras.layers.base import Layer

if TYPE_CHECKING:
    from nkeras.models.model import Model

Arrays = list[Any]

_CONVOLUTIONS = (
    *(layers.Conv1D, layers.Conv2D, layers.Conv3D),
    *(layers.Conv2DTranspose, layers.ConvLSTM2D),
)
_OTHER_CONVOLUTIONS = (
    *(layers.DepthwiseConv1D, layers.DepthwiseConv2D),
    *(layers.SeparableConv1D, layers.SeparableConv2D),
)
# Gates of a layer of Keras 1, which had arrays of its own for each, in today's order.
_GATES: dict[type[Layer], tuple[int, ...]] = {
    layers.LSTM: (0, 2, 1, 3),
    layers.GRU: (0, 1, 2),
    layers.ConvLSTM2D: (0, 2, 1, 3),
}


def is_model(thing: object) -> TypeGuard[Model]:
    """Whether it is a model, whose class this module cannot import: that imports this one."""
    return isinstance(thing, Layer) and hasattr(thing, "has_graph")


@dataclass(frozen=True)
class Layout:
    """Who has written the weights.

    Args:
        version: of Keras, 1, 2 or 3.
        backend: for example `"tensorflow"`; empty where the file does not say.
    """

    version: int
    backend: str

    def arrays(self, layer: Layer, stored: Arrays) -> Arrays:
        """The arrays of a layer in today's layout, in the order of Keras 2.

        Args:
            layer: layer that they are for.
            stored: arrays of the file, which are read only if they must be changed.

        Raises:
            ValueError: they have a layout that is not known.
        """
        if self.version == 3:
            return stored
        if isinstance(layer, layers.Bidirectional):
            half = len(stored) // 2
            forward = self.arrays(layer.forward_layer, stored[:half])
            return forward + self.arrays(layer.backward_layer, stored[half:])
        if isinstance(layer, layers.TimeDistributed):
            return self.arrays(layer.layer, stored)
        if is_model(layer):
            return self._of_model(layer, stored)
        changes = [
            change
            for applies, change in (
                (self.version == 1, _from_keras_1),
                (self.backend == "theano", _flipped),
                (True, _from_cudnn),
            )
            if applies
        ]
        for change in changes:
            stored = change(layer, stored)
        return stored

    def _of_model(self, model: Model, stored: Arrays) -> Arrays:
        """The layers of a model inside a model: all trainable weights, then all others."""
        trainable = len(model.trainable_weights)
        halves = [stored[:trainable], stored[trainable:]]
        changed: list[Arrays] = [[], []]
        for layer in model.layers:
            counts = len(layer.trainable_weights), len(layer.non_trainable_weights)
            own = [half[:count] for half, count in zip(halves, counts, strict=True)]
            halves = [half[count:] for half, count in zip(halves, counts, strict=True)]
            made = self.arrays(layer, own[0] + own[1])
            changed[0] += made[: counts[0]]
            changed[1] += made[counts[0] :]
        return changed[0] + changed[1] + halves[0] + halves[1]


def _from_keras_1(layer: Layer, stored: Arrays) -> Arrays:
    for kind, gates in _GATES.items():
        if isinstance(layer, kind) and len(stored) == 3 * len(gates):
            stored = [_joined([stored[3 * gate + part] for gate in gates]) for part in range(3)]
    if not stored or not isinstance(layer, _CONVOLUTIONS):
        return stored
    kernel, *rest = stored
    is_first = layer.data_format == "channels_first"
    if isinstance(layer, layers.Conv1D) and len(kernel.shape) == 4:
        kernel = np.asarray(kernel)
        if kernel.shape[0] == layer.filters and kernel.shape[2:] == (layer.kernel_size[0], 1):
            kernel = kernel.transpose(2, 3, 1, 0)  # until Keras 1.1
        kernel = kernel[:, 0]
    elif isinstance(layer, layers.Conv2DTranspose):
        kernel = np.asarray(kernel).transpose((2, 3, 0, 1) if is_first else (0, 1, 3, 2))
    elif is_first and isinstance(layer, layers.ConvLSTM2D):
        kernel = np.asarray(kernel).transpose(2, 3, 1, 0)
        rest[0] = np.asarray(rest[0]).transpose(2, 3, 1, 0)
    elif is_first and isinstance(layer, layers.Conv2D):
        kernel = np.asarray(kernel).transpose(2, 3, 1, 0)
    elif is_first and isinstance(layer, layers.Conv3D):
        kernel = np.asarray(kernel).transpose(2, 3, 4, 1, 0)
    return [kernel, *rest]


def _joined(arrays: Sequence[Any]) -> np.ndarray:
    return np.concatenate([np.asarray(array) for array in arrays], axis=-1)


def _flipped(layer: Layer, stored: Arrays) -> Arrays:
    """Theano turned kernels around before it applied them, as the textbook's convolution does."""
    if stored and isinstance(layer, _OTHER_CONVOLUTIONS):
        raise ValueError(
            f"the kernels of {type(layer).__name__} {short(layer.name)} are those of Theano, which "
            "nkeras cannot turn into its own"
        )
    if not stored or not isinstance(layer, _CONVOLUTIONS):
        return stored
    kernels = 2 if isinstance(layer, layers.ConvLSTM2D) else 1
    flipped = [
        np.flip(np.asarray(kernel), axis=tuple(range(len(kernel.shape) - 2)))
        for kernel in stored[:kernels]
    ]
    return [*flipped, *stored[kernels:]]


def _from_cudnn(layer: Layer, stored: Arrays) -> Arrays:
    """The layers `CuDNNLSTM` and `CuDNNGRU` kept transposed matrices and two biases."""
    gates = len(_GATES[type(layer)]) if type(layer) in (layers.LSTM, layers.GRU) else 0
    if not gates or len(stored) != 3 or len(stored[1].shape) != 2:
        return stored
    kernel, recurrent, bias = stored
    units = recurrent.shape[0]
    if tuple(bias.shape) != (2 * gates * units,):
        return stored
    kernel = _by_gate(kernel, gates, lambda part: part.reshape(part.shape[::-1]).T)
    recurrent = _by_gate(recurrent, gates, lambda part: part.T)
    bias = np.asarray(bias).reshape(2, gates * units)
    return [kernel, recurrent, bias if isinstance(layer, layers.GRU) else bias.sum(axis=0)]


def _by_gate(matrix: Any, gates: int, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    parts = np.split(np.asarray(matrix), gates, axis=1)
    return np.concatenate([change(np.ascontiguousarray(part)) for part in parts], axis=1)
