from nkeras.core import missing
from nkeras.regularizers.lookup import deserialize as deserialize
from nkeras.regularizers.lookup import get as get
from nkeras.regularizers.lookup import serialize as serialize
from nkeras.regularizers.regularizers import L1 as L1
from nkeras.regularizers.regularizers import L1L2 as L1L2
from nkeras.regularizers.regularizers import L2 as L2
from nkeras.regularizers.regularizers import OrthogonalRegularizer as OrthogonalRegularizer
from nkeras.regularizers.regularizers import Regularizer as Regularizer

l1 = L1
l2 = L2
l1_l2 = L1L2
orthogonal_regularizer = OrthogonalRegularizer

__all__ = missing.names_of(__name__)  # pyright: ignore[reportUnsupportedDunderAll]

missing.explain(__name__)
