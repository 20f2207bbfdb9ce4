"""StringLookup: text as indices of a vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from nkeras.core.configurable import ANY
from nkeras.core.strings import STRING
from nkeras.core.typing import TensorLike
from nkeras.layers.preprocessing.index_lookup import IndexLookup


class StringLookup(IndexLookup):
    """Text as indices of a vocabulary, or as vectors of zeros, ones and counts.

    The vocabulary is given, or learned by `adapt`: the most frequent terms first. Index 0 is that
    of unknown terms (1 with a mask, which then has index 0 in the mode `"int"`); terms follow.

    Args:
        max_tokens: most terms, special ones included; no limit for None.
        num_oov_indices: how many indices unknown terms have. With several, the hash of a term
            (FarmHash, or SipHash with a salt, as in TensorFlow) says which; with 0 they are an
            error.
        mask_token: a term that stands for nothing: index 0, or not in vectors. None: there is none.
        oov_token: what unknown indices become where the layer is inverted.
        vocabulary: list, array or tensor of terms, or the path of a file with one in each line.
        idf_weights: inverse document frequencies of the terms, for `"tf_idf"` with a vocabulary.
        invert: terms for indices instead.
        output_mode: `"int"`, `"one_hot"` (a vector for each element, in the last axis or in place
            of a last axis of size 1), `"multi_hot"` (a vector for each sample, 1 at each term in
            it), `"count"` (how often each term is in it) or `"tf_idf"` (counts times weights).
        pad_to_max_tokens: vectors have the size `max_tokens`, however many terms there are.
        sparse: must be False: nkeras has no sparse tensors.
        encoding: must be `"utf-8"`.
        name: name.
        salt: an integer or two, the key of SipHash.
        **kwargs: `oov_method`, which has no effect on text.

    Call arguments: `inputs`, text; lists and arrays as well as tensors.

    Input shape: any. Output shape: `"int"` the same, int64; `"one_hot"` `(..., terms)`; others
    `(batch, ..., terms)`, without axis 1. Text stays on the host, whatever the backend; indices do
    not.

    Raises:
        ValueError: an argument is none of these, or a vocabulary has a term twice.
        RuntimeError: it is called before there is a vocabulary.

    Example:
        >>> layer = StringLookup(vocabulary=["sea", "land"])
        >>> layer([["land", "sky"], ["sea", "land"]]).numpy()
        array([[2, 0],
               [1, 2]])

    Source: https://keras.io/api/layers/preprocessing_layers/categorical/string_lookup/
    """

    config_omits: ClassVar[Mapping[str, object]] = {
        **IndexLookup.config_omits,
        "vocabulary_dtype": ANY,
    }

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str | None = "[UNK]",
        vocabulary: Any = None,
        idf_weights: TensorLike | None = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        salt: Any = None,
        **kwargs: Any,
    ) -> None:
        check_encoding(encoding, "StringLookup")
        self.encoding = encoding
        super().__init__(
            max_tokens=max_tokens,
            num_oov_indices=num_oov_indices,
            mask_token=mask_token,
            oov_token=oov_token,
            vocabulary_dtype=STRING,
            vocabulary=vocabulary,
            idf_weights=idf_weights,
            invert=invert,
            output_mode=output_mode,
            sparse=sparse,
            pad_to_max_tokens=pad_to_max_tokens,
            name=name,
            salt=salt,
            **kwargs,
        )


def check_encoding(encoding: str, owner: str) -> None:
    """Refuse an encoding other than that which text has in nkeras."""
    if str(encoding).lower().replace("_", "-") not in ("utf-8", "utf8"):
        raise ValueError(
            f"{owner}: argument `encoding` must be 'utf-8', which text has here. Received: "
            f"encoding={encoding!r}; decode bytes of another encoding before, with `bytes.decode`."
        )
