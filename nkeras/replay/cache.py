"""When steps are planned: the first as it comes, two recorded and compared, the others replayed.

A model has plans by kind of step and by structure, shapes and dtypes of the batch. The first step
of a kind builds what is built late. The next two are recorded; if they are the same, operation by
operation, the step does not depend on what Python counts or carries over, and a plan is made of it.
Where a counter of the host decides how a step goes on, such as whether it applies the accumulated
gradients, each answer has a plan. So has each value of a switch that a step looked at (`trainable`,
`loss_scale_factor`), each backend and each number of threads: they come and go. What cannot be
planned runs as it comes, always with the same results. A change of a setting, or of an attribute of
an object that the step met (a layer, the optimizer, a loss), makes it be recorded again.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, TypeAlias, cast

import numpy as np

from nkeras.backend import registry
from nkeras.backend.protocol import Array, SupportsPlans
from nkeras.core import graph, guards, observer, recomputing, storage_lock, tape, tree
from nkeras.core.compile_ahead import compile_ahead
from nkeras.core.guards import Guard
from nkeras.core.host import Choice
from nkeras.core.strings import PackedText, packed
from nkeras.core.tensor import Tensor, from_numpy
from nkeras.core.typing import Structure, T
from nkeras.replay.compare import differences
from nkeras.replay.graph import Graph
from nkeras.replay.lower import Unplannable
from nkeras.replay.randomness import host_randomness
from nkeras.replay.record import Recorder
from nkeras.replay.replay import Plan
from nkeras.replay.rewrite import rewritten

MOST = 16  # entries of a model: the oldest make room
WORTH = 4  # replays that a plan must have served on average, else steps stay unplanned
COST = 30  # what making a plan costs, in replays
CREDIT = MOST * COST  # what a model may spend before replays have paid for it
QUIET = 50  # steps without a change after which a model that changed all the time is tried again
CHANGING = "the model changes all the time"

_Losses: TypeAlias = "tuple[Callable[[list[Tensor]], None], list[int]]"
"""How a layer takes losses, and the positions among the outputs of those that it has added."""


class _Entry:
    """What is known of one kind of step."""

    __slots__ = (
        "changes",
        "graph",
        "guard",
        "losses",
        "outputs",
        "plan",
        "quiet",
        "recorded",
        "refused",
        "replayed",
    )

    def __init__(self) -> None:
        self.guard = Guard()  # of what the step met
        self.changes = -1  # of the guard when the step was recorded
        self.plan: Plan | None = None
        self.graph: Graph | None = None
        self.outputs: Structure = None  # structure of indices
        self.losses: list[_Losses] = []  # by layer: outputs that it has added
        self.recorded = self.replayed = self.quiet = 0
        self.refused: str | None = None

    def is_valid(self) -> bool:
        """Whether nothing changed since the step was recorded."""
        return self.changes == self.guard.check()

    def refusal(self) -> str:
        """Why it is not planned."""
        reason = self.refused or ""
        return f"{reason}: {self.guard.latest}" if reason is CHANGING else reason

    def is_open(self) -> bool:
        """Whether it has or may get a plan."""
        if self.refused is not CHANGING:
            return self.refused is None
        self.quiet = self.quiet + 1 if self.is_valid() else 0
        self.changes = self.guard.changes
        if self.quiet >= QUIET:
            self.refused, self.recorded, self.replayed, self.quiet = None, 0, 0, 0
        return self.refused is None


class _Switches:
    """Attributes such as `trainable` that steps of a kind look at; their owners are weakly held."""

    def __init__(self, before: _Switches | None, more: Iterable[tuple[object, str]]) -> None:
        known = [] if before is None else before._living()
        switches = dict.fromkeys([*known, *more])
        self._references = [(weakref.ref(owner), name) for owner, name in switches]
        self._ids = {(id(owner), name) for owner, name in switches}
        self._switchings = -1
        self._states: tuple[object, ...] = ()

    def _living(self) -> list[tuple[object, str]]:
        owners = [(reference(), name) for reference, name in self._references]
        return [(owner, name) for owner, name in owners if owner is not None]

    def knows(self, switches: Iterable[tuple[object, str]]) -> bool:
        """Whether all of these are among them."""
        return all((id(owner), name) in self._ids for owner, name in switches)

    def states(self) -> tuple[object, ...]:
        """The value of each, None where its owner is gone."""
        if self._switchings != guards.switchings:
            self._switchings = guards.switchings
            self._states = tuple(
                [getattr(reference(), name, None) for reference, name in self._references]
            )
        return self._states


class PlanCache:
    """The plans of one model."""

    def __init__(self) -> None:
        self._entries: dict[Hashable, _Entry] = {}
        self._choices: dict[Hashable, list[Choice]] = {}  # that steps of a kind make
        self._switches: dict[Hashable, _Switches] = {}  # that steps of a kind look at
        self._lock = threading.Lock()
        self._holder: int | None = None  # the thread that has the lock
        self._threads: set[int] = set()  # in which a step runs as it comes
        _all.add(self)
        self._memory: list[Array] = []  # that all plans share: one is replayed at a time
        self._spent = self._earned = 0  # recordings, and replays

    def renew_lock(self) -> None:
        """In a forked process: the thread that held the lock does not exist there."""
        self._lock, self._holder = threading.Lock(), None

    def __deepcopy__(self, memo: object) -> PlanCache:
        return PlanCache()

    def __reduce__(self) -> tuple[type[PlanCache], tuple[()]]:
        return PlanCache, ()

    def refusals(self) -> dict[Hashable, str]:
        """Why steps are not planned, by key."""
        return {key: entry.refusal() for key, entry in self._entries.items() if entry.refused}

    def run(
        self,
        kind: str,
        key: tuple[Hashable, ...] | None,
        leaves: Sequence[Array],
        batch: Structure,
        to_tensors: Callable[[Structure], Structure],
        step: Callable[[Structure], Structure],
        deliver: Callable[[Structure], Structure],
    ) -> Structure:
        """Do a step; `can_plan` holds.

        Args:
            kind: the kind of step.
            key: the kind, and shapes and dtypes of the batch; None where that has no plan.
            leaves: the arrays of the batch, of NumPy or of the backend, in order.
            batch: structure of arrays.
            to_tensors: makes of the batch the structure of tensors that the step takes.
            step: function of the structure; returns tensors, or what is not None.
            deliver: makes of the tensors, or of NumPy arrays with their values, which the next step
                overwrites, what is returned.
        """
        backend: Any = registry.active()

        def replay(plan: Plan) -> list[Array]:
            for buffer, leaf in zip(plan.inputs, leaves, strict=True):
                if isinstance(buffer, PackedText):
                    buffer[...] = packed(leaf, "A batch")
                elif type(leaf) is np.ndarray:
                    backend.write(buffer, leaf)
                else:
                    backend.copy_to(buffer, leaf)
            plan.do(plan.steps)
            if kind != "predict" and getattr(backend, "waits", False):
                return [Tensor(backend.copy(output), backend) for output in plan.outputs]
            return [
                output.numpy() if isinstance(output, PackedText) else backend.to_numpy(output)
                for output in plan.outputs
            ]

        return self._run(backend, kind, key, batch, to_tensors, step, deliver, replay)

    def call(
        self, kind: Hashable, tensors: list[Tensor], step: Callable[[list[Tensor]], Structure]
    ) -> Structure:
        """Do a step whose results belong to the caller; `can_plan` holds.

        Args:
            kind: the kind of step: hashable.
            tensors: what the step depends on, beside variables.
            step: function of the list.
        """
        backend: Any = registry.active()
        key = (kind, *[(tensor.shape, tensor.dtype) for tensor in tensors])

        def replay(plan: Plan) -> list[Tensor]:
            return [
                Tensor(array, backend) for array in plan.call([array.data for array in tensors])
            ]

        return self._run(backend, kind, key, tensors, _itself, step, _itself, replay)

    def _run(
        self,
        backend: SupportsPlans,
        kind: Hashable,
        key: tuple[Hashable, ...] | None,
        batch: Structure,
        to_tensors: Callable[[Structure], Structure],
        step: Callable[[Structure], Structure],
        deliver: Callable[[Structure], Structure],
        replay: Callable[[Plan], list[Any]],
    ) -> Structure:
        if key is not None:
            choices, switches = self._choices.get(kind, ()), self._switches.get(kind)
            answers = tuple([choice.ask() for choice in choices])
            key = (*key, backend, backend.plan_state(), answers, switches and switches.states())
        entry = self._entries.get(key)
        if key is None:
            pass
        elif entry is None and (self._can_pay() or len(self._entries) < MOST):
            for oldest in list(self._entries)[: 1 - MOST]:  # other threads may do the same
                self._entries.pop(oldest, None)
            self._entries[key] = _Entry()
        elif entry is not None and entry.is_open() and self._may_plan(kind, entry):
            self._holder = threading.get_ident()
            try:
                plan = entry.plan
                if plan is not None and entry.is_valid() and plan.ready():
                    entry.replayed += 1
                    self._earned += 1
                    outputs = replay(plan)
                    for replace_losses, positions in entry.losses:
                        replace_losses([_tensor(outputs[i]) for i in positions])
                    return deliver(_fill(entry.outputs, outputs))
                if self._can_pay():
                    return deliver(self._record(key, entry, batch, to_tensors, step))
            finally:
                self._holder = None
                self._lock.release()
        self._threads.add(threading.get_ident())
        try:
            with compile_ahead():
                return deliver(step(to_tensors(batch)))
        finally:
            self._threads.discard(threading.get_ident())

    def is_in_step(self) -> bool:
        """Whether this thread is inside a step that runs as it comes."""
        return threading.get_ident() in self._threads

    def _may_plan(self, kind: Hashable, entry: _Entry) -> bool:
        """Take the lock. Prediction waits for its plan, which rounds other than eager steps."""
        if self._holder == threading.get_ident():  # a function of the host inside a step
            return False
        waits = kind == "predict" and entry.plan is not None and not storage_lock.is_writer()
        return self._lock.acquire(blocking=waits)

    def _can_pay(self) -> bool:
        """Whether recording has been worth its while; not where shapes are too many."""
        return self._spent < CREDIT + self._earned

    def _record(
        self,
        key: tuple[Hashable, ...],
        entry: _Entry,
        batch: Structure,
        to_tensors: Callable[[Structure], Structure],
        step: Callable[[Structure], Structure],
    ) -> Structure:
        """Do a step and record it; the second time in a row that it is the same, make the plan."""
        kind, backend = key[0], _backend()
        if not entry.is_valid() or entry.plan is not None:
            entry.graph = entry.plan = None
        choices = self._choices.get(kind, [])
        recorder = Recorder(backend, choices)
        switchings, drawn = guards.switchings, host_randomness()
        with compile_ahead():
            # Handles of their own: one tensor may stand in two places now, and two later.
            batch = tree.map_structure(
                lambda leaf: leaf.handle() if isinstance(leaf, Tensor) else leaf, to_tensors(batch)
            )
            with recorder.recording():
                for leaf in tree.flatten(batch):
                    if isinstance(leaf, Tensor):
                        recorder.input(leaf)
                found = step(batch)
                indices = _give_outputs(recorder, found)
                entry.losses = _give_losses(recorder)
        if host_randomness() != drawn:
            recorder.fail("Python or NumPy draws random numbers")
        before, entry.graph = entry.graph, recorder.graph
        returned, entry.outputs = entry.outputs, indices
        changes_itself = recorder.guard.check() > 0 or guards.switchings != switchings
        entry.guard, entry.changes = recorder.guard, recorder.guard.changes
        entry.recorded += 1
        self._spent += 1
        unknown = [choice for choice in recorder.asked if choice not in choices]
        self._learn_switches(key, entry, recorder.switches, changes_itself)
        if unknown:  # from now on steps are looked up by the answers
            self._choices[kind] = choices + unknown
            self._entries = {key: e for key, e in self._entries.items() if e is not entry}
        elif recorder.failure is not None:
            entry.refused, entry.graph = recorder.failure, None
        elif changes_itself or recorder.is_cut:
            entry.graph = None
        elif before is not None:
            entry.refused = differences(before, recorder.graph, backend.to_numpy)
            if entry.refused is None and not _are_same(returned, indices):
                entry.refused = "two steps differ in what they return"
            if entry.refused is None:
                self._spent += COST
                try:
                    better = rewritten(recorder.graph, backend, may_round=kind == "predict")
                    entry.plan = Plan(better, backend, self._memory)
                except (Unplannable, MemoryError) as error:
                    entry.refused = str(error) or "there is no memory for it"
            entry.graph = None
        if entry.recorded > MOST and entry.replayed < entry.recorded * WORTH:
            entry.refused = entry.refused or CHANGING
            entry.graph = entry.plan = None
        return found

    def _learn_switches(
        self,
        key: tuple[Hashable, ...],
        entry: _Entry,
        switches: Iterable[tuple[object, str]],
        changes_itself: bool,
    ) -> None:
        """From now on, steps are looked up by the states of these switches."""
        known = self._switches.get(key[0])
        if known is not None and known.knows(switches):
            return
        known = self._switches[key[0]] = _Switches(known, switches)
        if self._entries.pop(key, None) is not None and not changes_itself:
            self._entries[(*key[:-1], known.states())] = entry


_all: weakref.WeakSet[PlanCache] = weakref.WeakSet()


def _new_locks() -> None:
    for plans in _all:
        plans.renew_lock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_new_locks)


def _backend() -> SupportsPlans:
    return cast("SupportsPlans", registry.active())


def can_plan() -> bool:
    """Whether the backend has plans, and nothing around the step watches its operations."""
    return (
        hasattr(registry.active(), "lowering")
        and observer.active() is None
        and not tape.active()
        and not graph.tracing()
        and recomputing.active() is None
    )


def _give_outputs(recorder: Recorder, found: Structure) -> Structure:
    """Tell which tensors a step returns; the structure with their positions."""
    position = 0

    def give(leaf: Structure) -> Structure:
        nonlocal position
        if not isinstance(leaf, Tensor):
            return leaf
        recorder.output(leaf)
        position += 1
        return _Position(position - 1)

    return tree.map_structure(give, found)


def _itself(found: T) -> T:
    return found


def _give_losses(recorder: Recorder) -> list[_Losses]:
    """Tell which losses layers hold in the end; their positions behind the other outputs."""
    found: dict[int, _Losses] = {}
    for layer, loss in recorder.losses:
        if any(loss is own for own in layer._own_losses.get(threading.get_ident(), [])):
            recorder.output(loss)
            _, positions = found.setdefault(id(layer), (layer._replace_losses, []))
            positions.append(len(recorder.graph.outputs) - 1)
    return list(found.values())


def _tensor(output: Tensor | np.ndarray) -> Tensor:
    """An output as tensor of its own."""
    return output if isinstance(output, Tensor) else from_numpy(output.copy())


class _Position(int):
    """Stands for an output."""


def _are_same(value: Structure, other: Structure) -> bool:
    """Whether what a step returns beside tensors is the same."""
    leaves, others = tree.flatten(value), tree.flatten(other)
    return len(leaves) == len(others) and all(map(_is_same, leaves, others))


def _is_same(value: object, other: Any) -> bool:
    if value is other or type(value) is not type(other):
        return value is other
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tobytes() == other.tobytes()
    return isinstance(value, (int, float, str)) and value == other


def _fill(structure: Structure, arrays: list[Tensor]) -> Structure:
    if structure is None:
        return None
    if type(structure) is _Position:
        return arrays[structure]
    return tree.map_structure(
        lambda leaf: arrays[leaf] if type(leaf) is _Position else leaf, structure
    )
