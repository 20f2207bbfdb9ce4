"""Sums over batches, which are variables."""

from __future__ import annotations

from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor, of_number
from nkeras.core.variable import Variable
from nkeras.ops.accumulating import accumulate_update
from nkeras.ops.optimizers import descended


def add_to(*sums: tuple[Variable, Tensor | float], by: float = 1.0) -> None:
    """Add to variables, in one launch where the backend can.

    Args:
        sums: pairs of a variable and what is added to it, of its shape.
        by: a number that all of this is multiplied with before.
    """
    if accumulate_update.is_one_for_many():
        calls = [
            (variable, of_number(change, variable.dtype))
            if isinstance(change, float)
            else (variable, to_tensor(change, variable.dtype))
            for variable, change in sums
        ]
        if all(variable.shape == change.shape for variable, change in calls):
            made = accumulate_update.together(calls, by=by)
            for (variable, _), value in zip(calls, made, strict=True):
                variable.assign(value)
            return
    for variable, change in sums:
        if by == 1.0:
            variable.assign_add(change)
        elif isinstance(change, Tensor):
            variable.assign(descended(variable, -by, change))
        else:
            variable.assign_add(change * by)
