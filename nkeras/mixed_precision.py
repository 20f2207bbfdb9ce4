"""Computing in half precision with variables in float32: names of Keras 2, as Keras has them."""

from nkeras.core import missing
from nkeras.core.policies import DTypePolicy, dtype_policy, set_dtype_policy
from nkeras.optimizers import LossScaleOptimizer

Policy = DTypePolicy
global_policy = dtype_policy
set_global_policy = set_dtype_policy

__all__ = [
    "DTypePolicy",
    "LossScaleOptimizer",
    "Policy",
    "dtype_policy",
    "global_policy",
    "set_dtype_policy",
    "set_global_policy",
]

missing.explain(__name__)
