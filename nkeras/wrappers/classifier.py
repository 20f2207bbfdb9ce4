"""SKLearnClassifier: a model that finds classes."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from nkeras.core.errors import short
from nkeras.wrappers.estimator import SKLBase
from nkeras.wrappers.scikit_learn import ClassifierMixin, type_of_target


class SKLearnClassifier(ClassifierMixin, SKLBase):  # pyright: ignore[reportUntypedBaseClass]
    """A model as a classifier of scikit-learn. It is trained on one-hot rows of the classes.

    Args:
        model: a compiled model with an output for each class, or a function
            `model(X, y, **model_kwargs)` that returns one; `y` are the one-hot rows. A model is
            cloned, with new weights, each time that it is fitted.
        warm_start: whether to go on with the weights of the last `fit`, and with the given model
            itself.
        model_kwargs: dict of further arguments for a function.
        fit_kwargs: dict of arguments for `Model.fit`; those given to `fit` come before.

    Attributes:
        model_: the fitted model.
        history_: the `History` of its training.
        classes_: the classes in the order of the outputs.

    Example:
        >>> import numpy as np
        >>> import nkeras
        >>> def build(X, y, units):
        ...     hidden = nkeras.layers.Dense(units, activation="relu")
        ...     out = nkeras.layers.Dense(y.shape[1], activation="softmax")
        ...     model = nkeras.Sequential([nkeras.Input(X.shape[1:]), hidden, out])
        ...     model.compile("adam", "categorical_crossentropy")
        ...     return model
        >>> estimator = SKLearnClassifier(build, model_kwargs={"units": 4})
        >>> X, y = np.eye(4), np.array(["cat", "dog", "cat", "dog"])
        >>> estimator.fit(X, y, epochs=2, verbose=0).classes_.tolist()
        ['cat', 'dog']

    Source: https://keras.io/api/utils/sklearn_wrappers/. Keras 3.15 never heeds `warm_start`,
    does not compile the clone of a model, and drops `fit_kwargs` of clones.
    """

    classes_: np.ndarray
    _takes_several_targets: ClassVar[bool] = False

    def decision_function(self, X: Any) -> np.ndarray:
        """What the model gives: for each sample a number for each class.

        Args:
            X: samples `(n, features)`.
        """
        return self._outputs(X)

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn should know: an untrained model knows little."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags

    def _encode_target(self, y: np.ndarray) -> np.ndarray:
        kind = type_of_target(y, raise_unknown=True)
        if kind not in ("binary", "multiclass"):
            raise ValueError(
                "Only binary and multiclass target types are supported. "
                f"Target type: {kind}. Received: {short(y)}"
            )
        self.classes_, places = np.unique(y, return_inverse=True)
        if len(self.classes_) == 1:
            raise ValueError("Classifier can't train when only one class is present.")
        return np.eye(len(self.classes_), dtype="float32")[places]

    def _decode_target(self, outputs: np.ndarray) -> np.ndarray:
        return self.classes_[outputs.argmax(-1)]
