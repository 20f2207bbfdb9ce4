"""SwapEMAWeights: validation of the weights' moving averages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from nkeras.callbacks.callback import Callback, Logs
from nkeras.core.variable import Variable
from nkeras.optimizers import LossScaleOptimizer, MultiOptimizer, Optimizer


class SwapEMAWeights(Callback):
    """Puts the weights' moving averages into the model while it is evaluated or predicts.

    The optimizer must keep them: `use_ema=True`. Afterwards the weights of training are back,
    also where an exception ends it. While the averages are in the model, the optimizer keeps the
    weights in their place.

    Args:
        swap_on_epoch: also from the end of each epoch to the beginning of the next, for callbacks
            behind this one, such as one that saves the weights.

    Raises:
        ValueError: no optimizer of the model keeps averages.

    Example:
        >>> import nkeras
        >>> swap = nkeras.callbacks.SwapEMAWeights()
        >>> optimizer = nkeras.optimizers.SGD(use_ema=True)

    Source: https://keras.io/api/callbacks/ (Keras leaves the averages in the model behind
    `predict`).
    """

    saved_attributes: ClassVar[Sequence[str]] = ("_ema_weights_in_model",)

    def __init__(self, swap_on_epoch: bool = False) -> None:
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._ema_weights_in_model = False

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Go on with the weights of training."""
        if self.swap_on_epoch:
            self._show_averages(False)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Let other callbacks see the averages; after the last epoch they stay."""
        if not self.swap_on_epoch:
            return
        self._show_averages(True)
        last = (self.params or {}).get("epochs", 0) - 1
        if epoch == last or self.model.stop_training:
            # The optimizer overwrites the weights by its averages at the end of training.
            for variable, average in self._pairs():
                average.assign(variable.value)

    def on_test_begin(self, logs: Logs = None) -> None:
        """Put the averages into the model."""
        self._show_averages(True)

    def on_test_end(self, logs: Logs = None) -> None:
        """Put the weights back."""
        self._show_averages(False)

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Put the averages into the model."""
        self._show_averages(True)

    def on_predict_end(self, logs: Logs = None) -> None:
        """Put the weights back."""
        self._show_averages(False)

    def _on_interruption(self) -> None:
        self._show_averages(False)

    def _show_averages(self, wanted: bool) -> None:
        if self._ema_weights_in_model == wanted:
            return
        for variable, average in self._pairs():
            value = variable.value
            variable.assign(average.value)
            average.assign(value)
        self._ema_weights_in_model = wanted

    def _pairs(self) -> Iterator[tuple[Variable, Variable]]:
        averaging = [one for one in _optimizers(self.model.optimizer) if one.use_ema and one.built]
        if not averaging:
            raise ValueError(
                "SwapEMAWeights: the optimizer must be made with `use_ema=True`, and have made a "
                f"step. Received: {type(self.model.optimizer).__name__}"
            )
        for optimizer in averaging:
            yield from optimizer.averages()


def _optimizers(optimizer: Optimizer | None) -> list[Optimizer]:
    """The optimizer itself, or those that it holds."""
    if isinstance(optimizer, LossScaleOptimizer):
        return [optimizer.inner_optimizer]
    if isinstance(optimizer, MultiOptimizer):
        return optimizer.optimizers
    return [] if optimizer is None else [optimizer]
