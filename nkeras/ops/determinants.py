"""Determinants."""

from __future__ import annotations

from nkeras.core import dtypes, missing
from nkeras.core.primitive import op, primitive, to_floating
from nkeras.core.spec import Spec, Typed
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.ops.complexes import imag, make_complex
from nkeras.ops.core import zeros_like
from nkeras.ops.matrix_product import matmul_
from nkeras.ops.reduction import reduce_sum
from nkeras.ops.shape import expand_dims, turned
from nkeras.ops.solving import check_matrix, inverse_of


def _of_each(x: Tensor) -> Tensor:
    """Numbers as they are multiplied with matrices."""
    return expand_dims(x, (-2, -1))


@primitive(outputs=("determinant",), takes_complex=True)
def _det(x: Typed) -> Spec:
    """The determinants of square matrices."""
    return Spec(x.shape[:-2], x.dtype)


@_det.vjp("x")
def _(grad_determinant: Tensor, x: Tensor) -> Tensor:
    return _of_each(grad_determinant) * _cofactors(x)


@primitive(outputs=("factors",), takes_complex=True)
def _cofactors(x: Typed) -> Spec:
    """The derivative of the determinant by each element, also of a singular matrix."""
    return Spec(x.shape, x.dtype)


@_cofactors.vjp("x")
def _(grad_factors: Tensor, x: Tensor, factors: Tensor) -> Tensor:
    """For matrices that are not singular."""
    inverse = turned(inverse_of(x))
    inner = reduce_sum(grad_factors * factors, axis=_last_two(x), keepdims=True)
    return inner * inverse - matmul_(factors, matmul_(turned(grad_factors), inverse))


def _last_two(x: Tensor) -> tuple[int, ...]:
    rank = len(x.shape)
    return rank - 2, rank - 1


@primitive(outputs=("sign", "logarithm"), takes_complex=True)
def _slogdet(x: Typed) -> tuple[Spec, Spec]:
    """The sign of the determinant, and the logarithm of its absolute value."""
    return Spec(x.shape[:-2], x.dtype), Spec(x.shape[:-2], dtypes.real_of(x.dtype))


@_slogdet.vjp("x")
def _(
    x: Tensor,
    sign: Tensor,
    grad_sign: Tensor | None = None,
    grad_logarithm: Tensor | None = None,
) -> Tensor:
    """The sign of a real matrix stays as it is, that of a complex one turns."""
    slope = zeros_like(sign) if grad_logarithm is None else grad_logarithm
    if grad_sign is not None and dtypes.is_complex(x.dtype):
        turn = imag(grad_sign * sign)
        slope = slope + make_complex(zeros_like(turn), turn)
    return _of_each(slope) * turned(inverse_of(x))


@op
def det(x: TensorLike) -> Tensor:
    """The determinant of square matrices.

    Args:
        x: tensor `(..., size, size)`.

    Returns:
        Tensor `(...)`.

    Raises:
        ValueError: the last two sizes differ.

    Example:
        >>> import nkeras
        >>> nkeras.ops.det([[2.0, 0.0], [0.0, 4.0]]).numpy()
        array(8., dtype=float32)

    Source: https://keras.io/api/ops/linalg/
    """
    x = to_floating(x)
    check_matrix(x, "det", square=True)
    return _det(x)


@op
def slogdet(x: TensorLike) -> tuple[Tensor, Tensor]:
    """Sign and logarithm of the determinant, which itself may be too large for the dtype.

    Args:
        x: tensor `(..., size, size)`.

    Returns:
        Two tensors `(...)`: the sign (1, 0 or -1; of a complex matrix a number of absolute value 1,
        or 0) and the logarithm of the absolute value.

    Raises:
        ValueError: the last two sizes differ.

    Example:
        >>> import nkeras
        >>> sign, logarithm = nkeras.ops.slogdet([[-1.0, 0.0], [0.0, 1.0]])
        >>> float(sign), float(logarithm)
        (-1.0, 0.0)

    Source: https://keras.io/api/ops/numpy/
    """
    x = to_floating(x)
    check_matrix(x, "slogdet", square=True)
    return _slogdet(x)


@op
def logdet(x: TensorLike) -> Tensor:
    """The logarithm of the absolute value of the determinant.

    Args:
        x: tensor `(..., size, size)`, Hermitian and positive definite.

    Returns:
        Tensor `(...)`.

    Raises:
        ValueError: the last two sizes differ.

    Example:
        >>> import nkeras
        >>> float(nkeras.ops.logdet([[1.0, 0.0], [0.0, 1.0]]))
        0.0

    Source: https://keras.io/api/ops/core/
    """
    x = to_floating(x)
    check_matrix(x, "logdet", square=True)
    return _slogdet(x)[1]


missing.explain(__name__)
