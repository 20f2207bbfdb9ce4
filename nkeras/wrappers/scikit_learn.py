"""What is used of scikit-learn; imported with the first estimator."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(
            "nkeras.wrappers needs scikit-learn 1.6 or later: pip install 'nkeras[sklearn]'"
        ) from error


_base = _module("sklearn.base")
BaseEstimator: Any = _base.BaseEstimator
ClassifierMixin: Any = _base.ClassifierMixin
RegressorMixin: Any = _base.RegressorMixin
TransformerMixin: Any = _base.TransformerMixin
MetadataRequest: Any = _module("sklearn.utils.metadata_routing").MetadataRequest
check_is_fitted: Any = _module("sklearn.utils.validation").check_is_fitted
get_config: Any = _module("sklearn").get_config
type_of_target: Any = _module("sklearn.utils.multiclass").type_of_target
validate_data: Any = _module("sklearn.utils.validation").validate_data
