"""Elementwise primitives: a scalar function mapped over tensors; its gradient is derived."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeGuard

from nkeras.backend import registry
from nkeras.backend.protocol import Backend, Kernel
from nkeras.backend.scalar import Scalar
from nkeras.core import dtypes, graph, tape
from nkeras.core.gradient_rule import GradientRule
from nkeras.core.graph import KerasTensor
from nkeras.core.primitive import PRIMITIVES, Primitive, has_symbolic, shape_of, to_tensor
from nkeras.core.spec import Spec, broadcast_shapes
from nkeras.core.tensor import Tensor, of_number
from nkeras.core.typing import TensorLike


class Elementwise(Primitive[Tensor]):
    """A scalar function mapped over broadcast tensors; its gradient is derived.

    Args:
        scalar: the scalar function.
        promotion: the compute dtype: `"promote"` (that of the arguments), `"float"` (at least a
            float), `"bool"`.
        defaults: default values of the last parameters.
        doc: docstring.
    """

    def __init__(
        self,
        scalar: Scalar,
        promotion: str = "promote",
        defaults: tuple[float, ...] = (),
        doc: str | None = None,
    ) -> None:
        self.scalar = scalar
        self.promotion = promotion
        super().__init__(_signature_of(scalar, defaults, doc), outputs=(scalar.output,))
        self.defaults = defaults
        self.conditions = tuple(name in scalar.conditions for name in scalar.parameters)
        self.of_complex: Callable[..., Tensor] | None = None
        self._takes_floats = promotion != "bool" and not any(self.conditions)

    def __call__(self, *arguments: TensorLike | None, **named: TensorLike | None) -> Tensor:
        """Promote, broadcast and map the scalar function; on symbolic tensors, infer."""
        if named or len(arguments) != len(self.arguments):
            bound = self.__signature__.bind(*arguments, **named)
            bound.apply_defaults()
            arguments = bound.args
        if self._are_ready(arguments):
            tensors = arguments
        else:
            if self.of_complex is not None and _any_is_complex(arguments):
                return self.of_complex(*arguments)
            if has_symbolic(arguments):
                return graph.call_symbolic(self, self._infer, arguments, {})
            tensors = self._converted(arguments)
        first = tensors[0].shape
        for tensor in tensors:
            if tensor.shape != first:
                broadcast_shapes(*[t.shape for t in tensors], owner=self.name)
                break
        return self.run(tensors, {})

    def _are_ready(self, arguments: Sequence[object]) -> TypeGuard[Sequence[Tensor]]:
        """Whether they are tensors of one floating dtype that live here, as they are mostly."""
        first = arguments[0]
        if type(first) is not Tensor or not self._takes_floats:
            return False
        backend, dtype = registry.active(), first.dtype
        for argument in arguments:
            if (
                type(argument) is not Tensor
                or argument.dtype != dtype
                or argument.backend is not backend
            ):
                return False
        return dtypes.is_floating(dtype)

    def _converted(self, arguments: Sequence[Any]) -> list[Tensor]:
        compute = self.compute_dtype(arguments)
        return [
            of_number(argument, compute)
            if type(argument) is float and not self.conditions[i]
            else to_tensor(argument, "bool" if self.conditions[i] else compute)
            for i, argument in enumerate(arguments)
        ]

    def _infer(self, *arguments: TensorLike | None, **static: object) -> KerasTensor:
        shapes = [shape_of(argument) for argument in arguments]
        result = self.result_dtype(self.compute_dtype(arguments))
        return KerasTensor(broadcast_shapes(*shapes, owner=self.name), result)

    def compute_dtype(self, arguments: Sequence[Any]) -> str:
        """The dtype that the scalar function computes in."""
        if self.promotion == "bool":
            return "bool"
        strong = {argument.dtype for argument in arguments if type(argument) is Tensor}
        if len(strong) == 1 and self._takes_floats:
            (dtype,) = strong  # beside Python's numbers: they take a floating dtype as it is
            if dtypes.is_floating(dtype) and all(
                [type(argument) in _NUMBERS for argument in arguments]
            ):
                return dtype
        kinds = [_weak(argument) for i, argument in enumerate(arguments) if not self.conditions[i]]
        if self.promotion == "float":
            kinds.append(float)
        found = dtypes.result_type(*kinds)
        if dtypes.is_complex(found) and not self.scalar.takes_complex:
            raise dtypes.no_complex(self.name, found)
        return found

    def result_dtype(self, compute: str) -> str:
        """The dtype of the result."""
        return "bool" if self.scalar.result == "bool" else compute

    def kernel(self, backend: Backend) -> Kernel | None:
        """The backend's kernel for the scalar function."""
        return backend.kernels.get(self.name) or backend.elementwise(self.scalar)

    def donated_inputs(self, output: int) -> tuple[int, ...]:
        """All arguments: an element of the result needs only those at its place."""
        return tuple(range(len(self.arguments)))

    def gradient_rule(self, argument: str) -> GradientRule | None:
        """The derived gradient, summed over what was broadcast."""
        if argument not in self.rules:
            gradient = self.scalar.gradient(argument)
            if gradient is None:
                return None
            self.vjp(argument)(_elementwise_rule(gradient, argument))
        return self.rules[argument]


_NUMBERS = frozenset((Tensor, bool, int, float))


def _elementwise_rule(gradient: Scalar, argument: str) -> Callable[..., Tensor]:
    mapped = _mapped(gradient)
    parameters = (*gradient.parameters, f"{argument}_spec")

    def rule(**named: Any) -> Tensor:
        grad = mapped(*[named[name] for name in gradient.parameters])
        return tape.sum_to(grad, named[f"{argument}_spec"])

    kind = inspect.Parameter.KEYWORD_ONLY
    rule.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in parameters])
    return rule


def _mapped(gradient: Scalar) -> Callable[..., Tensor]:
    """The operation of a derivative: an existing one where the formula is the same."""
    formula = gradient.formula
    if formula == "def f(a):\n    return a\n":
        return lambda grad: grad
    for name in ("negative", "multiply", "divide"):
        known = PRIMITIVES.get(name)
        if isinstance(known, Elementwise) and known.scalar.formula == formula:
            return known
    taken = PRIMITIVES.get(gradient.name)
    if isinstance(taken, Elementwise) and taken.scalar is gradient:
        return taken
    # Derivatives of two lambdas, or of an operation defined again, have one name, not one formula.
    PRIMITIVES.pop(gradient.name, None)
    return Elementwise(gradient)


def _signature_of(
    scalar: Scalar, defaults: tuple[float, ...], doc: str | None
) -> Callable[..., Spec]:
    """A stand-in declaring function with the scalar's name and parameters."""

    def declared(*arguments: object) -> Spec:
        raise TypeError("Elementwise primitives infer shapes themselves.")

    missing = len(scalar.parameters) - len(defaults)
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    declared.__signature__ = inspect.Signature(
        [
            inspect.Parameter(
                name,
                kind,
                default=defaults[i - missing] if i >= missing else inspect.Parameter.empty,
            )
            for i, name in enumerate(scalar.parameters)
        ]
    )
    declared.__name__ = scalar.name
    declared.__doc__ = doc or scalar.function.__doc__
    declared.__module__ = scalar.function.__module__
    return declared


def _any_is_complex(arguments: Sequence[Any]) -> bool:
    return dtypes.is_complex(dtypes.result_type(*[_weak(argument) for argument in arguments]))


def _weak(value: TensorLike) -> object:
    if type(value) is Tensor:
        return value.dtype
    return to_tensor(value).dtype if isinstance(value, (list, tuple)) else value
