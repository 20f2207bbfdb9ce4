"""Calls of primitives for text, in the form of `CASES`."""

from __future__ import annotations

from typing import Any

import numpy as np

from nkeras.backend.text import Table, Tokens, Words
from tests.ops.cases import Case

WORDS = np.array([["earth", "wind"], ["and", "Größe ß"], ["", b"\xff"]], object)
TEXTS = np.array(
    [
        "The earth, the WIND; and Größe!",
        "",
        " \t the\x0bearth\u00a0wind  \n",
        "the  quick-brown (fox) jumps over thirty-two letters: abcdefghijklmnopqrstuvwxyz",
        "naïve Σ 😀 ¿qué?",
        b"the \xe2\x82 wind \xff",
    ],
    object,
)
_KNOWN = ["the", "earth", "wind", "and", "quickbrown", "the earth", "größe", "é", "w"]
TERMS = [word.encode() for word in _KNOWN]
TABLES = [
    Table(TERMS, range(2, 11), 1),
    Table(TERMS, range(5, 14), -2, 1, 4),
    Table(TERMS, range(5, 14), -2, 1, 4, (3, -5)),
]
HOWS = [
    Tokens(True, True, "whitespace"),
    Tokens(False, True, "whitespace", (1, 2)),
    Tokens(True, False, "character"),
    Tokens(False, False, "character", (3, 1)),
    Tokens(True, True),
]
ENDED = np.array([b"the\xffearth\xff", b"", b"\xff\xffwind\xff"], object)


def _case(x: Any, *more: Any, **static: Any) -> Case:
    return Case((x, *more), static, gradient=False)


_COUNTS: dict[str, Any] = {"table": TABLES[0], "depth": 9, "dtype": "float32"}
CASES: dict[str, list[Case]] = {
    "move_text": [
        _case(WORDS, move="reshape", static={"shape": (2, 3)}),
        _case(WORDS, WORDS[::-1], move="concatenate", static={"axis": 1}),
        _case(WORDS, np.array([[2], [0]]), move="take", static={"axis": 0}),
    ],
    "lookup_text": [_case(WORDS, table=table) for table in TABLES],
    "text_at": [_case(np.array([[0, 2], [7, -1]]), words=Words(["a", "b", "c"], "?"))],
    "hash_text": [
        _case(WORDS, bins=bins, salt=salt, mask=mask)
        for bins, salt, mask in ((9, None, None), (2**40, (3, -1), None), (5, None, b""))
    ],
    "hash_integers": [
        _case(np.array([[0, -7], [2**40, 123456789012]]), bins=1000, salt=salt)
        for salt in (None, (1, 2**63))
    ],
    "cross_hashes": [_case(WORDS, np.arange(-3, 3).reshape(3, 2), WORDS, bins=1000)],
    "token_lengths": [
        *[_case(TEXTS, how=how) for how in HOWS],
        *[_case(ENDED, how=Tokens(split="ended", ngrams=sizes)) for sizes in (None, (2, 1))],
    ],
    "tokens": [
        *[_case(TEXTS, how=how, table=TABLES[1], length=7, fill=-1) for how in HOWS],
        _case(TEXTS, how=HOWS[0], table=TABLES[0], length=0, fill=0),
        _case(ENDED, how=Tokens(split="ended"), table=TABLES[0], length=3, fill=0),
    ],
    "token_counts": [
        *[_case(TEXTS, how=how, binary=False, **_COUNTS) for how in HOWS],
        _case(TEXTS, how=HOWS[0], binary=True, **(_COUNTS | {"dtype": "float64"})),
    ],
}
