"""Where Keras has an operation besides `keras.ops`: in `numpy`, `nn`, `linalg`, or nowhere.

It follows from the names: what NumPy has is in `numpy`, what is declared as linear algebra in
`linalg`, the rest in `nn`, but for some helpers.
"""

from __future__ import annotations

import sys

import numpy as np

from nkeras.core import missing

_LINALG = "decompositions determinants norms solving jacobians".split()
_NOT_IN_NUMPY = frozenset("dtype fft shape unstack".split())
_NUMPY_TOO = frozenset("divide_no_nan get_item slogdet view".split())
_NOWHERE = frozenset(
    """associative_scan cast cdist cond convert_to_numpy convert_to_tensor custom_gradient dtype erf
    erfc erfinv extract_sequences fft fft2 fori_loop ifft2 in_top_k irfft is_tensor istft logdet
    logsumexp map rearrange rfft rsqrt saturate_cast scan scatter scatter_update segment_max
    segment_min segment_prod segment_sum shape slice slice_update stft stop_gradient switch top_k
    unstack vectorized_map view_as_complex view_as_real while_loop""".split()
)


def offer(module: str) -> None:
    """Give a module the operations that Keras has in the module of the same name.

    Args:
        module: the module's `__name__`, such as `"nkeras.ops.nn"`.
    """
    package, _, space = module.rpartition(".")
    ops = vars(sys.modules[package])
    members = {name: ops[name] for name in ops["__all__"] if _space(name, ops[name]) == space}
    vars(sys.modules[module]).update(members, __all__=sorted(members))
    missing.explain(module)


def _space(name: str, operation: object) -> str | None:
    if name in _NUMPY_TOO:
        return "numpy"
    if name in _NOWHERE:
        return None
    if str(getattr(operation, "__module__", "")).rpartition(".")[2] in _LINALG:
        return "linalg"
    return "numpy" if hasattr(np, name) and name not in _NOT_IN_NUMPY else "nn"
