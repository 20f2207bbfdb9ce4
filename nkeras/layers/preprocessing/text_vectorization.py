"""TextVectorization: texts as sequences of integers, or as vectors of counts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from nkeras import ops
from nkeras.backend.packed import to_bytes
from nkeras.backend.text import END, PUNCTUATION, Tokens
from nkeras.core import config as settings
from nkeras.core.configurable import ANY
from nkeras.core.errors import is_a, short
from nkeras.core.graph import KerasTensor
from nkeras.core.primitive import to_tensor
from nkeras.core.strings import STRING, no_numbers, text_array
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Config, PartialShape, Self, TensorLike
from nkeras.layers.preprocessing import vocabulary as vocabularies
from nkeras.layers.preprocessing.adapting import AdaptData, batches_of, is_one_array
from nkeras.layers.preprocessing.data_layer import DataLayer
from nkeras.layers.preprocessing.lookup_arguments import checked_mode
from nkeras.layers.preprocessing.string_lookup import StringLookup, check_encoding
from nkeras.ops import text

_STANDARDS = ("lower_and_strip_punctuation", "lower", "strip_punctuation")
_SPLITS = ("whitespace", "character")


class TextVectorization(DataLayer):
    """Texts as sequences of the indices of their words, or as vectors of what is in them.

    A text is standardized, split into tokens, these are joined to n-grams, and looked up in a
    vocabulary, which is given or learned by `adapt`. It is what Keras' layer does with TensorFlow:
    letters and white space are those of ASCII. For other alphabets give a function for
    `standardize`, such as `np.char.lower`.

    Args:
        max_tokens: most terms of the vocabulary, special ones included; no limit for None.
        standardize: `"lower"` (small letters), `"strip_punctuation"` (without `!"#$%&'()*+,-./:;`
            and the like), `"lower_and_strip_punctuation"`, None, or a function of a NumPy array of
            `str` that gives another one of that shape.
        split: `"whitespace"`, `"character"`, None (an element is a token), or a function of a NumPy
            array of `str` that gives a list of tokens for each.
        ngrams: None, or sizes of n-grams, as a tuple; an integer stands for all sizes up to it. An
            n-gram is its tokens with spaces between them.
        output_mode: `"int"` (indices: 0 fills up, 1 is that of unknown tokens), `"multi_hot"` (1 at
            each term that is in the text), `"count"` (how often), `"tf_idf"` (counts times weights)
            or `"one_hot"` (a vector for each token).
        output_sequence_length: for `"int"`: texts are cut or filled up to so many tokens. None: to
            those of the longest text; a step of a model with the layer then runs without a plan.
        pad_to_max_tokens: vectors have the size `max_tokens`, however many terms there are.
        vocabulary: list, array or tensor of terms, or the path of a file with one in each line.
        idf_weights: inverse document frequencies of the terms, for `"tf_idf"` with a vocabulary.
        sparse: must be False: nkeras has no sparse tensors.
        ragged: must be False: nkeras has no ragged tensors.
        encoding: must be `"utf-8"`.
        name: name.
        **kwargs: what every layer takes.

    Call arguments: `inputs`, text; lists and arrays as well as tensors.

    Input shape: `(batch,)` or `(batch, 1)`; with `split=None` the last axis holds tokens. Output
    shape: `"int"` `(batch, tokens)`, int64; `"one_hot"` `(batch, tokens, terms)`; others
    `(batch, terms)`.

    Raises:
        ValueError: an argument is none of these, or a vocabulary has a term twice.
        RuntimeError: it is called before there is a vocabulary.

    Example:
        >>> layer = TextVectorization(output_sequence_length=4)
        >>> layer.adapt(["foo bar", "bar baz", "baz bada boom"])
        >>> layer(["Foo, qux: bar!", "qux baz"]).numpy()
        array([[4, 1, 3, 0],
               [1, 2, 0, 0]])

    Source: https://keras.io/api/layers/preprocessing_layers/text/text_vectorization/
    """

    config_reads: ClassVar[Mapping[str, str]] = {
        **DataLayer.config_reads,
        "vocabulary": "_input_vocabulary",
        "idf_weights": "_input_idf_weights",
        "vocabulary_size": "_vocabulary_size",
    }
    config_omits: ClassVar[Mapping[str, object]] = {
        **DataLayer.config_omits,
        "has_input_vocabulary": ANY,
    }
    knows_its_variables: ClassVar[bool] = True

    def __init__(
        self,
        max_tokens: int | None = None,
        standardize: str | Callable[..., Any] | None = "lower_and_strip_punctuation",
        split: str | Callable[..., Any] | None = "whitespace",
        ngrams: int | tuple[int, ...] | None = None,
        output_mode: str = "int",
        output_sequence_length: int | None = None,
        pad_to_max_tokens: bool = False,
        vocabulary: Any = None,
        idf_weights: TensorLike | None = None,
        sparse: bool = False,
        ragged: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        own = {name: kwargs.pop(name) for name in _LOOKUP_OPTIONS if name in kwargs}
        super().__init__(name=name, **kwargs)
        if ragged:
            raise ValueError(
                "TextVectorization: argument `ragged` must be False: nkeras has no ragged tensors. "
                "Results are filled up with 0."
            )
        check_encoding(encoding, "TextVectorization")
        _check_choice("standardize", standardize, _STANDARDS)
        _check_choice("split", split, _SPLITS)
        mode = checked_mode(output_mode, "TextVectorization")
        if mode != "int" and output_sequence_length is not None:
            raise ValueError(
                "TextVectorization: `output_sequence_length` must not be set if `output_mode` is "
                f"not 'int'. Received output_sequence_length={short(output_sequence_length)}."
            )
        if output_sequence_length is not None and (
            not is_a(output_sequence_length, (int, np.integer)) or output_sequence_length < 0
        ):
            raise ValueError(
                "TextVectorization: `output_sequence_length` must be either None or an integer "
                "when `output_mode` is 'int'. Received: "
                f"output_sequence_length={short(output_sequence_length)}"
            )
        self.standardize = standardize
        self.split = split
        given: Any = ngrams
        self.ngrams = tuple(given) if is_a(given, list) else given
        self.output_mode = mode
        self.output_sequence_length = output_sequence_length
        self.ragged = False
        self.sparse = False
        self._lookup_layer = StringLookup(
            max_tokens=max_tokens,
            vocabulary=vocabulary,
            idf_weights=idf_weights,
            pad_to_max_tokens=pad_to_max_tokens,
            mask_token="",
            output_mode=mode,
            sparse=sparse,
            **own,
        )
        self._how = self._tokens(_sizes(self.ngrams))
        self._lookup_layer.count_by(self._how)

    def _tokens(self, ngrams: tuple[int, ...] | None) -> Tokens:
        """How the rows that `_rows` gives are cut; functions have done their part before."""
        is_cut = callable(self.split) or (self.split is None and ngrams is not None)
        if is_cut:
            return Tokens(split="ended", ngrams=ngrams)
        split = "" if self.split is None else str(self.split)
        return Tokens(*self._standards(), split, ngrams)

    def _standards(self) -> tuple[bool, bool]:
        standard = str(self.standardize) if self.standardize in _STANDARDS else ""
        return "lower" in standard, "strip" in standard

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """A layer from what `get_config` returned."""
        vocabularies.refuse_path(config, cls.__name__)
        return super().from_config(config)

    @property
    def _input_vocabulary(self) -> Any:
        return self._lookup_layer.input_vocabulary

    @property
    def _input_idf_weights(self) -> Any:
        return self._lookup_layer.input_idf_weights

    @property
    def _vocabulary_size(self) -> int:
        return self.vocabulary_size()

    @property
    def input_dtype(self) -> str:
        """That of text."""
        return STRING

    def build(self, input_shape: PartialShape) -> None:
        """There are no weights to make."""

    # The vocabulary.

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[str]:
        """The terms in the order of their indices; see `StringLookup.get_vocabulary`."""
        return self._lookup_layer.get_vocabulary(include_special_tokens)

    def vocabulary_size(self) -> int:
        """How many terms there are, with those for filling up and for unknown tokens."""
        return self._lookup_layer.vocabulary_size()

    def set_vocabulary(self, vocabulary: Any, idf_weights: TensorLike | None = None) -> None:
        """Take a vocabulary, in place of one that was there; see `StringLookup.set_vocabulary`."""
        self._lookup_layer.set_vocabulary(vocabulary, idf_weights=idf_weights)

    @property
    def learns(self) -> bool:
        """Whether `adapt` has anything to learn: no vocabulary was given."""
        return self._lookup_layer.learns

    def adapt(
        self, data: AdaptData, batch_size: int | None = None, steps: int | None = None
    ) -> None:
        """Learn the vocabulary from texts: terms by how often they occur, most frequent first.

        Of equally frequent terms the larger one comes first. What was learned before is forgotten.

        Args:
            data: array, tensor or list of texts, a PyDataset, or an iterable of batches, of which
                those that are tuples begin with the inputs.
            batch_size: has no effect, as in Keras.
            steps: how many batches to take; all by default.

        Raises:
            ValueError: the layer was made with a vocabulary, or there are no data.
            TypeError: these are no data, or no text.
        """
        self.reset_state()
        for batch in batches_of(data, "TextVectorization", steps):
            texts = _text(batch, "TextVectorization.adapt()")
            is_column = is_one_array(data) and len(texts.shape) == 1
            self.update_state(ops.expand_dims(texts, -1) if is_column else texts)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Count the tokens of a batch."""
        texts = _text(data, "TextVectorization.update_state()")
        rows = self._rows(texts)
        is_flat = self.split is None and self.ngrams is None
        documents = texts.shape[0] if is_flat and len(texts.shape) > 1 else 1
        documents = documents if is_flat else math.prod(rows.shape)
        self._lookup_layer.count_texts(rows.on_host(), documents)

    def finalize_state(self) -> None:
        """Make the vocabulary of what was counted."""
        self._lookup_layer.finalize_state()

    def reset_state(self) -> None:
        """Forget what was counted; the vocabulary stays until the next one is made."""
        self._lookup_layer.reset_state()

    # Calling.

    def call(self, inputs: Tensor) -> Tensor:
        """Indices, or vectors."""
        lookup = self._lookup_layer
        table = lookup.ready_table(self).table
        rows = self._rows(_text(inputs, f"Layer {short(self.name)} (TextVectorization)"))
        flat = ops.reshape(rows, (math.prod(rows.shape),))
        if self.split is None and self.ngrams is None:
            numbers = text.tokens(flat, how=self._how, table=table, length=1, fill=0)
            return self._of_tokens(ops.reshape(numbers, rows.shape))
        if self.output_mode in ("int", "one_hot"):
            fill, length = 0 if self.output_mode == "int" else -1, self.output_sequence_length
            if length is None:
                lengths = text.token_lengths(flat, how=self._how).numpy()
                length = int(lengths.max(initial=0))
            numbers = text.tokens(flat, how=self._how, table=table, length=int(length), fill=fill)
            return lookup.encoded(ops.reshape(numbers, (*rows.shape, length)))
        counts = text.token_counts(
            flat,
            how=self._how,
            table=table,
            depth=lookup.depth,
            binary=self.output_mode == "multi_hot",
            dtype=settings.floatx(),
        )
        return lookup.weighted(ops.reshape(counts, (*rows.shape, lookup.depth)))

    def _of_tokens(self, numbers: Tensor) -> Tensor:
        """What becomes of the indices of elements that are tokens."""
        length = self.output_sequence_length
        if length is None or not numbers.shape:
            return self._lookup_layer.encoded(numbers)
        numbers = numbers[..., :length]
        missing = length - numbers.shape[-1]
        return ops.pad(numbers, [(0, 0)] * (len(numbers.shape) - 1) + [(0, missing)])

    def _rows(self, texts: Tensor) -> Tensor:
        """Texts that `_how` cuts into tokens: those of one are a row of the result."""
        if callable(self.standardize):
            texts = to_tensor(self._standardized(texts.numpy(), self.standardize))
        if self.split is None:
            if self.ngrams is None:
                return texts
            return _ended(self._plainly(texts.numpy()))
        if len(texts.shape) > 1:
            if texts.shape[-1] != 1:
                raise ValueError(
                    "When using `TextVectorization` to tokenize strings, the input rank must be 1 "
                    "or the last shape dimension must be 1. Received: "
                    f"inputs.shape={tuple(texts.shape)} with rank={len(texts.shape)}"
                )
            texts = ops.squeeze(texts, -1)
        if callable(self.split):
            return self._split(self._plainly(texts.numpy()), self.split)
        return texts

    def _standardized(self, texts: np.ndarray, function: Callable[..., Any]) -> np.ndarray:
        found = function(_as_str(texts))
        array = text_array(np.asarray(found), "TextVectorization: the result of `standardize`")
        if array.shape != texts.shape:
            raise ValueError(
                "TextVectorization: the function `standardize` must give an array of the shape "
                f"that it got, {texts.shape}. Received: shape {array.shape}"
            )
        return array

    def _plainly(self, texts: np.ndarray) -> np.ndarray:
        """Texts as the named standard has them, for a function that splits them."""
        lower, strip = self._standards()
        if not (lower or strip):
            return texts
        rows = [to_bytes(row) for row in texts.ravel().tolist()]
        rows = [row.lower() for row in rows] if lower else rows
        rows = [row.translate(None, PUNCTUATION) for row in rows] if strip else rows
        return np.array([row.decode(errors="replace") for row in rows], object).reshape(texts.shape)

    def _split(self, texts: np.ndarray, function: Callable[..., Any]) -> Tensor:
        found = function(_as_str(texts))
        found = found.to_list() if hasattr(found, "to_list") else found  # a ragged tensor
        rows = [found] if texts.ndim == 0 else list(found)
        if len(rows) != max(texts.size, 1 if texts.ndim == 0 else 0):
            raise ValueError(
                "TextVectorization: the function `split` must give a list of tokens for each text. "
                f"Received: {len(rows)} lists for {texts.size} texts"
            )
        return to_tensor(np.array([_with_ends(row) for row in rows], object).reshape(texts.shape))

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        """The shape of indices or vectors for texts of a shape."""
        shape = tuple(input_shape)
        length = self.output_sequence_length
        if self.split is None and self.ngrams is None:
            if self.output_mode != "int":
                return self._lookup_layer.compute_output_shape(shape)
            return shape if length is None or not shape else (*shape[:-1], length)
        is_cut_short = len(shape) > 1 or (self.split is None and shape)
        lead = shape[:-1] if is_cut_short else shape
        if self.output_mode == "int":
            return (*lead, length)
        if self.output_mode == "one_hot":
            return (*lead, None, self._lookup_layer.known_depth)
        return (*lead, self._lookup_layer.known_depth)

    def compute_output_spec(self, inputs: KerasTensor) -> KerasTensor:
        """A symbolic tensor of that shape."""
        if inputs.dtype != STRING:
            raise no_numbers(f"Layer {short(self.name)} (TextVectorization)", inputs.dtype)
        dtype = "int64" if self.output_mode == "int" else settings.floatx()
        return KerasTensor(self.compute_output_shape(inputs.shape), dtype)

    # Files.

    def save_own_variables(self, store: Any) -> None:
        """Write the weights of terms."""
        self._lookup_layer.save_own_variables(store)

    def load_own_variables(self, store: Any) -> None:
        """Read the weights of terms."""
        self._lookup_layer.load_own_variables(store)

    def save_assets(self, dir_path: str) -> None:
        """Write the vocabulary to a folder, unless the configuration has it."""
        self._lookup_layer.save_assets(dir_path)

    def load_assets(self, dir_path: str) -> None:
        """Read the vocabulary from a folder."""
        self._lookup_layer.load_assets(dir_path)


_LOOKUP_OPTIONS = ("has_input_vocabulary", "vocabulary_size")


def _check_choice(argument: str, value: object, choices: tuple[str, ...]) -> None:
    if value is not None and not callable(value) and value not in choices:
        raise ValueError(
            f"TextVectorization: argument `{argument}` must be one of {choices}, None or a "
            f"function. Received: {argument}={short(value)}"
        )


def _sizes(ngrams: Any) -> tuple[int, ...] | None:
    if ngrams is None:
        return None
    sizes = tuple(range(1, ngrams + 1)) if is_a(ngrams, int) else ngrams
    if (
        not is_a(sizes, tuple)
        or not sizes
        or not all(is_a(size, int) and size > 0 for size in sizes)
    ):
        raise ValueError(
            "TextVectorization: `ngrams` must be None, an integer, or a tuple of integers, all "
            f"positive. Received: ngrams={short(ngrams)}"
        )
    return sizes


def _text(value: Any, owner: str) -> Tensor:
    tensor = to_tensor(value)
    if tensor.dtype != STRING:
        raise no_numbers(owner, tensor.dtype)
    return tensor


def _as_str(texts: np.ndarray) -> np.ndarray:
    """An array of `str` of NumPy's own dtype, as functions of `np.char` take it."""
    rows = [
        row.decode(errors="replace") if isinstance(row, bytes) else row
        for row in texts.ravel().tolist()
    ]
    return np.array(rows, str).reshape(texts.shape)


def _with_ends(tokens: Any) -> bytes:
    parts = [to_bytes(token) for token in np.asarray(tokens, object).ravel().tolist()]
    if any(END in part for part in parts):
        raise ValueError(
            "TextVectorization: the function `split` must give text of UTF-8. Received: bytes with "
            f"{END!r} among {short(parts)}"
        )
    return b"".join([part + END for part in parts])


def _ended(texts: np.ndarray) -> Tensor:
    """The elements of the last axis as tokens of one row."""
    table = texts.reshape(-1, texts.shape[-1] if texts.ndim else 1)
    rows = np.array([_with_ends(row) for row in table.tolist()], object)
    return to_tensor(rows.reshape(texts.shape[:-1]))
