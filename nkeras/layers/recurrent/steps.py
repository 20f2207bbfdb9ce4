"""The steps of any cell, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from nkeras import ops
from nkeras.core import graph, tree
from nkeras.core.primitive import has_symbolic
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Structure

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
    outputs: list[Tensor] = []
    slices = _slices(sequences)
    masks = [None for _ in slices] if mask is None else _slices(mask)
    pairs = list(zip(slices, masks, strict=True))
    for inputs, here in reversed(pairs) if reverse else pairs:
        output, new = step(inputs, states)
        flat = tree.flatten(new)
        if here is not None:
            old = tree.flatten(states)
            before = outputs[-1] if outputs else old[0]
            if zero_output or before.shape != output.shape:
                before = ops.zeros_like(output)
            output = _kept(here, output, before)
            flat = [_kept(here, one, other) for one, other in zip(flat, old, strict=True)]
        states = tree.pack_sequence_as(states, flat)
        outputs.append(output)
    made = outputs[::-1] if reverse else outputs
    return outputs[-1], ops.stack(made, axis=1), states


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
