"""What a protobuf file would unpack to, counted before anything is unpacked."""

from __future__ import annotations

from typing import Any

MOST_MESSAGES = 1_000_000
MOST_FIELDS = 4_000_000
MOST_PACKED = 64 * 2**20
"""Bytes of packed integers, each of which may take eight bytes in memory."""
MOST_DEPTH = 40

_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_PACKED = "packed"


def check_skeleton(data: bytes, descriptor: Any, owner: str) -> None:
    """Raise a ValueError where a message is damaged or would take far more memory than its file.

    Args:
        data: the file's bytes.
        descriptor: protobuf's descriptor of the message.
        owner: who asks, for the message of an error.
    """
    tables: dict[str, dict[int, Any]] = {}
    messages = fields = packed = 0
    stack = [(0, len(data), descriptor, 0)]
    while stack:
        place, end, kind, depth = stack.pop()
        table = tables.get(kind.full_name)
        if table is None:
            table = tables[kind.full_name] = _table(kind)
        while place < end:
            key, place = _varint(data, place, end, owner)
            wire = key & 7
            fields += 1
            if wire == _BYTES:
                length, place = _varint(data, place, end, owner)
                inner = table.get(key >> 3)
                if inner is _PACKED:
                    packed += length
                elif inner is not None:
                    messages += 1
                    stack.append((place, min(place + length, end), inner, depth + 1))
                place += length
            elif wire == _VARINT:
                _, place = _varint(data, place, end, owner)
            elif wire in (_EIGHT, _FOUR):
                place += 8 if wire == _EIGHT else 4
            else:
                raise _damaged(owner, place, f"a field of kind {wire}")
            if place > end:
                raise _damaged(owner, place, "the end comes too early")
        if messages > MOST_MESSAGES or fields > MOST_FIELDS or packed > MOST_PACKED:
            raise ValueError(
                f"{owner}: the file holds more parts than any model needs: more than "
                f"{MOST_MESSAGES:,} messages, {MOST_FIELDS:,} fields or {MOST_PACKED:,} bytes of "
                "integers that are not raw data."
            )
        if depth > MOST_DEPTH:
            raise ValueError(f"{owner}: the file nests more than {MOST_DEPTH} messages.")


def _table(descriptor: Any) -> dict[int, Any]:
    """For each field that is a message its descriptor; integers of variable length are marked."""
    table: dict[int, Any] = {}
    for field in descriptor.fields:
        if field.message_type is not None:
            table[field.number] = field.message_type
        elif field.type in (3, 4, 5, 8, 13, 14, 17, 18):  # (u)int32, (u)int64, bool, enum, zigzag
            table[field.number] = _PACKED
    return table


def _varint(data: bytes, place: int, end: int, owner: str) -> tuple[int, int]:
    value = shift = 0
    while place < end:
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7
        if shift > 63:
            break
    raise _damaged(owner, place, "a number does not end")


def _damaged(owner: str, place: int, what: str) -> ValueError:
    return ValueError(f"{owner}: the file is damaged or no ONNX model: {what} near byte {place:,}.")
