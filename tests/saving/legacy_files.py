"""Files of Keras 1 and 2, made by hand: configurations as these versions had them, weights."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Weights = Mapping[str, Sequence[tuple[str, np.ndarray]]]


def write(
    path: Path,
    config: Any,
    weights: Weights,
    *,
    version: str | None = "2.2.4",
    backend: str | None = "tensorflow",
    training: Any = None,
    state: Sequence[tuple[str, np.ndarray]] = (),
    weights_only: bool = False,
) -> Path:
    """Write a file.

    Args:
        path: where.
        config: of the model.
        weights: by layer, names and arrays.
        version: of Keras; None for a file that does not say, as of Keras 1.0.
        backend: of Keras.
        training: how it was compiled.
        state: names and arrays of the optimizer.
        weights_only: what `model.save_weights` of Keras 2 wrote.
    """
    with h5py.File(path, "w") as file:
        group = file if weights_only else file.create_group("model_weights")
        for one in {file.id: file, group.id: group}.values():
            for name, text in (("keras_version", version), ("backend", backend)):
                if text is not None:
                    one.attrs[name] = text.encode()
        if not weights_only:
            file.attrs["model_config"] = json.dumps(config).encode()
        if training is not None:
            file.attrs["training_config"] = json.dumps(training).encode()
        group.attrs["layer_names"] = [name.encode() for name in weights]
        for name, arrays in weights.items():
            _write_arrays(group.create_group(name), arrays)
        if state:
            _write_arrays(file.create_group("optimizer_weights"), state)
    return path


def _write_arrays(group: Any, arrays: Sequence[tuple[str, np.ndarray]]) -> None:
    group.attrs["weight_names"] = [name.encode() for name, _ in arrays]
    for name, array in arrays:
        group.create_dataset(name, data=array)


def sequential(*layers: tuple[str, dict[str, Any]], name: str | None = None) -> dict[str, Any]:
    """A Sequential of classes and arguments; with a name in the way of Keras 2.2.3."""
    described = [{"class_name": cls, "config": config} for cls, config in layers]
    return {
        "class_name": "Sequential",
        "config": described if name is None else {"name": name, "layers": described},
    }


def node(cls: str, inbound: list[Any], **config: Any) -> dict[str, Any]:
    """A layer of a functional model; `inbound` are its calls."""
    return {
        "class_name": cls,
        "config": config,
        "name": config["name"],
        "inbound_nodes": inbound,
    }


def functional(layers: list[Any], inputs: list[Any], outputs: list[Any]) -> dict[str, Any]:
    """A functional model, which Keras 2 called `Model`."""
    config = {
        "name": "model_1",
        "layers": layers,
        "input_layers": inputs,
        "output_layers": outputs,
    }
    return {"class_name": "Model", "config": config}


# Initializers of Keras 2, as its configurations have them.
GLOROT = {
    "class_name": "VarianceScaling",
    "config": {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None},
}
ZEROS = {"class_name": "Zeros", "config": {}}
ONES = {"class_name": "Ones", "config": {}}
ORTHOGONAL = {"class_name": "Orthogonal", "config": {"gain": 1.0, "seed": None}}
NO_LIMITS = {
    "kernel_regularizer": None,
    "bias_regularizer": None,
    "activity_regularizer": None,
    "kernel_constraint": None,
    "bias_constraint": None,
}


def dense(name: str, units: int, activation: str = "linear", **more: Any) -> dict[str, Any]:
    """The arguments of a Dense layer of Keras 2."""
    return {
        "name": name,
        "trainable": True,
        "units": units,
        "activation": activation,
        "use_bias": True,
        "kernel_initializer": GLOROT,
        "bias_initializer": ZEROS,
        **NO_LIMITS,
        **more,
    }


def convolution(name: str, filters: int, size: int, **more: Any) -> dict[str, Any]:
    """The arguments of a Conv2D of Keras 2."""
    return {
        "name": name,
        "trainable": True,
        "filters": filters,
        "kernel_size": [size, size],
        "strides": [1, 1],
        "padding": "same",
        "data_format": "channels_last",
        "dilation_rate": [1, 1],
        "activation": "relu",
        "use_bias": True,
        "kernel_initializer": GLOROT,
        "bias_initializer": ZEROS,
        **NO_LIMITS,
        **more,
    }


def recurrent(name: str, units: int, **more: Any) -> dict[str, Any]:
    """The arguments of an LSTM or GRU of Keras 2.2."""
    return {
        "name": name,
        "trainable": True,
        "return_sequences": False,
        "return_state": False,
        "go_backwards": False,
        "stateful": False,
        "unroll": False,
        "units": units,
        "activation": "tanh",
        "recurrent_activation": "hard_sigmoid",
        "use_bias": True,
        "kernel_initializer": GLOROT,
        "recurrent_initializer": ORTHOGONAL,
        "bias_initializer": ZEROS,
        "recurrent_regularizer": None,
        "recurrent_constraint": None,
        **NO_LIMITS,
        "dropout": 0.0,
        "recurrent_dropout": 0.0,
        "implementation": 1,
        **more,
    }


def dense_of_keras_1(name: str, units: int, activation: str, **more: Any) -> dict[str, Any]:
    """The arguments of a Dense layer of Keras 1."""
    return {
        "W_constraint": None,
        "b_constraint": None,
        "name": name,
        "activity_regularizer": None,
        "trainable": True,
        "init": "glorot_uniform",
        "bias": True,
        "input_dim": None,
        "b_regularizer": None,
        "W_regularizer": None,
        "activation": activation,
        "output_dim": units,
        **more,
    }


def convolution_of_keras_1(name: str, filters: int, size: int, **more: Any) -> dict[str, Any]:
    """The arguments of a Convolution2D of Keras 1."""
    return {
        "name": name,
        "trainable": True,
        "nb_filter": filters,
        "nb_row": size,
        "nb_col": size,
        "init": "glorot_uniform",
        "activation": "relu",
        "border_mode": "valid",
        "subsample": [1, 1],
        "dim_ordering": "tf",
        "W_regularizer": None,
        "b_regularizer": None,
        "activity_regularizer": None,
        "W_constraint": None,
        "b_constraint": None,
        "bias": True,
        **more,
    }


def recurrent_of_keras_1(name: str, units: int, **more: Any) -> dict[str, Any]:
    """The arguments of an LSTM or GRU of Keras 1."""
    return {
        "name": name,
        "trainable": True,
        "return_sequences": False,
        "go_backwards": False,
        "stateful": False,
        "unroll": False,
        "consume_less": "cpu",
        "input_dim": 4,
        "input_length": None,
        "output_dim": units,
        "init": "glorot_uniform",
        "inner_init": "orthogonal",
        "activation": "tanh",
        "inner_activation": "hard_sigmoid",
        "W_regularizer": None,
        "U_regularizer": None,
        "b_regularizer": None,
        "dropout_W": 0.0,
        "dropout_U": 0.0,
        **more,
    }
