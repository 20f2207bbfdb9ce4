"""SKLearnRegressor: a model that finds numbers."""

from __future__ import annotations

from typing import Any

from nkeras.wrappers.estimator import SKLBase
from nkeras.wrappers.scikit_learn import RegressorMixin


class SKLearnRegressor(RegressorMixin, SKLBase):  # pyright: ignore[reportUntypedBaseClass]
    """A model as a regressor of scikit-learn.

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
        >>> model = nkeras.Sequential([nkeras.Input((2,)), nkeras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> estimator = SKLearnRegressor(model, fit_kwargs={"verbose": 0})
        >>> X = np.eye(2)
        >>> estimator.fit(X, [1.0, 2.0]).predict(X).shape
        (2,)

    Source: https://keras.io/api/utils/sklearn_wrappers/
    """

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn should know: an untrained model knows little."""
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags
