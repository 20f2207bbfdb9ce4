"""What callers ask of an architecture, and the decorator that makes functions of Keras' signature.

A family writes each architecture as a function of a `Request`, and of what else it takes:

    @architecture(Architecture, name="resnet50")
    def ResNet50(request):
        ...

Its users see the arguments of `Architecture`, in Keras' order.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, fields
from typing import Any, Protocol, TypeAlias, TypeVar

from nkeras.core.errors import as_bool, is_a, refuse, short
from nkeras.core.signatures import argument_entries
from nkeras.core.typing import ActivationLike, PartialShape
from nkeras.core.variable import postponed_values
from nkeras.models import Functional

Weights: TypeAlias = "str | os.PathLike[str] | None"
"""None, `"imagenet"`, or the path of a file."""

IMAGENET = "imagenet"
CLASSES = 1000  # of ImageNet


class Architecture(Protocol):
    """A function that makes a model for the classification of images.

    Args:
        include_top: whether the model ends with the classifier; else with the features that the
            classifier would get.
        weights: `"imagenet"` for those that Keras' authors trained, downloaded at the first call
            (see `nkeras.utils.get_file` on where they lie), None for random ones, or the path of a
            file that Keras or nkeras wrote.
        input_tensor: symbolic tensor `(batch, height, width, channels)` that the model begins with,
            instead of an input of its own.
        input_shape: `(height, width, channels)`, or `(channels, height, width)` where
            `nkeras.config.image_data_format()` says so; without the classifier, height and width
            may be None. It is what the weights were trained with by default, and without the
            classifier any size.
        pooling: what becomes of the features where there is no classifier: None leaves them as
            `(batch, height, width, features)`, `"avg"` and `"max"` take the mean or the maximum of
            all pixels, `(batch, features)`.
        classes: how many classes there are; 1000 with the weights of ImageNet.
        classifier_activation: activation of the classifier; None for logits. With trained weights
            one of these two.
        name: name of the model.

    Returns:
        `nkeras.Model` of float images, `(batch, height, width, channels)`, to probabilities
        `(batch, classes)` or features.

    Raises:
        ValueError: an argument is wrong, or does not go with another one; the file has weights of
            another architecture.
        OSError: the weights cannot be downloaded. The text says where to put the file by hand.
    """

    __name__: str

    def __call__(
        self,
        include_top: bool = True,
        weights: Weights = "imagenet",
        input_tensor: Any = None,
        input_shape: PartialShape | None = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: ActivationLike = "softmax",
        name: str = ...,
    ) -> Functional:
        """The model."""
        ...


@dataclass(frozen=True)
class Request:
    """What a caller asked of an architecture, whose name `owner` is."""

    owner: str
    include_top: bool
    weights: Weights
    input_tensor: Any
    input_shape: PartialShape | None
    pooling: str | None
    classes: int
    classifier_activation: ActivationLike
    name: str | None

    def __post_init__(self) -> None:
        as_bool(self.include_top, "include_top", self.owner)
        if self.pooling not in (None, "avg", "max"):
            refuse("pooling", self.pooling, "None, 'avg' or 'max'", self.owner)
        if self.weights is not None and not self.is_imagenet:
            known = is_a(self.weights, (str, os.PathLike)) and os.path.exists(self.weights)
            if not known:
                expected = "None, 'imagenet' or the path of a file that exists"
                refuse("weights", self.weights, expected, self.owner)
        if self.is_imagenet and self.include_top and self.classes != CLASSES:
            raise ValueError(
                f"{self.owner}: the classifier of `weights='imagenet'` has {CLASSES} classes. For "
                f"others use `include_top=False` or `weights=None`. "
                f"Received: classes={short(self.classes)}"
            )
        if self.include_top and self.weights is not None:
            _check_activation(self.classifier_activation, self.owner)

    @property
    def is_imagenet(self) -> bool:
        """Whether the weights are Keras' own."""
        return isinstance(self.weights, str) and self.weights == IMAGENET


def _check_activation(activation: ActivationLike, owner: str) -> None:
    from nkeras import activations

    if activations.get(activation) not in (activations.get(None), activations.softmax):
        raise ValueError(
            f"{owner}: with trained weights, argument `classifier_activation` must be None or "
            f"'softmax'. Received: {short(activation)}"
        )


_SHARED = tuple(field.name for field in fields(Request) if field.name != "owner")

Kind = TypeVar("Kind", bound=Callable[..., Functional])


def architecture(
    kind: type[Kind], name: str | None = None
) -> Callable[[Callable[..., Functional]], Kind]:
    """Decorator: a function of a request becomes one with the arguments of a protocol.

    Args:
        kind: protocol: its `__call__` has the arguments, its docstring says what they mean. What
            a `Request` has none of goes to the function by name.
        name: name of the model by default.
    """
    parameters = [
        parameter.replace(default=name) if parameter.name == "name" else parameter
        for parameter in list(inspect.signature(kind.__call__).parameters.values())[1:]
    ]
    signature = inspect.Signature(parameters, return_annotation="Functional")

    def decorate(build: Callable[..., Functional]) -> Any:
        @functools.wraps(build)
        def wrapper(*args: Any, **kwargs: Any) -> Functional:
            try:
                bound = signature.bind(*args, **kwargs)
            except TypeError as error:
                raise TypeError(f"{build.__name__}: {error}") from None
            bound.apply_defaults()
            own = dict(bound.arguments)
            request = Request(build.__name__, **{shared: own.pop(shared) for shared in _SHARED})
            # What a file overwrites needs no random numbers first.
            with nullcontext() if request.weights is None else postponed_values():
                return build(request, **own)

        vars(wrapper)["__signature__"] = signature
        wrapper.__doc__ = _documented(build.__doc__, signature, kind)
        return wrapper

    return decorate


def _documented(docstring: str | None, signature: inspect.Signature, kind: type) -> str | None:
    """A docstring with what the protocols say of arguments, results and errors."""
    shared = Architecture.__doc__
    if not docstring or not shared:
        return None  # Python runs without docstrings
    entries = argument_entries(shared) | argument_entries(kind.__doc__ or "")
    arguments = "\n".join(["Args:", *(entries[name] for name in signature.parameters)])
    shared = inspect.cleandoc(shared)
    results = shared[shared.index("Returns:") :]
    what, example, rest = inspect.cleandoc(docstring).partition("Example:\n")
    return f"{what}{arguments}\n\n{results}\n\n{example}{rest}"
