"""dtype policies: in which dtype a layer computes and in which it keeps its variables.

Source: https://keras.io/api/mixed_precision/policy/
"""

from __future__ import annotations

from nkeras.core import config, dtypes
from nkeras.core.errors import is_a, refuse, short
from nkeras.core.typing import Config, PolicyLike


class DTypePolicy:
    """Compute dtype and variable dtype of a layer.

    Args:
        name: a dtype name, `"mixed_float16"` or `"mixed_bfloat16"`; the default policy for None.

    Raises:
        ValueError: there is no such policy.

    Example:
        >>> policy = DTypePolicy("mixed_bfloat16")
        >>> policy.compute_dtype, policy.variable_dtype
        ('bfloat16', 'float32')
    """

    def __init__(self, name: str | None = None) -> None:
        if name is None:
            name = dtype_policy().name
        if not is_a(name, str):
            raise TypeError(
                f"DTypePolicy: argument `name` must be a string. Received: {short(name)}"
            )
        config.require(name.removeprefix("mixed_"))
        self._name = name
        if name in ("mixed_float16", "mixed_bfloat16"):
            self._compute_dtype, self._variable_dtype = name.removeprefix("mixed_"), "float32"
            return
        try:
            self._compute_dtype = self._variable_dtype = dtypes.standardize(name)
        except ValueError:
            raise ValueError(
                f"Cannot convert {short(name)} to a dtype policy. Known are mixed_float16, "
                f"mixed_bfloat16, {', '.join(dtypes.DTYPES)}."
            ) from None

    @property
    def name(self) -> str:
        """The name given."""
        return self._name

    @property
    def compute_dtype(self) -> str:
        """The dtype that inputs and variables are cast to."""
        return self._compute_dtype

    @property
    def variable_dtype(self) -> str:
        """The dtype that variables are kept in."""
        return self._variable_dtype

    def get_config(self) -> Config:
        """The constructor's arguments."""
        return {"name": self._name}

    @classmethod
    def from_config(cls, config: Config) -> DTypePolicy:
        """The inverse of `get_config`."""
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicy) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self._name)

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self._name}">'


_default: DTypePolicy | None = None


def dtype_policy() -> DTypePolicy:
    """The policy of layers that are given none: `floatx` unless set."""
    return _default or DTypePolicy(config.floatx())


def set_dtype_policy(policy: PolicyLike) -> None:
    """Set the policy of layers that are given none (a name or a DTypePolicy)."""
    global _default
    _default = None if policy is None else get(policy)


def get(identifier: PolicyLike | Config) -> DTypePolicy:
    """A policy from a policy, a name, a dtype, a config dict or None (the default)."""
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        if "config" not in identifier:
            refuse("dtype", identifier, "a dict with a `config`, if a dict", "DTypePolicy")
        return DTypePolicy(**identifier["config"])
    if isinstance(identifier, str):
        return DTypePolicy(identifier)
    return DTypePolicy(dtypes.standardize(identifier))
