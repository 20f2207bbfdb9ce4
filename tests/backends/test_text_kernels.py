"""What counts tokens, and what the kernels for text hold of tables and rows, on both backends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nkeras.backend.packed import PackedText
from nkeras.backend.text import Table, Tokens
from nkeras_numba_cpu import threads
from nkeras_numba_cpu.kernels import KERNELS
from nkeras_numpy.hashes import fingerprint, siphash
from nkeras_numpy.kernels import KERNELS as REFERENCE
from tests.ops.cases_text import ENDED, HOWS, TEXTS

# Of bytes i * 37 % 251, as many as the key says: tf.strings.to_hash_bucket_fast(x, 2**62), and
# to_hash_bucket_strong(x, 2**62, key=[133, 137]), of TensorFlow 2.21.
HASHES = {
    0: (1936946117179621455, 316627932347062996),
    1: (4494688008148699988, 2605126819953502371),
    3: (2979360857936615334, 829012965797244101),
    4: (1006653786236843310, 1190541772153376666),
    7: (816605918622220265, 3460353179723601566),
    8: (491371093372468229, 4551106395792817888),
    12: (327494088576261846, 1735239675945340503),
    16: (1769327705518881166, 256446057216195458),
    17: (4509411160486814653, 1516516663569201657),
    24: (1912478505132588732, 1473278122030029448),
    32: (2734728285937661847, 1819156787508221366),
    33: (228472168399132107, 3231181210798728081),
    48: (2380997423204489329, 4193850227816614896),
    64: (2738000589675463442, 458208244505514076),
    65: (3590404171012528691, 1010327928173673911),
    100: (2170028776447634075, 373267905384617897),
    128: (725189660955043221, 3935732111152652818),
    129: (3488886288226725097, 4370580642300492720),
    200: (3729981698361277117, 1001244832805023531),
}


def packed(*rows: str | bytes) -> PackedText:
    return REFERENCE["pack_text"](list(rows))


def counted(kernels: Any, how: Tokens, *batches: tuple[PackedText, int]) -> dict[bytes, Any]:
    counter = kernels["text_counter"](how=how)
    for x, rows in batches:
        counter.add(x, rows)
    words, counts, documents = counter.result()
    return dict(zip(words, zip(counts.tolist(), documents.tolist(), strict=True), strict=True))


FORMS: list[Any] = [
    ["a", "", "Größe €😀", "\x00b\x00"],
    ["a", "b" * 100, "", *["c"] * 40],
    ["a", b"\xff", b"", "\ud800"],
    [],
    [""],
    np.array([["a", "Größe €😀 \x7f\x80\u07ff\u0800\uffff"], ["", "b\x00c"]]),
    np.array(["ab", ""])[::-1],
    np.array([["x", "é"]]).astype(">U3"),
    np.array([b"a\xff", b"", b"\x00bc"]),
    np.array([["a", b"b"], ["", "ß"]], object),
    np.array("a"),
    np.zeros((0, 2), "U3"),
]
if hasattr(np, "dtypes") and hasattr(np.dtypes, "StringDType"):
    FORMS.append(np.array([["a", "Größe"]], np.dtypes.StringDType()))


@pytest.mark.parametrize("rows", FORMS, ids=repr)
def test_packing(rows: Any) -> None:
    found, wanted = KERNELS["pack_text"](rows), REFERENCE["pack_text"](rows)
    assert found.shape == wanted.shape
    assert found.rows() == wanted.rows()
    assert not found.data[-64:].any()


@pytest.mark.parametrize("rows", [["a", 1], [None], np.array(["a", None], object)])
def test_what_is_no_text_is_not_packed(rows: Any) -> None:
    for kernels in (KERNELS, REFERENCE):
        with pytest.raises(TypeError):
            kernels["pack_text"](rows)


@pytest.mark.parametrize("how", [*HOWS, Tokens(split="ended")], ids=str)
def test_counting(how: Tokens) -> None:
    x = packed(*(ENDED if how.split == "ended" else TEXTS))
    batches = [(x, 1), (x[None, :2], 2), (x[::-1], 1), (x[:0], 1)]
    found = counted(KERNELS, how, *batches)
    assert found == counted(REFERENCE, how, *batches)
    assert found


def test_counting_grows() -> None:
    """More words than there was room for, and longer ones, in one row and in many."""
    random = np.random.default_rng(0)
    words = [f"{'w' * (i % 40)}{i}" for i in range(20_000)]
    rows = [" ".join(random.choice(words, 300)) for _ in range(100)]
    batches = [(packed(*rows), 1), (packed(" ".join(words)), 1)]
    how = Tokens(split="whitespace")
    assert counted(KERNELS, how, *batches) == counted(REFERENCE, how, *batches)


@pytest.mark.long
def test_every_length_of_words() -> None:
    """Words that begin alike, of up to 80 and of over 255 bytes, also with bytes of 0."""
    words = [b"x" * n for n in (*range(80), 255, 256, 257, 300)]
    words += [b"x" * n + b"\0" for n in range(12)] + [b"y" * 256 + bytes([n]) for n in range(5)]
    table = Table(words, range(len(words)), -1)
    x = packed(*words, *[word + b"z" for word in words])
    wanted = [*range(len(words)), *[-1] * len(words)]
    assert KERNELS["lookup_text"](x, table=table).tolist() == wanted
    assert REFERENCE["lookup_text"](x, table=table).tolist() == wanted


def test_compiled_hashes_of_every_length() -> None:
    data = bytes(np.random.default_rng(1).integers(0, 256, 400, "uint8"))
    x = packed(*[data[:n] for n in range(400)])
    for salt in (None, (133, 137), (2**64 - 1, -5)):
        found = KERNELS["hash_text"](x, bins=2**62, salt=salt, mask=None)
        wanted = REFERENCE["hash_text"](x, bins=2**62, salt=salt, mask=None)
        np.testing.assert_array_equal(found, wanted)


def test_hashes_are_those_of_tensorflow() -> None:
    for size, (fast, strong) in HASHES.items():
        data = bytes(i * 37 % 251 for i in range(size))
        assert (fingerprint(data) % 2**62, siphash(data, 133, 137) % 2**62) == (fast, strong)


@pytest.mark.long
def test_random_rows() -> None:
    """Rows of all lengths around a block, with every kind of byte, on one thread and two."""
    random = np.random.default_rng(3)
    letters = np.array(list("abXY  \t\n!.-ßΣ€😀\u00a0"))
    rows = ["".join(random.choice(letters, n)) for n in [*range(100), *[257] * 20]]
    x = packed(*rows)
    known = sorted({word.encode() for row in rows for word in row.lower().split(" ")})[::3]
    table = Table(known, range(len(known)), -1)
    for how in HOWS:
        wanted = REFERENCE["tokens"](x, how=how, table=table, length=40, fill=-9)
        for count in (1, 2):
            before = threads.get_num_threads()
            threads.set_num_threads(count)
            try:
                found = KERNELS["tokens"](x, how=how, table=table, length=40, fill=-9)
            finally:
                threads.set_num_threads(before)
            np.testing.assert_array_equal(found, wanted)
