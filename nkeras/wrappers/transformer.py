"""SKLearnTransformer: a model whose outputs are features for what follows."""

from __future__ import annotations

from typing import Any

import numpy as np

from nkeras.wrappers.estimator import SKLBase
from nkeras.wrappers.scikit_learn import TransformerMixin


class SKLearnTransformer(TransformerMixin, SKLBase):  # pyright: ignore[reportUntypedBaseClass]
    """A model as a transformer of scikit-learn, such as one that makes vectors of samples.

    Args:
        model: a compiled model, or a function `model(X, y, **model_kwargs)` that returns one; `y`
            has a column for each output. A model is cloned, with new weights, each time that it is
            fitted.
        warm_start: whether to go on with the weights of the last `fit`, and with the given model
            itself.
        model_kwargs: dict of further arguments for a function.
        fit_kwargs: dict of arguments for `Model.fit`; those given to `fit` come before.

    Attributes:
        model_: the fitted model.
        history_: the `History` of its training.

    Example:
        >>> import numpy as np
        >>> import nkeras
        >>> model = nkeras.Sequential([nkeras.Input((2,)), nkeras.layers.Dense(3)])
        >>> model.compile("sgd", "mse")
        >>> estimator = SKLearnTransformer(model, fit_kwargs={"verbose": 0})
        >>> estimator.fit(np.eye(2), np.ones((2, 3))).transform(np.eye(2)).shape
        (2, 3)

    Source: https://keras.io/api/utils/sklearn_wrappers/
    """

    def transform(self, X: Any) -> np.ndarray:
        """What the model makes of samples.

        Args:
            X: samples `(n, features)`.
        """
        return self._outputs(X)

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn should know: results have the model's dtype."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags
