"""Lower: a graph becomes a list of steps of the backend, with every array at a fixed place.

Inputs have buffers, variables live in their storage, everything in between shares an arena, in
which a block is given away again behind its last use. The backend says what a kernel call comes
down to when all arrays stay where they are. Steps that depend only on variables which the graph
does not assign, such as the packing of weights, are early: they are repeated when one has changed.

The body of a loop is lowered once, to places that each round finds what it needs in. What is the
same in all rounds is prepared before the first.

What the host does without looking at arrays (numbers that change, counting) goes before the kernels
in front of it, so that these follow each other.

All calls are lowered twice. The rehearsal tells how large each block is and from when to when it is
used; from that follows where they lie.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias, cast

from nkeras.backend.protocol import (
    Array,
    Backend,
    KernelCall,
    Lowering,
    Rounds,
    Step,
    SupportsPlans,
)
from nkeras.core.errors import short
from nkeras.core.host import Live, plain
from nkeras.core.strings import STRING, PackedText, blank
from nkeras.core.variable import Variable
from nkeras.replay.graph import Call, Graph, Host, Loop, Part, Value
from nkeras.replay.memory_plan import layout

_Store: TypeAlias = "Callable[[Any], None]"


class Unplannable(Exception):
    """A recorded step cannot be replayed; the message says why."""


class Lowered(NamedTuple):
    """A graph as steps.

    Attributes:
        inputs: the arrays to fill before the steps.
        outputs: the arrays that the steps leave their results in.
        early: what is done before, when a variable has changed that is only read.
        parts: lists of steps that are left out at times, each inside another step.
    """

    inputs: list[Array]
    outputs: list[Array]
    steps: list[Step]
    early: list[Step]
    parts: list[list[Step]]
    lowering: Lowering


def lower(graph: Graph, backend: Backend, memory: list[Array]) -> Lowered:
    """The steps of a graph.

    Args:
        graph: a recorded step.
        backend: the backend it ran on.
        memory: list that plans share of which only one is replayed at a time.

    Raises:
        Unplannable: the step cannot be replayed.
    """
    if not hasattr(backend, "lowering"):
        raise Unplannable(f"backend {backend.name!r} has no plans")
    backend = cast("SupportsPlans", backend)
    rehearsal = backend.lowering()
    _Lower(graph, backend, rehearsal).lowered()
    size, offsets = layout(rehearsal.spans())
    return _Lower(graph, backend, rehearsal.perform(size, offsets, memory)).lowered()


class _Lower:
    """One pass over the calls of a graph.

    Args:
        graph: a step, or the body of a loop.
        backend: the backend it ran on.
        lowering: the backend's, of the whole plan.
        given: of a body, the arrays that stand for its inputs.
    """

    def __init__(
        self,
        graph: Graph,
        backend: SupportsPlans,
        lowering: Lowering,
        given: Sequence[Array] | None = None,
    ) -> None:
        self._graph = graph
        self._backend = backend
        self._lowering = lowering
        self._written = list(graph.assigned)
        self._last_use = _last_uses(graph)
        self._arrays: list[Array] = [None] * len(graph.values)
        self._targets: dict[int, list[_Store]] = {}  # what each live number is given to
        self._held: set[int] = set()  # values with arrays now that are no variables'
        self._read: dict[Variable, list[int]] = {}  # the values of each variable
        for i, value in enumerate(graph.values):
            if value.kind == "variable":
                self._read.setdefault(value.source, []).append(i)
        self._written_by: dict[int, list[tuple[int, Variable]]] = {}  # variables by value, in order
        for order, (target, i) in enumerate(graph.assigned.items()):
            self._written_by.setdefault(i, []).append((order, target))
        self._inputs: list[Array] = []
        self._given = given
        self._steps: list[Step] = []
        self._told = 0  # how many of them there are up to the last one of the host
        self._parts: list[list[Step]] = []
        self._early: list[Step] = []
        self._once: list[Step] = []  # of a body: before the first round
        self._fixed = {
            i
            for i, value in enumerate(graph.values)
            if value.kind == "constant"
            or (value.kind == "variable" and value.source not in graph.assigned)
        }
        self._steady = self._fixed  # of these, what is the same in all replays

    def lowered(self) -> Lowered:
        """All steps."""
        graph = self._graph
        self._lower_all()
        for i in graph.outputs:
            self._lowering.keep(self._arrays[i])
        outputs = [self._kept(self._arrays[i]) for i in graph.outputs]
        in_parts = {assigned for step in graph.steps for assigned in _assigned_in(step)}
        self._assign([written for written in self._written if written not in in_parts])
        return Lowered(self._inputs, outputs, self._steps, self._early, self._parts, self._lowering)

    def _lower_all(self) -> None:
        self._place_given()
        for position, step in enumerate(self._graph.steps):
            if isinstance(step, Call):
                self._lower(step, position)
            elif isinstance(step, Loop):
                self._lower_loop(step, position)
            else:
                self._call_host(step, position)
            self._forget(step, position)

    def _forget(self, step: Call | Host | Loop, position: int) -> None:
        """Give back what no later step uses."""
        used = set(_used(step))
        for i in sorted(index for index in used if index is not None):
            if self._last_use[i] <= position and self._graph.values[i].kind == "computed":
                self._lowering.release(self._arrays[i])
                self._arrays[i] = None
                self._held.discard(i)

    def _place_given(self) -> None:
        """Make the arrays that exist before the first kernel runs."""
        backend = self._backend
        for i, value in enumerate(self._graph.values):
            if value.kind == "constant":
                self._arrays[i] = value.source
            elif value.kind == "variable":
                self._arrays[i] = value.source.storage()
            elif value.kind == "input" and self._given is not None:
                self._arrays[i] = self._given[value.source]
            elif value.kind == "input" and value.dtype == STRING:
                array = self._arrays[i] = blank(value.shape)
                self._inputs.append(array)
            elif value.kind == "input":
                array = self._arrays[i] = backend.empty(value.shape, value.dtype)
                backend.write(array, 0)  # it may hold indices
                self._inputs.append(array)
            elif value.kind == "live":
                self._arrays[i] = self._number(value.source, value.shape, value.dtype)
            if value.kind != "variable" and self._arrays[i] is not None:
                self._held.add(i)

    def _call_host(self, step: Host, position: int) -> None:
        arrays = tuple(self._arrays[i] for i in step.inputs)
        if step.part is not None and step.inputs:
            self._around, self._steps, self._began = self._steps, [], position
            inside = (self._backend.to_numpy, *arrays, self._steps, step.function)
            self._around.append((_do_part, inside))
            self._parts.append(self._steps)
            self._told = 0
        elif step.part is not None:
            self._check_part(step.part, position)
            self._assign(step.part.assigned)
            self._steps = self._around
            self._told = len(self._steps)
        elif step.live is not None:
            targets = self._targets.setdefault(id(step.live), [])
            self._tell(_refresh, step.live, targets)
        elif arrays:
            called = (self._backend.to_numpy, step.function, arrays)
            self._steps.append((_call_with_values, called))
            self._told = len(self._steps)
        else:
            self._tell(step.function)

    def _tell(self, function: Callable[..., object], *arguments: object) -> None:
        """What the host does without arrays: behind what it did before, in front of kernels."""
        self._steps.insert(self._told, (function, arguments))
        self._told += 1

    def _check_part(self, part: Part, position: int) -> None:
        """What a part of the step makes, or writes over, is not used behind it."""
        graph, own = self._graph, set(part.assigned)
        inside = graph.steps[self._began : position]
        made = {i for step in inside if not isinstance(step, Host) for i in step.outputs}
        used = {i for step in graph.steps[position:] for i in step.inputs if i is not None}
        used |= {i for target, i in graph.assigned.items() if target not in own}
        for i in used | set(graph.outputs):
            if i in made or any(
                self._overlap(self._arrays[i], assigned.storage()) for assigned in own
            ):
                raise Unplannable("what a part of the step computes is used behind it")

    def _lower(self, call: Call, position: int) -> None:
        arrays = [None if i is None else self._arrays[i] for i in call.inputs]
        live = call.primitive.live
        numbers = {name: value for name, value in call.static.items() if type(value) is Live}
        cells = {name: self._number(value) for name, value in numbers.items() if name in live}
        fixed = [i is None or i in self._fixed for i in call.inputs]
        outputs, early, steps = self._lowering.call(
            KernelCall(
                call.kernel,
                arrays,
                {name: plain(value) for name, value in call.static.items()},
                cells,
                {n: partial(plain, value) for n, value in numbers.items() if n not in live},
                fixed,
                [None if i is None else self._result(i) for i in call.outputs],
            )
        )
        steady = all(i in self._steady for i in call.inputs if i in self._fixed)
        (self._early if steady else self._once).extend(early)
        for i, array in zip(call.outputs, outputs, strict=True):
            if i is not None:
                self._hold(i, array)
                if all(fixed) and not numbers:
                    self._fixed.add(i)
                    if steady:
                        self._steady.add(i)
        written = [
            (order, target, i)
            for i in call.outputs
            if i is not None and i not in self._fixed
            for order, target in self._written_by.get(i, ())
        ]
        for _, target, i in sorted(written, key=itemgetter(0)):
            if self._may_overwrite(target, i, position):
                storage, array = target.storage(), self._arrays[i]
                donated = call.primitive.donated_inputs(call.outputs.index(i))
                moved = self._lowering.redirect(steps, array, storage, arrays, donated)
                if moved is not None:
                    self._lowering.release(array)
                    steps, self._arrays[i] = moved, storage
        self._steps += steps

    def _lower_loop(self, loop: Loop, position: int) -> None:
        lowering, copy_to, body = self._lowering, self._backend.copy_to, loop.body
        own = loop.carries + loop.rows
        given = [self._arrays[i] for i in loop.inputs]
        kinds = [value for value in body.values if value.kind == "input"][:own]
        places = [lowering.place(value.shape, value.dtype) for value in kinds]
        carried, read = places[: loop.carries], places[loop.carries :]
        reads: list[tuple[Array, Array]] = []
        for place, array in zip(read, given[loop.carries : own], strict=True):
            rows, steps = lowering.straight(array)
            reads.append((place, rows))
            self._steps += steps
        stacks = loop.outputs[loop.carries :]
        for i in stacks:
            if self._last_use[i] > position:
                value = self._graph.values[i]
                self._hold(i, lowering.place(value.shape, value.dtype))
        inner = _Lower(body, self._backend, lowering, [*places, *given[own:]])
        inner._early = self._early
        same = [i for i, value in enumerate(body.values) if value.kind == "input"][own:]
        steady = [i for i, j in zip(same, loop.inputs[own:], strict=True) if j in self._steady]
        inner._steady = inner._fixed | set(steady)
        inner._fixed |= set(same)
        inner._lower_all()

        made = [inner._arrays[i] for i in body.outputs]
        writes = [
            (self._arrays[i], array)
            for i, array in zip(stacks, made[loop.carries :], strict=True)
            if self._last_use[i] > position
        ]
        moves, kept = self._moves(carried, made[: loop.carries], kinds)
        for i, place in zip(loop.outputs, carried, strict=False):
            self._hold(i, place)
        self._steps += [
            (copy_to, (place, array)) for place, array in zip(carried, given, strict=False)
        ]
        self._steps += inner._once
        rounds = Rounds(loop.length, loop.backwards, reads, inner._steps, writes, moves)
        self._steps += lowering.loop(rounds)
        for i in set(body.outputs):
            if body.values[i].kind == "computed":
                lowering.release(inner._arrays[i])
        for array in (*kept, *(array for pair in reads for array in pair)):
            lowering.release(array)

    def _moves(
        self, places: Sequence[Array], made: Sequence[Array], kinds: Sequence[Value]
    ) -> tuple[list[tuple[Array, Array]], list[Array]]:
        """How new carries get to their places, and what keeps those that lie in such a place."""
        first: list[tuple[Array, Array]] = []
        moves: list[tuple[Array, Array]] = []
        for place, array, value in zip(places, made, kinds, strict=False):
            if array is place:
                continue
            if any(self._overlap(array, other) for other in places):
                kept = self._lowering.place(value.shape, value.dtype)
                first.append((kept, array))
                array = kept
            moves.append((place, array))
        return first + moves, [kept for kept, _ in first]

    def _result(self, index: int) -> tuple[tuple[int, ...], str]:
        value = self._graph.values[index]
        if value.dtype == STRING and not getattr(self._backend, "takes_text", False):
            raise Unplannable("a step makes text, which is on the host")
        return value.shape, value.dtype

    def _number(
        self, live: Live, shape: tuple[int, ...] | None = None, dtype: str | None = None
    ) -> Array:
        array, store = self._lowering.number(live.value, shape, dtype)
        self._targets.setdefault(id(live), []).append(store)
        return array

    def _may_overwrite(self, target: Variable, index: int, position: int) -> bool:
        """Whether the old value of a variable is not needed any more when its new one is made."""
        storage = target.storage()
        if self._arrays[index].shape != storage.shape:
            return False
        if len(self._written_by[index]) > 1 or index in self._graph.outputs:
            return False
        # Variables do not lie in each other's storages.
        return not any(
            i != index and self._last_use[i] > position and self._overlap(self._arrays[i], storage)
            for i in (*self._read.get(target, ()), *self._held)
        )

    def _hold(self, index: int, array: Array) -> None:
        self._arrays[index] = array
        self._held.add(index)

    def _overlap(self, array: Array | None, other: Array) -> bool:
        is_somewhere = array is not None and not isinstance(array, PackedText)
        return is_somewhere and self._backend.overlap(array, other)

    def _kept(self, output: Array) -> Array:
        """An output, or a copy of it where it lies in a variable that is assigned at the end."""
        if not any(self._overlap(output, written.storage()) for written in self._written):
            return output
        copy = self._backend.empty(output.shape, output.dtype.name)
        self._steps.append((self._backend.copy_to, (copy, output)))
        return copy

    def _assign(self, variables: Sequence[Variable]) -> None:
        """Copy new values of variables to where the next replay looks for them."""
        storages = [written.storage() for written in self._written]
        for target in variables:
            storage, array = target.storage(), self._arrays[self._graph.assigned[target]]
            if array is storage:
                continue
            if any(self._overlap(array, other) for other in storages):
                raise Unplannable(f"variable {short(target.path)} is assigned a part of a variable")
            self._steps.append((self._backend.copy_to, (storage, array)))


def _refresh(live: Live, targets: Sequence[_Store]) -> None:
    live.refresh()
    for store in targets:
        store(live.value)


def _call_with_values(
    to_numpy: Callable[[Array], object], function: Callable[..., object], arrays: Sequence[Array]
) -> None:
    function(*[to_numpy(array) for array in arrays])


def _do_part(
    to_numpy: Callable[[Array], object],
    flag: Array,
    steps: list[Step],
    otherwise: Callable[[], None],
) -> None:
    if to_numpy(flag):
        for function, arguments in steps:
            function(*arguments)
    else:
        otherwise()


def _assigned_in(step: Call | Host | Loop) -> Sequence[Variable]:
    """The variables that the part which a step ends assigns."""
    return step.part.assigned if isinstance(step, Host) and step.part and not step.inputs else ()


def _used(step: Call | Host | Loop) -> tuple[int | None, ...]:
    return step.inputs if isinstance(step, Host) else step.inputs + step.outputs


def _last_uses(graph: Graph) -> list[int]:
    """For each value the position of the step that uses it last."""
    last = [-1] * len(graph.values)
    for position, step in enumerate(graph.steps):
        for i in _used(step):
            if i is not None:
                last[i] = position
    for i in (*graph.outputs, *graph.assigned.values()):
        last[i] = len(graph.steps)
    return last
