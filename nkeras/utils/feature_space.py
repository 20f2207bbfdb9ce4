"""FeatureSpace: rows of a table, whatever is in its columns, as vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, ClassVar, TypeAlias

from nkeras import layers, ops
from nkeras.core import dtypes, graph, in_tensorflow
from nkeras.core.configurable import ANY, Configurable
from nkeras.core.errors import is_a, nearest, refuse, short
from nkeras.core.graph import KerasTensor
from nkeras.core.naming import auto_name
from nkeras.core.serialization import deserialize_keras_object
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Config, Structure
from nkeras.layers.preprocessing.data_layer import DataLayer
from nkeras.utils.feature_columns import as_tensor, column_of, columns_of, is_table, upright

if TYPE_CHECKING:
    import os

Number: TypeAlias = float  # the name is a method's in the class below

_MODULE = "keras.src.layers.preprocessing.feature_space"


class Cross(Configurable):
    """Several features as one: each combination of their values has a place of its own, by a hash.

    Args:
        feature_names: which features.
        crossing_dim: how many places there are.
        output_mode: `"one_hot"` or `"int"`.

    Raises:
        ValueError: an argument is none of these.
    """

    keras_module: ClassVar[str] = _MODULE

    def __init__(
        self, feature_names: Sequence[str], crossing_dim: int, output_mode: str = "one_hot"
    ) -> None:
        if output_mode not in ("int", "one_hot"):
            refuse("output_mode", output_mode, "'int' or 'one_hot'", "FeatureSpace.cross")
        self.feature_names = tuple(feature_names)
        self.crossing_dim = crossing_dim
        self.output_mode = output_mode

    @property
    def name(self) -> str:
        """The names of the features, with `_X_` between."""
        return "_X_".join(self.feature_names)


class Feature(Configurable):
    """What becomes of a column.

    Args:
        dtype: dtype of the column: `"float32"`, `"int32"` or `"string"`.
        preprocessor: layer that the column goes through.
        output_mode: `"float"`, `"int"` (what the layer gives) or `"one_hot"`.

    Raises:
        ValueError: an argument is none of these.
    """

    keras_module: ClassVar[str] = _MODULE

    def __init__(self, dtype: str, preprocessor: Any, output_mode: str) -> None:
        if output_mode not in ("int", "one_hot", "float"):
            refuse("output_mode", output_mode, "'int', 'one_hot' or 'float'", "FeatureSpace")
        if is_a(preprocessor, dict):
            preprocessor = deserialize_keras_object(preprocessor)
        if not is_a(preprocessor, layers.Layer):
            refuse("preprocessor", preprocessor, "a layer", "FeatureSpace.feature")
        self.dtype = dtype
        self.preprocessor: layers.Layer = preprocessor
        self.output_mode = output_mode


class FeatureSpace(layers.Layer):
    """The columns of a table as one vector for each row, or as a dict of vectors.

    Kinds of features, by their names or by the methods that also take their options: `"float"`,
    `"float_rescaled"`, `"float_normalized"`, `"float_discretized"`, `"integer_categorical"`,
    `"string_categorical"`, `"integer_hashed"`, `"string_hashed"`; `FeatureSpace.feature` takes any
    preprocessing layer.

    It is called on dicts of columns or of single values, outside of a model or as its first layer;
    `get_inputs` and `get_encoded_features` are the same as parts of a functional model.

    Args:
        features: dict from the name of a column to what it is.
        output_mode: `"concat"` for one vector, which has the features in the order of their names
            and then the crosses; `"dict"` for a vector of each.
        crosses: tuples of names of features whose combinations are features too, or what
            `FeatureSpace.cross` gives.
        crossing_dim: places for the combinations of a tuple.
        hashing_dim: places for the values of features that are hashed.
        num_discretization_bins: bins of features that are discretized.
        name: name.

    Attributes:
        preprocessors: the layer of each feature, by its name.
        crossers: the layer of each cross, by its name.

    Raises:
        ValueError: an argument is none of these.

    Example:
        >>> table = {"age": [20.0, 30.0, 40.0], "size": [1.0, 2.0, 3.0]}
        >>> space = FeatureSpace({"age": "float_normalized", "size": "float"})
        >>> space.adapt(table)
        >>> space(table).shape, space({"age": 30.0, "size": 2.0}).numpy().tolist()
        ((3, 2), [0.0, 2.0])

    Source: https://keras.io/api/utils/feature_space/
    """

    _allow_non_tensor_positional_args = True
    config_reads: ClassVar[Mapping[str, str]] = {}
    config_omits: ClassVar[Mapping[str, object]] = {"name": ANY}
    keras_module: ClassVar[str] = "keras.utils"

    @classmethod
    def cross(
        cls, feature_names: Sequence[str], crossing_dim: int, output_mode: str = "one_hot"
    ) -> Cross:
        """Combinations of the values of features: see `Cross`."""
        return Cross(feature_names, crossing_dim, output_mode=output_mode)

    @classmethod
    def feature(cls, dtype: str, preprocessor: layers.Layer, output_mode: str) -> Feature:
        """A column that goes through a layer of your choice: see `Feature`."""
        return Feature(dtype, preprocessor, output_mode)

    @classmethod
    def float(cls, name: str | None = None) -> Feature:
        """Numbers as they are."""
        name = name or auto_name("float")
        return Feature("float32", TFDIdentity(name=f"{name}_preprocessor"), "float")

    @classmethod
    def float_rescaled(
        cls, scale: Number = 1.0, offset: Number = 0.0, name: str | None = None
    ) -> Feature:
        """Numbers times `scale` plus `offset`."""
        name = name or auto_name("float_rescaled")
        layer = layers.Rescaling(scale, offset, name=f"{name}_preprocessor")
        return Feature("float32", layer, "float")

    @classmethod
    def float_normalized(cls, name: str | None = None) -> Feature:
        """Numbers with mean 0 and variance 1."""
        name = name or auto_name("float_normalized")
        layer = layers.Normalization(axis=-1, name=f"{name}_preprocessor")
        return Feature("float32", layer, "float")

    @classmethod
    def float_discretized(
        cls,
        num_bins: int | None,
        bin_boundaries: Sequence[Number] | None = None,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """The bins that numbers are in: learned ones, or with `num_bins=None` given ones."""
        name = name or auto_name("float_discretized")
        layer = layers.Discretization(bin_boundaries, num_bins, name=f"{name}_preprocessor")
        return Feature("float32", layer, output_mode)

    @classmethod
    def integer_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Integers that stand for categories, which are learned."""
        name = name or auto_name("integer_categorical")
        layer = layers.IntegerLookup(
            name=f"{name}_preprocessor", max_tokens=max_tokens, num_oov_indices=num_oov_indices
        )
        return Feature("int32", layer, output_mode)

    @classmethod
    def string_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Texts that stand for categories, which are learned."""
        name = name or auto_name("string_categorical")
        layer = layers.StringLookup(
            name=f"{name}_preprocessor", max_tokens=max_tokens, num_oov_indices=num_oov_indices
        )
        return Feature("string", layer, output_mode)

    @classmethod
    def string_hashed(
        cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """Texts that stand for categories, of which several may share a place."""
        name = name or auto_name("string_hashed")
        layer = layers.Hashing(name=f"{name}_preprocessor", num_bins=num_bins)
        return Feature("string", layer, output_mode)

    @classmethod
    def integer_hashed(
        cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """Integers that stand for categories, of which several may share a place."""
        name = name or auto_name("integer_hashed")
        layer = layers.Hashing(name=f"{name}_preprocessor", num_bins=num_bins)
        return Feature("int32", layer, output_mode)

    def __init__(
        self,
        features: Mapping[str, Any],
        output_mode: str = "concat",
        crosses: Sequence[Any] | None = None,
        crossing_dim: int | None = 32,
        hashing_dim: int = 32,
        num_discretization_bins: int = 32,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name, autocast=False)
        if not is_a(features, Mapping) or not features:
            raise ValueError(
                "FeatureSpace: The `features` argument cannot be None or empty; it must be a dict "
                f"from names of columns to kinds of features. Received: {short(features)}"
            )
        if output_mode not in ("concat", "dict"):
            raise ValueError(
                "FeatureSpace: Invalid value for argument `output_mode`, which must be 'concat' or "
                f"'dict'. Received: {short(output_mode)}"
            )
        self.crossing_dim = crossing_dim
        self.hashing_dim = hashing_dim
        self.num_discretization_bins = num_discretization_bins
        self.output_mode = output_mode
        self.features = {name: self._feature(name, kind) for name, kind in features.items()}
        self.crosses = [self._cross(cross) for cross in crosses or ()]
        self.inputs = {
            name: layers.Input((1,), dtype=feature.dtype, name=name)
            for name, feature in self.features.items()
        }
        self.preprocessors = {name: one.preprocessor for name, one in self.features.items()}
        self.crossers = {
            cross.name: layers.HashedCrossing(cross.crossing_dim, name=cross.name)
            for cross in self.crosses
        }
        self.one_hot_encoders: dict[str, layers.CategoryEncoding] = {}
        self.concat = TFDConcat(axis=-1) if output_mode == "concat" else None
        self.encoded_features: Structure = None
        self._is_adapted = False

    def _feature(self, name: str, kind: Any) -> Feature:
        if is_a(kind, Feature):
            return kind
        if is_a(kind, dict):
            return deserialize_keras_object(kind)
        makers = {
            "float": self.float,
            "float_normalized": self.float_normalized,
            "float_rescaled": self.float_rescaled,
            "float_discretized": lambda name: self.float_discretized(
                self.num_discretization_bins, name=name
            ),
            "integer_categorical": self.integer_categorical,
            "string_categorical": self.string_categorical,
            "integer_hashed": lambda name: self.integer_hashed(self.hashing_dim, name=name),
            "string_hashed": lambda name: self.string_hashed(self.hashing_dim, name=name),
        }
        if not is_a(kind, str) or kind not in makers:
            raise ValueError(
                f"FeatureSpace: Invalid feature type for {short(name, 40)}: {short(kind, 40)}. It "
                f"must be one of {short(list(makers), 190)}.{nearest(kind, makers)}"
            )
        return makers[kind](name=name)

    def _cross(self, cross: Any) -> Cross:
        if is_a(cross, dict):
            cross = deserialize_keras_object(cross)
        names = cross.feature_names if is_a(cross, Cross) else tuple(cross)
        unknown = [name for name in names if name not in self.features]
        if unknown:
            raise ValueError(
                "FeatureSpace: All features of argument `crosses` should be present in `features`. "
                f"Received unknown features: {short(unknown)}."
                f"{nearest(unknown[0], self.features)}"
            )
        if is_a(cross, Cross):
            return cross
        if not self.crossing_dim:
            raise ValueError(
                "FeatureSpace: with `crosses`, the argument `crossing_dim` must be a positive "
                f"integer. Received: {short(self.crossing_dim)}"
            )
        return Cross(names, crossing_dim=self.crossing_dim)

    # Learning.

    def adapt(self, dataset: Any) -> None:
        """Learn what the layers of the features need to know of the data.

        Args:
            dataset: dict of columns, a table of pandas, a PyDataset or another iterable of dicts,
                each of which is a batch or a row; those in front of targets in tuples `(x, y)`.

        Raises:
            ValueError: a column is missing, or a layer refuses it.
            TypeError: the data are none of these.
        """
        names = self._adaptable()
        if not is_table(dataset) and iter(dataset) is dataset:
            dataset = [columns_of(batch) for batch in dataset]  # it can be read once only
        for name in names:
            self._adapt(name, dataset)
        self._is_adapted = True
        self.one_hot_encoders, self.encoded_features = {}, None  # there may be other categories

    def _adapt(self, name: str, dataset: Any) -> None:
        preprocessor: Any = self.preprocessors[name]
        try:
            preprocessor.adapt(column_of(dataset, name))
        except ValueError as error:
            raise type(error)(f"FeatureSpace, feature {short(name, 40)}: {error}") from error

    def _adaptable(self) -> list[str]:
        """The features whose layers learn from data."""
        return [
            name
            for name, layer in self.preprocessors.items()
            if hasattr(layer, "adapt") and getattr(layer, "learns", True)
        ]

    def _check_adapted(self) -> None:
        if not self._is_adapted:
            if self._adaptable():
                raise ValueError(
                    f"You need to call `.adapt(dataset)` on FeatureSpace {short(self.name)} before "
                    "you can start using it."
                )
            self._is_adapted = True

    # Encoding.

    def get_inputs(self) -> dict[str, KerasTensor]:
        """An `Input` for each feature, `(batch, 1)`, by its name."""
        self._check_adapted()
        return self.inputs

    def get_encoded_features(self) -> Structure:
        """What the inputs of `get_inputs` become: a symbolic tensor, or a dict of them."""
        self._check_adapted()
        if self.encoded_features is None:
            self.encoded_features = self._encode(self.inputs)
        return self.encoded_features

    def __call__(self, data: Mapping[str, Any], **kwargs: Any) -> Any:
        """The vectors for a dict of columns, or of single values."""
        self._check_adapted()
        if in_tensorflow.meets(data, kwargs):
            return graph.call_traced(self, (data,), kwargs)
        if not hasattr(data, "keys"):
            raise ValueError(
                "A FeatureSpace can only be called with a dict from features to their values. "
                f"Received: {short(data)} (of type {type(data).__name__})"
            )
        unknown = [name for name in data.keys() if name not in self.features]
        missing = [name for name in self.features if name not in data]
        if unknown or missing:
            raise ValueError(
                f"FeatureSpace {short(self.name, 40)} has the features "
                f"{short(list(self.features), 90)}. Received: a dict without {short(missing, 90)} "
                f"and with {short(unknown, 90)} beside."
            )
        columns, is_row = dict[str, Any](), False
        for name, feature in self.features.items():
            column = as_tensor(data[name], feature.dtype)
            is_row = is_row or not column.shape
            columns[name] = upright(column)
        encoded = super().__call__(columns, **kwargs)
        if not is_row:
            return encoded
        if isinstance(encoded, dict):
            return {name: ops.squeeze(one, 0) for name, one in encoded.items()}
        return ops.squeeze(encoded, 0)

    def call(self, data: dict[str, Any]) -> Structure:
        """The vectors for a dict of columns `(batch, 1)`."""
        return self._encode(data)

    def _encode(self, data: Mapping[str, Any]) -> Structure:
        values = {name: self.preprocessors[name](data[name]) for name in self.features}
        crossed = {
            cross.name: self.crossers[cross.name]([values[name] for name in cross.feature_names])
            for cross in self.crosses
        }
        described: dict[str, Any] = {**self.features, **{one.name: one for one in self.crosses}}
        encoded = {
            name: self._one_hot(name, value) if described[name].output_mode == "one_hot" else value
            for part in (values, crossed)
            for name, value in sorted(part.items())
        }
        if self.concat is None:
            return encoded
        for name, value in encoded.items():
            if not dtypes.is_floating(value.dtype):
                raise ValueError(
                    f"Cannot concatenate features because feature {short(name)} has not been "
                    f"encoded (it has dtype {value.dtype}). Consider using `output_mode='dict'`."
                )
        return self.concat(list(encoded.values()))

    def _one_hot(self, name: str, value: Any) -> Any:
        encoder = self.one_hot_encoders.get(name)
        if encoder is None:
            layer: Any = self.preprocessors.get(name) or self.crossers.get(name)
            if not dtypes.is_integer(value.dtype):
                raise ValueError(
                    f"Feature {short(name)} has `output_mode='one_hot'`. Thus its preprocessor "
                    f"should return an integer dtype. Instead it returns a {value.dtype} dtype."
                )
            encoder = layers.CategoryEncoding(num_tokens=_cardinality(name, layer))
            self.one_hot_encoders[name] = encoder
        return encoder(value)

    # Files.

    def get_build_config(self) -> dict[str, object]:
        """What each feature's layer was built with."""
        return {name: layer.get_build_config() for name, layer in self.preprocessors.items()}

    def build_from_config(self, config: Config) -> None:
        """Build the layers of the features as they were."""
        for name, layer in self.preprocessors.items():
            if config.get(name) and not layer.built:
                layer.build_from_config(config[name])
        self._is_adapted = self.built = True

    def save(self, filepath: str | os.PathLike[str] | IO[bytes]) -> None:
        """Write it into a `.keras` file, which `nkeras.saving.load_model` reads.

        Args:
            filepath: path that ends in `.keras`, or an open file.
        """
        from nkeras.saving import save_model

        self._check_adapted()
        self.built = True
        save_model(self, filepath)  # type: ignore[arg-type]


class TFDConcat(DataLayer):
    """The vectors of all features as one; Keras' name, for its files."""

    keras_module: ClassVar[str] = _MODULE

    def __init__(self, axis: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, xs: list[Tensor]) -> Tensor:
        """The tensors, one behind the other."""
        return ops.concatenate(xs, axis=self.axis)


class TFDIdentity(DataLayer):
    """A feature as it is; Keras' name, for its files."""

    keras_module: ClassVar[str] = _MODULE

    def call(self, x: Tensor) -> Tensor:
        """The same tensor."""
        return x


def _cardinality(name: str, layer: Any) -> int:
    """How many integers a preprocessing layer gives."""
    if hasattr(layer, "vocabulary_size"):
        return layer.vocabulary_size()
    for attribute in ("num_tokens", "num_bins"):
        if getattr(layer, attribute, None) is not None:
            return getattr(layer, attribute)
    if is_a(layer, layers.Discretization):
        return len(layer.bin_boundaries) + 1
    raise ValueError(
        f"Feature {short(name)} has `output_mode='one_hot'`. However it isn't a standard feature "
        f"and it is not known how many values {type(layer).__name__} gives, thus it cannot be "
        "one-hot encoded. Try using `output_mode='int'`."
    )
