"""Old pickles are read as data; hostile ones are refused before anything happens."""

from __future__ import annotations

import io
import os
import pickle
import random
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nkeras.datasets.npz import read_npz
from nkeras.datasets.pickles import PickleError, read_pickle
from tests.harness import old_pickles

LISTS = [[1, 22, 255, 256, 65535, 65536, 88587], [], [7] * 2500, [-1, 2**31 - 1, 2**40]]


def objects(items: list[Any]) -> np.ndarray:
    found = np.empty(len(items), object)
    found[:] = items
    return found


def now(value: Any, protocol: int) -> bytes:
    return pickle.dumps(value, protocol)


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_arrays_of_lists_of_this_python(protocol: int) -> None:
    found = read_pickle(now(objects(LISTS), protocol))
    assert found.dtype == object
    assert found.tolist() == LISTS


def test_arrays_of_lists_of_python_2() -> None:
    text = old_pickles.dumps(objects(LISTS))
    assert pickle.loads(text, encoding="bytes").tolist() == LISTS  # the writer is right
    assert read_pickle(text).tolist() == LISTS


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.uint8).reshape(3, 4),
        np.arange(12, dtype="<i8").reshape(3, 4),
        np.arange(12, dtype=">i4").reshape(3, 4),
        np.linspace(0, 1, 6).reshape(2, 3),
        np.zeros((0, 3072), np.uint8),
        np.array([True, False]),
        np.asfortranarray(np.arange(12, dtype=np.int16).reshape(3, 4)),
    ],
)
def test_arrays_of_numbers(array: np.ndarray) -> None:
    texts = [now(array, protocol) for protocol in (3, 4)]
    if not array.flags.f_contiguous or array.ndim == 1:
        texts.append(old_pickles.dumps(array))
    for text in texts:
        found = read_pickle(text)
        np.testing.assert_array_equal(found, array)
        assert found.dtype == array.dtype.newbyteorder("=")
        assert found.flags.writeable


def test_batches_of_cifar() -> None:
    batch = {
        b"batch_label": b"training batch 1 of 5",
        b"labels": [6, 9, 9],
        b"data": np.arange(9, dtype=np.uint8).reshape(3, 3),
        b"filenames": [b"leptodactylus_pentadactylus_s_000004.png", b"x" * 300, b"tip_truck.png"],
    }
    for text in (old_pickles.dumps(batch), now(batch, 3), now(batch, 4)):
        found = read_pickle(text)
        assert found.keys() == batch.keys()
        assert {key: found[key] for key in batch if key != b"data"} == {
            key: batch[key] for key in batch if key != b"data"
        }
        np.testing.assert_array_equal(found[b"data"], batch[b"data"])


def test_lists_that_are_one() -> None:
    one = [1, 2, 3]
    assert read_pickle(now(objects([one, one, [5] * 30]), 4)).tolist() == [one, one, [5] * 30]


class Call:
    """Pickles as the call of a function."""

    def __init__(self, function: Any, *args: Any, state: Any = None) -> None:
        self._call = (function, args) if state is None else (function, args, state)

    def __reduce__(self) -> Any:
        return self._call


RECONSTRUCT = np.zeros(1).__reduce__()[0]
NO_REFERENCES = Call(np.dtype, "O8", False, True, state=(3, "|", None, None, None, -1, -1, 0))


def array_of(dtype: Any, content: Any, shape: Any = (2,), version: Any = 1) -> Call:
    state = (version, shape, dtype, False, content)
    return Call(RECONSTRUCT, np.ndarray, (0,), b"b", state=state)


HOSTILE = {
    "a command": Call(os.system, "touch hit"),
    "eval": Call(eval, "open('hit', 'w')"),
    "a file": Call(open, "hit", "w"),
    "in an array": objects([[Call(os.system, "touch hit")]]),
    "in a dict": {b"data": Call(os.system, "touch hit")},
    "an attribute": Call(getattr, np.ndarray, "tofile"),
    "a class": Path("hit"),
    "addresses as objects": array_of(NO_REFERENCES, b"A" * 16),
    "addresses beside a list": array_of(NO_REFERENCES, [b"A" * 8]),
    "too few bytes": array_of(np.dtype("u1"), b"A"),
    "too many bytes": array_of(np.dtype("u1"), b"AAA"),
    "a list for bytes": array_of(np.dtype("u1"), [1, 2]),
    "a huge shape": array_of(np.dtype("f8"), b"", (2**62, 2**62)),
    "a huge shape with a zero": array_of(np.dtype("f8"), b"", (2**62, 0)),
    "a negative shape": array_of(np.dtype("u1"), b"", (-1, 0)),
    "many axes": array_of(np.dtype("u1"), b"A", (1,) * 40),
    "another version": array_of(np.dtype("u1"), b"AA", version=2),
    "a record": array_of(np.dtype([("a", "u1")]), b"AA"),
    "times": array_of(np.dtype("M8[s]"), bytes(16)),
    "an array of huge elements": array_of(np.dtype("S1000000"), b"AA"),
    "an array of arrays": objects([np.zeros(2), np.zeros(3)]),
    "reconstruct of a large array": Call(RECONSTRUCT, np.ndarray, (10**12,), b"d"),
    "reconstruct of a class": Call(RECONSTRUCT, np.matrix, (0,), b"b"),
    "a set": {1, 2},
    "a tuple": (1, 2),
    "a float": 1.5,
    "none": None,
    "keys that are lists": {1: 2},
    "a long int": [2**70],
}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_values(
    kind: str, protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PickleError) as caught:
        read_pickle(now(HOSTILE[kind], protocol))
    assert len(str(caught.value)) < 250
    assert list(tmp_path.iterdir()) == []


# Opcodes that only Python's machine understands, and such that it takes memory for.
HOSTILE_TEXTS = {
    "empty": b"",
    "no value": b"\x80\x02.",
    "two values": b"\x80\x02K\1K\2.",
    "no end": b"\x80\x02]",
    "a mark is left": b"\x80\x02](.",
    "a mark is missing": b"\x80\x02]e.",
    "protocol 0": b"cos\nsystem\n(S'touch hit'\ntR.",
    "protocol 1": b"\x80\x01].",
    "protocol 9": b"\x80\x09].",
    "an instance": b"\x80\x02(ios\nsystem\n.",
    "an object": b"\x80\x02(cos\nsystem\no.",
    "a registered extension": b"\x80\x02\x82\x01.",
    "a persistent id": b"\x80\x02PX\n.",
    "a persistent id on the stack": b"\x80\x02K\1Q.",
    "a new object": b"\x80\x02cnumpy\nndarray\nK\1\x85\x81.",
    "an ndarray itself": b"\x80\x02cnumpy\nndarray\n.",
    "a call of ndarray": b"\x80\x02cnumpy\nndarray\nK\5\x85\x85R.",
    "a state of a list": b"\x80\x02]}b.",
    "a state of a name": b"\x80\x02cnumpy\nndarray\n}X\1\0\0\0aK\1s\x86b.",
    "a memo of 2 GB": b"\x80\x02]r\xff\xff\xff\x7fh\1.",
    "a value that was not there": b"\x80\x02h\5.",
    "a string of 4 GB": b"\x80\x02T\xff\xff\xff\xff.",
    "bytes of 16 EB": b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xff.",
    "a bytearray": b"\x80\x05\x96\x01\0\0\0\0\0\0\0a.",
    "a buffer": b"\x80\x05\x97.",
    "an int without end": b"\x80\x02K",
    "an int of 4 bytes without end": b"\x80\x02J\1",
    "a name without end": b"\x80\x02cos",
    "a name that is a number": b"\x80\x04K\1K\2\x93.",
    "a key without value": b"\x80\x02}(K\1u.",
    "items of a list": b"\x80\x02](U\1aK\1u.",
    "more of a dict": b"\x80\x02}(K\1e.",
    "no UTF-8": b"\x80\x02X\1\0\0\0\xff.",
    "a dtype without state": b"\x80\x02cnumpy\ndtype\nU\2u1K\0K\1\x87R.",
    "an array without state": old_pickles.RECONSTRUCT.join([b"\x80\x02", b""])
    + b"cnumpy\nndarray\nK\0\x85U\1b\x87R.",
}


@pytest.mark.parametrize("kind", HOSTILE_TEXTS)
def test_hostile_texts(kind: str) -> None:
    with pytest.raises(PickleError, match="the pickle cannot be read at byte"):
        read_pickle(HOSTILE_TEXTS[kind])


def test_a_list_that_holds_itself() -> None:
    found = read_pickle(b"\x80\x02]q\x01h\x01a.")
    assert found[0] is found  # what reads it must not follow it; the data sets take ints only
    one: list[Any] = []
    one.append(one)
    assert read_pickle(now(objects([one]), 4))[0][0] is not None


def test_one_list_in_many_places_is_no_larger_than_its_file() -> None:
    many = objects([[1] * 100_000] * 10_000)
    text = now(many, 4)
    assert len(text) < 300_000
    tracemalloc.start()
    with pytest.raises(PickleError, match="many places"):
        read_pickle(text)
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


def test_nothing_happens_while_hostile_pickles_are_read(tmp_path: Path) -> None:
    """In a process of its own, which notes what Python's audit hooks are told."""
    hostile = [now(value, protocol) for value in HOSTILE.values() for protocol in (2, 4)]
    lines = [text.hex() for text in (*hostile, *HOSTILE_TEXTS.values())]
    code = (
        "import sys\n"
        "from nkeras.datasets.pickles import PickleError, read_pickle\n"
        "lines, seen = sys.stdin.read().split('\\n'), []\n"
        "sys.addaudithook(lambda event, args: seen.append(event))\n"
        "for line in lines:\n"
        "    try:\n"
        "        read_pickle(bytes.fromhex(line))\n"
        "    except PickleError:\n"
        "        pass\n"
        "print(sorted(set(seen)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code],
        input="\n".join(lines),
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert said.stdout.strip() == "[]"
    assert list(tmp_path.iterdir()) == []


def test_too_many_opcodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nkeras.datasets.pickles._MOST_STEPS", 1000)
    with pytest.raises(PickleError, match="too many"):
        read_pickle(b"\x80\x02" + b"]" * 2000)


def test_any_bytes_are_read_or_refused() -> None:
    """Bytes changed at random: never another exception."""
    good = [old_pickles.dumps(objects([*LISTS[:2], [1] * 40])), now(objects(LISTS[:2]), 4)]
    choose = random.Random(3)
    refused = 0
    for number in range(4000):
        text = bytearray(good[number % 2])
        for _ in range(choose.randrange(1, 4)):
            text[choose.randrange(len(text))] = choose.randrange(256)
        try:
            read_pickle(bytes(text))
        except PickleError:
            refused += 1
    assert 1000 < refused < 4000


# Files of arrays.


def npz(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return target.getvalue()


def head(text: str, version: int = 1) -> bytes:
    code = text.encode()
    return (
        b"\x93NUMPY"
        + bytes([version, 0])
        + struct.pack("<H" if version == 1 else "<I", len(code))
        + code
    )


def npy(array: np.ndarray, version: tuple[int, int] | None = None) -> bytes:
    target = io.BytesIO()
    np.lib.format.write_array(target, array, version)
    return target.getvalue()


def read(path: Path, data: bytes, *names: str) -> list[np.ndarray]:
    path.write_bytes(data)
    return read_npz(path, names)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_npz(tmp_path: Path, version: Any) -> None:
    arrays = {
        "a": np.arange(6.0).reshape(2, 3),
        "b": np.asfortranarray(np.arange(6, dtype=">i2").reshape(2, 3)),
        "c": objects(LISTS),
        "d": np.array(3),
        "e": np.zeros((0, 4), np.float32),
    }
    data = npz({name: npy(array, version) for name, array in arrays.items()})
    found = read(tmp_path / "x.npz", data, *arrays)
    for array, wanted in zip(found, arrays.values(), strict=True):
        assert array.dtype == wanted.dtype.newbyteorder("=")
        assert array.tolist() == wanted.tolist()
        assert array.flags.writeable


GOOD = npy(np.arange(3))
BAD_FILES = {
    "no zip": b"no zip",
    "no such array": npz({"b": GOOD}),
    "no array": npz({"a": b"text"}),
    "version 9": npz({"a": GOOD[:6] + b"\x09" + GOOD[7:]}),
    "a head that calls": npz({"a": head("__import__('os').system('touch hit')\n")}),
    "a head of Python's": npz({"a": head("{'descr': 1 + 1, 'shape': (3,)}")}),
    "a head that is deep": npz({"a": head("-" * 9000 + "1")}),
    "a head that is long": npz({"a": head("{'descr': '<f8'" + " " * 60000)}),
    "a head of many axes": npz(
        {"a": head("{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1, 1, 1, 1), }") + b"x"}
    ),
    "a dtype of arrays": npz(
        {"a": head("{'descr': '(9,)u1', 'fortran_order': False, 'shape': (1,), }") + b"x" * 9}
    ),
    "times": npz({"a": npy(np.zeros(2, "M8[s]"))}),
    "complex": npz({"a": npy(np.zeros(2, "c8"))}),
    "a head without end": npz({"a": GOOD[:20]}),
    "too few bytes": npz({"a": GOOD[:-1]}),
    "too many bytes": npz({"a": GOOD + b"x"}),
    "a huge shape": npz(
        {"a": head("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }")}
    ),
    "a negative shape": npz(
        {"a": head("{'descr': '|u1', 'fortran_order': False, 'shape': (-1, -1), }") + b"x"}
    ),
    "a record": npz({"a": npy(np.zeros(2, [("x", "f4")]))}),
    "strings": npz({"a": npy(np.array(["x"]))}),
    "other objects": npz({"a": npy(objects([Call(os.system, "touch hit")]))}),
    "another shape of objects": npz({"a": npy(objects([[1]])).replace(b"(1,)", b"(2,)")}),
    "compressed by LZMA": npz({"a": GOOD}, zipfile.ZIP_LZMA),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_npz_that_are_refused(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"x\.npz") as caught:
        read(tmp_path / "x.npz", BAD_FILES[kind], "a")
    assert len(str(caught.value)) <= 400
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]


def test_npz_of_python_2(tmp_path: Path) -> None:
    for text in ("(2L,)", "(2,)"):
        code = head(f"{{'descr': '|O8', 'fortran_order': False, 'shape': {text}, }}   \n")
        data = npz({"a": code + old_pickles.dumps(objects([[1], [2, 3]]))})
        assert read(tmp_path / "x.npz", data, "a")[0].tolist() == [[1], [2, 3]]


def test_npz_with_a_name_twice(tmp_path: Path) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("a.npy", GOOD)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.npy", GOOD)
    with pytest.raises(ValueError, match="there are 2 files"):
        read(tmp_path / "x.npz", target.getvalue(), "a")


def test_npz_that_unpacks_to_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nkeras.datasets.npz.MOST_BYTES", 1 << 20)
    data = npz({"a": npy(np.zeros(1 << 20))})
    tracemalloc.start()
    with pytest.raises(ValueError, match="are not read"):
        read(tmp_path / "x.npz", data, "a")
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_npz_whose_bytes_are_others(tmp_path: Path) -> None:
    good = npz({"a": npy(np.arange(100))})
    for at in range(0, len(good), 5):
        bad = good[:at] + bytes([good[at] ^ 0x55]) + good[at + 1 :]
        try:
            (found,) = read(tmp_path / "x.npz", bad, "a")
        except ValueError:
            continue
        assert found.tolist() == list(range(100))
