"""GradientTape: an append-only list of entries, walked back once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from nkeras.core import dtypes, tree
from nkeras.core.compile_ahead import compile_ahead
from nkeras.core.errors import short
from nkeras.core.scope import Scope
from nkeras.core.spec import Spec
from nkeras.core.tensor import Operators, Tensor, as_tensor, filled, from_numpy
from nkeras.core.tracebacks import entry
from nkeras.core.typing import AnyTensor, Gradients, Structure

if TYPE_CHECKING:
    from nkeras.core.variable import Variable

_tapes: ContextVar[tuple[GradientTape, ...]] = ContextVar("nkeras_tapes", default=())
active: Callable[[], tuple[GradientTape, ...]] = _tapes.get


def paused(*tapes: GradientTape) -> Scope[tuple[GradientTape, ...]]:
    """Record nothing (or nothing on these tapes) inside the block."""
    return Scope(_tapes, tuple([tape for tape in active() if tapes and tape not in tapes]))


def recording_on(*tapes: GradientTape) -> Scope[tuple[GradientTape, ...]]:
    """Record on these tapes alone inside the block."""
    return Scope(_tapes, tapes)


Backward: TypeAlias = "Callable[[Sequence[Tensor | None], Sequence[Spec]], Gradients]"


class Entry(NamedTuple):
    """One call: its backward function, and uids of what is tracked of its inputs and outputs."""

    backward: Backward
    inputs: Sequence[int | None]
    outputs: list[int | None]
    specs: list[Spec]


class Block:
    """Many calls as one, which adds to the gradients found so far in the order of its calls."""

    def accumulate(self, grads: dict[int, Tensor], wanted: set[int]) -> None:
        """Follow the gradients back.

        Args:
            grads: by uid, those found so far; changed in place.
            wanted: uids whose gradients stay.
        """
        raise NotImplementedError


class GradientTape:
    """Records operations on watched tensors and variables, to differentiate them.

    Args:
        persistent: keep what was recorded, so that `gradient` can be called several times.
        watch_accessed_variables: watch every trainable variable when it is read.

    Example:
        >>> import nkeras
        >>> x = nkeras.ops.convert_to_tensor(3.0)
        >>> with nkeras.GradientTape() as tape:
        ...     tape.watch(x)
        ...     y = x * x
        >>> float(tape.gradient(y, x))
        6.0

    Source: https://www.tensorflow.org/api_docs/python/tf/GradientTape
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        self._persistent = persistent
        self._watch_variables = watch_accessed_variables
        self.reset()

    def reset(self) -> None:
        """Forget everything recorded and watched."""
        self._entries: list[Entry | Block] = []
        self._tracked: set[int] = set()
        self._variables: dict[int, tuple[Variable, list[int]]] = {}
        self._used = False

    def __enter__(self) -> GradientTape:
        if self in active():
            raise ValueError("The tape is recording already.")
        _tapes.set((*active(), self))
        return self

    def __exit__(self, *exception: object) -> None:
        _tapes.set(tuple([tape for tape in active() if tape is not self]))

    def watch(self, tensor: Structure) -> None:
        """Watch a tensor, a variable, or a nested structure of them.

        Raises:
            ValueError: something else, or a tensor that is not floating, is to be watched.
        """
        for leaf in tree.flatten(tensor):
            if isinstance(leaf, Tensor):
                if not dtypes.is_differentiable(leaf.dtype):
                    raise ValueError(
                        f"Only floating and complex tensors can be watched, not {leaf.dtype}."
                    )
                self._tracked.add(leaf.uid)
                continue
            value = getattr(leaf, "value", None)  # of a variable
            if not isinstance(value, Tensor):
                raise ValueError(
                    f"Only tensors and variables can be watched. Received: {short(leaf)}"
                )
            self.read(leaf, value, explicit=True)

    def read(self, variable: Variable, value: Tensor, explicit: bool = False) -> None:
        """Called when a variable's value is read while the tape records."""
        if not explicit and not (self._watch_variables and variable.trainable):
            return
        if dtypes.is_differentiable(value.dtype):
            self._tracked.add(value.uid)
            known = self._variables.get(id(variable))
            if known is None:
                self._variables[id(variable)] = (variable, [value.uid])
            elif value.uid not in known[1]:
                known[1].append(value.uid)

    def watched_variables(self) -> list[Variable]:
        """The variables watched so far."""
        return [variable for variable, _ in self._variables.values()]

    def tracked(self, tensors: Sequence[Tensor | None]) -> list[int | None]:
        """The uids of those tensors that depend on something watched."""
        known = self._tracked
        return [None if t is None or t.uid not in known else t.uid for t in tensors]

    def append(
        self, backward: Backward, inputs: Sequence[int | None], outputs: Sequence[Tensor | None]
    ) -> None:
        """Record one call: `backward(output gradients, output specs)` gives input gradients.

        Args:
            backward: gives a gradient, or None, for each input.
            inputs: what `tracked` says of them.
            outputs: results of the call; they are tracked from now on.
        """
        uids: list[int | None] = []
        specs = []
        for output in outputs:
            if output is None:
                uids.append(None)
                specs.append(Spec((), "float32"))
                continue
            differentiable = dtypes.is_differentiable(output.dtype)
            uids.append(output.uid if differentiable else None)
            specs.append(Spec(output.shape, output.dtype))
            if differentiable:
                self._tracked.add(output.uid)
        self._entries.append(Entry(backward, inputs, uids, specs))

    # What repeats calls puts them onto the tape as one; see `nkeras.replay.turns`.

    @property
    def is_persistent(self) -> bool:
        """Whether gradients can be asked for several times."""
        return self._persistent

    def count(self) -> int:
        """How many entries there are."""
        return len(self._entries)

    def entries(self, first: int, last: int) -> list[Entry | Block]:
        """The entries from `first` to before `last`."""
        return self._entries[first:last]

    def append_block(self, block: Block, outputs: Sequence[Tensor]) -> None:
        """Record many calls; the outputs are tracked from now on."""
        self._tracked.update(output.uid for output in outputs)
        self._entries.append(block)

    def stop_recording(self) -> Scope[tuple[GradientTape, ...]]:
        """Record nothing on this tape inside the block."""
        return paused(self)

    @entry
    def gradient(
        self,
        target: Structure,
        sources: Structure,
        output_gradients: Structure = None,
        unconnected_gradients: str = "none",
    ) -> Structure:
        """Gradients of the sum of `target` by `sources`.

        Args:
            target: tensor or structure of tensors.
            sources: tensor or variable, or a structure of them.
            output_gradients: gradients of `target`, same structure; ones by default.
            unconnected_gradients: `"none"` or `"zero"`: what stands for sources that `target` does
                not depend on.

        Returns:
            The structure of `sources` with tensors of the sources' shapes.

        Raises:
            RuntimeError: a tape that is not persistent is asked a second time.
        """
        if unconnected_gradients not in ("none", "zero"):
            raise ValueError(
                'GradientTape.gradient: argument `unconnected_gradients` must be "none" or "zero". '
                f"Received: {short(unconnected_gradients)}"
            )
        if self._used:
            raise RuntimeError(
                "A tape that is not persistent gives gradients only once; "
                "use GradientTape(persistent=True)."
            )
        self._used = not self._persistent
        seeds = self._seeds(target, output_gradients)
        flat = tree.flatten(sources)
        uids = [self._uids(source) for source in flat]
        wanted = {uid for group in uids for uid in group}
        if self._persistent:
            grads = self._walk(seeds, wanted)
        else:
            with compile_ahead(), paused(self):
                grads = self._walk(seeds, wanted)

        found = []
        for i, source in enumerate(flat):
            total = None
            for uid in uids[i]:
                if uid in grads:
                    total = grads[uid] if total is None else _add(total, grads[uid])
            if total is None and unconnected_gradients == "zero":
                total = zeros(Spec(tuple(source.shape), source.dtype))
            found.append(total)
        return tree.pack_sequence_as_from(sources, iter(found))

    def jacobian(
        self, target: Structure, sources: Structure, unconnected_gradients: str = "none"
    ) -> Structure:
        """Derivatives of each element of `target` by each element of `sources`.

        Args:
            target: one tensor.
            sources: tensor or variable, or a structure of them.
            unconnected_gradients: as in `gradient`.

        Returns:
            The structure of `sources`, tensors of shape `target.shape + source.shape`.
        """
        was_used, persistent = self._used, self._persistent
        if was_used:
            raise RuntimeError(
                "A tape that is not persistent gives gradients only once; "
                "use GradientTape(persistent=True)."
            )
        self._persistent = True
        rows = []
        for i in range(target.size):
            unit = np.zeros(target.size, "float32")
            unit[i] = 1.0
            seed = from_numpy(unit.reshape(target.shape), target.dtype)
            rows.append(self.gradient(target, sources, seed, unconnected_gradients))
        self._persistent, self._used = persistent, not persistent
        if not persistent:
            self._entries.clear()
        stack, reshape = Operators.operators["stack"], Operators.operators["reshape"]

        def join(source: AnyTensor, *gradients: Tensor | None) -> Tensor | None:
            if gradients[0] is None:
                return None
            return reshape(stack(gradients), (*target.shape, *source.shape))

        return tree.map_structure(join, sources, *rows)

    def _seeds(self, target: Structure, output_gradients: Structure) -> dict[int, Tensor]:
        targets = tree.flatten(target)
        given = (
            [None] * len(targets) if output_gradients is None else tree.flatten(output_gradients)
        )
        seeds: dict[int, Tensor] = {}
        if len(given) != len(targets):
            raise ValueError(f"{len(targets)} targets cannot have {len(given)} output gradients.")
        for i, leaf in enumerate(targets):
            gradient = given[i]
            if not isinstance(leaf, Tensor):
                raise ValueError(
                    f"The target of a gradient must be a tensor. Received: {short(leaf)}"
                )
            seed = ones(Spec(leaf.shape, leaf.dtype)) if gradient is None else as_tensor(gradient)
            if seed.shape != leaf.shape:
                raise ValueError(
                    f"An output gradient has shape {seed.shape}, its target {leaf.shape}."
                )
            seeds[leaf.uid] = _add(seeds[leaf.uid], seed) if leaf.uid in seeds else seed
        return seeds

    def _walk(self, grads: dict[int, Tensor], wanted: set[int]) -> dict[int, Tensor]:
        """Entries (with their saves) and gradients are dropped as soon as they are used."""
        entries = self._entries
        for i in range(len(entries) - 1, -1, -1):
            entry = entries[i] if self._persistent else entries.pop()
            if isinstance(entry, Block):
                entry.accumulate(grads, wanted)
            else:
                follow(entry, grads, wanted)
        return grads

    def _uids(self, source: object) -> list[int]:
        if isinstance(source, Tensor):
            return [source.uid]
        if id(source) in self._variables:
            return self._variables[id(source)][1]
        return []


def follow(entry: Entry, grads: dict[int, Tensor], wanted: set[int]) -> None:
    """Make of the gradients by the outputs of a call those by its inputs.

    Args:
        entry: the call.
        grads: by uid, the gradients found so far; changed in place.
        wanted: uids whose gradients stay.
    """
    outputs = [
        None if uid is None else grads.get(uid) if uid in wanted else grads.pop(uid, None)
        for uid in entry.outputs
    ]
    if not any([gradient is not None for gradient in outputs]):
        return
    found = entry.backward(outputs, entry.specs)
    for place, uid in enumerate(entry.inputs):
        gradient = found[place]
        if uid is not None and gradient is not None:
            grads[uid] = _add(grads[uid], gradient) if uid in grads else gradient


def _add(a: Tensor, b: Tensor) -> Tensor:
    return Operators.operators["add"](a, b)


def zeros(spec: Spec) -> Tensor:
    """A tensor of zeros."""
    return filled(spec.shape, 0, spec.dtype)


def ones(spec: Spec) -> Tensor:
    """A tensor of ones."""
    return filled(spec.shape, 1, spec.dtype)


def sum_to(gradient: Tensor, spec: Spec) -> Tensor:
    """The gradient of something that was broadcast and cast from `spec`."""
    if gradient.shape != spec.shape:
        extra = len(gradient.shape) - len(spec.shape)
        axes = tuple(range(extra)) + tuple(
            i + extra
            for i, size in enumerate(spec.shape)
            if size == 1 and gradient.shape[i + extra] != 1
        )
        gradient = Operators.operators["reduce_sum"](gradient, axis=axes, keepdims=False)
        if gradient.shape != spec.shape:
            gradient = Operators.operators["reshape"](gradient, spec.shape)
    return gradient if gradient.dtype == spec.dtype else as_tensor(gradient, spec.dtype)
