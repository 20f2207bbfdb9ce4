"""`summary()` prints what Keras prints, character by character."""

from __future__ import annotations

import os
import textwrap
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras.utils.summary import count_params, memory_size, print_summary, readable_size

# Each makes `model`, in nkeras and in Keras alike.
MODELS = {
    "sequential": """
        model = keras.Sequential([
            keras.Input((8, 8, 1)), L.Conv2D(4, 3), L.MaxPooling2D(), L.Flatten(),
            L.Dropout(0.5), L.Dense(1000), L.Dense(2, name="a_name_longer_than_its_column_is_wide"),
        ])
    """,
    "unbuilt sequential": 'model = keras.Sequential([L.Dense(3), L.Dropout(0.5)], name="later")',
    "sequential built by a call": """
        model = keras.Sequential([L.Dense(3), L.Dropout(0.5)])
        model(np.ones((5, 2), "float32"))
    """,
    "no layers": "model = keras.Sequential()",
    "trained": """
        model = keras.Sequential([keras.Input((3,)), L.Dense(2), L.BatchNormalization()])
        model.layers[0].trainable = False
        model.compile(optimizer="adam", loss="mse")
        model.train_on_batch(np.ones((4, 3), "float32"), np.ones((4, 2), "float32"))
    """,
    "functional chain": """
        x = keras.Input((4,), name="x")
        model = keras.Model(x, L.Dense(2)(L.Activation("relu")(x)))
    """,
    "functional": """
        one, other = keras.Input((4,), name="one"), keras.Input((6,), name="other")
        y = L.Concatenate()([L.Dense(3)(one), L.Dense(3)(other)])
        model = keras.Model([one, other], [y, L.Dense(1)(y)])
    """,
    "shared layer": """
        x = keras.Input((4,), name="x")
        shared = L.Dense(4, name="shared")
        model = keras.Model(x, L.Add()([shared(shared(x)), x]))
    """,
    "layer twice in a chain": """
        x = keras.Input((4,), name="x")
        shared = L.Dense(4, name="shared")
        model = keras.Model(x, shared(shared(x)))
    """,
    "ops": """
        x = keras.Input((4,), name="x")
        y = keras.ops.relu(x + L.Dense(4)(x)) * 2.0
        model = keras.Model(x, keras.ops.sum(y + 1.0, axis=-1))
    """,
    "two outputs": """
        class Twice(L.Layer):
            def call(self, x):
                return x, 2 * x
        x = keras.Input((4,), name="x")
        model = keras.Model(x, Twice(name="twice")(x))
    """,
    "nested": """
        x = keras.Input((4,), name="x")
        inner = keras.Sequential([keras.Input((4,)), L.Dense(4, name="d")], name="inner")
        outer_x = keras.Input((4,), name="outer_x")
        middle = keras.Model(outer_x, inner(outer_x), name="middle")
        model = keras.Model(x, L.Add()([middle(x), x]), name="nested")
    """,
    "subclassed": """
        class Own(keras.Model):
            def __init__(self):
                super().__init__()
                self.first, self.drop, self.last = L.Dense(4), L.Dropout(0.5), L.Dense(2)
            def call(self, x):
                return self.last(self.drop(self.first(x)))
        model = Own()
    """,
    "subclassed and called": """
        class Own(keras.Model):
            def __init__(self):
                super().__init__()
                self.first, self.drop, self.last = L.Dense(4), L.Dropout(0.5), L.Dense(2)
            def call(self, x):
                return self.last(self.drop(self.first(x)))
        model = Own()
        model(np.ones((5, 3), "float32"))
    """,
    "half precision": """
        model = keras.Sequential([keras.Input((3,)), L.Dense(2, dtype="float16"), L.Dense(1)])
    """,
}
ARGUMENTS: list[dict[str, Any]] = [
    {},
    {"expand_nested": True, "show_trainable": True},
    {"line_length": 70},
]
HEAD = """
L = keras.layers
result = []
"""
TAIL = """
for arguments in many_arguments:
    model.summary(print_fn=result.append, **arguments)
"""


@pytest.fixture
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.usefixtures("wide_terminal")
def test_text_is_that_of_keras(oracle: Any, model: str) -> None:
    code = HEAD + textwrap.dedent(MODELS[model]) + TAIL
    width = f'import os\nos.environ["COLUMNS"] = "{os.environ["COLUMNS"]}"\n'
    expected = oracle.run(width + code, many_arguments=ARGUMENTS)
    names: dict[str, Any] = {"keras": nkeras, "np": np, "many_arguments": ARGUMENTS}
    exec(compile(code, model, "exec"), names)
    assert "\n".join(names["result"]) == "\n".join(expected)


def small_model() -> Any:
    layers = [nkeras.layers.Dense(2, name=name) for name in ("one", "two", "three")]
    return nkeras.Sequential([nkeras.Input((2,)), *layers], name="small")


def test_prints_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    small_model().summary(line_length=60)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == 'Model: "small"'
    assert lines[2].split("┃")[1].strip() == "Layer (type)"
    assert lines[-3:] == [
        " Total params: 18 (72.00 B)",
        " Trainable params: 18 (72.00 B)",
        " Non-trainable params: 0 (0.00 B)",
    ]


def test_not_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    texts: list[str] = []
    small_model().summary(print_fn=texts.append)
    assert max(map(len, texts[0].splitlines())) == 56


@pytest.mark.parametrize(
    ("layer_range", "shown"),
    [
        (("one", "two"), ["one", "two"]),
        (("two", "one"), ["one", "two"]),
        (("t.*", "three"), ["two", "three"]),
        (("two", "two"), ["two"]),
    ],
)
def test_layer_range(layer_range: tuple[str, str], shown: list[str]) -> None:
    texts: list[str] = []
    small_model().summary(print_fn=texts.append, layer_range=layer_range)
    assert [name for name in ("one", "two", "three") if f" {name} (Dense)" in texts[0]] == shown


@pytest.mark.parametrize("layer_range", [("one",), (1, 2), ("one", "nowhere")])
def test_wrong_layer_range(layer_range: Any) -> None:
    with pytest.raises(ValueError, match="layer_range"):
        small_model().summary(layer_range=layer_range)


def test_too_narrow() -> None:
    with pytest.raises(ValueError, match="line_length"):
        print_summary(small_model(), line_length=12)


def test_sizes() -> None:
    weights = [np.zeros((3, 4), "float32"), np.zeros(5, "float32")]
    tensors = [nkeras.ops.convert_to_tensor(weight) for weight in weights]
    assert count_params(tensors) == 17
    assert memory_size([*tensors, tensors[0]]) == 17 * 4
    sizes = [readable_size(size) for size in (0, 1023, 1024, 3 * 1024**2, 1024**6)]
    assert sizes == ["0.00 B", "1023.00 B", "1.00 KB", "3.00 MB", "1024.00 PB"]


def test_calls_of_ops_have_names_that_no_layer_has(capsys: Any) -> None:
    x = nkeras.Input((4,), name="x")
    model = nkeras.Model(x, nkeras.layers.Add(name="add")([x, x]) + x + x)
    model.summary()
    shown = capsys.readouterr().out
    assert [shown.count(f"{name} (Add)") for name in ("add", "add_1", "add_2")] == [1, 1, 1]
