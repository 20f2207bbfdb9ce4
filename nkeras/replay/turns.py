"""Turns: the rounds of a loop in a recorded step, and when the others need not be recorded.

The first rounds run as they come. Where two that follow each other are the same, call by call, the
calls of one are the body of a loop, which does the others without Python; see `Loop`. The last
round runs as it comes again, so that what Python keeps is that of the last one.

Rounds are not the same, and all of them are in the plan one by one, where they draw random numbers,
assign variables, add losses, ask the host, or use what Python changes from round to round.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from nkeras.core.host import Live
from nkeras.core.tape import Entry, GradientTape
from nkeras.core.tensor import Tensor
from nkeras.replay.compare import differences
from nkeras.replay.graph import Call, Graph, Loop, Value
from nkeras.replay.randomness import host_randomness
from nkeras.replay.rounds import done
from nkeras.replay.turns_back import LoopBlock, is_plain, rules_of, tensors_saved_by

if TYPE_CHECKING:
    from nkeras.replay.record import Recorder


class Turn(NamedTuple):
    """One round.

    Attributes:
        slots: of the loop's carries, positions of those that change, each once.
        carries: the loop's carries in the end.
        given: the carries that it began with, in those positions.
        rows: what it got beside them.
        made: the new carries, in those positions.
        results: what else it gave.
        steps: positions in the graph, of its first call and behind its last.
        entries: the same on the tape.
        seen: by index, the tensors that its calls were given.
    """

    slots: list[int]
    carries: list[Tensor]
    given: list[Tensor]
    rows: list[Tensor]
    made: list[Tensor]
    results: list[Tensor]
    steps: tuple[int, int]
    entries: tuple[int, int]
    seen: dict[int, Tensor]


class Body(NamedTuple):
    """The calls of a round.

    Attributes:
        places: for values of the step, which value of the body each is.
        shared: indices of the values of the step that are the same in all rounds.
    """

    graph: Graph
    places: dict[int, int]
    shared: list[int]


class Turns:
    """The rounds of one loop while they are recorded; see `nkeras.core.observer.Turns`.

    Args:
        recorder: of the step.
        tape: the one that records it too.
    """

    def __init__(self, recorder: Recorder, tape: GradientTape | None) -> None:
        self._recorder = recorder
        self._tape = tape
        self._last: Turn | None = None
        self._before: Turn | None = None
        self._body: Body | None = None
        self._begun: tuple[Any, ...] = ()
        self._outer: dict[int, Tensor] | None = None
        self._is_possible = True

    def begin(self, carries: Sequence[Any], rows: Sequence[Any]) -> None:
        """A round begins with these tensors."""
        recorder = self._recorder
        for leaf in (*carries, *rows):
            if type(leaf) is Tensor:
                recorder.vary(leaf)
        self._outer, recorder.seen = recorder.seen, {}
        self._begun = (list(carries), list(rows), *self._position(), self._facts())

    def end(self, carries: Sequence[Any], results: Sequence[Any]) -> None:
        """It has made these."""
        given, rows, step, entry, facts = self._begun
        seen = self._recorder.seen or {}
        self._recorder.seen = self._outer if self._outer is None else {**self._outer, **seen}
        self._is_possible = self._is_possible and self._facts() == facts
        self._before, self._last = self._last, None
        if not all(type(leaf) is Tensor for leaf in (*given, *rows, *carries, *results)):
            return
        if _pattern(given) != _pattern(carries):
            return
        pattern = _pattern(given)
        slots = [i for i, k in enumerate(pattern) if i == k and given[i].uid != carries[i].uid]
        last_step, last_entry = self._position()
        self._last = Turn(
            slots,
            list(carries),
            [given[i] for i in slots],
            rows,
            [carries[i] for i in slots],
            list(results),
            (step, last_step),
            (entry, last_entry),
            seen,
        )

    def _position(self) -> tuple[int, int]:
        return len(self._recorder.graph.steps), 0 if self._tape is None else self._tape.count()

    def _facts(self) -> tuple[Any, ...]:
        """What a round that others can repeat leaves as it is."""
        recorder = self._recorder
        counts = len(recorder.losses), len(recorder.asked), recorder.assignments
        is_sound = recorder.failure is None and not recorder.is_cut and recorder.guard.check() == 0
        return (*counts, is_sound, host_randomness())

    def are_alike(self) -> bool:
        """Whether the last two rounds were the same, so that others may be a loop."""
        before, last = self._before, self._last
        if before is None or last is None or not self._is_possible or not self._facts()[3]:
            return False
        if before.slots != last.slots or not _have_same_specs(last):
            return False
        if self._tape is not None and not _are_alike_on_tape(self._tape, before, last):
            return False
        first, second = self._body_of(before), self._body_of(last)
        if first is None or second is None or first.shared != second.shared:
            return False
        if differences(first.graph, second.graph, self._recorder.backend.to_numpy) is not None:
            return False
        self._body = second
        return True

    def _body_of(self, turn: Turn) -> Body | None:
        """The calls of a round as a graph of their own."""
        recorder = self._recorder
        values: list[Value] = []
        places: dict[int, int] = {}
        shared: list[int] = []

        def add(i: int, value: Value) -> int:
            values.append(value)
            places[i] = len(values) - 1
            return places[i]

        def place(i: int) -> int:
            if i in places:
                return places[i]
            value = recorder.graph.values[i]
            if value.kind == "constant":
                return add(i, value)
            shared.append(i)
            position = len(turn.given) + len(turn.rows) + len(shared) - 1
            return add(i, value._replace(kind="input", source=position))

        for position, tensor in enumerate((*turn.given, *turn.rows)):
            i = recorder.index(tensor)
            if i in places:
                return None  # the same value in two places
            add(i, Value("input", position, tensor.shape, tensor.dtype))
        steps: list[Any] = []
        for step in recorder.graph.steps[slice(*turn.steps)]:
            if isinstance(step, Call):
                if any(type(value) is Live for value in step.static.values()):
                    return None
            elif not isinstance(step, Loop):
                return None
            inputs = tuple(None if i is None else place(i) for i in step.inputs)
            outputs = tuple(
                None if i is None else add(i, recorder.graph.values[i]) for i in step.outputs
            )
            steps.append(step._replace(inputs=inputs, outputs=outputs))
        outputs = [place(recorder.index(tensor)) for tensor in (*turn.made, *turn.results)]
        return Body(Graph(values, steps, {}, outputs), places, shared)

    def repeat(
        self, stacks: Sequence[Tensor], count: int, backwards: bool
    ) -> tuple[list[Tensor], list[tuple[Tensor, Tensor | None]]] | None:
        """Do more rounds without Python; see `nkeras.core.observer.Turns.repeat`."""
        turn, body, recorder = self._last, self._body, self._recorder
        assert turn is not None
        assert body is not None
        entries = self._entries_of(turn)
        kept, saved = self._kept(turn, body, entries)
        graph = body.graph._replace(outputs=[*body.graph.outputs, *kept])
        own = len(turn.made) + len(turn.results)
        loop = Loop(graph, len(turn.made), len(turn.rows), count, backwards)
        given = [*turn.made, *stacks, *(turn.seen[i] for i in body.shared)]
        results = done(loop, given, recorder.backend)
        if results is None:
            return None
        last, made = results[: len(turn.made)], results[len(turn.made) : own]
        if self._tape is not None and entries:
            sources = {"stack": stacks, "result": made, "kept": results[own:]}
            rows = [(one, place and sources[place[0]][place[1]]) for one, place in saved]
            block = LoopBlock(recorder, turn, entries, loop, stacks, last, made, rows)
            if not block.is_possible():
                return None
            pairs = zip((*turn.made, *turn.results), (*last, *made), strict=True)
            tracked = [new for old, new in pairs if self._tape.tracked([old])[0] is not None]
            self._tape.append_block(block, tracked)
        recorder.loop(loop, given, results)
        carry_of = {old.uid: new for old, new in zip(turn.made, last, strict=True)}
        carries = [carry_of.get(one.uid, one) for one in turn.carries]
        pairs = zip(turn.results, made, strict=True)
        return carries, [(rows, carry_of.get(one.uid)) for one, rows in pairs]

    def _entries_of(self, turn: Turn) -> list[Entry]:
        entries = [] if self._tape is None else self._tape.entries(*turn.entries)
        return [entry for entry in entries if isinstance(entry, Entry)]

    def _kept(
        self, turn: Turn, body: Body, entries: Sequence[Entry]
    ) -> tuple[list[int], list[tuple[Tensor, tuple[str, int] | None]]]:
        """Values of the body whose rows gradients need, and where what entries save is found."""
        carries, rows = len(turn.given), len(turn.rows)
        results = body.graph.outputs[carries:]
        own = set(range(carries + rows))
        own |= {i for step in body.graph.steps for i in _outputs(step) if i is not None}
        kept: dict[int, int] = {}
        saved: list[tuple[Tensor, tuple[str, int] | None]] = []
        for tensor in tensors_saved_by(entries):
            if not self._recorder.is_known(tensor):
                continue
            i = body.places.get(self._recorder.index(tensor))
            place = None
            if i is None or i not in own:
                pass
            elif carries <= i < carries + rows:
                place = "stack", i - carries
            elif i in results:
                place = "result", results.index(i)
            else:
                place = "kept", kept.setdefault(i, len(kept))
            saved.append((tensor, place))
        return list(kept), saved


def _outputs(step: Any) -> tuple[int | None, ...]:
    return step.outputs


def _pattern(tensors: Sequence[Tensor]) -> list[int]:
    """For each tensor the first position at which it stands."""
    uids = [tensor.uid for tensor in tensors]
    return [uids.index(uid) for uid in uids]


def _have_same_specs(turn: Turn) -> bool:
    return all(
        (one.shape, one.dtype) == (other.shape, other.dtype)
        for one, other in zip(turn.given, turn.made, strict=True)
    )


def _are_alike_on_tape(tape: GradientTape, before: Turn, last: Turn) -> bool:
    """Whether a tape has the same of two rounds, so that one stands for all of them."""
    entries = tape.entries(*last.entries)
    described = _described(entries, last)
    if described is None or described != _described(tape.entries(*before.entries), before):
        return False
    tracked = [uid for uid in tape.tracked([*last.made, *last.results]) if uid is not None]
    inside = {uid for entry in entries for uid in getattr(entry, "outputs", ())}
    inside |= {tensor.uid for tensor in (*last.given, *last.rows)}
    if any(uid not in inside for uid in tracked):
        return False
    given, made, results = (
        [tensor.uid for tensor in tensors] for tensors in (last.given, last.made, last.results)
    )
    if len(set(results)) < len(results):
        return False
    # A result that is a carry: the gradient by it is where that by the carry begins.
    both = [old for old, new in zip(given, made, strict=True) if new in results]
    return not any(uid in made or uid in results for uid in both) and not any(
        uid in given and uid in made for uid in results
    )


def _described(entries: Sequence[Any], turn: Turn) -> list[Any] | None:
    """The entries of a round, with tensors by where they come from."""
    names: dict[int, tuple[str, int]] = {}
    for kind, tensors in (("given", turn.given), ("row", turn.rows)):
        names |= {tensor.uid: (kind, i) for i, tensor in enumerate(tensors)}
    described: list[Any] = []
    for entry in entries:
        if not is_plain(entry):
            return None
        inputs = [None if uid is None else names.get(uid, uid) for uid in entry.inputs]
        described.append((rules_of(entry), inputs, [uid is not None for uid in entry.outputs]))
        for uid in entry.outputs:
            if uid is not None:
                names[uid] = ("made", len(names))
    for kind, tensors in (("carry", turn.made), ("result", turn.results)):
        described.append((kind, [names.get(tensor.uid) for tensor in tensors]))
    return described
