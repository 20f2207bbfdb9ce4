"""IntegerLookup: integers as indices of a vocabulary."""

from __future__ import annotations

from typing import Any

from nkeras.core.errors import short
from nkeras.core.typing import TensorLike
from nkeras.layers.preprocessing.index_lookup import IndexLookup


class IntegerLookup(IndexLookup):
    """Integers as indices of a vocabulary, or as vectors of zeros, ones and counts.

    The vocabulary is given, or learned by `adapt`: the most frequent integers first. Index 0 is
    that of unknown ones (1 with a mask, which then has index 0 in the mode `"int"`); others follow.

    Args:
        max_tokens: most integers, special ones included; no limit for None.
        num_oov_indices: how many indices unknown integers have. With several, `oov_method` says
            which; with 0 they are an error.
        mask_token: an integer that stands for nothing: index 0, or not in vectors; None: none.
        oov_token: what unknown indices become where the layer is inverted.
        vocabulary: list, array or tensor of integers, or the path of a file with one in each line.
        vocabulary_dtype: must be `"int64"`.
        idf_weights: inverse document frequencies, for `"tf_idf"` with a vocabulary.
        invert: integers for indices instead.
        output_mode: `"int"`, `"one_hot"` (a vector for each element, in the last axis or in place
            of a last axis of size 1), `"multi_hot"` (a vector for each sample, 1 at each integer in
            it), `"count"` (how often each is in it) or `"tf_idf"` (counts times weights).
        sparse: must be False: nkeras has no sparse tensors.
        pad_to_max_tokens: vectors have the size `max_tokens`, however many integers there are.
        oov_method: `"floormod"`: the remainder of an unknown integer; `"farmhash"`: the hash of its
            digits, as in TensorFlow.
        salt: an integer or two, the key of SipHash, which then takes FarmHash's place.
        name: name.
        **kwargs: none that has an effect.

    Call arguments: `inputs`, integers; lists and arrays as well as tensors.

    Input shape: any. Output shape: `"int"` the same, int64; `"one_hot"` `(..., integers)`; others
    `(batch, ..., integers)`, without axis 1.

    Raises:
        ValueError: an argument is none of these, or a vocabulary has an integer twice.
        RuntimeError: it is called before there is a vocabulary.

    Example:
        >>> layer = IntegerLookup(vocabulary=[12, 36, 1138])
        >>> layer([[36, 1], [1138, 12]]).numpy()
        array([[2, 0],
               [3, 1]])

    Source: https://keras.io/api/layers/preprocessing_layers/categorical/integer_lookup/
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int | None = -1,
        vocabulary: Any = None,
        vocabulary_dtype: str = "int64",
        idf_weights: TensorLike | None = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        salt: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if vocabulary_dtype != "int64":
            raise ValueError(
                "IntegerLookup: argument `vocabulary_dtype` must be 'int64'. Received: "
                f"vocabulary_dtype={short(vocabulary_dtype)}"
            )
        super().__init__(
            max_tokens=max_tokens,
            num_oov_indices=num_oov_indices,
            mask_token=mask_token,
            oov_token=oov_token,
            vocabulary_dtype=vocabulary_dtype,
            vocabulary=vocabulary,
            idf_weights=idf_weights,
            invert=invert,
            output_mode=output_mode,
            sparse=sparse,
            pad_to_max_tokens=pad_to_max_tokens,
            oov_method=oov_method,
            name=name,
            salt=salt,
            **kwargs,
        )
