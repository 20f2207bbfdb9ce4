from nkeras.activations.along_axis import glu as glu
from nkeras.activations.along_axis import log_softmax as log_softmax
from nkeras.activations.along_axis import softmax as softmax
from nkeras.activations.along_axis import sparsemax as sparsemax
from nkeras.activations.lookup import deserialize as deserialize
from nkeras.activations.lookup import get as get
from nkeras.activations.lookup import serialize as serialize
from nkeras.activations.rectified import celu as celu
from nkeras.activations.rectified import elu as elu
from nkeras.activations.rectified import hard_shrink as hard_shrink
from nkeras.activations.rectified import hard_tanh as hard_tanh
from nkeras.activations.rectified import leaky_relu as leaky_relu
from nkeras.activations.rectified import relu as relu
from nkeras.activations.rectified import relu6 as relu6
from nkeras.activations.rectified import selu as selu
from nkeras.activations.rectified import soft_shrink as soft_shrink
from nkeras.activations.rectified import tanh_shrink as tanh_shrink
from nkeras.activations.rectified import threshold as threshold
from nkeras.activations.smooth import exponential as exponential
from nkeras.activations.smooth import gelu as gelu
from nkeras.activations.smooth import hard_sigmoid as hard_sigmoid
from nkeras.activations.smooth import hard_silu as hard_silu
from nkeras.activations.smooth import hard_swish as hard_swish
from nkeras.activations.smooth import linear as linear
from nkeras.activations.smooth import log_sigmoid as log_sigmoid
from nkeras.activations.smooth import mish as mish
from nkeras.activations.smooth import sigmoid as sigmoid
from nkeras.activations.smooth import silu as silu
from nkeras.activations.smooth import softplus as softplus
from nkeras.activations.smooth import softsign as softsign
from nkeras.activations.smooth import sparse_plus as sparse_plus
from nkeras.activations.smooth import sparse_sigmoid as sparse_sigmoid
from nkeras.activations.smooth import squareplus as squareplus
from nkeras.activations.smooth import swish as swish
from nkeras.activations.smooth import tanh as tanh
from nkeras.core import missing

missing.explain(__name__)
