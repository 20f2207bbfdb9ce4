"""Losses that layers add to the one of training."""

from __future__ import annotations

from collections.abc import Sequence
from threading import get_ident, local

from nkeras.core import graph, observer, recomputing, stateless, tree
from nkeras.core.errors import short
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.layers.weights import Weighted


class _Thread(local):
    has_losses = False  # whether any layer holds losses of this thread


_this_thread = _Thread()


class AddsLosses(Weighted):
    """The part of a layer that adds losses, for each thread its own."""

    def __init__(self) -> None:
        super().__init__()
        self._own_losses: dict[int, list[Tensor]] = {}

    def add_loss(self, loss: TensorLike | Sequence[TensorLike]) -> None:
        """Add a scalar tensor (or a list of them) to the loss that training minimises.

        Call it in `call`; what was added is forgotten at the next call of the outermost layer.
        """
        for leaf in tree.flatten(loss):
            if not hasattr(leaf, "shape"):
                raise ValueError(f"add_loss: a loss must be a tensor. Received: {short(leaf)}")
            if graph.tracing():
                continue  # shapes are inferred: there is no value
            run = recomputing.active()
            if run is not None and run.keeps_loss(leaf):
                continue
            self._own_losses.setdefault(get_ident(), []).append(leaf)
            _this_thread.has_losses = True
            recorder = observer.active()
            if recorder is not None:
                recorder.losses.append((self, leaf))

    @property
    def losses(self) -> list[Tensor]:
        """Losses added in the last call by this thread, and those of weight regularizers."""
        scope = stateless.active()
        found: list[Tensor] = [] if scope is None else list(scope.losses)
        for layer in self._flatten_layers() if scope is None else ():
            found += layer._own_losses.get(get_ident(), [])
        found += [v.regularizer(v) for v in self.trainable_variables if v.regularizer is not None]
        return found

    def _replace_losses(self, losses: list[Tensor]) -> None:
        """The losses that a replayed step has added."""
        self._own_losses[get_ident()] = losses
        _this_thread.has_losses = True

    def _clear_losses(self) -> None:
        if not _this_thread.has_losses or stateless.active() is not None:
            return
        for layer in self._flatten_layers():
            layer._own_losses.pop(get_ident(), None)
