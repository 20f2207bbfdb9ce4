"""A student and its teacher, against Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import distillation, layers
from tests.harness import oracle

RNG = np.random.default_rng(3)
DATA: dict[str, Any] = {
    "x": RNG.normal(size=(24, 5)).astype("float32"),
    "y": RNG.integers(0, 3, 24).astype("int32"),
    "weights": [
        (0.3 * RNG.normal(size=shape)).astype("float32")
        for shape in ((5, 8), (8,), (8, 3), (3,), (5, 4), (4,), (4, 3), (3,))
    ],
    "pairs": [RNG.normal(size=(2, 6, 3)).astype("float32") for _ in range(2)],
}
FIT = """
def model(units, name):
    made = keras.Sequential([
        keras.Input((5,)),
        keras.layers.Dense(units, "tanh", name="hidden"),
        keras.layers.Dense(3, name="last"),
    ], name=name)
    return made

teacher, student = model(8, "teacher"), model({units}, "student")
teacher.set_weights(weights[:4])
student.set_weights([w + 0.1 for w in weights[:4]] if {units} == 8 else weights[4:])
d = keras.distillation
distiller = d.Distiller(teacher, student, {losses})
distiller.compile(
    keras.optimizers.SGD(0.5),
    keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
history = distiller.fit(x, y, epochs=3, batch_size=8, shuffle=False, verbose=0)
evaluated = distiller.evaluate(x, y, batch_size=24, verbose=0, return_dict=True)
result = [history.history, student.get_weights(), teacher.get_weights(), evaluated]
"""
CASES = {
    "logits": (4, "d.LogitsDistillation(3.0, keras.losses.KLDivergence())"),
    "other loss": (4, "d.LogitsDistillation(2.0, keras.losses.MeanSquaredError())"),
    "features": (8, "d.FeatureDistillation('mse', 'hidden', 'hidden')"),
    "both": (
        8,
        "[d.LogitsDistillation(4.0, keras.losses.KLDivergence()), "
        "d.FeatureDistillation('mae', 'hidden', 'hidden')], [1.0, 0.5], 0.3",
    ),
    "student alone": (4, "d.LogitsDistillation(), student_loss_weight=1.0"),
    "teacher alone": (4, "d.FeatureDistillation(), student_loss_weight=0"),
}


@oracle.requires_keras
@pytest.mark.parametrize("case", CASES)
def test_training_is_that_of_keras(case: str) -> None:
    units, losses = CASES[case]
    code = FIT.replace("{units}", str(units)).replace("{losses}", losses)
    names: dict[str, Any] = {"keras": nkeras, **DATA}
    exec(code, names)
    history, student, teacher, evaluated = names["result"]
    expected = oracle.run(code, **DATA)
    assert sorted(history) == sorted(expected[0])
    for name in history:
        np.testing.assert_allclose(history[name], expected[0][name], rtol=2e-5, err_msg=name)
    for one, other in zip(student, expected[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=1e-5)
    for one, other in zip(teacher, DATA["weights"][:4], strict=True):
        np.testing.assert_array_equal(one, other)
    for name, value in evaluated.items():
        np.testing.assert_allclose(value, expected[3][name], rtol=2e-4, err_msg=name)
    assert not names["distiller"]._plans.refusals()


LOSSES = """
teacher, student = pairs
both = [teacher, student], [student, teacher]
made = [
    d.LogitsDistillation(3.0, keras.losses.KLDivergence()).compute_loss(teacher, student),
    d.LogitsDistillation(2.0, "mse").compute_loss(teacher, student),
    d.LogitsDistillation(2.0, ["mse", None]).compute_loss(*both),
    d.LogitsDistillation(2.0, ["mae", keras.losses.KLDivergence()]).compute_loss(*both),
    d.FeatureDistillation("cosine_similarity").compute_loss(teacher, student),
    d.FeatureDistillation({"a": "mse", "b": "mae"}).compute_loss(
        {"a": teacher, "b": student}, {"a": student, "b": 2 * teacher}
    ),
]
result = [float(one) for one in made]
"""


@oracle.requires_keras
def test_losses_are_those_of_keras() -> None:
    names: dict[str, Any] = {"keras": nkeras, "d": distillation, "pairs": DATA["pairs"]}
    exec(LOSSES, names)
    expected = oracle.run("d = keras.distillation\n" + LOSSES, pairs=DATA["pairs"])
    np.testing.assert_allclose(names["result"], expected, rtol=1e-5)


def test_the_divergence_compares_probabilities_by_name_too() -> None:
    teacher, student = DATA["pairs"]
    by_name = distillation.LogitsDistillation(3.0).compute_loss(teacher, student)
    divergence = nkeras.losses.KLDivergence()
    by_object = distillation.LogitsDistillation(3.0, divergence).compute_loss(teacher, student)
    np.testing.assert_allclose(by_name, by_object, rtol=1e-6)


def make(units: int = 4, inputs: int = 5, name: str | None = None) -> nkeras.Model:
    model = nkeras.Sequential([nkeras.Input((inputs,))], name=name)
    model.add(layers.Dense(units, "tanh", name="hidden"))
    model.add(layers.Dense(3, name="last"))
    return model


def test_configurations_come_back() -> None:
    losses = [
        distillation.LogitsDistillation(2.0),
        distillation.FeatureDistillation("mse", "hidden", "hidden"),
    ]
    made = distillation.Distiller(make(), make(), losses, [1.0, 0.5], 0.3)
    again = nkeras.saving.deserialize_keras_object(nkeras.saving.serialize_keras_object(made))
    assert isinstance(again, distillation.Distiller)
    assert again.get_config() == made.get_config()
    assert again.student_loss_weight == 0.3
    assert again.distillation_losses[1].teacher_layer_name == "hidden"


def test_models_without_a_graph() -> None:
    class Own(nkeras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(3)

        def call(self, x: Any) -> Any:
            return self.dense(x)

    distiller = distillation.Distiller(Own(), Own(), distillation.LogitsDistillation())
    distiller.compile("sgd", "mse")
    distiller.fit(DATA["x"], DATA["x"][:, :3], epochs=1, verbose=0)
    assert distiller.predict(DATA["x"], verbose=0).shape == (24, 3)
    with pytest.raises(ValueError, match="must be a functional or sequential model"):
        distillation.Distiller(Own(), Own(), distillation.FeatureDistillation("mse", "a", "b"))


LOGITS = distillation.LogitsDistillation()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: distillation.LogitsDistillation(0.0), "`temperature` must be a number above 0"),
        (lambda: distillation.LogitsDistillation(loss=[None]), "at least one loss"),
        (lambda: distillation.FeatureDistillation(None), "at least one loss"),
        (lambda: distillation.Distiller(3, make(), LOGITS), "`teacher` must be a model"),
        (lambda: distillation.Distiller(make(), make(), None), "`distillation_losses` must be"),
        (lambda: distillation.Distiller(make(), make(4, 6), LOGITS), "must have the same inputs"),
        (
            lambda: distillation.Distiller(make(), make(), [LOGITS], [1.0, 2.0]),
            "`distillation_loss_weights` must have 1 numbers",
        ),
        (
            lambda: distillation.Distiller(make(), make(), LOGITS, student_loss_weight=2),
            "`student_loss_weight` must be in",
        ),
        (
            lambda: distillation.Distiller(
                make(), make(), distillation.FeatureDistillation("mse", "absent")
            ),
            "In teacher model: .*absent",
        ),
        (
            lambda: distillation.Distiller(make(), make(), LOGITS).compile("sgd"),
            "`loss` must be a loss",
        ),
        (
            lambda: distillation.Distiller(make(), make(), LOGITS).compile("sgd", "mse", "mae"),
            "`metrics` must be a list",
        ),
        (
            lambda: distillation.LogitsDistillation(loss=["mse"]).validate_outputs(1, 2),
            "`loss` must have the structure of the outputs",
        ),
    ],
)
def test_errors(call: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        call()


def test_a_loss_must_be_a_scalar() -> None:
    class Rows(distillation.DistillationLoss):
        def compute_loss(self, teacher_outputs: Any, student_outputs: Any, **kwargs: Any) -> Any:
            return nkeras.ops.mean(teacher_outputs - student_outputs, axis=1)

    distiller = distillation.Distiller(make(), make(), Rows())
    distiller.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"Rows.compute_loss\(\) must return a scalar"):
        distiller.fit(DATA["x"], DATA["x"][:, :3], verbose=0)
    with pytest.raises(NotImplementedError, match="must define compute_loss"):
        distillation.DistillationLoss().compute_loss(1, 2)


def test_weights_of_samples_are_refused() -> None:
    student, teacher = (nkeras.Sequential([nkeras.Input((5,)), layers.Dense(3)]) for _ in range(2))
    distiller = distillation.Distiller(teacher, student, distillation.LogitsDistillation())
    distiller.compile("sgd", "mse")
    y = np.zeros((24, 3), "float32")
    with pytest.raises(ValueError, match="`sample_weight` must be None"):
        distiller.fit(DATA["x"], y, sample_weight=np.ones(24), verbose=0)
