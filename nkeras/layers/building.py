"""Building a layer, when the shapes of its inputs are known."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from threading import RLock
from typing import Any

from nkeras.core import graph, naming
from nkeras.core.errors import cut_text, short
from nkeras.core.graph import KerasTensor
from nkeras.core.primitive import has_symbolic
from nkeras.core.typing import (
    Config,
    PartialShape,
    Shapes,
)
from nkeras.core.variable import autocast_scope
from nkeras.layers.shapes import as_shapes, is_tensors, map_shapes, shapes_of
from nkeras.layers.weights import Weighted

_build_lock = RLock()


class Buildable(Weighted):
    """The part of a layer that is built before its first call."""

    built: bool
    _build_shapes: dict[str, object] | None

    def __init_subclass__(cls, **named: object) -> None:
        super().__init_subclass__(**named)
        if "build" in cls.__dict__:
            cls.build = _building(cls.__dict__["build"])

    def build(self, input_shape: Shapes) -> None:
        """Make the weights; the default builds sublayers by tracing `call`.

        Args:
            input_shape: shape with None for unknown sizes, or a structure of shapes.
        """
        if type(self).call is not Buildable.call and self._layers:
            self._trace_to_build(input_shape)
        self.built = True

    def _trace_to_build(self, input_shape: Shapes) -> None:
        def symbolic(shape: PartialShape) -> KerasTensor:
            return KerasTensor(shape, self.input_dtype)

        try:
            self._trace_in_scope((map_shapes(symbolic, input_shape),), {})
        except Exception as error:
            raise RuntimeError(
                f"Layer {short(self.name)}: sublayers that are not built yet are built by its "
                f"`call`, which failed on inputs of shape {short(input_shape)}: "
                f"{cut_text(str(error), 150)}"
            ) from error

    def _trace_in_scope(self, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        """Run `call` on symbolic tensors, so that sublayers are built, in this layer's scope."""
        self._path = self._scope_path()
        with self._name_scope():
            graph.infer_outputs(self.call, args, kwargs)

    def build_from_config(self, config: Config) -> None:
        """Build from what `get_build_config` returned.

        A layer around may build this one as well, as it did before: once is enough.
        """
        if "input_shape" in config:
            self.build(as_shapes(config["input_shape"]))
        elif "shapes_dict" in config:
            self.build(**{key: as_shapes(value) for key, value in config["shapes_dict"].items()})
        self.__dict__["_is_restored"] = self.built

    def get_build_config(self) -> dict[str, object] | None:
        """The shapes that the layer was built with."""
        if self._build_shapes is None:
            return None
        if len(self._build_shapes) == 1:
            return {"input_shape": next(iter(self._build_shapes.values()))}
        return {"shapes_dict": self._build_shapes}

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """What the layer computes; a subclass defines it."""
        raise NotImplementedError(
            f"Layer {type(self).__name__} does not have a `call()` method implemented."
        )

    def _build_for(
        self, given: dict[str, object], args: tuple[object, ...], kwargs: dict[str, object]
    ) -> None:
        """Build with the shapes of the arguments that are tensors."""
        with _build_lock:
            if self.built:
                return
            if self._is_built_by_call() and not has_symbolic((*args, *kwargs.values())):
                # The layers inside are built when `call` runs on the data, where Python may look.
                shapes = _shapes_of_tensors(given)
                if len(shapes) == 1:
                    self._build_shapes = {"input_shape": next(iter(shapes.values()))}
                self._path, self.built = self._scope_path(), True
                return
            self._build_from(given, args, kwargs)
            self._is_locked = True

    def _build_from(
        self, given: dict[str, object], args: tuple[object, ...], kwargs: dict[str, object]
    ) -> None:
        shapes = _shapes_of_tensors(given)
        if type(self).build is Buildable.build:
            if self._layers and len(shapes) != 1:
                self._trace_in_scope(args, kwargs)
                self.built = True
                return
            if len(shapes) == 1:
                self.build(next(iter(shapes.values())))
            self.built = True
            return
        if _takes_any_number(type(self).build):
            self.build(*shapes.values())
        else:
            self.build(**_fit_build(type(self).build, shapes, self.name))

    def _is_built_by_call(self) -> bool:
        """Whether all weights are those of layers inside, without a `build` of the layer's own."""
        return type(self).build is Buildable.build and bool(self._layers)


_signature_of = functools.lru_cache(1024)(inspect.signature)


def _building(build: Callable[..., None]) -> Callable[..., None]:
    """Wrap a `build`: name scope, shapes remembered, `built` set."""
    if getattr(build, "_is_wrapped", False):
        return build

    @functools.wraps(build)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        self._check_initialized()
        if self.__dict__.get("_is_restored", False):
            return None
        bound = _signature_of(build).bind(self, *args, **kwargs)
        shapes = dict(list(bound.arguments.items())[1:])
        if _takes_any_number(build) and len(args) == 1:
            shapes = {"input_shape": args[0]}
        outermost = not self._path
        if outermost:
            self._path = (*naming.scope_path(), self.name)
        with naming.root_scope(*self._path), autocast_scope(None), graph.building():
            result = build(self, *args, **kwargs)
        if self._build_shapes is None:
            self._build_shapes = shapes.get("kwargs", shapes)
        self.built = True
        return result

    wrapper._is_wrapped = True  # type: ignore[attr-defined]
    return wrapper


def _shapes_of_tensors(given: dict[str, object]) -> Config:
    """The shapes of the arguments that are tensors, but masks."""
    return {
        name: shapes_of(value)
        for name, value in given.items()
        if is_tensors(value) and not (name == "mask" or name.endswith("_mask"))
    }


def _takes_any_number(build: Callable[..., None]) -> bool:
    """Whether it is a `build(self, *shapes)`, which gets them in the order of call's arguments."""
    parameters = _signature_of(build).parameters.values()
    return any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters)


def _fit_build(build: Callable[..., None], shapes: dict[str, object], name: str) -> Config:
    """Arguments for `build`: one shape under whatever name, or `<argument>_shape` each."""
    parameters = list(_signature_of(build).parameters.values())[1:]
    named = {p.name for p in parameters}
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return {f"{key}_shape": shape for key, shape in shapes.items()}
    if len(parameters) == 1:
        return {parameters[0].name: next(iter(shapes.values()), None)}
    fitting = {f"{key}_shape": shape for key, shape in shapes.items() if f"{key}_shape" in named}
    missing = [p.name for p in parameters if p.default is p.empty and p.name not in fitting]
    if missing:
        raise ValueError(
            f"Layer {short(name)}: build() has the arguments {short(sorted(named))}, but the call "
            f"has tensors for {short(sorted(shapes))}. An argument `x` of call() becomes "
            "`x_shape` of build()."
        )
    return fitting
