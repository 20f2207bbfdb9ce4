"""What the estimators for scikit-learn share."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from nkeras.callbacks import History
from nkeras.core.errors import short
from nkeras.core.typing import Self
from nkeras.models import Model, clone_model
from nkeras.wrappers.scikit_learn import (
    BaseEstimator,
    MetadataRequest,
    check_is_fitted,
    get_config,
    type_of_target,
    validate_data,
)


class SKLBase(BaseEstimator):  # pyright: ignore[reportUntypedBaseClass]
    """Base of the estimators.

    Args:
        model: a compiled model, or a function `model(X, y, **model_kwargs)` that returns one, for
            data that are checked and targets as the model will see them. A model is cloned, with
            new weights, each time that it is fitted.
        warm_start: whether to go on with the weights of the last `fit`, and with the given model
            itself.
        model_kwargs: dict of further arguments for a function.
        fit_kwargs: dict of arguments for `Model.fit`; those given to `fit` come before.

    Attributes:
        model_: the fitted model.
        history_: the `History` of its training.
    """

    _takes_several_targets: ClassVar[bool] = True

    def __init__(
        self,
        model: Model | Callable[..., Model],
        warm_start: bool = False,
        model_kwargs: Mapping[str, Any] | None = None,
        fit_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        # scikit-learn's estimators keep what they are given, as it is.
        self.model = model
        self.warm_start = warm_start
        self.model_kwargs = model_kwargs
        self.fit_kwargs = fit_kwargs

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn should know: training draws random numbers."""
        tags = super().__sklearn_tags__()
        tags.non_deterministic = True
        tags.target_tags.multi_output = self._takes_several_targets
        return tags

    def __sklearn_clone__(self) -> Self:
        """A copy that is not fitted, for `sklearn.base.clone`."""
        given = self.get_params(deep=False)
        if isinstance(self.model, Model):
            given["model"] = copy.deepcopy(self.model)
        return type(self)(**given)

    @property
    def epoch_(self) -> int:
        """How many epochs the last `fit` has trained."""
        return len(self.history_.epoch) if hasattr(self, "history_") else 0

    def set_fit_request(self, **kwargs: Any) -> Self:
        """Ask for arguments of `fit` where scikit-learn routes metadata.

        Args:
            **kwargs: by the name of an argument, True, False, None or another name for it.

        Raises:
            RuntimeError: metadata are not routed.

        Source: https://scikit-learn.org/stable/metadata_routing.html
        """
        if not get_config().get("enable_metadata_routing", False):
            raise RuntimeError(
                "This method is only available when metadata routing is enabled: "
                "sklearn.set_config(enable_metadata_routing=True)."
            )
        self._metadata_request = MetadataRequest(owner=self)
        for param, alias in kwargs.items():
            self._metadata_request.fit.add_request(param=param, alias=alias)
        return self

    def fit(self, X: Any, y: Any, **kwargs: Any) -> Self:
        """Train the model.

        Args:
            X: samples `(n, features)`.
            y: targets `(n,)` or `(n, outputs)`.
            **kwargs: arguments for `Model.fit`.

        Returns:
            The estimator.

        Raises:
            ValueError: data or targets do not fit.
            RuntimeError: the model is not compiled.
        """
        samples, targets = validate_data(self, X, y, multi_output=self._takes_several_targets)
        targets = self._encode_target(targets)
        model = self._model_for(samples, targets)
        if not model.compiled or not model.loss or model.optimizer is None:
            raise RuntimeError(
                f"{type(self).__name__}: Given model needs to be compiled, and have a loss and an "
                f"optimizer. Received: loss={short(model.loss)}, optimizer={short(model.optimizer)}"
            )
        options = {**(self.fit_kwargs or {}), **kwargs}
        self.history_: History = model.fit(samples, targets, **options)
        self.model_ = model
        return self

    def _model_for(self, X: np.ndarray, y: np.ndarray) -> Model:
        if self.warm_start and hasattr(self, "model_"):
            return self.model_
        given = self.model
        if not isinstance(given, Model):
            return given(X=X, y=y, **(self.model_kwargs or {}))
        if self.warm_start:
            return given
        model = clone_model(given)
        model.compile_like(given)
        return model

    def predict(self, X: Any) -> np.ndarray:
        """What the model says of samples, in the form of the targets.

        Args:
            X: samples `(n, features)`.
        """
        return self._decode_target(self._outputs(X))

    def _outputs(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return self.model_.predict(validate_data(self, X, reset=False), verbose=0)

    def _encode_target(self, y: np.ndarray) -> np.ndarray:
        """Targets as the model sees them: columns."""
        type_of_target(y, raise_unknown=True)
        self._target_rank = y.ndim
        return y.reshape(-1, 1) if y.ndim == 1 else y

    def _decode_target(self, outputs: np.ndarray) -> np.ndarray:
        """What a model gives, in the form of the targets."""
        is_column = outputs.ndim == 2 and outputs.shape[1] == 1
        return outputs[:, 0] if self._target_rank == 1 and is_column else outputs
