"""Complex numbers: their parts, and what elementwise operations do with them.

Gradients are those of JAX: that of a real number by z = a + bi is `d/da - i d/db`, so that rules
of differentiation are the same for complex numbers as for real ones.
"""

from __future__ import annotations

from nkeras.core import dtypes, missing
from nkeras.core.errors import short
from nkeras.core.primitive import op, primitive, promoted, to_floating, to_tensor
from nkeras.core.spec import Spec, Typed, broadcast_shapes
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.ops import elementwise
from nkeras.ops.core import zeros_like
from nkeras.ops.elementwise import arctan2, cos, divide_no_nan, equal, hypot, sin
from nkeras.ops.shape import broadcast_to, cast, stack


def _part(x: Typed) -> Spec:
    return Spec(x.shape, dtypes.real_of(x.dtype))


@primitive(takes_complex=True)
def _real(x: Typed) -> Spec:
    """Real parts."""
    return _part(x)


@_real.vjp("x")
def _(grad_y: Tensor) -> Tensor:
    return make_complex(grad_y, zeros_like(grad_y))


@primitive(takes_complex=True)
def _imag(x: Typed) -> Spec:
    """Imaginary parts."""
    return _part(x)


@_imag.vjp("x")
def _(grad_y: Tensor) -> Tensor:
    return make_complex(zeros_like(grad_y), -grad_y)


@primitive()
def make_complex(real: Typed, imag: Typed) -> Spec:
    """Complex numbers of their parts, which have one shape and dtype."""
    return Spec(real.shape, dtypes.complex_of(real.dtype))


@make_complex.vjp("real", "imag")
def _(grad_y: Tensor) -> tuple[Tensor, Tensor]:
    return _real(grad_y), -_imag(grad_y)


@primitive(takes_complex=True)
def _conj(x: Typed) -> Spec:
    """Complex conjugates."""
    return Spec(x.shape, x.dtype)


@_conj.vjp("x")
def _(grad_y: Tensor) -> Tensor:
    return _conj(grad_y)


@op
def real(x: TensorLike) -> Tensor:
    """Real parts of complex numbers; real numbers are their own.

    Args:
        x: tensor.

    Returns:
        Tensor of the same shape and a real dtype.

    Example:
        >>> import nkeras
        >>> nkeras.ops.real([1 + 2j, 3.0]).numpy()
        array([1., 3.], dtype=float32)

    Source: https://keras.io/api/ops/numpy/
    """
    x = to_tensor(x)
    return _real(x) if dtypes.is_complex(x.dtype) else x


@op
def imag(x: TensorLike) -> Tensor:
    """Imaginary parts of complex numbers; those of real numbers are 0.

    Args:
        x: tensor.

    Returns:
        Tensor of the same shape and a real dtype.

    Example:
        >>> import nkeras
        >>> nkeras.ops.imag([1 + 2j, 3.0]).numpy()
        array([2., 0.], dtype=float32)

    Source: https://keras.io/api/ops/numpy/
    """
    x = to_tensor(x)
    return _imag(x) if dtypes.is_complex(x.dtype) else zeros_like(x)


@op
def conj(x: TensorLike) -> Tensor:
    """Complex conjugates; real numbers are their own. `conjugate` is the same.

    Args:
        x: tensor.

    Returns:
        Tensor of the same shape and dtype.

    Example:
        >>> import nkeras
        >>> nkeras.ops.conj([1 + 2j]).numpy()
        array([1.-2.j], dtype=complex64)

    Source: https://keras.io/api/ops/numpy/
    """
    x = to_tensor(x)
    return _conj(x) if dtypes.is_complex(x.dtype) else x


conjugate = conj


@op
def angle(x: TensorLike) -> Tensor:
    """Angles of complex numbers, in (-pi, pi] radians; pi of negative real numbers.

    Args:
        x: tensor.

    Returns:
        Tensor of the same shape and a floating dtype.

    Example:
        >>> import nkeras
        >>> nkeras.ops.angle([1j, 2.0]).numpy()
        array([1.5707964, 0.       ], dtype=float32)

    Source: https://keras.io/api/ops/numpy/
    """
    x = to_floating(x)
    return arctan2(imag(x), real(x))


@op
def isreal(x: TensorLike) -> Tensor:
    """Whether numbers have an imaginary part of 0.

    Args:
        x: tensor.

    Returns:
        Tensor of bool of the same shape.

    Example:
        >>> import nkeras
        >>> nkeras.ops.isreal([1 + 2j, 3.0]).numpy()
        array([False,  True])

    Source: https://keras.io/api/ops/numpy/
    """
    return equal(imag(x), 0)


@op
def polar(abs_: TensorLike, angle: TensorLike) -> Tensor:
    """Complex numbers of absolute values and angles.

    Args:
        abs_: tensor of absolute values.
        angle: tensor of radians.

    Returns:
        Tensor of complex64, or complex128 for float64, of the broadcast shape.

    Raises:
        ValueError: the shapes do not broadcast.

    Example:
        >>> import nkeras
        >>> nkeras.ops.polar([2.0], [0.0]).numpy()
        array([2.+0.j], dtype=complex64)

    Source: https://keras.io/api/ops/nn/
    """
    size, angle = promoted(to_floating(abs_), to_floating(angle))
    return from_parts(size * cos(angle), size * sin(angle))


def from_parts(real: TensorLike, imag: TensorLike) -> Tensor:
    """Complex numbers of real and imaginary parts, which broadcast."""
    real, imag = promoted(to_floating(real), to_floating(imag))
    if real.dtype in dtypes.HALVES:
        real, imag = cast(real, "float32"), cast(imag, "float32")
    shape = broadcast_shapes(real.shape, imag.shape, owner="complex numbers")
    return make_complex(broadcast_to(real, shape), broadcast_to(imag, shape))


@op
def view_as_complex(x: TensorLike) -> Tensor:
    """Complex numbers of pairs of real and imaginary parts.

    Args:
        x: tensor of real numbers `(..., 2)`.

    Returns:
        Tensor of complex64, or complex128 for float64, `(...)`.

    Raises:
        ValueError: the last size is not 2, or the numbers are complex.

    Example:
        >>> import nkeras
        >>> nkeras.ops.view_as_complex([[1.0, 2.0]]).numpy()
        array([1.+2.j], dtype=complex64)

    Source: https://keras.io/api/ops/core/
    """
    x = to_floating(x)
    if not x.shape or x.shape[-1] != 2 or dtypes.is_complex(x.dtype):
        raise ValueError(
            "view_as_complex: argument `x` must hold real numbers in pairs, its last size 2. "
            f"Received shape {x.shape}, dtype {short(x.dtype)}"
        )
    return from_parts(x[..., 0], x[..., 1])


@op
def view_as_real(x: TensorLike) -> Tensor:
    """Real and imaginary parts of complex numbers, side by side.

    Args:
        x: tensor.

    Returns:
        Tensor of a real dtype `(..., 2)`.

    Example:
        >>> import nkeras
        >>> nkeras.ops.view_as_real([1 + 2j]).numpy()
        array([[1., 2.]], dtype=float32)

    Source: https://keras.io/api/ops/core/
    """
    x = to_tensor(x)
    return stack([real(x), imag(x)], -1)


def square_of_size(x: Tensor) -> Tensor:
    """The square of the absolute value, of real and complex numbers."""
    if not dtypes.is_complex(x.dtype):
        return elementwise.square(x)
    return elementwise.square(real(x)) + elementwise.square(imag(x))


def _absolute(x: TensorLike) -> Tensor:
    return hypot(real(x), imag(x))


def _sign(x: TensorLike) -> Tensor:
    """On the unit circle, or 0."""
    return divide_no_nan(x, _absolute(x))


elementwise.absolute.of_complex = _absolute
elementwise.sign.of_complex = _sign

missing.explain(__name__)
