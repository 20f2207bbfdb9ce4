"""Primitive: a name. Shape rule and gradient are declared here, kernels stand in each backend.

    @primitive()
    def matmul(x, y):                       # the body is the shape rule
        return Spec(...)

    @matmul.vjp("x")                        # parameters of a rule are what it needs:
    def _(grad_y, x_spec, y):               # grad_<output>, an argument or output (saved),
        return ...                          # <argument>_spec, a static argument, or `wanted`:
                                            # names of the arguments to give a gradient for;
                                            # `**name` stands for all static arguments

    @matmul.decomposition                   # optional: the same in simpler ops
    def _(x, y): ...

Positional parameters are arrays, keyword-only parameters are static.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, ParamSpec, Protocol, TypeAlias, TypeVar, overload

import numpy as np

from nkeras.backend import registry
from nkeras.backend.protocol import Backend, Kernel
from nkeras.core import dtypes, graph, host, in_tensorflow, observer, tape, tracebacks
from nkeras.core.calls_together import CallsTogether
from nkeras.core.errors import BackendError, short
from nkeras.core.gradient_rule import GradientRule, backward
from nkeras.core.graph import KerasTensor
from nkeras.core.spec import Spec
from nkeras.core.strings import STRING, PackedText, begins_with_text, host_backend, no_text
from nkeras.core.tensor import Operators, Tensor, as_tensor
from nkeras.core.typing import Shape, TensorLike
from nkeras.core.variable import Variable

_P = ParamSpec("_P")
_R = TypeVar("_R")
_R_co = TypeVar("_R_co", covariant=True, bound="Results")
_Function = TypeVar("_Function", bound=Callable[..., object])
_Decomposition = TypeVar(
    "_Decomposition", bound="Callable[..., Tensor | tuple[Tensor | None, ...]]"
)

Results: TypeAlias = "Tensor | tuple[Tensor, ...]"
"""What a primitive gives; a result of a tuple may be None, where a kernel was not asked for it."""
ShapeRule: TypeAlias = "Callable[..., Spec | tuple[Spec | None, ...]]"

PRIMITIVES: dict[str, Primitive[Results]] = {}


class Primitive(Generic[_R_co]):
    """A named operation on tensors; call it with tensors, arrays or numbers and static values.

    Args:
        shape_rule: the declaring function. Given things with `shape` and `dtype`, it checks them
            and returns the Spec of the result, or a tuple of Specs. Its name, without underscores
            at the ends, is the primitive's.
        outputs: names of the results.
        flat: arguments that have no gradient.
        live: static numbers that a kernel reads when it runs where it is given an array in their
            place; see docs/kernels.md.
        donated: by output, the argument that it may be written over.
        epilogues: what a plan may have the kernel do to its result: names of activations, which
            the static argument `activation` takes, and `add`, an array behind the other arguments.
        takes_complex: whether it takes complex numbers; otherwise they are refused.
        takes_text: whether it is for text, which is on the host; others refuse that.
        moves: whether it only moves or selects elements, so that it does so with text too.
    """

    def __init__(
        self,
        shape_rule: ShapeRule,
        outputs: tuple[str, ...] = ("y",),
        flat: tuple[str, ...] = (),
        live: tuple[str, ...] = (),
        donated: Mapping[str, str] | None = None,
        epilogues: tuple[str, ...] = (),
        takes_complex: bool = False,
        takes_text: bool = False,
        moves: bool = False,
    ) -> None:
        self.name = self.__name__ = shape_rule.__name__.strip("_")
        self.__doc__ = shape_rule.__doc__
        self.__module__ = shape_rule.__module__
        self.__signature__ = inspect.signature(shape_rule)
        self.__wrapped__ = shape_rule
        parameters = self.__signature__.parameters.values()
        self.arguments = tuple(p.name for p in parameters if p.kind is not p.KEYWORD_ONLY)
        self.static = tuple(p for p in parameters if p.kind is p.KEYWORD_ONLY)
        self.variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        self.shape_rule = shape_rule
        self.outputs = outputs
        self.flat = flat
        self.live = live
        self.donated = donated or {}
        self.epilogues = epilogues
        self.takes_complex = takes_complex
        self.takes_text = takes_text
        self.moves = moves
        self._refused = frozenset(
            (*(() if takes_complex else dtypes.COMPLEX), *(() if takes_text else (STRING,)))
        )
        self.rules: dict[str, GradientRule] = {}
        self.decompose: Callable[..., Any] | None = None
        if self.name in PRIMITIVES:
            raise ValueError(f"There is a primitive named {self.name!r} already.")
        PRIMITIVES[self.name] = self

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return _primitive, (self.name,)  # there is one of each

    def vjp(self, *arguments: str) -> Callable[[_Function], _Function]:
        """Decorator: the gradient by one argument, or a tuple of gradients by several.

        A variadic argument's rule returns a sequence with one gradient for each array. A parameter
        `grad_<output>=None` stays None where nothing flows back, instead of zeros.
        """

        def declare(function: _Function) -> _Function:
            for argument in arguments:
                if argument not in self.arguments:
                    raise ValueError(f"{self.name} has no argument {short(argument)}.")
            self.rules |= dict.fromkeys(arguments, GradientRule(self, arguments, function))
            return function

        return declare

    def decomposition(self, function: _Decomposition) -> _Decomposition:
        """Decorator: the same operation in simpler ones, for backends without a kernel."""
        self.decompose = function
        return function

    def __call__(self, *arguments: TensorLike | None, **static: object) -> _R_co:
        """Check, then run the kernel and record; on symbolic tensors, infer the result."""
        backend = registry.active()
        tensors: Sequence[Any] = arguments  # all tensors, or made so
        for argument in arguments:
            if (
                type(argument) is not Tensor
                or argument.backend is not backend
                or argument.dtype in self._refused
            ):
                if has_symbolic(arguments):
                    return graph.call_symbolic(self, self._infer, arguments, static)
                tensors = [to_tensor(argument) for argument in arguments]
                if self.moves and any(tensor.dtype == STRING for tensor in tensors):
                    moved: Any = PRIMITIVES["move_text"]
                    return moved(*tensors, move=self.name, static=static)
                self._check_dtypes(tensors)
                break
        specs = self.shape_rule(*tensors, **static)
        if graph.tracing() and _is_large(specs):
            return self._symbolic(specs)
        return self.run(tensors, static)  # pyright: ignore[reportArgumentType]  they are tensors

    def _infer(
        self, *arguments: TensorLike | None, **static: object
    ) -> KerasTensor | tuple[KerasTensor | None, ...]:
        """Shape rule on a mixture of symbolic tensors and values."""
        typed = [to_tensor(argument) for argument in arguments]
        self._check_dtypes(typed)
        return self._symbolic(self.shape_rule(*typed, **static))

    def _symbolic(self, specs: Spec | tuple[Spec | None, ...]) -> Any:
        if isinstance(specs, Spec):
            return KerasTensor(specs.shape, specs.dtype)
        return tuple(s if s is None else KerasTensor(s.shape, s.dtype) for s in specs)

    def _check_dtypes(self, tensors: Sequence[Any]) -> None:
        for tensor in tensors:
            if tensor is None or tensor.dtype not in self._refused:
                continue
            if tensor.dtype != STRING:
                raise dtypes.no_complex(self.name, tensor.dtype)
            if not self.moves:
                raise no_text(self.name)

    def run(self, tensors: Sequence[Tensor | None], static: dict[str, object]) -> Any:
        """Kernel or decomposition, then the tape; `tensors` are checked already."""
        backend = registry.active()
        kernel = self.kernel(backend)
        if kernel is None:
            results = self._decomposed(backend, tensors, static)
        else:
            recorder = observer.active()
            arrays = [None if t is None else t.data for t in tensors]
            if recorder is None:
                data = kernel(*arrays, **static)
            else:
                values = {name: host.plain(value) for name, value in static.items()}
                data = recorder.run(self, kernel, arrays, values)
            if isinstance(data, tuple):
                results: Any = tuple(
                    [None if array is None else Tensor(array, backend) for array in data]
                )
            else:
                results = Tensor(data, backend)
            if recorder is not None:
                recorder.call(self, kernel, tensors, static, results)
        tapes = tape.active()
        if tapes:
            for watching in tapes:
                self._record(watching, tensors, static, results)
        return results

    def together(
        self, calls: Sequence[Sequence[TensorLike | None]], **static: object
    ) -> list[_R_co]:
        """The results of several calls with the same static values; no tape may watch.

        A backend that has a kernel for many calls at once gets those of one dtype together.
        """
        kernel = self._kernel_of_many()
        if kernel is None:
            return [self(*arguments, **static) for arguments in calls]
        tensors: list[list[Any]] = [list(map(to_tensor, arguments)) for arguments in calls]
        by_dtype: dict[str, list[int]] = {}
        for i, arguments in enumerate(tensors):
            self.shape_rule(*arguments, **static)
            by_dtype.setdefault(arguments[0].dtype, []).append(i)
        found: list[Any] = [None] * len(calls)
        for dtype, places in by_dtype.items():
            if dtype not in ("float32", "float64"):
                for i in places:
                    found[i] = self.run(tensors[i], static)
                continue
            made = self._run_many(kernel, [tensors[i] for i in places], static)
            for i, results in zip(places, made, strict=True):
                found[i] = results if len(self.outputs) > 1 else results[0]
        return found

    def _run_many(
        self, kernel: Kernel, calls: Sequence[Sequence[Tensor | None]], static: dict[str, object]
    ) -> list[Any]:
        """The results of calls by a kernel of many; to a recorder they are one call."""
        backend, recorder = registry.active(), observer.active()
        arrays = [[None if t is None else t.data for t in arguments] for arguments in calls]
        values = {name: host.plain(value) for name, value in static.items()}
        results = [
            tuple([None if array is None else Tensor(array, backend) for array in made])
            for made in kernel(arrays, **values)
        ]
        if recorder is not None:
            one = CallsTogether(self, kernel, len(calls))
            given = [tensor for arguments in calls for tensor in arguments]
            made = tuple([tensor for some in results for tensor in some])
            recorder.call(one, one.results, given, static, made)
        return results

    def is_one_for_many(self) -> bool:
        """Whether `together` is more than one call after the other."""
        return self._kernel_of_many() is not None

    def _kernel_of_many(self) -> Kernel | None:
        recorder = observer.active()
        if tape.active() or graph.tracing() or not (recorder is None or recorder.takes_many):
            return None
        kernels: Mapping[str, Kernel] = getattr(registry.active(), "together", {})
        return kernels.get(self.name)

    def kernel(self, backend: Backend) -> Kernel | None:
        """The backend's kernel of this name; that of the host where the primitive takes text."""
        if self.takes_text and not getattr(backend, "takes_text", False):
            return _on_host(self.name, backend)
        return backend.kernels.get(self.name)

    def _decomposed(
        self, backend: Backend, tensors: Sequence[Tensor | None], static: dict[str, object]
    ) -> Results:
        if self.decompose is None:
            raise BackendError(
                f"Backend {backend.name!r} has no kernel {self.name!r}, and the primitive has "
                "no decomposition to fall back to."
            )
        with tape.paused():
            return self.decompose(*tensors, **static)

    def _record(
        self,
        watching: tape.GradientTape,
        tensors: Sequence[Tensor | None],
        static: dict[str, object],
        results: Results,
    ) -> None:
        inputs = watching.tracked(tensors)
        wanted = [i for i, uid in enumerate(inputs) if uid is not None]
        if not wanted:
            return
        outputs = results if isinstance(results, tuple) else (results,)
        names = self.arguments[:1] if self.variadic else [self.arguments[i] for i in wanted]
        rules = {rule: None for name in names if (rule := self.gradient_rule(name)) is not None}
        if rules:
            calls = [(rule, rule.save(tensors, static, outputs, names)) for rule in rules]
            step = functools.partial(backward, calls, len(tensors))
            recorder = observer.active()
            watching.append(step if recorder is None else recorder.backward(step), inputs, outputs)

    def donated_inputs(self, output: int) -> tuple[int, ...]:
        """Positions of the arguments that an output may be written over."""
        argument = self.donated.get(self.outputs[output])
        return () if argument is None else (self.arguments.index(argument),)

    def gradient_rule(self, argument: str) -> GradientRule | None:
        """The gradient rule by an argument; None where it is declared flat."""
        if argument in self.rules:
            return self.rules[argument]
        if argument in self.flat:
            return None
        raise NotImplementedError(f"Primitive {self.name!r} has no gradient by {short(argument)}.")


class _Declaration(Protocol):
    """Makes a primitive of its shape rule: one tensor for a Spec, a tuple for a tuple."""

    @overload
    def __call__(self, shape_rule: Callable[..., Spec], /) -> Primitive[Tensor]: ...
    @overload
    def __call__(
        self, shape_rule: Callable[..., tuple[Spec, Spec]], /
    ) -> Primitive[tuple[Tensor, Tensor]]: ...
    @overload
    def __call__(
        self, shape_rule: Callable[..., tuple[Spec, Spec, Spec]], /
    ) -> Primitive[tuple[Tensor, Tensor, Tensor]]: ...
    @overload
    def __call__(
        self, shape_rule: Callable[..., tuple[Spec | None, ...]], /
    ) -> Primitive[tuple[Tensor, ...]]: ...


in_tensorflow.leave_as_it_is(Primitive)


def primitive(
    outputs: tuple[str, ...] = ("y",),
    flat: tuple[str, ...] = (),
    live: tuple[str, ...] = (),
    donated: Mapping[str, str] | None = None,
    epilogues: tuple[str, ...] = (),
    takes_complex: bool = False,
    takes_text: bool = False,
    moves: bool = False,
) -> _Declaration:
    """Decorator: declare a primitive by its shape rule, and what its kernels can do."""
    return lambda shape_rule: Primitive(
        shape_rule, outputs, flat, live, donated, epilogues, takes_complex, takes_text, moves
    )


def _is_large(specs: Spec | tuple[Spec | None, ...]) -> bool:
    """Whether a trace shall not compute this, though it could: it only wants to know the shape."""
    flat = (specs,) if isinstance(specs, Spec) else specs
    return any(spec is not None and math.prod(spec.shape) > graph.LARGE for spec in flat)


@functools.cache
def _on_host(name: str, backend: Backend) -> Kernel | None:
    """A kernel for text beside a backend whose arrays are elsewhere: numbers come and go."""
    if getattr(backend, "is_symbolic", False):
        return None
    kernel = host_backend(backend).kernels[name]

    def on_host(*arrays: Any, **static: object) -> Any:
        given = [x if isinstance(x, PackedText) else backend.to_numpy(x) for x in arrays]
        result = kernel(*given, **static)
        results = result if isinstance(result, tuple) else (result,)
        moved = [
            x if isinstance(x, PackedText) else backend.asarray(x, dtypes.name_of(x.dtype))
            for x in results
        ]
        return tuple(moved) if isinstance(result, tuple) else moved[0]

    return on_host


def _primitive(name: str) -> object:
    return PRIMITIVES[name]


@overload
def to_tensor(value: None, dtype: str | None = None) -> None: ...
@overload
def to_tensor(value: TensorLike, dtype: str | None = None) -> Tensor: ...
@overload
def to_tensor(value: TensorLike | None, dtype: str | None = None) -> Tensor | None: ...
def to_tensor(value: Any, dtype: str | None = None) -> Any:
    """A tensor of a variable, array, number or list; symbolic tensors and None stay as they are."""
    if type(value) is Tensor:
        return as_tensor(value, dtype)
    if value is None or isinstance(value, KerasTensor):
        return value
    if isinstance(value, Variable):
        value = value.value
        if isinstance(value, KerasTensor):  # its value is postponed
            return value if dtype is None else Operators.operators["cast"](value, dtype)
    elif isinstance(value, (list, tuple)) and not begins_with_text(value) and _holds_tensors(value):
        value = Operators.operators["stack"]([to_tensor(item) for item in value])
    return as_tensor(value, dtype)


def promoted(*values: TensorLike) -> list[Tensor]:
    """Tensors of the values, all of their common dtype."""
    tensors = [value if type(value) is Tensor else to_tensor(value) for value in values]
    found = {tensor.dtype for tensor in tensors}
    if len(found) < 2:
        return tensors
    dtype = dtypes.result_type(*found)
    return [_cast(tensor, dtype) for tensor in tensors]


def to_floating(value: TensorLike) -> Tensor:
    """A tensor of the value's dtype where that is floating or complex, else of float32."""
    tensor = to_tensor(value)
    if dtypes.is_differentiable(tensor.dtype):
        return tensor
    return _cast(tensor, dtypes.result_type(tensor.dtype, float))


def _cast(tensor: Tensor, dtype: str) -> Tensor:
    return tensor if tensor.dtype == dtype else Operators.operators["cast"](tensor, dtype)


def _holds_tensors(values: Sequence[object]) -> bool:
    return any(
        isinstance(value, Operators) or (isinstance(value, (list, tuple)) and _holds_tensors(value))
        for value in values
    )


def shape_of(value: Any) -> Shape:
    """The shape of a tensor, variable, array, list or number."""
    return tuple(value.shape) if hasattr(value, "shape") else to_tensor(value).shape


def op(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Decorator: a public function made of primitives; on symbolic tensors it is one node."""

    @functools.wraps(function)
    def wrapper(*arguments: _P.args, **named: _P.kwargs) -> _R:
        try:
            if has_symbolic(arguments) or (named and has_symbolic(named.values())):
                return graph.call_symbolic(wrapper, function, arguments, named)
            return function(*arguments, **named)
        except Exception as error:
            tracebacks.cut(error)
            raise

    in_tensorflow.leave_as_it_is(wrapper)
    return wrapper


_PLAIN = frozenset((Tensor, Variable, np.ndarray, bool, int, float, str, type(None)))


def has_symbolic(values: Iterable[object]) -> bool:
    """Whether a symbolic tensor, also TensorFlow's, is among the values or in structures there."""
    for value in values:
        if type(value) in _PLAIN:
            if type(value) is Variable and value.is_symbolic():
                return True
            continue
        if isinstance(value, KerasTensor):
            return True
        if isinstance(value, (list, tuple)) and has_symbolic(value):
            return True
        if isinstance(value, dict) and has_symbolic(value.values()):
            return True
        if in_tensorflow.is_traced(value):
            return True
    return False
