"""Writers of primitives, by topics as in `nkeras.ops`; importing this registers all."""

from nkeras.export.onnx.writers import attention as attention
from nkeras.export.onnx.writers import complexes as complexes
from nkeras.export.onnx.writers import convolution as convolution
from nkeras.export.onnx.writers import image as image
from nkeras.export.onnx.writers import indexing as indexing
from nkeras.export.onnx.writers import linalg as linalg
from nkeras.export.onnx.writers import normalization as normalization
from nkeras.export.onnx.writers import pooling as pooling
from nkeras.export.onnx.writers import recurrent as recurrent
from nkeras.export.onnx.writers import reduction as reduction
from nkeras.export.onnx.writers import shape as shape
