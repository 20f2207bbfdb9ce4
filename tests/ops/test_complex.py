"""Complex numbers: backends agree, gradients are right, Keras on JAX has the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import ops
from nkeras.core.elementwise import Elementwise
from nkeras.core.primitive import PRIMITIVES
from nkeras.core.tape import GradientTape
from tests.harness import check_op as harness
from tests.harness import oracle
from tests.ops.cases import Case
from tests.ops.complex_cases import CASES, elementwise, hermitian, numbers

_ALL = [(name, case) for name, cases in CASES.items() for case in cases]


def test_every_primitive_that_takes_them_has_a_case() -> None:
    taking = {name for name, value in PRIMITIVES.items() if value.takes_complex}
    assert set(CASES) == taking


@pytest.mark.parametrize(("name", "case"), _ALL, ids=[name for name, _ in _ALL])
def test_primitive(name: str, case: Case) -> None:
    harness.check_op(
        PRIMITIVES[name],
        *case.arrays,
        gradient=case.gradient,
        second_order=case.second_order,
        **case.static,
    )


@pytest.mark.parametrize(
    ("operation", "case"), elementwise(), ids=lambda one: getattr(one, "name", "")
)
def test_elementwise(operation: Elementwise, case: Case) -> None:
    want = harness.evaluate("numpy", operation, case.arrays, {})
    harness.assert_same(harness.evaluate("numba_cpu", operation, case.arrays, {}), want)
    harness.assert_symbolic(operation, case.arrays, {}, want, batch=False)
    if operation.scalar.result != "bool":
        harness.check_gradient(operation, case.arrays, {})


@pytest.mark.parametrize(
    "function", [ops.absolute, ops.sign, ops.angle, ops.var, ops.std, ops.norm]
)
def test_real_results_have_gradients(function: Any) -> None:
    harness.check_op(function, numbers(2, 3))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: ops.abs(ops.svd(x, full_matrices=False)[0]),
        lambda x: ops.svd(x, compute_uv=False),
        lambda x: ops.abs(ops.svd(x, full_matrices=False)[2]),
        lambda x: (lambda u, s, vh: (u * ops.square(s)) @ vh)(*ops.svd(x, full_matrices=False)),
        lambda x: ops.abs(ops.eigh(x @ ops.conj(ops.transpose(x)))[1]),
        lambda x: ops.abs(ops.eig(x[:, :2])[1]),
        lambda x: ops.eig(x[:, :2] @ x[:, 1:])[0],
    ],
)
def test_decompositions_without_their_phases(function: Any) -> None:
    harness.check_op(function, numbers(2, 3))


_GRADIENT = """
def loss(x):
    results = eval(expression, {"ops": ops, "jnp": jnp, "x": x})
    results = results if isinstance(results, (list, tuple)) else [results]
    return sum(ops.sum(ops.abs(y * (0.5 + 1j) + 0.3)) for y in results)

result = jax.jit(jax.grad(loss))(jnp.asarray(x))
"""
_SQUARE = numbers(3, 3) + 2 * np.eye(3, dtype="complex64")
GRADIENTS: dict[str, tuple[str, Any]] = {
    name: (f"ops.{name}(x)", numbers(3, 4))
    for name in """abs real imag conj angle exp log sin cos tan tanh sinh sqrt rsqrt reciprocal
    square sum mean prod cumsum cumprod transpose norm std view_as_real arcsin arctan log1p
    expm1""".split()
} | {
    "real times complex": ("ops.real(x) * x + 2.0", numbers(3)),
    "float": ("x * (1 + 2j)", np.array([1.0, -2.0], "float32")),
    "power": ("x ** 3 + x ** 0.5", numbers(3)),
    "power of a base": ("x ** ops.conj(x)", numbers(3)),
    "divide": ("1.0 / x + x / (x + 1.0)", numbers(3)),
    "cast": ("ops.cast(x, 'float32')", numbers(3)),
    "cast-to": ("ops.cast(x, 'complex64') * 1j", np.array([1.0, -2.0], "float32")),
    "matmul": ("ops.matmul(x, ops.conj(ops.transpose(x)))", numbers(2, 3)),
    "where": ("ops.where(ops.real(x) > 0, x * x, x)", numbers(5)),
    "polar": ("ops.polar(x, x * 2.0)", np.array([1.0, -2.0], "float32")),
    "view_as_complex": ("ops.view_as_complex(x) ** 2", np.array([[1.0, -2.0]], "float32")),
    "take": ("ops.take(x, [0, 2, 0], axis=0)", numbers(3, 2)),
    "solve": ("ops.solve(x, x[:, :1] + 1.0)", _SQUARE),
    "inv": ("ops.inv(x)", _SQUARE),
    "det": ("ops.det(x)", _SQUARE),
    "slogdet": ("ops.slogdet(x)", _SQUARE),
    "cholesky": ("ops.cholesky(x)", hermitian(3, 3)),
    "eigh-values": ("ops.eigh(x)[0]", hermitian(3, 3)),
    "eigh-vectors": ("ops.abs(ops.eigh(x)[1])", hermitian(3, 3)),
    "svd-values": ("ops.svd(x, compute_uv=False)", numbers(3, 4)),
    "qr": ("ops.qr(x)", _SQUARE),
    "lu_factor": ("ops.lu_factor(x)[0]", _SQUARE),
}


@oracle.requires_keras
@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_are_those_of_keras(name: str) -> None:
    expression, x = GRADIENTS[name]
    want = oracle.run(_GRADIENT, expression=expression, x=x)
    source = ops.convert_to_tensor(x)
    with GradientTape() as tape:
        tape.watch(source)
        results = eval(expression, {"ops": ops, "x": source})
        results = results if isinstance(results, (list, tuple)) else [results]
        loss = ops.sum(ops.stack([ops.sum(ops.abs(y * (0.5 + 1j) + 0.3)) for y in results]))
    found = tape.gradient(loss, source)
    assert found.dtype == source.dtype
    np.testing.assert_allclose(found, want, 2e-3, 2e-4)


def test_dtypes() -> None:
    z = ops.array([1 + 2j])
    assert z.dtype == "complex64"
    assert ops.array(np.zeros(2, "complex128")).dtype == "complex128"
    assert (z * 2).dtype == (2j * ops.array([1.0])).dtype == "complex64"
    assert (2j * ops.array([1])).dtype == (z * ops.array([1.0], "bfloat16")).dtype == "complex64"
    assert (z * ops.array([1.0], "float64")).dtype == "complex128"
    assert ops.abs(z).dtype == "float32"
    assert complex(z[0]) == 1 + 2j
    assert ops.cast(z, "float32").numpy().tolist() == [1.0]
    assert ops.cast(ops.array([0j, 1j]), "bool").numpy().tolist() == [False, True]
    assert nkeras.Variable(np.ones(2), dtype="complex64").dtype == "complex64"
    assert ops.zeros((2,), "complex64").dtype == ops.eye(2, dtype="complex64").dtype == "complex64"
    with pytest.raises(TypeError, match="is no real number"):
        float(z[0])


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda z: ops.maximum(z, 1.0), "maximum"),
        (lambda z: z > 1.0, "greater"),
        (lambda z: z % 2, "mod"),
        (lambda z: z // 2, "floor_divide"),
        (lambda z: ops.floor(z), "floor"),
        (lambda z: ops.max(z), "reduce_max"),
        (lambda z: ops.argmax(z), "argmax"),
        (lambda z: ops.sort(z), "sort"),
        (lambda z: ops.softmax(z), "softmax"),
        (lambda z: ops.relu(z), "relu"),
        (lambda z: ops.erf(z), "erf"),
        (lambda z: ops.conv(z[None, :, None], ops.ones((1, 1, 1))), "conv"),
    ],
)
@pytest.mark.parametrize("symbolic", [False, True])
def test_what_needs_an_order_refuses_them(call: Any, name: str, symbolic: bool) -> None:
    z = nkeras.KerasTensor((4,), "complex64") if symbolic else ops.array([1 + 2j, 3, 4, 5])
    with pytest.raises(
        TypeError, match=f"^{name}: this is not done with complex.*complex64"
    ) as one:
        call(z)
    assert len(str(one.value)) <= 400


def test_a_plan_repeats_them() -> None:
    @nkeras.function
    def turned(x: Any) -> Any:
        z = ops.exp(x * 2j)
        return ops.abs(ops.sum(z)), ops.real(z * ops.conj(z)), ops.matmul(z[None], z[:, None])

    for step in range(5):
        x = np.arange(4, dtype="float32") / (step + 2)
        z = np.exp(2j * x)
        length, squares, product = turned(x)
        np.testing.assert_allclose(length, abs(z.sum()), 1e-5)
        np.testing.assert_allclose(squares, np.ones(4), 1e-5)
        np.testing.assert_allclose(product, [[(z * z).sum()]], 1e-4, 1e-5)
    assert turned.refusals() == []


def test_a_model_of_complex_inputs_learns() -> None:
    inputs = nkeras.Input((4,), dtype="complex64")
    sizes = nkeras.layers.Lambda(ops.abs)(nkeras.layers.Dense(3)(inputs))
    model = nkeras.Model(inputs, nkeras.layers.Dense(1)(sizes))
    model.compile(nkeras.optimizers.Adam(0.05), "mse")
    z = numbers(64, 4)
    losses = model.fit(z, np.abs(z[:, :1]), epochs=10, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert model._plans.refusals() == {}
    assert model.predict(z, verbose=0).dtype == "float32"


def test_dense_takes_them() -> None:
    layer = nkeras.layers.Dense(3, bias_initializer="ones")
    z = numbers(2, 4)
    y = layer(z)
    np.testing.assert_allclose(y, z @ np.asarray(layer.kernel) + 1.0, 1e-5, 1e-5)


def test_a_layer_of_complex_weights_learns() -> None:
    class Turn(nkeras.layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.factor = self.add_weight(
                shape=(), initializer="ones", dtype="complex64", name="factor"
            )

        def call(self, inputs: Any) -> Any:
            z = ops.view_as_complex(inputs) * self.factor
            return ops.view_as_real(z)

    layer = Turn()
    x = np.asarray([[1.0, 2.0], [3.0, -1.0]], "float32")
    with GradientTape() as tape:
        loss = ops.sum(ops.square(layer(x) - x[:, ::-1]))
    (gradient,) = tape.gradient(loss, layer.trainable_variables)
    assert gradient.dtype == "complex64"
    layer.factor.assign_sub(0.01 * ops.conj(gradient))
    assert float(ops.sum(ops.square(layer(x) - x[:, ::-1]))) < float(loss)
