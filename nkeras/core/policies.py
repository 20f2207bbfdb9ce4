"""dtype policies: in which dtype a layer computes and in which it keeps its variables.

Source: https://keras.io/api/mixed_precision/policy/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, MutableMapping
from typing import ClassVar

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

    by_path: ClassVar[bool] = False
    """Whether there is one for each layer: see `DTypePolicyMap`."""

    def __init__(self, name: str | None = None) -> None:
        if name is None:
            name = dtype_policy().name
        if not is_a(name, str):
            raise TypeError(
                f"DTypePolicy: argument `name` must be a string. Received: {short(name)}"
            )
        self._name = name
        self._compute_dtype, self._variable_dtype = _dtypes_of(name)

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

    @property
    def quantization_mode(self) -> str | None:
        """`"int8"` for layers that compute with integers, else None."""
        return None

    def get_config(self) -> Config:
        """The constructor's arguments."""
        return {"name": self._name}

    @classmethod
    def from_config(cls, config: Config) -> DTypePolicy:
        """The inverse of `get_config`."""
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DTypePolicy) or self.name != other.name:
            return False
        return type(self) is type(other) or {type(self), type(other)} <= _PLAIN

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        kind = DTypePolicy if type(self) in _PLAIN else type(self)
        return f'<{kind.__name__} "{self.name}">'


class FloatDTypePolicy(DTypePolicy):
    """A second name of `DTypePolicy`.

    Args:
        name: as for `DTypePolicy`.

    Example:
        >>> FloatDTypePolicy("float16") == DTypePolicy("float16")
        True

    Source: https://keras.io/api/mixed_precision/policy/
    """


_PLAIN = {DTypePolicy, FloatDTypePolicy}


def _dtypes_of(name: str) -> tuple[str, str]:
    """The dtypes that a policy computes in and keeps variables in."""
    config.require(name.removeprefix("mixed_"))
    if name in ("mixed_float16", "mixed_bfloat16"):
        return name.removeprefix("mixed_"), "float32"
    try:
        dtype = dtypes.standardize_dtype(name)
    except ValueError:
        raise ValueError(
            f"Cannot convert {short(name)} to a dtype policy. Known are mixed_float16, "
            f"mixed_bfloat16, {', '.join(dtypes.DTYPES)}."
        ) from None
    return dtype, dtype


class QuantizedDTypePolicy(DTypePolicy):
    """The policy of layers whose weights are integers, made from floats of another policy.

    Args:
        mode: `"int8"`.
        source_name: name of the policy before; the default policy for None.

    Raises:
        ValueError: another mode, or float16, which has too small a range for it.

    Example:
        >>> policy = QuantizedDTypePolicy("int8", "mixed_bfloat16")
        >>> policy.name, policy.quantization_mode, policy.compute_dtype
        ('int8_from_mixed_bfloat16', 'int8', 'bfloat16')

    Source: https://keras.io/api/quantizers/
    """

    def __init__(self, mode: str, source_name: str | None = None) -> None:
        if mode != "int8":
            refuse("mode", mode, f'"int8": {_INT8_ALONE}', "QuantizedDTypePolicy")
        super().__init__(source_name)
        if self._compute_dtype == "float16":
            refuse(
                "source_name",
                self._name,
                "a policy that does not compute in float16, whose range is too small",
                "QuantizedDTypePolicy",
            )
        self._source_name = self._name
        self._name = f"{mode}_from_{self._source_name}"

    @property
    def quantization_mode(self) -> str:
        """`"int8"`."""
        return "int8"

    def get_config(self) -> Config:
        """The constructor's arguments."""
        return {"mode": "int8", "source_name": self._source_name}


_INT8_ALONE = "nkeras has no kernels for int4, float8, GPTQ and AWQ"
_REFUSED = ("int4", "float8", "gptq", "awq")


class DTypePolicyMap(DTypePolicy, MutableMapping[str, DTypePolicy]):
    """Policies by the paths of layers, as a dict whose keys may be patterns.

    A layer takes the policy of its path, or of the one pattern that matches its whole path
    (`"encoder/.*"`), or the default.

    Args:
        default_policy: for paths that no key matches; the default policy of that time for None.
        policy_map: dict from path or regular expression to policy.

    Raises:
        TypeError: `policy_map` is no dict.

    Example:
        >>> policies = DTypePolicyMap("float32", {"encoder/.*": DTypePolicy("bfloat16")})
        >>> policies["encoder/dense"].name, policies["decoder/dense"].name
        ('bfloat16', 'float32')

    Source: https://keras.io/api/mixed_precision/policy/
    """

    by_path = True

    def __init__(
        self,
        default_policy: PolicyLike = None,
        policy_map: MutableMapping[str, DTypePolicy] | None = None,
    ) -> None:
        if policy_map is not None and not is_a(policy_map, dict):
            raise TypeError(
                "DTypePolicyMap: argument `policy_map` must be a dict. "
                f"Received: {short(policy_map)}"
            )
        self._default_argument = default_policy
        self._default = None if default_policy is None else get(default_policy)
        self._policies: MutableMapping[str, DTypePolicy] = {} if policy_map is None else policy_map

    @property
    def default_policy(self) -> DTypePolicy:
        """The policy of paths that no key matches."""
        return self._default or dtype_policy()

    @property
    def name(self) -> str:
        """`map_` and the name of the default policy."""
        return f"map_{self.default_policy.name}"

    @property
    def compute_dtype(self) -> str:
        """That of the default policy."""
        return self.default_policy.compute_dtype

    @property
    def variable_dtype(self) -> str:
        """That of the default policy."""
        return self.default_policy.variable_dtype

    @property
    def quantization_mode(self) -> str | None:
        """That of the default policy."""
        return self.default_policy.quantization_mode

    def __getitem__(self, path: str) -> DTypePolicy:
        """The policy of a layer.

        Args:
            path: of the layer.

        Raises:
            ValueError: several patterns match the path.
        """
        if path in self._policies:
            return self._policies[path]
        matching = [pattern for pattern in self._policies if re.fullmatch(pattern, path)]
        if len(matching) > 1:
            raise ValueError(
                f"Path {short(path)} matches multiple dtype policy specification keys: "
                f"{short(matching)}. At most one may match."
            )
        return self._policies[matching[0]] if matching else self.default_policy

    def __setitem__(self, path: str, policy: PolicyLike) -> None:
        if path in self._policies:
            raise ValueError(
                f"{short(path)} already exist in the DTypePolicyMap with value "
                f"{self._policies[path]}. Delete it first."
            )
        try:
            self._policies[path] = get(policy)
        except (ValueError, TypeError):
            raise ValueError(
                "Cannot interpret the assigned value. It must be a policy, or the name of one. "
                f"Received: {short(policy)}"
            ) from None

    def __delitem__(self, path: str) -> None:
        del self._policies[path]

    def __contains__(self, path: object) -> bool:
        return path in self._policies

    def __len__(self) -> int:
        return len(self._policies)

    def __iter__(self) -> Iterator[str]:
        return iter(self._policies)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicyMap) and (
            self.default_policy == other.default_policy and dict(self) == dict(other)
        )

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        pairs = [(path, policy.name) for path, policy in self._policies.items()]
        return f"<DTypePolicyMap default_policy={self.default_policy.name}, mapping={pairs}>"

    def get_config(self) -> Config:
        """The constructor's arguments.

        As in Keras, all policies follow the default one that is set when the map is made again,
        if no default was given to this one.
        """
        described = {path: serialize(policy) for path, policy in self._policies.items()}
        if self._default_argument is None:
            for policy in described.values():
                name = "source_name" if "source_name" in policy["config"] else "name"
                policy["config"][name] = None
        default = self._default_argument
        if isinstance(default, DTypePolicy):
            default = serialize(default)
        return {"default_policy": default, "policy_map": described}

    @classmethod
    def from_config(cls, config: Config) -> DTypePolicyMap:
        """The inverse of `get_config`."""
        policies = {path: get(policy) for path, policy in config["policy_map"].items()}
        return cls(config["default_policy"], policies)


_default: DTypePolicy | None = None


def dtype_policy() -> DTypePolicy:
    """The policy of layers that are given none: `floatx` unless set."""
    return _default or DTypePolicy(config.floatx())


def set_dtype_policy(policy: PolicyLike) -> None:
    """Set the policy of layers that are given none (a name or a DTypePolicy).

    Raises:
        ValueError: it is neither.
    """
    global _default
    if not isinstance(policy, (str, DTypePolicy)):
        raise ValueError(
            "Invalid `policy` argument. Expected the name of a policy, such as 'mixed_float16', or "
            f"a `DTypePolicy`. Received: policy={short(policy)} (of type {type(policy).__name__})"
        )
    _default = get(policy)


def get(identifier: PolicyLike | Config) -> DTypePolicy:
    """A policy from a policy, a name, a dtype, a config dict or None (the default).

    Args:
        identifier: name such as `"mixed_float16"` or `"int8_from_float32"`, dtype, policy, dict
            from `serialize`, or None.

    Returns:
        DTypePolicy.

    Raises:
        ValueError, TypeError: it names no policy.

    Example:
        >>> get("int8_from_float32")
        <QuantizedDTypePolicy "int8_from_float32">

    Source: https://keras.io/api/mixed_precision/policy/
    """
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if not isinstance(identifier, str):
        return DTypePolicy(dtypes.standardize_dtype(identifier))
    mode, _, source = identifier.partition("_from_")
    if mode.startswith(_REFUSED) or source:
        return QuantizedDTypePolicy(mode, source or None)
    return DTypePolicy(identifier)


def serialize(dtype_policy: DTypePolicy) -> Config:
    """The configuration of a policy: a dict with class and arguments.

    Args:
        dtype_policy: policy.

    Returns:
        dict.

    Example:
        >>> serialize(DTypePolicy("float32"))["config"]
        {'name': 'float32'}

    Source: https://keras.io/api/mixed_precision/policy/
    """
    cls = type(dtype_policy)
    return {
        "module": "keras" if cls in _PLAIN else "keras.dtype_policies",
        "class_name": cls.__name__,
        "config": dtype_policy.get_config(),
        "registered_name": None,
    }


def deserialize(
    config: Config, custom_objects: Mapping[str, type[DTypePolicy]] | None = None
) -> DTypePolicy:
    """The inverse of `serialize`.

    Args:
        config: what `serialize` returned.
        custom_objects: further classes by name.

    Returns:
        DTypePolicy.

    Raises:
        ValueError: it describes no policy.

    Source: https://keras.io/api/mixed_precision/policy/
    """
    if "config" not in config:
        refuse("dtype", config, "a dict with a `config`, if a dict", "DTypePolicy")
    classes = {**CLASSES, **(custom_objects or {})}
    name = config.get("class_name", "DTypePolicy")
    if name not in classes:
        refuse("class_name", name, f"one of {', '.join(classes)} ({_INT8_ALONE})", "dtype policy")
    return classes[name].from_config(config["config"])


CLASSES: dict[str, type[DTypePolicy]] = {
    cls.__name__: cls
    for cls in (DTypePolicy, FloatDTypePolicy, QuantizedDTypePolicy, DTypePolicyMap)
}
