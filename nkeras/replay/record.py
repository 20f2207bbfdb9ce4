"""Record: the kernel calls behind a piece of Python, in order, so that they can be replayed.

While a step is recorded it runs as always. `Primitive.run` reports each kernel call, `Variable`
what is read and assigned, `Tensor` whether Python looks at values. What a replay could not repeat
ends the recording, never the step: `Recorder.failure` then says why.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Sequence
from contextlib import contextmanager
from typing import Any

from nkeras.backend.protocol import Backend, Kernel
from nkeras.core import observer, recomputing, slices, tape
from nkeras.core.calls_together import CallsTogether
from nkeras.core.host import Choice, Live
from nkeras.core.operation import Operation
from nkeras.core.primitive import Primitive
from nkeras.core.strings import STRING
from nkeras.core.tensor import Tensor
from nkeras.core.variable import Variable
from nkeras.replay.graph import Call, Graph, Host, Loop, Part, Value
from nkeras.replay.turns import Turns


class Recorder(observer.Observer):
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

    takes_many = True

    def __init__(self, backend: Backend, choices: Sequence[Choice] = ()) -> None:
        super().__init__()
        self.backend = backend
        self.asked: list[Choice] = []
        self.is_cut = False
        self.switches: dict[tuple[object, str], None] = {}
        self._part: Part | None = None  # that is being recorded
        self._places: dict[Variable, Part | None] = {}  # by variable: where it is assigned
        self._versions = {known: known.variable.version for known in choices}
        self.failure: str | None = None
        self.graph = Graph([], [], {}, [])
        self._numbers: dict[Hashable, Live] = {}  # by key
        self._indices: dict[int, int] = {}  # of values, by the uid of the tensor
        self._varying: set[int] = set()  # constants that other rounds of a loop have others for
        self.assignments = 0  # how many there were
        self.seen: dict[int, Tensor] | None = None  # by index, what calls were given in a round

    @contextmanager
    def recording(self) -> Generator[None, None, None]:
        """Record what this thread does inside."""
        token = observer.begin(self)
        try:
            yield
        finally:
            observer.end(token)

    @contextmanager
    def suspended(self) -> Generator[None, None, None]:
        """Record nothing inside."""
        token = observer.begin(None)
        try:
            yield
        finally:
            observer.end(token)

    def fail(self, reason: str) -> None:
        """The step cannot be replayed."""
        self.failure = self.failure or reason

    # What tensors are.

    def _add(self, tensor: Tensor, kind: str, source: object) -> int:
        self.graph.values.append(Value(kind, source, tensor.shape, tensor.dtype))
        index = self._indices[tensor.uid] = len(self.graph.values) - 1
        return index

    def _index(self, tensor: Tensor) -> int:
        """Tensors that nobody told of do not depend on the step: constants."""
        known = self._indices.get(tensor.uid)
        return self._add(tensor, "constant", tensor.data) if known is None else known

    def _is_dynamic(self, tensor: Tensor) -> bool:
        known = self._indices.get(tensor.uid)
        return known is not None and (
            self.graph.values[known].kind != "constant" or known in self._varying
        )

    # What loops ask.

    def index(self, tensor: Tensor) -> int:
        """The index of a tensor's value."""
        return self._index(tensor)

    def vary(self, tensor: Tensor) -> None:
        """Another round of a loop has another tensor in this place."""
        self._varying.add(self._index(tensor))

    def is_known(self, tensor: Tensor) -> bool:
        """Whether a tensor may have other values in a replay, or in another round of a loop."""
        return self._is_dynamic(tensor)

    def turns(self, function: Callable[..., Any], stacks: Sequence[Any]) -> Turns | None:
        """Who takes down the rounds of a loop; None where all of them must be in the plan."""
        tapes = tape.active()
        is_plain = all(type(one) is tape.GradientTape and not one.is_persistent for one in tapes)
        if not getattr(self.backend, "loops", False) or len(tapes) > 1 or not is_plain:
            return None
        if self._part is not None or recomputing.active() or slices.interpreter():
            return None
        self.guard.meet(function)
        if self.guard.met_iterators() or not all(type(stack) is Tensor for stack in stacks):
            return None
        return Turns(self, tapes[0] if tapes else None)

    def loop(self, loop: Loop, tensors: Sequence[Tensor], results: Sequence[Tensor]) -> None:
        """Rounds of a loop were done."""
        inputs = tuple(self._index(tensor) for tensor in tensors)
        self._see(tensors)
        outputs = tuple(self._add(result, "computed", None) for result in results)
        self.graph.steps.append(loop._replace(inputs=inputs, outputs=outputs))

    def input(self, tensor: Tensor) -> None:
        """A tensor that each replay is given, in this order."""
        if tensor.dtype == STRING and not getattr(self.backend, "takes_text", False):
            self.fail("a batch holds text, which is on the host")
        self._add(tensor, "input", sum(value.kind == "input" for value in self.graph.values))

    def output(self, tensor: Tensor) -> None:
        """A tensor that each replay gives back, in this order."""
        self.graph.outputs.append(self._index(tensor))

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

    def _see(self, tensors: Sequence[Tensor]) -> None:
        if self.seen is not None:
            self.seen.update((self._index(tensor), tensor) for tensor in tensors)

    # What happens.

    def enter(self, layer: Operation) -> None:
        """A layer is called."""
        self.guard.meet(layer)

    def call(
        self,
        primitive: Primitive[Any] | CallsTogether,
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
        self._see(given)
        results = results if isinstance(results, tuple) else (results,)
        outputs = tuple(
            None if result is None else self._add(result, "computed", None) for result in results
        )
        self.graph.steps.append(Call(primitive, kernel, inputs, static, outputs))

    def live(self, function: Callable[[], Any], key: Hashable = None) -> Live:
        """A number that each replay computes at this place."""
        number = self._numbers.get(key)
        if number is None:
            with self.suspended():
                number = Live(function, self)
            combined = key if isinstance(key, tuple) else ()
            numbers = tuple(operand for operand in combined if type(operand) in (int, float))
            self.graph.steps.append(Host(number.refresh, (), number, numbers))
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
            function(*[tensor.on_host() for tensor in tensors])
        self._numbers.clear()
        indices = tuple(self._index(tensor) for tensor in tensors)
        self.graph.steps.append(Host(function, indices))

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
        self.graph.steps.append(Host(otherwise, (self._index(flag),), part=part))
        body()
        self.graph.steps.append(Host(otherwise, (), part=part))
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
            if variable in self.graph.assigned:
                self._indices[tensor.uid] = self.graph.assigned[variable]
            else:
                self._add(tensor, "variable", variable)

    def assign(self, variable: Variable, tensor: Tensor) -> None:
        """A variable was assigned."""
        self.assignments += 1
        self.guard.meet(variable)
        if variable.host:
            self.fail(f"Python assigns the host's variable {variable.path!r}")
        elif self._places.setdefault(variable, self._part) is not self._part:
            self.fail(f"variable {variable.path!r} is assigned in several parts of the step")
        else:
            self.graph.assigned[variable] = self._index(tensor)
