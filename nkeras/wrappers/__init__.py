"""Models as estimators of scikit-learn, as `keras.wrappers`; needs the extra `sklearn`."""

from typing import TYPE_CHECKING

from nkeras.core import missing

# They derive from classes of scikit-learn, which is imported with the first of them.
_LATER = {
    "SKLearnClassifier": "wrappers.classifier",
    "SKLearnRegressor": "wrappers.regressor",
    "SKLearnTransformer": "wrappers.transformer",
}

if TYPE_CHECKING:
    from nkeras.wrappers.classifier import SKLearnClassifier as SKLearnClassifier
    from nkeras.wrappers.regressor import SKLearnRegressor as SKLearnRegressor
    from nkeras.wrappers.transformer import SKLearnTransformer as SKLearnTransformer

missing.explain(__name__, _LATER)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
