"""The part of a model that shows it: summary, drawings, activations, gradients."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from nkeras.core.typing import Structure

if TYPE_CHECKING:
    from nkeras.inspect.activations import Gradients
    from nkeras.inspect.picture import Picture
    from nkeras.inspect.placing import Direction
    from nkeras.models.model import Model

Chosen = Sequence[str] | str | Callable[[str], bool] | None
"""Names of layers: a list, one, a function that says whether, or None for all."""


class Inspected:
    """What a model says of itself."""

    @property
    def _model(self) -> Model:
        found: Any = self
        return found

    def summary(
        self,
        line_length: int | None = None,
        positions: list[float] | None = None,
        print_fn: Callable[[str], object] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
        costs: bool = False,
    ) -> None:
        """Print a table of the layers, their output shapes and numbers of parameters.

        Args:
            line_length: width of the table.
            positions: relative or absolute positions of the columns.
            print_fn: function that takes the text; prints by default.
            expand_nested: show the layers of nested models.
            show_trainable: add a column that shows whether layers are trainable.
            layer_range: two layer names (or patterns): show only these and what lies between.
            costs: add columns with the floating-point operations of each layer for one sample, the
                bytes of its outputs and the time it took just now on the active backend.
        """
        from nkeras.utils.summary import print_summary

        print_summary(
            self._model,
            line_length=line_length,
            positions=positions,
            print_fn=print_fn,
            expand_nested=expand_nested,
            show_trainable=show_trainable,
            layer_range=layer_range,
            costs=costs,
        )

    def plot(
        self,
        path: str | os.PathLike[str] | None = None,
        rankdir: Direction = "TB",
        expand_nested: bool = True,
    ) -> Picture:
        """Draw the model's graph, with names, shapes and activations.

        Args:
            path: file to write, `.svg`, `.png`, `.pdf` or `.dot`, as `utils.plot_model`, which has
                more choices; None writes none.
            rankdir: `"TB"` from top to bottom, or `"BT"`, `"LR"`, `"RL"`.
            expand_nested: whether nested models are shown with their layers.

        Returns:
            The picture; notebooks show it, and its `svg` is the text.

        Raises:
            ValueError: the model is not built, or an argument is not known.

        Example:
            >>> import nkeras
            >>> model = nkeras.Sequential([nkeras.Input((3,)), nkeras.layers.Dense(2)])
            >>> model.plot().svg[:4]
            '<svg'
        """
        from nkeras.inspect.plot import plot

        return plot(self._model, path, rankdir, expand_nested)

    def activations(
        self, x: Structure, layers: Chosen = None, training: bool = False
    ) -> dict[str, Structure]:
        """What layers give for some inputs, in one pass.

        Args:
            x: inputs, arrays with a batch axis, as `predict` takes one batch.
            layers: names of layers to keep; a list, one name, a function of a name, or None for
                all. A layer inside another is `"outer/inner"`, the second call of one `"inner#2"`.
                Calls of ops in a functional model have the names that `summary` shows.
            training: the mode in which layers are called.

        Returns:
            Arrays by name, or structures of arrays, in the order in which they are computed.

        Raises:
            ValueError: a name is not that of a layer which was called.

        Example:
            >>> import numpy as np
            >>> import nkeras
            >>> model = nkeras.Sequential([nkeras.layers.Dense(4, name="a"), nkeras.layers.ReLU()])
            >>> model.activations(np.ones((5, 3)))["a"].shape
            (5, 4)
        """
        from nkeras.inspect.activations import activations

        return activations(self._model, x, layers, training)

    def gradients(
        self,
        x: Structure,
        y: Structure,
        sample_weight: Structure = None,
        layers: Chosen = None,
        training: bool = False,
    ) -> Gradients:
        """The gradients of the loss with the outputs of layers and with weights.

        Args:
            x: inputs, arrays with a batch axis.
            y: targets.
            sample_weight: weights of samples, as `fit`.
            layers: whose outputs, as for `activations`.
            training: the mode in which layers are called.

        Returns:
            A tuple of the names `outputs` (arrays by names of layers), `weights` (arrays by the
            paths of trainable weights) and `loss`; None where nothing leads to the loss.

        Raises:
            ValueError: the model is not compiled, or has no such layer.

        Example:
            >>> import numpy as np
            >>> import nkeras
            >>> model = nkeras.Sequential([nkeras.Input((3,)), nkeras.layers.Dense(2, name="a")])
            >>> model.compile(loss="mse")
            >>> found = model.gradients(np.ones((5, 3)), np.zeros((5, 2)))
            >>> found.outputs["a"].shape, found.weights[model.layers[0].kernel.path].shape
            ((5, 2), (3, 2))
        """
        from nkeras.inspect.activations import gradients

        return gradients(self._model, x, y, sample_weight, layers, training)

    def _repr_html_(self) -> str:
        """What notebooks show: the layers in a table, and the graph."""
        from nkeras.inspect.html import model_html

        return model_html(self._model)
