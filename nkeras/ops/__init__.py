from nkeras.ops import operators  # noqa: F401
from nkeras.ops.activation import *
from nkeras.ops.convolution import *
from nkeras.ops.core import *
from nkeras.ops.elementwise import *
from nkeras.ops.indexing import *
from nkeras.ops.linalg import *
from nkeras.ops.loss import *
from nkeras.ops.normalization import *
from nkeras.ops.optimizers import *
from nkeras.ops.pooling import *
from nkeras.ops.random import *
from nkeras.ops.reduction import *
from nkeras.ops.shape import *
