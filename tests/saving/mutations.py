"""Damaged and hostile forms of a good file, made at random but along its structure."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import h5py
import numpy as np

import nkeras
from nkeras.models import operations

_ODD: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2,
    7,
    2**31,
    2**40,
    2**62,
    2**63,
    10**30,
    -(2**63),
    0.5,
    -1.5,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "x",
    "a\n" * 5000,
    "é\u0000\ud800",
    "relu",
    "mse",
    "float16",
    "float999",
    "int4",
    "same",
    "channels_first",
    [],
    {},
    [[[]]],
    [None],
    [0, -1],
    [None, 2**40],
    [2**20, 2**20, 2**20],
    list(range(300)),
    {"class_name": "Dense", "config": {}},
    {"class_name": "__tensor__", "config": {"value": [1.0], "dtype": "float32"}},
    {"class_name": "__numpy__", "config": {"value": [[1], [1, 2]], "dtype": "float32"}},
    {"class_name": "__numpy__", "config": {"value": ["x"], "dtype": "object"}},
    {"class_name": "__tuple__", "config": {"items": [1, 2]}},
    {"class_name": "__tuple__", "config": 3},
    {"class_name": "__slice__", "config": {"start": 0}},
    {"class_name": "__bytes__", "config": {"value": 3}},
    {"class_name": "__keras_tensor__", "config": {"shape": [2**40], "dtype": "float32"}},
    {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"},
    {"module": "keras.layers", "class_name": "Lambda", "config": {"function": "x"}},
]
_FAMILIES = (
    "layers",
    "initializers",
    "losses",
    "metrics",
    "optimizers",
    "regularizers",
    "constraints",
    "activations",
    "dtype_policies",
    "quantizers",
)


def _names() -> list[str]:
    found = {name for name in dir(nkeras) if name[:1].isupper()}
    for family in _FAMILIES:
        found |= {name for name in dir(getattr(nkeras, family)) if not name.startswith("_")}
    found |= set(operations._BY_CLASS)  # pyright: ignore[reportPrivateUsage]
    return sorted(found)


NAMES = _names()


# JSON.


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each value of a structure, as what holds it and its key or index."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from places(value[key])


def structure(random: Random, config: Any) -> Any:
    """Another structure of JSON."""
    changed = copy.deepcopy(config)
    for _ in range(random.randint(1, 3)):
        found = list(places(changed))
        if found:
            held, key = random.choice(found)
            random.choice(_CHANGES)(random, changed, held, key)
    return changed


def _other(random: Random, whole: Any, held: Any, key: Any) -> None:
    held[key] = copy.deepcopy(random.choice(_ODD))


def _delete(random: Random, whole: Any, held: Any, key: Any) -> None:
    del held[key]


def _again(random: Random, whole: Any, held: Any, key: Any) -> None:
    if isinstance(held, list):
        held.insert(key, copy.deepcopy(held[key]))
    else:
        held["another"] = copy.deepcopy(held[key])


def _swap(random: Random, whole: Any, held: Any, key: Any) -> None:
    other, name = random.choice(list(places(whole)))
    one, two = copy.deepcopy(held[key]), copy.deepcopy(other[name])
    other[name] = one
    held[key] = two


def _nest(random: Random, whole: Any, held: Any, key: Any) -> None:
    value = held[key]
    for _ in range(random.choice([1, 1, 2, 30, 150, 400])):
        value = random.choice(
            [[value], {"config": value}, {"class_name": "Dense", "config": value}]
        )
    held[key] = value


def _rename(random: Random, whole: Any, held: Any, key: Any) -> None:
    named = [one for one, name in places(whole) if name == "class_name"]
    if named:
        random.choice(named)["class_name"] = random.choice(NAMES)


def _number(random: Random, whole: Any, held: Any, key: Any) -> None:
    numbers = [place for place in places(whole) if type(place[0][place[1]]) in (int, float)]
    if numbers:
        one, name = random.choice(numbers)
        one[name] = random.choice([0, -1, 1, 3, 17, 2**16, 2**31, 2**40, 2**63 - 1, 0.5])


def _option(random: Random, whole: Any, held: Any, key: Any) -> None:
    configs = [one["config"] for one, name in places(whole) if name == "config"]
    options = [one for one in configs if isinstance(one, dict)]
    if options:
        random.choice(options)[
            random.choice(["dtype", "name", "units", "activation", "axis", "unroll", "x", "layer"])
        ] = copy.deepcopy(random.choice(_ODD))


_CHANGES: list[Callable[[Random, Any, Any, Any], None]] = [
    _other,
    _other,
    _other,
    _delete,
    _again,
    _swap,
    _nest,
    _rename,
    _rename,
    _number,
    _number,
    _option,
]


def text(random: Random, config: Any) -> bytes:
    """Another structure as JSON, of which now and then some bytes are others."""
    changed = json.dumps(structure(random, config)).encode()
    return raw(random, changed) if random.random() < 0.1 else changed


# Bytes.


def raw(random: Random, content: bytes, kinds: int = 6) -> bytes:
    """Other bits, bytes, numbers and, as the last two of six kinds, lengths."""
    changed = bytearray(content)
    for _ in range(random.randint(1, 4)):
        if not changed:
            break
        place = random.randrange(len(changed))
        kind = random.randrange(kinds)
        if kind == 0:
            changed[place] ^= 1 << random.randrange(8)
        elif kind == 1:
            changed[place] = random.choice([0, 1, 0x7F, 0x80, 0xFF])
        elif kind == 2:
            width = random.choice([2, 4, 8])
            changed[place : place + width] = random.choice([0, 1]).to_bytes(width, "little")
        elif kind == 3:
            changed[place : place + 8] = b"\xff" * random.choice([2, 4, 7])
        elif kind == 4:
            del changed[place : place + random.choice([1, 8, 100, 1 << 30])]
        else:
            start = random.randrange(len(changed))
            changed[place:place] = changed[start : start + random.choice([1, 8, 100])]
    return bytes(changed)


# Archives.


def archive(random: Random, members: dict[str, bytes]) -> bytes:
    """An archive of these members, damaged outside of what they hold, or with further ones."""
    file = io.BytesIO()
    changed = list(members.items())
    kind = random.randrange(6)
    if kind == 0:
        changed.pop(random.randrange(len(changed)))
    elif kind == 1:
        strange = [
            "../x",
            "/x",
            "assets/" + "x" * 60_000,
            "config.json/",
            "x\n" * 90,
            "C:x",
            "\x00",
        ]
        changed.append((random.choice(strange), b"x"))
    elif kind == 2:
        one, two = random.sample(range(len(changed)), 2)
        changed[one] = (changed[one][0], changed[two][1])
    packed = random.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
    with zipfile.ZipFile(file, "w", packed if random.random() < 0.5 else zipfile.ZIP_STORED) as new:
        for name, content in changed:
            new.writestr(zipfile.ZipInfo(name), content, new.compression)
    content = file.getvalue()
    if kind < 3:
        return content
    headers = [
        place + offset
        for mark in (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06")
        for place in _found(content, mark)
        for offset in range(46)
        if place + offset < len(content)
    ]
    flipped = bytearray(content)
    for _ in range(random.randint(1, 3)):
        flipped[random.choice(headers)] = random.choice([0, 1, 8, 0x7F, 0x80, 0xFF])
    return bytes(flipped)


def _found(content: bytes, mark: bytes) -> Iterator[int]:
    place = content.find(mark)
    while place >= 0:
        yield place
        place = content.find(mark, place + 1)


# HDF5.


def hdf5(random: Random, content: bytes) -> bytes:
    """Other objects and notes in a file of HDF5."""
    file = io.BytesIO(content)
    with h5py.File(file, "a") as opened:
        for _ in range(random.randint(1, 3)):
            names: list[str] = []
            opened.visit(names.append)
            if names:
                random.choice(_HDF5_CHANGES)(random, opened, random.choice(names), names)
    return file.getvalue()


def _array(random: Random, file: h5py.File, name: str, names: list[str]) -> None:
    arrays = [one for one in names if isinstance(file[one], h5py.Dataset)]
    if not arrays:
        return
    name = random.choice(arrays)
    shape = file[name].shape or ()
    kind = random.choice(["f2", ">f4", "f8", "i1", "u8", "c8", "S3", "V2", "V7", "?"])
    shape = random.choice([shape, shape, shape[::-1], (*shape, 1), (), (0,), (3,), None])
    del file[name]
    if shape is None:
        file[name] = h5py.Empty("f4")
    elif random.random() < 0.3:
        sizes = random.choice([(2**20, 2**20), (2**40,), (2**62, 4), (8, 8)])
        packed = random.choice([None, "gzip", "lzf"])
        file.create_dataset(name, sizes, "f4", chunks=(4,) * len(sizes), compression=packed)
    else:
        file.create_dataset(name, shape, kind)


def _link(random: Random, file: h5py.File, name: str, names: list[str]) -> None:
    other = random.choice(names)
    link = random.choice(
        [
            h5py.SoftLink("/" + other),
            h5py.SoftLink("/nowhere"),
            h5py.ExternalLink("/etc/passwd", "/"),
            file[other] if other in file else h5py.SoftLink("/"),
        ]
    )
    del file[name]
    if name.rpartition("/")[0] in file or "/" not in name:
        file[name] = link


def _move(random: Random, file: h5py.File, name: str, names: list[str]) -> None:
    goal = random.choice(names)
    if name in file and goal in file and not goal.startswith(name):
        new = random.choice([f"{goal}_", "x\n" * 300, "é"])
        if new not in file:
            file.move(name, new)


def _note(random: Random, file: h5py.File, name: str, names: list[str]) -> None:
    noted = [(one, key) for one in ["/", *names] if one in file for key in file[one].attrs] or [
        (name, "name")
    ]
    place, key = random.choice(noted)
    values = [3, 1.5, "", "x", b"\xff\xfe", "x\n" * 20_000, np.arange(9), h5py.Empty("f4")]
    values += [np.array([b"dense", b"\xff"]), np.zeros((0,)), "{}", "[]", "null"]
    if random.random() < 0.3:
        del file[place].attrs[key]
    else:
        file[place].attrs[key] = random.choice(values)


def _remove(random: Random, file: h5py.File, name: str, names: list[str]) -> None:
    del file[name]


def _group(random: Random, file: h5py.File, name: str, names: list[str]) -> None:
    del file[name]
    file.create_group(name)


_HDF5_CHANGES: list[Callable[[Random, h5py.File, str, list[str]], None]] = [
    _array,
    _array,
    _link,
    _move,
    _note,
    _note,
    _remove,
    _group,
]


# Messages of protobuf.


def message(random: Random, good: Any) -> Any:
    """Another message of the same type."""
    changed = type(good)()
    changed.CopyFrom(good)
    for _ in range(random.randint(1, 3)):
        parts = list(_messages(changed))
        part = random.choice(parts)
        field = random.choice([one for one, _ in part.ListFields()] or part.DESCRIPTOR.fields)
        _change_field(random, part, field)
    return changed


def _messages(part: Any) -> Iterator[Any]:
    yield part
    for field, value in part.ListFields():
        if field.message_type is not None:
            for inner in value if _is_many(field) else [value]:
                yield from _messages(inner)


def _is_many(field: Any) -> bool:
    many = getattr(field, "is_repeated", None)
    return bool(many) if many is not None else field.label == 3


def _change_field(random: Random, part: Any, field: Any) -> None:
    if _is_many(field):
        values = getattr(part, field.name)
        kind = random.randrange(4)
        if kind == 0 and values:
            del values[random.randrange(len(values))]
        elif kind == 1 and values:
            if field.message_type is None:
                values.append(random.choice(list(values)))
            else:
                values.add().CopyFrom(random.choice(list(values)))
        elif field.message_type is not None:
            if kind == 2 and len(values) > 1:
                one, two = random.sample(range(len(values)), 2)
                kept = type(values[one])()
                kept.CopyFrom(values[one])
                values[one].CopyFrom(values[two])
                values[two].CopyFrom(kept)
            else:
                values.add()
        elif values and kind == 2:
            values[random.randrange(len(values))] = _scalar(random, field)
        else:
            values.extend([_scalar(random, field)] * random.choice([1, 3]))
    elif random.random() < 0.3:
        part.ClearField(field.name)
    elif field.message_type is not None:
        getattr(part, field.name).SetInParent()
    else:
        setattr(part, field.name, _scalar(random, field))


_OPERATORS = "Conv Gemm MatMul Add Reshape Transpose Expand Tile Pad ConstantOfShape Range OneHot"
_OPERATORS += " Gather Slice Concat Split Resize LSTM Cast Loop If Shape Squeeze TopK ReduceSum"


def _scalar(random: Random, field: Any) -> Any:
    if field.type in (1, 2):
        return random.choice([0.0, -1.0, 1e30, float("nan"), float("inf")])
    if field.type == 9:
        return random.choice(["", "x", "x\n" * 500, "input", *_OPERATORS.split()])
    if field.type == 12:
        return random.choice([b"", b"\x00" * 8, b"\xff" * 8, b"x" * 40, b"\xff" * 1000])
    if field.type == 14:
        return random.choice([value.number for value in field.enum_type.values])
    if field.type == 8:
        return random.random() < 0.5
    large = [2**62, -(2**62), 2**63 - 1] if field.type in (3, 16, 18) else []
    return random.choice([0, 1, 2, 3, 7, 11, 2**20, 2**31 - 1, *large, *([-1] if large else [])])
