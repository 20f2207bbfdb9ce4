"""The table is the one that Keras 3.15 prints; expected texts were recorded from it."""

from __future__ import annotations

import pytest

from nkeras.utils.summary_table import summary_table

HEADERS = ["Layer (type)", "Output Shape", "Param #"]
ALIGNMENTS = ["left", "left", "right"]


def test_sequential_model_on_a_terminal_of_80_columns() -> None:
    rows = [
        ["conv2d (Conv2D)", "(None, 26, 26, 32)", "320"],
        ["conv2d_transpose_with_a_long_name (Conv2DTranspose)", "(None, 1600)", "18,496"],
    ]
    assert summary_table(HEADERS, rows, ALIGNMENTS, line_length=76) == "\n".join(
        [
            "┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓",
            "┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃",
            "┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩",
            "│ conv2d (Conv2D)                 │ (None, 26, 26, 32)     │           320 │",
            "├─────────────────────────────────┼────────────────────────┼───────────────┤",
            "│ conv2d_transpose_with_a_long_n… │ (None, 1600)           │        18,496 │",
            "│ (Conv2DTranspose)               │                        │               │",
            "└─────────────────────────────────┴────────────────────────┴───────────────┘",
        ]
    )


def test_functional_model_with_connections_and_trainable() -> None:
    table = summary_table(
        [*HEADERS, "Connected to", "Trainable"],
        [["   └ add (Add)", "(None, 8)", "0", "dense[0][0], dense_1[0][0]", "-"]],
        [*ALIGNMENTS, "left", "center"],
        line_length=84,
        positions=[0.27, 0.504, 0.666, 0.9, 1.0],
    )
    assert table.split("\n") == [
        "┏━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━┳━━━━━━━━┓",
        "┃ Layer (type)        ┃ Output Shape      ┃    Param # ┃ Connected to     ┃ Train… ┃",
        "┡━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━╇━━━━━━━━┩",
        "│    └ add (Add)      │ (None, 8)         │          0 │ dense[0][0],     │   -    │",
        "│                     │                   │            │ dense_1[0][0]    │        │",
        "└─────────────────────┴───────────────────┴────────────┴──────────────────┴────────┘",
    ]


def test_every_line_is_as_long_as_asked() -> None:
    rows = [["a" * 50, "wörter " * 9, "", "日本語" * 12]]
    for line_length in range(40, 120):
        table = summary_table(
            ["A", "B", "C", "D"], rows, ["left", "center", "right", "left"],
            line_length, [0.3, 0.56, 0.74, 1.0],
        )  # fmt: skip
        wide = {len(line) + sum(c in "日本語" for c in line) for line in table.split("\n")}
        assert wide == {line_length}


def test_no_rows() -> None:
    assert summary_table(["A"], [], ["left"], 8, [1.0]).split("\n")[-2:] == ["┡━━━━━━┩", "└──────┘"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"alignments": ["left"]}, "alignments"),
        ({"alignments": ["left", "middle", "right"]}, "middle"),
        ({"positions": [0.5, 1.0]}, "positions"),
        ({"rows": [["a", "b"]]}, "rows"),
        ({"line_length": 12}, "line_length"),
    ],
)
def test_bad_arguments_are_named(change: dict[str, object], named: str) -> None:
    arguments = {"headers": HEADERS, "rows": [], "alignments": ALIGNMENTS} | change
    with pytest.raises(ValueError, match=named):
        summary_table(**arguments)  # type: ignore[arg-type]
