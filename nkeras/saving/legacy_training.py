"""How a model of an `.h5` file was compiled, in today's words, and the state of its optimizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nkeras.core import allowed, naming
from nkeras.core.configurable import argument_names
from nkeras.core.errors import short
from nkeras.core.serialization import get_registered_object
from nkeras.core.typing import Config
from nkeras.core.variable import Variable
from nkeras.losses.identifiers import TABLE as LOSSES
from nkeras.metrics.identifiers import TABLE as METRICS
from nkeras.optimizers import Optimizer
from nkeras.saving.hdf5 import StoredArray

_PASSED_ON = ("loss_weights", "run_eagerly", "steps_per_execution", "jit_compile")
_BY_SHAPES = ("accuracy", "acc", "crossentropy", "ce")
_RENAMED_LOSSES = {"cosine_proximity": "cosine_similarity"}
# The wrappers of Keras 2 around functions.
_WRAPPERS = ("MeanMetricWrapper", "LossFunctionWrapper", "SumOverBatchSizeMetricWrapper")


def compile_config(config: Config, version: int, outputs: int) -> Config:
    """What `model.compile_from_config` takes.

    Args:
        config: the configuration of training in the file.
        version: of Keras, 1, 2 or 3.
        outputs: number of the model's outputs.

    Raises:
        ValueError: it describes no training.
    """
    described = config.get("optimizer_config")
    if not isinstance(described, dict):
        raise ValueError(f"the optimizer is {short(described)}")
    passed = {key: config[key] for key in _PASSED_ON if config.get(key) is not None}
    metrics = {
        key: _each(config.get(key), _metric, version) for key in ("metrics", "weighted_metrics")
    }
    for key, value in metrics.items():
        if outputs == 1 and isinstance(value, list) and len(value) == 1:
            metrics[key] = value[0] if isinstance(value[0], list) else value
    return {
        **passed,
        **metrics,
        "optimizer": _optimizer(described, version),
        "loss": _each(config.get("loss"), _loss, version),
    }


def _each(value: Any, translate: Any, version: int) -> Any:
    """A structure of losses or metrics, each translated."""
    if value is None:
        return None
    if isinstance(value, list):
        return [_each(item, translate, version) for item in value]
    if isinstance(value, dict) and "class_name" not in value:
        return {key: _each(item, translate, version) for key, item in value.items()}
    if isinstance(value, (str, dict)):
        return translate(value, version)
    raise ValueError(f"{short(value)} is no loss or metric")


def _parts(described: Any) -> tuple[str, Config]:
    name, config = described.get("class_name"), described.get("config")
    if not isinstance(name, str):
        raise ValueError(f"{short(described)} has no class")
    return name, dict(config) if isinstance(config, dict) else {}


def _described(name: str, config: Config, family: str, described: Config) -> Config:
    """A class of Keras with the arguments that it takes today, or one of the user's."""
    plain = name.removeprefix("Custom>")
    cls = allowed.find(plain, f"keras.{family}")
    if get_registered_object(name) is None and isinstance(cls, type):
        names = argument_names(cls)
        kept = {key: value for key, value in config.items() if key in names}
        module = {"module": f"keras.{family}", "registered_name": None}
        return {"class_name": plain, "config": kept, **module}
    module = {"module": described.get("module"), "registered_name": name}
    return {"class_name": name, "config": config, **module}


def _known(name: str, table: Mapping[str, object], others: Sequence[str]) -> str:
    """The name of a loss or metric, as it is today.

    Raises:
        ValueError: there is none of the name.
    """
    name = _RENAMED_LOSSES.get(name, name)
    is_known = name in table or name in others or naming.to_snake_case(name) in table
    if not is_known and get_registered_object(name) is None:
        raise ValueError(
            f"there is no loss or metric {short(name)}; functions of your own are given as "
            f"custom_objects={{{short(name)}: function}}."
        )
    return name


def _loss(described: Any, version: int) -> Any:
    if isinstance(described, str):
        return _known(described, LOSSES, ("crossentropy",))
    name, config = _parts(described)
    if name == "function":
        return described["config"]
    if name in _WRAPPERS and isinstance(config.get("fn"), str):
        return _loss(config["fn"], version)
    if config.get("reduction") == "auto":
        config["reduction"] = "sum_over_batch_size"
    return _described(name, config, "losses", described)


def _metric(described: Any, version: int) -> Any:
    if isinstance(described, str):
        return _known(described, {**LOSSES, **METRICS}, _BY_SHAPES)
    name, config = _parts(described)
    if name == "function":
        return described["config"]
    function = config.get("fn")
    if name in _WRAPPERS and isinstance(function, str):
        cls = METRICS.get(_RENAMED_LOSSES.get(function, function))
        if cls is None or get_registered_object(function) is not None:
            return function
        name = cls.__name__
    return _described(name, config, "metrics", described)


# Optimizers.

_RENAMED = {"lr": "learning_rate"}


def _optimizer(described: Any, version: int) -> Config:
    name, config = _parts(described)
    if get_registered_object(name) is None and version < 3:
        config = _today(config)
    if isinstance(config.get("learning_rate"), dict):
        config["learning_rate"] = _schedule(config["learning_rate"])
    plain = name.removeprefix("Custom>")
    proper = {other.lower(): other for other in _optimizer_names()}.get(plain.lower())
    if isinstance(config.get("inner_optimizer"), dict):
        config["inner_optimizer"] = _optimizer(config["inner_optimizer"], version)
    made = _described(proper or name, config, "optimizers", described)
    return made


def _optimizer_names() -> Sequence[str]:
    from nkeras.optimizers.identifiers import OPTIMIZERS

    return list(OPTIMIZERS)


def _today(config: Config) -> Config:
    """The arguments of an optimizer of Keras 1 or 2."""
    config = {_RENAMED.get(key, key): value for key, value in config.items()}
    decay = config.pop("decay", None)
    rate = config.get("learning_rate")
    if decay and isinstance(rate, (int, float)):
        # It was a part of each optimizer: rate / (1 + decay * iterations).
        config["learning_rate"] = {
            "class_name": "InverseTimeDecay",
            "config": {
                "initial_learning_rate": float(rate),
                "decay_steps": 1,
                "decay_rate": decay,
            },
        }
    elif isinstance(rate, int):
        config["learning_rate"] = float(rate)
    if config.get("epsilon", 0) is None:
        del config["epsilon"]
    if config.get("weight_decay") == 0:
        del config["weight_decay"]
    return config


def _schedule(described: Config) -> Config:
    name, config = _parts(described)
    return _described(name, config, "optimizers.schedules", described)


# The state of an optimizer. What slots were called in Keras 2, by class, and are called today.
_SLOTS: Mapping[str, Mapping[str, str]] = {
    "Adadelta": {"accum_grad": "accumulated_grad", "accum_var": "accumulated_delta_var"},
    "Adagrad": {"accumulator": "accumulator"},
    "Adam": {"m": "momentum", "v": "velocity", "vhat": "velocity_hat"},
    "AdamW": {"m": "momentum", "v": "velocity", "vhat": "velocity_hat"},
    "Adamax": {"m": "momentum", "v": "norm", "u": "norm"},
    "Ftrl": {"accumulator": "accumulator", "linear": "linear"},
    "Nadam": {"m": "momentum", "v": "velocity"},
    "RMSprop": {"rms": "velocity", "momentum": "momentum", "mg": "average_gradient"},
    "SGD": {"momentum": "momentum", "m": "momentum"},
}
_COUNTERS = ("iter", "iteration", "iterations")
_OF_NEW = ("iteration", "learning_rate")  # all that an optimizer has before its first step


def load_state(
    optimizer: Optimizer,
    names: Sequence[str],
    arrays: Sequence[StoredArray],
    variables: Mapping[str, Variable],
    trained: Sequence[Variable],
    version: int,
) -> bool:
    """Read the state of an optimizer: all, or none.

    Args:
        optimizer: optimizer; it must be built.
        names: of the arrays in the file.
        arrays: in the same order.
        variables: of the model, by the names that the file has for them.
        trained: the variables that the optimizer was built with.
        version: of Keras, 1, 2 or 3.

    Returns:
        Whether the state fits.
    """
    own = optimizer.variables
    if version == 3:
        is_new = all(name.rpartition("/")[2] in _OF_NEW for name in names)
        own = own[: len(arrays)] if is_new else own
        pairs = list(zip(own, arrays, strict=True)) if len(own) == len(arrays) else None
    else:
        pairs = _named_pairs(optimizer, names, arrays, variables)
        pairs = pairs or _ordered_pairs(optimizer, arrays, trained)
    if not pairs or any(variable.shape != array.shape for variable, array in pairs):
        return False
    for variable, array in pairs:
        variable.assign(array)
    return True


_Pairs = list[tuple[Variable, StoredArray]]


def _named_pairs(
    optimizer: Optimizer,
    names: Sequence[str],
    arrays: Sequence[StoredArray],
    variables: Mapping[str, Variable],
) -> _Pairs | None:
    """Variables with their arrays, where the names of Keras 2 tell; else None.

    The name of a slot is before or behind the name of the variable: `Adam/m/dense/kernel:0`,
    `Adam/dense/kernel/m:0`.
    """
    own = {variable.name: variable for variable in optimizer.variables}
    slots = _SLOTS.get(type(optimizer).__name__, {})
    trained = {name.removesuffix(":0"): variable for name, variable in variables.items()}
    pairs: _Pairs = []
    for name, array in zip(names, arrays, strict=True):
        parts = name.removesuffix(":0").split("/")
        if parts[-1] in _COUNTERS:
            pairs.append((own["iteration"], array))
            continue
        if parts[-1] in ("learning_rate", "current_learning_rate"):
            continue  # as the configuration says
        state = next(
            (
                state
                for start in range(len(parts))
                if (state := _slot_of(parts[start:], slots, trained)) is not None
            ),
            None,
        )
        if state is None or state not in own:
            return None
        pairs.append((own[state], array))
    return pairs if len(pairs) > 1 or not slots else None


def _slot_of(
    parts: list[str], slots: Mapping[str, str], trained: Mapping[str, Variable]
) -> str | None:
    """The name of today of the state that the end of a path means."""
    for slot, rest in ((parts[0], parts[1:]), (parts[-1], parts[:-1])):
        variable = trained.get("/".join(rest))
        if slot in slots and variable is not None:
            return f"{variable.path.replace('/', '_')}_{slots[slot]}"
    return None


def _ordered_pairs(
    optimizer: Optimizer, arrays: Sequence[StoredArray], trained: Sequence[Variable]
) -> _Pairs | None:
    """Variables with their arrays by the order of Keras 1 and 2: all of a slot, then the next."""
    own = {variable.name: variable for variable in optimizer.variables}
    slots = list(dict.fromkeys(_SLOTS.get(type(optimizer).__name__, {}).values()))
    rest = list(arrays)
    pairs: _Pairs = []
    if rest and rest[0].shape == ():
        pairs.append((own["iteration"], rest.pop(0)))
    for slot in slots:
        states = [f"{variable.path.replace('/', '_')}_{slot}" for variable in trained]
        if all(state in own for state in states) and len(rest) >= len(states):
            pairs += [(own[state], array) for state, array in zip(states, rest, strict=False)]
            rest = rest[len(states) :]
    is_idle = all(array.shape == (1,) for array in rest)  # Adam without amsgrad kept empty ones
    return pairs if is_idle and len(pairs) > 1 else None
