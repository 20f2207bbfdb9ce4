"""What Keras keeps for scripts of Keras 2, as `keras.legacy`."""

from nkeras.core import missing
from nkeras.legacy import saving as saving

missing.explain(__name__)
