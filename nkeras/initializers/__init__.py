from nkeras.core import missing
from nkeras.initializers.constant import Constant as Constant
from nkeras.initializers.constant import Identity as Identity
from nkeras.initializers.constant import Initializer as Initializer
from nkeras.initializers.constant import Ones as Ones
from nkeras.initializers.constant import Zeros as Zeros
from nkeras.initializers.fourier import STFT as STFT
from nkeras.initializers.lookup import deserialize as deserialize
from nkeras.initializers.lookup import get as get
from nkeras.initializers.lookup import serialize as serialize
from nkeras.initializers.random import Orthogonal as Orthogonal
from nkeras.initializers.random import RandomNormal as RandomNormal
from nkeras.initializers.random import RandomUniform as RandomUniform
from nkeras.initializers.random import TruncatedNormal as TruncatedNormal
from nkeras.initializers.random import VarianceScaling as VarianceScaling
from nkeras.initializers.scaled import GlorotNormal as GlorotNormal
from nkeras.initializers.scaled import GlorotUniform as GlorotUniform
from nkeras.initializers.scaled import HeNormal as HeNormal
from nkeras.initializers.scaled import HeUniform as HeUniform
from nkeras.initializers.scaled import LecunNormal as LecunNormal
from nkeras.initializers.scaled import LecunUniform as LecunUniform

IdentityInitializer = Identity
OrthogonalInitializer = Orthogonal
STFTInitializer = STFT
constant = Constant
glorot_normal = GlorotNormal
glorot_uniform = GlorotUniform
he_normal = HeNormal
he_uniform = HeUniform
identity = Identity
lecun_normal = LecunNormal
lecun_uniform = LecunUniform
ones = Ones
orthogonal = Orthogonal
random_normal = RandomNormal
random_uniform = RandomUniform
stft = STFT
truncated_normal = TruncatedNormal
variance_scaling = VarianceScaling
zeros = Zeros

__all__ = missing.names_of(__name__)  # pyright: ignore[reportUnsupportedDunderAll]

missing.explain(__name__)
