"""Reads event files without TensorBoard or protobuf: records, checksums, and the wire format."""

from __future__ import annotations

import struct
import zlib
from collections import defaultdict
from pathlib import Path

import numpy as np


def _table():
    rows = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)  # Castagnoli's polynomial
        rows.append(value)
    return rows


_TABLE = _table()


def masked_crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 255] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(path):
    data, position = Path(path).read_bytes(), 0
    while position < len(data):
        head = data[position : position + 8]
        (size,) = struct.unpack("<Q", head)
        (check,) = struct.unpack_from("<I", data, position + 8)
        assert check == masked_crc32c(head)
        body = data[position + 12 : position + 12 + size]
        (check,) = struct.unpack_from("<I", data, position + 12 + size)
        assert check == masked_crc32c(body)
        yield body
        position += 16 + size


def _varint(data, position):
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position


def fields(data):
    """Values by the number of the field: int, bytes, or the bytes of a fixed number."""
    found, position = defaultdict(list), 0
    while position < len(data):
        key, position = _varint(data, position)
        kind = key & 7
        if kind == 0:
            value, position = _varint(data, position)
        else:
            if kind == 2:
                size, position = _varint(data, position)
            else:
                size = {1: 8, 5: 4}[kind]
            value, position = data[position : position + size], position + size
            assert len(value) == size
        found[key >> 3].append(value)
    return found


def _tensor(data):
    found = fields(data)
    dims = fields(found[2][0]) if found[2] else {2: []}
    shape = tuple(fields(dim)[1][0] for dim in dims[2])
    kind = found[1][0]
    if kind == 7:  # DT_STRING
        return found[8] if shape else found[8][0]
    if kind == 1:  # DT_FLOAT
        return struct.unpack("<f", found[5][0])[0]
    assert kind == 2  # DT_DOUBLE
    return np.frombuffer(found[4][0], "<f8").reshape(shape)


class Events:
    """The events of a folder, oldest file first.

    Attributes:
        values: by plugin and tag, pairs of step and value.
        graphs: GraphDefs, as `{name: (op, inputs)}`.
    """

    def __init__(self, folder):
        self.values = defaultdict(lambda: defaultdict(list))
        self.graphs = []
        self.files = sorted(Path(folder).glob("events.out.tfevents.*"), key=_number)
        for path in self.files:
            first, *others = [fields(record) for record in records(path)]
            assert first[3] == [b"brain.Event:2"]
            for event in others:
                self._add(event)

    def _add(self, event):
        assert struct.unpack("<d", event[1][0])[0] > 1.7e9  # seconds since 1970
        if event[4]:
            nodes = [fields(node) for node in fields(event[4][0])[1]]
            self.graphs.append(
                {n[1][0].decode(): (n[2][0].decode(), [i.decode() for i in n[3]]) for n in nodes}
            )
            return
        step = event[2][0] if event[2] else 0
        for value in fields(event[5][0])[1]:
            value = fields(value)
            plugin = fields(fields(value[9][0])[1][0])[1][0].decode()
            self.values[plugin][value[1][0].decode()].append((step, _tensor(value[8][0])))

    @property
    def scalars(self):
        return self.values["scalars"]


def _number(path):
    return int(path.name.split(".")[-2])


def read_png(data):
    """The pixels of a PNG file whose rows have no filter."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    position, body, shape = 8, b"", None
    while position < len(data):
        (size,) = struct.unpack_from(">I", data, position)
        kind, chunk = data[position + 4 : position + 8], data[position + 8 : position + 8 + size]
        (check,) = struct.unpack_from(">I", data, position + 8 + size)
        assert check == zlib.crc32(kind + chunk)
        if kind == b"IHDR":
            width, height, depth, color = struct.unpack_from(">IIBB", chunk)
            assert depth == 8
            shape = (height, width, {0: 1, 2: 3, 6: 4}[color])
        elif kind == b"IDAT":
            body += chunk
        position += 12 + size
    rows = np.frombuffer(zlib.decompress(body), np.uint8).reshape(shape[0], -1)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(shape)
