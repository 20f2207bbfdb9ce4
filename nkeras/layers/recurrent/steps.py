"""The steps of any cell, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from nkeras import ops
from nkeras.core import graph, tree
from nkeras.core.primitive import has_symbolic
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Structure
from nkeras.ops.turns import take_turns

Step: TypeAlias = "Callable[[Tensor, Structure], tuple[Tensor, Structure]]"


def run_steps(
    step: Step,
    sequences: Tensor,
    states: Structure,
    mask: Tensor | None,
    *,
    reverse: bool,
    zero_output: bool,
) -> tuple[Tensor, Tensor, Structure]:
    """Run a step for each slice of the sequences along time.

    Where the mask is False, states stay, and the output is the one before (that of the first
    step: the first state, if it has its shape), or zeros.

    Args:
        step: output and new states, from inputs and states of one step.
        sequences: `(batch, time, ...)`.
        states: structure of the states before the first step.
        mask: bool `(batch, time)`.
        reverse: begin with the last step.
        zero_output: whether outputs of masked steps are zeros.

    Returns:
        The last output, all outputs `(batch, time, ...)` where their steps stand, and the last
        states.
    """
    if has_symbolic((sequences, mask, *tree.flatten(states))):
        return _inferred(step, sequences, states)

    def turn(carry: Structure, given: list[Tensor]) -> tuple[Structure, Tensor]:
        states, before = carry
        output, new = step(given[0], states)
        flat = tree.flatten(new)
        if mask is not None:
            old = tree.flatten(states)
            first = before if before is not None else old[0]
            if zero_output or first.shape != output.shape:
                first = ops.zeros_like(output)
            output = _kept(given[1], output, first)
            flat = [_kept(given[1], one, other) for one, other in zip(flat, old, strict=True)]
        before = None if mask is None or zero_output else output
        return [tree.pack_sequence_as(states, flat), before], output

    stacks = [sequences] if mask is None else [sequences, mask]

    def slices(stacks: list[Tensor], count: int) -> list[list[Tensor]]:
        found = [_slices(one) for one in stacks]
        return [list(given) for given in zip(*found, strict=True)]

    carry, last, outputs = take_turns(
        turn, [states, None], stacks, slices, sequences.shape[1], step, backwards=reverse, axis=1
    )
    return last, outputs, carry[0]


def _slices(sequences: Tensor) -> list[Tensor]:
    """The slices along time, from halves of halves.

    The gradient of a slice has the size of what it was cut from: those of halves cost T log T,
    where those of slices of the whole would cost the square of T.
    """
    time = sequences.shape[1]
    if time == 1:
        return [sequences[:, 0]]
    half = time // 2
    return [*_slices(sequences[:, :half]), *_slices(sequences[:, half:])]


def _kept(mask: Tensor, new: Tensor, old: Tensor) -> Tensor:
    """New values of the sequences that have this step, old ones of the others."""
    shape = (mask.shape[0], *(1,) * (len(new.shape) - 1))
    return ops.where(ops.reshape(mask, shape), new, old)


def _inferred(step: Step, sequences: Any, states: Structure) -> Any:
    """The same for symbolic tensors: one step has the shapes of all."""
    output, new = step(sequences[:, 0], states)
    batch, *rest = output.shape
    outputs = graph.symbolic((batch, sequences.shape[1], *rest), output.dtype)
    return output, outputs, tree.pack_sequence_as(states, tree.flatten(new))
