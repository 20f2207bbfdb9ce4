"""Rematerialization: intermediate results are computed a second time instead of being kept."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar, copy_context
from typing import Any, ParamSpec, TypeVar

from nkeras.core import graph, tape, tree
from nkeras.core.errors import is_a, refuse
from nkeras.core.primitive import has_symbolic
from nkeras.core.recomputing import Recording, Replaying
from nkeras.core.spec import Spec
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Gradients, Structure
from nkeras.core.variable import Variable

P = ParamSpec("P")
R = TypeVar("R")

_MODES = ("full", "activations", "larger_than", "list_of_layers", None)


class RematScope:
    """Layers that are made inside compute intermediate results again instead of keeping them.

    That takes time and saves memory: the results of a layer are kept until the gradient passes it,
    but nothing that it made on the way. Models made inside are as ever, their layers are not.

    Args:
        mode: which layers: `"full"` (all), `"activations"` (only their activation functions),
            `"larger_than"` (those with larger outputs than `output_size_threshold`),
            `"list_of_layers"` (those with one of `layer_names`), or None for none.
        output_size_threshold: elements of the outputs, of the whole batch.
        layer_names: names of layers.

    Raises:
        ValueError: an unknown mode.

    Example:
        >>> import nkeras
        >>> with RematScope(mode="full"):
        ...     layer = nkeras.layers.Dense(3, activation="tanh")
        >>> layer(nkeras.ops.ones((2, 4))).shape
        (2, 3)

    Source: https://keras.io/api/utils/ (keras.RematScope); Chen et al. 2016,
    https://arxiv.org/abs/1604.06174
    """

    def __init__(
        self,
        mode: str | None = "full",
        output_size_threshold: int = 1024,
        layer_names: Sequence[str] | None = None,
    ) -> None:
        if mode not in _MODES:
            refuse("mode", mode, f"one of {', '.join(map(repr, _MODES))}", "RematScope")
        if is_a(layer_names, str):
            refuse("layer_names", layer_names, "a list of names", "RematScope")
        self.mode = mode
        self.output_size_threshold = output_size_threshold
        self.layer_names = list(layer_names or ())

    def __enter__(self) -> RematScope:
        _scopes.set((*_scopes.get(), self))
        return self

    def __exit__(self, *exception: object) -> None:
        _scopes.set(_scopes.get()[:-1])


_scopes: ContextVar[tuple[RematScope, ...]] = ContextVar("nkeras_remat_scopes", default=())


def current_scope() -> RematScope | None:
    """The innermost scope, if it is one that rematerializes."""
    scopes = _scopes.get()
    return scopes[-1] if scopes and scopes[-1].mode is not None else None


def remat(f: Callable[P, R]) -> Callable[P, R]:
    """A function that computes its intermediate results again where gradients need them.

    Its arguments and results are kept as ever. Gradients reach arguments, variables, and tensors
    that the function finds elsewhere; random numbers are the same in both runs, and variables are
    assigned once. A layer inside another function is run again with it.

    Args:
        f: function of tensors or structures of them, or a layer. Python code in it runs twice.

    Returns:
        A function that does the same.

    Example:
        >>> import nkeras
        >>> def many_steps(x):
        ...     for _ in range(10):
        ...         x = nkeras.ops.sin(x)
        ...     return x
        >>> float(nkeras.grad(remat(many_steps))(0.0))
        1.0

    Source: https://keras.io/api/utils/ (keras.remat)
    """

    @functools.wraps(f, updated=())
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        if has_symbolic(args) or has_symbolic(kwargs.values()):
            if hasattr(f, "_remat_scope"):  # a layer, which models shall find
                f.__dict__["_remat_scope"] = RematScope("full")
                return f(*args, **kwargs)
            return graph.call_symbolic(wrapper, f, args, kwargs)
        return _run(f, args, kwargs)

    return wrapper


def _run(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    tapes = tape.active()
    if not tapes:
        return function(*args, **kwargs)
    context = copy_context()
    recorded = Recording()
    watchers = [_Watcher(outer) for outer in tapes]
    with tape.recording_on(*watchers), recorded.scope():
        results = function(*args, **kwargs)
    run = functools.partial(_gradients, function, args, kwargs, recorded, context)
    flat = [*_tensors(results), *recorded.losses]
    for watcher in watchers:
        watcher.meet(flat)

    def apart(leaf: Structure) -> Structure:
        """What the function was given and gives back must be another tensor to the tapes."""
        if isinstance(leaf, Tensor) and any(leaf.uid in watcher.met for watcher in watchers):
            mask = graph.get_mask(leaf)
            leaf = leaf.handle()
            if mask is not None:
                graph.set_mask(leaf, mask)
        return leaf

    results = tree.map_structure(apart, results)
    given = [*_tensors(results), *recorded.losses]
    for watcher in watchers:
        watcher.finish(run, flat, given)
    return results


def _tensors(structure: Structure) -> list[Tensor]:
    return [leaf for leaf in tree.flatten(structure) if isinstance(leaf, Tensor)]


class _Watcher(tape.GradientTape):
    """Stands for a tape while the function runs: keeps nothing but which tensors it met."""

    def __init__(self, outer: tape.GradientTape) -> None:
        super().__init__(watch_accessed_variables=False)
        self.outer = outer
        self.met: dict[int, None] = {}  # uids of the tensors from outside that were used

    def meet(self, tensors: Sequence[Tensor | None]) -> list[int | None]:
        """Note those from outside; their uids."""
        outside = self.outer.tracked(tensors)
        self.met.update((uid, None) for uid in outside if uid is not None)
        return outside

    def tracked(self, tensors: Sequence[Tensor | None]) -> list[int | None]:
        inside = super().tracked(tensors)
        pairs = zip(self.meet(tensors), inside, strict=True)
        return [a if b is None else b for a, b in pairs]

    def append(
        self,
        backward: tape.Backward,
        inputs: Sequence[int | None],
        outputs: Sequence[Tensor | None],
    ) -> None:
        super().append(backward, inputs, outputs)
        self._entries.clear()

    def read(self, variable: Variable, value: Tensor, explicit: bool = False) -> None:
        self.outer.read(variable, value, explicit)

    def finish(
        self, run: Callable[..., Gradients], flat: Sequence[Tensor], given: Sequence[Tensor]
    ) -> None:
        """Put the whole function onto the outer tape, as one entry."""
        uids = self.tracked(flat)
        outputs = [None if uid is None else tensor for uid, tensor in zip(uids, given, strict=True)]
        met = list(self.met)
        if met and any(output is not None for output in outputs):
            self.outer.append(functools.partial(run, met), met, outputs)


class _Again(tape.GradientTape):
    """Records the second run, and follows it back to some tensors."""

    def __init__(self, uids: Sequence[int]) -> None:
        super().__init__(watch_accessed_variables=False)
        self._tracked.update(uids)

    def gradients(self, seeds: dict[int, Tensor], uids: Sequence[int]) -> Gradients:
        with tape.paused(self):
            found = self._walk(seeds, set(uids))
        return tuple(found.get(uid) for uid in uids)


def _gradients(
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    recorded: Recording,
    context: Any,
    uids: Sequence[int],
    grads: Sequence[Tensor | None],
    specs: Sequence[Spec],
) -> Gradients:
    """Run the function once more, and give the gradients by the tensors with these uids."""
    again = _Again(uids)
    tapes = (*tape.active(), again)

    def run() -> list[Tensor]:
        replaying = Replaying(recorded)
        with tape.recording_on(*tapes), replaying.scope():
            results = function(*args, **kwargs)
        return [*_tensors(results), *replaying.losses]

    targets = context.copy().run(run)
    seeds: dict[int, Tensor] = {}
    for target, grad in zip(targets, grads, strict=True):
        if grad is not None:
            known = seeds.get(target.uid)
            seeds[target.uid] = grad if known is None else known + grad
    return again.gradients(seeds, uids)
