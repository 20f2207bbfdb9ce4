"""Replay: a lowered step, done again with what its inputs and variables hold now."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from nkeras.backend.protocol import Array, Backend, Binding, Step
from nkeras.core import storage_lock, variable
from nkeras.core.variable import Variable
from nkeras.replay.graph import Graph
from nkeras.replay.lower import lower


class Plan:
    """A step that can be replayed, by one caller at a time.

    Args:
        graph: the recorded step.
        backend: the backend it ran on.
        memory: list that plans share of which only one is replayed at a time.

    Attributes:
        inputs: the buffers to fill before the steps.
        outputs: the arrays that the steps leave their results in.
        steps: functions with their arguments, to `do`.

    Raises:
        Unplannable: the step cannot be replayed.
    """

    def __init__(self, graph: Graph, backend: Backend, memory: list[Array] | None = None) -> None:
        self.graph = graph
        self._written = list(graph.assigned)
        self._read = [
            value.source
            for value in graph.values
            if value.kind == "variable" and value.source not in graph.assigned
        ]
        self._variables = frozenset(self._written or self._read)
        lowered = lower(graph, backend, [] if memory is None else memory)
        self.inputs, self.outputs, self._unfrozen, self._early, parts, self._lowering = lowered
        for part in parts:
            part[:] = self._lowering.freeze(part)
        self.steps = self._lowering.freeze(self._unfrozen)
        # Of the variables in _read, when the early steps were done.
        self._versions: list[int] | None = None
        self._changes = -1
        self._moves = -1

    def ready(self) -> bool:
        """Whether it can be replayed now; brings its variables back from other backends."""
        if self._moves != variable.moves:
            self._moves = variable.moves
            for held in (*self._written, *self._read):
                held.storage()
        return self._lowering.ready()

    def call(self, given: Sequence[Array]) -> list[Array]:
        """Do the step again for these inputs; the outputs belong to the caller."""
        return self._binding.run(given, self.do)

    @cached_property
    def _binding(self) -> Binding:
        return self._lowering.bind(self._unfrozen, self._early, self.inputs, self.outputs)

    def do(self, steps: Sequence[Step]) -> None:
        """Do `steps`, or the same on other arrays, with what `inputs` and the variables hold."""
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
