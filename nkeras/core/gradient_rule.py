"""Gradient rules of primitives: what they save of a call, and how they are called backwards."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nkeras.core import tape
from nkeras.core.spec import Spec
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Gradients

if TYPE_CHECKING:
    from nkeras.core.primitive import Primitive, Results


class GradientRule:
    """A gradient rule of a primitive: for which arguments, and what it is called with.

    Attributes:
        places: positions of the arguments among those of the primitive.
        upstream: parameters that are gradients by outputs: name, which output, whether it may be
            None.
        saved: the other parameters: name, what it is, and where it is found.
    """

    def __init__(
        self, owner: Primitive[Results], arguments: tuple[str, ...], function: Callable[..., Any]
    ) -> None:
        self.function = function
        self.variadic = owner.variadic
        self.places = tuple(owner.arguments.index(argument) for argument in arguments)
        self.upstream: list[tuple[str, int, bool]] = []
        self.saved: list[tuple[str, str, Any]] = []
        for name, parameter in inspect.signature(function).parameters.items():
            output = name.removeprefix("grad_")
            if parameter.kind is parameter.VAR_KEYWORD:
                self.saved += [(static.name, "static", static.default) for static in owner.static]
            elif name != output and output in owner.outputs:
                self.upstream.append((name, owner.outputs.index(output), parameter.default is None))
            else:
                self.saved.append((name, *_source(owner, name)))

    def save(
        self,
        tensors: Sequence[Tensor | None],
        static: Mapping[str, object],
        outputs: Sequence[Tensor | None],
        wanted: Sequence[str],
    ) -> dict[str, object]:
        """What the rule will need of a call."""
        saves: dict[str, object] = {}
        for name, kind, where in self.saved:
            if kind == "tensor":
                saves[name] = tensors[where]
            elif kind == "output":
                saves[name] = outputs[where]
            elif kind == "static":
                saves[name] = static.get(name, where)
            elif kind == "spec":
                saved = tensors[where]
                saves[name] = saved if saved is None else Spec(saved.shape, saved.dtype)
            elif kind == "wanted":
                saves[name] = frozenset(wanted)
            elif kind == "tensors":
                saves[name] = list(tensors)
            else:
                saves[name] = [Spec(t.shape, t.dtype) for t in tensors if t is not None]
        return saves

    def __call__(
        self,
        saves: dict[str, object],
        grads: Sequence[Tensor | None],
        specs: Sequence[Spec],
        result: list[Tensor | None],
    ) -> None:
        """Put the gradients by the arguments into `result`; `grads` are those by the outputs."""
        upstream = {}
        for name, i, optional in self.upstream:
            gradient = grads[i]
            upstream[name] = tape.zeros(specs[i]) if gradient is None and not optional else gradient
        found = self.function(**saves, **upstream)
        if self.variadic:
            result[:] = found
        elif len(self.places) == 1:
            result[self.places[0]] = found
        else:
            if len(found) != len(self.places):
                raise ValueError(f"A rule for {len(self.places)} arguments gave {len(found)}.")
            for i, place in enumerate(self.places):
                result[place] = found[i]


def _source(owner: Primitive[Results], name: str) -> tuple[str, Any]:
    """What a saved parameter of a rule is, and where it is found."""
    argument = name.removesuffix("_spec")
    declared = owner.__signature__.parameters.get(name)
    if name == "wanted":
        return "wanted", None
    if declared is not None and declared.kind is declared.KEYWORD_ONLY:
        return "static", declared.default
    if name in owner.outputs:
        return "output", owner.outputs.index(name)
    if owner.variadic:
        return ("tensors" if name == argument else "specs"), None
    return ("tensor" if name == argument else "spec"), owner.arguments.index(argument)


def backward(
    calls: Sequence[tuple[GradientRule, dict[str, object]]],
    count: int,
    grads: Sequence[Tensor | None],
    specs: Sequence[Spec],
) -> list[Tensor | None]:
    """Gradients by each array argument of a recorded call, None where there is none."""
    result: list[Tensor | None] = [None] * count
    for rule, saves in calls:
        rule(saves, grads, specs, result)
    return result


def gradient_through(
    function: Callable[..., Gradients], sources: Gradients, grads: Gradients
) -> Gradients:
    """Gradients by the sources of what simpler ops make of them.

    For derivatives of derivatives, which are rare and whose formulas are long.

    Args:
        function: of the sources; a tuple of tensors, or None where there is no result.
        sources: tensors, or None.
        grads: the gradients by the function's results.
    """
    watched = [source for source in sources if source is not None]
    with tape.GradientTape(watch_accessed_variables=False) as watching:
        watching.watch(watched)
        results = function(*sources)
    pairs = [pair for pair in zip(results, grads, strict=True) if pair[0] is not None]
    targets, upstream = [one for one, _ in pairs], [one for _, one in pairs]
    found = iter(watching.gradient(targets, watched, upstream, unconnected_gradients="zero"))
    return tuple(None if source is None else next(found) for source in sources)


def differentiate_decomposition(function: Primitive[Results]) -> None:
    """Declare a primitive's gradients: those of the simpler ops that it is made of."""
    differentiable = [name for name in function.arguments if name not in function.flat]
    upstream = [f"grad_{output}" for output in function.outputs]

    def rule(**named: Any) -> Gradients:
        static = {parameter.name: named[parameter.name] for parameter in function.static}

        def results(*sources: Tensor | None) -> Sequence[Tensor]:
            values = named | dict(zip(differentiable, sources, strict=True))
            assert function.decompose is not None
            found = function.decompose(*[values[name] for name in function.arguments], **static)
            return found if isinstance(found, tuple) else (found,)

        sources = [named[name] for name in differentiable]
        return gradient_through(results, sources, [named[name] for name in upstream])

    kind = inspect.Parameter.KEYWORD_ONLY
    names = (*function.arguments, *upstream)
    parameters = [*(inspect.Parameter(name, kind) for name in names), *function.static]
    rule.__signature__ = inspect.Signature(parameters)
    function.vjp(*differentiable)(rule)
