"""All modules that enter operators into the table."""

from nkeras.models.onnx import activations as activations
from nkeras.models.onnx import arithmetic as arithmetic
from nkeras.models.onnx import choosing as choosing
from nkeras.models.onnx import convolution as convolution
from nkeras.models.onnx import normalization as normalization
from nkeras.models.onnx import pooling as pooling
from nkeras.models.onnx import products as products
from nkeras.models.onnx import rearranging as rearranging
from nkeras.models.onnx import recurrent as recurrent
from nkeras.models.onnx import reductions as reductions
from nkeras.models.onnx import resizing as resizing
from nkeras.models.onnx import selecting as selecting
from nkeras.models.onnx.folding import FOLDS as FOLDS
from nkeras.models.onnx.table import OPERATORS as OPERATORS
