"""StringLookup and IntegerLookup: the right values of Keras' tests, adapt, files, plans, errors."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers
from nkeras.layers.preprocessing.index_lookup import IndexLookup
from nkeras.utils import PyDataset

TEXT = {"mask_token": "", "oov_token": "[OOV]", "vocabulary_dtype": "string"}
INTEGERS = {"mask_token": 0, "oov_token": -1, "vocabulary_dtype": "int64"}
KINDS = {
    "text": (TEXT, ["one", "two", "three"], ["one", "two", "four"], ["", "[OOV]"]),
    "integers": (INTEGERS, [1, 2, 3], [1, 2, 4], [0, -1]),
}


def index_lookup(kind: str = "text", **options: Any) -> IndexLookup:
    return IndexLookup(**({"max_tokens": 7, "num_oov_indices": 1} | KINDS[kind][0] | options))


def same(found: Any, wanted: Any) -> None:
    np.testing.assert_allclose(np.asarray(found), wanted, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["adapt", "given", "given with special", "set", "set with special"])
@pytest.mark.parametrize("backend", ["numpy", "numba_cpu"])
def test_basics(kind: str, way: str, backend: str) -> None:
    _, terms, inputs, special = KINDS[kind]
    full = [*special, *terms] if "special" in way else terms
    with nkeras.use_backend(backend):
        if way == "adapt":
            layer = index_lookup(kind)
            first, second, third = terms
            layer.adapt([first, first, first, second, second, third])
        elif way.startswith("given"):
            layer = index_lookup(kind, vocabulary=full)
        else:
            layer = index_lookup(kind)
            layer.set_vocabulary(full)
        assert layer.get_vocabulary() == [*special, *terms]
        assert layer.get_vocabulary(include_special_tokens=False) == terms
        assert layer.vocabulary_size() == 5
        same(layer(inputs), [2, 3, 1])
        same(layer(np.array(inputs)), [2, 3, 1])
        assert layer(inputs).dtype == "int64"
        twin = IndexLookup.from_config(json.loads(json.dumps(layer.get_config())))
        assert twin.get_config() == layer.get_config()


MODES: dict[str, tuple[list[Any], list[Any]]] = {
    "int": ([2, 3, 1], [[2, 3, 1, 3]]),
    "multi_hot": ([1, 1, 1, 0], [[1, 1, 1, 0]]),
    "one_hot": (
        [[0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0]],
        [[[0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 1, 0]]],
    ),
    "count": ([1, 1, 1, 0], [[1, 1, 2, 0]]),
    "tf_idf": ([0.2, 0.1, 0.2, 0.0], [[0.2, 0.1, 0.4, 0.0]]),
}


@pytest.mark.parametrize("mode", MODES)
def test_output_modes(mode: str) -> None:
    weights = [0.1, 0.2, 0.3] if mode == "tf_idf" else None
    layer = index_lookup(vocabulary=["one", "two", "three"], output_mode=mode, idf_weights=weights)
    single, batch = MODES[mode]
    same(layer(["one", "two", "four"]), single)
    same(layer([["one", "two", "four", "two"]]), batch)
    symbol = layer(nkeras.Input((4,), dtype="string"))
    assert symbol.shape == (None, *np.shape(batch)[1:])
    assert symbol.dtype == layer([["one"]]).dtype
    assert tuple(layer.compute_output_shape((None, 4))) == symbol.shape


def test_masks_have_no_place_in_vectors() -> None:
    layer = layers.StringLookup(vocabulary=["a", "b"], mask_token="m", output_mode="count")
    same(layer(["x", "y", "a", "m", "z"]), [3, 1, 0])
    assert layer.get_vocabulary() == ["[UNK]", "a", "b"]
    layer = layers.StringLookup(
        num_oov_indices=0, vocabulary=["a"], output_mode="one_hot", mask_token="m"
    )
    same(layer(["a", "m"]), [[1], [0]])


def test_integers_in_modes() -> None:
    learned = [1, 1, 1, 2, 2, 3]
    wanted = {
        "int": [1, 2, 0],
        "one_hot": [[0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0]],
        "multi_hot": [1, 1, 1, 0],
        "tf_idf": [1.133732, 0.916291, 1.098612, 0.0],
    }
    for mode, values in wanted.items():
        layer = layers.IntegerLookup(output_mode=mode)
        layer.adapt(learned)
        same(layer([1, 2, 4]), values)
    layer = layers.IntegerLookup(output_mode="count")
    layer.adapt(learned)
    same(layer([1, 2, 3, 4, 1, 2, 1]), [1, 3, 2, 1])
    same(layers.IntegerLookup(vocabulary=[1, 2, 3], mask_token=0)([0, 1, 2, 3]), [0, 2, 3, 4])
    same(layers.IntegerLookup(vocabulary=[1, 2, 3], num_oov_indices=0)([1, 2, 3]), [0, 1, 2])


def test_padding_to_max_tokens() -> None:
    options = {"vocabulary": [1, 2], "pad_to_max_tokens": True, "output_mode": "multi_hot"}
    same(index_lookup("integers", max_tokens=5, **options)([1, 2]), [0, 1, 1, 0, 0])
    layer = layers.StringLookup(
        max_tokens=6,
        vocabulary=["a"],
        idf_weights=[2.0],
        output_mode="tf_idf",
        pad_to_max_tokens=True,
    )
    same(layer([["a", "b", "a"]]), [[2.0, 4.0, 0, 0, 0, 0]])


def test_shapes_of_several_axes() -> None:
    data = np.array([[[1, 2], [3, 0]], [[1, 2], [3, 0]]])
    layer = layers.IntegerLookup(vocabulary=[1, 2, 3], output_mode="one_hot")
    assert layer(data).shape == (2, 2, 2, 4)
    assert layer(nkeras.Input((2, 2), dtype="int32")).shape == (None, 2, 2, 4)
    text = layers.StringLookup(
        max_tokens=20,
        num_oov_indices=4,
        vocabulary=list("abcdefghi"),
        output_mode="one_hot",
        pad_to_max_tokens=True,
    )
    assert text(nkeras.Input((2, 2), dtype="string")).shape == (None, 2, 2, 20)


def test_invert() -> None:
    layer = index_lookup(vocabulary=["one", "two", "three"], invert=True)
    assert layer([2, 3, 1]).numpy().tolist() == ["one", "two", "[OOV]"]
    assert layer([[2, 3, 1, 3]]).numpy().tolist() == [["one", "two", "[OOV]", "two"]]
    assert layer(nkeras.ops.convert_to_tensor(2)).numpy() == "one"
    assert layer(nkeras.Input((4,), dtype="int64")).dtype == "string"
    layer = layers.StringLookup(
        vocabulary=["a", "b"], invert=True, mask_token="m", num_oov_indices=2
    )
    wanted = ["m", "[UNK]", "[UNK]", "a", "b", "[UNK]", "[UNK]", "[UNK]"]
    assert layer([0, 1, 2, 3, 4, 5, -1, 99]).numpy().tolist() == wanted
    same(layers.IntegerLookup(vocabulary=[10, 20, 30], invert=True)([1, 2, 3, 0]), [10, 20, 30, -1])
    layer = layers.IntegerLookup(vocabulary=[7, 8], invert=True, mask_token=0, num_oov_indices=2)
    same(layer([0, 1, 2, 3, 4, 5, -1, 99]), [0, -1, -1, 7, 8, -1, -1, -1])


def test_indices_of_unknown_terms() -> None:
    """By TensorFlow 2.21 where Keras' tests give no values."""
    options: dict[str, Any] = {"vocabulary": ["a"], "num_oov_indices": 3, "mask_token": "m"}
    same(layers.StringLookup(**options)(["x", "y", "a", "m", "z"]), [3, 3, 4, 0, 2])
    layer = layers.IntegerLookup(num_oov_indices=3, vocabulary=[5, 7])
    same(layer([-5, -1, 0, 1, 2, 5, 7]), [1, 2, 0, 1, 2, 3, 4])
    layer = layers.IntegerLookup(vocabulary=[10, 20, 30], num_oov_indices=4, oov_method="farmhash")
    same(layer([100, 200, 300, 400]), [3, 1, 3, 1])
    for method in ("floormod", "farmhash"):  # text is always hashed
        text = layers.StringLookup(num_oov_indices=3, vocabulary=["a"], oov_method=method)
        same(text(["x", "y", "z"]), [2, 2, 1])
    plain = layers.StringLookup(vocabulary=list("abc"), num_oov_indices=4)
    salted = layers.StringLookup(vocabulary=list("abc"), num_oov_indices=4, salt=[137, 42])
    words = ["x", "y", "z", "w", "v", "u"]
    assert plain(words).tolist() != salted(words).tolist()
    assert salted.get_config()["salt"] == [137, 42]
    assert layers.StringLookup(salt=99).salt == [99, 99]


class Batches(PyDataset):
    @property
    def num_batches(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Any:
        return (np.array([["one", "one"], ["one", "two"], ["two", "three"]][index]), index)


SOURCES: dict[str, Callable[[], Any]] = {
    "list": lambda: ["one", "one", "one", "two", "two", "three"],
    "rows": lambda: [["one", "one"], ["one", "two"], ["two", "three"]],
    "array": lambda: np.array(["one", "one", "one", "two", "two", "three"]),
    "tensor": lambda: nkeras.ops.convert_to_tensor(["one", "two", "one", "one", "two", "three"]),
    "generator": lambda: (batch for batch in (["one", "one", "one"], ["two", "two", "three"])),
    "arrays": lambda: [np.array(["one", "one", "one"]), np.array(["two", "two", "three"])],
    "PyDataset": Batches,
}


@pytest.mark.parametrize("source", SOURCES)
def test_adapt(source: str) -> None:
    layer = index_lookup()
    layer.adapt(SOURCES[source]())
    assert layer.get_vocabulary() == ["", "[OOV]", "one", "two", "three"]


def test_adapt_takes_steps_and_forgets() -> None:
    layer = layers.StringLookup()
    layer.adapt((batch for batch in (["cat", "dog"], ["bird"], ["fish"])), steps=2)
    assert set(layer.get_vocabulary()) == {"[UNK]", "cat", "dog", "bird"}
    layer.adapt(["b", "a", "a", "c", "b", "[UNK]"])
    assert layer.get_vocabulary() == ["[UNK]", "b", "a", "c"]  # ties: the larger term first
    layer.set_vocabulary(["x"])
    layer.adapt(["y", "y", "z"])
    assert layer.get_vocabulary() == ["[UNK]", "y", "z"]


def test_counting_by_hand() -> None:
    layer = layers.StringLookup()
    layer.update_state(["a", "b", "b"])
    layer.update_state([["c", "c"], ["c", "d"]])
    layer.finalize_state()
    assert layer.get_vocabulary() == ["[UNK]", "c", "b", "d", "a"]
    layer.update_state(["z"])
    layer.reset_state()
    layer.update_state(["y"])
    layer.finalize_state()
    assert layer.get_vocabulary() == ["[UNK]", "y"]


def test_max_tokens_of_adapt() -> None:
    layer = index_lookup("integers", max_tokens=4)
    layer.adapt([1, 1, 1, 2, 2, 3])
    assert layer.get_vocabulary() == [0, -1, 1, 2]
    same(layer([1, 2, 3, 4]), [2, 3, 1, 1])


def test_frequencies_of_documents() -> None:
    layer = index_lookup(output_mode="tf_idf")
    layer.adapt(["one", "one", "one", "two", "two", "three"])
    same(layer.idf_weights[1:], np.log(1 + 6 / (1 + np.array([3, 2, 1]))))
    same(layer(["one", "two", "four"]), [1.1337324, 0.91629076, 1.0986123, 0.0])
    layer = index_lookup(output_mode="tf_idf")
    layer.adapt([["one", "one"], ["one", "two"], ["two", "three"]])
    wanted = [[0.0, 0.6931472, 0.6931472, 0.0], [0.76752836, 0.0, 0.6931472, 0.0]]
    same(layer([["one", "two"], ["two", "four"]]), wanted)


@pytest.mark.parametrize("ending", ["a\nb\nc\n", "a\nb\nc", "a\r\nb\r\nc\r\n"])
def test_vocabulary_files(ending: str, tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.txt"
    path.write_text(ending, newline="")
    layer = layers.StringLookup(
        vocabulary=str(path), oov_token="[OOV]", mask_token="[MASK]", name="index"
    )
    assert layer.get_vocabulary() == ["[MASK]", "[OOV]", "a", "b", "c"]
    assert layer.get_config()["vocabulary"] is None
    path.unlink()
    model = nkeras.Sequential([nkeras.Input((1,), dtype="string"), layer])
    model.save(tmp_path / "model.keras")
    read = nkeras.saving.load_model(tmp_path / "model.keras")
    assert read.get_layer("index").get_vocabulary() == ["[MASK]", "[OOV]", "a", "b", "c"]
    with pytest.raises(ValueError, match="may not name a vocabulary file"):
        layers.StringLookup.from_config(layer.get_config() | {"vocabulary": str(path)})


def test_files_of_integers(tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.txt"
    path.write_text("10\n20\n30\n")
    same(layers.IntegerLookup(vocabulary=str(path))([10, 20, 30, 999]), [1, 2, 3, 0])
    path.write_text("10\nten\n")
    with pytest.raises(ValueError, match=r"vocabulary.txt must hold integers. .*line 2, 'ten'"):
        layers.IntegerLookup(vocabulary=str(path))


@pytest.mark.parametrize("options", [{}, {"num_oov_indices": 2}, {"mask_token": None}])
def test_assets(options: Any, tmp_path: Path) -> None:
    layer = index_lookup(max_tokens=10, **options)
    layer.set_vocabulary(["apple", "Bänk", ""] if "mask_token" in options else ["apple", "Bänk"])
    layer.save_assets(str(tmp_path))
    other = index_lookup(max_tokens=10, **options)
    other.load_assets(str(tmp_path))
    assert other.get_vocabulary() == layer.get_vocabulary()
    layer.set_vocabulary(["two\nlines"])
    with pytest.raises(ValueError, match=r"cannot be saved: its file has a term in each line"):
        layer.save_assets(str(tmp_path))


def test_models_of_text_train_by_plans_and_are_saved(tmp_path: Path) -> None:
    words = nkeras.Input((2,), dtype="string", name="words")
    number = nkeras.Input((1,), dtype="int64", name="number")
    lookup = layers.StringLookup(output_mode="multi_hot", mask_token="", name="lookup")
    lookup.adapt(["a", "b", "b", "c"])
    other = layers.IntegerLookup(vocabulary=[3, 4], output_mode="one_hot")
    joined = layers.Concatenate()([lookup(words), other(number)])
    model = nkeras.Model({"words": words, "number": number}, layers.Dense(1)(joined))
    model.compile("adam", "mse")
    data = {
        "words": [["a", "b"], ["c", "x"], ["", "b"], ["c", "c"]] * 8,
        "number": [3, 4, 5, 3] * 8,
    }
    model.fit(data, np.arange(32.0), batch_size=8, epochs=3, verbose=0)
    assert not model._plans.refusals()
    wanted = model.predict(data, verbose=0)
    model.run_eagerly = True
    same(model.predict(data, verbose=0), wanted)
    model.save(tmp_path / "model.keras")
    same(nkeras.saving.load_model(tmp_path / "model.keras").predict(data, verbose=0), wanted)
    assert np.isfinite(model.evaluate(data, np.arange(32.0), verbose=0))


def test_copies() -> None:
    layer = layers.StringLookup(vocabulary=["a", "b"], num_oov_indices=2)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        same(twin(["a", "b", "c"]), layer(["a", "b", "c"]))


def test_a_new_vocabulary_reaches_a_plan() -> None:
    layer = layers.StringLookup(vocabulary=["a", "b"])
    model = nkeras.Sequential([nkeras.Input((1,), dtype="string"), layer])
    for _ in range(4):
        assert model.predict(np.array([["a"], ["b"]]), verbose=0).ravel().tolist() == [1, 2]
    layer.set_vocabulary(["b", "a"])
    for _ in range(4):
        assert model.predict(np.array([["a"], ["b"]]), verbose=0).ravel().tolist() == [2, 1]


def test_unknown_terms_are_named_in_plans_too() -> None:
    layer = layers.StringLookup(vocabulary=["a", "b"], num_oov_indices=0, name="strict")
    model = nkeras.Sequential([nkeras.Input((1,), dtype="string"), layer])
    for _ in range(4):
        assert model.predict(np.array([["a"], ["b"]]), verbose=0).ravel().tolist() == [0, 1]
    with pytest.raises(ValueError, match=r"'strict': When `num_oov_indices=0`.*\['x'\]"):
        model.predict(np.array([["a"], ["x"]]), verbose=0)
    with pytest.raises(ValueError, match=r"found OOV values \[7\]"):
        layers.IntegerLookup(vocabulary=[5], num_oov_indices=0)([5, 7])


def _lookup(**options: Any) -> Callable[[], object]:
    return lambda: layers.StringLookup(**options)


ERRORS: dict[str, Callable[[], object]] = {
    "If set, `max_tokens` must be greater than 1": _lookup(max_tokens=1),
    "If pad_to_max_tokens is True, must set `max_tokens`": _lookup(pad_to_max_tokens=True),
    "`num_oov_indices` must be greater than or equal to 0": _lookup(num_oov_indices=-1),
    "`output_mode` must be `'int'` when `invert` is true": _lookup(
        invert=True, output_mode="one_hot"
    ),
    "`sparse` may only be true if `output_mode` is `'one_hot'`": _lookup(sparse=True),
    "argument `sparse` must be False": _lookup(sparse=True, output_mode="count"),
    "`idf_weights` should only be set if `output_mode` is `'tf_idf'`": _lookup(idf_weights=[0.5]),
    "`idf_weights` argument must also be provided": _lookup(vocabulary=["a"], output_mode="tf_idf"),
    "`idf_weights` must be the same length as vocabulary.*len\\(vocabulary\\) is 1": _lookup(
        vocabulary=["a"], output_mode="tf_idf", idf_weights=[0.5, 1.0]
    ),
    "Unrecognized keyword argument": _lookup(extra_arg=True),
    "Unknown string for argument `output_mode`": _lookup(output_mode="hot"),
    "argument `encoding` must be 'utf-8'": _lookup(encoding="latin-1"),
    "Vocabulary file path/to/missing.txt does not exist": _lookup(vocabulary="path/to/missing.txt"),
    "at least one repeated term.*'token' at the places \\[0, 2\\]": _lookup(
        vocabulary=["token", "a", "token"]
    ),
    "Found reserved mask token at unexpected location.*index 1": _lookup(
        vocabulary=["token", "mask", "unique"], mask_token="mask"
    ),
    "Found reserved OOV token at unexpected location.*index 1": _lookup(
        vocabulary=["a", "[UNK]"], invert=True
    ),
    "larger than the maximum vocab size. .* is 3; `max_tokens` is 2": _lookup(
        vocabulary=["a", "b"], max_tokens=2
    ),
    "Cannot set an empty vocabulary": _lookup(vocabulary=[]),
    "argument `vocabulary`: .*at \\[1\\]: None": _lookup(vocabulary=["a", None]),
    "`salt` argument for `StringLookup` can only be a tuple of size 2": _lookup(salt=[1, 2, 3]),
    "`salt` can only be used when `oov_method='farmhash'`": lambda: layers.IntegerLookup(salt=3),
    "argument `oov_method` must be": lambda: layers.IntegerLookup(oov_method="mod"),
    "argument `vocabulary_dtype` must be 'int64'": lambda: layers.IntegerLookup(
        vocabulary_dtype="int32"
    ),
    "IntegerLookup: argument `vocabulary` must be integers": lambda: layers.IntegerLookup(
        vocabulary=["a"]
    ),
    "Cannot adapt layer 'fixed' .* static vocabulary": lambda: layers.StringLookup(
        vocabulary=["a"], name="fixed"
    ).adapt(["b"]),
    "argument `x`|at \\[1\\]: None": lambda: layers.StringLookup().adapt(["b", None]),
}


@pytest.mark.parametrize("message", ERRORS)
def test_errors(message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ERRORS[message]()


def test_layers_without_a_vocabulary() -> None:
    for options in ({}, {"output_mode": "multi_hot"}):
        with pytest.raises(RuntimeError, match=r"call `adapt|`adapt\(data\)`"):
            layers.StringLookup(name="lookup", **options)(["a"])
    with pytest.raises(RuntimeError, match="When using `output_mode=multi_hot` and"):
        index_lookup(output_mode="multi_hot", max_tokens=None)(["sample", "data"])
    layer = layers.StringLookup(vocabulary=["a"], output_mode="count")
    with pytest.raises(RuntimeError, match="vocabulary size cannot be changed"):
        layer.set_vocabulary(["a", "b"])
    assert layers.StringLookup().get_vocabulary() == ["[UNK]"]


def test_single_terms() -> None:
    lookup = layers.StringLookup(vocabulary=["a", "b"])
    for term in ("b", np.array("b"), nkeras.ops.convert_to_tensor([["a", "b"]])[0, 1]):
        assert (lookup(term).shape, lookup(term).item()) == ((), 2)
    inverted = layers.StringLookup(vocabulary=["a", "b"], invert=True)
    assert (inverted(2).shape, inverted(2).item()) == ((), "b")
    assert layers.Hashing(3)("A").item() == layers.Hashing(3)(["A"])[0].item()


def test_other_kinds_of_input() -> None:
    with pytest.raises(TypeError, match=r"'lookup'.*text is needed here.*int32"):
        layers.StringLookup(vocabulary=["a"], name="lookup")([1])
    with pytest.raises(TypeError, match=r"'lookup'.*integers are needed here. Received text"):
        layers.IntegerLookup(vocabulary=[1], name="lookup")(["1"])
    with pytest.raises(TypeError, match=r"indices are needed here. Received text"):
        layers.StringLookup(vocabulary=["a"], invert=True)(["a"])
    with pytest.raises(TypeError, match=r"StringLookup.adapt\(\): text is needed here"):
        layers.StringLookup().adapt([1, 2])
    with pytest.raises(TypeError, match="text is needed here"):
        layers.StringLookup(vocabulary=["a"])(nkeras.Input((1,)))


def test_rows_of_different_lengths_are_filled_up() -> None:
    lookup = layers.StringLookup(vocabulary=["a", "b"], output_mode="multi_hot", mask_token="")
    same(lookup([["a", "b"], ["b", ""]]), [[0, 1, 1], [0, 0, 1]])  # what fills is left out

    class RaggedTensor:
        """As TensorFlow's."""

    for call in (lookup.adapt, layers.Dense(2), nkeras.ops.convert_to_tensor):
        with pytest.raises(ValueError, match=r"no ragged tensors.*to_tensor\(''\)"):
            call(RaggedTensor())
