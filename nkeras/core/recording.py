"""Recording: the kernel calls behind a piece of Python, in order, so that they can be replayed.

While a step is recorded it runs as always. `Primitive.run` reports each kernel call, `Variable`
what is read and assigned, `Tensor` whether Python looks at values. What a replay could not repeat
ends the recording, never the step: `Recorder.failure` then says why.

Numbers that the host computes anew in each step (learning rates, seeds) are made by `live`: a plain
number where nothing is recorded, else a `Live`, which a replay asks again.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nkeras.backend.protocol import Backend, Kernel
from nkeras.core import guards
from nkeras.core.compile_ahead import settled
from nkeras.core.guards import Guard

if TYPE_CHECKING:
    from nkeras.core.tensor import Tensor
    from nkeras.core.variable import Variable

_recorder: ContextVar[Recorder | None] = ContextVar("nkeras_recorder", default=None)
active: Callable[[], Recorder | None] = _recorder.get


class Value(NamedTuple):
    """One array of a recorded step.

    Attributes:
        kind: where the array comes from: `"input"` (the caller gives it), `"variable"` (what the
            variable held when the step began), `"constant"`, `"live"` (made of a live number) or
            `"computed"` (a kernel made it).
        source: position among the inputs, Variable, array, Live, or None.
    """

    kind: str
    source: Any
    shape: tuple[int, ...]
    dtype: str


class Call(NamedTuple):
    """One kernel call.

    Attributes:
        inputs: indices into `Trace.values`; None for an argument that is None.
        outputs: the same for what the kernel returns.
    """

    name: str
    kernel: Kernel
    inputs: tuple[int | None, ...]
    static: dict[str, Any]
    outputs: tuple[int | None, ...]


class Part(NamedTuple):
    """A part of a step that is left out where a boolean tensor is False.

    Attributes:
        assigned: the variables that are assigned in this part and nowhere else.
    """

    assigned: list[Variable]


class Host(NamedTuple):
    """A function of the host that each replay calls.

    Attributes:
        inputs: the arrays that it is called with, as indices into `Trace.values`.
        live: the live number that it computes, if it does.
        numbers: the plain numbers that the step combined the live number with.
        part: the part of the step that begins or ends here. Where it begins, the input says whether
            it is done; the function is called where it is left out.
    """

    function: Callable[..., object]
    inputs: tuple[int, ...]
    live: Live | None = None
    numbers: tuple[float, ...] = ()
    part: Part | None = None


class Trace(NamedTuple):
    """A recorded step: what a plan is made of."""

    values: list[Value]
    steps: list[Call | Host]
    assigned: dict[Variable, int]  # by variable, the index of the value that it has at the end
    outputs: list[int]  # indices of the values that the step returns


class Choice(NamedTuple):
    """A question to the host; the answer decides how a step goes on.

    Attributes:
        variable: the host's variable from which the answer follows.
    """

    ask: Callable[[], Any]
    variable: Variable


class Live:
    """A number (or tuple of numbers) of the host that each replay computes again.

    Arithmetic gives further ones. What needs the value itself, such as `float()`, ends the
    recording, for the replay would go on with the number of now.
    """

    __slots__ = ("function", "recorder", "value")

    def __init__(self, function: Callable[[], Any], recorder: Recorder) -> None:
        self.function = function
        self.recorder = recorder
        self.refresh()

    def refresh(self) -> None:
        """Compute it again."""
        self.value = self.function()

    @property
    def __class__(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """To `isinstance` it is the number; `type()` says Live."""
        return type(self.value)

    @property
    def dtype(self) -> str:
        """The weak dtype of a Python number."""
        return "float" if isinstance(self.value, float) else "int"

    def _escape(self) -> Any:
        self.recorder.fail("Python looks at a number that changes from step to step")
        return self.value

    def __float__(self) -> float:
        return float(self._escape())

    def __int__(self) -> int:
        return int(self._escape())

    def __index__(self) -> int:
        return self._escape().__index__()

    def __bool__(self) -> bool:
        return bool(self._escape())

    def __array__(self, *arguments: Any, **named: object) -> np.ndarray:
        return np.array(self._escape(), *arguments)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._escape())

    def __getitem__(self, key: int) -> Any:
        return self._escape()[key]

    def __len__(self) -> int:
        return len(self.value)

    def __round__(self, digits: int | None = None) -> Any:
        return round(self._escape(), digits)

    def __str__(self) -> str:
        return str(self._escape())

    def __format__(self, spec: str) -> str:
        return format(self._escape(), spec)

    def __divmod__(self, other: float) -> Any:
        return divmod(self._escape(), plain(other))

    def __rdivmod__(self, other: float) -> Any:
        return divmod(other, self._escape())

    def __hash__(self) -> int:
        return id(self)


def _arithmetic(function: Callable[[Any, Any], Any], reflected: bool = False) -> Any:
    def method(self: Live, other: object) -> Any:
        if not isinstance(other, (int, float, Live)):
            return NotImplemented
        key = (function, reflected, self, other)
        if reflected:
            return live(lambda: function(plain(other), self.value), key)
        return live(lambda: function(self.value, plain(other)), key)

    return method


def _unary(function: Callable[[Any], Any]) -> Any:
    return lambda self: live(lambda: function(self.value), (function, self))


def _comparison(function: Callable[[Any, Any], bool]) -> Any:
    return lambda self, other: function(self._escape(), plain(other))


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
    setattr(Live, f"__{_name}__", _arithmetic(getattr(operator, _name)))
    setattr(Live, f"__r{_name}__", _arithmetic(getattr(operator, _name), reflected=True))
for _name in ("neg", "pos", "abs"):
    setattr(Live, f"__{_name}__", _unary(getattr(operator, _name)))
for _name in ("trunc", "floor", "ceil"):
    setattr(Live, f"__{_name}__", _unary(getattr(math, _name)))
for _name in ("eq", "lt", "le", "gt", "ge"):
    setattr(Live, f"__{_name}__", _comparison(getattr(operator, _name)))


def plain(value: Any) -> Any:
    """The number of now of a Live; everything else is itself."""
    return value.value if type(value) is Live else value


def number(value: float | Live) -> float | Live:
    """`float(value)`, or the Live that it is."""
    return value if type(value) is Live else float(value)


def live(function: Callable[[], Any], key: Hashable = None) -> Any:
    """`function()`; while a step is recorded, a Live that each replay computes at this place.

    Where a `key` is given and nothing happened on the host since it was given last, the Live is the
    same.
    """
    recorder = active()
    return function() if recorder is None else recorder.live(function, key)


def choice(ask: Callable[[], Any], variable: Variable) -> Any:
    """`ask()`, by which Python goes one way or another: each answer has a plan of its own.

    The answer must follow from `variable`, one of the host, as it is when the step begins. Asking
    again gives an equal function, such as a method.
    """
    recorder = active()
    return ask() if recorder is None else recorder.choice(Choice(ask, variable))


def on_host(function: Callable[..., object], *tensors: Tensor) -> None:
    """Call `function` with the arrays of tensors, now and at this place of each replay.

    It may raise, count, or assign variables of the host; it must not compute what other operations
    use.
    """
    recorder = active()
    if recorder is None:
        function(*map(settled, tensors))
    else:
        recorder.on_host(function, tensors)


def either(flag: Tensor, body: Callable[[], None], otherwise: Callable[[], None]) -> None:
    """Call `body` where a boolean tensor holds, else `otherwise`, also in each replay.

    What `body` computes is not used behind it, and what it assigns is assigned there only.
    `otherwise` works on variables of the host.
    """
    recorder = active()
    if recorder is not None:
        recorder.either(flag, body, otherwise)
    elif bool(flag):
        body()
    else:
        otherwise()


class Switch:
    """An attribute that comes and goes, so that each of its values has plans of its own."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        recorder = active()
        if recorder is not None:
            recorder.look_at_switch(instance, self.name)
        return instance.__dict__[self.name]

    def __set__(self, instance: Any, value: object) -> None:
        if instance.__dict__.get(self.name, value) is not value:
            guards.switched()
        instance.__dict__[self.name] = value


class Recorder:
    """Takes down one step.

    Args:
        backend: the backend the step runs on.
        choices: those that are known to decide how the step goes on.

    Attributes:
        asked: the choices that the step made.
        losses: pairs of a layer and a loss that it has added.
        guard: counts the changes of what the step met.
        switches: objects, and names of their switches, that the step looked at.
        is_cut: whether a part of the step was left out, so that the next one must be recorded.
    """

    def __init__(self, backend: Backend, choices: Sequence[Choice] = ()) -> None:
        self.backend = backend
        self.asked: list[Choice] = []
        self.is_cut = False
        self.losses: list[tuple[Any, Tensor]] = []
        self.guard = Guard()
        self.switches: dict[tuple[object, str], None] = {}
        self._part: Part | None = None  # that is being recorded
        self._places: dict[Variable, Part | None] = {}  # by variable: where it is assigned
        self._versions = {known: known.variable.version for known in choices}
        self.failure: str | None = None
        self.trace = Trace([], [], {}, [])
        self._numbers: dict[Hashable, Live] = {}  # by key
        self._indices: dict[int, int] = {}  # of values, by the uid of the tensor

    def begin(self) -> None:
        """Record what this thread does from now on."""
        _recorder.set(self)

    @contextmanager
    def recording(self) -> Generator[None, None, None]:
        """Record what this thread does inside."""
        token = _recorder.set(self)
        try:
            yield
        finally:
            _recorder.reset(token)

    @contextmanager
    def suspended(self) -> Generator[None, None, None]:
        """Record nothing inside."""
        token = _recorder.set(None)
        try:
            yield
        finally:
            _recorder.reset(token)

    def fail(self, reason: str) -> None:
        """The step cannot be replayed."""
        self.failure = self.failure or reason

    # What tensors are.

    def _add(self, tensor: Tensor, kind: str, source: object) -> int:
        self.trace.values.append(Value(kind, source, tensor.shape, tensor.dtype))
        index = self._indices[tensor.uid] = len(self.trace.values) - 1
        return index

    def _index(self, tensor: Tensor) -> int:
        """Tensors that nobody told of do not depend on the step: constants."""
        known = self._indices.get(tensor.uid)
        return self._add(tensor, "constant", tensor.data) if known is None else known

    def _is_dynamic(self, tensor: Tensor) -> bool:
        known = self._indices.get(tensor.uid)
        return known is not None and self.trace.values[known].kind != "constant"

    def input(self, tensor: Tensor) -> None:
        """A tensor that each replay is given, in this order."""
        self._add(tensor, "input", sum(value.kind == "input" for value in self.trace.values))

    def output(self, tensor: Tensor) -> None:
        """A tensor that each replay gives back, in this order."""
        self.trace.outputs.append(self._index(tensor))

    def number(self, tensor: Tensor, source: Live) -> None:
        """A tensor made of a live number."""
        self._add(tensor, "live", source)

    def same(self, tensor: Tensor, handle: Tensor) -> None:
        """Another handle of a tensor."""
        if tensor.uid in self._indices:
            self._indices[handle.uid] = self._indices[tensor.uid]

    def look_at_switch(self, owner: object, name: str) -> None:
        """Python looks at an attribute that comes and goes."""
        self.switches[owner, name] = None

    def look(self, tensor: Tensor) -> None:
        """Python looks at the values of a tensor."""
        if self._is_dynamic(tensor):
            self.fail("Python looks at the values of a tensor")

    # What happens.

    def call(
        self,
        name: str,
        kernel: Kernel,
        tensors: Sequence[Tensor | None],
        static: dict[str, object],
        results: Any,
    ) -> None:
        """A kernel was called. Where nothing changes from step to step, so are the results."""
        given = [tensor for tensor in tensors if tensor is not None]
        is_live = any(type(value) is Live for value in static.values())
        if not is_live and not any(self._is_dynamic(tensor) for tensor in given):
            return
        inputs = tuple(None if tensor is None else self._index(tensor) for tensor in tensors)
        results = results if isinstance(results, tuple) else (results,)
        outputs = tuple(
            None if result is None else self._add(result, "computed", None) for result in results
        )
        self.trace.steps.append(Call(name, kernel, inputs, static, outputs))

    def live(self, function: Callable[[], Any], key: Hashable = None) -> Live:
        """A number that each replay computes at this place."""
        number = self._numbers.get(key)
        if number is None:
            with self.suspended():
                number = Live(function, self)
            combined = key if isinstance(key, tuple) else ()
            numbers = tuple(operand for operand in combined if type(operand) in (int, float))
            self.trace.steps.append(Host(number.refresh, (), number, numbers))
            if key is not None:
                self._numbers[key] = number
        return number

    def choice(self, choice: Choice) -> Any:
        """The answer of now; it must be that of when the step began."""
        if choice not in self.asked:
            self.asked.append(choice)
        version = choice.variable.version
        if self._versions.get(choice, version) != version:
            self.fail("how a step goes on depends on what it changes itself")
        with self.suspended():
            return choice.ask()

    def on_host(self, function: Callable[..., object], tensors: Sequence[Tensor]) -> None:
        """Call a function of the host at this place of each replay."""
        with self.suspended():
            function(*map(settled, tensors))
        self._numbers.clear()
        indices = tuple(self._index(tensor) for tensor in tensors)
        self.trace.steps.append(Host(function, indices))

    def either(self, flag: Tensor, body: Callable[[], None], otherwise: Callable[[], None]) -> None:
        """Do a part of the step, or something else instead."""
        with self.suspended():
            if not bool(flag):
                self.is_cut = True
                return otherwise()
        if self._part is not None:
            self.fail("a part of the step is inside another one")
        part = self._part = Part([])
        self._numbers.clear()
        self.trace.steps.append(Host(otherwise, (self._index(flag),), part=part))
        body()
        self.trace.steps.append(Host(otherwise, (), part=part))
        self._numbers.clear()
        part.assigned.extend(key for key, place in self._places.items() if place is part)
        self._part = None
        return None

    def read(self, variable: Variable, tensor: Tensor) -> None:
        """A variable's value was read."""
        self.guard.meet(variable)
        if variable.host:
            self.fail(f"Python reads the host's variable {variable.path!r}")
        elif tensor.uid not in self._indices:
            if variable in self.trace.assigned:
                self._indices[tensor.uid] = self.trace.assigned[variable]
            else:
                self._add(tensor, "variable", variable)

    def assign(self, variable: Variable, tensor: Tensor) -> None:
        """A variable was assigned."""
        self.guard.meet(variable)
        if variable.host:
            self.fail(f"Python assigns the host's variable {variable.path!r}")
        elif self._places.setdefault(variable, self._part) is not self._part:
            self.fail(f"variable {variable.path!r} is assigned in several parts of the step")
        else:
            self.trace.assigned[variable] = self._index(tensor)
