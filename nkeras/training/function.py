"""`nkeras.function`: a step of the user's own, recorded and replayed as those of `fit` are."""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable
from typing import Any

from nkeras.core import observer, tree
from nkeras.core.errors import short
from nkeras.core.primitive import has_symbolic
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Structure
from nkeras.replay.cache import PlanCache
from nkeras.training import plans
from nkeras.training.outline import filled, outlined


class Function:
    """A function of tensors that runs without Python between its kernels from its fourth call on.

    The first call with arguments of certain shapes runs as it stands. The next two are recorded; if
    they are the same, operation by operation, later calls replay the kernels: without layers, tape
    and dispatch, on memory that is used again, and with variables changed in place. Results are
    those of the function itself. What cannot be replayed, such as a function that looks at values
    or draws numbers from NumPy, runs as it stands each time; `refusals` says why.

    Tensors and arrays are inputs, in lists, tuples and dicts too. Everything else is a part of
    which function is meant: numbers and strings by their value, objects by their identity. Plain
    values that its code reads by name (globals, a closure's, defaults, attributes, what a list or
    dict holds) may change between calls: they are compared before each replay. What it does beside
    operations on tensors, such as printing, happens only when it runs; a function that changes what
    it reads always does.

    Args:
        function: takes and returns tensors, or structures with tensors; may read and assign
            variables, call layers, losses and optimizers, and record gradients.

    Example:
        >>> import nkeras
        >>> model = nkeras.Sequential([nkeras.Input((3,)), nkeras.layers.Dense(1)])
        >>> optimizer = nkeras.optimizers.SGD(0.1)
        >>> @nkeras.function
        ... def step(x, y):
        ...     with nkeras.GradientTape() as tape:
        ...         loss = nkeras.ops.mean((model(x, training=True) - y) ** 2)
        ...     weights = model.trainable_variables
        ...     optimizer.apply(tape.gradient(loss, weights), weights)
        ...     return loss
        >>> x, y = nkeras.ops.ones((8, 3)), nkeras.ops.zeros((8, 1))
        >>> losses = [float(step(x, y)) for _ in range(6)]
        >>> losses[5] < losses[0], step.refusals()
        (True, [])

    Source: https://www.tensorflow.org/api_docs/python/tf/function, which it stands for.
    """

    def __init__(self, function: Callable[..., object]) -> None:
        if not callable(function):
            raise TypeError(f"nkeras.function: a function is expected. Received: {short(function)}")
        self._function = function
        self._plans = PlanCache()
        functools.update_wrapper(self, function)

    def __call__(self, *arguments: object, **named: object) -> Structure:
        """Call the function, or replay it."""
        if has_symbolic(arguments) or (named and has_symbolic(tree.flatten(named))):
            return self._function(*arguments, **named)
        tensors: list[Tensor] = []
        outline = tuple([outlined(argument, tensors) for argument in arguments])
        outlines = {name: outlined(value, tensors) for name, value in named.items()}

        def step(tensors: list[Tensor]) -> Structure:
            recorder = observer.active()
            if recorder is not None:
                recorder.guard.meet((self._function, outline, outlines))
            given = iter(tensors)
            values = [filled(item, given) for item in outline]
            return self._function(
                *values, **{name: filled(outline, given) for name, outline in outlines.items()}
            )

        return plans.call(self._plans, (outline, tuple(outlines.items())), tensors, step)

    def __reduce_ex__(self, protocol: Any) -> str | tuple[Any, ...]:
        """As a function it is pickled by its name, where it has one."""
        name: str = getattr(self, "__qualname__", "")
        found: Any = sys.modules.get(self.__module__)
        for part in name.split("."):
            found = getattr(found, part, None)
        return name if found is self else super().__reduce_ex__(protocol)

    def __get__(self, instance: object, owner: type | None = None) -> Structure:
        """As a method, the function takes the object first."""
        return self if instance is None else types.MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<nkeras.function {getattr(self._function, '__qualname__', self._function)}>"

    def refusals(self) -> list[str]:
        """Why calls are not replayed, for each kind of call that is not."""
        return list(self._plans.refusals().values())


def function(function: Callable[..., object]) -> Function:
    """Decorator: let a function of tensors be recorded and replayed; see `Function`."""
    return Function(function)
