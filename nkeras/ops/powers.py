"""Powers: an exponent that is a number of Python's may have an operation of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nkeras.backend.scalar import Scalar
from nkeras.core import dtypes
from nkeras.core.elementwise import Elementwise
from nkeras.core.primitive import has_symbolic, to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike

Operations = Mapping[float, Callable[[Tensor], Tensor]]


class Power(Elementwise):
    """`x1**x2`, which takes 50 times as long as a product where `x2` may be anything.

    Args:
        scalar: the scalar function of two arguments.
        doc: docstring.
        products: by exponent, what gives the power of integers and of floats.
        others: by exponent, what gives the power of floats only.
    """

    def __init__(
        self, scalar: Scalar, doc: str, *, products: Operations, others: Operations
    ) -> None:
        super().__init__(scalar, doc=doc)
        self._of_integers = dict(products)
        self._of_floats = {**products, **others}

    def __call__(self, *arguments: TensorLike | None, **named: TensorLike | None) -> Tensor:
        """The operation of the exponent, or the general power."""
        if named or len(arguments) != 2:
            bound = self.__signature__.bind(*arguments, **named)
            arguments = bound.args
        base, exponent = arguments
        if base is not None and isinstance(exponent, (int, float)) and type(exponent) is not bool:
            if float(exponent) in self._of_floats and not has_symbolic(arguments):
                dtype = self.compute_dtype(arguments)
                known = self._of_floats if dtypes.is_differentiable(dtype) else self._of_integers
                if float(exponent) in known:
                    return known[float(exponent)](to_tensor(base, dtype))
        return super().__call__(*arguments)
