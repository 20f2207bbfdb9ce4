"""Layers, as `keras.layers`."""

from nkeras.core import missing
from nkeras.layers.activation import ELU as ELU
from nkeras.layers.activation import Activation as Activation
from nkeras.layers.activation import LeakyReLU as LeakyReLU
from nkeras.layers.activation import PReLU as PReLU
from nkeras.layers.activation import ReLU as ReLU
from nkeras.layers.activation import Softmax as Softmax
from nkeras.layers.activation import ThresholdedReLU as ThresholdedReLU
from nkeras.layers.adaptive_pooling import AdaptiveAveragePooling1D as AdaptiveAveragePooling1D
from nkeras.layers.adaptive_pooling import AdaptiveAveragePooling2D as AdaptiveAveragePooling2D
from nkeras.layers.adaptive_pooling import AdaptiveAveragePooling3D as AdaptiveAveragePooling3D
from nkeras.layers.adaptive_pooling import AdaptiveMaxPooling1D as AdaptiveMaxPooling1D
from nkeras.layers.adaptive_pooling import AdaptiveMaxPooling2D as AdaptiveMaxPooling2D
from nkeras.layers.adaptive_pooling import AdaptiveMaxPooling3D as AdaptiveMaxPooling3D
from nkeras.layers.attention.attention import AdditiveAttention as AdditiveAttention
from nkeras.layers.attention.attention import Attention as Attention
from nkeras.layers.attention.group_query_attention import GroupQueryAttention as GroupQueryAttention
from nkeras.layers.attention.multi_head_attention import MultiHeadAttention as MultiHeadAttention
from nkeras.layers.base import Layer as Layer
from nkeras.layers.convolution import Conv1D as Conv1D
from nkeras.layers.convolution import Conv2D as Conv2D
from nkeras.layers.convolution import Conv3D as Conv3D
from nkeras.layers.convolution import Convolution1D as Convolution1D
from nkeras.layers.convolution import Convolution2D as Convolution2D
from nkeras.layers.convolution import Convolution3D as Convolution3D
from nkeras.layers.core import Dense as Dense
from nkeras.layers.core import Identity as Identity
from nkeras.layers.core import Input as Input
from nkeras.layers.core import InputLayer as InputLayer
from nkeras.layers.core import Lambda as Lambda
from nkeras.layers.depthwise import DepthwiseConv1D as DepthwiseConv1D
from nkeras.layers.depthwise import DepthwiseConv2D as DepthwiseConv2D
from nkeras.layers.depthwise import SeparableConv1D as SeparableConv1D
from nkeras.layers.depthwise import SeparableConv2D as SeparableConv2D
from nkeras.layers.depthwise import SeparableConvolution1D as SeparableConvolution1D
from nkeras.layers.depthwise import SeparableConvolution2D as SeparableConvolution2D
from nkeras.layers.einsum_dense import EinsumDense as EinsumDense
from nkeras.layers.embedding import Embedding as Embedding
from nkeras.layers.embedding import ReversibleEmbedding as ReversibleEmbedding
from nkeras.layers.group_normalization import GroupNormalization as GroupNormalization
from nkeras.layers.input_spec import InputSpec as InputSpec
from nkeras.layers.layer_normalization import LayerNormalization as LayerNormalization
from nkeras.layers.layer_normalization import RMSNormalization as RMSNormalization
from nkeras.layers.layer_normalization import UnitNormalization as UnitNormalization
from nkeras.layers.locally_connected import LocallyConnected1D as LocallyConnected1D
from nkeras.layers.locally_connected import LocallyConnected2D as LocallyConnected2D
from nkeras.layers.locally_connected import LocallyConnected3D as LocallyConnected3D
from nkeras.layers.masking import Masking as Masking
from nkeras.layers.merging import Add as Add
from nkeras.layers.merging import Average as Average
from nkeras.layers.merging import Concatenate as Concatenate
from nkeras.layers.merging import Dot as Dot
from nkeras.layers.merging import Maximum as Maximum
from nkeras.layers.merging import Minimum as Minimum
from nkeras.layers.merging import Multiply as Multiply
from nkeras.layers.merging import Subtract as Subtract
from nkeras.layers.merging import add as add
from nkeras.layers.merging import average as average
from nkeras.layers.merging import concatenate as concatenate
from nkeras.layers.merging import dot as dot
from nkeras.layers.merging import maximum as maximum
from nkeras.layers.merging import minimum as minimum
from nkeras.layers.merging import multiply as multiply
from nkeras.layers.merging import subtract as subtract
from nkeras.layers.normalization import BatchNormalization as BatchNormalization
from nkeras.layers.patches import ReconstructPatches2D as ReconstructPatches2D
from nkeras.layers.patches import ReconstructPatches3D as ReconstructPatches3D
from nkeras.layers.pooling import AveragePooling1D as AveragePooling1D
from nkeras.layers.pooling import AveragePooling2D as AveragePooling2D
from nkeras.layers.pooling import AveragePooling3D as AveragePooling3D
from nkeras.layers.pooling import AvgPool1D as AvgPool1D
from nkeras.layers.pooling import AvgPool2D as AvgPool2D
from nkeras.layers.pooling import AvgPool3D as AvgPool3D
from nkeras.layers.pooling import GlobalAveragePooling1D as GlobalAveragePooling1D
from nkeras.layers.pooling import GlobalAveragePooling2D as GlobalAveragePooling2D
from nkeras.layers.pooling import GlobalAveragePooling3D as GlobalAveragePooling3D
from nkeras.layers.pooling import GlobalAvgPool1D as GlobalAvgPool1D
from nkeras.layers.pooling import GlobalAvgPool2D as GlobalAvgPool2D
from nkeras.layers.pooling import GlobalAvgPool3D as GlobalAvgPool3D
from nkeras.layers.pooling import GlobalMaxPool1D as GlobalMaxPool1D
from nkeras.layers.pooling import GlobalMaxPool2D as GlobalMaxPool2D
from nkeras.layers.pooling import GlobalMaxPool3D as GlobalMaxPool3D
from nkeras.layers.pooling import GlobalMaxPooling1D as GlobalMaxPooling1D
from nkeras.layers.pooling import GlobalMaxPooling2D as GlobalMaxPooling2D
from nkeras.layers.pooling import GlobalMaxPooling3D as GlobalMaxPooling3D
from nkeras.layers.pooling import MaxPool1D as MaxPool1D
from nkeras.layers.pooling import MaxPool2D as MaxPool2D
from nkeras.layers.pooling import MaxPool3D as MaxPool3D
from nkeras.layers.pooling import MaxPooling1D as MaxPooling1D
from nkeras.layers.pooling import MaxPooling2D as MaxPooling2D
from nkeras.layers.pooling import MaxPooling3D as MaxPooling3D
from nkeras.layers.preprocessing.category_encoding import CategoryEncoding as CategoryEncoding
from nkeras.layers.preprocessing.discretization import Discretization as Discretization
from nkeras.layers.preprocessing.hashed_crossing import HashedCrossing as HashedCrossing
from nkeras.layers.preprocessing.hashing import Hashing as Hashing
from nkeras.layers.preprocessing.image.aug_mix import AugMix as AugMix
from nkeras.layers.preprocessing.image.center_crop import CenterCrop as CenterCrop
from nkeras.layers.preprocessing.image.colors import (
    RandomColorDegeneration as RandomColorDegeneration,
)
from nkeras.layers.preprocessing.image.colors import RandomGrayscale as RandomGrayscale
from nkeras.layers.preprocessing.image.colors import RandomHue as RandomHue
from nkeras.layers.preprocessing.image.colors import RandomSaturation as RandomSaturation
from nkeras.layers.preprocessing.image.filters import RandomGaussianBlur as RandomGaussianBlur
from nkeras.layers.preprocessing.image.filters import RandomSharpness as RandomSharpness
from nkeras.layers.preprocessing.image.histograms import AutoContrast as AutoContrast
from nkeras.layers.preprocessing.image.histograms import (
    ContrastLimitedAdaptiveHistogramEqualization as ContrastLimitedAdaptiveHistogramEqualization,
)
from nkeras.layers.preprocessing.image.histograms import Equalization as Equalization
from nkeras.layers.preprocessing.image.max_num_bounding_boxes import (
    MaxNumBoundingBoxes as MaxNumBoundingBoxes,
)
from nkeras.layers.preprocessing.image.mixing import CutMix as CutMix
from nkeras.layers.preprocessing.image.mixing import MixUp as MixUp
from nkeras.layers.preprocessing.image.rand_augment import RandAugment as RandAugment
from nkeras.layers.preprocessing.image.random_color_jitter import (
    RandomColorJitter as RandomColorJitter,
)
from nkeras.layers.preprocessing.image.random_crop import RandomCrop as RandomCrop
from nkeras.layers.preprocessing.image.random_elastic_transform import (
    RandomElasticTransform as RandomElasticTransform,
)
from nkeras.layers.preprocessing.image.random_erasing import RandomErasing as RandomErasing
from nkeras.layers.preprocessing.image.random_flip import RandomFlip as RandomFlip
from nkeras.layers.preprocessing.image.random_perspective import (
    RandomPerspective as RandomPerspective,
)
from nkeras.layers.preprocessing.image.random_rotation import RandomRotation as RandomRotation
from nkeras.layers.preprocessing.image.random_shear import RandomShear as RandomShear
from nkeras.layers.preprocessing.image.random_translation import (
    RandomTranslation as RandomTranslation,
)
from nkeras.layers.preprocessing.image.random_zoom import RandomZoom as RandomZoom
from nkeras.layers.preprocessing.image.resizing import Resizing as Resizing
from nkeras.layers.preprocessing.image.tones import RandomBrightness as RandomBrightness
from nkeras.layers.preprocessing.image.tones import RandomContrast as RandomContrast
from nkeras.layers.preprocessing.image.tones import RandomInvert as RandomInvert
from nkeras.layers.preprocessing.image.tones import RandomPosterization as RandomPosterization
from nkeras.layers.preprocessing.image.tones import Solarization as Solarization
from nkeras.layers.preprocessing.integer_lookup import IntegerLookup as IntegerLookup
from nkeras.layers.preprocessing.normalization import Normalization as Normalization
from nkeras.layers.preprocessing.pipeline import Pipeline as Pipeline
from nkeras.layers.preprocessing.rescaling import Rescaling as Rescaling
from nkeras.layers.preprocessing.string_lookup import StringLookup as StringLookup
from nkeras.layers.preprocessing.text_vectorization import TextVectorization as TextVectorization
from nkeras.layers.recurrent.bidirectional import Bidirectional as Bidirectional
from nkeras.layers.recurrent.conv_lstm import ConvLSTM1D as ConvLSTM1D
from nkeras.layers.recurrent.conv_lstm import ConvLSTM2D as ConvLSTM2D
from nkeras.layers.recurrent.conv_lstm import ConvLSTM3D as ConvLSTM3D
from nkeras.layers.recurrent.gru import GRU as GRU
from nkeras.layers.recurrent.gru import GRUCell as GRUCell
from nkeras.layers.recurrent.lstm import LSTM as LSTM
from nkeras.layers.recurrent.lstm import LSTMCell as LSTMCell
from nkeras.layers.recurrent.rnn import RNN as RNN
from nkeras.layers.recurrent.simple_rnn import SimpleRNN as SimpleRNN
from nkeras.layers.recurrent.simple_rnn import SimpleRNNCell as SimpleRNNCell
from nkeras.layers.recurrent.stacked import StackedRNNCells as StackedRNNCells
from nkeras.layers.recurrent.time_distributed import TimeDistributed as TimeDistributed
from nkeras.layers.regularization import ActivityRegularization as ActivityRegularization
from nkeras.layers.regularization import AlphaDropout as AlphaDropout
from nkeras.layers.regularization import Dropout as Dropout
from nkeras.layers.regularization import GaussianDropout as GaussianDropout
from nkeras.layers.regularization import GaussianNoise as GaussianNoise
from nkeras.layers.regularization import SpatialDropout1D as SpatialDropout1D
from nkeras.layers.regularization import SpatialDropout2D as SpatialDropout2D
from nkeras.layers.regularization import SpatialDropout3D as SpatialDropout3D
from nkeras.layers.reshaping import Flatten as Flatten
from nkeras.layers.reshaping import Permute as Permute
from nkeras.layers.reshaping import RepeatVector as RepeatVector
from nkeras.layers.reshaping import Reshape as Reshape
from nkeras.layers.resizing import Cropping1D as Cropping1D
from nkeras.layers.resizing import Cropping2D as Cropping2D
from nkeras.layers.resizing import Cropping3D as Cropping3D
from nkeras.layers.resizing import UpSampling1D as UpSampling1D
from nkeras.layers.resizing import UpSampling2D as UpSampling2D
from nkeras.layers.resizing import UpSampling3D as UpSampling3D
from nkeras.layers.resizing import ZeroPadding1D as ZeroPadding1D
from nkeras.layers.resizing import ZeroPadding2D as ZeroPadding2D
from nkeras.layers.resizing import ZeroPadding3D as ZeroPadding3D
from nkeras.layers.serialization import deserialize as deserialize
from nkeras.layers.serialization import serialize as serialize
from nkeras.layers.spectral_normalization import SpectralNormalization as SpectralNormalization
from nkeras.layers.spectrograms import MelSpectrogram as MelSpectrogram
from nkeras.layers.spectrograms import STFTSpectrogram as STFTSpectrogram
from nkeras.layers.transposed import Conv1DTranspose as Conv1DTranspose
from nkeras.layers.transposed import Conv2DTranspose as Conv2DTranspose
from nkeras.layers.transposed import Conv3DTranspose as Conv3DTranspose
from nkeras.layers.transposed import Convolution1DTranspose as Convolution1DTranspose
from nkeras.layers.transposed import Convolution2DTranspose as Convolution2DTranspose
from nkeras.layers.transposed import Convolution3DTranspose as Convolution3DTranspose
from nkeras.layers.wrapper import Wrapper as Wrapper

__all__ = missing.names_of(__name__)  # pyright: ignore[reportUnsupportedDunderAll]

missing.explain(__name__)
