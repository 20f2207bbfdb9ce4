"""Gradients of a loop: the rounds once more from the last to the first, as a loop of their own.

The entries that a tape has of one recorded round are followed back once, on its tensors, and taken
down: that is the body of the other loop. What they save has a row for each round. Sums come in the
order in which the rounds one by one would have made them: a round gets the gradients by what all
rounds share as they are so far, and that by its carry begins with the one by the result that it is.

Which gradients there are may differ in the rounds that are first followed back, so those are done
one by one, as is the very first round, until two of them are the same.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from nkeras.core import observer, tape
from nkeras.core.gradient_rule import backward
from nkeras.core.spec import Spec
from nkeras.core.tape import Block, Entry
from nkeras.core.tensor import Tensor
from nkeras.ops.shape import concatenate, expand_dims, section
from nkeras.ops.subscripts import getitem
from nkeras.replay.graph import Call, Graph, Loop
from nkeras.replay.rounds import done, inlined

if TYPE_CHECKING:
    from nkeras.replay.record import Recorder
    from nkeras.replay.turns import Turn

_FEWEST = 4  # rounds that are worth a loop


def is_plain(entry: object) -> bool:
    """Whether an entry of a tape is one call of a primitive."""
    if not isinstance(entry, Entry) or not isinstance(entry.backward, functools.partial):
        return False
    return entry.backward.func is backward


def rules_of(entry: Entry) -> list[object]:
    """The gradient rules of a plain entry."""
    return [rule for rule, _ in _calls_of(entry)]


def tensors_saved_by(entries: Sequence[Entry]) -> list[Tensor]:
    """The tensors that plain entries save."""
    found: dict[int, Tensor] = {}
    for entry in entries:
        for _, saves in _calls_of(entry):
            for value in saves.values():
                for tensor in value if isinstance(value, (list, tuple)) else (value,):
                    if isinstance(tensor, Tensor):
                        found[tensor.uid] = tensor
    return list(found.values())


def _calls_of(entry: Entry) -> Sequence[tuple[object, dict[str, object]]]:
    assert isinstance(entry.backward, functools.partial)
    return entry.backward.args[0]


class Round(NamedTuple):
    """A round back.

    Attributes:
        graph: its calls; inputs are the gradients that it begins with, and what is saved.
        found: uids of the tensors whose gradients are its outputs.
    """

    graph: Graph
    found: list[int]


class LoopBlock(Block):
    """A loop on a tape.

    Args:
        recorder: of the step that has the loop.
        turn: the round that was recorded.
        entries: what the tape had of it.
        loop: the loop.
        stacks: tensors that it reads by the row.
        last: its last carries.
        results: its other results, a row for each round.
        saved: tensors of the round that its entries save, and their rows for all rounds; None where
            they are the same in all.

    Attributes:
        shared: uids of tensors from outside that all rounds use.
    """

    def __init__(
        self,
        recorder: Recorder,
        turn: Turn,
        entries: Sequence[Entry],
        loop: Loop,
        stacks: Sequence[Tensor],
        last: Sequence[Tensor],
        results: Sequence[Tensor],
        saved: Sequence[tuple[Tensor, Tensor | None]],
    ) -> None:
        self._backend = recorder.backend
        self._recorder = type(recorder)
        self._entries = entries
        self._count, self._backwards = loop.length, loop.backwards
        self._stacks, self._last, self._results = stacks, last, results
        self._saved = sorted(saved, key=lambda pair: pair[1] is None)
        self._given = [tensor.uid for tensor in turn.given]
        self._rows = [tensor.uid for tensor in turn.rows]
        self._made = [tensor.uid for tensor in turn.made]
        self._made_specs = [Spec(tensor.shape, tensor.dtype) for tensor in turn.made]
        self._row_specs = [Spec(tensor.shape, tensor.dtype) for tensor in turn.rows]
        self._result_uids = [tensor.uid for tensor in turn.results]
        own = {*self._given, *self._rows, *(uid for entry in entries for uid in entry.outputs)}
        uids = [uid for entry in entries for uid in entry.inputs]
        self.shared = list(dict.fromkeys(u for u in uids if u is not None and u not in own))
        self._known: dict[tuple[int, ...], Round | None] = {}

    def is_possible(self) -> bool:
        """Whether a round can be followed back."""
        seeds = {
            uid: tape.zeros(spec) for uid, spec in zip(self._made, self._made_specs, strict=True)
        }
        return self._round(seeds) is not None

    def accumulate(self, grads: dict[int, Tensor], wanted: set[int]) -> None:
        """Follow all rounds back."""

        def take(tensor: Tensor) -> Tensor | None:
            uid = tensor.uid
            return grads.get(uid) if uid in wanted else grads.pop(uid, None)

        carry = [take(tensor) for tensor in self._last]
        upstream = [take(tensor) for tensor in self._results]
        if all(gradient is None for gradient in (*carry, *upstream)):
            return
        pieces: list[list[Tensor | None]] = []  # by round, the last first: gradients by its rows
        loops: tuple[int, list[Tensor | None]] | None = None  # behind which of them, and theirs
        before: tuple[int, ...] = ()
        r = self._count - 1
        while r >= 0:
            seeds = self._seeds(r, carry, upstream, grads)
            if tuple(seeds) == before and r > _FEWEST and loops is None and not tape.active():
                made = self._repeat(r, seeds, upstream)
                if made is not None:
                    carry, shared, stacks = made
                    grads.update(shared)
                    loops, r = (len(pieces), stacks), 0
                    continue
            found = self._follow(r, seeds)
            carry = [found.get(uid) for uid in self._given]
            grads.update((uid, found[uid]) for uid in self.shared if uid in found)
            pieces.append([found.get(uid) for uid in self._rows])
            before = tuple(seeds)
            r -= 1
        for uid, gradient in zip(self._made, carry, strict=True):
            if gradient is not None:
                grads[uid] = gradient
        self._add_rows(grads, pieces, loops)

    def _seeds(
        self,
        r: int,
        carry: Sequence[Tensor | None],
        upstream: Sequence[Tensor | None],
        grads: dict[int, Tensor],
    ) -> dict[int, Tensor]:
        """The gradients that round r begins with, by uids of the recorded round."""
        seeds = {uid: one for uid, one in zip(self._made, carry, strict=True) if one is not None}
        seeds |= {uid: grads[uid] for uid in self.shared if uid in grads}
        if r == 0:
            for uid, made in zip(self._given, self._made, strict=True):
                if made in grads:
                    seeds[uid] = grads.pop(made)
        for uid, stack in zip(self._result_uids, upstream, strict=True):
            key, before = self._key(uid)
            if stack is None or r < before:
                continue
            row = self._row(stack, r - before)
            seeds[key] = seeds[key] + row if key in seeds else row
        return seeds

    def _key(self, result: int) -> tuple[int, int]:
        """Where the gradient by a result begins: a carry's is already there in the round behind."""
        if result in self._made:
            return self._given[self._made.index(result)], 1
        return result, 0

    def _row(self, stack: Tensor, r: int) -> Tensor:
        return getitem(stack, self._count - 1 - r if self._backwards else r)

    def _section(self, stack: Tensor, first: int, last: int) -> Tensor:
        """The rows of some rounds."""
        if self._backwards:
            first, last = self._count - last, self._count - first
        return section(stack, 0, first, last)

    def _round(self, seeds: dict[int, Tensor]) -> Round | None:
        """A round back that begins with gradients by these; None where it cannot be taken down."""
        keys = tuple(seeds)
        if keys not in self._known:
            self._known[keys] = self._taken_down(seeds)
        return self._known[keys]

    def _taken_down(self, seeds: dict[int, Tensor]) -> Round | None:
        recorder = self._recorder(self._backend)
        begin = [Tensor(seed.data, seed.backend) for seed in seeds.values()]
        sources = {*self._given, *self._rows, *self.shared}
        with tape.paused(), recorder.recording():
            for tensor in (*begin, *[tensor for tensor, _ in self._saved]):
                recorder.input(tensor)
            grads = dict(zip(seeds, begin, strict=True))
            for entry in reversed(self._entries):
                tape.follow(entry, grads, sources)
            found = {uid: one for uid, one in grads.items() if uid in sources}
            for tensor in found.values():
                recorder.output(tensor)
        graph = recorder.graph
        is_plain = all(isinstance(step, Call) for step in graph.steps)
        return Round(graph, list(found)) if recorder.failure is None and is_plain else None

    def _follow(self, r: int, seeds: dict[int, Tensor]) -> dict[int, Tensor]:
        """The gradients that round r ends with, by uids of the recorded round."""
        round_ = self._round(seeds)
        assert round_ is not None
        saved = [one if rows is None else self._row(rows, r) for one, rows in self._saved]
        results = inlined(round_.graph, [*seeds.values(), *saved], self._backend)
        return dict(zip(round_.found, results, strict=True))

    def _repeat(
        self, last: int, seeds: dict[int, Tensor], upstream: Sequence[Tensor | None]
    ) -> tuple[list[Tensor | None], dict[int, Tensor], list[Tensor | None]] | None:
        """Rounds `last` to 1: the gradients by carries, by what is shared, and by rows."""
        round_ = self._round(seeds)
        recorder = observer.active()
        if round_ is None or not (recorder is None or isinstance(recorder, self._recorder)):
            return None
        stacks: list[Tensor] = []
        keys: list[int] = []  # of gradients that go on from round to round
        for uid in seeds:
            if uid in self._made or uid in self.shared:
                keys.append(uid)
        for uid in list(seeds)[len(keys) :]:
            for result, stack in zip(self._result_uids, upstream, strict=True):
                key, before = self._key(result)
                if key == uid and stack is not None:
                    stacks.append(self._section(stack, 1 - before, last + 1 - before))
        ends = [self._given[self._made.index(k)] if k in self._made else k for k in keys]
        if len(stacks) + len(keys) != len(seeds) or any(end not in round_.found for end in ends):
            return None
        stacks += [self._section(rows, 1, last + 1) for _, rows in self._saved if rows is not None]
        shared = [one for one, rows in self._saved if rows is None]
        rows = [uid for uid in self._rows if uid in round_.found]
        outputs = [round_.graph.outputs[round_.found.index(uid)] for uid in (*ends, *rows)]
        graph = round_.graph._replace(outputs=outputs)
        loop = Loop(graph, len(keys), len(stacks), last, not self._backwards)
        given = [*(seeds[key] for key in keys), *stacks, *shared]
        results = done(loop, given, self._backend)
        if results is None:
            return None
        if recorder is not None:
            recorder.loop(loop, given, results)
        found = dict(zip(ends, results, strict=False))
        of_rows = dict(zip(rows, results[len(ends) :], strict=True))
        carry = [found.get(uid) for uid in self._given]
        return (
            carry,
            {uid: one for uid, one in found.items() if uid in self.shared},
            [of_rows.get(uid) for uid in self._rows],
        )

    def _add_rows(
        self,
        grads: dict[int, Tensor],
        pieces: Sequence[Sequence[Tensor | None]],
        loops: tuple[int, list[Tensor | None]] | None,
    ) -> None:
        """Add the gradients by the stacks."""
        for k, (stack, spec) in enumerate(zip(self._stacks, self._row_specs, strict=True)):
            found = [piece[k] for piece in pieces]
            middle = None if loops is None else loops[1][k]
            if middle is None and all(row is None for row in found):
                continue
            rows = [expand_dims(tape.zeros(spec) if one is None else one, 0) for one in found]
            if loops is not None:
                missing = Spec((self._count - len(rows), *spec.shape), spec.dtype)
                rows.insert(loops[0], tape.zeros(missing) if middle is None else middle)
            total = concatenate(rows if self._backwards else rows[::-1], axis=0)
            uid = stack.uid
            grads[uid] = grads[uid] + total if uid in grads else total
