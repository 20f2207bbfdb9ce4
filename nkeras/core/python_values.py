"""Plain Python values that users' functions can reach: noted in a recording, compared afterwards.

A replay repeats what a function did with the values of then: with a global, a closure's variable, a
default, an attribute of an object, what a list or dict holds. So these are noted, as far as the
names in a function's code lead to them, and compared before each replay. Functions of nkeras, the
standard library, NumPy and other libraries that everybody imports are not looked into: they read no
such values.

What is beyond reach: names made at run time (`getattr(x, name)`, `globals()[name]`), containers in
containers in containers, and what C code holds.
"""

from __future__ import annotations

import functools
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import is_
from types import CellType, CodeType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any, NamedTuple

import numpy as np

_PLAIN = (bool, int, float, complex, str, bytes, type(None))
_CONTAINERS = (list, tuple, dict, set, frozenset, deque)
_MANY = 10_000  # larger containers and arrays are data
_MOST = 2_000  # values of one step
_DEEP = 4  # objects in objects that names lead to
_OURS = frozenset({"nkeras", "nkeras_numpy", "nkeras_numba_cpu", "nkeras_numba_cuda"})
_BESIDE = frozenset(  # scripts draw, read and measure with them beside the step
    """IPython PIL h5py jax matplotlib ml_dtypes mpl_toolkits numba numpy pandas scipy sklearn
    tensorflow torch tqdm""".split()
)
_KNOWN = _OURS | _BESIDE | sys.stdlib_module_names

_missing = object()


class PythonValues:
    """What a recorded step reads from Python.

    Args:
        meet: is told of each object that is found; says whether that is all there is to do.
    """

    def __init__(self, meet: Callable[[object], bool]) -> None:
        self._meet = meet
        self._names: set[str] = set()  # in the code of all functions
        self._owners: list[_Owner] = []  # objects whose attributes such names may lead to
        self._has_code = False
        self._has_iterators = False
        self._seen: dict[int, object] = {}  # by id: keeps the id
        self._slots: list[tuple[Mapping[str, object], str, object]] = []  # namespace, name, value
        self._cells: list[tuple[CellType, str, object]] = []
        self._attributes: list[tuple[object, str, object]] = []
        self._contents: list[tuple[Any, str, Any]] = []  # container, name, copy

    def __bool__(self) -> bool:
        return bool(self._slots or self._cells or self._attributes or self._contents)

    def has_code(self) -> bool:
        """Whether functions of users were noted."""
        return self._has_code

    def has_iterators(self) -> bool:
        """Whether something was found that gives another value each time it is asked."""
        return self._has_iterators

    def change(self) -> str | None:
        """What is not any more what it was; None where all is."""
        for namespace, name, value in self._slots:
            now = namespace.get(name, _missing)
            if now is not value and not _is_same(now, value):
                return name
        for cell, name, value in self._cells:
            now = _content(cell)
            if now is not value and not _is_same(now, value):
                return name
        for owner, name, value in self._attributes:
            now = getattr(owner, name, _missing)
            if now is not value and not _is_same(now, value):
                return name
        for container, name, copy in self._contents:
            if not _holds(container, copy):
                return f"what {name} holds"
        return None

    def note(self, value: object) -> None:
        """Note what a function, or an object of a user's class, can reach."""
        if isinstance(value, (FunctionType, MethodType, functools.partial)) or (
            _is_plain_object(value) and not isinstance(value, (type, ModuleType, *_CONTAINERS))
        ):
            self._note(value, "a function")
            self._note_attributes()

    def note_object(self, value: object) -> None:
        """Note what the functions of an object's class can reach, its attributes among it."""
        self._add_owner(value, type(value).__name__, 0)
        self._note_attributes()

    def _note(self, value: object, name: str, depth: int = 0) -> None:
        if isinstance(value, _PLAIN) or depth > _DEEP:
            return
        if hasattr(type(value), "__next__"):
            self._has_iterators = True
        elif isinstance(value, FunctionType):
            self._note_function(value)
        elif isinstance(value, MethodType):
            self._note(value.__self__, name, depth)
            self._note(value.__func__, name, depth)
        elif isinstance(value, functools.partial):
            for part in (value.func, value.args, value.keywords):
                self._note(part, name, depth)
        elif isinstance(value, np.ndarray):
            if value.size <= _MANY and self._is_new(value):
                self._contents.append((value, name, value.copy()))
        elif isinstance(value, _CONTAINERS):
            self._note_container(value, name, depth)
        elif isinstance(value, ModuleType):
            if value.__name__.partition(".")[0] not in _KNOWN:
                self._add_owner(value, name, depth)
        elif isinstance(value, type):
            if is_of_users(value):
                self._add_owner(value, name, depth)
        elif not self._meet(value) and _is_plain_object(value):
            self._add_owner(value, name, depth)

    def _note_function(self, function: FunctionType) -> None:
        if not is_of_users(function) or not self._is_new(function):
            return
        self._has_code = True
        names = _names(function.__code__)
        self._names |= names
        for name in names:
            value = function.__globals__.get(name, _missing)
            if value is not _missing:
                self._slots.append((function.__globals__, name, value))
                self._note(value, name)
        cells = function.__closure__ or ()
        for name, cell in zip(function.__code__.co_freevars, cells, strict=True):
            value = _content(cell)
            self._cells.append((cell, name, value))
            self._note(value, name)
        if function.__defaults__ or function.__kwdefaults__:
            self._attributes.append((function, "__defaults__", function.__defaults__))
            self._note(function.__defaults__ or (), "a default")
            self._note(function.__kwdefaults__ or {}, "a default")

    def _note_container(self, value: Any, name: str, depth: int) -> None:
        if len(value) > _MANY or not self._is_new(value):
            return
        if not isinstance(value, (tuple, frozenset)):
            self._contents.append((value, name, value.copy()))
        for item in list(value.values() if isinstance(value, dict) else value):
            self._note(item, name, depth + 1)

    def _add_owner(self, value: object, name: str, depth: int) -> None:
        if self._is_new(value):
            self._owners.append(_Owner(value, depth, set()))
            if not isinstance(value, ModuleType):
                for function in _functions(value if isinstance(value, type) else type(value)):
                    self._note_function(function)

    def _note_attributes(self) -> None:
        """Of all owners, by all names: what is found may bring further ones of both."""
        for owner in self._owners:  # grows
            self._note_attributes_of(owner)
        if any(len(owner.known) < len(self._names) for owner in self._owners):
            self._note_attributes()

    def _note_attributes_of(self, owner: _Owner) -> None:
        value, names = owner.value, self._names - owner.known
        owner.known.update(names)
        namespace = getattr(value, "__dict__", {})
        slots = _slot_names(type(value))
        for name in names:
            if name in namespace and isinstance(namespace, (dict, MappingProxyType)):
                found = namespace[name]  # `getattr` would bind a class method anew each time
                self._slots.append((namespace, name, found))
                found = getattr(found, "__func__", found)
            elif name in namespace or name in slots:
                found = getattr(value, name, _missing)
                self._attributes.append((value, name, found))
            elif isinstance(found := _of_class(type(value), name), (*_PLAIN, *_CONTAINERS)):
                self._attributes.append((type(value), name, found))
            else:
                continue
            self._note(found, name, owner.depth + 1)

    def _is_new(self, value: object) -> bool:
        if id(value) in self._seen or len(self._seen) > _MOST:
            return False
        self._seen[id(value)] = value
        return True


class _Owner(NamedTuple):
    value: object
    depth: int
    known: set[str]  # names that have been looked up


def is_of_users(thing: object) -> bool:
    """Whether a function or class is neither ours nor of a library that reads no users' values."""
    return _root(thing) not in _KNOWN


def _root(thing: object) -> str:
    return str(getattr(thing, "__module__", None) or "builtins").partition(".")[0]


def _is_plain_object(value: object) -> bool:
    """An object of a user's class, or a bare namespace."""
    return _root(type(value)) not in _KNOWN or type(value).__name__ == "SimpleNamespace"


def _names(code: CodeType) -> frozenset[str]:
    """The names in a function's code, inner functions included."""
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return frozenset(code.co_names).union(*[_names(item) for item in inner])


def _functions(cls: type) -> Iterator[FunctionType]:
    """The functions of a class that users have written."""
    for base in cls.__mro__:
        if _root(base) in _KNOWN:
            continue
        for attribute in vars(base).values():
            if isinstance(attribute, property):
                found = attribute.fget
            else:
                found = (
                    getattr(attribute, "__func__", None)
                    or getattr(attribute, "__wrapped__", None)
                    or attribute
                )
            if isinstance(found, FunctionType):
                yield found


def _of_class(cls: type, name: str) -> object:
    """What a user's class has under a name."""
    for base in cls.__mro__:
        if _root(base) not in _KNOWN and name in vars(base):
            return vars(base)[name]
    return _missing


def _slot_names(cls: type) -> frozenset[str]:
    names: set[str] = set()
    for base in cls.__mro__:
        slots = vars(base).get("__slots__", ())
        names.update((slots,) if isinstance(slots, str) else slots)
    return frozenset(names)


def _content(cell: CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # empty
        return _missing


def _holds(container: Any, copy: Any) -> bool:
    """Whether a container holds what its copy holds."""
    if isinstance(container, np.ndarray):
        return container.tobytes() == copy.tobytes()
    if len(container) != len(copy):
        return False
    if isinstance(container, dict):
        if not all(map(is_, container, copy)) and list(container) != list(copy):
            return False
        return _hold_same(container.values(), copy.values())
    if isinstance(container, set):
        return container == copy
    return _hold_same(container, copy)


def _hold_same(values: Iterable[object], others: Iterable[object]) -> bool:
    return all(
        value is other or _is_same(value, other)
        for value, other in zip(values, others, strict=True)
    )


def _is_same(value: object, other: Any) -> bool:
    """Whether two values are equal plain ones: 1 and 1.0 are not, nor 0.0 and -0.0."""
    if type(value) is not type(other):
        return False
    if isinstance(value, (tuple, frozenset)):
        return len(value) == len(other) and _hold_same(_ordered(value), _ordered(other))
    return isinstance(value, _PLAIN) and repr(value) == repr(other)


def _ordered(values: Any) -> Any:
    """The items of a tuple, or those of a set in an order of their own."""
    return sorted(values, key=repr) if isinstance(values, frozenset) else values
