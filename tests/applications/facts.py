"""What is compared of a model, of Keras or of nkeras: the same code asks both."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

# Calls by a line of their own in the table, beside each architecture as it comes.
VARIANTS = {
    "MobileNet": [
        {"alpha": 0.25, "depth_multiplier": 2, "input_shape": (128, 128, 3)},
        {"include_top": False, "pooling": "max", "input_shape": (32, 64, 1)},
    ],
    "MobileNetV2": [
        {"alpha": 0.35, "input_shape": (96, 96, 3)},
        {"alpha": 1.4, "include_top": False, "pooling": "avg"},
    ],
    "MobileNetV3Small": [
        {"minimalistic": True, "alpha": 0.75, "include_preprocessing": False},
        {"include_top": False, "pooling": "avg", "input_shape": (64, 48, 3)},
    ],
    "MobileNetV3Large": [{"alpha": 1.25, "dropout_rate": 0.0, "classes": 7}],
    "ResNet50": [{"include_top": False, "pooling": "max"}, {"classes": 5, "name": "mine"}],
    "ResNet50V2": [{"include_top": False, "pooling": "avg", "classifier_activation": None}],
    "VGG16": [{"include_top": False, "pooling": "avg"}],
    "DenseNet121": [{"include_top": False, "pooling": "max"}],
    "Xception": [{"include_top": False, "pooling": "avg"}],
    "InceptionV3": [{"include_top": False, "pooling": "max"}],
    "InceptionResNetV2": [{"include_top": False, "pooling": "avg"}],
    "EfficientNetB0": [{"include_top": False, "pooling": "max", "input_shape": (33, 40, 3)}],
    "EfficientNetV2B0": [
        {"include_preprocessing": False, "classifier_activation": "sigmoid"},
        {"include_top": False, "pooling": "avg", "input_shape": (32, 32, 1)},
    ],
    "EfficientNetV2S": [{"include_top": False, "pooling": "max"}],
    "ConvNeXtTiny": [{"include_preprocessing": False}, {"include_top": False, "pooling": "max"}],
    "NASNetMobile": [{"include_top": False, "pooling": "avg", "input_shape": (33, 65, 3)}],
}

NAMES = [
    "ConvNeXtBase",
    "ConvNeXtLarge",
    "ConvNeXtSmall",
    "ConvNeXtTiny",
    "ConvNeXtXLarge",
    "DenseNet121",
    "DenseNet169",
    "DenseNet201",
    *(f"EfficientNetB{number}" for number in range(8)),
    *(f"EfficientNetV2{size}" for size in ("B0", "B1", "B2", "B3", "L", "M", "S")),
    "InceptionResNetV2",
    "InceptionV3",
    "MobileNet",
    "MobileNetV2",
    "MobileNetV3Large",
    "MobileNetV3Small",
    "NASNetLarge",
    "NASNetMobile",
    "ResNet101",
    "ResNet101V2",
    "ResNet152",
    "ResNet152V2",
    "ResNet50",
    "ResNet50V2",
    "VGG16",
    "VGG19",
    "Xception",
]


def calls() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each architecture as it comes, without its classifier, and its variants.

    The first two are of weights of ImageNet, whose files are put down and not downloaded.
    """
    for name in NAMES:
        yield name, {"weights": "imagenet"}
        yield name, {"weights": "imagenet", "include_top": False}
        for arguments in VARIANTS.get(name, ()):
            yield name, {"weights": None, **arguments}


def key(name: str, arguments: dict[str, Any]) -> str:
    """How the table calls a call."""
    return f"{name}({', '.join(f'{argument}={value!r}' for argument, value in arguments.items())})"


def layers(model: Any) -> list[Any]:
    """Names and classes of the layers, inner ones included, in order."""
    found = []
    for layer in model.layers:
        found.append([layer.name, type(layer).__name__])
        found += layers(layer) if hasattr(layer, "layers") else []
    return found


def weights(model: Any) -> list[Any]:
    """Paths, shapes and whether they are trained, in order."""
    return [[w.path, list(w.shape), bool(w.trainable)] for w in model.weights]


def plain(config: Any) -> str:
    """A configuration as text: what JSON makes of it.

    Keras alone writes what calls have by default (`mask=None`, `training=False`), shapes beside
    layers that have no weights, that a model inside is not compiled, `keras` for `keras.models`.
    """
    return json.dumps(_told(config), sort_keys=True, default=str)


_OF_KERAS = [("mask", None), ("training", False), ("compile_config", {})]


def _told(config: Any) -> Any:
    if isinstance(config, dict):
        items = {key: _told(value) for key, value in config.items() if key != "build_config"}
        items |= {"module": "keras.models"} if items.get("module") == "keras" else {}
        return {key: value for key, value in items.items() if (key, value) not in _OF_KERAS}
    return [_told(item) for item in config] if isinstance(config, (list, tuple)) else config


def facts(model: Any) -> dict[str, Any]:
    """Counts, which say how large a difference is, and digests, which see any."""
    lists = {"layers": layers(model), "weights": weights(model)}
    return {
        "parameters": model.count_params(),
        **{what: len(items) for what, items in lists.items()},
        "output_shape": list(model.output_shape),
        **{f"{what}_digest": digest(plain(items)) for what, items in lists.items()},
        "config_digest": digest(plain(model.get_config())),
    }


def digest(text: str) -> str:
    """Twelve hexadecimal digits of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def fill(model: Any) -> None:
    """Give each weight numbers that follow from its place: the same in Keras and nkeras."""
    for i, variable in enumerate(model.weights):
        random = np.random.default_rng(i)
        shape, name = tuple(variable.shape), variable.path.rpartition("/")[2]
        if name == "count":
            continue
        if name in ("gamma", "moving_variance", "variance"):
            values = random.uniform(0.5, 1.5, shape)
        elif "kernel" in name and len(shape) > 1:
            inputs = np.prod(shape[:2]) if "depthwise" in name else np.prod(shape[:-1])
            values = random.standard_normal(shape) / np.sqrt(inputs)
        else:
            values = random.standard_normal(shape) * 0.1
        variable.assign(values.astype("float32"))


# The smallest image of each, without the classifier.
SMALLEST = {
    "ConvNeXtTiny": 32,
    "DenseNet121": 32,
    "EfficientNetB0": 32,
    "EfficientNetV2B0": 32,
    "InceptionResNetV2": 75,
    "InceptionV3": 75,
    "MobileNet": 32,
    "MobileNetV2": 32,
    "MobileNetV3Large": 32,
    "MobileNetV3Small": 32,
    "NASNetMobile": 32,
    "ResNet50": 32,
    "ResNet50V2": 32,
    "VGG16": 32,
    "VGG19": 32,
    "Xception": 71,
}


def images(name: str) -> Any:
    """Two images of the smallest size, from 0 to 255."""
    side = SMALLEST[name]
    return np.random.default_rng(0).uniform(0, 255, (2, side, side, 3)).astype("float32")


def built(applications: Any, name: str) -> Any:
    """A small model of `keras.applications` or ours, with weights that `fill` gives."""
    side = SMALLEST[name]
    model = getattr(applications, name)(
        weights=None, include_top=False, pooling="avg", input_shape=(side, side, 3)
    )
    fill(model)
    return model


def sample(outputs: Any) -> list[float]:
    """Some of the outputs, evenly spaced, and the mean of all their squares."""
    flat = outputs.astype("float64").ravel()
    chosen = flat[:: len(flat) // 16]
    return [float(f"{value:.9g}") for value in (*chosen, np.mean(flat * flat))]
