"""Tensors of text: what becomes one, what refuses it, and how models and plans take it."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers, ops
from nkeras.core.tensor import Tensor

WORDS = ["earth", "Größe"]


class Column:
    """What NumPy makes an array of Python objects of, as a column of a table."""

    def __init__(self, *values: object) -> None:
        self._values = values

    def __array__(self, dtype: object = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self._values, object)


def text(*values: object) -> Tensor:
    return ops.convert_to_tensor(list(values))


FORMS: list[Any] = [
    WORDS,
    tuple(WORDS),
    np.array(WORDS),
    np.array(WORDS, object),
    Column(*WORDS),
]
if hasattr(np, "dtypes") and hasattr(np.dtypes, "StringDType"):
    FORMS.append(np.array(WORDS, np.dtypes.StringDType()))


@pytest.mark.parametrize("value", FORMS, ids=lambda leaf: type(leaf).__name__)
@pytest.mark.parametrize("backend", ["numpy", "numba_cpu"])
def test_what_becomes_a_tensor(value: Any, backend: str) -> None:
    with nkeras.use_backend(backend):
        tensor = ops.convert_to_tensor(value)
    assert (tensor.dtype, tensor.shape) == ("string", (2,))
    assert tensor.numpy().tolist() == WORDS
    assert {type(word) for word in tensor.numpy()} <= {str, np.str_}
    assert tensor.to("numpy").numpy().tolist() == WORDS


def test_bytes_and_scalars() -> None:
    """Bytes come back as `str` where they are UTF-8; a scalar is of rank 0."""
    assert ops.convert_to_tensor(np.array([b"a\xff"])).tolist() == [b"a\xff"]
    assert text(b"a", "b", b"\xff", "\0").tolist() == ["a", "b", b"\xff", "\0"]
    assert (text(b"a").item(), ops.convert_to_tensor("a").shape) == ("a", ())
    assert ops.convert_to_tensor([], dtype="string").dtype == "string"
    assert ops.cast(text("a"), str).dtype == "string"
    assert ops.convert_to_tensor(text("a"), dtype="string").tolist() == ["a"]


def test_tensors_are_copied_and_written() -> None:
    tensor = pickle.loads(pickle.dumps(copy.deepcopy(text(*WORDS))))
    assert tensor.tolist() == WORDS
    assert "dtype=string" in repr(tensor)


TABLE = [["a", "b", "c"], ["d", "e", "Größe"]]
MOVES: dict[str, Callable[[Any], Any]] = {
    "a row": lambda x: x[1],
    "a column": lambda x: x[:, 0],
    "from the end": lambda x: x[-1, -2],
    "steps": lambda x: x[:, ::-2],
    "an ellipsis and a new axis": lambda x: x[..., None, 1:],
    "indices": lambda x: x[:, [0, 2]],
    "reshape": lambda x: x.reshape((3, 2)) if _is_array(x) else ops.reshape(x, (3, -1)),
    "expand_dims": lambda x: _of(x).expand_dims(x, 1),
    "squeeze": lambda x: _of(x).squeeze(x[:, :1], 1),
    "transpose": lambda x: _of(x).transpose(x, (1, 0)),
    "flip": lambda x: _of(x).flip(x, 1),
    "concatenate": lambda x: _of(x).concatenate([x, x[:, 1:]], 1),
    "stack": lambda x: _of(x).stack([x[0], x[1]], 1),
    "split": lambda x: _of(x).split(x, 3, axis=1)[2],
    "take": lambda x: _of(x).take(x, np.array([1, 1, 0]), axis=0),
    "tile": lambda x: _of(x).tile(x, (1, 2)),
    "repeat": lambda x: _of(x).repeat(x, 2, axis=0),
    "roll": lambda x: _of(x).roll(x, 1, axis=1),
    "broadcast_to": lambda x: _of(x).broadcast_to(x[0], (2, 3)),
}


def _is_array(x: object) -> bool:
    return isinstance(x, np.ndarray)


def _of(x: object) -> Any:
    return np if _is_array(x) else ops


@pytest.mark.parametrize("name", MOVES)
@pytest.mark.parametrize("backend", ["numpy", "numba_cpu"])
def test_what_moves_elements_moves_text(name: str, backend: str) -> None:
    array = np.array(TABLE, object)
    wanted = np.asarray(MOVES[name](array), object)
    with nkeras.use_backend(backend):
        found = MOVES[name](ops.convert_to_tensor(array))
    assert (found.dtype, found.shape) == ("string", wanted.shape)
    assert found.tolist() == wanted.tolist()


def test_texts_of_several_tensors() -> None:
    x, y = text("a", "long word"), text("Größe")
    assert ops.concatenate([x[1:], y, x]).tolist() == ["long word", "Größe", "a", "long word"]
    assert ops.slice_update(x, (1,), y).tolist() == ["a", "Größe"]
    assert [row.tolist() for row in ops.convert_to_tensor(TABLE)] == TABLE
    with pytest.raises(ValueError, match="2 elements"):
        ops.reshape(x, (3,))
    with pytest.raises(TypeError, match="numbers are needed here"):
        ops.concatenate([x, [1, 2]])


def test_slices_in_models_and_their_plans(tmp_path: Path) -> None:
    words = nkeras.Input((3,), dtype="string")
    lookup = layers.StringLookup(vocabulary=["a", "d"])
    flat = layers.Reshape((3, 1))(layers.Concatenate()([words[:, :1], words[:, -2:]]))
    model = nkeras.Model(words, [words[:, 0], words[:, ::-1], flat, lookup(words[:, :1])])
    x = np.array(TABLE)
    wanted = [x[:, 0].tolist(), x[:, ::-1].tolist(), x[..., None].tolist(), [[1], [2]]]
    for _ in range(4):
        assert [y.tolist() for y in model.predict(x, verbose=0)] == wanted
    assert not model._plans.refusals()
    model.save(tmp_path / "model.keras")
    read = nkeras.saving.load_model(tmp_path / "model.keras")
    assert [y.tolist() for y in read(x)] == wanted


GAPS: dict[str, tuple[Callable[[], object], str]] = {
    "None in a list": (lambda: text("a", None), r"at \[1\]: None \(of type NoneType\)"),
    "NaN in a column": (
        lambda: ops.convert_to_tensor(Column("a", "b", float("nan"))),
        r"at \[2\]: nan",
    ),
    "a number": (lambda: text("a", 1), r"at \[1\]: 1 \(of type int\)"),
    "rows": (lambda: text(["a"], ["b", "c"]), r"different lengths. Received at \[0\]"),
    "in a table": (
        lambda: _model().predict(np.array([["a"], [None]], object)),
        r"Argument `x`: .*at \[1, 0\]: None",
    ),
    "numbers": (
        lambda: ops.convert_to_tensor([1, 2], dtype="string"),
        "text is needed here.*numbers of dtype int32",
    ),
    "cast": (lambda: ops.cast([1.5], "string"), "cast: text is needed here"),
    "into a model": (lambda: _model()(np.ones((2, 1))), "Model 'words', input 'word': text is"),
}


@pytest.mark.parametrize("name", GAPS)
def test_gaps_are_named(name: str) -> None:
    call, message = GAPS[name]
    with pytest.raises((TypeError, ValueError), match=message):
        call()


REFUSALS: dict[str, Callable[[Tensor], object]] = {
    "cast": lambda x: ops.cast(x, "int32"),
    "pad": lambda x: ops.pad(x, 1),
    "An operation on numbers": lambda x: x + 1,
    r"Layer 'numbers' \(Dense\), inputs": lambda x: layers.Dense(2, name="numbers")(
        ops.expand_dims(x, -1)
    ),
    r"Layer 'numbers' \(Embedding\), inputs": lambda x: layers.Embedding(3, 2, name="numbers")(x),
    "Variable 'v'": lambda x: nkeras.Variable(x, name="v"),
    "Model 'numbers', input 'number'": lambda x: nkeras.Sequential(
        [nkeras.Input((1,), name="number"), layers.Dense(1)], name="numbers"
    )(x),
}


@pytest.mark.parametrize("message", REFUSALS)
def test_numbers_are_needed_elsewhere(message: str) -> None:
    with pytest.raises(TypeError, match=f"^{message}.*numbers are needed here. Received text"):
        REFUSALS[message](text(*WORDS))


def test_symbolic_text_is_refused_alike() -> None:
    word = nkeras.Input((1,), dtype="string")
    assert word.dtype == "string"
    with pytest.raises(TypeError, match=r"'numbers'.*numbers are needed here"):
        layers.Dense(2, name="numbers")(word)


def _model() -> nkeras.Model:
    word = nkeras.Input((1,), dtype="string", name="word")
    return nkeras.Model(word, layers.Identity()(word), name="words")


def test_models_carry_text() -> None:
    """Also those read from their configuration; the plan of the prediction takes it too."""
    model = nkeras.Model.from_config(_model().get_config())
    assert model.input.dtype == "string"
    for i in range(5):
        rows = np.array([[f"{i}"], ["ö" * i]])
        assert model.predict(rows, verbose=0).tolist() == rows.tolist()
    assert not model._plans.refusals()
    assert model.predict(WORDS, verbose=0).tolist() == [["earth"], ["Größe"]]
    assert model(text(*WORDS)).shape == (2, 1)


def test_columns_beside_numbers() -> None:
    """A dict of a list, an array and what NumPy makes an array; batches are cut from all."""
    words = nkeras.Input((1,), dtype="string", name="words")
    numbers = nkeras.Input((1,), name="numbers")
    outputs = [layers.Identity()(words), layers.Dense(1, kernel_initializer="ones")(numbers)]
    model = nkeras.Model({"words": words, "numbers": numbers}, outputs)
    data = {"words": Column(*"abcde"), "numbers": [1.0, 2.0, 3.0, 4.0, 5.0]}
    found, sums = model.predict(data, batch_size=2, verbose=0)
    assert found.ravel().tolist() == list("abcde")
    np.testing.assert_allclose(sums.ravel(), [1, 2, 3, 4, 5])
    found, _ = model.predict(iter([({"words": ["a", "b"], "numbers": np.ones(2)},)]), verbose=0)
    assert found.ravel().tolist() == ["a", "b"]
