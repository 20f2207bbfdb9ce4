"""Losses, as `keras.losses` names them."""

from nkeras.core import missing
from nkeras.losses.crossentropy import BinaryCrossentropy as BinaryCrossentropy
from nkeras.losses.crossentropy import BinaryFocalCrossentropy as BinaryFocalCrossentropy
from nkeras.losses.crossentropy import CategoricalCrossentropy as CategoricalCrossentropy
from nkeras.losses.crossentropy import CategoricalFocalCrossentropy as CategoricalFocalCrossentropy
from nkeras.losses.crossentropy import binary_crossentropy as binary_crossentropy
from nkeras.losses.crossentropy import binary_focal_crossentropy as binary_focal_crossentropy
from nkeras.losses.crossentropy import categorical_crossentropy as categorical_crossentropy
from nkeras.losses.crossentropy import (
    categorical_focal_crossentropy as categorical_focal_crossentropy,
)
from nkeras.losses.divergence import KLDivergence as KLDivergence
from nkeras.losses.divergence import Poisson as Poisson
from nkeras.losses.divergence import kl_divergence as kl_divergence
from nkeras.losses.divergence import poisson as poisson
from nkeras.losses.embeddings import Circle as Circle
from nkeras.losses.embeddings import circle as circle
from nkeras.losses.identifiers import deserialize as deserialize
from nkeras.losses.identifiers import get as get
from nkeras.losses.identifiers import serialize as serialize
from nkeras.losses.loss import Loss as Loss
from nkeras.losses.loss import LossFunctionWrapper as LossFunctionWrapper
from nkeras.losses.margin import CategoricalHinge as CategoricalHinge
from nkeras.losses.margin import Hinge as Hinge
from nkeras.losses.margin import SquaredHinge as SquaredHinge
from nkeras.losses.margin import categorical_hinge as categorical_hinge
from nkeras.losses.margin import hinge as hinge
from nkeras.losses.margin import squared_hinge as squared_hinge
from nkeras.losses.overlap import Dice as Dice
from nkeras.losses.overlap import Tversky as Tversky
from nkeras.losses.overlap import dice as dice
from nkeras.losses.overlap import tversky as tversky
from nkeras.losses.regression import CosineSimilarity as CosineSimilarity
from nkeras.losses.regression import Huber as Huber
from nkeras.losses.regression import LogCosh as LogCosh
from nkeras.losses.regression import MeanAbsoluteError as MeanAbsoluteError
from nkeras.losses.regression import MeanAbsolutePercentageError as MeanAbsolutePercentageError
from nkeras.losses.regression import MeanSquaredError as MeanSquaredError
from nkeras.losses.regression import MeanSquaredLogarithmicError as MeanSquaredLogarithmicError
from nkeras.losses.regression import cosine_similarity as cosine_similarity
from nkeras.losses.regression import huber as huber
from nkeras.losses.regression import log_cosh as log_cosh
from nkeras.losses.regression import mean_absolute_error as mean_absolute_error
from nkeras.losses.regression import (
    mean_absolute_percentage_error as mean_absolute_percentage_error,
)
from nkeras.losses.regression import mean_squared_error as mean_squared_error
from nkeras.losses.regression import (
    mean_squared_logarithmic_error as mean_squared_logarithmic_error,
)
from nkeras.losses.sequences import CTC as CTC
from nkeras.losses.sequences import ctc as ctc
from nkeras.losses.sparse_crossentropy import (
    CategoricalGeneralizedCrossEntropy as CategoricalGeneralizedCrossEntropy,
)
from nkeras.losses.sparse_crossentropy import (
    SparseCategoricalCrossentropy as SparseCategoricalCrossentropy,
)
from nkeras.losses.sparse_crossentropy import (
    categorical_generalized_cross_entropy as categorical_generalized_cross_entropy,
)
from nkeras.losses.sparse_crossentropy import (
    sparse_categorical_crossentropy as sparse_categorical_crossentropy,
)

missing.explain(__name__)
