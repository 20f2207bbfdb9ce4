"""How Python calls compiled tasks: one small function reads the arguments of all kernels.

A kernel is a function `void (task, address)` of machine code. What Python calls is a built-in
function `kernel(region, count, arguments)` made around it: it lays the arguments down as words of
64 bits and runs tasks 0 .. count - 1 on them, in a loop or by the parallel region, without the
interpreter lock. `Reader` gets the arguments out of the words again.

    words of shared memory: whether a task failed, then the arguments; tuples are laid out flat
    an integer or bool is its value; anything else is the address of the Python object
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from nkeras.core.errors import short
from nkeras_numba_cpu.compile import native
from nkeras_numba_cpu.launch.layout import DATA, HEAD, LENGTHS, STRIDES, TYPE

INT = ir.IntType(64)
_BYTE = ir.IntType(8)
_SHORT = ir.IntType(32)
OBJECT = _BYTE.as_pointer()
TASK = ir.FunctionType(ir.VoidType(), [INT, INT])

WORDS = 128  # that arguments may have
_FASTCALL = 0x80  # a built-in function that gets its arguments as an array


class _Method(ctypes.Structure):
    """What Python wants to know of a built-in function (PyMethodDef)."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


_kept: list[_Method] = []  # as long as the functions made of them: for good
_tasks: dict[Callable[..., Any], int] = {}  # by launcher


def launcher(name: str, task: int) -> Callable[[int, int, tuple[Any, ...]], None]:
    """A function `(region, count, arguments)` that runs the task function at an address.

    Region 0 stands for a plain loop.
    """
    start = native.address("launch", _emit_launch)
    made = built_in(name, start, task, "Run numbered tasks.")
    _tasks[made] = task
    return made


def task_of(function: Callable[..., Any]) -> int | None:
    """The task function that a launcher runs; None where the function is no launcher."""
    return _tasks.get(function)


def built_in(name: str, start: int, given: int, doc: str) -> Callable[..., Any]:
    """A built-in function of the machine code at `start`, which gets `given` as first argument."""
    method = _Method(name.encode(), start, _FASTCALL, doc.encode())
    _kept.append(method)
    make = ctypes.pythonapi.PyCFunction_NewEx
    make.restype = ctypes.py_object
    make.argtypes = ctypes.POINTER(_Method), ctypes.py_object, ctypes.c_void_p
    return make(ctypes.byref(method), given, None)


def _emit_launch(context: Any, module: Any, symbol: str) -> None:
    """PyObject *launch(task function, arguments of the call, their number)"""
    kind = ir.FunctionType(OBJECT, [OBJECT, OBJECT.as_pointer(), INT])
    function = ir.Function(module, kind, symbol)
    builder = ir.IRBuilder(function.append_basic_block())
    given = [builder.load(builder.gep(function.args[1], [INT(i)])) for i in range(3)]
    task = number(builder, function.args[0])
    region, count = (number(builder, item) for item in given[:2])
    words = cgutils.alloca_once(builder, ir.ArrayType(INT, WORDS + 1))
    shared = builder.ptrtoint(words, INT)
    failed = builder.inttoptr(shared, INT.as_pointer())
    builder.store(INT(0), failed)
    builder.call(emit_pack(module), [given[2], builder.add(shared, INT(8))])
    state = python(builder, "PyEval_SaveThread", OBJECT)
    with builder.if_else(builder.icmp_signed("==", region, INT(0))) as (serial, parallel):
        with serial, cgutils.for_range(builder, count, intp=INT) as loop:
            call_address(builder, task, [loop.index, shared])
        with parallel:
            call_address(builder, region, [task, count, shared])
    python(builder, "PyEval_RestoreThread", ir.VoidType(), state)
    emit_return(builder, builder.load(failed))


def emit_return(builder: Any, failed: Any) -> None:
    """Return None, or raise MemoryError where a word says that a task failed."""
    with builder.if_then(builder.icmp_signed("!=", failed, INT(0)), likely=False):
        builder.ret(python(builder, "PyErr_NoMemory", OBJECT))
    none = _global(builder.module, "_Py_NoneStruct")
    python(builder, "Py_IncRef", ir.VoidType(), none)
    builder.ret(none)


def emit_pack(module: Any) -> ir.Function:
    """place after (tuple, place): writes what is in a tuple, and in tuples in it, as words."""
    pack = ir.Function(module, ir.FunctionType(INT, [OBJECT, INT]), "pack")
    pack.linkage = "internal"
    builder = ir.IRBuilder(pack.append_basic_block())
    items, first = pack.args
    place = cgutils.alloca_once_value(builder, first)
    size = python(builder, "PyTuple_Size", INT, items)
    with cgutils.for_range(builder, size, intp=INT) as loop:
        item = python(builder, "PyTuple_GetItem", OBJECT, items, loop.index)
        kind = builder.load(field(builder, item, TYPE, OBJECT))
        now = builder.load(place)

        def has_kind(*names: str, kind: Any = kind) -> Any:
            tests = [builder.icmp_unsigned("==", kind, _global(module, name)) for name in names]
            return tests[0] if len(tests) == 1 else builder.or_(*tests)

        with builder.if_else(has_kind("PyTuple_Type")) as (inside, single):
            with inside:
                builder.store(builder.call(pack, [item, now]), place)
            with single:
                word = builder.inttoptr(now, INT.as_pointer())
                with builder.if_else(has_kind("PyLong_Type", "PyBool_Type")) as (whole, other):
                    with whole:
                        builder.store(number(builder, item), word)
                    with other:
                        builder.store(builder.ptrtoint(item, INT), word)
                builder.store(builder.add(now, INT(8)), place)
    builder.ret(builder.load(place))
    return pack


def python(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    """Call a function of Python's C interface."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def number(builder: Any, item: Any) -> Any:
    """The value of a Python integer or bool."""
    return python(builder, "PyLong_AsUnsignedLongLongMask", INT, item)


def _global(module: Any, name: str) -> Any:
    """The address of an object of Python's."""
    known = module.globals.get(name)
    if known is None:
        known = ir.GlobalVariable(module, _BYTE, name)
    return known


def field(builder: Any, item: Any, offset: int, kind: Any) -> Any:
    """A pointer to a field of a Python object, given as a pointer or as a number."""
    if isinstance(item.type, ir.PointerType):
        item = builder.ptrtoint(item, INT)
    return builder.inttoptr(builder.add(item, INT(offset)), kind.as_pointer())


def call_address(builder: Any, address: Any, arguments: list[Any]) -> None:
    """Call the function at an address, which takes 64-bit numbers and returns nothing."""
    kind = ir.FunctionType(ir.VoidType(), [INT] * len(arguments))
    builder.call(builder.inttoptr(address, kind.as_pointer()), arguments)


class Reader:
    """Emits code that gets arguments of Numba types out of the words at an address."""

    def __init__(self, context: Any, builder: Any, address: Any) -> None:
        self.context = context
        self.builder = builder
        self._words = builder.inttoptr(address, INT.as_pointer())
        self._next = 1  # behind the word that says whether a task failed

    def fail(self) -> None:
        """Say that a task failed."""
        self.builder.store(INT(1), self._words)

    def word(self) -> Any:
        """The next word."""
        pointer = self.builder.gep(self._words, [INT(self._next)], inbounds=True)
        self._next += 1
        return self.builder.load(pointer)

    def data(self) -> Any:
        """The address of the data of an array."""
        return self.builder.load(field(self.builder, self.word(), DATA, INT))

    def argument(self, kind: Any) -> Any:
        """The next argument, of a Numba type."""
        builder, context = self.builder, self.context
        if isinstance(kind, types.BaseTuple):
            return context.make_tuple(builder, kind, [self.argument(part) for part in kind.types])
        word = self.word()
        if isinstance(kind, types.Array):
            return self._array(kind, word)
        if isinstance(kind, types.Float):
            return builder.load(field(builder, word, HEAD, context.get_value_type(kind)))
        if isinstance(kind, types.Boolean):
            return builder.trunc(word, context.get_value_type(kind))
        if isinstance(kind, types.NoneType):
            return context.get_dummy_value()
        return word

    def _array(self, kind: Any, item: Any) -> Any:
        builder, context = self.builder, self.context
        array = context.make_array(kind)(context, builder)
        pointer = context.get_data_type(kind.dtype).as_pointer()
        fields = []
        for offset in (LENGTHS, STRIDES):
            numbers = builder.load(field(builder, item, offset, INT.as_pointer()))
            places = [builder.gep(numbers, [INT(i)], inbounds=True) for i in range(kind.ndim)]
            fields.append([builder.load(place) for place in places])
        context.populate_array(
            array,
            data=builder.load(field(builder, item, DATA, pointer)),
            shape=cgutils.pack_array(builder, fields[0], INT),
            strides=cgutils.pack_array(builder, fields[1], INT),
            itemsize=INT(context.get_abi_sizeof(pointer.pointee)),
            meminfo=None,
        )
        return array._getvalue()


def plain(argument: Any) -> Any:
    """An argument as `Reader` can read it: NumPy's integers as Python's."""
    if isinstance(argument, tuple):
        return tuple(map(plain, argument))
    if isinstance(argument, (np.integer, np.bool_)):
        return argument.item()
    if argument is None or isinstance(argument, (int, float, np.ndarray, np.floating)):
        return argument
    raise TypeError(
        f"Kernels take arrays, int, float, bool, None and tuples, not {short(argument)}."
    )


def words(argument: Any) -> int:
    """How many words an argument is laid out in."""
    return sum(map(words, argument)) if isinstance(argument, tuple) else 1
