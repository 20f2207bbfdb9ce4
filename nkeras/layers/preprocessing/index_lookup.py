"""IndexLookup: the mechanism of `StringLookup` and `IntegerLookup`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from nkeras import ops
from nkeras.backend.packed import to_bytes, to_texts
from nkeras.backend.text import Tokens, Words
from nkeras.core import config as settings
from nkeras.core import dtypes
from nkeras.core.configurable import ANY
from nkeras.core.errors import is_a, short
from nkeras.core.graph import KerasTensor
from nkeras.core.host import on_host
from nkeras.core.primitive import to_tensor
from nkeras.core.strings import STRING, no_numbers
from nkeras.core.tensor import Tensor, is_on_host
from nkeras.core.typing import Config, PartialShape, Self, TensorLike
from nkeras.core.variable import stored
from nkeras.layers.preprocessing import vocabulary as vocabularies
from nkeras.layers.preprocessing.adapting import AdaptData, batches_of, is_one_array
from nkeras.layers.preprocessing.data_layer import DataLayer
from nkeras.layers.preprocessing.encoding import encoded
from nkeras.layers.preprocessing.lookup_arguments import (
    check_form,
    check_sizes,
    check_unknown,
    check_weights,
    checked_mode,
    checked_salt,
)
from nkeras.layers.preprocessing.lookup_tables import IntegerTable, TextTable, Unknown
from nkeras.layers.preprocessing.vocabulary import IntegerCounter, Token, TokenCounter
from nkeras.ops import text

_DROPPED, _UNKNOWN = -1, -2  # numbers of masks in vectors, and of terms that may not be


class IndexLookup(DataLayer):
    """Terms of a vocabulary as integers, or vectors of them; see `StringLookup`."""

    config_reads: ClassVar[Mapping[str, str]] = {
        **DataLayer.config_reads,
        "vocabulary": "input_vocabulary",
        "idf_weights": "input_idf_weights",
        "vocabulary_size": "_frozen_vocab_size",
    }
    config_omits: ClassVar[Mapping[str, object]] = {
        **DataLayer.config_omits,
        "has_input_vocabulary": ANY,
    }
    knows_its_variables: ClassVar[bool] = True  # what is in files beside weights

    def __init__(
        self,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: Any,
        oov_token: Any,
        vocabulary_dtype: str,
        vocabulary: Any = None,
        idf_weights: TensorLike | None = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        name: str | None = None,
        salt: Any = None,
        **kwargs: Any,
    ) -> None:
        owner = type(self).__name__
        self._frozen_vocab_size: int | None = kwargs.pop("vocabulary_size", None)
        has_input = kwargs.pop("has_input_vocabulary", vocabulary is not None)
        kwargs.pop("dtype", None)  # as in Keras: integers are int64, vectors have `floatx`
        kwargs.pop("trainable", None)
        super().__init__(name=name, **kwargs)
        output_mode = checked_mode(output_mode, owner)
        check_sizes(max_tokens, num_oov_indices, pad_to_max_tokens, owner)
        check_unknown(oov_method, salt, vocabulary_dtype, owner)
        check_form(output_mode, invert, sparse, owner)
        is_given = has_input and vocabulary is not None
        check_weights(output_mode, idf_weights is not None, is_given, owner)
        self.max_tokens = max_tokens
        self.num_oov_indices = int(num_oov_indices)
        self.mask_token = mask_token
        self.oov_token = oov_token
        self.vocabulary_dtype = dtypes.standardize_dtype(vocabulary_dtype)
        self.invert = bool(invert)
        self.output_mode = output_mode
        self.sparse = False
        self.pad_to_max_tokens = bool(pad_to_max_tokens)
        self.oov_method = oov_method
        self.salt = checked_salt(salt, owner)
        is_file = is_a(vocabulary, str)
        self.input_vocabulary = None if is_file or vocabulary is None else _listed(vocabulary)
        self.input_idf_weights = None if idf_weights is None else _listed(idf_weights)
        self.idf_weights: np.ndarray | None = None
        self._has_input_vocabulary = bool(has_input)
        self._tokens: list[Token] = []
        self._table: Any = None
        self._how = Tokens()
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)
        self.reset_state()

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """A layer from what `get_config` returned."""
        vocabularies.refuse_path(config, cls.__name__)
        return super().from_config(config)

    @property
    def input_dtype(self) -> str:
        """The dtype of what is looked up."""
        return "int64" if self.invert else self.vocabulary_dtype

    # The vocabulary.

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The terms in the order of their indices.

        Args:
            include_special_tokens: whether with the mask and the terms for unknown ones, so that a
                term's place is its index.

        Returns:
            List of str or int.
        """
        return [*self._special(), *self._tokens] if include_special_tokens else [*self._tokens]

    def vocabulary_size(self) -> int:
        """How many terms there are, with the mask and the terms for unknown ones."""
        return self._token_start() + len(self._tokens)

    def _oov_start(self) -> int:
        return 1 if self.mask_token is not None and self.output_mode == "int" else 0

    def _token_start(self) -> int:
        return self._oov_start() + self.num_oov_indices

    def _special(self) -> list[Any]:
        return [self.mask_token] * self._oov_start() + [self.oov_token] * self.num_oov_indices

    def set_vocabulary(self, vocabulary: Any, idf_weights: TensorLike | None = None) -> None:
        """Take a vocabulary, in place of one that was there.

        Args:
            vocabulary: list, array or tensor of terms, each once, or the path of a text file with a
                term in each line. Mask and unknown terms need not be in it, unless at its front.
            idf_weights: for `"tf_idf"` only: inverse document frequencies, one for each term.

        Raises:
            ValueError: a term stands twice, or is a special one; there are more than `max_tokens`;
                the file is not there; weights are missing or too many.
        """
        owner = type(self).__name__
        is_file = is_a(vocabulary, str)
        if self.output_mode == "tf_idf" and (idf_weights is None or is_file):
            raise ValueError(
                f"{owner}: output_mode 'tf_idf' does not support loading a vocabulary from file."
                if is_file
                else f"{owner}: `idf_weights` must be set if output_mode is 'tf_idf'."
            )
        if self.output_mode != "tf_idf" and idf_weights is not None:
            raise ValueError(
                f"{owner}: `idf_weights` should only be set if output_mode is `'tf_idf'`. "
                f"Received: output_mode={self.output_mode}"
            )
        if is_file:
            given = vocabularies.read(vocabulary, self.vocabulary_dtype, owner)
            tokens = vocabularies.without_special(given, (), vocabulary, owner)
        else:
            given = vocabularies.tokens_of(vocabulary, self.vocabulary_dtype, owner)
            tokens = vocabularies.without_special(given, self._special(), vocabulary, owner)
            self._check_special(tokens, given)
        size = self._token_start() + len(tokens)
        if self.max_tokens is not None and size > self.max_tokens:
            raise ValueError(
                f"{owner}: Attempted to set a vocabulary larger than the maximum vocab size. "
                f"Received vocabulary size is {size}; `max_tokens` is {self.max_tokens}."
            )
        weights = None
        if idf_weights is not None:
            weights = self._weights(idf_weights, len(given), has_special=len(given) > len(tokens))
        self._take(tokens, weights)

    def _check_special(self, tokens: list[Token], given: list[Token]) -> None:
        special = [("mask", "mask_token", self.mask_token)]
        if self.invert:  # elsewhere the term for unknown ones is not used
            special.append(("OOV", "oov_token", self.oov_token))
        for kind, argument, token in special:
            if token is not None and token in tokens:
                place = len(given) - 1 - given[::-1].index(token)
                raise ValueError(
                    f"Found reserved {kind} token at unexpected location in `vocabulary`. Either "
                    "remove all mask and OOV tokens, or include them only at the start of the "
                    f"vocabulary in precisely this order: {short(self._special())}. "
                    f"{type(self).__name__} received: {argument}={short(token)} at vocabulary "
                    f"index {place}"
                )

    def _weights(self, weights: Any, terms: int, has_special: bool) -> np.ndarray:
        array = np.asarray(weights.numpy() if isinstance(weights, Tensor) else weights, "float64")
        if array.shape != (terms,):
            raise ValueError(
                f"{type(self).__name__}: `idf_weights` must be the same length as vocabulary, in "
                f"one dimension. Its shape is {array.shape}; len(vocabulary) is {terms}"
            )
        return self._padded(array, 0 if has_special else self._token_start())

    def _padded(self, weights: np.ndarray, front: int) -> np.ndarray:
        """Weights of special terms in front, their average, and zeros up to `max_tokens`."""
        average = weights.mean() if len(weights) else 0.0
        back = 0
        if self.pad_to_max_tokens and self.max_tokens is not None:
            back = self.max_tokens - front - len(weights)
        parts = [np.full(front, average), weights, np.zeros(back)]
        return np.concatenate(parts).astype(dtypes.to_numpy(settings.floatx()))

    def _take(self, tokens: list[Token], weights: np.ndarray | None) -> None:
        """Have a vocabulary from now on."""
        size = self._token_start() + len(tokens)
        is_fixed = self.output_mode == "int" or self.pad_to_max_tokens
        if not is_fixed and self._table is not None and self._frozen_vocab_size != size:
            raise RuntimeError(
                f"When using `output_mode={self.output_mode}` and `pad_to_max_tokens=False`, the "
                "vocabulary size cannot be changed after the layer is called. Old vocab size is "
                f"{self._frozen_vocab_size}, new vocab size is {size}"
            )
        self._tokens = tokens
        self._frozen_vocab_size = size
        if weights is not None:
            self.idf_weights = weights
        if self.invert:
            self._table = self._inverted_table()
        else:
            kind = TextTable if self.vocabulary_dtype == STRING else IntegerTable
            numbers = np.arange(len(tokens)) + self._token_start()
            if self.mask_token is not None:
                tokens = [*tokens, self.mask_token]
                numbers = np.append(numbers, 0 if self.output_mode == "int" else _DROPPED)
            self._table = kind(tokens, numbers, self._unknown())

    def _unknown(self) -> Unknown:
        index = self._oov_start() if self.num_oov_indices else _UNKNOWN
        buckets = self.num_oov_indices if self.num_oov_indices > 1 else 0
        salt = None if self.salt is None else (self.salt[0], self.salt[1])
        return Unknown(index, self._oov_start(), buckets, self.oov_method == "farmhash", salt)

    def _inverted_table(self) -> Any:
        terms = self.get_vocabulary()
        if self.vocabulary_dtype == STRING:
            return Words(terms, self.oov_token)
        return np.array([*terms, self.oov_token], np.int64)

    # Learning.

    @property
    def learns(self) -> bool:
        """Whether `adapt` has anything to learn: no vocabulary was given."""
        return not self._has_input_vocabulary

    def adapt(self, data: AdaptData, steps: int | None = None) -> None:
        """Learn the vocabulary from data: terms by how often they occur, most frequent first.

        Of equally frequent terms the larger one comes first. What was learned before is forgotten.

        Args:
            data: array, tensor or list of terms, a PyDataset, or an iterable of batches, of which
                those that are tuples begin with the inputs. For `"tf_idf"` a row is a document; in
                one row of terms each is one.
            steps: how many batches to take; all by default.

        Raises:
            ValueError: the layer was made with a vocabulary, or there are no data.
            TypeError: these are no data, or terms of another kind.
        """
        self.reset_state()
        for batch in batches_of(data, type(self).__name__, steps):
            self._count(self._terms(batch), is_column=is_one_array(data))
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Count the terms of a batch; an array of one dimension is one document."""
        self._count(self._terms(data), is_column=False)

    def _count(self, terms: Any, is_column: bool) -> None:
        rank = len(terms.shape)
        self.count_texts(terms, terms.shape[0] if rank > 1 or (is_column and rank) else 1)

    def count_texts(self, terms: Any, documents: int) -> None:
        """Count an array that holds so many documents."""
        self._check_adaptable()
        if terms.size:
            self._counter.add(terms, terms.size // documents)
        self._num_documents += documents

    def count_by(self, how: Tokens) -> None:
        """Count tokens that are cut off in a certain way; by default a text is one."""
        self._how = how
        self.reset_state()

    def _check_adaptable(self) -> None:
        if self._has_input_vocabulary:
            raise ValueError(
                f"Cannot adapt layer {short(self.name)} ({type(self).__name__}) after setting a "
                "static vocabulary via `vocabulary` argument. Make it without one, or call "
                "`set_vocabulary`."
            )

    def _terms(self, data: Any) -> Any:
        """A batch as the counter takes it: an array of integers, or packed text."""
        tensor = to_tensor(data)
        owner = f"{type(self).__name__}.adapt()"
        self._check_kind(tensor.dtype, self.vocabulary_dtype == STRING, owner)
        return tensor.on_host()

    def _check_kind(self, dtype: str, takes_text: bool, owner: str) -> None:
        if dtype != STRING and takes_text:
            raise no_numbers(owner, dtype)
        if dtype == STRING and not takes_text:
            wanted = "indices" if self.invert else "integers"
            raise TypeError(f"{owner}: {wanted} are needed here. Received text, dtype string.")

    def _check_inputs(self, dtype: str) -> None:
        takes_text = self.vocabulary_dtype == STRING and not self.invert
        owner = f"Layer {short(self.name)} ({type(self).__name__})"
        self._check_kind(dtype, takes_text, owner)

    def finalize_state(self) -> None:
        """Make the vocabulary of what was counted."""
        terms, counts, documents = self._counter.result()
        if not terms:
            if self._table is not None:
                self._frozen_vocab_size = self.vocabulary_size()
            return
        is_text = self.vocabulary_dtype == STRING
        special = {
            to_bytes(token) if is_text else token
            for token in (self.mask_token, self.oov_token)
            if token is not None
        }
        kept = [i for i, term in enumerate(terms) if term not in special]
        kept.sort(key=terms.__getitem__, reverse=True)
        found = np.array(kept, np.int64)
        found = found[np.argsort(-counts[found], kind="stable")].tolist()
        if self.max_tokens is not None:
            found = found[: self.max_tokens - self._token_start()]
        weights = None
        if self.output_mode == "tf_idf":
            weights = np.log(1.0 + self._num_documents / (1.0 + documents[found]))
            weights = self._padded(weights, self._token_start())
        learned: list[Any] = [terms[i] for i in found]
        self._take([*to_texts(learned)] if is_text else learned, weights)
        self.reset_state()

    def reset_state(self) -> None:
        """Forget what was counted; the vocabulary stays until the next one is made."""
        is_text = self.vocabulary_dtype == STRING
        self._counter: TokenCounter = text.counter(self._how) if is_text else IntegerCounter()
        self._num_documents = 0

    # Calling.

    @property
    def known_depth(self) -> int | None:
        """The size of vectors; None as long as it is not known."""
        return self.max_tokens if self.pad_to_max_tokens else self._frozen_vocab_size

    @property
    def depth(self) -> int:
        """The size of vectors."""
        depth = self.known_depth
        if depth is None:
            raise RuntimeError(
                f"When using `output_mode={self.output_mode}` and `pad_to_max_tokens=False`, you "
                "must set the layer's vocabulary before calling it. Either pass a `vocabulary` "
                f"argument to the layer {short(self.name)}, or call `adapt` with some sample data."
            )
        return depth

    def ready_table(self, outer: DataLayer | None = None) -> Any:
        """What terms are looked up in; a RuntimeError, that names a layer around, without one."""
        if self._table is None:
            if self.output_mode != "int":
                _ = self.depth  # says more, where it is not known either
            layer = self if outer is None else outer
            raise RuntimeError(
                f"Layer {short(layer.name)} ({type(layer).__name__}) has no vocabulary yet. Call "
                "`adapt(data)` or `set_vocabulary(terms)` before it is called, or make it with the "
                "argument `vocabulary`."
            )
        return self._table

    def call(self, inputs: Tensor) -> Tensor:
        """Indices or vectors; terms where the layer is inverted."""
        table = self.ready_table()
        inputs = to_tensor(inputs)  # a single term is none yet
        self._check_inputs(inputs.dtype)
        if self.invert:
            return self._terms_at(inputs, table)
        indices = table(inputs)
        if self.num_oov_indices == 0 and is_on_host(indices):
            on_host(self._check_known, inputs, indices)
        return self.encoded(indices)

    def encoded(self, indices: Tensor) -> Tensor:
        """Indices in the form of the output mode."""
        if self.output_mode == "int":
            return indices
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        return self.weighted(encoded(indices, mode, self.depth, settings.floatx()))

    def weighted(self, counts: Tensor) -> Tensor:
        """Counts times the weights of terms, for `"tf_idf"`."""
        return counts if self.output_mode != "tf_idf" else ops.multiply(counts, self.idf_weights)

    def _terms_at(self, inputs: Tensor, table: Any) -> Tensor:
        if self.vocabulary_dtype == STRING:
            return text.text_at(inputs, words=table)
        count = len(table) - 1
        is_known = ops.logical_and(inputs >= 0, inputs < count)
        return ops.take(table, ops.where(is_known, ops.cast(inputs, "int32"), count))

    def _check_known(self, inputs: Any, indices: np.ndarray) -> None:
        unknown = inputs[indices == _UNKNOWN]
        if unknown.size:
            raise ValueError(
                f"Layer {short(self.name)}: When `num_oov_indices=0` all inputs should be in "
                f"vocabulary, found OOV values {short(unknown.tolist())}, consider setting "
                "`num_oov_indices=1`."
            )

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        """The shape of indices or vectors for inputs of a shape."""
        if self.output_mode == "int":
            return tuple(input_shape)
        shape, depth = tuple(input_shape), self.known_depth
        if self.output_mode == "one_hot":
            return (*shape[:-1], depth) if len(shape) > 1 and shape[-1] == 1 else (*shape, depth)
        return (*shape[:1], *shape[2:], depth) if len(shape) > 1 else (depth,)

    def compute_output_spec(self, inputs: Any) -> KerasTensor:
        """A symbolic tensor of that shape."""
        self._check_inputs(inputs.dtype)
        dtype = self.vocabulary_dtype if self.invert else "int64"
        dtype = dtype if self.output_mode == "int" else settings.floatx()
        return KerasTensor(self.compute_output_shape(inputs.shape), dtype)

    # Files.

    def save_own_variables(self, store: Any) -> None:
        """Write the weights of terms."""
        if self.output_mode == "tf_idf" and self.idf_weights is not None:
            store["idf_weights"] = self.idf_weights

    def load_own_variables(self, store: Any) -> None:
        """Read the weights of terms."""
        if self.output_mode == "tf_idf" and "idf_weights" in store:
            weights = np.asarray(stored(store, "idf_weights"))
            if weights.ndim != 1 or weights.dtype.kind != "f":
                raise ValueError(
                    f"Layer {short(self.name)}: stored `idf_weights` must be floats of one "
                    f"dimension. Received: shape {weights.shape}, dtype {weights.dtype}"
                )
            self.idf_weights = weights.astype(dtypes.to_numpy(settings.floatx()))

    def save_assets(self, dir_path: str) -> None:
        """Write the vocabulary to a folder, unless the configuration has it."""
        if self.input_vocabulary is None:
            vocabularies.write(dir_path, self.get_vocabulary(), type(self).__name__)

    def load_assets(self, dir_path: str) -> None:
        """Read the vocabulary from a folder."""
        if self.input_vocabulary is not None:
            return
        terms = vocabularies.read_asset(dir_path, self.vocabulary_dtype, self._special())
        if terms:  # otherwise it was saved before it had one
            self._take(terms, self.idf_weights)


def _listed(values: Any) -> Any:
    """What configurations hold: lists."""
    if isinstance(values, (Tensor, np.ndarray)):
        return (values.numpy() if isinstance(values, Tensor) else values).tolist()
    return list(values)
