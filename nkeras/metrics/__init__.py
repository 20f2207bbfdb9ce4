"""Metrics, as `keras.metrics` names them."""

from nkeras.core import missing
from nkeras.losses.crossentropy import binary_crossentropy as binary_crossentropy
from nkeras.losses.crossentropy import binary_focal_crossentropy as binary_focal_crossentropy
from nkeras.losses.crossentropy import categorical_crossentropy as categorical_crossentropy
from nkeras.losses.crossentropy import (
    categorical_focal_crossentropy as categorical_focal_crossentropy,
)
from nkeras.losses.divergence import kl_divergence as kl_divergence
from nkeras.losses.divergence import poisson as poisson
from nkeras.losses.margin import categorical_hinge as categorical_hinge
from nkeras.losses.margin import hinge as hinge
from nkeras.losses.margin import squared_hinge as squared_hinge
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
from nkeras.losses.sparse_crossentropy import (
    sparse_categorical_crossentropy as sparse_categorical_crossentropy,
)
from nkeras.metrics.accuracy import Accuracy as Accuracy
from nkeras.metrics.accuracy import BinaryAccuracy as BinaryAccuracy
from nkeras.metrics.accuracy import CategoricalAccuracy as CategoricalAccuracy
from nkeras.metrics.accuracy import SparseCategoricalAccuracy as SparseCategoricalAccuracy
from nkeras.metrics.accuracy import SparseTopKCategoricalAccuracy as SparseTopKCategoricalAccuracy
from nkeras.metrics.accuracy import TopKCategoricalAccuracy as TopKCategoricalAccuracy
from nkeras.metrics.accuracy import binary_accuracy as binary_accuracy
from nkeras.metrics.accuracy import categorical_accuracy as categorical_accuracy
from nkeras.metrics.accuracy import sparse_categorical_accuracy as sparse_categorical_accuracy
from nkeras.metrics.accuracy import (
    sparse_top_k_categorical_accuracy as sparse_top_k_categorical_accuracy,
)
from nkeras.metrics.accuracy import top_k_categorical_accuracy as top_k_categorical_accuracy
from nkeras.metrics.auc import AUC as AUC
from nkeras.metrics.confusion import FalseNegatives as FalseNegatives
from nkeras.metrics.confusion import FalsePositives as FalsePositives
from nkeras.metrics.confusion import Precision as Precision
from nkeras.metrics.confusion import Recall as Recall
from nkeras.metrics.confusion import TrueNegatives as TrueNegatives
from nkeras.metrics.confusion import TruePositives as TruePositives
from nkeras.metrics.correlation import ConcordanceCorrelation as ConcordanceCorrelation
from nkeras.metrics.correlation import PearsonCorrelation as PearsonCorrelation
from nkeras.metrics.correlation import concordance_correlation as concordance_correlation
from nkeras.metrics.correlation import pearson_correlation as pearson_correlation
from nkeras.metrics.f_score import F1Score as F1Score
from nkeras.metrics.f_score import FBetaScore as FBetaScore
from nkeras.metrics.four_counts import PrecisionAtRecall as PrecisionAtRecall
from nkeras.metrics.four_counts import RecallAtPrecision as RecallAtPrecision
from nkeras.metrics.four_counts import SensitivityAtSpecificity as SensitivityAtSpecificity
from nkeras.metrics.four_counts import SpecificityAtSensitivity as SpecificityAtSensitivity
from nkeras.metrics.identifiers import deserialize as deserialize
from nkeras.metrics.identifiers import get as get
from nkeras.metrics.identifiers import serialize as serialize
from nkeras.metrics.iou import BinaryIoU as BinaryIoU
from nkeras.metrics.iou import IoU as IoU
from nkeras.metrics.iou import MeanIoU as MeanIoU
from nkeras.metrics.iou import OneHotIoU as OneHotIoU
from nkeras.metrics.iou import OneHotMeanIoU as OneHotMeanIoU
from nkeras.metrics.margin import CategoricalHinge as CategoricalHinge
from nkeras.metrics.margin import Hinge as Hinge
from nkeras.metrics.margin import SquaredHinge as SquaredHinge
from nkeras.metrics.metric import Metric as Metric
from nkeras.metrics.probabilistic import BinaryCrossentropy as BinaryCrossentropy
from nkeras.metrics.probabilistic import CategoricalCrossentropy as CategoricalCrossentropy
from nkeras.metrics.probabilistic import KLDivergence as KLDivergence
from nkeras.metrics.probabilistic import Poisson as Poisson
from nkeras.metrics.probabilistic import (
    SparseCategoricalCrossentropy as SparseCategoricalCrossentropy,
)
from nkeras.metrics.r2_score import R2Score as R2Score
from nkeras.metrics.reduction import Mean as Mean
from nkeras.metrics.reduction import MeanMetricWrapper as MeanMetricWrapper
from nkeras.metrics.reduction import Sum as Sum
from nkeras.metrics.regression import CosineSimilarity as CosineSimilarity
from nkeras.metrics.regression import LogCoshError as LogCoshError
from nkeras.metrics.regression import MeanAbsoluteError as MeanAbsoluteError
from nkeras.metrics.regression import MeanAbsolutePercentageError as MeanAbsolutePercentageError
from nkeras.metrics.regression import MeanSquaredError as MeanSquaredError
from nkeras.metrics.regression import MeanSquaredLogarithmicError as MeanSquaredLogarithmicError
from nkeras.metrics.regression import RootMeanSquaredError as RootMeanSquaredError

missing.explain(__name__)
