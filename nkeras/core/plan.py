"""Plan: a recorded step as a list of calls with fixed arrays, replayed without tape or dispatch.

Making one runs each kernel of the step once more, now on the plan's own arrays: inputs are copied
into buffers, variables live in their storage, everything in between shares an arena, in which a
block is given away again behind its last use. The backend says what a kernel call comes down to
when all arrays stay where they are; that list is the plan. Steps that depend only on variables
which the step does not assign, such as the packing of weights, are repeated when one has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from nkeras.backend.protocol import Array, Backend, Lowering, Step
from nkeras.core import dtypes, storage_lock, variable
from nkeras.core.errors import short
from nkeras.core.io_binding import LARGE, IOBinding, can_stand_in, is_used
from nkeras.core.recording import Call, Host, Live, Part, Trace, plain
from nkeras.core.variable import Variable


class Unplannable(Exception):
    """A recorded step cannot be replayed; the message says why."""


class Plan:
    """A step that can be replayed, by one caller at a time.

    Args:
        trace: the recorded step.
        backend: the backend it ran on.
        memory: list that plans share of which only one is replayed at a time.

    Attributes:
        inputs: the buffers to fill before `replay`.
        outputs: the arrays that `replay` leaves its results in.

    Raises:
        Unplannable: the step cannot be replayed.
    """

    def __init__(self, trace: Trace, backend: Backend, memory: list[Array] | None = None) -> None:
        make = getattr(backend, "lowering", None)
        if make is None:
            raise Unplannable(f"backend {backend.name!r} has no plans")
        self._empty = backend.empty
        self._trace = trace
        self._written = list(trace.assigned)
        self._read = [
            value.source
            for value in trace.values
            if value.kind == "variable" and value.source not in trace.assigned
        ]
        self._variables = frozenset(self._written or self._read)
        self._last_use = _last_uses(trace)
        rehearsal: Lowering = make()
        self._make(backend, rehearsal)
        self._make(backend, rehearsal.perform([] if memory is None else memory))
        self._moves = -1

    def ready(self) -> bool:
        """Whether it can be replayed now; brings its variables back from other backends."""
        if self._moves != variable.moves:
            self._moves = variable.moves
            for held in (*self._written, *self._read):
                held.storage()
        return self._lowering.ready()

    def _make(self, backend: Backend, lowering: Lowering) -> None:
        """Lower all steps; done twice, since where arrays lie follows from the rehearsal."""
        trace = self._trace
        self._lowering = lowering
        self._arrays: list[Array] = [None] * len(trace.values)
        self._targets: dict[int, list[Array]] = {}  # what each live number is written to
        self.inputs: list[Array] = []
        self.steps: list[Step] = []
        self._early: list[Step] = []
        self._versions: list[int] = []  # of the variables in _read, when the early steps were done
        self._changes = -1
        self._fixed = {
            i
            for i, value in enumerate(trace.values)
            if value.kind == "constant"
            or (value.kind == "variable" and value.source not in trace.assigned)
        }
        self._place_given(backend)
        for position, step in enumerate(trace.steps):
            if isinstance(step, Call):
                self._lower(step, position)
            else:
                self._call_host(step, position)
            self._forget(step, position)
        for i in trace.outputs:
            lowering.keep(self._arrays[i])
        self.outputs = [self._kept(self._arrays[i]) for i in trace.outputs]
        in_parts = {assigned for step in trace.steps for assigned in _assigned_in(step)}
        self._assign([written for written in self._written if written not in in_parts])

    def _forget(self, step: Call | Host, position: int) -> None:
        """Give back what no later step uses."""
        used = {*step.inputs, *(step.outputs if isinstance(step, Call) else ())}
        for i in sorted(index for index in used if index is not None):
            if self._last_use[i] <= position and self._trace.values[i].kind == "computed":
                self._lowering.release(self._arrays[i])
                self._arrays[i] = None

    def replay(self) -> None:
        """Do the step again with what `inputs` and the variables hold."""
        self._do(self.steps)

    def call(self, given: Sequence[Array]) -> list[Array]:
        """Do the step again for these inputs; the outputs belong to the caller.

        Large arrays are not copied: the step reads the caller's, and writes into new ones.
        """
        inputs, outputs, binding = self._bound
        arrays = []
        for i, (buffer, array) in enumerate(zip(self.inputs, given, strict=True)):
            is_bound = i in inputs and can_stand_in(array, buffer)
            if not is_bound:
                buffer[...] = array
            if i in inputs:
                arrays.append(array if is_bound else buffer)
        for i in outputs:
            output = self.outputs[i]
            arrays.append(self._empty(output.shape, dtypes.name_of(output.dtype)))
        return binding.run(arrays, self._do)

    @cached_property
    def _bound(self) -> tuple[list[int], list[int], IOBinding]:
        """Which inputs and outputs a call binds to other arrays, and what binds them."""
        inputs = [i for i, item in enumerate(self.inputs) if item.nbytes >= LARGE]
        outputs = [
            i
            for i, output in enumerate(self.outputs)
            if output.nbytes >= LARGE and self._lowering.is_kept(output)
        ]
        places = [self.outputs[i] for i in outputs]
        is_written_early, is_written = is_used(places, self._early), is_used(places, self.steps)
        outputs = [
            i
            for i, early, late in zip(outputs, is_written_early, is_written, strict=True)
            if late and not early
        ]
        places = [self.inputs[i] for i in inputs] + [self.outputs[i] for i in outputs]
        return inputs, outputs, IOBinding(self.steps, self.outputs, places)

    def _do(self, steps: Sequence[Step]) -> None:
        if self._early and self._changes != variable.changes:
            self._do_early()
        if self._written:
            storage_lock.write(self._variables, steps, self._overwrite)
        else:
            storage_lock.read(self._variables, steps)

    def _overwrite(self) -> None:
        Variable.overwrite(self._written)

    def _do_early(self) -> None:
        """Do the early steps again, if a variable that they read has changed."""
        with storage_lock.lock:
            self._changes = variable.changes
            versions = [read.version for read in self._read]
            if versions != self._versions:
                for function, arguments in self._early:
                    function(*arguments)
                self._versions = versions

    def _place_given(self, backend: Backend) -> None:
        """Make the arrays that exist before the first kernel runs."""
        for i, value in enumerate(self._trace.values):
            if value.kind == "constant":
                self._arrays[i] = value.source
            elif value.kind == "variable":
                self._arrays[i] = value.source.storage()
            elif value.kind == "input":
                self._arrays[i] = backend.empty(value.shape, value.dtype)
                self._arrays[i][...] = _sample(value.shape, value.dtype)
                self.inputs.append(self._arrays[i])
            elif value.kind == "live":
                self._arrays[i] = backend.empty(value.shape, value.dtype)
                self._arrays[i][...] = value.source.value
                self._targets.setdefault(id(value.source), []).append(self._arrays[i])

    def _call_host(self, step: Host, position: int) -> None:
        arrays = tuple(self._arrays[i] for i in step.inputs)
        if step.part is not None and step.inputs:
            self._around, self.steps, self._began = self.steps, [], position
            self._around.append((_do_part, (*arrays, self.steps, step.function)))
        elif step.part is not None:
            self._check_part(step.part, position)
            self._assign(step.part.assigned)
            self.steps = self._around
        elif step.live is None:
            self.steps.append((step.function, arrays))
        else:
            targets = self._targets.setdefault(id(step.live), [])
            self.steps.append((_refresh, (step.live, targets)))

    def _check_part(self, part: Part, position: int) -> None:
        """What a part of the step makes, or writes over, is not used behind it."""
        trace, own = self._trace, set(part.assigned)
        inside = [step for step in trace.steps[self._began : position] if isinstance(step, Call)]
        made = {i for call in inside for i in call.outputs}
        used = {i for step in trace.steps[position:] for i in step.inputs if i is not None}
        used |= {i for target, i in trace.assigned.items() if target not in own} | set(
            trace.outputs
        )
        for i in used:
            if i in made or any(_overlap(self._arrays[i], assigned.storage()) for assigned in own):
                raise Unplannable("what a part of the step computes is used behind it")

    def _lower(self, call: Call, position: int) -> None:
        arrays = [None if i is None else self._arrays[i] for i in call.inputs]
        static = {name: plain(value) for name, value in call.static.items()}
        cells = {
            name: self._cell(value) for name, value in call.static.items() if type(value) is Live
        }
        fixed = [i is None or i in self._fixed for i in call.inputs]
        outputs, early, steps = self._lowering.call(
            call.name, call.kernel, arrays, static, cells, fixed
        )
        self._early += early
        for i, array in zip(call.outputs, outputs, strict=True):
            if i is not None:
                self._arrays[i] = array
                if all(fixed) and not cells:
                    self._fixed.add(i)
        for target, i in self._trace.assigned.items():
            if (
                i in call.outputs
                and i not in self._fixed
                and self._may_overwrite(target, i, position)
            ):
                storage, output = target.storage(), call.outputs.index(i)
                moved = self._lowering.redirect(
                    call.name, steps, output, self._arrays[i], storage, arrays
                )
                if moved is not None:
                    self._lowering.release(self._arrays[i])
                    steps, self._arrays[i] = moved, storage
        self.steps += steps

    def _cell(self, live: Live) -> Array:
        """An array of one dimension that holds a live number, for kernels that read it there."""
        value = live.value
        values = value if isinstance(value, tuple) else (value,)
        is_key = isinstance(value, tuple) and isinstance(values[0], int)
        cell = np.array(values, np.uint32 if is_key else None)
        self._targets.setdefault(id(live), []).append(cell)
        return cell

    def _may_overwrite(self, target: Variable, index: int, position: int) -> bool:
        """Whether the old value of a variable is not needed any more when its new one is made."""
        storage, array = target.storage(), self._arrays[index]
        if array.shape != storage.shape or not array.flags.c_contiguous:
            return False
        if list(self._trace.assigned.values()).count(index) > 1 or index in self._trace.outputs:
            return False
        return not any(
            last > position and i != index and _overlap(self._arrays[i], storage)
            for i, last in enumerate(self._last_use)
        )

    def _kept(self, output: Array) -> Array:
        """An output, or a copy of it where it lies in a variable that is assigned at the end."""
        if not any(_overlap(output, written.storage()) for written in self._written):
            return output
        copy = np.empty_like(output)
        self.steps.append((np.copyto, (copy, output)))
        return copy

    def _assign(self, variables: Sequence[Variable]) -> None:
        """Copy new values of variables to where the next replay looks for them."""
        storages = [written.storage() for written in self._written]
        for target in variables:
            storage, array = target.storage(), self._arrays[self._trace.assigned[target]]
            if array is storage:
                continue
            if any(_overlap(array, other) for other in storages):
                raise Unplannable(f"variable {short(target.path)} is assigned a part of a variable")
            self.steps.append((np.copyto, (storage, array)))


def _sample(shape: tuple[int, ...], dtype: str) -> Array:
    """What inputs hold while a plan is made: ordinary numbers; zeros where they may be indices."""
    if not dtypes.is_floating(dtype):
        return 0
    return np.random.default_rng(0).random(shape, np.float32)


def _refresh(live: Live, targets: list[Array]) -> None:
    live.refresh()
    for target in targets:
        target[...] = live.value


def _do_part(flag: Array, steps: list[Step], otherwise: Callable[[], None]) -> None:
    if flag:
        for function, arguments in steps:
            function(*arguments)
    else:
        otherwise()


def _assigned_in(step: Call | Host) -> Sequence[Variable]:
    """The variables that the part which a step ends assigns."""
    return step.part.assigned if isinstance(step, Host) and step.part and not step.inputs else ()


def _last_uses(trace: Trace) -> list[int]:
    """For each value the position of the step that uses it last."""
    last = [-1] * len(trace.values)
    for position, step in enumerate(trace.steps):
        used = step.inputs + step.outputs if isinstance(step, Call) else step.inputs
        for i in used:
            if i is not None:
                last[i] = position
    for i in (*trace.outputs, *trace.assigned.values()):
        last[i] = len(trace.steps)
    return last


def _overlap(array: Array, other: Array) -> bool:
    return array is not None and np.may_share_memory(array, other)
