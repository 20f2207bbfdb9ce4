"""What the arguments of lookup layers must be."""

from __future__ import annotations

from typing import Any

import numpy as np

from nkeras.core.errors import is_a, short
from nkeras.core.strings import STRING
from nkeras.layers.preprocessing.encoding import OUTPUT_MODES, check_sparse

MODES = (*OUTPUT_MODES, "tf_idf")
_OLD_NAMES = {"binary": "multi_hot", "tf-idf": "tf_idf"}


def checked_mode(output_mode: Any, owner: str) -> str:
    """An output mode, also by its name of Keras 2."""
    mode = _OLD_NAMES.get(output_mode, output_mode) if is_a(output_mode, str) else output_mode
    if mode not in MODES:
        raise ValueError(
            f"{owner}: Unknown string for argument `output_mode`. It must be one of {MODES}. "
            f"Received: output_mode={short(output_mode)}"
        )
    return str(mode)


def checked_salt(salt: Any, owner: str) -> list[int] | None:
    """A salt as a list of two integers; one integer stands for both."""
    if salt is None:
        return None
    pair = [salt, salt] if is_a(salt, int) else salt
    if not is_a(pair, (list, tuple)) or len(pair) != 2 or not all(is_a(one, int) for one in pair):
        raise ValueError(
            f"The `salt` argument for `{owner}` can only be a tuple of size 2 integers, or a "
            f"single integer. Received: salt={short(salt)}."
        )
    return [int(one) for one in pair]


def check_sizes(max_tokens: Any, num_oov_indices: Any, pad_to_max_tokens: bool, owner: str) -> None:
    """Refuse numbers of terms that cannot be."""
    if max_tokens is not None and (not is_a(max_tokens, (int, np.integer)) or max_tokens <= 1):
        raise ValueError(
            f"{owner}: If set, `max_tokens` must be greater than 1. Received: "
            f"max_tokens={short(max_tokens)}"
        )
    if pad_to_max_tokens and max_tokens is None:
        raise ValueError(
            f"{owner}: If pad_to_max_tokens is True, must set `max_tokens`. Received: "
            f"max_tokens={max_tokens}"
        )
    if not is_a(num_oov_indices, (int, np.integer)) or num_oov_indices < 0:
        raise ValueError(
            f"{owner}: `num_oov_indices` must be greater than or equal to 0. Received: "
            f"num_oov_indices={short(num_oov_indices)}"
        )


def check_unknown(oov_method: str, salt: object, vocabulary_dtype: str, owner: str) -> None:
    """Refuse ways for unknown terms that there are not."""
    if oov_method not in ("floormod", "farmhash"):
        raise ValueError(
            f"{owner}: argument `oov_method` must be 'floormod' or 'farmhash'. Received: "
            f"oov_method={short(oov_method)}"
        )
    if salt is not None and vocabulary_dtype != STRING and oov_method != "farmhash":
        raise ValueError(
            f"{owner}: `salt` can only be used when `oov_method='farmhash'`. Received: "
            f"oov_method={oov_method}"
        )


def check_form(output_mode: str, invert: bool, sparse: bool, owner: str) -> None:
    """Refuse forms of the output that exclude each other."""
    if invert and output_mode != "int":
        raise ValueError(
            f"{owner}: `output_mode` must be `'int'` when `invert` is true. Received: "
            f"output_mode={output_mode}"
        )
    if sparse and output_mode == "int":
        raise ValueError(
            f"{owner}: `sparse` may only be true if `output_mode` is `'one_hot'`, "
            f"`'multi_hot'`, `'count'` or `'tf_idf'`. Received: sparse={short(sparse)}"
        )
    check_sparse(sparse, owner)


def check_weights(output_mode: str, has_weights: bool, is_given: bool, owner: str) -> None:
    """Refuse weights that are too many, or missing beside a vocabulary that `is_given`."""
    if has_weights and output_mode != "tf_idf":
        raise ValueError(
            f"{owner}: `idf_weights` should only be set if `output_mode` is `'tf_idf'`. "
            f"Received: output_mode={output_mode}"
        )
    if output_mode == "tf_idf" and is_given and not has_weights:
        raise ValueError(
            f"{owner}: When specifying the `vocabulary` argument, in TF-IDF output mode, the "
            "`idf_weights` argument must also be provided."
        )
