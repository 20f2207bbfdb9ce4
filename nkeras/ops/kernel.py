"""Users' own array kernels: one body for a work item, run by every backend."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, TypeAlias, TypeGuard, overload

from nkeras.backend.body import Body
from nkeras.backend.protocol import Backend, Kernel, SupportsArrayKernels
from nkeras.core import dtypes
from nkeras.core.errors import BackendError, nearest, short
from nkeras.core.primitive import PRIMITIVES, Primitive, op, to_tensor
from nkeras.core.spec import Spec, Typed
from nkeras.core.tensor import Operators, Tensor
from nkeras.core.typing import Gradients, TensorLike

Shaped: TypeAlias = "Callable[..., Any]"
Results: TypeAlias = "Tensor | tuple[Tensor, ...]"


class _BodyPrimitive(Primitive[Any]):
    """A primitive whose kernel each backend makes of the body."""

    def __init__(self, body: Body) -> None:
        self.body = body
        super().__init__(_declared(body), outputs=body.outputs)

    def kernel(self, backend: Backend) -> Kernel | None:
        """What the backend makes of the body."""
        if _runs_bodies(backend):
            return backend.array_kernel(self.body)
        raise BackendError(
            f"Backend {short(backend.name)} runs no array kernels of users, such as "
            f"{short(self.name)}."
        )


def _runs_bodies(backend: object) -> TypeGuard[SupportsArrayKernels]:
    return hasattr(backend, "array_kernel")


class ArrayKernel:
    """An operation made of a body by `nkeras.kernel`; call it with tensors and static values."""

    def __init__(self, function: FunctionType, shape: Shaped, body: Body) -> None:
        self.__name__ = body.name
        self.__doc__ = function.__doc__
        self.__module__ = function.__module__
        self.__wrapped__ = function
        self._body = body
        self._shape = shape
        self._sizing = [name for name in body.static if name in inspect.signature(shape).parameters]
        self._defaults = dict(function.__kwdefaults__ or {})
        self._primitive = _registered(body)
        self._operation = op(self._apply)
        self.__signature__ = inspect.Signature(
            [
                parameter
                for parameter in inspect.signature(function).parameters.values()
                if parameter.name in (*body.inputs, *body.static)
            ]
        )

    def __repr__(self) -> str:
        return f"<kernel {self.__name__}{self.__signature__}>"

    def __call__(self, *arrays: TensorLike, **static: Any) -> Any:
        """Run the body for each work item; on symbolic tensors, infer the results."""
        bound = self.__signature__.bind(*arrays, **static)
        bound.apply_defaults()
        return self._operation(*bound.args, **bound.kwargs)

    def _apply(self, *arrays: Any, **static: Any) -> Results:
        tensors = _promoted(arrays)
        found = self._shape(*tensors, **{name: static[name] for name in self._sizing})
        specs = _specs_of(found, tensors, self._body)
        return self._primitive(*tensors, specs=specs, **static)

    @overload
    def vjp(self, function: Callable[..., object], /) -> ArrayKernel: ...
    @overload
    def vjp(
        self, /, *, parallel: str | None = None, over: str | None = None, sums: str = ""
    ) -> Callable[[Callable[..., object]], ArrayKernel]: ...
    def vjp(
        self,
        function: Callable[..., object] | None = None,
        /,
        *,
        parallel: str | None = None,
        over: str | None = None,
        sums: str = "",
    ) -> ArrayKernel | Callable[[Callable[..., object]], ArrayKernel]:
        """Decorator: the gradient, a kernel too.

        Its parameters are, after the indices, what it reads (inputs and results of the kernel, and
        `grad_` with the name of a result: what flows back), and then what it writes: `grad_` with
        the name of an input, for each input that has a gradient.

        Args:
            function: the body.
            parallel: names of the indices; those of the kernel by default.
            over: the array whose leading axes they run over; the first `grad_` by default.
            sums: names of the gradients that many work items add to, with blanks between.

        Returns:
            The gradient's kernel, whose `vjp` declares the second derivative.

        Raises:
            ValueError: a parameter is unknown, or none is a gradient.

        Example:
            >>> import nkeras
            >>> @nkeras.kernel(shape=lambda x, w: x, parallel="n")
            ... def scale_rows(n, x, w, y):
            ...     for j in range(x.shape[1]):
            ...         y[n, j] = w[j] * x[n, j]
            >>> @scale_rows.vjp(sums="grad_w")
            ... def _(n, x, w, grad_y, grad_x, grad_w):
            ...     for j in range(x.shape[1]):
            ...         grad_x[n, j] = w[j] * grad_y[n, j]
            ...         grad_w[j] += x[n, j] * grad_y[n, j]
            >>> scale_rows.check([[1.0, 2.0], [3.0, 4.0]], [0.5, 2.0])
        """
        if function is None:
            return lambda function: self._declare(function, parallel, over, sums)
        return self._declare(function, parallel, over, sums)

    def _declare(
        self, function: Any, parallel: str | None, over: str | None, sums: str
    ) -> ArrayKernel:
        body, primitive = self._body, self._primitive
        owner = f"{body.name}.vjp"
        positional, static = _parameters(function, owner)
        indices = tuple(parallel.split()) if parallel else body.indices
        upstream = {f"grad_{name}": name for name in body.outputs}
        by = {f"grad_{name}": name for name in body.inputs}
        readable = (*body.inputs, *body.outputs, *upstream)
        arrays = positional[len(indices) :]
        inputs = tuple(name for name in arrays if name in readable)
        outputs = tuple(name for name in arrays if name in by)
        wrong = [name for name in arrays if name not in (*readable, *by)]
        wrong += [name for name in static if name not in body.static]
        if positional[: len(indices)] != indices or wrong or not outputs:
            raise ValueError(
                f"{owner}: the parameters must be the indices {', '.join(indices)}, then some of "
                f"{short(', '.join(readable))}, then gradients, {short(', '.join(by))}. "
                f"Received: {short(', '.join((*positional, *static)))}"
            )
        if arrays != (*inputs, *outputs):
            raise ValueError(f"{owner}: {', '.join(outputs)} must come last of {short(arrays)}.")
        over = over or next((name for name in inputs if name in upstream), inputs[0])
        made = FunctionType(
            function.__code__, function.__globals__, f"{body.name}_grad", function.__defaults__
        )
        made.__kwdefaults__ = {name: self._defaults.get(name) for name in static}
        made.__module__ = function.__module__
        gradient = ArrayKernel(
            made,
            _needs_a_call(f"{body.name}_grad"),
            Body(
                made, indices, inputs, outputs, static, over, _names(sums, outputs, owner, "sums")
            ),
        )

        def rule(**named: Any) -> Gradients:
            specs = tuple(named[f"{by[name]}_spec"] for name in outputs)
            found = gradient._primitive(
                *[named[name] for name in inputs],
                specs=specs,
                **{name: named[name] for name in static},
            )
            return found

        kind = inspect.Parameter.KEYWORD_ONLY
        needed = (*inputs, *(f"{by[name]}_spec" for name in outputs), *static)
        rule.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in needed])
        primitive.vjp(*[by[name] for name in outputs])(rule)
        return gradient

    def check(self, *arrays: TensorLike, **static: Any) -> None:
        """Compare the gradient with differences of values, and the active backend with numpy.

        Values and gradients are computed in float64 by plain loops on the numpy backend, where an
        index out of bounds is an error, and in float32 on the active backend.

        Args:
            *arrays: inputs to try, small ones: each number of them is changed once.
            **static: static values.

        Raises:
            ValueError: two numbers differ; the message says which.
        """
        from nkeras.ops.kernel_check import check

        bound = self.__signature__.bind(*arrays, **static)
        bound.apply_defaults()
        names = [name for name in self._body.inputs if name in self._primitive.rules]
        check(self, self._body.inputs, names, bound.args, bound.kwargs)


@overload
def kernel(
    function: Callable[..., object],
    /,
    *,
    shape: Shaped,
    parallel: str,
    over: str | None = None,
    sums: str = "",
) -> ArrayKernel: ...
@overload
def kernel(
    *, shape: Shaped, parallel: str, over: str | None = None, sums: str = ""
) -> Callable[[Callable[..., object]], ArrayKernel]: ...
def kernel(
    function: Any = None,
    /,
    *,
    shape: Shaped,
    parallel: str,
    over: str | None = None,
    sums: str = "",
) -> Any:
    """Decorator: an operation on tensors from the code for one work item, on every backend.

    The body reads and writes single numbers of arrays. Compiled by Numba it runs as tasks on all
    cores and as a grid of threads on a GPU; on the numpy backend it is a plain loop, in which a
    breakpoint works. It may use `math`, NumPy's functions of numbers, functions of plain Python and
    constants of the module. It makes no arrays, and only the numpy backend checks its indices.
    Arrays of half precision are seen as float32.

    Args:
        function: `body(*indices, *inputs, *results, *, static values)`. Results start as zeros.
        shape: function of the inputs and static values; gives a shape, an input whose shape and
            dtype the result has, a pair (shape, dtype), or a list of such for several results. Its
            parameters are the names of the inputs.
        parallel: names of the indices, the first parameters of the body, with blanks between.
        over: the array whose leading axes the indices run over; the first result by default.
        sums: names of results that many work items add to, with blanks between.

    Returns:
        Operation; `operation.vjp` declares its gradient, `operation.check` compares that with
        differences of values.

    Raises:
        ValueError: parameters do not fit, or a name in the body is no constant.
        TypeError: `function` is no plain Python function.

    Example:
        >>> import math, nkeras
        >>> @nkeras.kernel(shape=lambda x: x, parallel="n")
        ... def unit_rows(n, x, y):
        ...     total = 0.0
        ...     for j in range(x.shape[1]):
        ...         total += x[n, j] * x[n, j]
        ...     for j in range(x.shape[1]):
        ...         y[n, j] = x[n, j] / math.sqrt(total)
        >>> nkeras.ops.convert_to_numpy(unit_rows([[3.0, 4.0]]))
        array([[0.6, 0.8]], dtype=float32)
    """
    if function is None:
        return lambda function: kernel(
            function, shape=shape, parallel=parallel, over=over, sums=sums
        )
    positional, static = _parameters(function, "kernel")
    name = function.__name__
    indices = tuple(parallel.split())
    if not indices or positional[: len(indices)] != indices:
        raise ValueError(
            f"kernel: argument `parallel` must name the first parameters of {short(name)}, which "
            f"are {short(', '.join(positional))}. Received: parallel={short(parallel)}"
        )
    inputs = tuple(
        parameter.name
        for parameter in inspect.signature(shape).parameters.values()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD and parameter.name not in static
    )
    arrays = positional[len(indices) :]
    outputs = arrays[len(inputs) :]
    if arrays[: len(inputs)] != inputs or not inputs or not outputs:
        raise ValueError(
            f"kernel: after its indices {short(name)} must take the inputs, which are the "
            f"parameters of `shape` ({short(', '.join(inputs))}), and then results. Received: "
            f"{short(', '.join(arrays))}"
        )
    if over is not None:
        _names(over, arrays, name, "over")
    summed = _names(sums, outputs, name, "sums")
    body = Body(function, indices, inputs, outputs, static, over or outputs[0], summed)
    return ArrayKernel(function, shape, body)


def _needs_a_call(name: str) -> Shaped:
    def shape(*_: Typed) -> None:
        raise ValueError(f"{name} runs in the gradient of a call; alone it knows no shapes.")

    return shape


def _names(text: str, known: Sequence[str], owner: str, argument: str) -> tuple[str, ...]:
    names = tuple(text.split())
    for name in names:
        if name not in known:
            raise ValueError(
                f"{owner}: argument `{argument}` must name one of {short(', '.join(known))}. "
                f"Received: {short(name)}.{nearest(name, known)}"
            )
    return names


def _parameters(function: Any, owner: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The positional and the keyword-only parameters of a body."""
    if not isinstance(function, FunctionType):
        raise TypeError(f"{owner}: a Python function is needed. Received: {short(function)}")
    parameters = inspect.signature(function).parameters.values()
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(f"{owner}: {short(function.__name__)} must name all parameters.")
    static = tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)
    return tuple(p.name for p in parameters if p.name not in static), static


def _declared(body: Body) -> Callable[..., Any]:
    """The shape rule of the primitive: the results are known when it is called."""

    def declared(*_: Typed, specs: tuple[Spec, ...], **__: Any) -> Any:
        return specs[0] if len(specs) == 1 else specs

    parameter = inspect.Parameter
    plain, named = parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY
    declared.__signature__ = inspect.Signature(
        [
            *(parameter(name, plain) for name in body.inputs),
            *(parameter(name, named) for name in ("specs", *body.static)),
        ]
    )
    declared.__name__ = _full_name(body)
    declared.__doc__ = body.function.__doc__
    declared.__module__ = body.function.__module__
    return declared


def _registered(body: Body) -> _BodyPrimitive:
    """The primitive of a body; one of the user's own of the same name is replaced."""
    PRIMITIVES.pop(_full_name(body), None)
    return _BodyPrimitive(body)


def _full_name(body: Body) -> str:
    """With the module: nkeras has primitives of many names."""
    return f"{body.function.__module__}.{body.name}"


def _promoted(arrays: Sequence[Any]) -> list[Any]:
    """Tensors, the floating ones of one dtype."""
    tensors = [to_tensor(array) for array in arrays]
    floats = {tensor.dtype for tensor in tensors if dtypes.is_floating(tensor.dtype)}
    if len(floats) < 2:
        return tensors
    dtype = dtypes.result_type(*floats)
    return [
        Operators.operators["cast"](tensor, dtype) if tensor.dtype in floats else tensor
        for tensor in tensors
    ]


def _specs_of(found: Any, tensors: Sequence[Typed], body: Body) -> tuple[Spec, ...]:
    """Shapes and dtypes of the results, from what `shape` gave."""
    given = found if isinstance(found, list) else [found]
    if len(given) != len(body.outputs):
        raise ValueError(
            f"{body.name}: `shape` must give {len(body.outputs)} results, as a list where there "
            f"are several ({short(', '.join(body.outputs))}). Received: {short(found)}"
        )
    by_rank = sorted(tensors, key=lambda tensor: not dtypes.is_floating(tensor.dtype))
    return tuple(_spec_of(one, by_rank[0].dtype, body) for one in given)


def _spec_of(given: Any, default: str, body: Body) -> Spec:
    if hasattr(given, "shape") and hasattr(given, "dtype"):
        return Spec(tuple(given.shape), given.dtype)
    shape, dtype = given, default
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], tuple):
        shape, dtype = given[0], dtypes.standardize(given[1])
    if isinstance(shape, tuple) and all(isinstance(size, int) and size >= 0 for size in shape):
        return Spec(shape, dtype)
    raise ValueError(
        f"{body.name}: `shape` must give a tuple of sizes, an input, or a pair (shape, dtype). "
        f"Received: {short(given)}"
    )
