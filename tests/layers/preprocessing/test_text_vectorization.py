"""TextVectorization: the right values of Keras' tests and of TensorFlow, plans, files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers
from nkeras.layers import TextVectorization

HELLO = "Hello, World!. This is just a nice test!"


def same(found: Any, wanted: Any) -> None:
    assert np.shape(found) == np.shape(wanted)
    np.testing.assert_allclose(np.asarray(found), wanted, rtol=1e-6)


@pytest.mark.parametrize("backend", ["numpy", "numba_cpu"])
@pytest.mark.parametrize("way", ["adapt", "given", "set"])
def test_sequences(way: str, backend: str) -> None:
    options = {"max_tokens": 5000, "output_sequence_length": 4}
    with nkeras.use_backend(backend):
        if way == "given":
            layer = TextVectorization(vocabulary=["baz", "bar", "foo"], **options)
        else:
            layer = TextVectorization(**options)
            if way == "adapt":
                layer.adapt(["foo bar", "bar baz", "baz bada boom"])
            else:
                layer.set_vocabulary(["baz", "bar", "foo"])
        same(layer([["foo qux bar"], ["qux baz"]]), [[4, 1, 3, 0], [1, 2, 0, 0]])
        same(layer(["foo qux bar", "qux baz"]), [[4, 1, 3, 0], [1, 2, 0, 0]])
        same(layer("foo qux bar"), [4, 1, 3, 0])
        twin = TextVectorization.from_config(json.loads(json.dumps(layer.get_config())))
        assert twin.get_config() == layer.get_config() | {"vocabulary_size": twin.vocabulary_size()}


def test_the_longest_text_decides() -> None:
    layer = TextVectorization(vocabulary=["a", "b"])
    same(layer("a b a"), [2, 3, 2])
    same(layer(["a b", "", "b"]), [[2, 3], [0, 0], [3, 0]])
    same(layer([["a"], ["  "]]), [[2], [0]])
    assert layer(["", " "]).shape == (2, 0)
    assert layer(nkeras.Input((1,), dtype="string")).shape == (None, None)
    assert layer(nkeras.Input((), dtype="string")).shape == (None, None)


STANDARDS: dict[str | None, tuple[list[str], list[int]]] = {
    "lower_and_strip_punctuation": (
        ["hello", "world", "this", "is", "nice", "test"],
        [2, 3, 4, 5, 1, 1, 6, 7],
    ),
    "lower": (
        ["hello,", "hello", "world", "this", "is", "nice", "test"],
        [2, 1, 5, 6, 1, 1, 7, 1],
    ),
    "strip_punctuation": (["Hello", "World", "test"], [2, 3, 1, 1, 1, 1, 1, 4]),
    None: (["Hello,", "nice"], [2, 1, 1, 1, 1, 1, 3, 1]),
}


@pytest.mark.parametrize("standardize", STANDARDS, ids=str)
def test_standards(standardize: Any) -> None:
    vocabulary, wanted = STANDARDS[standardize]
    same(TextVectorization(standardize=standardize, vocabulary=vocabulary)([HELLO]), [wanted])


def test_letters_and_white_space_are_those_of_ascii() -> None:
    """tf.strings.lower and tf.strings.split leave the others as they are."""
    layer = TextVectorization(vocabulary=["Äb", "äb", "ab\u00a0c", "d\u2003e"])
    same(layer(["ÄB äB Ab\u00a0C D\u2003E"]), [[2, 3, 4, 5]])
    layer = TextVectorization(vocabulary=["äb"], standardize=np.char.lower)
    same(layer(["ÄB äb\x0bäb\x0c\r\n"]), [[2, 2, 2]])


def test_splits() -> None:
    layer = TextVectorization(split="character", vocabulary=list("abcde"))
    same(layer(["abcf"]), [[2, 3, 4, 1]])
    layer = TextVectorization(split="character", vocabulary=["e", "\u0301", "😀", "\ufffd"])
    same(layer(["e\u0301 😀"]), [[2, 3, 1, 4]])
    same(layer(np.array([b"\xffe\xe2\x82"])), [[5, 2, 5]])
    layer = TextVectorization(split=None, vocabulary=["foo", "bar", "baz"])
    same(layer([["foo"], ["bar"], ["unknown"]]), [[2], [3], [1]])
    layer = TextVectorization(split=None, vocabulary=["a", "b"], output_sequence_length=3)
    same(layer([["a", "b"], ["c", "z"]]), [[2, 3, 0], [1, 1, 0]])
    same(layer([["a", "b", "a", "b"]]), [[2, 3, 2]])
    layer = TextVectorization(split=None, vocabulary=["a b", "b"], output_mode="count")
    same(layer(["a b", "b"]), [0, 1, 1])
    same(layer([["a b"], ["b"]]), [[0, 1, 0], [0, 0, 1]])


def test_functions() -> None:
    kinds = []

    def standardize(texts: np.ndarray) -> np.ndarray:
        kinds.append((type(texts), texts.dtype.kind))
        return np.char.replace(np.char.lower(texts), ",", "")

    layer = TextVectorization(standardize=standardize)
    layer.adapt(["Hello, world."])
    assert set(kinds) == {(np.ndarray, "U")}
    assert set(layer.get_vocabulary()) == {"", "[UNK]", "hello", "world."}
    layer = TextVectorization(
        split=lambda texts: [text.split("§") for text in texts.tolist()],
        vocabulary=["foo", "bar", "foobar", "bar foo"],
        ngrams=2,
    )
    same(layer(["FOO§b-ar", "foobar", ""]), [[2, 3, 1], [4, 0, 0], [0, 0, 0]])
    layer = TextVectorization(split=_bars, vocabulary=["a", "b"])
    same(layer(["a§c§b", "b"]), [[2, 1, 3], [3, 0, 0]])


def _bars(texts: np.ndarray) -> Any:
    return np.array([text.split("§") for text in texts.tolist()] + [None], object)[:-1]


def test_ngrams() -> None:
    layer = TextVectorization(ngrams=2)
    layer.adapt(["foo bar baz"])
    assert set(layer.get_vocabulary(False)) == {"foo", "bar", "baz", "foo bar", "bar baz"}
    layer = TextVectorization(ngrams=(1, 3))
    layer.adapt(["foo bar baz"])
    assert set(layer.get_vocabulary(False)) == {"foo", "bar", "baz", "foo bar baz"}
    layer = TextVectorization(ngrams=(2, 1), vocabulary=["a", "b", "a b"])
    same(layer(["a,  b\tc", "a"]), [[4, 1, 2, 3, 1], [2, 0, 0, 0, 0]])
    layer = TextVectorization(ngrams=2, split=None, vocabulary=["a", "b", "c", "a b"])
    same(layer([["A", "b"], ["c", "z"]]), [[2, 3, 5], [4, 1, 1]])
    layer = TextVectorization(vocabulary=["a b", "b"], ngrams=2, output_mode="multi_hot")
    same(layer(["a b", "b"]), [[1, 1, 1], [0, 0, 1]])


MODES: dict[str, tuple[Any, Any]] = {
    "multi_hot": ([[0, 1, 1, 0], [0, 1, 0, 1]], None),
    "count": ([[0, 1, 1, 0], [0, 2, 0, 1]], None),
    "tf_idf": ([[0.0, 0.3, 0.5, 0.0], [0.0, 0.6, 0.0, 0.2]], [0.3, 0.5, 0.2]),
    "one_hot": (
        [
            [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]],
            [[0, 0, 0, 1], [0, 1, 0, 0], [0, 1, 0, 0]],
        ],
        None,
    ),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("column", [False, True])
def test_output_modes(mode: str, column: bool) -> None:
    wanted, weights = MODES[mode]
    layer = TextVectorization(
        output_mode=mode, vocabulary=["foo", "bar", "baz"], idf_weights=weights
    )
    data = np.array(["foo bar", "baz foo foo"])
    same(layer(data[:, None] if column else data), wanted)
    symbol = layer(nkeras.Input((1,) if column else (), dtype="string"))
    assert (symbol.shape[0], symbol.shape[-1]) == (None, 4)
    assert (len(symbol.shape), symbol.dtype) == (np.ndim(wanted), layer(data).dtype)


def test_padding_to_max_tokens() -> None:
    options = {"max_tokens": 5, "pad_to_max_tokens": True, "output_mode": "tf_idf"}
    layer = TextVectorization(vocabulary=["b"], idf_weights=[2.0], **options)
    same(layer(["a b", "b"]), [[2, 2, 0, 0, 0], [0, 2, 0, 0, 0]])
    assert layer.compute_output_shape((None,)) == (None, 5)


def test_learned_weights_are_those_of_tensorflow() -> None:
    layer = TextVectorization(output_mode="tf_idf")
    layer.adapt(["a b b", "b c", "d d a b"])
    assert layer.get_vocabulary() == ["[UNK]", "b", "d", "a", "c"]
    same(layer(["a b zz b"]), [[0.77133614, 1.1192316, 0.0, 0.6931472, 0.0]])


def test_adapt() -> None:
    layer = TextVectorization(max_tokens=5)
    layer.adapt(["a b c d e f g h i j"])
    assert len(layer.get_vocabulary()) == 5
    layer = TextVectorization()
    layer.adapt((batch for batch in (["hello world"], ["foo bar"], ["unique"])), steps=2)
    assert set(layer.get_vocabulary(False)) == {"hello", "world", "foo", "bar"}
    assert layer.vocabulary_size() == 6
    layer.adapt(np.array([["x y"], ["y"]], object))
    assert layer.get_vocabulary() == ["", "[UNK]", "y", "x"]


def test_vocabulary_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("foo\nbar\nbaz\n")
    layer = TextVectorization(vocabulary=str(tmp_path / "words.txt"))
    same(layer(["foo bar baz unknown"]), [[2, 3, 4, 1]])


def _model(**options: Any) -> nkeras.Model:
    layer = TextVectorization(**({"output_sequence_length": 4} | options), name="vectorization")
    layer.adapt(["foo bar", "bar baz", "baz bada boom"])
    reduced = [layers.Embedding(10, 4), layers.GlobalAveragePooling1D()]
    return nkeras.Sequential(
        [nkeras.Input((1,), dtype="string"), layer, *reduced, layers.Dense(1, name="out")]
    )


def test_training_on_strings_by_plans(tmp_path: Path) -> None:
    model = _model()
    model.compile("adam", "mse")
    texts = np.array(["foo, bar!", "baz", "bar baz bada", ""] * 8)
    targets = np.arange(32.0)
    model.fit(texts, targets, epochs=4, batch_size=8, verbose=0, validation_split=0.25)
    assert not model._plans.refusals()
    wanted = model.predict(texts, verbose=0, batch_size=8)
    model.run_eagerly = True
    np.testing.assert_allclose(model.predict(texts, verbose=0, batch_size=8), wanted, rtol=1e-6)
    model.save(tmp_path / "model.keras")
    read = nkeras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(read.predict(texts.tolist(), verbose=0, batch_size=8), wanted)


def test_the_first_layer_of_a_model_without_an_input() -> None:
    layer = TextVectorization(output_sequence_length=3, vocabulary=["baz", "bar", "foo"])
    model = nkeras.Sequential([layer, layers.Embedding(5, 4)])
    assert model(np.array([["foo qux bar"], ["qux baz"]])).shape == (2, 3, 4)
    back = layers.StringLookup(vocabulary=["a"], invert=True)
    model = nkeras.Sequential([layers.StringLookup(vocabulary=["a"]), back])
    assert model.predict(np.array([["a"], ["b"]]), verbose=0).tolist() == [["a"], ["[UNK]"]]


def test_texts_of_any_length_run_without_a_plan() -> None:
    """The longest text of a batch decides the shape: that is said, and results are right."""
    model = _model(output_sequence_length=None)
    for texts in (["foo"], ["foo bar baz"], [""], ["bar bada"], ["foo bar"]) * 2:
        found = model.predict(np.array(texts * 2), verbose=0)
        np.testing.assert_allclose(found, np.asarray(model(np.array(texts * 2))), rtol=1e-6)
    assert any("looks at the values" in reason for reason in model._plans.refusals().values())


@pytest.mark.parametrize("options", [{"ngrams": (1, 2)}, {"output_mode": "tf_idf", "ngrams": 2}])
def test_files(options: Any, tmp_path: Path) -> None:
    data = np.array(["foo bar", "bar baz", "baz bada boom"])
    layer = TextVectorization(**options)
    model = nkeras.Sequential([nkeras.Input((1,), dtype="string"), layer])
    layer.adapt(data)
    wanted = np.asarray(model(data))
    model.save(tmp_path / "model.keras")
    read = nkeras.saving.load_model(tmp_path / "model.keras")
    same(read(data), wanted)
    assert read.layers[0].ngrams == options["ngrams"]


ERRORS: dict[str, Callable[[], object]] = {
    "argument `standardize` must be one of": lambda: TextVectorization(standardize="upper"),
    "argument `split` must be one of": lambda: TextVectorization(split="words"),
    "`ngrams` must be None, an integer": lambda: TextVectorization(ngrams="two"),
    "`ngrams` must be None, .*Received: ngrams=0": lambda: TextVectorization(ngrams=0),
    "`output_sequence_length` must not be set if `output_mode` is not": lambda: TextVectorization(
        output_mode="multi_hot", output_sequence_length=5
    ),
    "`output_sequence_length` must be either None or an integer": lambda: TextVectorization(
        output_sequence_length="5"
    ),
    "argument `ragged` must be False": lambda: TextVectorization(ragged=True),
    "argument `sparse` must be False": lambda: TextVectorization(sparse=True, output_mode="count"),
    "argument `encoding` must be 'utf-8'": lambda: TextVectorization(encoding="utf-16"),
    "If set, `max_tokens` must be greater than 1": lambda: TextVectorization(max_tokens=1),
    "repeated term.*'a' at the places": lambda: TextVectorization(vocabulary=["a", "a"]),
    "the input rank must be 1 or the last": lambda: TextVectorization(vocabulary=["a"])(
        [["a", "b"]]
    ),
    "at \\[1\\]: None": lambda: TextVectorization(vocabulary=["a"])(["a", None]),
    "must give an array of the shape": lambda: TextVectorization(
        vocabulary=["a"], standardize=lambda texts: texts[:1]
    )(["a", "b"]),
    "must give a list of tokens for each text": lambda: TextVectorization(
        vocabulary=["a"], split=lambda texts: [["a"]]
    )(["a", "b"]),
}


@pytest.mark.parametrize("message", ERRORS)
def test_errors(message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ERRORS[message]()


def test_numbers_are_refused_by_name() -> None:
    layer = TextVectorization(vocabulary=["a"], name="words")
    with pytest.raises(TypeError, match=r"'words' \(TextVectorization\): text is needed here"):
        layer([1, 2])
    with pytest.raises(TypeError, match="'words'"):
        layer(nkeras.Input((1,)))
    with pytest.raises(TypeError, match=r"TextVectorization.adapt\(\): text is needed"):
        TextVectorization().adapt([1.0, 2.0])
    with pytest.raises(RuntimeError, match=r"\(TextVectorization\) has no vocabulary yet"):
        TextVectorization()(["a"])
