"""The pickles of old data sets, read as data: nothing in them is called, imported or looked up.

IMDB and Reuters are NumPy's object arrays of lists, CIFAR is dicts with an array and lists; all of
them are pickles, which are programs. An `Unpickler` whose `find_class` admits NumPy's array, dtype
and `_reconstruct` alone, as Keras has it, is not enough: array and dtype have a `__setstate__` each
that believes what it is told, and a dtype "of objects, but without references" makes addresses in
memory of the bytes in the file. So the opcodes are walked here, those of numbers, strings and
containers; the three names are words that stand for themselves, and an array is made from its
shape, its dtype and its bytes once they fit each other. What is not among these is an error, and
the size of the file bounds what is taken.

Source of the opcodes: `pickletools` of the standard library.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from nkeras.core.errors import short

# The names that NumPy 1 and 2 write where an array is to be made, and what they stand for.
_NAMES = {
    "numpy ndarray": "array",
    "numpy dtype": "dtype",
    "numpy.core.multiarray _reconstruct": "reconstruct",
    "numpy._core.multiarray _reconstruct": "reconstruct",
}
_ORDERS: dict[str, Literal["<", ">", "="]] = {"<": "<", ">": ">", "=": "=", "|": "="}
_DTYPES = frozenset("b1 u1 i1 u2 i2 u4 i4 u8 i8 f4 f8".split())
_MOST_STEPS = 2_000_000  # opcodes beside ints; CIFAR-100, with a name for each image, has 100,000
_ONE_BYTE, _TWO_BYTES, _FOUR_BYTES = 0x4B, 0x4D, 0x4A  # opcodes of ints: most of a file


class PickleError(ValueError):
    """A pickle is damaged, or holds what is not read here."""


@dataclass(frozen=True)
class _Name:
    """A word that stands for itself."""

    word: str


@dataclass
class _Dtype:
    """A dtype before and after its state."""

    code: str
    order: Literal["<", ">", "="] | None = None


class _Array:
    """An array before and after its state."""

    value: npt.NDArray[Any] | None = None


def read_pickle(data: bytes) -> Any:
    """The array, or the dict of arrays and lists, that a pickle holds.

    Args:
        data: the pickle, of protocol 2 or later.

    Returns:
        An array of numbers, an array of objects (lists, ints, bytes, strings), or a dict of them.

    Raises:
        PickleError: it is damaged, or holds anything else. The text says at which byte.
    """
    return _Reader(data).read()


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._stack: list[Any] = []
        self._marks: list[int] = []  # lengths of the stack
        self._memo: dict[int, Any] = {}

    def read(self) -> Any:
        steps = 0
        try:
            while (opcode := self._data[self._at]) != 0x2E:
                steps += 1
                if opcode in (_ONE_BYTE, _TWO_BYTES, _FOUR_BYTES):
                    self._integers()
                elif opcode not in _STEPS or steps > _MOST_STEPS:
                    raise self._error(f"opcode {bytes([opcode])!r} is no data, or one too many")
                else:
                    self._at += 1
                    _STEPS[opcode](self)
            value = self._stack.pop()
        except IndexError as error:
            raise self._error("it ends, or lacks a value") from error
        if self._stack or self._marks:
            raise self._error("values are left over")
        return self._finished(value)

    def _integers(self) -> None:
        """All ints that follow one another."""
        data, at, push = self._data, self._at, self._stack.append
        while True:
            opcode = data[at]
            if opcode == _ONE_BYTE:
                push(data[at + 1])
                at += 2
            elif opcode == _TWO_BYTES:
                push(data[at + 1] | data[at + 2] << 8)
                at += 3
            elif opcode == _FOUR_BYTES:
                push(int.from_bytes(data[at + 1 : at + 5], "little", signed=True))
                at += 5
            else:
                self._at = at
                return

    def _finished(self, value: Any) -> Any:
        if isinstance(value, dict):
            items: dict[Any, Any] = value
            return {key: self._part(item) for key, item in items.items()}
        return self._part(value)

    def _part(self, value: Any) -> Any:
        if isinstance(value, _Array) and value.value is not None:
            return value.value
        if isinstance(value, (list, int, bytes, str)):
            return value
        raise self._error(f"a part of it is {type(value).__name__}")

    def _error(self, text: str) -> PickleError:
        return PickleError(f"the pickle cannot be read at byte {self._at}: {text}")

    def _take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        if len(taken) < size:
            raise self._error(f"it ends {size - len(taken)} bytes before the end of a value")
        self._at += size
        return taken

    def _number(self, size: int) -> int:
        return int.from_bytes(self._take(size), "little")

    def _line(self) -> str:
        end = self._data.find(b"\n", self._at, self._at + 100)
        if end < 0:
            raise self._error("a name has no end")
        line, self._at = self._data[self._at : end], end + 1
        return line.decode("latin-1")

    def _marked(self) -> list[Any]:
        """What lies on the stack above the last mark."""
        start = self._marks.pop()
        found = self._stack[start:]
        del self._stack[start:]
        return found

    def protocol(self) -> None:
        if self._number(1) not in (2, 3, 4, 5):
            raise self._error("its protocol is not one of 2 to 5")

    def frame(self) -> None:
        self._number(8)

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def mark(self) -> None:
        self._marks.append(len(self._stack))

    def long_integer(self) -> None:
        size = self._number(1)
        if size > 8:
            raise self._error(f"an int has {size} bytes")
        self._stack.append(int.from_bytes(self._take(size), "little", signed=True))

    def text(self, size: int) -> None:
        try:
            self._stack.append(self._take(self._number(size)).decode("utf-8", "surrogatepass"))
        except UnicodeDecodeError as error:
            raise self._error("a string is no UTF-8") from error

    def sequence(self, size: int) -> None:
        self._stack.append(self._take(self._number(size)))

    def tuple_of(self, size: int) -> None:
        if len(self._stack) < size:
            raise self._error("it lacks values of a tuple")
        found = tuple(self._stack[len(self._stack) - size :])
        del self._stack[len(self._stack) - size :]
        self._stack.append(found)

    def tuple_marked(self) -> None:
        self._stack.append(tuple(self._marked()))

    def append(self) -> None:
        self._extend([self._stack.pop()])

    def appends(self) -> None:
        self._extend(self._marked())

    def _extend(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, list):
            raise self._error("items are appended to what is no list")
        target.extend(items)

    def set_item(self) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._set([key, value])

    def set_items(self) -> None:
        self._set(self._marked())

    def _set(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, dict) or len(items) % 2:
            raise self._error("items are set of what is no dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, (str, bytes)):
                raise self._error(f"a key is {short(key, 40)}")
            target[key] = value

    def remember(self, size: int) -> None:
        self._memo[self._number(size)] = self._stack[-1]

    def memoize(self) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def recall(self, size: int) -> None:
        number = self._number(size)
        if number not in self._memo:
            raise self._error("a value is recalled that was not there")
        self._stack.append(self._memo[number])

    def named(self) -> None:
        self._name(f"{self._line()} {self._line()}")

    def named_on_stack(self) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._name(f"{module} {name}" if isinstance(name, str) and isinstance(module, str) else "")

    def _name(self, name: str) -> None:
        if name not in _NAMES:
            raise self._error(f"it asks for {short(name.replace(' ', '.'), 80)}: refused")
        self._stack.append(_Name(_NAMES[name]))

    def call(self) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        if function == _Name("reconstruct") and arguments in (
            (_Name("array"), (0,), b"b"),
            (_Name("array"), (0,), "b"),
        ):
            self._stack.append(_Array())
        elif function == _Name("dtype") and isinstance(arguments, tuple) and len(arguments) == 3:
            code = _text(arguments[0])
            if code not in (*_DTYPES, "O8", "O4"):
                raise self._error(f"a dtype is {short(code, 40)}")
            self._stack.append(_Dtype(code))
        else:
            raise self._error("it calls what is not NumPy's")

    def build(self) -> None:
        state, target = self._stack.pop(), self._stack[-1]
        if not isinstance(state, tuple):
            raise self._error("a state is no tuple")
        if isinstance(target, _Dtype) and not target.order:
            order = _ORDERS.get(_text(state[1]))
            if state[0] != 3 or order is None or any(state[2:5]):
                raise self._error("the state of a dtype is another one than of numbers or objects")
            target.order = order
        elif isinstance(target, _Array) and target.value is None and len(state) == 5:
            target.value = self._array(*state)
        else:
            raise self._error("a state is given to what has none")

    def _array(self, version: Any, shape: Any, dtype: Any, fortran: Any, content: Any) -> Any:
        if (
            version != 1
            or not isinstance(dtype, _Dtype)
            or dtype.order is None
            or not isinstance(shape, tuple)
            or len(shape) > 4
            or not all(isinstance(size, int) and 0 <= size < 1 << 31 for size in shape)
            or not isinstance(fortran, (bool, int))
        ):
            raise self._error("the state of an array is another one than NumPy's")
        size = math.prod(shape)
        if dtype.code[0] == "O":
            if len(shape) != 1 or not isinstance(content, list) or len(content) != size:
                raise self._error(f"an array of shape {short(shape, 40)} has other contents")
            return self._objects(content)
        kind = np.dtype(dtype.code).newbyteorder(dtype.order)
        if not isinstance(content, bytes) or len(content) != size * kind.itemsize:
            raise self._error(f"an array of shape {short(shape, 40)} has other contents")
        found = np.frombuffer(content, kind).reshape(shape, order="F" if fortran else "C")
        return found.astype(kind.newbyteorder("="), order="C")

    def _objects(self, content: list[Any]) -> npt.NDArray[Any]:
        left = len(self._data)  # a list may stand in many places, but not be larger than the file
        found = np.empty(len(content), object)
        for index, item in enumerate(content):
            if not isinstance(item, (list, int, bytes, str)):
                raise self._error("an array holds what is no list, number or string")
            left -= len(item) if isinstance(item, list) else 0
            if left < 0:
                raise self._error("lists stand in many places")
            found[index] = item
        return found


def _text(value: Any) -> str:
    """What Python 2 writes as bytes, or no text."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return value if isinstance(value, str) else ""


_STEPS: dict[int, Callable[[_Reader], None]] = {
    ord(opcode): step
    for opcode, step in {
        "\x80": _Reader.protocol,
        "\x95": _Reader.frame,
        "(": _Reader.mark,
        "N": lambda reader: reader.push(None),
        "\x88": lambda reader: reader.push(True),
        "\x89": lambda reader: reader.push(False),
        "\x8a": _Reader.long_integer,
        "U": lambda reader: reader.sequence(1),  # strings of Python 2
        "T": lambda reader: reader.sequence(4),
        "C": lambda reader: reader.sequence(1),
        "B": lambda reader: reader.sequence(4),
        "\x8e": lambda reader: reader.sequence(8),
        "\x8c": lambda reader: reader.text(1),
        "X": lambda reader: reader.text(4),
        ")": lambda reader: reader.push(()),
        "\x85": lambda reader: reader.tuple_of(1),
        "\x86": lambda reader: reader.tuple_of(2),
        "\x87": lambda reader: reader.tuple_of(3),
        "t": _Reader.tuple_marked,
        "]": lambda reader: reader.push([]),
        "a": _Reader.append,
        "e": _Reader.appends,
        "}": lambda reader: reader.push({}),
        "s": _Reader.set_item,
        "u": _Reader.set_items,
        "q": lambda reader: reader.remember(1),
        "r": lambda reader: reader.remember(4),
        "\x94": _Reader.memoize,
        "h": lambda reader: reader.recall(1),
        "j": lambda reader: reader.recall(4),
        "c": _Reader.named,
        "\x93": _Reader.named_on_stack,
        "R": _Reader.call,
        "b": _Reader.build,
    }.items()
}
