# What `nkeras.__getattr__` loads, for type checkers.
from nkeras import activations as activations
from nkeras import backend as backend
from nkeras import callbacks as callbacks
from nkeras import config as config
from nkeras import constraints as constraints
from nkeras import datasets as datasets
from nkeras import dtype_policies as dtype_policies
from nkeras import initializers as initializers
from nkeras import layers as layers
from nkeras import losses as losses
from nkeras import metrics as metrics
from nkeras import mixed_precision as mixed_precision
from nkeras import models as models
from nkeras import ops as ops
from nkeras import optimizers as optimizers
from nkeras import preprocessing as preprocessing
from nkeras import random as random
from nkeras import regularizers as regularizers
from nkeras import training as training
from nkeras import tree as tree
from nkeras import utils as utils
from nkeras.backend.registry import backends as backends
from nkeras.backend.registry import device as device
from nkeras.backend.registry import get_backend as get_backend
from nkeras.backend.registry import set_backend as set_backend
from nkeras.backend.registry import use_backend as use_backend
from nkeras.core.graph import KerasTensor as KerasTensor
from nkeras.core.naming import name_scope as name_scope
from nkeras.core.operation import Operation as Operation
from nkeras.core.policies import DTypePolicy as DTypePolicy
from nkeras.core.policies import FloatDTypePolicy as FloatDTypePolicy
from nkeras.core.random import SeedGenerator as SeedGenerator
from nkeras.core.tape import GradientTape as GradientTape
from nkeras.core.tensor import Tensor as Tensor
from nkeras.core.transforms import grad as grad
from nkeras.core.transforms import value_and_grad as value_and_grad
from nkeras.core.variable import Variable as Variable
from nkeras.initializers import Initializer as Initializer
from nkeras.layers.base import Layer as Layer
from nkeras.layers.core import Input as Input
from nkeras.layers.input_spec import InputSpec as InputSpec
from nkeras.losses import Loss as Loss
from nkeras.metrics import Metric as Metric
from nkeras.models.function import Function as Function
from nkeras.models.model import Model as Model
from nkeras.models.sequential import Sequential as Sequential
from nkeras.ops.core import custom_gradient as custom_gradient
from nkeras.ops.core import stop_gradient as stop_gradient
from nkeras.ops.custom import elementwise as elementwise
from nkeras.ops.kernel import kernel as kernel
from nkeras.optimizers import Optimizer as Optimizer
from nkeras.regularizers import Regularizer as Regularizer

__version__: str

def version() -> str: ...
