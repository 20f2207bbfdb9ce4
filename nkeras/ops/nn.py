"""The operations of `keras.ops.nn`: those that neural networks are made of."""

from typing import TYPE_CHECKING

from nkeras.ops.namespaces import offer

if TYPE_CHECKING:
    from nkeras.ops import *  # noqa: F403

offer(__name__)
