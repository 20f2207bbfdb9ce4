"""Primitives that make numbers of text, on the host; layers for text call them."""

from __future__ import annotations

from nkeras.backend import registry
from nkeras.backend.text import Salt, Table, TextCounter, Tokens, Words
from nkeras.core.primitive import primitive
from nkeras.core.spec import Shape, Spec, Typed
from nkeras.core.strings import STRING, host_backend, no_numbers


def _need_text(owner: str, x: Typed) -> Shape:
    if x.dtype != STRING:
        raise no_numbers(owner, x.dtype)
    return x.shape


@primitive(flat=("x",), takes_text=True)
def lookup_text(x: Typed, *, table: Table) -> Spec:
    """The number of each text."""
    return Spec(_need_text("lookup_text", x), "int64")


@primitive(flat=("x",), takes_text=True)
def text_at(x: Typed, *, words: Words) -> Spec:
    """The text of each number."""
    return Spec(x.shape, STRING)


@primitive(flat=("x",), takes_text=True)
def hash_text(x: Typed, *, bins: int, salt: Salt, mask: bytes | None) -> Spec:
    """The hash of each text; where there is a mask, it has bin 0 and no other text has."""
    return Spec(_need_text("hash_text", x), "int64")


@primitive(flat=("x",), takes_text=True)
def hash_integers(x: Typed, *, bins: int, salt: Salt) -> Spec:
    """The hash of the decimal digits of each integer."""
    return Spec(x.shape, "int64")


@primitive(flat=("xs",), takes_text=True)
def cross_hashes(*xs: Typed, bins: int) -> Spec:
    """The hash of what stands at one place in all tensors, integers or text."""
    return Spec(xs[0].shape, "int64")


def _rows(owner: str, x: Typed) -> int:
    shape = _need_text(owner, x)
    if len(shape) != 1:
        raise ValueError(f"{owner}: text of one dimension is needed. Received shape {shape}")
    return shape[0]


@primitive(flat=("x",), takes_text=True)
def token_lengths(x: Typed, *, how: Tokens) -> Spec:
    """How many tokens each text has."""
    return Spec((_rows("token_lengths", x),), "int64")


@primitive(flat=("x",), takes_text=True)
def tokens(x: Typed, *, how: Tokens, table: Table, length: int, fill: int) -> Spec:
    """The numbers of each text's tokens, cut or filled up to a length."""
    return Spec((_rows("tokens", x), length), "int64")


@primitive(flat=("x",), takes_text=True)
def token_counts(
    x: Typed, *, how: Tokens, table: Table, depth: int, binary: bool, dtype: str
) -> Spec:
    """How often each text's tokens have each number below `depth`, or 1 where one has it."""
    return Spec((_rows("token_counts", x), depth), dtype)


def counter(how: Tokens) -> TextCounter:
    """What counts the tokens of arrays of text; see `nkeras.backend.text.TextCounter`."""
    return host_backend(registry.active()).kernels["text_counter"](how=how)
