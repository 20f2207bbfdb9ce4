"""One table of losses: class, function, arguments, inputs; shared by the tests of this folder."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none", None)


class Case(NamedTuple):
    """What a loss is called with; `kind` names the maker of the inputs."""

    cls: str
    function: str
    kind: str
    arguments: dict[str, Any]


def _case(cls: str, function: str, kind: str, long: bool = False, **arguments: Any) -> Any:
    shown = "-".join(f"{key}={value}" for key, value in arguments.items())
    marks = [pytest.mark.long] if long else []
    return pytest.param(
        Case(cls, function, kind, arguments),
        id="-".join(filter(None, (cls, kind, shown))),
        marks=marks,
    )


_BINARY = ("BinaryCrossentropy", "binary_crossentropy")
_BINARY_FOCAL = ("BinaryFocalCrossentropy", "binary_focal_crossentropy")
_CATEGORICAL = ("CategoricalCrossentropy", "categorical_crossentropy")
_FOCAL = ("CategoricalFocalCrossentropy", "categorical_focal_crossentropy")
_SPARSE = ("SparseCategoricalCrossentropy", "sparse_categorical_crossentropy")
_GENERALIZED = ("CategoricalGeneralizedCrossEntropy", "categorical_generalized_cross_entropy")

CASES = [
    _case(*_BINARY, "probabilities"),
    _case(*_BINARY, "logits", long=True, from_logits=True),
    _case(*_BINARY, "logits", from_logits=True, label_smoothing=0.2),
    _case(*_BINARY, "probabilities", long=True, label_smoothing=0.1),
    _case(*_BINARY, "images", long=True, axis=1),
    _case(*_BINARY, "images", long=True, axis=-1),
    _case(*_BINARY_FOCAL, "probabilities"),
    _case(*_BINARY_FOCAL, "logits", from_logits=True, apply_class_balancing=True, alpha=0.4),
    _case(*_BINARY_FOCAL, "inner", long=True, gamma=1.5, label_smoothing=0.1),
    _case(*_BINARY_FOCAL, "images", long=True, axis=2),
    _case(*_CATEGORICAL, "softmax"),
    _case(*_CATEGORICAL, "saturated"),
    _case(*_CATEGORICAL, "unnormalized", label_smoothing=0.3),
    _case(*_CATEGORICAL, "class_logits", long=True, from_logits=True),
    _case(*_CATEGORICAL, "class_logits", from_logits=True, label_smoothing=0.1),
    _case(*_CATEGORICAL, "image_logits", from_logits=True, axis=1),
    _case(*_CATEGORICAL, "image_softmax", long=True, axis=1),
    _case(*_FOCAL, "softmax"),
    _case(*_FOCAL, "class_logits", from_logits=True, alpha=0.5, gamma=1.0),
    _case(*_FOCAL, "softmax", long=True, label_smoothing=0.2, gamma=3.0),
    _case(*_FOCAL, "image_softmax", long=True, axis=1),
    _case(*_SPARSE, "labels_softmax"),
    _case(*_SPARSE, "labels_saturated"),
    _case(*_SPARSE, "labels_logits", from_logits=True),
    _case(*_SPARSE, "column_logits", long=True, from_logits=True),
    _case(*_SPARSE, "steps_logits", from_logits=True),
    _case(*_SPARSE, "steps_softmax", long=True),
    _case(*_SPARSE, "ignored_logits", from_logits=True, ignore_class=-1),
    _case(*_SPARSE, "ignored_softmax", ignore_class=-1),
    _case(*_SPARSE, "labels_softmax", long=True, ignore_class=2),
    _case(*_GENERALIZED, "labels_softmax"),
    _case(*_GENERALIZED, "labels_softmax", long=True, q=0.8),
    _case("KLDivergence", "kl_divergence", "distributions"),
    _case("Poisson", "poisson", "counts"),
    _case("Hinge", "hinge", "signs"),
    _case("Hinge", "hinge", "zeros_and_ones", long=True),
    _case("SquaredHinge", "squared_hinge", "signs"),
    _case("SquaredHinge", "squared_hinge", "zeros_and_ones", long=True),
    _case("CategoricalHinge", "categorical_hinge", "class_logits"),
    _case("Dice", "dice", "inner"),
    _case("Dice", "dice", "images", long=True, axis=(1, 2)),
    _case("Tversky", "tversky", "inner", alpha=0.3, beta=0.7),
    _case("Tversky", "tversky", "images", long=True, axis=(1, 2)),
    _case("CosineSimilarity", "cosine_similarity", "real"),
    _case("CosineSimilarity", "cosine_similarity", "real_images", axis=1),
    _case("Huber", "huber", "real", long=True),
    _case("Huber", "huber", "real", delta=0.5),
    _case("LogCosh", "log_cosh", "real"),
    _case("MeanAbsoluteError", "mean_absolute_error", "real"),
    _case("MeanAbsolutePercentageError", "mean_absolute_percentage_error", "real"),
    _case("MeanSquaredError", "mean_squared_error", "real"),
    _case("MeanSquaredError", "mean_squared_error", "real_images", long=True),
    _case("MeanSquaredError", "mean_squared_error", "vector_against_column"),
    _case("MeanSquaredError", "mean_squared_error", "column_against_vector", long=True),
    _case("MeanSquaredLogarithmicError", "mean_squared_logarithmic_error", "counts"),
    _case("CTC", "ctc", "sequences"),
    _case("Circle", "circle", "embeddings"),
    _case("Circle", "circle", "embeddings", long=True, remove_diagonal=False, gamma=20.0),
    _case("Circle", "circle", "embeddings", long=True, margin=0.2),
]


def for_keras(case: Case) -> dict[str, Any]:
    """The arguments that give Keras 3.15 the case: it takes Tversky's alpha for beta."""
    exchanged = {"alpha": "beta", "beta": "alpha"} if case.cls == "Tversky" else {}
    return {exchanged.get(key, key): value for key, value in case.arguments.items()}


EACH_KIND_OF_SHAPE = [
    _case("MeanSquaredError", "mean_squared_error", "real"),
    _case("MeanSquaredError", "mean_squared_error", "real_images"),
    _case("Dice", "dice", "inner"),
    _case(*_SPARSE, "ignored_logits", from_logits=True, ignore_class=-1),
]


def inputs(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Targets and predictions, float32 or int32."""
    random = np.random.default_rng(7)

    def uniform(*shape: int) -> np.ndarray:
        return random.uniform(0.02, 0.98, shape)

    def normal(*shape: int) -> np.ndarray:
        return 2.0 * random.normal(size=shape)

    def bits(*shape: int) -> np.ndarray:
        return random.integers(0, 2, shape)

    def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
        e = np.exp(x)
        return e / e.sum(axis, keepdims=True)

    def onehot() -> np.ndarray:
        return np.eye(4)[random.integers(0, 4, 6)]

    def image_onehot() -> np.ndarray:
        return np.moveaxis(np.eye(4)[random.integers(0, 4, (2, 3))], -1, 1)

    labels = random.integers(0, 4, 6)
    saturated = np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0.5, 0.5, 0, 0]] * 2)
    edge = uniform(6, 3)
    edge[0, 0], edge[1, 1], edge[2, 2], edge[3, 0] = 0.0, 1.0, 1.0, 0.0

    def directions() -> np.ndarray:
        x = normal(8, 5)
        return x / np.linalg.norm(x, axis=1, keepdims=True)

    made = {
        "sequences": lambda: (np.array([[1, 2, 3], [3, 3, 0], [2, 0, 0]]), normal(3, 8, 4)),
        "embeddings": lambda: (np.array([0, 1, 2, 0, 1, 2, 0, 3]), directions()),
        "probabilities": lambda: (bits(6, 3), edge),
        "inner": lambda: (bits(6, 3), uniform(6, 3)),
        "logits": lambda: (bits(6, 3), 5.0 * normal(6, 3)),
        "images": lambda: (bits(2, 3, 4), uniform(2, 3, 4)),
        "softmax": lambda: (onehot(), softmax(normal(6, 4))),
        "saturated": lambda: (onehot(), saturated),
        "unnormalized": lambda: (onehot(), uniform(6, 4)),
        "class_logits": lambda: (onehot(), 3.0 * normal(6, 4)),
        "image_logits": lambda: (image_onehot(), normal(2, 4, 3)),
        "image_softmax": lambda: (image_onehot(), softmax(normal(2, 4, 3), 1)),
        "labels_softmax": lambda: (labels, softmax(normal(6, 4))),
        "labels_saturated": lambda: (labels, saturated),
        "labels_logits": lambda: (labels, 3.0 * normal(6, 4)),
        "column_logits": lambda: (labels[:, None], normal(6, 4)),
        "steps_logits": lambda: (labels.reshape(2, 3), normal(2, 3, 4)),
        "steps_softmax": lambda: (labels.reshape(2, 3), softmax(normal(2, 3, 4))),
        "ignored_logits": lambda: (np.where(labels == 3, -1, labels), normal(6, 4)),
        "ignored_softmax": lambda: (np.where(labels == 3, -1, labels), softmax(normal(6, 4))),
        "distributions": lambda: (softmax(normal(6, 4)), softmax(normal(6, 4))),
        "counts": lambda: (random.integers(0, 5, (6, 3)), 4.0 * uniform(6, 3)),
        "signs": lambda: (2 * bits(6, 3) - 1, normal(6, 3)),
        "zeros_and_ones": lambda: (bits(6, 3), normal(6, 3)),
        "real": lambda: (normal(6, 3), normal(6, 3)),
        "real_images": lambda: (normal(2, 3, 4), normal(2, 3, 4)),
        "vector_against_column": lambda: (normal(6), normal(6, 1)),
        "column_against_vector": lambda: (normal(6, 1), normal(6)),
    }
    y_true, y_pred = made[kind]()
    return (
        y_true.astype("int32" if y_true.dtype.kind == "i" else "float32"),
        y_pred.astype("float32"),
    )


def weights(shape: tuple[int, ...]) -> dict[str, np.ndarray | None]:
    """Sample weights that fit losses of a shape."""
    random = np.random.default_rng(3)
    made: dict[str, np.ndarray | None] = {"none": None}
    if shape:
        whole = random.uniform(0.0, 2.0, shape).astype("float32")
        whole.flat[0] = 0.0
        made["whole"] = whole
        made["column"] = whole[..., None] if len(shape) == 1 else whole[:, :1]
    return made
