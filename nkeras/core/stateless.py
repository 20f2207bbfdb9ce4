"""Computing with given values in place of those of variables, which stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextvars import Token
from typing import Any

from nkeras.core import observer, recomputing
from nkeras.core.errors import is_a, refuse, short
from nkeras.core.recomputing import Run
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.core.variable import Variable


class StatelessScope:
    """Inside, variables have the values given here, and no assignment reaches them.

    Gradients reach the given tensors, not the variables. What was assigned is told by
    `get_current_value`.

    Args:
        state_mapping: pairs of a variable and its value, of the same shape; None for none.
        collect_losses: whether what layers add by `add_loss` is collected in `losses`.
        initialize_variables: True: variables that are made inside have their values at once.

    Attributes:
        losses: tensors that layers have added.

    Raises:
        ValueError: a key is no variable, a value has another shape, or `initialize_variables` is
            False.

    Example:
        >>> import nkeras
        >>> w = nkeras.Variable(2.0)
        >>> with StatelessScope([(w, nkeras.ops.convert_to_tensor(5.0))]) as scope:
        ...     w.assign_add(1.0)
        <Variable path=variable, shape=(), dtype=float32, value=6.0>
        >>> float(w), float(scope.get_current_value(w))
        (2.0, 6.0)

    Source: https://keras.io/api/utils/ (keras.StatelessScope)
    """

    def __init__(
        self,
        state_mapping: Iterable[tuple[Variable, TensorLike]] | None = None,
        collect_losses: bool = False,
        initialize_variables: bool = True,
    ) -> None:
        if not initialize_variables:
            refuse("initialize_variables", False, "True", "StatelessScope")
        self.collect_losses = collect_losses
        self.losses: list[Tensor] = []
        self._values: dict[Variable, Tensor] = {}
        for variable, value in state_mapping or ():
            if not is_a(variable, Variable):
                raise ValueError(
                    "StatelessScope: argument `state_mapping` must be pairs of a Variable and its "
                    f"value. Received: {short(variable)}"
                )
            self._values[variable] = _value_for(variable, value)
        self._outer: Run | None = None
        self._token: Token[Run | None] | None = None

    def __enter__(self) -> StatelessScope:
        self._outer = recomputing.active()
        self._token = recomputing.enter(self)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._token is not None:
            recomputing.leave(self._token)

    def get_current_value(self, variable: Variable) -> Tensor | None:
        """The value that a variable has here, or None where it has been neither given nor assigned.

        Args:
            variable: the variable.
        """
        return self._values.get(variable)

    def values(self, variables: Iterable[Variable]) -> list[Tensor]:
        """The values that variables have here, their own where there are no others."""
        found = [(variable, self._values.get(variable)) for variable in variables]
        return [variable.value if value is None else value for variable, value in found]

    def add_update(self, update: tuple[Variable, TensorLike]) -> None:
        """Give a variable another value here.

        Args:
            update: the variable and its value.
        """
        variable, value = update
        self._values[variable] = _value_for(variable, value)

    def add_loss(self, loss: Tensor) -> None:
        """Collect a loss.

        Args:
            loss: scalar tensor.
        """
        self.losses.append(loss)

    # What variables, seeds and layers ask.

    def value(self, variable: Variable, current: Tensor) -> Tensor:
        """The value that reading a variable gives."""
        value = self._values.get(variable)
        if value is not None or self._outer is None:
            return current if value is None else value
        return self._outer.value(variable, current)

    def is_own(self, variable: Variable) -> bool:
        """Whether that value is the variable's."""
        if variable in self._values:
            return False
        return self._outer is None or self._outer.is_own(variable)

    def keeps(self, variable: Variable, value: Tensor | None) -> bool:
        """All assignments are kept away from the variable."""
        if value is not None:
            self._values[variable] = value
        return True

    def seed(self, draw: Callable[[], Any]) -> Any:
        """A seed; that of a generator whose state is given is no plan's."""
        recorder = observer.active()
        if recorder is not None:
            recorder.fail("a random number is drawn by a given state")
        return draw() if self._outer is None else self._outer.seed(draw)

    def keeps_loss(self, loss: Tensor) -> bool:
        """All losses are kept away from the layers."""
        if self.collect_losses:
            self.losses.append(loss)
        return True


def active() -> StatelessScope | None:
    """The scope around, if there is one."""
    run = recomputing.active()
    return run if isinstance(run, StatelessScope) else None


def pairs(
    variables: Sequence[Variable], values: Sequence[TensorLike], argument: str, owner: str
) -> list[tuple[Variable, TensorLike]]:
    """Variables and values, one for each.

    Raises:
        ValueError: their numbers differ.
    """
    if len(values) != len(variables):
        raise ValueError(
            f"{owner}: argument `{argument}` must be a list of tensors, one for each of "
            f"{len(variables)} variables. Received: {len(values)}"
        )
    return list(zip(variables, values, strict=True))


def _value_for(variable: Variable, value: TensorLike) -> Tensor:
    tensor = variable.as_value(value)
    if tensor.shape != variable.shape:
        raise ValueError(
            f"StatelessScope: variable {short(variable.path)} has shape {variable.shape}. "
            f"Received a value of shape {tensor.shape}"
        )
    return tensor
